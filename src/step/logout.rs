//! The way out: the refresh token and the access token are revoked (RFC 7009), then the record is forgotten. What
//! cannot be done is said, and keeps nothing else from being done.

use std::sync::Arc;
use std::time::Duration;

use super::fetch::unanswered;
use super::post::{Letter, Post, Posted};
use super::world::Lease;
use super::{LATE, Pending, Step, Turn, World, exchange, restore, silence};
use crate::action::Purpose;
use crate::base::breach::{Breach, Kind};
use crate::base::redaction::Redaction;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::credential::Credential;
use crate::event::Answer;
use crate::outcome::{Ended, LoggedOut};
use crate::trail::Verdict;
use crate::wire::client::AuthMethod;
use crate::wire::revocation::{self, Hint};

const REVOCATION: &str = "RFC 7009 §2";
const STORE: &str = "mcp-auth, credential store";
/// How long whoever holds the record is left alone before it is asked for again.
const REST: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub(crate) struct LoggingOut {
    awaited: Awaited,
    held: Option<Arc<Credential>>,
    lease: Option<Lease>,
    done: LoggedOut,
}

/// What is awaited.
#[derive(Clone, Debug)]
enum Awaited {
    /// The record.
    Record { pending: Pending, give_up: Timestamp },
    /// Somebody else to let go of it.
    Rest { pending: Pending, give_up: Timestamp },
    /// The end of a token.
    Revoked { post: Box<Post>, hint: Hint },
    /// The store to forget the record.
    Forgotten(Pending),
}

/// `held` is the grant in use.
pub(crate) fn begin(world: &mut World, held: Option<Arc<Credential>>) -> Turn {
    let give_up = world.now.after(world.config.policies().exchange_time);
    let pending = world.load(true);
    let done = LoggedOut { refresh_token: Ended::Absent, access_token: Ended::Absent, record: Ended::Absent };
    Rest { held, lease: None, done }.awaiting(Awaited::Record { pending, give_up })
}

impl LoggingOut {
    pub(crate) fn pending(&self) -> Pending {
        match &self.awaited {
            Awaited::Record { pending, .. } | Awaited::Rest { pending, .. } | Awaited::Forgotten(pending) => {
                *pending
            }
            Awaited::Revoked { post, .. } => post.pending,
        }
    }

    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let Self { awaited, held, lease, done } = self;
        let rest = Rest { held, lease, done };
        match awaited {
            Awaited::Record { pending, give_up } => rest.read(world, answer, pending, give_up),
            Awaited::Rest { .. } => rest.awaiting(awaited),
            Awaited::Revoked { post, hint } => match post.on(world, answer) {
                Posted::Again(post) => rest.awaiting(Awaited::Revoked { post, hint }),
                Posted::Failed(breach) => rest.revoked(world, hint, Ended::Not(breach)),
                Posted::Answered(answer, carried) => {
                    let ended = rest.judge(world, answer, &carried);
                    rest.revoked(world, hint, ended)
                }
            },
            Awaited::Forgotten(_) => rest.forgotten(world, answer),
        }
    }

    /// No answer in time, or the rest is over. What nobody has asked the store in time it is asked once more.
    pub(crate) fn expired(self, world: &mut World, was_asked: bool) -> Turn {
        match self.awaited {
            Awaited::Record { .. } if was_asked => self.on(world, Answer::LoadFailed(LATE.to_owned())),
            Awaited::Record { give_up, .. } | Awaited::Rest { give_up, .. } => {
                let pending = world.load(true);
                self.awaiting(Awaited::Record { pending, give_up })
            }
            Awaited::Revoked { .. } => self.on(world, Answer::SendFailed(silence(was_asked))),
            Awaited::Forgotten(_) if was_asked => self.on(world, Answer::Forgotten(Err(LATE.to_owned()))),
            Awaited::Forgotten(_) => {
                let Self { held, lease, done, .. } = self;
                Rest { held, lease, done }.forget(world)
            }
        }
    }

    fn awaiting(self, awaited: Awaited) -> Turn {
        Turn::Await(Step::LoggingOut(Box::new(Self { awaited, ..self })))
    }
}

/// A logout between two waits.
struct Rest {
    held: Option<Arc<Credential>>,
    lease: Option<Lease>,
    done: LoggedOut,
}

impl Rest {
    fn awaiting(self, awaited: Awaited) -> Turn {
        let Self { held, lease, done } = self;
        Turn::Await(Step::LoggingOut(Box::new(LoggingOut { awaited, held, lease, done })))
    }

