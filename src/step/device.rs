//! Awaits a person with another device (RFC 8628): the code is shown, and the token endpoint is asked until the person
//! has decided.

use std::sync::Arc;
use std::time::Duration;

use super::fetch::unanswered;
use super::post::{Letter, Post, Posted};
use super::{Pending, Step, Terms, Turn, World, exchange};
use crate::action::Purpose;
use crate::base::breach::{Breach, Kind};
use crate::base::redaction::Redaction;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::event::Answer;
use crate::outcome::TokenSource;
use crate::trail::Verdict;
use crate::wire::device::{DeviceAuthorization, Polled, poll, slower};
use crate::wire::refusal::Refusal;
use crate::wire::token::Grant;

const REQUEST: &str = "RFC 8628 §3.1";
/// The longest interval that questions without an answer lead to. A server may want a longer one.
const LONGEST: Duration = Duration::from_secs(60);
const POLL: &str = "RFC 8628 §3.4";

/// Awaits the codes.
#[derive(Clone, Debug)]
pub(crate) struct AskingForCode {
    pub(crate) post: Box<Post>,
    terms: Terms,
    url: String,
}

/// Awaits the person's decision.
#[derive(Clone, Debug)]
pub(crate) struct Polling {
    waiting: Waiting,
    terms: Terms,
    device_code: Secret,
    interval: Duration,
    /// The last answer was that this is too often.
    slowed: bool,
    /// When the code expires, or the person's time is over.
    expires_at: Timestamp,
}

#[derive(Clone, Debug)]
enum Waiting {
    /// For the next time to ask.
    Resting(Pending),
    /// For an answer.
    Asking(Box<Post>),
}

pub(crate) fn begin(world: &mut World, terms: Terms) -> Turn {
    let Some(url) = terms.server.device_authorization_endpoint.clone() else {
        let expected = "a device authorization endpoint";
        return Breach::new(Kind::Unsupported, "RFC 8628 §4", expected, "none").into();
    };
    let mut parameters = exchange::indication(world, &terms);
    if !terms.asked.is_empty() {
        parameters.push(("scope".into(), Secret::from(terms.asked.as_str())));
    }
    let to = match world.judge(&url, REQUEST) {
        Ok(to) => to,
        Err(breach) => return breach.into(),
    };
    let letter = Letter {
        purpose: Purpose::DeviceAuthorization,
        to,
        clause: REQUEST,
        issuer: terms.server.issuer.clone(),
        client: exchange::presented(world, &terms.server, &terms.client),
        parameters,
        binding: None,
    };
    match Post::begin(world, letter) {
        Ok(post) => Turn::Await(Step::AskingForCode(Box::new(AskingForCode { post, terms, url }))),
        Err(breach) => breach.into(),
    }
}

impl AskingForCode {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let Self { post, terms, url } = self;
        let (answer, carried) = match post.on(world, answer) {
            Posted::Again(post) => {
                return Turn::Await(Step::AskingForCode(Box::new(Self { post, terms, url })));
            }
            Posted::Failed(breach) => return breach.into(),
            Posted::Answered(answer, carried) => (answer, carried),
        };
        let (status, retry_at) = (answer.status().map(|status| status.as_u16()), answer.retry_at(world.now));
        let read = answer.response().map_err(|failure| unanswered(&failure, REQUEST)).and_then(|response| {
            let (status, guard) = (response.status.as_u16(), &world.place.guard);
            DeviceAuthorization::read(status, &response.body, world.now, guard)
        });
        let codes = match read {
            Ok(codes) => codes,
            Err(breach) => {
                let breach = exchange::configured(&terms, carried.clear(breach));
                world.passed_over(&url, status, &breach);
                world.retry_at = retry_at;
                exchange::disown_rejected(world, &terms, &breach);
                return breach.into();
            }
        };
        let note = "a code to be shown, and a code to ask with";
        world.taken(&url, status.unwrap_or_default(), note, "RFC 8628 §3.2");
        // A person has no longer than policy says, however long the codes are good.
        let until = codes.expires_at.min(world.now.after(world.config.policies().consent_time));
        let codes = DeviceAuthorization { expires_at: until, ..codes };
        let waiting = Waiting::Resting(world.show(&codes));
        let DeviceAuthorization { device_code, interval, expires_at, .. } = codes;
        let polling = Polling { waiting, terms, device_code, interval, slowed: false, expires_at };
        Turn::Await(Step::Polling(Box::new(polling)))
    }
}

impl Polling {
    pub(crate) fn pending(&self) -> Pending {
        match &self.waiting {
            Waiting::Resting(pending) => *pending,
            Waiting::Asking(post) => post.pending,
        }
    }

