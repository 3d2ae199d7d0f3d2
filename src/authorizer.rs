//! The machine: events in, actions out.

use std::fmt;

use url::Url;

use crate::action::Action;
use crate::base::breach::{Breach, Kind};
use crate::base::guard::{same_origin, without_query};
use crate::base::scope::Scopes;
use crate::base::seed::Seed;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::credential::{Credential, Generation};
use crate::event::{Challenge, Event, Reply};
use crate::failure::Failure;
use crate::grant::Grant;
use crate::outcome::{Access, Authorization, Authorized, Outcome, TokenSource};
use crate::snapshot::{self, Snapshot};
use crate::step::{self, Aim, Consenting, Step, Turn, World};
use crate::step_ups::StepUps;
use crate::trail::{Trail, Verdict};
use crate::wire::challenge::Demand;

/// How often one request may be refused with 401 and still lead to another attempt: renewed, logged in, and once more
/// for a token that another process replaced meanwhile.
const MAX_RETRIES: u8 = 2;

/// The client side of MCP authorization for one MCP server: a value that consumes [`Event`]s and emits
/// [`Action`]s.
///
/// Its methods are of four kinds.
///
/// - *Handing in*: [`handle`](Self::handle). Never fails, whatever the event.
/// - *Polling*: [`poll`](Self::poll). To be called again after every `handle`, until it gives [`Action::Wait`].
/// - *Asking*: [`access`](Self::access), [`trail`](Self::trail), [`is_running`](Self::is_running). They change
///   nothing; what they say may change with every `handle`, and with time.
/// - *Carrying over*: [`snapshot`](Self::snapshot), [`resume`](Self::resume).
///
/// An attempt begins with [`Event::Restore`], [`Event::LogIn`] or [`Event::Challenged`] and ends with one
/// [`Action::Finish`]. There is one attempt at a time: what arrives while it runs joins it, and its one outcome is
/// for all that wait. The value may be dropped at any moment.
pub struct Authorizer {
    world: World,
    /// What the attempt that runs waits for.
    step: Option<Step>,
    /// The grant in use.
    grant: Option<Grant>,
    /// Whether the store has been read since this value was made.
    restored: bool,
    /// The last token that the resource refused.
    refused: Option<Generation>,
    step_ups: StepUps,
    /// A failure that a person saw, and until when it stands: no further person is asked before.
    quiet: Option<(Timestamp, Breach)>,
}

impl Authorizer {
    /// Makes a machine. The configuration is judged here, and the seed must serve this machine alone.
    pub fn new(config: Config, seed: Seed) -> Result<Self, Breach> {
        Ok(Self {
            world: World::new(config, seed)?,
            step: None,
            grant: None,
            restored: false,
            refused: None,
            step_ups: StepUps::default(),
            quiet: None,
        })
    }

    /// A machine that waits for the callback of a login that another one began. The configuration must be the
    /// same; the seed must be a new one.
    pub fn resume(config: Config, seed: Seed, snapshot: Snapshot) -> Result<Self, Breach> {
        let mut machine = Self::new(config, seed)?;
        let Snapshot { version, server, redirect_uri, taken_at, deadline, consent } = snapshot;
        if version != snapshot::VERSION {
            let expected = format!("a snapshot of version {}", snapshot::VERSION);
            return Err(Breach::new(
                Kind::Configuration,
                "mcp-auth, snapshot",
                expected,
                version.to_string(),
            ));
        }
        let own = (machine.world.config.server_url(), machine.world.config.redirect_url());
        if own != (server.as_str(), redirect_uri.as_str()) {
            let (server, own_server) = (without_query(&server), without_query(own.0));
            let expected = format!("the configuration of a login to {server} with answers at {redirect_uri}");
            let got = format!("one for {own_server} with answers at {}", own.1);
            return Err(Breach::new(Kind::Configuration, "RFC 6749 §4.1.3", expected, got));
        }
        machine.world.now = taken_at;
        machine.world.seen = true;
        machine.step = Some(Consenting::resume(consent, deadline));
        Ok(machine)
    }

    /// Tells the machine what happened, and when. Time never runs backwards here: an earlier `now` counts as the
    /// latest that was told.
    pub fn handle(&mut self, now: Timestamp, event: Event) {
        self.world.now = self.world.now.max(now);
        match event {
            Event::Restore => self.restore(),
            Event::LogIn { scopes } => self.log_in(scopes),
            Event::Challenged(challenge) => self.challenged(challenge),
            Event::Called(callback) => {
                if let Some(step) = self.step.take() {
                    let turn = step.called(&mut self.world, &callback);
                    self.turn(turn);
                }
            }
            Event::Replied(Reply { id, answer }) => {
                if let Some(step) = self.step.take_if(|step| step.pending().id == id) {
                    let turn = step.on(&mut self.world, answer);
                    self.turn(turn);
                }
            }
            Event::Tick => {}
            Event::Cancelled => {
                if self.step.take().is_some() {
                    self.fail(called_off("a cancellation"));
                }
            }
            Event::Abandoned => {
                if self.step.take().is_some() {
                    self.finish_failed(called_off("nobody who drives it"));
                }
            }
        }
        if let Some(step) = self.step.take_if(|step| step.pending().deadline <= self.world.now) {
            let turn = step.expired(&mut self.world);
            self.turn(turn);
        }
    }

