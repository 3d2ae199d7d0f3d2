//! A login that waits for its callback, written down so that another process can take it up.

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::step::Consent;

/// A login that waits for its callback. It holds the code verifier and, for a confidential client, its secret: keep
/// it as you keep credentials, under the [`state`](Self::state) it waits for, and use it once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub(crate) server: String,
    pub(crate) redirect_uri: String,
    pub(crate) taken_at: Timestamp,
    pub(crate) deadline: Timestamp,
    pub(crate) consent: Consent,
}

impl Snapshot {
    /// The `state` of the authorization request. [`Callback::state`](crate::Callback::state) of the answer gives
    /// the same, so it can be the key under which the snapshot is found again.
    pub fn state(&self) -> &str {
        self.consent.state.expose()
    }

    /// When the login is given up.
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }
}
