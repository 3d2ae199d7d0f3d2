//! A store in which the record of before is not seen, so that a login begins anew; it stands until there is another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mcp_auth::{Credential, Generation, Key, Saving};
use mcp_auth_reqwest::{Lease, Store};

pub(super) struct Anew {
    store: Arc<dyn Store>,
    /// There is another.
    written: AtomicBool,
}

impl Anew {
    pub(super) fn over(store: Arc<dyn Store>) -> Self {
        Self { store, written: AtomicBool::new(false) }
    }

    fn is_new(&self) -> bool {
        self.written.load(Ordering::SeqCst)
    }
}

impl Store for Anew {
    fn load(&self, key: &Key) -> Result<Option<Credential>, String> {
        if self.is_new() { self.store.load(key) } else { Ok(None) }
    }

    fn lease(&self, key: &Key, span: Duration, patience: Duration) -> Result<Option<Lease>, String> {
        self.store.lease(key, span, patience)
    }

    fn put(&self, key: &Key, credential: &Credential, replaces: Option<Generation>) -> Saving {
        let replaces = match replaces {
            None if !self.is_new() => match self.store.load(key) {
                Ok(found) => found.map(|found| found.generation),
                Err(why) => return Saving::Failed(why),
            },
            replaces => replaces,
        };
        let saved = self.store.put(key, credential, replaces);
        if matches!(saved, Saving::Kept) {
            self.written.store(true, Ordering::SeqCst);
        }
        saved
    }

    fn forget(&self, key: &Key, generation: Generation) -> Result<bool, String> {
        self.store.forget(key, generation)
    }
}
