//! Watching a client at work.

use std::time::Duration;

use mcp_auth::{Action, Entry, Event, Failure, Outcome, Purpose, Timestamp};

/// Something that a client did or saw, for showing. No secret is in it; URLs are without their queries.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Observed<'a> {
    /// An authorization exchange goes out.
    Sent {
        /// What it is for.
        purpose: Purpose,
        /// The method.
        method: &'a str,
        /// Where to.
        url: &'a str,
    },
    /// An authorization exchange is over.
    Answered {
        /// What it was for.
        purpose: Purpose,
        /// The status, if an answer came.
        status: Option<u16>,
        /// How long it took.
        took: Duration,
    },
    /// An authorization request was put before the person.
    Opened {
        /// Where the person is sent.
        url: &'a str,
    },
    /// A new line of the trail.
    Noted(&'a Entry),
    /// The caller's own request goes out.
    Requested {
        /// The caller's name for it.
        operation: &'a str,
        /// Where to.
        url: &'a str,
        /// Whether it carries a token.
        authorized: bool,
    },
    /// The caller's own request was answered.
    Responded {
        /// The caller's name for it.
        operation: &'a str,
        /// The status.
        status: u16,
        /// How long it took.
        took: Duration,
    },
    /// An attempt is over.
    Finished(&'a Result<Outcome, Box<Failure>>),
}

/// Sees every event and every action of the machine, in order and before the machine or the world acts on it: for
/// recorders, and for [`mcp_auth::watch::Watch`]. It is called with the machine locked and must be quick.
pub trait Tap: Send + 'static {
    /// The machine is about to be told this.
    fn event(&mut self, now: Timestamp, event: &Event);
    /// The machine asks for this.
    fn action(&mut self, action: &Action);
}

impl Tap for mcp_auth::watch::Watch {
    fn event(&mut self, now: Timestamp, event: &Event) {
        Self::event(self, now, event);
    }

    fn action(&mut self, action: &Action) {
        Self::action(self, action);
    }
}
