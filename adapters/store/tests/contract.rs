//! The contract holds for both stores, and is broken by each store that is wrong in one way.

mod support;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mcp_auth::{Credential, Generation, Key, Saving};
use mcp_auth_store::{FileStore, Lease, MemoryStore, Store, contract};
use support::Place;

#[test]
fn the_memory_store_keeps_the_contract() {
    contract::check(|| {
        let store = MemoryStore::default();
        (store.clone(), store)
    });
}

#[test]
fn a_shared_store_keeps_the_contract() {
    contract::check(|| {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        (Arc::clone(&store), store)
    });
}

#[test]
fn the_file_store_keeps_the_contract() {
    let place = Place::new();
    let mut count = 0;
    contract::check(|| {
        count += 1;
        let directory = place.path().join(count.to_string());
        (FileStore::new(&directory).unwrap(), FileStore::new(&directory).unwrap())
    });
    assert!(count > 10);
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// Writes whatever stands there.
    Overwrites,
    /// Writes, and says that it did not.
    WritesAtConflict,
    /// Does not say what stands there.
    HidesTheWinner,
    /// Writes a record that is to replace one where none is.
    CreatesWhatIsGone,
    /// Reads, compares and writes in three steps.
    NotAtomic,
    /// Loses a field.
    LosesTheRefreshToken,
    /// Deletes whatever stands there.
    ForgetsAll,
    /// Says of a record that was left alone that it is gone.
    ForgetsInWords,
    /// Says of nothing that it was left alone.
    MissesNothing,
    OneAccount,
    NoAccountIsAnEmptyOne,
    LowerCase,
    /// Cuts keys to a length.
    ShortKeys,
    NoLease,
    OneLeaseForAll,
    LeaseNeverEnds,
    LeaseEndsAtOnce,
    LeaseIsNeverGivenBack,
    /// A lease that is dropped late frees the next holder's.
    LateDropFrees,
    Impatient,
    /// Looks late.
    Sleeps,
    /// Puts under a lease of its own.
    PutWantsTheLease,
}

type Leases = Arc<Mutex<BTreeMap<Key, (u64, Option<Instant>)>>>;

#[derive(Clone)]
struct Faulty {
    fault: Fault,
    records: MemoryStore,
    leases: Leases,
}

struct Held {
    fault: Fault,
    leases: Leases,
    key: Key,
    number: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut leases = self.leases.lock().unwrap();
        let mine = leases.get(&self.key).is_some_and(|(number, _)| *number == self.number);
        if (mine || self.fault == Fault::LateDropFrees) && self.fault != Fault::LeaseIsNeverGivenBack {
            leases.remove(&self.key);
        }
    }
}

impl Faulty {
    fn key(&self, key: &Key) -> Key {
        let mut key = key.clone();
        match self.fault {
            Fault::OneAccount => key.account = None,
            Fault::NoAccountIsAnEmptyOne => key.account = Some(key.account.unwrap_or_default()),
            Fault::LowerCase => key.server = key.server.to_lowercase(),
            Fault::ShortKeys => key.server = key.server.chars().take(1000).collect(),
            _ => {}
        }
        key
    }

    fn overwrite(&self, key: &Key, credential: &Credential) {
        let standing = self.records.load(key).unwrap().map(|found| found.generation);
        self.records.put(key, credential, standing);
    }
}

impl Store for Faulty {
    fn load(&self, key: &Key) -> Result<Option<Credential>, String> {
        let mut found = self.records.load(&self.key(key))?;
        if let (Fault::LosesTheRefreshToken, Some(found)) = (self.fault, &mut found) {
            found.refresh_token = None;
        }
        Ok(found)
    }

