//! What is asked of the store.

use std::sync::Arc;
use std::time::Duration;

use crate::base::time::Timestamp;
use crate::credential::{Credential, Generation, Key};
use crate::event::{Answer, Event, Reply, RequestId, Saving};

/// Read a credential from the store.
///
/// One that [`exclusive`](Self::exclusive) asks for comes before a refresh token is spent. A store that several
/// processes share must give it to one of them at a time, until [`Action::Release`](crate::Action::Release): two
/// that spend one rotating token lose the grant. A store of one process has nothing to do.
#[derive(Clone, Debug)]
pub struct Load {
    pub(crate) id: RequestId,
    pub(crate) key: Key,
    pub(crate) exclusive: Option<Duration>,
    pub(crate) deadline: Timestamp,
}

impl Load {
    /// What the credential is kept under.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Names this request; [`Release::load`] names it again.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Whether the record is wanted exclusively, and for how long at most: whoever has not released it by then is dead
    /// or hangs, and the next may have it.
    pub fn exclusive(&self) -> Option<Duration> {
        self.exclusive
    }

    /// When the machine stops waiting for the answer.
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// The store answered: with a record, or with none. If the record was wanted exclusively, it is held now.
    pub fn reply(&self, found: Option<Credential>) -> Event {
        let answer = match self.exclusive {
            None => Answer::Found(found.map(Box::new)),
            Some(_) => Answer::Leased(found.map(Box::new)),
        };
        Event::Replied(Reply { id: self.id, answer })
    }

    /// Somebody else holds the record. The machine asks again a second later.
    pub fn busy(&self) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Busy })
    }

    /// The store failed. `why` goes into the failure and must hold no secret.
    pub fn fail(&self, why: impl Into<String>) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::LoadFailed(why.into()) })
    }
}

/// Write a credential to the store, if what stands there is what this one replaces.
#[derive(Clone, Debug)]
pub struct Save {
    pub(crate) id: RequestId,
    pub(crate) key: Key,
    pub(crate) credential: Arc<Credential>,
    pub(crate) replaces: Option<Generation>,
    pub(crate) deadline: Timestamp,
}

impl Save {
    /// What the credential is kept under.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The record to write.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The generation of the record that this one replaces; `None` where there is none. A store that finds
    /// another generation writes nothing and answers [`Saving::Conflict`].
    pub fn replaces(&self) -> Option<Generation> {
        self.replaces
    }

    /// When the machine stops waiting for the answer, and takes the record for
    /// [unsaved](crate::outcome::Authorized::unsaved).
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// The store answered.
    pub fn reply(&self, saving: Saving) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Saved(saving) })
    }
}

/// Delete a credential from the store, if it is still the one that the machine knows.
#[derive(Clone, Debug)]
pub struct Forget {
    pub(crate) id: RequestId,
    pub(crate) key: Key,
    pub(crate) generation: Generation,
    pub(crate) deadline: Timestamp,
}

impl Forget {
    /// What the credential is kept under.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The generation of the record to delete. A store that finds another one leaves it alone.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// When the machine stops waiting for the answer.
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// The store answered: whether nothing stands there now.
    pub fn reply(&self, gone: bool) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Forgotten(Ok(gone)) })
    }

    /// The store failed. `why` goes into the outcome and must hold no secret.
    pub fn fail(&self, why: impl Into<String>) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Forgotten(Err(why.into())) })
    }
}

/// Let go of the record that an exclusive [`Load`] took.
#[derive(Clone, Debug)]
pub struct Release {
    pub(crate) load: RequestId,
    pub(crate) key: Key,
}

impl Release {
    /// What the credential is kept under.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The [`Load`] that took it.
    pub fn load(&self) -> RequestId {
        self.load
    }
}
