//! The machine: events in, actions out.

mod attempt;
mod beside;
mod carry;
mod challenged;
mod outside;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use url::Url;

use crate::action::Action;
use crate::base::breach::{Breach, Kind};
use crate::base::guard::{same_origin, without_query};
use crate::base::scope::Scopes;
use crate::base::seed::Seed;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::credential::Generation;
use crate::event::{Answer, Event, Reply, RequestId};
use crate::grant::Grant;
use crate::outcome::{Access, Authorization, Authorized, TokenSource};
use crate::step::{Aim, Consenting, Step, Turn, World};
use crate::step_ups::StepUps;
use crate::trail::Trail;
use crate::wire::dpop::Nonce;
use crate::wire::jws::SigningInput;
use beside::Beside;

/// The client side of MCP authorization for one MCP server: a value that consumes [`Event`]s and emits
/// [`Action`]s.
///
/// Its methods are of five kinds.
///
/// - *Handing in*: [`handle`](Self::handle). Never fails, whatever the event.
/// - *Proving*: [`prove`](Self::prove), for each request with a token that is bound to a key.
/// - *Polling*: [`poll`](Self::poll). To be called again after every `handle`, until it gives [`Action::Wait`].
/// - *Asking*: [`access`](Self::access), [`trail`](Self::trail), [`is_running`](Self::is_running). They change
///   nothing; what they say may change with every `handle`, and with time.
/// - *Carrying over*: [`snapshot`](Self::snapshot), [`resume`](Self::resume).
///
/// An attempt begins with [`Event::Restore`], [`Event::LogIn`], [`Event::Challenged`] or [`Event::LogOut`] and ends with
/// one [`Action::Finish`]. There is one attempt at a time: what arrives while it runs joins it, and its one outcome is
/// for all that wait. While it waits for a person, the grant in use serves on, and may be renewed beside it; such a
/// renewal ends with [`Action::Renewed`]. The value may be dropped at any moment.
///
/// A clone is the same machine with the same seed, numbers and tokens: to look ahead with, or to come back to. Only one of
/// the two may be driven on in the world.
#[derive(Clone)]
pub struct Authorizer {
    world: World,
    /// What the attempt that runs waits for.
    step: Option<Step>,
    /// The renewal of the grant in use, beside an attempt that waits for a person or has ended since.
    renewal: Option<Beside>,
    /// The attempt is called off; what may not be broken off is brought to its end.
    called_off: bool,
    /// The attempt becomes a logout as soon as it can.
    logging_out: bool,
    /// The grant in use.
    grant: Option<Grant>,
    /// Whether the store has been read since this value was made.
    restored: bool,
    /// The last token that the resource refused.
    refused: Option<Generation>,
    step_ups: StepUps,
    /// A token that came from a login was refused as soon as it was there, and led to the present login.
    hasty: bool,
    /// A failure that a person saw, and until when it stands: no further person is asked before.
    quiet: Option<Box<(Timestamp, Breach)>>,
}

impl Authorizer {
    /// Makes a machine. The configuration is judged here, and the seed must serve this machine alone.
    pub fn new(config: Config, seed: Seed) -> Result<Self, Breach> {
        Ok(Self {
            world: World::new(config, seed)?,
            step: None,
            renewal: None,
            called_off: false,
            logging_out: false,
            grant: None,
            restored: false,
            refused: None,
            step_ups: StepUps::default(),
            hasty: false,
            quiet: None,
        })
    }

    /// Tells the machine what happened, and when. Time never runs backwards here: an earlier `now` counts as the
    /// latest that was told.
    pub fn handle(&mut self, now: Timestamp, event: Event) {
        self.world.now = self.world.now.max(now);
        if !matches!(event, Event::Replied(_) | Event::Abandoned) {
            // An answer that is in hand counts, however late, and what is abandoned is not taken up once more. Nothing
            // else can keep a wait alive.
            self.expire();
        }
        match event {
            Event::Restore => self.restore(),
            Event::LogIn { scopes } => self.log_in(scopes),
            Event::Challenged(challenge) => self.challenged(challenge),
            Event::Called(callback) => self.consenting(|step, world| step.called(world, &callback)),
            Event::Replied(Reply { id, answer }) => self.replied(id, answer),
            Event::Tick => {}
            Event::Cancelled => self.cancel(),
            Event::Abandoned => self.abandon(),
            Event::ClientDisowned => self.disowned(),
            Event::Nonce(nonce) => self.keep_nonce(nonce),
            Event::LogOut => self.log_out(),
        }
        self.expire();
    }

