//! Awaits the token answer to a refresh token (RFC 6749 §6).
//!
//! The record is held meanwhile. What follows from a refusal is sorted by [`Refusal`]; whatever it is, a token that
//! has not expired and was not refused serves on, and no person is asked.

use std::sync::Arc;

use super::post::{Post, Posted};
use super::save::After;
use super::world::Lease;
use super::{Aim, Forgetting, Step, Terms, Turn, World, exchange, restore, save};
use crate::base::breach::{Breach, Kind};
use crate::base::redaction::Redaction;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::credential::Credential;
use crate::event::{Answer, Response, SendFailure};
use crate::outcome::TokenSource;
use crate::policy::RefreshScope;
use crate::trail::Verdict;
use crate::wire::client::Origin;
use crate::wire::refusal::Refusal;
use crate::wire::token::{Grant, TokenAnswer};

const CLAUSE: &str = "RFC 6749 §6";

#[derive(Clone, Debug)]
pub(crate) struct Refreshing {
    pub(crate) post: Box<Post>,
    terms: Terms,
    aim: Aim,
    held: Arc<Credential>,
    lease: Option<Lease>,
    sent: Timestamp,
    /// The token was sent before in this attempt, and no answer came that can be read.
    again: bool,
}

/// What came of a refresh.
struct Refused {
    refusal: Refusal,
    breach: Box<Breach>,
    /// Before when the server does not want to be asked again.
    asked: Option<Timestamp>,
    /// The refresh token has, or may have, a successor in an answer that is of no use.
    replaced: bool,
}

impl Refreshing {
    pub(crate) fn begin(world: &mut World, aim: Aim, held: Arc<Credential>, lease: Option<Lease>) -> Turn {
        if !held.client.is_fresh(world.now) {
            // The server will not take the secret; there is no need to be told.
            let expected = "a client secret that has not expired";
            let breach = Breach::new(Kind::ClientRejected, "RFC 7591 §3.2.1", expected, "one that has");
            return client_is_dead(world, aim, held, lease, &breach);
        }
        send(world, aim, held, lease, false)
    }

    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let Self { post, terms, aim, held, lease, sent, again } = self;
        let (answer, carried) = match post.on(world, answer) {
            Posted::Again(post) => {
                // What had to be signed is signed, and the token goes out only now.
                let sent = world.now;
                let refreshing = Self { post, terms, aim, held, lease, sent, again };
                return Turn::Await(Step::Refreshing(Box::new(refreshing)));
            }
            // Nothing was sent: the token is as good as before.
            Posted::Failed(breach) => return later(world, aim, held, lease, breach, None),
            Posted::Answered(answer, carried) => (answer, carried),
        };
        match read(world, &terms, &held, &carried, answer) {
            Ok(token) => renewed(world, aim, held, lease, sent, token),
            Err(refused) => Spent { aim, held, lease, again }.refused(world, *refused),
        }
    }

    /// Whoever drives the machine is gone, and the answer with it.
    pub(crate) fn abandon(self, world: &mut World) {
        if self.post.is_sent() {
            world.renewals.doubt(self.held.generation);
        }
    }
}

/// A refresh whose token was sent.
struct Spent {
    aim: Aim,
    held: Arc<Credential>,
    lease: Option<Lease>,
    again: bool,
}

