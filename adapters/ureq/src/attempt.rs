//! One machine for all clones of a client. One thread cranks it while there is anything to do; it belongs to no caller.

use std::sync::{Arc, mpsc};
use std::thread;

use mcp_auth::Event;
use mcp_auth_host::{Desk, Ended, Host, Ticket};

use crate::crank::{Told, drive};
use crate::error::Error;
use crate::exchange::Http;
use crate::permits::Permits;

/// How many threads may die under one caller before it gives up. The first may have been at its end already.
const THREADS: usize = 3;

/// What all clones of a client share.
pub(crate) struct Shared {
    pub(crate) host: Host,
    pub(crate) http: Http,
    /// How many threads may be in the host's own code for the machine's sake: store, person, assertions.
    pub(crate) calls: Arc<Permits>,
    /// How many signatures are made at a time.
    pub(crate) signing: Arc<Permits>,
    /// Of the requests that are sent again for want of a nonce, whose turn it is. Nobody depends on it.
    pub(crate) turn: Arc<Permits>,
}

impl Shared {
    /// Hands in what begins an attempt, and waits for the end of what it began or joined. A thread that ends meanwhile
    /// loses nothing: the attempt goes on.
    pub(crate) fn attempt(self: &Arc<Self>, event: Event) -> Result<Ended, Error> {
        for _ in 0..THREADS {
            let Ticket { done, own } = self.hand_in(&event)?;
            if let Some(done) = done.block() {
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
        self.host.hand_in(event, || {
            let (tell, inbox) = mpsc::channel();
            let bell = tell.clone();
            let desk = Desk::new(move || {
                let _ = bell.send(Told::Rung);
            });
            let (shared, own) = (self.clone(), desk.clone());
            let thread = thread::Builder::new().name("mcp-auth".to_owned());
            thread.spawn(move || drive(&shared, &own, &tell, &inbox)).map_err(Error::NoThread)?;
            Ok(desk)
        })
    }
}
