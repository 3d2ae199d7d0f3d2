//! Awaits the store. Nobody sees success before the new tokens are kept, or known not to be.

use super::{Pending, Step, Turn, World};
use crate::credential::{Credential, Generation};
use crate::event::{self, Answer};
use crate::outcome::TokenSource;
use crate::trail::Verdict;

const CLAUSE: &str = "mcp-auth, credential store";

#[derive(Debug)]
pub(crate) struct Saving {
    pub(crate) pending: Pending,
    credential: Box<Credential>,
    source: TokenSource,
    /// Whether the store had another record than expected once already.
    again: bool,
}

pub(crate) fn begin(
    world: &mut World,
    credential: Box<Credential>,
    replaces: Option<Generation>,
    source: TokenSource,
) -> Turn {
    put(world, credential, replaces, source, false)
}

fn put(
    world: &mut World,
    credential: Box<Credential>,
    replaces: Option<Generation>,
    source: TokenSource,
    again: bool,
) -> Turn {
    let pending = world.save(credential.clone(), replaces);
    Turn::Await(Step::Saving(Box::new(Saving { pending, credential, source, again })))
}

impl Saving {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let Self { credential, source, again, .. } = self;
        let done = |credential, unsaved| Turn::Granted { credential, source, unsaved };
        match answer {
            Answer::Saved(event::Saving::Kept) => done(credential, None),
            Answer::Saved(event::Saving::Conflict(other)) if !again => {
                world.note(
                    Verdict::Decided,
                    "another record was written meanwhile; this grant is newer",
                    CLAUSE,
                );
                let replaces = other.map(|other| other.generation);
                let generation = replaces.unwrap_or_default().max(credential.generation).next();
                put(world, Box::new(Credential { generation, ..*credential }), replaces, source, true)
            }
            Answer::Saved(event::Saving::Conflict(_)) => {
                done(credential, Some("the store kept changing while the record was written".to_owned()))
            }
            Answer::Saved(event::Saving::Failed(why)) => done(credential, Some(why)),
            Answer::Found(_)
            | Answer::LoadFailed(_)
            | Answer::Response(_)
            | Answer::SendFailed(_)
            | Answer::Told(_)
            | Answer::Unasked(_) => {
                done(credential, Some("the store gave another kind of answer".to_owned()))
            }
        }
    }
}
