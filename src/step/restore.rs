//! The first step of every attempt: what does the store hold, and does it serve?

use std::sync::Arc;
use std::time::Duration;

use super::save::{After, Unsaved};
use super::server_metadata::{BY_ISSUER, SCOPES};
use super::world::Lease;
use super::written::{fits, is_bound_here};
use super::{Aim, Pending, Refreshing, Step, Turn, World, obtain, refresh, resource_metadata, save};
use crate::base::breach::{Breach, Kind};
use crate::base::scope::Scopes;
use crate::base::time::Timestamp;
use crate::credential::{Credential, Generation, VERSION};
use crate::event::Answer;
use crate::outcome::TokenSource;
use crate::policy::ScopeSources;
use crate::step::Terms;
use crate::trail::Verdict;

const CLAUSE: &str = "mcp-auth, credential store";
/// How often an attempt takes what others have written where it was about to write.
const MAX_OVERTAKEN: u8 = 3;
/// How long whoever holds the record is left alone before it is asked for again.
const REST: Duration = Duration::from_secs(1);

/// Awaits the record. Before a refresh token is spent the record is read once more, exclusively: whoever held it
/// before may have spent the token and stored its successor.
#[derive(Clone, Debug)]
pub(crate) struct Restoring {
    pub(crate) pending: Pending,
    aim: Aim,
    exclusive: bool,
    /// Somebody else holds the record; it is asked for again when the wait is over.
    resting: bool,
    /// When a record that somebody else holds is given up: a lease that began just now must have ended by then.
    give_up: Timestamp,
}

/// Begins an attempt.
pub(crate) fn begin(world: &mut World, aim: Aim) -> Turn {
    // Only a refresh token can be spent twice.
    let spends = world.config.flow().needs_person();
    let exclusive = spends && aim.held.as_ref().is_some_and(|held| use_of(world, &aim, held) == Use::Renew);
    read(world, aim, exclusive)
}

pub(crate) fn read(world: &mut World, aim: Aim, exclusive: bool) -> Turn {
    let patience = world.lease_time().saturating_add(world.config.policies().exchange_time);
    let give_up = world.now.after(patience);
    let pending = world.load(exclusive);
    Turn::Await(Step::Restoring(Box::new(Restoring { pending, aim, exclusive, resting: false, give_up })))
}

impl Restoring {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let id = self.pending.id;
        match answer.found() {
            Some(Ok((found, exclusive))) => {
                let lease = if exclusive { world.leased(id) } else { None };
                self.found(world, found, lease)
            }
            Some(Err(why)) => self.failed(world, why),
            None => self.busy(world),
        }
    }

    /// No answer in time, or the rest is over.
    pub(crate) fn expired(self, world: &mut World, late: &str) -> Turn {
        if !self.resting {
            return self.failed(world, late.to_owned());
        }
        self.again(world)
    }

    /// The store is asked once more, or at last.
    pub(crate) fn again(self, world: &mut World) -> Turn {
        let pending = world.load(self.exclusive);
        Turn::Await(Step::Restoring(Box::new(Self { pending, resting: false, ..self })))
    }

    fn found(self, world: &mut World, found: Option<Credential>, lease: Option<Lease>) -> Turn {
        let mut aim = self.aim;
        world.stands(found.as_ref().map(|found| found.generation));
        // A write that nobody answered may have been done all the same.
        let is_kept = |held: &Arc<Credential>| world.record == Some(held.generation);
        if aim.held.as_ref().is_some_and(is_kept) {
            aim.unsaved = None;
        }
        // A store that lost a record, or kept an older one, does not take away what is in memory.
        // Nor is what the store did not keep compared by its number, which says nothing of who came first.
        let newer = found.filter(|found| match (&aim.held, &aim.unsaved) {
            (None, _) => true,
            (Some(held), None) => held.generation < found.generation,
            (Some(held), Some(unsaved)) => save::supersedes(found, held, unsaved.over),
        });
        if let Some(newer) = newer.and_then(|found| adopt(world, found)) {
            aim.unsaved = None;
            aim.held = Some(Arc::new(newer));
        }
        let due = |it: &mut Box<Unsaved>| it.again_at.is_some_and(|at| at <= world.now);
        match aim.held.take() {
            Some(held) if aim.unsaved.take_if(due).is_some() => {
                world.note(Verdict::Decided, "what the store did not keep is offered to it again", CLAUSE);
                save::begin(world, held, After::Offered(Box::new(aim)), lease)
            }
            held => decide(world, Aim { held, ..aim }, lease),
        }
    }

    fn failed(self, world: &mut World, why: String) -> Turn {
        let breach = Breach::new(Kind::StoreFailed, CLAUSE, "a record, or none", why);
        if self.aim.held.is_none() {
            return breach.into();
        }
        // Without its store a machine is left with what it has.
        world.trail.breach(world.now, Verdict::PassedOver, None, None, &breach);
        decide_alone(world, self.aim, breach)
    }

    fn busy(self, world: &mut World) -> Turn {
        if world.now < self.give_up {
            let pending = world.rest(REST);
            return Turn::Await(Step::Restoring(Box::new(Self { pending, resting: true, ..self })));
        }
        let got = "one that somebody else did not let go of in time";
        let breach = Breach::new(Kind::StoreBusy, CLAUSE, "a record that can be held", got);
        decide_alone(world, self.aim, breach)
    }
}

