//! The store that all processes share: exclusive loads with leases, compare-and-swap, forget if unchanged.

use std::hash::{Hash, Hasher};
use std::rc::Rc;

use mcp_auth::{Credential, Forget, Load, RequestId, Save, Saving};

use crate::server::number;

/// Whose load took the record: the process, how often it was started before, and the load.
pub(crate) type Holder = (usize, u8, RequestId);

#[derive(Clone, Debug, Hash)]
pub(crate) struct Lease {
    pub(crate) holder: Holder,
    pub(crate) until: u64,
}

/// What the store can do, so that it can be shown what each of it is good for.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Means {
    pub(crate) leases: bool,
    pub(crate) compares: bool,
    pub(crate) releases: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) record: Option<Rc<Credential>>,
    pub(crate) lease: Option<Lease>,
    pub(crate) means: Means,
}

/// What the store said.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Found(Option<Rc<Credential>>),
    Busy,
    Failed,
    Kept,
    Conflict(Option<Rc<Credential>>),
    Forgotten(bool),
}

impl Store {
    pub(crate) fn load(&mut self, now: u64, load: &Load, holder: Holder) -> Said {
        if let Some(span) = load.exclusive().filter(|_| self.means.leases) {
            if self.lease.as_ref().is_some_and(|lease| now < lease.until && lease.holder != holder) {
                return Said::Busy;
            }
            self.lease = Some(Lease { holder, until: now + span.as_secs() });
        }
        Said::Found(self.record.clone())
    }

    pub(crate) fn release(&mut self, holder: Holder) {
        if self.means.releases {
            self.lease.take_if(|lease| lease.holder == holder);
        }
    }

    pub(crate) fn put(&mut self, save: &Save) -> Said {
        let there = self.record.as_ref().map(|record| record.generation);
        if self.means.compares && there != save.replaces() {
            return Said::Conflict(self.record.clone());
        }
        self.record = Some(Rc::new(save.credential().clone()));
        Said::Kept
    }

    pub(crate) fn forget(&mut self, forget: &Forget) -> Said {
        let there = self.record.as_ref().map(|record| record.generation);
        let same = there == Some(forget.generation());
        if same || !self.means.compares {
            self.record = None;
        }
        Said::Forgotten(same || there.is_none())
    }
}

/// The refresh token of a record.
pub(crate) fn refresh_of(record: Option<&Rc<Credential>>) -> Option<usize> {
    record.and_then(|record| record.refresh_token.as_ref()).map(|token| number(token.expose()))
}

impl Said {
    pub(crate) fn saving(&self) -> Saving {
        match self {
            Self::Kept => Saving::Kept,
            Self::Conflict(other) => Saving::Conflict(other.as_deref().cloned().map(Box::new)),
            _ => Saving::Failed("the disk is full".to_owned()),
        }
    }
}

fn mark(record: Option<&Rc<Credential>>) -> impl Hash {
    record.map(|it| {
        let refresh = it.refresh_token.as_ref().map(|token| number(token.expose()));
        let access = number(it.access_token.expose());
        (it.generation, refresh, access, it.expires_at, it.obtained_at, number(&it.client.id))
    })
}

impl Hash for Store {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (mark(self.record.as_ref()), &self.lease).hash(state);
    }
}

impl Hash for Said {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Found(record) | Self::Conflict(record) => mark(record.as_ref()).hash(state),
            Self::Forgotten(gone) => gone.hash(state),
            Self::Busy | Self::Failed | Self::Kept => {}
        }
    }
}
