//! A store in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mcp_auth::{Credential, Generation, Key, Saving};

use crate::{Lease, Store};

/// A store that forgets everything with the process. Clones share their records and leases.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    records: Mutex<BTreeMap<Key, Credential>>,
    leases: Mutex<Leases>,
    /// A lease was given back.
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Leases {
    held: BTreeMap<Key, Held>,
    /// How many there have been; tells a holder whose lease has ended from the next one.
    count: u64,
}

#[derive(Debug)]
struct Held {
    number: u64,
    /// `None`: at a moment that the clock cannot express.
    ends: Option<Instant>,
}

/// No step leaves half of its work behind a panic, so what a poisoned lock guards is sound.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for MemoryStore {
    fn load(&self, key: &Key) -> Result<Option<Credential>, String> {
        Ok(locked(&self.shared.records).get(key).cloned())
    }

    fn lease(&self, key: &Key, span: Duration, patience: Duration) -> Result<Option<Lease>, String> {
        let began = Instant::now();
        let mut leases = locked(&self.shared.leases);
        loop {
            let now = Instant::now();
            // Until when the present holder may keep others waiting.
            let held =
                leases.held.get(key).map(|held| held.ends.map(|ends| ends.saturating_duration_since(now)));
            if held.is_none_or(|left| left == Some(Duration::ZERO)) {
                leases.count += 1;
                let number = leases.count;
                leases.held.insert(key.clone(), Held { number, ends: now.checked_add(span) });
                let shared = Arc::clone(&self.shared);
                return Ok(Some(Lease::new(Holding { shared, key: key.clone(), number })));
            }
            let left = patience.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            let nap = held.flatten().map_or(left, |ends| ends.min(left));
            let woken = self.shared.freed.wait_timeout(leases, nap);
            leases = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn put(&self, key: &Key, credential: &Credential, replaces: Option<Generation>) -> Saving {
        let mut records = locked(&self.shared.records);
        let found = records.get(key);
        if found.map(|found| found.generation) != replaces {
            return Saving::Conflict(found.cloned().map(Box::new));
        }
        records.insert(key.clone(), credential.clone());
        Saving::Kept
    }

    fn forget(&self, key: &Key, generation: Generation) -> Result<bool, String> {
        let mut records = locked(&self.shared.records);
        if records.get(key).is_some_and(|found| found.generation != generation) {
            return Ok(false);
        }
        records.remove(key);
        Ok(true)
    }
}

/// What a lease holds.
struct Holding {
    shared: Arc<Shared>,
    key: Key,
    number: u64,
}

impl Drop for Holding {
    fn drop(&mut self) {
        let mut leases = locked(&self.shared.leases);
        if leases.held.get(&self.key).is_some_and(|held| held.number == self.number) {
            leases.held.remove(&self.key);
            self.shared.freed.notify_all();
        }
    }
}
