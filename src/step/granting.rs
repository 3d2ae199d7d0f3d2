//! Awaits the token answer to a grant that needs no person: the client's own credentials (RFC 6749 §4.4), or a JWT that
//! somebody else signed (RFC 7523 §2.1).

use std::sync::Arc;

use super::post::{Post, Posted};
use super::save::After;
use super::{Aim, Step, Terms, Turn, World, exchange, restore, save};
use crate::base::breach::Breach;
use crate::base::scope::Scopes;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::credential::Credential;
use crate::event::Answer;
use crate::outcome::TokenSource;
use crate::trail::Verdict;
use crate::wire::refusal::Refusal;
use crate::wire::token::{Grant, TokenAnswer};

#[derive(Clone, Debug)]
pub(crate) struct Granting {
    pub(crate) post: Box<Post>,
    aim: Aim,
    terms: Terms,
    /// What was asked for, where whoever vouches granted other scopes than the terms ask for.
    requested: Option<Scopes>,
    clause: &'static str,
}

/// An assertion that somebody else signed, and what may be asked for with it.
pub(crate) struct Vouched<'a> {
    pub(crate) assertion: &'a Secret,
    pub(crate) scopes: &'a Scopes,
}

/// Asks for a token with the client's own credentials, or with an assertion.
pub(crate) fn begin(world: &mut World, aim: Aim, terms: Terms, vouched: Option<Vouched<'_>>) -> Turn {
    let requested = vouched.as_ref().map(|it| it.scopes).filter(|scopes| **scopes != terms.asked).cloned();
    let (grant, clause) = match vouched {
        None => (Grant::ClientCredentials { scopes: Some(&terms.asked) }, "RFC 6749 §4.4.2"),
        Some(Vouched { assertion, scopes }) => {
            (Grant::JwtBearer { assertion, scopes: Some(scopes) }, "RFC 7523 §2.1")
        }
    };
    world.note(Verdict::Decided, format!("ask for a token with {}", grant.grant_type()), clause);
    match exchange::post(world, &terms, grant, clause) {
        Ok(post) => Turn::Await(Step::Granting(Box::new(Granting { post, aim, terms, requested, clause }))),
        Err(breach) => failed(world, aim, breach, None),
    }
}

impl Granting {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let Self { post, aim, terms, requested, clause } = self;
        let (answer, carried) = match post.on(world, answer) {
            Posted::Again(post) => {
                let granting = Self { post, aim, terms, requested, clause };
                return Turn::Await(Step::Granting(Box::new(granting)));
            }
            Posted::Failed(breach) => return failed(world, aim, breach, None),
            Posted::Answered(answer, carried) => (answer, carried),
        };
        let (status, asked) = (answer.status(), answer.retry_at(world.now));
        match exchange::read(world, &terms, &carried, answer.response().as_deref(), clause) {
            Ok(token) => {
                // A server that names no scopes grants what was asked for (RFC 6749 §5.1).
                let token = TokenAnswer { granted: token.granted.or(requested), ..token };
                // What can be had again at any time needs no refresh token, and what is not kept cannot leak.
                let credential =
                    Credential { refresh_token: None, ..exchange::credential(world, terms, token) };
                granted(world, aim, Arc::new(credential))
            }
            Err(breach) => {
                if aim.by_record && may_be_outdated(status, &breach) {
                    return restore::discover(world, Aim { by_record: false, ..aim });
                }
                refused(world, &aim, status, &breach);
                failed(world, aim, breach, asked)
            }
        }
    }
}

/// One attempt is made. But a record whose endpoint refuses, or has been silent for long, is not relied on by the next,
/// which reads the metadata again.
fn refused(world: &mut World, aim: &Aim, status: Option<http::StatusCode>, breach: &Breach) {
    let Some(held) = aim.held.as_ref().filter(|_| aim.by_record) else { return };
    let passes = matches!(Refusal::of(status, breach), Refusal::Transient | Refusal::Unknown);
    if !passes || world.renewals.is_stubborn(held.generation) {
        world.renewals.spend(held.generation);
    }
}

/// Whether the record may be older than the endpoint, or than the names it gives things.
fn may_be_outdated(status: Option<http::StatusCode>, breach: &Breach) -> bool {
    Refusal::of(status, breach) == Refusal::EndpointGone || names_unknown(breach)
}

/// Whether what the server calls the resource and its scopes may have changed. Without a person there is no login that
/// would read the metadata again.
pub(crate) fn names_unknown(breach: &Breach) -> bool {
    matches!(breach.error.as_deref(), Some("invalid_target" | "invalid_scope"))
}

fn granted(world: &mut World, aim: Aim, credential: Arc<Credential>) -> Turn {
    if aim.by_record {
        save::begin(world, credential, After::Renewed { sent: world.now, aim: Box::new(aim) }, None)
    } else {
        Turn::Obtained(credential, TokenSource::Granted)
    }
}

/// Nothing is tried again at once, and nothing else instead: whoever is told of the failure decides. The present token
/// serves while it lives.
pub(crate) fn failed(world: &mut World, mut aim: Aim, breach: Breach, asked: Option<Timestamp>) -> Turn {
    let generation = aim.held.as_ref().map(|held| held.generation).unwrap_or_default();
    world.back_off(generation, &breach, asked);
    let serves = |held: &Credential| {
        !aim.step_up
            && aim.is_met_by(held)
            && aim.refused != Some(held.generation)
            && held.is_unexpired(world.now)
    };
    if aim.held.as_deref().is_some_and(serves)
        && let Some(credential) = aim.held.take()
    {
        let note = "the access token has not expired yet, and serves on";
        world.note(Verdict::Decided, note, "mcp-auth, credential store");
        return Turn::Granted { credential, source: TokenSource::Kept, unsaved: aim.unsaved };
    }
    world.retry_at = world.renewals.backing_off(generation, world.now).map(|it| it.until);
    breach.into()
}
