//! Awaits the reference to an authorization request that was pushed ahead (RFC 9126).

use std::borrow::Cow;

use super::consent::{self, Consent};
use super::fetch::unanswered;
use super::post::{Letter, Post, Posted};
use super::{Aim, Step, Turn, World, exchange};
use crate::action::Purpose;
use crate::base::secret::Secret;
use crate::event::Answer;
use crate::trail::Verdict;
use crate::wire::pushed::Pushed;

const CLAUSE: &str = "RFC 9126 §2.1";

#[derive(Clone, Debug)]
pub(crate) struct Pushing {
    pub(crate) post: Box<Post>,
    aim: Aim,
    consent: Consent,
    url: String,
}

pub(crate) fn begin(
    world: &mut World,
    aim: Aim,
    consent: Consent,
    url: &str,
    parameters: Vec<(Cow<'static, str>, Secret)>,
) -> Turn {
    let terms = &consent.terms;
    let to = match world.judge(url, CLAUSE) {
        Ok(to) => to,
        Err(breach) => return breach.into(),
    };
    let letter = Letter {
        purpose: Purpose::PushedAuthorization,
        to,
        clause: CLAUSE,
        issuer: terms.server.issuer.clone(),
        client: exchange::presented(world, &terms.server, &terms.client),
        parameters,
        binding: None,
    };
    world.note(Verdict::Decided, "the authorization request is pushed ahead", CLAUSE);
    match Post::begin(world, letter) {
        Ok(post) => Turn::Await(Step::Pushing(Box::new(Pushing { post, aim, consent, url: url.to_owned() }))),
        Err(breach) => breach.into(),
    }
}

impl Pushing {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let Self { post, aim, consent, url } = self;
        let (answer, carried) = match post.on(world, answer) {
            Posted::Again(post) => {
                return Turn::Await(Step::Pushing(Box::new(Self { post, aim, consent, url })));
            }
            Posted::Failed(breach) => return breach.into(),
            Posted::Answered(answer, carried) => (answer, carried),
        };
        let (status, retry_at) = (answer.status().map(|status| status.as_u16()), answer.retry_at(world.now));
        let response = answer.response().map_err(|failure| unanswered(&failure, CLAUSE));
        let read = response.and_then(|it| Pushed::read(it.status.as_u16(), &it.body, world.now));
        match read {
            Ok(pushed) => {
                let note = "a reference to the request";
                world.taken(&url, status.unwrap_or_default(), note, "RFC 9126 §2.2");
                consent::open_pushed(world, aim, consent, &pushed)
            }
            Err(breach) => {
                let breach = exchange::configured(&consent.terms, carried.clear(breach));
                world.passed_over(&url, status, &breach);
                world.retry_at = retry_at;
                exchange::disown_rejected(world, &consent.terms, &breach);
                breach.into()
            }
        }
    }
}
