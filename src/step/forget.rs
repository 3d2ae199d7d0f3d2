//! Awaits the store, which is to forget a record whose client is dead.

use super::world::Lease;
use super::{Aim, Pending, Step, Turn, World, restore};
use crate::event::Answer;
use crate::trail::Verdict;

const CLAUSE: &str = "mcp-auth, credential store";

#[derive(Clone, Debug)]
pub(crate) struct Forgetting {
    pub(crate) pending: Pending,
    aim: Aim,
    lease: Option<Lease>,
}

impl Forgetting {
    pub(crate) fn begin(world: &mut World, aim: Aim, lease: Option<Lease>) -> Turn {
        let Some(held) = aim.held.as_ref().filter(|held| world.record == Some(held.generation)) else {
            return restore::decide(world, aim, lease);
        };
        let pending = world.forget(held.generation);
        Turn::Await(Step::Forgetting(Box::new(Self { pending, aim, lease })))
    }

    /// The store, which was not asked in time, is asked once more.
    pub(crate) fn again(self, world: &mut World) -> Turn {
        let Self { aim, lease, .. } = self;
        Self::begin(world, aim, lease)
    }

    /// Whatever the store says, this record is not used again. One that somebody has written meanwhile is taken, be it of the
    /// same client: a person whose grant lives is not asked for another.
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        match answer.forgotten() {
            Ok(true) => {
                world.stands(None);
                world.note(Verdict::Decided, "the client is dead, and its record is forgotten", CLAUSE);
            }
            Ok(false) => {
                world.note(Verdict::Decided, "another record was written meanwhile", CLAUSE);
                return restore::give_way(world, self.aim, self.lease);
            }
            Err(why) => world.note(Verdict::Decided, format!("the record is not forgotten: {why}"), CLAUSE),
        }
        restore::decide(world, self.aim, self.lease)
    }
}
