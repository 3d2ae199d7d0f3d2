//! What the machine asks of the world.
//!
//! An action that wants an answer knows how to make the event that answers it: `load.reply(…)`, `send.fail(…)`.
//! Each such action is answered once; an answer that comes twice, or too late, is ignored.

mod key;
mod person;
mod send;
mod store;

use crate::base::time::Timestamp;
use crate::event::RequestId;
use crate::failure::Failure;
use crate::outcome::Outcome;

pub use key::{AssertionKind, Sign, SigningKey, Supply};
pub use person::{Ask, Open, Show};
pub use send::{Purpose, Send};
pub use store::{Forget, Load, Release, Save};

/// What to do next. Exhaustive on purpose: a driver that did not know an action would stall a login.
#[derive(Clone, Debug)]
pub enum Action {
    /// Read a credential from the store.
    Load(Load),
    /// Write a credential to the store.
    Store(Save),
    /// Delete a credential from the store.
    Forget(Forget),
    /// Let go of the record that an exclusive [`Load`] took. Wants no answer.
    Release(Release),
    /// Send an HTTP request.
    Send(Send),
    /// Open a URL in the person's browser. The answer comes from there, as [`Event::Called`](crate::Event::Called);
    /// only what keeps it from coming is said with [`Open::fail`].
    Open(Open),
    /// Show the person a code, and where to enter it.
    Show(Show),
    /// Ask the person for a client identifier.
    Ask(Ask),
    /// Sign something with a key that is not here.
    Sign(Sign),
    /// Supply an assertion about the person or the workload.
    Supply(Supply),
    /// Nothing to do before the given time, or before something happens if there is none. Whatever happens first
    /// is handed in; when the time comes, [`Event::Tick`](crate::Event::Tick).
    Wait(Option<Timestamp>),
    /// A renewal beside a login that waits for a person is over; the login goes on. Whoever waits for a token can
    /// look again. Wants no answer.
    Renewed(Result<Outcome, Box<Failure>>),
    /// The attempt is over. Exactly one comes for each attempt.
    Finish(Result<Outcome, Box<Failure>>),
}

impl Action {
    /// The request that this action makes, if it wants an answer.
    pub(crate) fn id(&self) -> Option<RequestId> {
        match self {
            Self::Load(it) => Some(it.id),
            Self::Store(it) => Some(it.id),
            Self::Forget(it) => Some(it.id),
            Self::Send(it) => Some(it.id),
            Self::Open(it) => Some(it.id),
            Self::Show(it) => Some(it.id),
            Self::Ask(it) => Some(it.id),
            Self::Sign(it) => Some(it.id),
            Self::Supply(it) => Some(it.id),
            Self::Release(_) | Self::Wait(_) | Self::Renewed(_) | Self::Finish(_) => None,
        }
    }
}
