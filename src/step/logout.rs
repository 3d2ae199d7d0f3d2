//! The way out: the refresh token and the access token are revoked (RFC 7009), then the record is forgotten. What
//! cannot be done is said, and keeps nothing else from being done.

use std::time::Duration;

use super::fetch::unanswered;
use super::world::{Lease, Order};
use super::{Pending, Step, Turn, World, restore};
use crate::action::Purpose;
use crate::base::breach::{Breach, Kind};
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::credential::{Credential, Generation};
use crate::event::Answer;
use crate::outcome::{Ended, LoggedOut};
use crate::trail::Verdict;
use crate::wire::revocation::{self, Hint, RevocationRequest};

const REVOCATION: &str = "RFC 7009 §2";
const STORE: &str = "mcp-auth, credential store";
/// How long whoever holds the record is left alone before it is asked for again.
const REST: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub(crate) struct LoggingOut {
    pub(crate) pending: Pending,
    awaited: Awaited,
    held: Option<Box<Credential>>,
    lease: Option<Lease>,
    done: LoggedOut,
}

/// What is awaited.
#[derive(Clone, Copy, Debug)]
enum Awaited {
    /// The record.
    Record {
        give_up: Timestamp,
    },
    /// Somebody else to let go of it.
    Rest {
        give_up: Timestamp,
    },
    RefreshToken,
    AccessToken,
    /// The store to forget the record.
    Forgotten,
}

/// `held` is the grant in use.
pub(crate) fn begin(world: &mut World, held: Option<Box<Credential>>) -> Turn {
    let give_up = world.now.after(world.config.policies().exchange_time);
    let pending = world.load(true);
    let done = LoggedOut { refresh_token: Ended::Absent, access_token: Ended::Absent, record: Ended::Absent };
    let awaited = Awaited::Record { give_up };
    Turn::Await(Step::LoggingOut(Box::new(LoggingOut { pending, awaited, held, lease: None, done })))
}

