//! The steps of an attempt, one for each wait. A step holds just what its wait needs; told what came, it turns
//! into the next one, or the attempt is over.
//!
//! ```text
//!  restore ──────────────────► done (a live record)
//!     │ │
//!     │ └─► restore, held ─► refresh ─► save ─► done
//!     │     ▲                   │ grant dead: save; client dead: forget
//!     │     └─ another record ──┤
//!     ▼                         ▼
//!  resource metadata ─► server metadata ─┬─► registration ─┬─► consent ─► exchange ─► save ─► done
//!     (each candidate)   (each issuer,   ├─► ask ──────────┤
//!                         each form)     └─────────────────┘
//!                                         (known client)
//! ```
//!
//! A step-up whose scopes are known goes from restore straight to consent. A request that is pushed ahead has `push` before
//! consent. A device has `device` in the place of consent and exchange, and what needs no person has `granting` there, after
//! `supply` and `identity` where others vouch. A logout has one step of its own.

mod answer;
mod ask;
mod client;
mod consent;
mod device;
mod exchange;
mod fetch;
mod forget;
mod granting;
mod identity;
mod learnt;
mod logins;
mod logout;
mod obtain;
mod post;
mod proving;
mod push;
mod refresh;
mod registration;
mod renewals;
mod resource_metadata;
mod restore;
mod save;
mod server_metadata;
mod supply;
mod world;
mod written;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::base::breach::Breach;
use crate::base::guard::{Endpoint, Shown};
use crate::base::scope::Scopes;
use crate::credential::{AuthorizationServer, Credential, Generation};
use crate::event::{Answer, SendFailure};
use crate::grant_type::Binding;
use crate::outcome::{LoggedOut, TokenSource};
use crate::wire::challenge::Demand;
use crate::wire::client::Client;
use crate::wire::server_metadata::Endpoints;

pub(crate) use ask::Asking;
pub(crate) use consent::{Consent, Consenting};
pub(crate) use device::{AskingForCode, Polling};
pub(crate) use exchange::Exchanging;
pub(crate) use forget::Forgetting;
pub(crate) use granting::Granting;
pub(crate) use identity::AskingIdentityProvider;
pub(crate) use logout::LoggingOut;
pub(crate) use logout::begin as log_out;
pub(crate) use push::Pushing;
pub(crate) use refresh::Refreshing;
pub(crate) use registration::Registering;
pub(crate) use resource_metadata::FindingResource;
pub(crate) use restore::{Restoring, begin};
pub(crate) use save::begin as save;
pub(crate) use save::{After, Saving, Unsaved};
pub(crate) use server_metadata::FindingServer;
pub(crate) use supply::Supplying;
pub(crate) use world::{Pending, World};
pub(crate) use written::{fits, is_bound_here};

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
    /// The person asked for this attempt.
    pub(crate) insists: bool,
    /// Why no person is to be asked just now.
    pub(crate) quiet: Option<Breach>,
    /// The credential at hand, if it is of this configuration.
    pub(crate) held: Option<Arc<Credential>>,
    /// Why the store does not have it.
    pub(crate) unsaved: Option<Box<Unsaved>>,
    /// How often others have written where this attempt was about to.
    pub(crate) overtaken: u8,
    /// A client was disowned in this attempt already.
    pub(crate) disowned: bool,
    /// The record names server and client, and nothing is looked for.
    pub(crate) by_record: bool,
}

impl Aim {
    /// Whether a grant has the scopes that are needed.
    fn is_met_by(&self, held: &Credential) -> bool {
        let challenged = self.demand.scope.as_ref().filter(|_| self.step_up);
        let has = |scopes: &Scopes| scopes.is_subset(&held.granted);
        challenged.is_none_or(has) && has(&self.wanted)
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
    pub(crate) server: Arc<AuthorizationServer>,
    pub(crate) client: Client,
    pub(crate) resource: Arc<str>,
    pub(crate) resource_metadata: Option<Arc<str>>,
    pub(crate) asked: Scopes,
    /// The key that the tokens are to be bound to.
    #[serde(default)]
    pub(crate) binding: Option<Binding>,
    /// The endpoints of the server as they have passed the guard, where this machine has read its metadata. What comes from
    /// a record or from another machine passes the guard when it is used.
    #[serde(skip)]
    pub(crate) endpoints: Option<Arc<Endpoints>>,
}

impl Terms {
    /// Where the person is sent.
    fn authorization_endpoint(
        &self,
        world: &World,
        clause: &'static str,
    ) -> Result<Cow<'_, Endpoint>, Breach> {
        match self.endpoints.as_ref().and_then(|known| known.authorization.as_ref()) {
            Some(known) => Ok(Cow::Borrowed(known)),
            None => world.judge(&self.server.authorization_endpoint, clause).map(Cow::Owned),
        }
    }