/// What a credential is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Its token serves.
    Serve,
    /// It may be renewed.
    Renew,
    /// It may be renewed later.
    Later,
    /// Another is needed.
    None,
}

fn use_of(world: &World, aim: &Aim, held: &Credential) -> Use {
    let refused = aim.refused == Some(held.generation);
    if !aim.is_met_by(held) || (aim.step_up && refused) {
        return Use::None;
    }
    if !refused && held.is_live(world.now, world.config.policies().expiry_margin) {
        return Use::Serve;
    }
    let in_vain = is_in_vain(aim, held);
    if !in_vain && world.may_renew(held, world.now) {
        return Use::Renew;
    }
    if !refused && held.is_unexpired(world.now) {
        return Use::Serve;
    }
    let later = world.renewals.backing_off(held.generation, world.now).is_some();
    if later && !in_vain { Use::Later } else { Use::None }
}

/// A token that was renewed for this very request and refused again will not get better by renewing.
fn is_in_vain(aim: &Aim, held: &Credential) -> bool {
    aim.renewed && aim.refused == Some(held.generation)
}

/// Somebody else has written the record, which is the credential at hand now. Writers without end keep no attempt busy
/// without end.
pub(crate) fn take(world: &mut World, aim: Aim, lease: Option<Lease>) -> Turn {
    match overtaken(world, aim) {
        Ok(aim) => decide(world, aim, lease),
        Err(turn) => {
            world.release(lease);
            turn
        }
    }
}

/// The same, and what they have written is to be read. Where the token at hand serves, there is time for that.
pub(crate) fn give_way(world: &mut World, aim: Aim, lease: Option<Lease>) -> Turn {
    if aim.held.as_ref().is_some_and(|held| use_of(world, &aim, held) == Use::Serve) {
        return decide(world, aim, lease);
    }
    world.release(lease);
    match overtaken(world, aim) {
        Ok(aim) => read(world, aim, false),
        Err(turn) => turn,
    }
}

fn overtaken(world: &mut World, aim: Aim) -> Result<Aim, Turn> {
    let overtaken = aim.overtaken.saturating_add(1);
    let aim = Aim { overtaken, ..aim };
    if overtaken <= MAX_OVERTAKEN {
        return Ok(aim);
    }
    let got = "one that others wrote again and again";
    let breach = Breach::new(Kind::StoreBusy, CLAUSE, "a record that stays as it is", got);
    Err(decide_alone(world, aim, breach))
}

/// What follows from the credential at hand.
pub(crate) fn decide(world: &mut World, mut aim: Aim, lease: Option<Lease>) -> Turn {
    let Some(held) = aim.held.take() else {
        world.release(lease);
        // A grant that needs nobody, and failed just now, is not asked for again at once.
        let waiting = world.renewals.backing_off(Generation::default(), world.now).filter(|_| !aim.insists);
        if let Some((until, breach)) = waiting.map(|it| (it.until, it.breach.clone())) {
            world.retry_at = Some(until);
            return breach.into();
        }
        return discover(world, aim);
    };
    let good_for = use_of(world, &aim, &held);
    match (good_for, lease) {
        (Use::Renew, lease) if !world.config.flow().needs_person() => {
            world.release(lease);
            ask_again(world, aim, held)
        }
        (Use::Renew, None) => read(world, Aim { held: Some(held), ..aim }, true),
        // Whoever slept over the answer may have lost the record to another by now.
        (Use::Renew, Some(lease)) if !world.holds_for_an_exchange(&lease) => {
            world.release(Some(lease));
            read(world, Aim { held: Some(held), ..aim }, true)
        }
        (Use::Renew, lease) => Refreshing::begin(world, aim, held, lease),
        // Somebody else may be renewing it at this moment, which on many servers ends the access token before.
        (Use::None, None) if is_in_vain(&aim, &held) && held.refresh_token.is_some() => {
            read(world, Aim { held: Some(held), ..aim }, true)
        }
        (Use::Serve | Use::Later | Use::None, lease) => {
            world.release(lease);
            settle(world, aim, held, good_for)
        }
    }
}