    fn read(mut self, world: &mut World, answer: Answer, pending: Pending, give_up: Timestamp) -> Turn {
        match answer.found() {
            Some(Ok((found, exclusive))) => {
                self.lease = if exclusive { world.leased(pending.id) } else { None };
                world.stands(found.as_ref().map(|found| found.generation));
                let newer = |found: &Credential| {
                    self.held.as_ref().is_none_or(|held| held.generation < found.generation)
                };
                if let Some(found) = found.filter(newer).and_then(|found| restore::adopt(world, found)) {
                    self.held = Some(Arc::new(found));
                }
            }
            Some(Err(why)) => self.done.record = not("a record, or none", &why),
            None if world.now < give_up => {
                let pending = world.rest(REST);
                return self.awaiting(Awaited::Rest { pending, give_up });
            }
            None => {
                // Whoever holds it may be spending the refresh token. Revoking its grant ends what comes of that too.
                world.note(Verdict::Decided, "somebody else holds the record, and is not waited for", STORE);
                world.stands(self.held.as_ref().map(|held| held.generation));
                // Where a grant is in use its record is forgotten, held or not. Of any other nothing is known.
                let (expected, got) = ("a record that can be held", "one that somebody else holds");
                self.done.record = Ended::Not(Breach::new(Kind::StoreBusy, STORE, expected, got));
            }
        }
        let token = self.held.as_ref().and_then(|held| held.refresh_token.clone());
        self.revoke(world, token, Hint::RefreshToken)
    }

    fn revoke(self, world: &mut World, token: Option<Secret>, hint: Hint) -> Turn {
        match token.map(|token| self.post(world, &token, hint)) {
            Some(Ok(post)) => self.awaiting(Awaited::Revoked { post, hint }),
            Some(Err(breach)) => self.revoked(world, hint, Ended::Not(breach)),
            None => self.revoked(world, hint, Ended::Absent),
        }
    }

    /// The refresh token is revoked, or not; then the access token is; then the record goes.
    fn revoked(mut self, world: &mut World, hint: Hint, ended: Ended) -> Turn {
        match hint {
            Hint::RefreshToken => {
                self.done.refresh_token = ended;
                let live = self.held.as_ref().filter(|held| held.is_unexpired(world.now));
                let token = live.map(|held| held.access_token.clone());
                self.revoke(world, token, Hint::AccessToken)
            }
            Hint::AccessToken => {
                self.done.access_token = ended;
                self.forget(world)
            }
        }
    }

    fn forget(self, world: &mut World) -> Turn {
        match world.record {
            Some(generation) => {
                let pending = world.forget(generation);
                self.awaiting(Awaited::Forgotten(pending))
            }
            None => self.end(world),
        }
    }

    fn forgotten(mut self, world: &mut World, answer: Answer) -> Turn {
        self.done.record = match answer.forgotten() {
            Ok(true) => {
                world.stands(None);
                Ended::Ended
            }
            Ok(false) => not("the record that was read", "another one, which was left alone"),
            Err(why) => not("a record that is forgotten", &why),
        };
        self.end(world)
    }

    fn end(self, world: &mut World) -> Turn {
        world.release(self.lease);
        Turn::LoggedOut(Box::new(self.done))
    }

    fn post(&self, world: &mut World, token: &Secret, hint: Hint) -> Result<Box<Post>, Breach> {
        let none = || Breach::new(Kind::Unsupported, REVOCATION, "a revocation endpoint", "none");
        let held = self.held.as_ref().ok_or_else(none)?;
        if held.client.method == AuthMethod::PrivateKeyJwt && !world.has_proven(held) {
            // The tokens are the record's; the assertion would not be.
            let expected =
                "an endpoint on the issuer's own origin, or one that was read in this run, to sign for";
            return Err(Breach::new(
                Kind::UrlRefused,
                REVOCATION,
                expected,
                "one that only the record names",
            ));
        }
        let url = held.authorization_server.revocation_endpoint.as_ref().ok_or_else(none)?;
        let letter = Letter {
            purpose: Purpose::Revocation,
            to: world.judge(url, REVOCATION)?,
            clause: REVOCATION,
            issuer: held.authorization_server.issuer.clone(),
            client: exchange::presented(world, &held.authorization_server, &held.client),
            parameters: revocation::parameters(token, hint),
            binding: None,
        };
        Post::begin(world, letter)
    }

    fn judge(&self, world: &mut World, answer: Answer, carried: &Redaction) -> Ended {
        let held = self.held.as_deref();
        let url =
            held.and_then(|held| held.authorization_server.revocation_endpoint.clone()).unwrap_or_default();
        let (status, judged) = match answer.response() {
            Ok(response) => {
                (Some(response.status.as_u16()), revocation::judge(response.status.as_u16(), &response.body))
            }
            Err(failure) => (None, Err(unanswered(&failure, REVOCATION))),
        };
        match judged {
            Ok(()) => {
                world.taken(&url, status.unwrap_or_default(), "the token is revoked", REVOCATION);
                Ended::Ended
            }
            Err(breach) => {
                let breach = carried.clear(breach);
                world.passed_over(&url, status, &breach);
                Ended::Not(breach)
            }
        }
    }
}

fn not(expected: &str, got: &str) -> Ended {
    Ended::Not(Breach::new(Kind::StoreFailed, STORE, expected, got))
}