    /// Where codes and refresh tokens are sent.
    fn token_endpoint(&self, world: &World, clause: &'static str) -> Result<Endpoint, Breach> {
        match self.endpoints.as_ref().and_then(|known| known.token.as_ref()) {
            Some(known) => Ok(known.clone()),
            None => world.judge(&self.server.token_endpoint, clause),
        }
    }
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms")
            .field("server", &self.server)
            .field("client", &self.client)
            .field("resource", &Shown(&self.resource))
            .field("resource_metadata", &self.resource_metadata.as_deref().map(Shown))
            .field("asked", &self.asked)
            .finish()
    }
}

/// What a step turns into.
pub(crate) enum Turn {
    Await(Step),
    /// New tokens of a login, to be stored as soon as no renewal is under way.
    Obtained(Arc<Credential>, TokenSource),
    Granted {
        credential: Arc<Credential>,
        source: TokenSource,
        unsaved: Option<Box<Unsaved>>,
    },
    Anonymous,
    LoggedOut(Box<LoggedOut>),
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
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Restoring(Box<Restoring>),
    Refreshing(Box<Refreshing>),
    Forgetting(Box<Forgetting>),
    FindingResource(Box<FindingResource>),
    FindingServer(Box<FindingServer>),
    Registering(Box<Registering>),
    Asking(Box<Asking>),
    Pushing(Box<Pushing>),
    Consenting(Box<Consenting>),
    Exchanging(Box<Exchanging>),
    AskingForCode(Box<AskingForCode>),
    Polling(Box<Polling>),
    Supplying(Box<Supplying>),
    AskingIdentityProvider(Box<AskingIdentityProvider>),
    Granting(Box<Granting>),
    Saving(Box<Saving>),
    LoggingOut(Box<LoggingOut>),
    /// The renewal beside is to end first.
    Holding(Held),
}

/// What waits for the renewal beside.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// An attempt that has not begun.
    Aim(Box<Aim>),
    /// The tokens of a login.
    Tokens(Arc<Credential>, TokenSource),
    LogOut,
}

const LATE: &str = "no answer in time";

/// What the silence after a message means. One that nobody took has not been sent, and what it carries is as good as before.
fn silence(was_asked: bool) -> SendFailure {
    if was_asked { SendFailure::TimedOut } else { SendFailure::NotSent("nobody sent it in time".to_owned()) }
}

impl Step {
    /// The one thing that is awaited; `None` while the renewal beside is.
    pub(crate) fn pending(&self) -> Option<Pending> {
        match self {
            Self::Restoring(step) => Some(step.pending),
            Self::Refreshing(step) => Some(step.post.pending),
            Self::Forgetting(step) => Some(step.pending),
            Self::FindingResource(step) => Some(step.fetch.pending),
            Self::FindingServer(step) => Some(step.fetch.pending),
            Self::Registering(step) => Some(step.pending),
            Self::Asking(step) => Some(step.pending),
            Self::Pushing(step) => Some(step.post.pending),
            Self::Consenting(step) => Some(step.pending),
            Self::Exchanging(step) => Some(step.post.pending),
            Self::AskingForCode(step) => Some(step.post.pending),
            Self::Polling(step) => Some(step.pending()),
            Self::Supplying(step) => Some(step.pending),
            Self::AskingIdentityProvider(step) => Some(step.post.pending),
            Self::Granting(step) => Some(step.post.pending),
            Self::Saving(step) => Some(step.pending),
            Self::LoggingOut(step) => Some(step.pending()),
            Self::Holding(_) => None,
        }
    }

    /// Whether the grant in use may be renewed meanwhile: nothing of this step touches it before a person, or a
    /// document, has answered.
    pub(crate) fn leaves_the_grant_alone(&self) -> bool {
        match self {
            Self::FindingResource(_)
            | Self::FindingServer(_)
            | Self::Registering(_)
            | Self::Asking(_)
            | Self::Pushing(_)
            | Self::Consenting(_)
            | Self::AskingForCode(_)
            | Self::Polling(_) => true,
            Self::Restoring(_)
            | Self::Refreshing(_)
            | Self::Forgetting(_)
            | Self::Exchanging(_)
            | Self::Supplying(_)
            | Self::AskingIdentityProvider(_)
            | Self::Granting(_)
            | Self::Saving(_)
            | Self::LoggingOut(_)
            | Self::Holding(_) => false,
        }
    }

