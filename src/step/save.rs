//! Awaits the store. Nobody sees success before the new tokens are kept, or known not to be.

use std::sync::Arc;
use std::time::Duration;

use super::world::Lease;
use super::{Aim, Pending, Step, Turn, World, restore};
use crate::base::time::Timestamp;
use crate::credential::{Credential, Generation};
use crate::event::{self, Answer};
use crate::outcome::TokenSource;
use crate::trail::Verdict;

const CLAUSE: &str = "mcp-auth, credential store";
/// How often a login's record is written over others that were written meanwhile.
const MAX_TRIES: u8 = 3;
/// How long a store that failed is left alone.
const REST: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub(crate) struct Saving {
    pub(crate) pending: Pending,
    credential: Arc<Credential>,
    after: After,
    lease: Option<Lease>,
    /// The record that was to be replaced, or the one that the new one came of, whichever is newer.
    before: Option<Generation>,
    tries: u8,
}

/// Why the store does not have the grant.
#[derive(Clone, Debug)]
pub(crate) struct Unsaved {
    pub(crate) why: String,
    /// When it is offered to the store again; never, if a record of something else stands there.
    pub(crate) again_at: Option<Timestamp>,
    /// A record above this one is somebody's later work.
    pub(crate) over: Option<Generation>,
}

/// What the record is written for.
#[derive(Clone, Debug)]
pub(crate) enum After {
    /// A new grant: it is newer than any other.
    Obtained(TokenSource),
    /// A renewal whose request was sent then. Somebody else's record, if there is one, is as good or better, unless its
    /// tokens were obtained before: a server that took the refresh token after that may have ended them.
    Renewed { aim: Box<Aim>, sent: Timestamp },
    /// The grant is dead, and the record loses its refresh token. Then it is seen what it is good for.
    Buried(Box<Aim>),
    /// What the store did not keep before. Then it is seen what it is good for.
    Offered(Box<Aim>),
}

impl After {
    /// Whether the record is a new one: a generation names one state of it.
    fn is_new(&self) -> bool {
        !matches!(self, Self::Offered(_))
    }
}

pub(crate) fn begin(
    world: &mut World,
    mut credential: Arc<Credential>,
    after: After,
    lease: Option<Lease>,
) -> Turn {
    let came_of = Some(credential.generation).filter(|_| after.is_new());
    let before = world.record.max(came_of);
    let pending = world.save(&mut credential, after.is_new());
    Turn::Await(Step::Saving(Box::new(Saving { pending, credential, after, lease, before, tries: 1 })))
}

/// New tokens that nobody has written.
pub(crate) fn unsaved(world: &mut World, mut credential: Arc<Credential>, source: TokenSource) -> Turn {
    world.number(Arc::make_mut(&mut credential));
    let over = Some(credential.generation);
    let unsaved = Some(Box::new(Unsaved { why: GONE.to_owned(), again_at: Some(world.now), over }));
    Turn::Granted { credential, source, unsaved }
}

/// Whether a record that stands there is later work than what is held, which came of the record `over`. One that lost
/// its refresh token, because somebody spent one that was used already, does not take the place of one that has it.
pub(crate) fn supersedes(found: &Credential, held: &Credential, over: Option<Generation>) -> bool {
    Some(found.generation) > over && (found.refresh_token.is_some() || held.refresh_token.is_none())
}

const GONE: &str = "whoever was to write it is gone";

impl Saving {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        match answer.saved() {
            event::Saving::Kept => {
                world.stands(Some(self.credential.generation));
                self.done(world, None)
            }
            event::Saving::Conflict(other) => {
                world.stands(other.as_ref().map(|other| other.generation));
                self.conflict(world, other)
            }
            event::Saving::Failed(why) => {
                let again_at = Some(world.now.after(REST));
                self.unsaved(world, why, again_at)
            }
        }
    }

    /// The store, which was not asked in time, is asked once more.
    pub(crate) fn again(mut self, world: &mut World) -> Turn {
        let pending = world.save(&mut self.credential, false);
        Turn::Await(Step::Saving(Box::new(Self { pending, ..self })))
    }

    /// The tokens, if they are new, and that nobody knows whether they are kept. The record is not let go: while the
    /// store may not have them, nobody else should spend what it has.
    pub(crate) fn abandon(mut self, world: &mut World) -> Turn {
        self.lease = None;
        match self.after {
            After::Obtained(_) | After::Renewed { .. } => {
                let now = Some(world.now);
                self.unsaved(world, GONE.to_owned(), now)
            }
            After::Buried(_) | After::Offered(_) => Turn::Anonymous,
        }
    }

    fn unsaved(self, world: &mut World, why: String, again_at: Option<Timestamp>) -> Turn {
        world.note(Verdict::Decided, format!("the store does not have the new record: {why}"), CLAUSE);
        let is_login = matches!(self.after, After::Obtained(_));
        let over = if is_login { Some(self.credential.generation) } else { self.before };
        self.done(world, Some(Box::new(Unsaved { why, again_at, over })))
    }

    fn done(self, world: &mut World, unsaved: Option<Box<Unsaved>>) -> Turn {
        let Self { credential, after, lease, .. } = self;
        let source = match after {
            After::Obtained(source) => source,
            After::Renewed { .. } => TokenSource::Refreshed,
            After::Buried(aim) | After::Offered(aim) => {
                return restore::decide(world, Aim { held: Some(credential), unsaved, ..*aim }, lease);
            }
        };
        world.release(lease);
        Turn::Granted { credential, source, unsaved }
    }

    fn conflict(mut self, world: &mut World, other: Option<Box<Credential>>) -> Turn {
        // A store that lost the record gets it again, one that fell back to an older record too; and a login is newer
        // than whatever was written meanwhile.
        let sent = if let After::Renewed { sent, .. } = self.after { sent } else { Timestamp::default() };
        let newer = |other: &Credential| {
            other.obtained_at >= sent && supersedes(other, &self.credential, self.before)
        };
        let newer = other.as_deref().is_some_and(newer);
        if !newer || matches!(self.after, After::Obtained(_)) {
            if self.tries >= MAX_TRIES {
                let why = "the store kept changing while the record was written".to_owned();
                let again_at = Some(world.now.after(REST));
                return self.unsaved(world, why, again_at);
            }
            world.note(Verdict::Decided, "another record stood there; this grant is newer", CLAUSE);
            // What the new tokens came of stays what it was, whatever the store says now.
            self.before = self.before.max(world.record);
            let pending = world.save(&mut self.credential, self.after.is_new());
            let tries = self.tries.saturating_add(1);
            return Turn::Await(Step::Saving(Box::new(Self { pending, tries, ..self })));
        }
        let Some(winner) = other.and_then(|other| restore::adopt(world, *other)) else {
            return self.unsaved(world, "a record of something else stands there".to_owned(), None);
        };
        match self.after {
            After::Renewed { aim, .. } | After::Buried(aim) | After::Offered(aim) => {
                world.note(Verdict::Decided, "another process was faster; its record is taken", CLAUSE);
                let aim = Aim { held: Some(Arc::new(winner)), unsaved: None, ..*aim };
                restore::take(world, aim, self.lease)
            }
            After::Obtained(_) => Turn::Anonymous,
        }
    }
}
