//! Where credentials are kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mcp_auth::{Credential, Generation, Key, Saving};

/// Where credentials are kept. Called on a thread where blocking is allowed. The texts of its errors go into failures
/// and must hold no secret.
pub trait Store: Send + Sync + 'static {
    /// The record under `key`, if there is one.
    fn load(&self, key: &Key) -> Result<Option<Credential>, String>;

    /// Writes the record, if what stands there is of the generation `replaces` (`None`: nothing stands there).
    /// Otherwise writes nothing and answers [`Saving::Conflict`] with what stands there. Reading, comparing and
    /// writing are one step to every other user of the store.
    fn put(&self, key: &Key, credential: &Credential, replaces: Option<Generation>) -> Saving;
}

/// A store that forgets everything with the process. Clones share their records.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    records: Arc<Mutex<BTreeMap<Key, Credential>>>,
}

impl Store for MemoryStore {
    fn load(&self, key: &Key) -> Result<Option<Credential>, String> {
        Ok(self.records.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn put(&self, key: &Key, credential: &Credential, replaces: Option<Generation>) -> Saving {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let found = records.get(key);
        if found.map(|found| found.generation) != replaces {
            return Saving::Conflict(found.cloned().map(Box::new));
        }
        records.insert(key.clone(), credential.clone());
        Saving::Kept
    }
}