impl Spent {
    fn refused(self, world: &mut World, refused: Refused) -> Turn {
        let Self { aim, held, lease, again } = self;
        let Refused { refusal, breach, asked, replaced } = refused;
        let breach = *breach;
        match refusal {
            Refusal::Unknown | Refusal::Misconfigured if replaced => {
                world.renewals.spend(held.generation);
                otherwise(world, aim, held, lease, breach, false)
            }
            Refusal::Unknown if !again && may_resend(world, lease.as_ref()) => {
                let note = "the answer is lost, so the refresh token is sent once more";
                world.note(Verdict::Decided, note, CLAUSE);
                world.renewals.doubt(held.generation);
                send(world, aim, held, lease, true)
            }
            Refusal::Unknown => {
                world.renewals.doubt(held.generation);
                let breach = Breach::new(
                    Kind::OutcomeUnknown,
                    CLAUSE,
                    "an answer to the refresh token",
                    format!("{}: {}", breach.kind, breach.got),
                );
                later(world, aim, held, lease, breach, asked)
            }
            Refusal::Transient => later(world, aim, held, lease, breach, asked),
            Refusal::DeadGrant => grant_is_dead(world, aim, held, lease),
            Refusal::DeadClient => client_is_dead(world, aim, held, lease, &breach),
            Refusal::EndpointGone => {
                // The record keeps the token: another process, or a later one, may find the endpoint there again.
                world.renewals.spend(held.generation);
                otherwise(world, aim, held, lease, breach, true)
            }
            Refusal::Misconfigured => {
                world.back_off(held.generation, &breach, asked);
                otherwise(world, aim, held, lease, breach, false)
            }
        }
    }
}

fn renewed(
    world: &mut World,
    aim: Aim,
    held: Arc<Credential>,
    lease: Option<Lease>,
    sent: Timestamp,
    token: TokenAnswer,
) -> Turn {
    let replaced = |new: &Secret| held.refresh_token.as_ref().is_some_and(|spent| spent != new);
    if token.refresh_token.as_ref().is_some_and(replaced) {
        world.renewals.spend(held.generation);
    }
    let credential = Arc::new(Credential {
        granted: token.granted.unwrap_or_else(|| held.granted.clone()),
        access_token: token.access_token,
        refresh_token: token.refresh_token.or_else(|| held.refresh_token.clone()),
        obtained_at: world.now,
        expires_at: token.expires_at,
        ..Arc::unwrap_or_clone(held)
    });
    save::begin(world, credential, After::Renewed { aim: Box::new(aim), sent }, lease)
}

fn send(world: &mut World, aim: Aim, held: Arc<Credential>, lease: Option<Lease>, again: bool) -> Turn {
    let terms = terms(&held);
    let Some(refresh_token) = &held.refresh_token else {
        world.release(lease);
        return restore::discover(world, Aim { held: Some(held), ..aim });
    };
    let scopes = match world.config.issuer_policy(&terms.server.named).refresh_scope {
        RefreshScope::Omit => None,
        RefreshScope::Granted => {
            world.note(Verdict::Deviation, "`scope` goes with the refresh token by `refresh_scope`", CLAUSE);
            Some(&held.granted)
        }
    };
    let grant = Grant::RefreshToken { refresh_token, scopes };
    match exchange::post(world, &terms, grant, CLAUSE) {
        Ok(post) => {
            world.note(Verdict::Decided, "the refresh token is used", CLAUSE);
            let sent = world.now;
            let refreshing = Refreshing { post, terms, aim, held, lease, sent, again };
            Turn::Await(Step::Refreshing(Box::new(refreshing)))
        }
        Err(breach) => {
            world.back_off(held.generation, &breach, None);
            otherwise(world, aim, held, lease, breach, false)
        }
    }
}

pub(crate) fn terms(held: &Credential) -> Terms {
    Terms {
        server: held.authorization_server.clone(),
        client: held.client.clone(),
        resource: held.resource.clone(),
        resource_metadata: held.resource_metadata.clone(),
        asked: held.asked.clone(),
        binding: held.binding.clone(),
        endpoints: None,
    }
}

fn read(
    world: &mut World,
    terms: &Terms,
    held: &Credential,
    carried: &Redaction,
    answer: Answer,
) -> Result<TokenAnswer, Box<Refused>> {
    let (status, asked) = (answer.status(), answer.retry_at(world.now));
    let response = answer.response();
    exchange::read(world, terms, carried, response.as_deref(), CLAUSE).map_err(|mut breach| {
        if matches!(response, Err(SendFailure::Interrupted(_))) {
            breach.kind = Kind::OutcomeUnknown;
        }
        let refusal = Refusal::of(status, &breach);
        // Of a token of another type nobody knows; of a broken answer it is looked for.
        let replaced = breach.kind == Kind::TokenType
            || matches!(refusal, Refusal::Unknown) && names_successor(&response, held);
        Box::new(Refused { refusal, breach: Box::new(breach), asked, replaced })
    })
}