/// The same where the record cannot be held, for which `breach` is the reason: no refresh token is spent, for somebody
/// else may do so at the same time. Only one that the store never had is nobody else's.
fn decide_alone(world: &mut World, mut aim: Aim, breach: Breach) -> Turn {
    let Some(held) = aim.held.take() else { return breach.into() };
    match use_of(world, &aim, &held) {
        Use::Renew if !world.config.flow().needs_person() => ask_again(world, aim, held),
        Use::Renew if breach.kind == Kind::StoreFailed && world.record != Some(held.generation) => {
            Refreshing::begin(world, aim, held, None)
        }
        Use::Renew if aim.refused != Some(held.generation) && held.is_unexpired(world.now) => {
            settle(world, aim, held, Use::Serve)
        }
        // Whoever asks for a login is not kept from it by others who write.
        Use::Renew if aim.overtaken > 0 && aim.insists => settle(world, aim, held, Use::None),
        Use::Renew => breach.into(),
        // What somebody else may have made of it, or has made of it, cannot be seen just now. That is no reason to ask a person.
        Use::None if is_in_vain(&aim, &held) && held.refresh_token.is_some() => breach.into(),
        Use::None if aim.overtaken > 0 && !aim.insists => breach.into(),
        good_for @ (Use::Serve | Use::Later | Use::None) => settle(world, aim, held, good_for),
    }
}

/// A grant that needs no person is asked for again where it was had before. Whoever insists has metadata read anew.
fn ask_again(world: &mut World, aim: Aim, held: Arc<Credential>) -> Turn {
    if aim.insists {
        return discover(world, Aim { held: Some(held), ..aim });
    }
    if let Some(breach) = aim.quiet {
        if aim.refused != Some(held.generation) && held.is_unexpired(world.now) {
            return Turn::Granted { credential: held, source: TokenSource::Kept, unsaved: aim.unsaved };
        }
        return breach.into();
    }
    let terms = Terms { asked: bounded(world, &held), ..refresh::terms(&held) };
    obtain::begin(world, Aim { held: Some(held), by_record: true, ..aim }, terms)
}

/// The scopes that a record asks for, within the caller's rule as it is now. Nobody else bounds them where no person does.
fn bounded(world: &mut World, held: &Credential) -> Scopes {
    let policy = world.config.issuer_policy(&held.authorization_server.named);
    let sources = ScopeSources { challenged: Some(&held.asked), nobody: true, ..ScopeSources::default() };
    let asked = world.config.scope_rule().select_at(&policy.scopes, sources);
    if asked != held.asked {
        world.note(Verdict::Decided, "the record asks for other scopes than the caller does now", SCOPES);
    }
    asked
}

fn settle(world: &mut World, aim: Aim, held: Arc<Credential>, good_for: Use) -> Turn {
    if !world.has_proven(&held) {
        let note = "neither does the record hold the configured client secret, nor are its endpoints the issuer's, so \
                    they are shown nothing: it is not renewed by the record";
        world.note(Verdict::Decided, note, CLAUSE);
    }
    if good_for == Use::Serve {
        return Turn::Granted { credential: held, source: TokenSource::Kept, unsaved: aim.unsaved };
    }
    if good_for == Use::Later
        && !aim.insists
        && let Some(waiting) = world.renewals.backing_off(held.generation, world.now)
    {
        let (until, breach) = (waiting.until, waiting.breach.clone());
        world.retry_at = Some(until);
        return breach.into();
    }
    let step_up = aim.step_up || !aim.is_met_by(&held);
    discover(world, Aim { step_up, held: Some(held), ..aim })
}

