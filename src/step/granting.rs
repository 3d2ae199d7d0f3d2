//! Awaits the token answer to a grant that needs no person: the client's own credentials (RFC 6749 §4.4), or a JWT that
//! somebody else signed (RFC 7523 §2.1).

use super::post::{Post, Posted};
use super::save::After;
use super::{Aim, Step, Terms, Turn, World, exchange, restore, save};
use crate::base::breach::Breach;
use crate::base::secret::Secret;
use crate::credential::Credential;
use crate::event::Answer;
use crate::outcome::TokenSource;
use crate::trail::Verdict;
use crate::wire::refusal::Refusal;
use crate::wire::token::Grant;

#[derive(Clone, Debug)]
pub(crate) struct Granting {
    pub(crate) post: Box<Post>,
    aim: Aim,
    terms: Terms,
    clause: &'static str,
}

/// Asks for a token with the client's own credentials, or with `assertion`.
pub(crate) fn begin(world: &mut World, aim: Aim, terms: Terms, assertion: Option<&Secret>) -> Turn {
    let scopes = Some(&terms.asked);
    let (grant, clause) = match assertion {
        None => (Grant::ClientCredentials { scopes }, "RFC 6749 §4.4.2"),
        Some(assertion) => (Grant::JwtBearer { assertion, scopes }, "RFC 7523 §2.1"),
    };
    world.note(Verdict::Decided, format!("ask for a token with {}", grant.grant_type()), clause);
    match exchange::post(world, &terms, grant, clause) {
        Ok(post) => Turn::Await(Step::Granting(Box::new(Granting { post, aim, terms, clause }))),
        Err(breach) => failed(world, &aim, breach, None),
    }
}

impl Granting {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let Self { post, aim, terms, clause } = self;
        let answer = match post.on(world, answer) {
            Posted::Again(post) => {
                return Turn::Await(Step::Granting(Box::new(Self { post, aim, terms, clause })));
            }
            Posted::Failed(breach) => return failed(world, &aim, breach, None),
            Posted::Answered(answer, carried) => (answer, carried),
        };
        let (answer, carried) = answer;
        let (mut status, mut asked) = (None, None);
        if let Answer::Response(response) = &answer {
            status = Some(response.status);
            asked = response.retry_at(world.now);
        }
        match exchange::read(world, &terms, &carried, answer, clause) {
            Ok(token) => {
                // What can be had again at any time needs no refresh token, and what is not kept cannot leak.
                let credential =
                    Credential { refresh_token: None, ..exchange::credential(world, terms, token) };
                granted(world, aim, Box::new(credential))
            }
            Err(breach) => {
                let moved = Refusal::of(status, &breach) == Refusal::EndpointGone;
                if moved && aim.by_record {
                    // The record may be older than the endpoint.
                    return restore::discover(world, Aim { by_record: false, renewed: true, ..aim });
                }
                failed(world, &aim, breach, asked)
            }
        }
    }
}

fn granted(world: &mut World, aim: Aim, credential: Box<Credential>) -> Turn {
    if aim.by_record {
        save::begin(world, credential, After::Renewed { sent: world.now, aim: Box::new(aim) }, None)
    } else {
        Turn::Obtained(credential, TokenSource::Granted)
    }
}

/// Nothing is tried again at once, and nothing else instead: whoever is told of the failure decides.
pub(crate) fn failed(
    world: &mut World,
    aim: &Aim,
    breach: Breach,
    asked: Option<crate::base::time::Timestamp>,
) -> Turn {
    let generation = aim.held.as_ref().map(|held| held.generation).unwrap_or_default();
    world.back_off(generation, &breach, asked);
    world.retry_at = world.renewals.backing_off(generation, world.now).map(|it| it.until);
    breach.into()
}