/// Whether the answer gives a refresh token in the place of the one that was sent.
fn names_successor(response: &Result<Box<Response>, SendFailure>, held: &Credential) -> bool {
    response.as_ref().ok().zip(held.refresh_token.as_ref()).is_some_and(|(it, spent)| {
        it.status.is_success() && TokenAnswer::replaces(it.content_type(), &it.body, spent)
    })
}

/// Whether there is time for another exchange before somebody else may take the record.
fn may_resend(world: &World, lease: Option<&Lease>) -> bool {
    lease.is_none_or(|lease| world.holds_for_an_exchange(lease))
}

/// What passes by itself: the refresh token is kept.
fn later(
    world: &mut World,
    aim: Aim,
    held: Arc<Credential>,
    lease: Option<Lease>,
    breach: Breach,
    asked: Option<Timestamp>,
) -> Turn {
    world.back_off(held.generation, &breach, asked);
    otherwise(world, aim, held, lease, breach, false)
}

/// The present token serves while it lives. After that a person is asked, if that is the way, or the attempt fails.
fn otherwise(
    world: &mut World,
    aim: Aim,
    held: Arc<Credential>,
    lease: Option<Lease>,
    breach: Breach,
    person: bool,
) -> Turn {
    world.release(lease);
    if aim.refused != Some(held.generation) && held.is_unexpired(world.now) {
        world.note(Verdict::Decided, "the access token has not expired yet, and serves on", CLAUSE);
        return Turn::Granted { credential: held, source: TokenSource::Kept, unsaved: aim.unsaved };
    }
    // A new consent may mend what a refresh cannot, be it at another authorization server; but only a person who asks
    // for it is troubled. The refresh token is kept until there is another.
    if person || aim.insists {
        return restore::discover(world, Aim { held: Some(held), ..aim });
    }
    world.retry_at = world.renewals.backing_off(held.generation, world.now).map(|it| it.until);
    breach.into()
}

/// The record loses its refresh token, so that no other process tries it too. Client and scopes are kept.
fn grant_is_dead(world: &mut World, aim: Aim, mut held: Arc<Credential>, lease: Option<Lease>) -> Turn {
    if world.renewals.is_uncertain(held.generation) {
        let note =
            "the refresh token was sent before and the answer was lost; the server may take this for reuse";
        world.note(Verdict::Decided, note, "RFC 9700 §4.14.2");
    }
    world.renewals.spend(held.generation);
    let over = aim.unsaved.as_ref().map_or(Some(held.generation), |unsaved| unsaved.over);
    if world.record > over {
        // What stands there is somebody's later work, and may live.
        return restore::give_way(world, aim, lease);
    }
    let buried = Arc::make_mut(&mut held);
    buried.refresh_token = None;
    if aim.refused == Some(buried.generation) {
        // The resource has refused it. The next generation names the same token, and must not seem to live.
        buried.expires_at = Some(world.now);
    }
    save::begin(world, held, After::Buried(Box::new(aim)), lease)
}

/// Its tokens are of no use either, so the record goes.
fn client_is_dead(
    world: &mut World,
    aim: Aim,
    held: Arc<Credential>,
    lease: Option<Lease>,
    breach: &Breach,
) -> Turn {
    if held.client.origin == Origin::Preregistered {
        world.back_off(held.generation, breach, None);
        return otherwise(world, aim, held, lease, breach.clone(), false);
    }
    world.renewals.spend(held.generation);
    world.learnt.disown(&held.authorization_server.issuer, &held.client);
    Forgetting::begin(world, Aim { held: Some(held), ..aim }, lease)
}