    /// What to do next. Once it gives [`Action::Wait`], it gives the same until something is handed in.
    pub fn poll(&mut self) -> Action {
        let waiting = || Action::Wait(self.step.as_ref().map(|step| step.pending().deadline));
        self.world.out.pop_front().unwrap_or_else(waiting)
    }

    /// What a request to `url` may carry at `now`. Neither I/O nor lock nor allocation.
    ///
    /// A token goes to its resource only: same origin, a path that is the resource's or below it, and the resource's
    /// query, if it has one.
    pub fn access(&self, url: &Url, now: Timestamp) -> Access<'_> {
        let near = match &self.grant {
            Some(grant) => grant.is_for(url),
            None => same_origin(self.world.server.url(), url),
        };
        if !near || !url.username().is_empty() || url.password().is_some() {
            return Access::Refused;
        }
        match &self.grant {
            Some(grant) if self.serves(grant, now) => {
                Access::Ready(Authorization { value: &grant.value, generation: grant.generation() })
            }
            Some(_) => Access::Wait,
            None if self.step.is_some() || !self.restored => Access::Wait,
            None => Access::Anonymous,
        }
    }

    /// What the attempt that runs, or else the last one, did so far.
    pub fn trail(&self) -> &Trail {
        &self.world.trail
    }

    /// Whether an attempt is under way.
    pub fn is_running(&self) -> bool {
        self.step.is_some()
    }

    /// The grant in use, if there is one.
    pub fn authorized(&self) -> Option<Authorized> {
        self.grant.as_ref().map(|grant| Authorized::of(&grant.credential, grant.source, None))
    }

    /// What another machine needs to take up a login that waits for its callback; `None` at any other time. It
    /// holds secrets. Only one of the two may go on: drop this one, or hand it [`Event::Cancelled`].
    pub fn snapshot(&self) -> Option<Snapshot> {
        let Some(Step::Consenting(step)) = &self.step else { return None };
        Some(Snapshot {
            version: snapshot::VERSION,
            server: self.world.config.server_url().to_owned(),
            redirect_uri: self.world.config.redirect_url().to_owned(),
            taken_at: self.world.now,
            deadline: step.pending.deadline,
            consent: step.consent().clone(),
        })
    }

    fn serves(&self, grant: &Grant, now: Timestamp) -> bool {
        let margin = self.world.config.policies().expiry_margin;
        self.refused != Some(grant.generation()) && grant.credential.is_live(now.max(self.world.now), margin)
    }

    fn restore(&mut self) {
        if self.step.is_none() {
            self.begin(Aim::default());
        }
    }

    fn log_in(&mut self, scopes: Scopes) {
        if self.step.is_none() {
            self.quiet = None;
            // The person wants to; what was in vain before may not be any more.
            self.step_ups.forgive();
            self.begin(Aim { wanted: scopes, interactive: true, ..Aim::default() });
        }
    }

    fn challenged(&mut self, challenge: Challenge) {
        if self.step.is_some() {
            let note = "a refused request waits for this attempt";
            self.world.note(Verdict::Decided, note, "RFC 6750 §3");
            return;
        }
        let worn_out = !challenge.step_up && challenge.retries > MAX_RETRIES;
        if let Some(grant) = self.grant.as_ref().filter(|_| !worn_out) {
            let current = grant.generation();
            if challenge.refused != Some(current) && self.serves(grant, self.world.now) {
                // The request was sent before this grant was there; it can simply be sent again.
                self.world.trail = Trail::default();
                let outcome = Authorized::of(&grant.credential, TokenSource::Kept, None);
                self.finish(Ok(Outcome::Authorized(Box::new(outcome))));
                return;
            }
        }
        self.world.trail = Trail::default();
        self.world.seen = false;
        if challenge.demand.dpop && !challenge.demand.bearer {
            // A Bearer token instead of a bound one would be a weaker one than the server wants.
            let expected = "a challenge that offers Bearer";
            self.fail(Breach::new(Kind::Unsupported, "RFC 9449 §7.1", expected, "DPoP alone"));
            return;
        }
        if challenge.step_up { self.step_up(challenge) } else { self.unauthorized(challenge) }
    }

    /// 401. A token that was issued by a login for this very request, and is refused all the same, is the end.
    fn unauthorized(&mut self, challenge: Challenge) {
        // A refusal may be late; what a newer one said stands.
        self.refused = self.refused.max(challenge.refused);
        let refused = self.grant.as_ref().filter(|grant| Some(grant.generation()) == challenge.refused);
        let source = refused.map(|grant| grant.source).filter(|_| challenge.retries > 0);
        if source == Some(TokenSource::LoggedIn) || challenge.retries > MAX_RETRIES {
            let error = challenge.demand.error.as_deref().unwrap_or("no error code");
            let got = format!("status 401 ({error}) for a new token");
            let breach = Breach::new(Kind::TokenRejected, "RFC 6750 §3.1", "the token to be accepted", got);
            self.world.seen = true;
            self.fail(breach);
            return;
        }
        self.begin(Aim {
            demand: challenge.demand,
            interactive: true,
            renewed: source == Some(TokenSource::Refreshed),
            ..Aim::default()
        });
    }

    /// 403 with `insufficient_scope`. Asking a person again for what was granted already, or time and again for
    /// one operation, is no way to get it.
    fn step_up(&mut self, challenge: Challenge) {
        let grant = self.grant.as_ref().map(|grant| &grant.credential);
        let granted = grant.map(|credential| credential.granted.clone());
        let current = grant.is_some_and(|credential| challenge.refused == Some(credential.generation));
        let challenged = challenge.demand.scope.as_ref().filter(|scope| !scope.is_empty());
        let in_vain = challenged
            .zip(granted.as_ref())
            .is_some_and(|(challenged, granted)| current && challenged.is_subset(granted));
        let limit = self.world.config.policies().step_ups;
        if in_vain || self.step_ups.begin(&challenge.operation, challenged) > limit {
            let wanted = challenged.map_or("no scope that it names".to_owned(), Scopes::to_string);
            let has = granted.as_ref().map_or("none".to_owned(), Scopes::to_string);
            let expected = format!("the granted scopes ({has}) to suffice after at most {limit} step-ups");
            let got = format!("a demand for {wanted}");
            let breach = Breach::new(
                Kind::InsufficientScope,
                "MCP 2026-07-28, step-up authorization flow",
                expected,
                got,
            );
            self.finish_failed(breach);
            return;
        }
        let refused = challenge.refused;
        self.begin_refused(
            Aim { demand: challenge.demand, interactive: true, step_up: true, ..Aim::default() },
            refused,
        );
    }

    fn begin(&mut self, aim: Aim) {
        let refused = self.refused;
        self.begin_refused(aim, refused);
    }

    fn begin_refused(&mut self, aim: Aim, refused: Option<Generation>) {
        self.world.trail = Trail::default();
        self.world.seen = false;
        self.note_demand(&aim);
        let held = self.grant.as_ref().map(|grant| grant.credential.clone());
        let standing = self.quiet.as_ref().filter(|(until, _)| self.world.now < *until);
        let quiet = standing.map(|(_, breach)| breach.clone());
        let turn = step::begin(&mut self.world, Aim { refused, held, quiet, ..aim });
        self.turn(turn);
    }

    /// What the refusal said begins the trail of what it led to.
    fn note_demand(&mut self, aim: &Aim) {
        let demand = &aim.demand;
        if *demand == Demand::default() {
            return;
        }
        let error = demand.error.as_deref().unwrap_or("no token");
        let scope = demand.scope.as_ref().map_or(String::new(), |scope| format!(", scope {scope}"));
        let place = if demand.resource_metadata.is_empty() { "" } else { ", and where its metadata is" };
        let note = format!("the server's challenge: {error}{scope}{place}");
        let clause = if aim.step_up { "RFC 6750 §3.1" } else { "RFC 9728 §5.1" };
        self.world.note(Verdict::Taken, note, clause);
    }

    fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Await(step) => self.step = Some(step),
            Turn::Granted { credential, source, unsaved } => self.granted(credential, source, unsaved),
            Turn::Anonymous => {
                self.restored = true;
                self.grant = None;
                self.finish(Ok(Outcome::Anonymous));
            }
            Turn::Failed(breach) => self.fail(breach),
        }
    }

    fn granted(&mut self, credential: Box<Credential>, source: TokenSource, unsaved: Option<String>) {
        let outcome = Box::new(Authorized::of(&credential, source, unsaved));
        match Grant::new(credential, source, self.grant.take(), self.world.server.url()) {
            Ok(grant) => {
                self.restored = true;
                if grant.source == TokenSource::LoggedIn {
                    self.quiet = None;
                }
                self.step_ups.granted(&grant.credential.granted);
                self.grant = Some(grant);
                self.finish(Ok(Outcome::Authorized(outcome)));
            }
            Err(breach) => self.fail(breach),
        }
    }

    /// The attempt failed. If a person has seen it, further refusals do not bring it up again at once.
    fn fail(&mut self, breach: Breach) {
        if self.world.seen {
            let until = self.world.now.after(self.world.config.policies().quiet_time);
            self.quiet = Some((until, breach.clone()));
        }
        self.finish_failed(breach);
    }

    fn finish_failed(&mut self, breach: Breach) {
        self.world.trail.breach(self.world.now, Verdict::Failed, None, None, &breach);
        let trail = self.world.trail.clone();
        self.finish(Err(Box::new(Failure { breach, trail })));
    }

    /// Nothing that the attempt still wanted is done after its end.
    fn finish(&mut self, outcome: Result<Outcome, Box<Failure>>) {
        self.step_ups.end();
        self.world.out.clear();
        self.world.out.push_back(Action::Finish(outcome));
    }
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
