//! One machine for all clones of a client. One task cranks it while there is anything to do; it belongs to no caller.

use std::sync::Arc;

use http::HeaderValue;
use mcp_auth::wire::jws::SigningInput;
use mcp_auth::{Event, SigningKey};
use mcp_auth_host::{Desk, Ended, Host, Ticket};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::drive::drive;
use crate::error::Error;
use crate::exchange::Http;
use crate::signing::Signing;

/// How many tasks may die under one caller before it gives up. The first may have been on another runtime.
const TASKS: usize = 3;

/// What all clones of a client share.
pub(crate) struct Shared {
    pub(crate) host: Host,
    pub(crate) http: Http,
    pub(crate) signing: Signing,
    /// Of the requests that are sent again for want of a nonce, whose turn it is. Nobody depends on it.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

impl Shared {
    /// The proof of the key to which the token is bound, signed.
    pub(crate) async fn signed(self: &Arc<Self>, input: SigningInput) -> Result<HeaderValue, Error> {
        let (algorithm, message) = (input.algorithm(), input.as_bytes().to_vec());
        let within = self.host.exchange_time();
        let signed = self.sign(SigningKey::Proof, algorithm, message, within).await;
        self.host.proof(input, signed).map_err(Error::Failure)
    }

    /// Hands in what begins an attempt, and waits for the end of what it began or joined. Whoever stops waiting loses
    /// nothing: the attempt goes on.
    pub(crate) async fn attempt(self: &Arc<Self>, event: Event) -> Result<Ended, Error> {
        for _ in 0..TASKS {
            let Ticket { done, own } = self.hand_in(&event)?;
            if let Some(done) = done.ended().await {
                let outcome = done.as_ref().clone().map_err(Error::Failure)?;
                return Ok(Ended { outcome, own });
            }
        }
        Err(Error::Stopped)
    }

    /// Hands in what begins an attempt, for the good of requests to come. Nobody waits for it.
    pub(crate) fn begin(self: &Arc<Self>, event: &Event) {
        let _ = self.hand_in(event);
    }

    fn hand_in(self: &Arc<Self>, event: &Event) -> Result<Ticket, Error> {
        let runtime = Handle::try_current().map_err(|_| Error::Stopped)?;
        self.host.hand_in(event, || {
            let told = Arc::new(Notify::new());
            let bell = told.clone();
            let desk = Desk::new(move || bell.notify_one());
            let (shared, own) = (self.clone(), desk.clone());
            runtime.spawn(async move { drive(&shared, &own, &told).await });
            Ok(desk)
        })
    }
}