    /// Whether the server was asked, and may answer with tokens.
    pub(crate) fn is_asking(&self) -> bool {
        matches!(&self.waiting, Waiting::Asking(post) if post.is_sent())
    }

    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let post = match self.waiting {
            Waiting::Resting(_) => return self.shown(answer),
            Waiting::Asking(post) => post,
        };
        let Self { terms, device_code, interval, slowed, expires_at, .. } = self;
        let asked = answer.retry_at(world.now);
        let rest = |world: &mut World, terms, device_code, interval: Duration, slowed| {
            let asked = asked.map(|at| at.since(world.now)).unwrap_or_default();
            let waiting = Waiting::Resting(world.rest(interval.max(asked).min(expires_at.since(world.now))));
            let polling = Self { waiting, terms, device_code, interval, slowed, expires_at };
            Turn::Await(Step::Polling(Box::new(polling)))
        };
        let (answer, carried) = match post.on(world, answer) {
            Posted::Again(post) => {
                let waiting = Waiting::Asking(post);
                let polling = Self { waiting, terms, device_code, interval, slowed, expires_at };
                return Turn::Await(Step::Polling(Box::new(polling)));
            }
            Posted::Failed(breach) => return breach.into(),
            Posted::Answered(answer, carried) => (answer, carried),
        };
        match judge(world, &terms, answer, &carried) {
            Ok((_, Polled::Pending)) => {
                let note = "the person has not decided yet: ask again after the interval";
                world.note(Verdict::Decided, note, "RFC 8628 §3.5");
                rest(world, terms, device_code, interval, false)
            }
            Ok((_, Polled::SlowDown)) => {
                world.note(Verdict::Decided, "the server wants to be asked less often", "RFC 8628 §3.5");
                // A server that raises its own interval each time stays ahead of one that keeps to the five seconds.
                let more = if slowed { interval.saturating_mul(2) } else { interval };
                rest(world, terms, device_code, slower(interval).max(more), true)
            }
            Ok((status, Polled::Token(token))) => {
                exchange::taken(world, &terms, status, &token);
                let credential = exchange::credential(world, terms, token);
                Turn::Obtained(Arc::new(credential), TokenSource::LoggedIn)
            }
            // What passes by itself is no answer; it is asked for more slowly (RFC 8628 §3.5).
            Err((Refusal::Transient | Refusal::Unknown, breach)) => {
                world.trail.breach(world.now, Verdict::PassedOver, None, None, &breach);
                let longer = interval.saturating_mul(2).min(LONGEST).max(interval);
                rest(world, terms, device_code, longer, false)
            }
            Err((_, breach)) => {
                exchange::disown_rejected(world, &terms, &breach);
                breach.into()
            }
        }
    }

    /// The time to ask has come, or no answer has.
    pub(crate) fn expired(self, world: &mut World) -> Turn {
        if world.now >= self.expires_at {
            let expected = "a decision in time";
            return Breach::new(Kind::ConsentTimedOut, "RFC 8628 §3.5", expected, "none").into();
        }
        match self.waiting {
            Waiting::Asking(_) => self.on(world, Answer::SendFailed(crate::event::SendFailure::TimedOut)),
            Waiting::Resting(_) => {
                let grant = Grant::DeviceCode { device_code: &self.device_code };
                match exchange::post(world, &self.terms, grant, POLL) {
                    Ok(post) => {
                        let polling = Self { waiting: Waiting::Asking(post), ..self };
                        Turn::Await(Step::Polling(Box::new(polling)))
                    }
                    Err(breach) => breach.into(),
                }
            }
        }
    }

    /// The code could not be shown, which is the only thing that is said while nothing is asked.
    fn shown(self, answer: Answer) -> Turn {
        match answer.unasked() {
            Some(why) => {
                Breach::new(Kind::Unasked, "RFC 8628 §3.3", "a person who can be shown a code", why).into()
            }
            None => Turn::Await(Step::Polling(Box::new(self))),
        }
    }
}

fn judge(
    world: &World,
    terms: &Terms,
    answer: Answer,
    carried: &Redaction,
) -> Result<(u16, Polled), (Refusal, Breach)> {
    let sort =
        |status, breach| (Refusal::of(status, &breach), exchange::configured(terms, carried.clear(breach)));
    let response = answer.response().map_err(|failure| sort(None, unanswered(&failure, POLL)))?;
    let shape = world.config.issuer_policy(&terms.server.named).token_shape;
    let (status, bound) = (response.status, terms.binding.is_some());
    poll(status.as_u16(), response.content_type(), &response.body, world.now, shape, bound)
        .map(|polled| (status.as_u16(), polled))
        .map_err(|breach| sort(Some(status), breach))
}