impl LoggingOut {
    pub(crate) fn on(mut self, world: &mut World, answer: Answer) -> Turn {
        match self.awaited {
            Awaited::Record { give_up } => self.read(world, answer, give_up),
            Awaited::Rest { .. } => Turn::Await(Step::LoggingOut(Box::new(self))),
            Awaited::RefreshToken => {
                self.done.refresh_token = judge(world, self.held.as_deref(), answer);
                self.revoke_access_token(world)
            }
            Awaited::AccessToken => {
                self.done.access_token = judge(world, self.held.as_deref(), answer);
                self.forget(world)
            }
            Awaited::Forgotten => {
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
        }
    }

    pub(crate) fn expired(mut self, world: &mut World, late: &str) -> Turn {
        match self.awaited {
            Awaited::Record { .. } => self.on(world, Answer::LoadFailed(late.to_owned())),
            Awaited::Rest { give_up } => {
                self.pending = world.load(true);
                self.awaited = Awaited::Record { give_up };
                Turn::Await(Step::LoggingOut(Box::new(self)))
            }
            Awaited::RefreshToken | Awaited::AccessToken => {
                self.on(world, Answer::SendFailed(crate::event::SendFailure::TimedOut))
            }
            Awaited::Forgotten => self.on(world, Answer::Forgotten(Err(late.to_owned()))),
        }
    }

    fn read(mut self, world: &mut World, answer: Answer, give_up: Timestamp) -> Turn {
        let id = self.pending.id;
        match answer.found() {
            Some(Ok((found, exclusive))) => {
                self.lease = if exclusive { world.leased(id) } else { None };
                world.stands(found.as_ref().map(|found| found.generation));
                let newer = |found: &Credential| {
                    self.held.as_ref().is_none_or(|held| held.generation < found.generation)
                };
                if let Some(found) = found.filter(newer).and_then(|found| restore::adopt(world, found)) {
                    self.held = Some(Box::new(found));
                }
            }
            Some(Err(why)) => self.done.record = not("a record, or none", &why),
            None if world.now < give_up => {
                self.pending = world.rest(REST);
                self.awaited = Awaited::Rest { give_up };
                return Turn::Await(Step::LoggingOut(Box::new(self)));
            }
            None => {
                // Whoever holds it may be spending the refresh token. Revoking its grant ends what comes of that too.
                world.note(Verdict::Decided, "somebody else holds the record, and is not waited for", STORE);
                world.stands(self.held.as_ref().map(|held| held.generation));
            }
        }
        self.revoke_refresh_token(world)
    }

    fn revoke_refresh_token(mut self, world: &mut World) -> Turn {
        let token = self.held.as_ref().and_then(|held| held.refresh_token.clone());
        match token.map(|token| self.send(world, &token, Hint::RefreshToken)) {
            Some(Ok(pending)) => self.awaiting(pending, Awaited::RefreshToken),
            Some(Err(breach)) => {
                self.done.refresh_token = Ended::Not(breach);
                self.revoke_access_token(world)
            }
            None => self.revoke_access_token(world),
        }
    }

    fn revoke_access_token(mut self, world: &mut World) -> Turn {
        let live = self.held.as_deref().filter(|held| held.is_unexpired(world.now));
        let token = live.map(|held| held.access_token.clone());
        match token.map(|token| self.send(world, &token, Hint::AccessToken)) {
            Some(Ok(pending)) => self.awaiting(pending, Awaited::AccessToken),
            Some(Err(breach)) => {
                self.done.access_token = Ended::Not(breach);
                self.forget(world)
            }
            None => self.forget(world),
        }
    }

    fn forget(self, world: &mut World) -> Turn {
        let known: Option<Generation> = world.record;
        match known {
            Some(generation) => {
                let pending = world.forget(generation);
                self.awaiting(pending, Awaited::Forgotten)
            }
            None => self.end(world),
        }
    }

    fn end(self, world: &mut World) -> Turn {
        world.release(self.lease);
        Turn::LoggedOut(Box::new(self.done))
    }

    fn awaiting(mut self, pending: Pending, awaited: Awaited) -> Turn {
        (self.pending, self.awaited) = (pending, awaited);
        Turn::Await(Step::LoggingOut(Box::new(self)))
    }

    fn send(&self, world: &mut World, token: &Secret, hint: Hint) -> Result<Pending, Breach> {
        let none = || Breach::new(Kind::Unsupported, REVOCATION, "a revocation endpoint", "none");
        let held = self.held.as_ref().ok_or_else(none)?;
        let url = held.authorization_server.revocation_endpoint.as_deref().ok_or_else(none)?;
        let message = RevocationRequest { token, hint, client: &held.client }.build();
        world.send(Order {
            purpose: Purpose::Revocation,
            url,
            clause: REVOCATION,
            authorization: message.authorization.as_ref(),
            content: Some(("application/x-www-form-urlencoded", message.body)),
        })
    }
}

fn judge(world: &mut World, held: Option<&Credential>, answer: Answer) -> Ended {
    let url = held.and_then(|held| held.authorization_server.revocation_endpoint.clone()).unwrap_or_default();
    let (status, judged) = match answer.response() {
        Ok(response) => {
            (Some(response.status.as_u16()), revocation::judge(response.status.as_u16(), &response.body))
        }
        Err(failure) => (None, Err(unanswered(&failure, REVOCATION))),
    };
    match judged {
        Ok(()) => {
            world.taken(&url, status.unwrap_or_default(), "the token is revoked".to_owned(), REVOCATION);
            Ended::Ended
        }
        Err(breach) => {
            world.passed_over(&url, status, &breach);
            Ended::Not(breach)
        }
    }
}

fn not(expected: &str, got: &str) -> Ended {
    Ended::Not(Breach::new(Kind::StoreFailed, STORE, expected, got))
}
