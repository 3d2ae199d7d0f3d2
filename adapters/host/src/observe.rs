//! What a host may watch, and what goes to `tracing` and `log`, where the features of their names are on. No secret passes
//! here.

use std::time::Duration;

use mcp_auth::{Action, Entry, Event, Failure, Outcome, Purpose, Timestamp};
use url::Url;

/// Something happened that a host may want to show. Nothing in it is secret; URLs come without their query.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Observed<'a> {
    /// An authorization exchange goes out.
    Sent {
        /// What it is for.
        purpose: Purpose,
        /// The method.
        method: &'a str,
        /// Where it goes.
        url: &'a str,
    },
    /// An authorization exchange is over.
    Answered {
        /// What it was for.
        purpose: Purpose,
        /// The status of its answer; `None` if there was none.
        status: Option<u16>,
        /// How long it took.
        took: Duration,
    },
    /// The authorization request is shown to the person.
    Opened {
        /// Where the person is sent.
        url: &'a str,
    },
    /// A new line of the trail.
    Noted(&'a Entry),
    /// A request of the caller goes out.
    Requested {
        /// The caller's name for it.
        operation: &'a str,
        /// Where it goes.
        url: &'a str,
        /// Whether it carries a token of this client.
        authorized: bool,
        /// Whether the token is bound to a key, and the request proves that the client has it.
        bound: bool,
    },
    /// A request of the caller was answered.
    Responded {
        /// The caller's name for it.
        operation: &'a str,
        /// The status of the answer.
        status: u16,
        /// How long it took until the header was there.
        took: Duration,
    },
    /// The MCP server wants its nonce in the proof of the key (RFC 9449 §9): the request goes out once more with it.
    NonceWanted {
        /// The caller's name for it.
        operation: &'a str,
    },
    /// An attempt is over, or a renewal beside one.
    Finished(&'a Result<Outcome, Box<Failure>>),
}

/// Sees every event and every action of the machine, in their order: for recorders, and for
/// [`mcp_auth::watch::Watch`]. What it sees holds secrets. Called with the machine locked, because the order would be
/// lost otherwise: it must be quick and must not call the client.
pub trait Tap: Send + 'static {
    /// The machine is about to be told this.
    fn event(&mut self, now: Timestamp, event: &Event);

    /// The machine asks for this.
    fn action(&mut self, action: &Action);

    /// A request of the caller to `url` is to carry the token of `resource`.
    fn attached(&mut self, url: &Url, resource: &str) {
        let _ = (url, resource);
    }
}

impl Tap for mcp_auth::watch::Watch {
    fn event(&mut self, now: Timestamp, event: &Event) {
        Self::event(self, now, event);
    }

    fn action(&mut self, action: &Action) {
        Self::action(self, action);
    }

    fn attached(&mut self, url: &Url, resource: &str) {
        Self::attached(self, url, resource);
    }
}

type Callee = dyn Fn(Observed<'_>) + Send + Sync;

/// Tells `tracing` and `log`, and the host if it wants to know. Never called under a lock.
#[derive(Default)]
pub struct Observer {
    callee: Option<Box<Callee>>,
}

impl Observer {
    /// One that tells the host besides.
    pub fn new(callee: impl Fn(Observed<'_>) + Send + Sync + 'static) -> Self {
        Self { callee: Some(Box::new(callee)) }
    }

    /// Tells the host last, so that one that panics is still found in the log.
    pub(crate) fn see(&self, observed: Observed<'_>) {
        #[cfg(feature = "tracing")]
        trace(observed);
        #[cfg(feature = "log")]
        log(observed);
        if let Some(callee) = &self.callee {
            callee(observed);
        }
    }
}

#[cfg(feature = "tracing")]
fn trace(observed: Observed<'_>) {
    use tracing::{debug, warn};

    match observed {
        Observed::Sent { purpose, method, url } => {
            debug!(target: "mcp_auth", ?purpose, method, url, "sent");
        }
        Observed::Answered { purpose, status, took } => {
            debug!(target: "mcp_auth", ?purpose, status, ?took, "answered");
        }
        Observed::Opened { url } => debug!(target: "mcp_auth", url, "opened"),
        Observed::Noted(entry) => debug!(target: "mcp_auth", "{entry}"),
        Observed::Requested { operation, url, authorized, bound } => {
            debug!(target: "mcp_auth", operation, url, authorized, bound, "requested");
        }
        Observed::Responded { operation, status, took } => {
            debug!(target: "mcp_auth", operation, status, ?took, "responded");
        }
        Observed::NonceWanted { operation } => {
            debug!(target: "mcp_auth", operation, "the server's nonce is wanted")
        }
        Observed::Finished(Ok(Outcome::Authorized(authorized))) => {
            let (source, issuer, granted) = (authorized.source, &authorized.issuer, &authorized.granted);
            debug!(target: "mcp_auth", ?source, issuer, %granted, "authorized");
            if let Some(why) = &authorized.unsaved {
                warn!(target: "mcp_auth", why, "the credential is not stored");
            }
        }
        Observed::Finished(Ok(Outcome::Anonymous)) => debug!(target: "mcp_auth", "no grant"),
        Observed::Finished(Ok(Outcome::LoggedOut(done))) => {
            debug!(target: "mcp_auth", complete = done.is_complete(), "logged out");
        }
        Observed::Finished(Err(failure)) => warn!(target: "mcp_auth", "{failure}"),
    }
}

/// The same in the same words, for a log that has only lines.
#[cfg(feature = "log")]
fn log(observed: Observed<'_>) {
    use log::{debug, warn};

    const TARGET: &str = "mcp_auth";
    match observed {
        Observed::Sent { purpose, method, url } => {
            debug!(target: TARGET, "sent purpose={purpose:?} method={method} url={url}");
        }
        Observed::Answered { purpose, status, took } => {
            debug!(target: TARGET, "answered purpose={purpose:?} status={status:?} took={took:?}");
        }
        Observed::Opened { url } => debug!(target: TARGET, "opened url={url}"),
        Observed::Noted(entry) => debug!(target: TARGET, "{entry}"),
        Observed::Requested { operation, url, authorized, bound } => {
            debug!(
                target: TARGET,
                "requested operation={operation} url={url} authorized={authorized} bound={bound}"
            );
        }
        Observed::Responded { operation, status, took } => {
            debug!(target: TARGET, "responded operation={operation} status={status} took={took:?}");
        }
        Observed::NonceWanted { operation } => {
            debug!(target: TARGET, "the server's nonce is wanted operation={operation}");
        }
        Observed::Finished(Ok(Outcome::Authorized(authorized))) => {
            let (source, issuer, granted) = (authorized.source, &authorized.issuer, &authorized.granted);
            debug!(target: TARGET, "authorized source={source:?} issuer={issuer} granted={granted}");
            if let Some(why) = &authorized.unsaved {
                warn!(target: TARGET, "the credential is not stored: {why}");
            }
        }
        Observed::Finished(Ok(Outcome::Anonymous)) => debug!(target: TARGET, "no grant"),
        Observed::Finished(Ok(Outcome::LoggedOut(done))) => {
            debug!(target: TARGET, "logged out complete={}", done.is_complete());
        }
        Observed::Finished(Err(failure)) => warn!(target: TARGET, "{failure}"),
    }
}