    /// What to do next. Once it gives [`Action::Wait`], it gives the same until something is handed in.
    pub fn poll(&mut self) -> Action {
        let action = self.world.out.pop_front();
        if self.step.is_none() && self.world.out.is_empty() {
            // There are many sessions, and most of them are idle.
            self.world.out = VecDeque::new();
        }
        action.unwrap_or_else(|| {
            let steps = [self.step.as_ref(), self.renewal.as_ref().map(|it| &it.step)];
            let pending = steps.into_iter().flatten().filter_map(Step::pending);
            Action::Wait(pending.map(|pending| pending.deadline).min())
        })
    }

    /// What a request to `url` may carry at `now`. Neither I/O nor lock nor allocation.
    ///
    /// A token goes to its resource only: same origin, a path that is the resource's or below it, and the resource's
    /// query, if it has one.
    pub fn access(&self, url: &Url, now: Timestamp) -> Access<'_> {
        let near = match &self.grant {
            Some(grant) => grant.is_for(url, &self.world.place.server),
            None => same_origin(self.world.place.server.url(), url),
        };
        if !near || names_user(url) {
            return Access::Refused;
        }
        match &self.grant {
            Some(grant) if self.serves(grant, now) => {
                let bound = grant.credential.binding.is_some();
                Access::Ready(Authorization { value: &grant.value, generation: grant.generation(), bound })
            }
            Some(_) => Access::Wait,
            None if self.step.is_some() || !self.restored => Access::Wait,
            None => Access::Anonymous,
        }
    }

    /// What is to be signed for one request with the present token, if it is bound to a key (RFC 9449 §7): the whole
    /// JWS, once signed with the key of [`Config::proof_key`], is the value of its `DPoP` field. Each request needs
    /// one of its own. `None`: the token is a Bearer token, or may not go to `url`.
    ///
    /// # Errors
    ///
    /// [`Kind::Configuration`]: the key is not the one that the token is bound to.
    pub fn prove(&mut self, now: Timestamp, method: &str, url: &Url) -> Result<Option<SigningInput>, Breach> {
        self.world.now = self.world.now.max(now);
        let server = &self.world.place.server;
        let may_go = |grant: &&Grant| grant.is_for(url, server) && !names_user(url);
        let Some(grant) = self.grant.as_ref().filter(may_go) else { return Ok(None) };
        let Some(binding) = &grant.credential.binding else { return Ok(None) };
        self.world.proof(binding, method, url, Some(&grant.credential.access_token)).map(Some)
    }

    /// What the attempt that runs, or else the last one, did so far.
    pub fn trail(&self) -> &Trail {
        &self.world.trail
    }

    /// Whether an attempt is under way.
    pub fn is_running(&self) -> bool {
        self.step.is_some()
    }

    /// Whether an answer from the person's browser is awaited. Before and after, nothing that reaches the redirect URI is
    /// of interest.
    pub fn is_consenting(&self) -> bool {
        matches!(self.step, Some(Step::Consenting(_)))
    }

    /// Whether the grant in use is being renewed beside an attempt.
    pub fn is_renewing(&self) -> bool {
        self.renewal.is_some()
    }

    /// The grant in use, if there is one.
    pub fn authorized(&self) -> Option<Authorized> {
        self.grant.as_ref().map(|grant| authorized(grant, grant.source))
    }

    fn serves(&self, grant: &Grant, now: Timestamp) -> bool {
        let now = now.max(self.world.now);
        if self.refused == Some(grant.generation()) || grant.is_to_be_offered(now) {
            return false;
        }
        let margin = self.world.config.policies().expiry_margin;
        let credential = &grant.credential;
        // Near its end a token is renewed; where that is not possible, or not now, it serves to its end.
        credential.is_live(now, margin)
            || (credential.is_unexpired(now) && !self.world.may_renew(credential, now))
    }

    /// A nonce of the resource is for the resource alone.
    fn keep_nonce(&mut self, nonce: Nonce) {
        if let Some(grant) = &self.grant {
            let place = Arc::clone(&self.world.place);
            self.world.keep_nonce_of_resource(grant.resource(&place.server), nonce);
        }
    }

    fn restore(&mut self) {
        match &self.step {
            None => self.begin(Aim::default()),
            Some(_) => self.renew_beside(),
        }
    }

    fn log_in(&mut self, scopes: Scopes) {
        if self.step.is_none() {
            self.quiet = None;
            // The person wants to; what was in vain before may not be any more.
            self.step_ups.forgive();
            self.world.logins.forgive();
            self.hasty = false;
            self.world.renewals.insist();
            self.begin(Aim { wanted: scopes, interactive: true, insists: true, ..Aim::default() });
        }
    }

    fn replied(&mut self, id: RequestId, answer: Answer) {
        let is_own = |step: &Step| step.pending().is_some_and(|pending| pending.id == id);
        if let Answer::Busy = answer {
            self.world.not_leased(id);
        }
        if let Some(step) = self.step.take_if(|step| is_own(step)) {
            let turn = step.on(&mut self.world, answer);
            self.turn(turn);
        } else if self.renewal.as_ref().is_some_and(|it| is_own(&it.step)) {
            self.beside(|world, step| step.map_or(Turn::Anonymous, |step| step.on(world, answer)));
        } else if let Answer::Leased(_) = answer {
            // Nobody waits for it any more, and nobody else may have it meanwhile.
            let lease = self.world.leased(id);
            self.world.release(lease);
        }
    }

    fn consenting(&mut self, told: impl FnOnce(Box<Consenting>, &mut World) -> Turn) {
        match self.step.take() {
            Some(Step::Consenting(step)) => {
                let turn = told(step, &mut self.world);
                self.turn(turn);
            }
            other => self.step = other,
        }
    }

    fn expire(&mut self) {
        let now = self.world.now;
        // A code that has ended is of use to nobody.
        if !self.world.out.is_empty() {
            self.world.retract(|action| matches!(action, Action::Show(show) if show.until() <= now));
        }
        let is_late = |step: &Step| step.pending().is_some_and(|pending| pending.deadline <= now);
        let steps = self.step.iter().chain(self.renewal.as_ref().map(|it| &it.step));
        let late: Vec<_> =
            steps.filter(|step| is_late(step)).filter_map(Step::pending).map(|it| it.id).collect();
        if late.is_empty() {
            return;
        }
        // What nobody has polled in time need not be done any more; but a code is shown for longer than the first wait.
        let in_vain = |action: &Action| action.id().is_some_and(|id| late.contains(&id));
        let unasked = self.world.retract(|action| !matches!(action, Action::Show(_)) && in_vain(action));
        let expired = |step: Step, world: &mut World| {
            let was_asked = step.pending().is_none_or(|it| !unasked.contains(&it.id));
            step.expired(world, was_asked)
        };
        if self.renewal.as_ref().is_some_and(|it| is_late(&it.step)) {
            self.beside(|world, step| step.map_or(Turn::Anonymous, |step| expired(step, world)));
        }
        if let Some(step) = self.step.take_if(|step| is_late(step)) {
            let turn = expired(step, &mut self.world);
            self.turn(turn);
        }
    }
}

/// Whether a URL carries user info, with which no request with a token goes out.
fn names_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn authorized(grant: &Grant, source: TokenSource) -> Authorized {
    let unsaved = grant.unsaved.as_ref().map(|unsaved| unsaved.why.clone());
    Authorized::of(&grant.credential, source, unsaved)
}

fn called_off(got: &str) -> Breach {
    Breach::new(Kind::Cancelled, "mcp-auth, events", "an attempt that is driven to its end", got)
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorizer")
            .field("server", &without_query(self.world.config.server_url()))
            .field("now", &self.world.now)
            .field("step", &self.step)
            .field("generation", &self.grant.as_ref().map(|grant| grant.generation()))
            .finish_non_exhaustive()
    }
}
