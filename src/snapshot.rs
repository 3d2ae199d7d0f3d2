//! A login that waits for its callback, written down so that another process can take it up.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::credential::{Generation, Key};
use crate::step::Consent;

/// The version of [`Snapshot`] that this crate writes and reads.
pub(crate) const VERSION: u32 = 1;

/// A login that waits for its callback. It holds the code verifier and, for a confidential client, its secret: keep
/// it as you keep credentials, under the [`state`](Self::state) it waits for, and use it once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub(crate) version: u32,
    pub(crate) key: Key,
    pub(crate) redirect_uri: String,
    pub(crate) taken_at: Timestamp,
    pub(crate) deadline: Timestamp,
    /// The record that stands in the store, and the highest generation that was seen.
    pub(crate) record: Option<Generation>,
    pub(crate) latest: Generation,
    pub(crate) consent: Consent,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("key", &self.key)
            .field("redirect_uri", &self.redirect_uri)
            .field("taken_at", &self.taken_at)
            .field("deadline", &self.deadline)
            .field("consent", &self.consent)
            .finish()
    }
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