    fn lease(&self, key: &Key, span: Duration, patience: Duration) -> Result<Option<Lease>, String> {
        let began = Instant::now();
        let mut key = self.key(key);
        match self.fault {
            Fault::NoLease => return Ok(Some(Lease::new(()))),
            Fault::OneLeaseForAll => key = support::key(),
            // Only where it would be long, so that the test is not.
            Fault::Sleeps if patience > Duration::from_secs(20) => thread::sleep(Duration::from_secs(6)),
            _ => {}
        }
        loop {
            let mut leases = self.leases.lock().unwrap();
            let now = Instant::now();
            let held = leases.get(&key).copied();
            if held.is_none_or(|(_, ends)| ends.is_some_and(|ends| ends <= now)) {
                let number = held.map_or(0, |(number, _)| number + 1);
                let ends = match self.fault {
                    Fault::LeaseNeverEnds => None,
                    Fault::LeaseEndsAtOnce => Some(now),
                    _ => now.checked_add(span),
                };
                leases.insert(key.clone(), (number, ends));
                return Ok(Some(Lease::new(Held {
                    fault: self.fault,
                    leases: Arc::clone(&self.leases),
                    key,
                    number,
                })));
            }
            drop(leases);
            // Who waits in vain need not hold up the test.
            let patience = patience.min(Duration::from_secs(2));
            if began.elapsed() >= patience || self.fault == Fault::Impatient {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn put(&self, key: &Key, credential: &Credential, replaces: Option<Generation>) -> Saving {
        let key = &self.key(key);
        match self.fault {
            Fault::Overwrites => {
                self.overwrite(key, credential);
                return Saving::Kept;
            }
            Fault::CreatesWhatIsGone if self.records.load(key).unwrap().is_none() => {
                return self.records.put(key, credential, None);
            }
            Fault::NotAtomic => {
                let found = self.records.load(key).unwrap();
                if found.as_ref().map(|found| found.generation) != replaces {
                    return Saving::Conflict(found.map(Box::new));
                }
                thread::sleep(Duration::from_millis(20));
                self.overwrite(key, credential);
                return Saving::Kept;
            }
            Fault::PutWantsTheLease => {
                let lease = self.lease(key, Duration::from_secs(9), Duration::ZERO).unwrap();
                if lease.is_none() {
                    return Saving::Failed("the record is leased".to_owned());
                }
                return self.records.put(key, credential, replaces);
            }
            _ => {}
        }
        match self.records.put(key, credential, replaces) {
            Saving::Conflict(_) if self.fault == Fault::HidesTheWinner => Saving::Conflict(None),
            conflict @ Saving::Conflict(_) if self.fault == Fault::WritesAtConflict => {
                self.overwrite(key, credential);
                conflict
            }
            answer => answer,
        }
    }

    fn forget(&self, key: &Key, generation: Generation) -> Result<bool, String> {
        let key = &self.key(key);
        let found = self.records.load(key)?;
        match self.fault {
            Fault::ForgetsAll => self.records.forget(key, found.map_or(generation, |found| found.generation)),
            Fault::ForgetsInWords => self.records.forget(key, generation).map(|_| true),
            Fault::MissesNothing if found.is_none() => Ok(false),
            _ => self.records.forget(key, generation),
        }
    }
}

/// What the contract says to a store with this fault.
fn verdict(fault: Fault) -> Option<String> {
    let check = || {
        contract::check(|| {
            let store = Faulty { fault, records: MemoryStore::default(), leases: Arc::default() };
            (store.clone(), store)
        });
    };
    let panic = catch_unwind(AssertUnwindSafe(check)).err()?;
    Some(*panic.downcast::<String>().unwrap())
}

#[test]
fn a_store_that_is_wrong_in_one_way_breaks_the_contract() {
    assert_eq!(verdict(Fault::None), None);
    let expected = [
        (Fault::Overwrites, "does not name what stands there"),
        (Fault::WritesAtConflict, "does not name what stands there"),
        (Fault::HidesTheWinner, "does not name what stands there"),
        (Fault::CreatesWhatIsGone, "names a record where none is"),
        (Fault::NotAtomic, "one succeeds"),
        (Fault::LosesTheRefreshToken, "field for field"),
        (Fault::ForgetsAll, "forget deletes"),
        (Fault::ForgetsInWords, "forget deletes"),
        (Fault::MissesNothing, "forget deletes"),
        (Fault::OneAccount, "kept apart"),
        (Fault::NoAccountIsAnEmptyOne, "kept apart"),
        (Fault::LowerCase, "kept apart"),
        (Fault::ShortKeys, "any text"),
        (Fault::NoLease, "excludes every other"),
        (Fault::OneLeaseForAll, "on one record"),
        (Fault::LeaseNeverEnds, "span has passed"),
        (Fault::LeaseEndsAtOnce, "excludes every other"),
        (Fault::LeaseIsNeverGivenBack, "excludes every other"),
        (Fault::LateDropFrees, "span has passed"),
        (Fault::Impatient, "span has passed"),
        (Fault::Sleeps, "who waits gets the lease"),
        (Fault::PutWantsTheLease, "keeps nobody"),
    ];
    thread::scope(|scope| {
        for (fault, clause) in expected {
            scope.spawn(move || {
                let verdict = verdict(fault).unwrap_or_default();
                assert!(verdict.contains(clause), "{fault:?}: {verdict}");
            });
        }
    });
}

#[test]
fn handles_of_two_stores_break_the_contract() {
    let check = || contract::check(|| (MemoryStore::default(), MemoryStore::default()));
    let panic = catch_unwind(check).unwrap_err();
    let verdict = panic.downcast::<String>().unwrap();
    assert!(verdict.contains("what was put is loaded"), "{verdict}");
}
