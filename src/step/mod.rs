//! The steps of an attempt, one for each wait. A step holds just what its wait needs; told what came, it turns
//! into the next one, or the attempt is over.
//!
//! ```text
//!  restore ──────────────► done (a live record)
//!     │ │
//!     │ └─► refresh ─────► save ─► done
//!     │        │ grant dead
//!     ▼        ▼
//!  resource metadata ─► server metadata ─┬─► registration ─┬─► consent ─► exchange ─► save ─► done
//!     (each candidate)   (each issuer,   ├─► ask ──────────┤
//!                         each form)     └─────────────────┘
//!                                         (known client)
//! ```
//!
//! A step-up whose scopes are known goes from restore straight to consent.

mod ask;
mod client;
mod consent;
mod exchange;
mod fetch;
mod refresh;
mod registration;
mod resource_metadata;
mod restore;
mod save;
mod server_metadata;
mod world;

use std::fmt;

use crate::base::breach::Breach;
use crate::base::guard::Shown;
use crate::base::scope::Scopes;
use crate::credential::{AuthorizationServer, Credential, Generation};
use crate::event::{Answer, Response, SendFailure};
use crate::outcome::TokenSource;
use crate::wire::callback::Callback;
use crate::wire::challenge::Demand;
use crate::wire::client::Client;

pub(crate) use ask::Asking;
pub(crate) use consent::{Consent, Consenting};
pub(crate) use exchange::Exchanging;
pub(crate) use refresh::Refreshing;
pub(crate) use registration::Registering;
pub(crate) use resource_metadata::FindingResource;
pub(crate) use restore::{Restoring, begin};
pub(crate) use save::Saving;
pub(crate) use server_metadata::FindingServer;
pub(crate) use world::{Pending, World};

/// What an attempt is for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aim {
    /// What the refusal asked for.
    pub(crate) demand: Demand,
    /// What the caller wants besides.
    pub(crate) wanted: Scopes,
    /// Whether a person may be asked.
    pub(crate) interactive: bool,
    /// More scope is needed than the present grant has, so renewing it cannot help.
    pub(crate) step_up: bool,
    /// The present grant was renewed already, and refused all the same.
    pub(crate) renewed: bool,
    /// The token that the resource refused.
    pub(crate) refused: Option<Generation>,
    /// The store was read once more, after a refresh token had been refused.
    pub(crate) reread: bool,
    /// Why no person is to be asked just now.
    pub(crate) quiet: Option<Breach>,
    /// The credential at hand, if it is of this configuration.
    pub(crate) held: Option<Box<Credential>>,
    /// The generation of the record in the store, whoever wrote it.
    pub(crate) replaces: Option<Generation>,
}

impl Aim {
    /// The generation of the grant that this attempt makes: above every one that is known.
    fn next_generation(&self) -> Generation {
        let held = self.held.as_ref().map(|held| held.generation);
        held.max(self.replaces).max(self.refused).unwrap_or_default().next()
    }

    /// What was asked for before from the authorization server named so.
    fn asked_of(&self, named: &str) -> Option<&Scopes> {
        let held = self.held.as_ref().filter(|held| held.authorization_server.named == named);
        held.map(|held| &held.asked)
    }
}

/// With whom, for what, and as whom a grant is made.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Terms {
    pub(crate) server: AuthorizationServer,
    pub(crate) client: Client,
    pub(crate) resource: String,
    pub(crate) resource_metadata: Option<String>,
    pub(crate) asked: Scopes,
    pub(crate) replaces: Option<Generation>,
    pub(crate) generation: Generation,
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms")
            .field("server", &self.server)
            .field("client", &self.client)
            .field("resource", &Shown(&self.resource))
            .field("resource_metadata", &self.resource_metadata)
            .field("asked", &self.asked)
            .field("replaces", &self.replaces)
            .field("generation", &self.generation)
            .finish()
    }
}

