//! Where credentials are kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mcp_auth::{Credential, Generation, Key, Saving};

/// Keeps credentials. Calls come from a thread that may block. Error texts go into failures and must hold no secret.
pub trait Store: Send + Sync + 'static {
    /// The record under `key`, if there is one.
    fn load(&self, key: &Key) -> Result<Option<Credential>, String>;

    /// Writes a record, if the one that stands there has the generation that it replaces; `None`: if none stands
    /// there. Otherwise nothing is written and the answer is [`Saving::Conflict`].
    fn put(&self, key: &Key, credential: &Credential, replaces: Option<Generation>) -> Saving;
}

/// Keeps credentials in memory, for as long as it lives. Clones share what is kept.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<BTreeMap<Key, Credential>>>);

impl Store for MemoryStore {
    fn load(&self, key: &Key) -> Result<Option<Credential>, String> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn put(&self, key: &Key, credential: &Credential, replaces: Option<Generation>) -> Saving {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = records.get(key);
        if there.map(|there| there.generation) != replaces {
            return Saving::Conflict(there.cloned().map(Box::new));
        }
        records.insert(key.clone(), credential.clone());
        Saving::Kept
    }
}