    /// Whether it is brought to its end even if the attempt is called off: the answer may be the only copy of a token
    /// that has taken the place of another, or it is in hand.
    pub(crate) fn is_shielded(&self) -> bool {
        match self {
            Self::Refreshing(_)
            | Self::Forgetting(_)
            | Self::Exchanging(_)
            | Self::Saving(_)
            | Self::LoggingOut(_) => true,
            Self::Holding(held) => matches!(held, Held::Tokens(..) | Held::LogOut),
            Self::Polling(step) => step.is_asking(),
            Self::Restoring(_)
            | Self::FindingResource(_)
            | Self::FindingServer(_)
            | Self::Registering(_)
            | Self::Asking(_)
            | Self::Pushing(_)
            | Self::Consenting(_)
            | Self::AskingForCode(_)
            | Self::Supplying(_)
            | Self::AskingIdentityProvider(_)
            | Self::Granting(_) => false,
        }
    }

    /// Whether a logout waits for it: also for a token that was asked for without a person, which is revoked with the rest.
    /// Who only calls off needs no such wait.
    pub(crate) fn delays_logout(&self) -> bool {
        self.is_shielded() || matches!(self, Self::Granting(step) if step.post.is_sent())
    }

    /// The answer came.
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        match self {
            Self::Restoring(step) => step.on(world, answer),
            Self::Refreshing(step) => step.on(world, answer),
            Self::Forgetting(step) => step.on(world, answer),
            Self::FindingResource(step) => step.on(world, answer),
            Self::FindingServer(step) => step.on(world, answer),
            Self::Registering(step) => step.on(world, answer),
            Self::Asking(step) => step.on(world, answer),
            Self::Pushing(step) => step.on(world, answer),
            Self::Consenting(step) => step.on(answer),
            Self::Exchanging(step) => step.on(world, answer),
            Self::AskingForCode(step) => step.on(world, answer),
            Self::Polling(step) => step.on(world, answer),
            Self::Supplying(step) => step.on(world, answer),
            Self::AskingIdentityProvider(step) => step.on(world, answer),
            Self::Granting(step) => step.on(world, answer),
            Self::Saving(step) => step.on(world, answer),
            Self::LoggingOut(step) => step.on(world, answer),
            Self::Holding(_) => Turn::Await(self),
        }
    }

    /// No answer came in time, whether or not it was asked for by then.
    pub(crate) fn expired(self, world: &mut World, was_asked: bool) -> Turn {
        match self {
            // A store that was not asked has not failed: nothing is to be done without it.
            Self::Restoring(step) if !was_asked => step.again(world),
            Self::Forgetting(step) if !was_asked => step.again(world),
            Self::Saving(step) if !was_asked => step.again(world),
            Self::Restoring(step) => step.expired(world, LATE),
            Self::Forgetting(step) => step.on(world, Answer::Forgotten(Err(LATE.to_owned()))),
            Self::Saving(step) => {
                step.on(world, Answer::Saved(crate::event::Saving::Failed(LATE.to_owned())))
            }
            Self::LoggingOut(step) => step.expired(world, was_asked),
            Self::Asking(step) => step.on(world, Answer::Told(None)),
            Self::Consenting(step) => step.expired(world),
            Self::Polling(step) => step.expired(world),
            Self::Supplying(step) => step.on(world, Answer::Supplied(Err(LATE.to_owned()))),
            other @ (Self::Refreshing(_)
            | Self::FindingResource(_)
            | Self::FindingServer(_)
            | Self::Registering(_)
            | Self::Pushing(_)
            | Self::Exchanging(_)
            | Self::AskingForCode(_)
            | Self::AskingIdentityProvider(_)
            | Self::Granting(_)) => other.on(world, Answer::SendFailed(silence(was_asked))),
            Self::Holding(_) => Turn::Await(self),
        }
    }

    /// Whoever drives the machine is gone, and whatever was under way. Tokens in hand stay in use. A record that is held is
    /// not let go: nobody knows what the server or the store has seen, and its lease ends by itself.
    pub(crate) fn abandon(self, world: &mut World) -> Turn {
        match self {
            Self::Saving(step) => step.abandon(world),
            Self::Holding(held) => match held {
                Held::Tokens(credential, source) => save::unsaved(world, credential, source),
                Held::Aim(_) | Held::LogOut => Turn::Anonymous,
            },
            Self::Refreshing(step) => {
                step.abandon(world);
                Turn::Anonymous
            }
            Self::Restoring(_)
            | Self::Forgetting(_)
            | Self::LoggingOut(_)
            | Self::FindingResource(_)
            | Self::FindingServer(_)
            | Self::Registering(_)
            | Self::Asking(_)
            | Self::Pushing(_)
            | Self::Consenting(_)
            | Self::Exchanging(_)
            | Self::AskingForCode(_)
            | Self::Polling(_)
            | Self::Supplying(_)
            | Self::AskingIdentityProvider(_)
            | Self::Granting(_) => Turn::Anonymous,
        }
    }
}