/// What a step turns into.
pub(crate) enum Turn {
    Await(Step),
    Granted { credential: Box<Credential>, source: TokenSource, unsaved: Option<String> },
    Anonymous,
    Failed(Breach),
}

impl From<Breach> for Turn {
    fn from(breach: Breach) -> Self {
        Self::Failed(breach)
    }
}

impl From<Result<Self, Breach>> for Turn {
    fn from(result: Result<Self, Breach>) -> Self {
        result.unwrap_or_else(Self::Failed)
    }
}

/// What is awaited.
#[derive(Debug)]
pub(crate) enum Step {
    Restoring(Box<Restoring>),
    Refreshing(Box<Refreshing>),
    FindingResource(Box<FindingResource>),
    FindingServer(Box<FindingServer>),
    Registering(Box<Registering>),
    Asking(Box<Asking>),
    Consenting(Box<Consenting>),
    Exchanging(Box<Exchanging>),
    Saving(Box<Saving>),
}

impl Step {
    /// The one thing that is awaited.
    pub(crate) fn pending(&self) -> Pending {
        match self {
            Self::Restoring(step) => step.pending,
            Self::Refreshing(step) => step.pending,
            Self::FindingResource(step) => step.fetch.pending,
            Self::FindingServer(step) => step.fetch.pending,
            Self::Registering(step) => step.pending,
            Self::Asking(step) => step.pending,
            Self::Consenting(step) => step.pending,
            Self::Exchanging(step) => step.pending,
            Self::Saving(step) => step.pending,
        }
    }

    /// The answer came.
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        match self {
            Self::Restoring(step) => step.on(world, answer),
            Self::Refreshing(step) => step.on(world, answer),
            Self::FindingResource(step) => step.on(world, answer),
            Self::FindingServer(step) => step.on(world, answer),
            Self::Registering(step) => step.on(world, answer),
            Self::Asking(step) => step.on(world, answer),
            Self::Consenting(step) => step.on(answer),
            Self::Exchanging(step) => step.on(world, answer),
            Self::Saving(step) => step.on(world, answer),
        }
    }

    /// An authorization response came.
    pub(crate) fn called(self, world: &mut World, callback: &Callback) -> Turn {
        match self {
            Self::Consenting(step) => step.called(world, callback),
            other @ (Self::Restoring(_)
            | Self::Refreshing(_)
            | Self::FindingResource(_)
            | Self::FindingServer(_)
            | Self::Registering(_)
            | Self::Asking(_)
            | Self::Exchanging(_)
            | Self::Saving(_)) => Turn::Await(other),
        }
    }

    /// No answer came in time.
    pub(crate) fn expired(self, world: &mut World) -> Turn {
        const LATE: &str = "no answer in time";
        match self {
            Self::Restoring(step) => step.on(world, Answer::LoadFailed(LATE.to_owned())),
            Self::Saving(step) => {
                step.on(world, Answer::Saved(crate::event::Saving::Failed(LATE.to_owned())))
            }
            Self::Asking(step) => step.on(world, Answer::Told(None)),
            Self::Consenting(step) => step.expired(world),
            other @ (Self::Refreshing(_)
            | Self::FindingResource(_)
            | Self::FindingServer(_)
            | Self::Registering(_)
            | Self::Exchanging(_)) => other.on(world, Answer::SendFailed(SendFailure::TimedOut)),
        }
    }
}

impl Answer {
    /// The response to a request that was sent. An answer to something else counts as none.
    fn response(self) -> Result<Box<Response>, SendFailure> {
        match self {
            Self::Response(response) => Ok(response),
            Self::SendFailed(failure) => Err(failure),
            Self::Found(_) | Self::LoadFailed(_) | Self::Saved(_) | Self::Told(_) | Self::Unasked(_) => {
                Err(SendFailure::NotSent("another kind of answer".to_owned()))
            }
        }
    }
}