/// Another grant is needed.
pub(crate) fn discover(world: &mut World, aim: Aim) -> Turn {
    if world.config.flow().needs_person() && !aim.interactive {
        return Turn::Anonymous;
    }
    if let Some(breach) = aim.quiet {
        return breach.into();
    }
    if world.config.flow().needs_person() && world.config.policies().unattended {
        let expected = "a person who logs in";
        return Breach::new(Kind::Unasked, "mcp-auth, policy `unattended`", expected, "nobody to be asked")
            .into();
    }
    let limit = world.config.policies().logins_per_hour;
    // What this attempt has shown is counted already, and a second page of it does not count again.
    let counts = world.config.flow().needs_person() && !aim.insists && !world.seen;
    if let Some(at) = world.logins.used_up(limit, world.now).filter(|_| counts) {
        world.retry_at = Some(at);
        let expected = format!("at most {limit} logins within an hour that no person asked for");
        let clause = "mcp-auth, policy `logins_per_hour`";
        return Breach::new(Kind::TooManyLogins, clause, expected, "a demand for another").into();
    }
    match known_terms(world, &aim) {
        Some(terms) => obtain::begin(world, aim, terms),
        None => resource_metadata::begin(world, aim),
    }
}

/// A step-up to known scopes needs no discovery: the record names the server, the endpoints and the client. Unless
/// the challenge names metadata elsewhere than where the record's was found, metadata has said otherwise since, the record
/// does not hold the secret that its endpoints would be shown, or it lacks what policy wants; then metadata is read.
fn known_terms(world: &mut World, aim: &Aim) -> Option<Terms> {
    // Where nobody waits to consent, metadata may as well be read.
    let saves = aim.step_up && world.config.flow().needs_person();
    let held = aim.held.as_ref().filter(|held| saves && world.knows(held) && world.has_proven(held))?;
    let server = &held.authorization_server;
    let learnt = &world.learnt;
    if !world.knows_endpoints(server) || learnt.contradicts(server) || learnt.is_unfit(&server.named) {
        return None;
    }
    let elsewhere = |url: &String| held.resource_metadata.as_deref() != Some(url);
    if aim.demand.resource_metadata.iter().any(elsewhere) {
        return None;
    }
    if aim.demand.dpop && held.binding.is_none() {
        return None;
    }
    let (rule, policy) = (world.config.scope_rule(), world.config.issuer_policy(&server.named));
    // A record from before that was wanted names no place to push to, though there may be one.
    let unpushed = policy.push && server.pushed_authorization_request_endpoint.is_none();
    if unpushed && !world.learnt.confirms(server) {
        return None;
    }
    let challenged = aim.demand.scope.as_ref();
    if challenged.is_none() && aim.wanted.is_empty() {
        return None;
    }
    if !held.client.usable(world.now, world.config.redirect_url()) {
        return None;
    }
    let sources = ScopeSources {
        challenged: Some(challenged.unwrap_or(&aim.wanted)),
        asked: Some(&held.asked),
        step_up: true,
        ..ScopeSources::default()
    };
    let asked = rule.select_at(&policy.scopes, sources);
    if !held.client.may_ask(&asked) {
        return None;
    }
    if asked != rule.select(sources) {
        world.note(Verdict::Deviation, BY_ISSUER, SCOPES);
    }
    Some(Terms {
        server: server.clone(),
        client: held.client.clone(),
        resource: held.resource.clone(),
        resource_metadata: held.resource_metadata.clone(),
        asked,
        binding: held.binding.clone(),
        endpoints: None,
    })
}

/// A record is used only if it is of this form, this server, this client and this authorization server. What the
/// record says is not trusted further than what the wire says: its URLs pass the guard when they are used.
pub(crate) fn adopt(world: &mut World, found: Credential) -> Option<Credential> {
    let reason = if found.version != VERSION {
        Some("it has another version")
    } else if !found.generation.is_sound() {
        Some("its generation is none that this machine gives")
    } else if *found.server != *world.config.server_url() {
        Some("it is for another server")
    } else if !is_bound_here(world, found.binding.as_ref()) {
        Some("its token is not bound to the key that is configured")
    } else if http::HeaderValue::from_str(found.access_token.expose()).is_err() {
        Some("its token is none that a header field may carry")
    } else {
        None
    };
    let client = match reason {
        Some(reason) => Err(reason),
        None => fits(world, &found.resource, &found.authorization_server, &found.client),
    };
    match client {
        Ok(client) => Some(Credential { client, ..found }),
        Err(reason) => {
            world.note(Verdict::PassedOver, format!("the stored credential: {reason}"), CLAUSE);
            None
        }
    }
}
