//! The store over a keyring in memory, which can be as small and as unreliable as one likes. `secret_service` is the same
//! with a real one.

mod secret_service;

use super::*;

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Mutex, PoisonError};

use mcp_auth_store::contract;
use serde_json::json;

/// An empty directory, deleted at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mcp-auth-native-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The access token of the records below, which no error may show.
const TOKEN: &str = "an-access-token";

fn key() -> Key {
    Key { server: "https://mcp.example/mcp".to_owned(), account: None }
}

/// A record of this generation.
fn record(generation: u64, token: &str) -> Credential {
    let server = "https://as.example";
    serde_json::from_value(json!({
        "version": VERSION, "generation": generation, "server": key().server, "resource": key().server,
        "authorization_server": {
            "issuer": server, "named": server, "authorization_endpoint": format!("{server}/authorize"),
            "token_endpoint": format!("{server}/token"), "revocation_endpoint": null,
            "iss_parameter_supported": true, "legacy": false,
        },
        "client": {
            "id": "client", "secret": null, "method": "none", "secret_expires_at": null, "redirect_uris": [],
            "registered_at": null, "origin": "dynamic",
        },
        "asked": "", "granted": "", "access_token": token, "refresh_token": null,
        "obtained_at": 1_800_000_000, "expires_at": null,
    }))
    .unwrap()
}

/// A keyring in memory.
#[derive(Clone, Default)]
struct Memory {
    limit: Option<usize>,
    entries: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// How many writes and deletions are left, before it fails for good.
    left: Arc<Mutex<Option<usize>>>,
}

impl Memory {
    fn of(limit: Option<usize>) -> Self {
        Self { limit, ..Self::default() }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spend(&self) -> Result<(), KeyringError> {
        let mut left = self.left.lock().unwrap();
        match &mut *left {
            None => Ok(()),
            Some(0) => Err(KeyringError::Failed("it is over".to_owned())),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

impl Entries for Memory {
    fn limit(&self) -> Option<usize> {
        self.limit
    }

    fn entry(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        Ok(self.entries().get(name).cloned().map(Zeroizing::new))
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<(), KeyringError> {
        self.spend()?;
        assert!(self.limit.is_none_or(|limit| value.len() <= limit), "{} bytes in one entry", value.len());
        self.entries().insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<(), KeyringError> {
        self.spend()?;
        self.entries().remove(name);
        Ok(())
    }
}

/// The store without its threads.
struct Plain(Inner<Memory>);

impl Plain {
    fn new(entries: &Memory, place: &Place) -> Self {
        let locks = Locks::new(&place.0).unwrap();
        Self(Inner { locks, entries: entries.clone(), waiting: AtomicUsize::new(0) })
    }

    fn refusals(&self) -> [String; 3] {
        let Saving::Failed(put) = self.put(&key(), &record(9, TOKEN), None) else { panic!("it was kept") };
        let refusals =
            [self.load(&key()).unwrap_err(), put, self.forget(&key(), Generation::default()).unwrap_err()];
        assert!(refusals.iter().all(|refusal| !refusal.contains(TOKEN)), "{refusals:?}");
        refusals
    }
}

impl Store for Plain {
    fn load(&self, key: &Key) -> Result<Option<Credential>, String> {
        self.0.load(key).map_err(|error| error.to_string())
    }

    fn lease(&self, key: &Key, span: Duration, patience: Duration) -> Result<Option<Lease>, String> {
        self.0.locks.lease(key, span, patience)
    }

    fn put(&self, key: &Key, credential: &Credential, replaces: Option<Generation>) -> Saving {
        let text = written(key, credential).unwrap();
        self.0.swap(key, &text, replaces).unwrap_or_else(|error| Saving::Failed(error.to_string()))
    }

    fn forget(&self, key: &Key, generation: Generation) -> Result<bool, String> {
        self.0.forget(key, generation).map_err(|error| error.to_string())
    }
}

#[test]
fn it_keeps_the_contract_whatever_an_entry_takes() {
    // The last is so small that the contract's records take many parts.
    for limit in [None, Some(2560), Some(600)] {
        let mut places = Vec::new();
        contract::check(|| {
            let (memory, place) = (Memory::of(limit), Place::new());
            let pair = (Plain::new(&memory, &place), Plain::new(&memory, &place));
            places.push(place);
            pair
        });
    }
}

#[test]
fn a_record_is_old_or_new_wherever_the_writer_dies() {
    let long = |number: u64, size: usize| record(number, &number.to_string().repeat(size));
    // From long to long, from short to long, from long to short, and back in the other slot.
    for (first, second) in [(3000, 3500), (3500, 1000), (1, 3000), (3000, 1), (1, 1)] {
        let mut died = 0;
        for steps in 0.. {
            let (memory, place) = (Memory::of(Some(700)), Place::new());
            let store = Plain::new(&memory, &place);
            assert!(matches!(store.put(&key(), &long(1, first), None), Saving::Kept));
            *memory.left.lock().unwrap() = Some(steps);
            let kept =
                matches!(store.put(&key(), &long(2, second), Some(long(1, 1).generation)), Saving::Kept);
            *memory.left.lock().unwrap() = None;
            let found = store.load(&key()).unwrap().expect("there is a record");
            assert!(found == long(1, first) || found == long(2, second), "after {steps} steps it is torn");
            assert!(!kept || found == long(2, second));
            // What was left is gone after the next writes, and nothing is left after a logout.
            let third = long(3, 1500);
            assert!(matches!(store.put(&key(), &third, Some(found.generation)), Saving::Kept));
            assert_eq!(store.load(&key()).unwrap().unwrap(), third);
            assert_eq!(store.forget(&key(), third.generation), Ok(true));
            assert!(memory.entries().is_empty(), "{:?}", memory.entries().keys());
            died += usize::from(!kept);
            if kept {
                break;
            }
        }
        assert!(died > 0);
    }
}

#[test]
fn what_is_not_understood_is_left_alone() {
    let (memory, place) = (Memory::default(), Place::new());
    let store = Plain::new(&memory, &place);
    let name = Locks::name(&key());
    let other = Key { server: "https://other.example".to_owned(), account: None };
    let sound = record::write(&key(), &record(1, TOKEN)).unwrap();
    let sound = std::str::from_utf8(&sound).unwrap().to_owned();
    for strange in [
        sound.replace("\"format\":1", "\"format\":2"),
        sound.replace("\"version\":1", "\"version\":99"),
        String::from_utf8(record::write(&other, &record(1, TOKEN)).unwrap().to_vec()).unwrap(),
    ] {
        assert_ne!(strange, sound);
        memory.entries().insert(name.clone(), strange.clone().into_bytes());
        for refusal in store.refusals() {
            assert!(refusal.contains("left alone") && refusal.contains(&name), "{refusal}");
        }
        assert_eq!(memory.entries().get(&name).unwrap(), strange.as_bytes());
        assert_eq!(memory.entries().len(), 1);
    }
}

#[test]
fn what_is_corrupt_is_kept_aside_and_said_once() {
    let name = Locks::name(&key());
    let torn = json!({"parts": 2, "slot": "a", "digest": "00"}).to_string();
    let endless = json!({"parts": u64::MAX, "slot": "b", "digest": "00"}).to_string();
    for corrupt in [TOKEN.to_owned(), String::new(), format!("{{\"format\":1,\"{TOKEN}"), torn, endless] {
        let (memory, place) = (Memory::default(), Place::new());
        let store = Plain::new(&memory, &place);
        for number in 1..3 {
            memory.entries().insert(name.clone(), corrupt.clone().into_bytes());
            let refusal = store.load(&key()).unwrap_err();
            let kept = format!("{name}.corrupt-{number}");
            assert!(refusal.contains(&kept) && refusal.contains("log in again"), "{refusal}");
            assert!(!refusal.contains(TOKEN), "{refusal}");
            assert_eq!(memory.entries().get(&kept).unwrap(), corrupt.as_bytes());
            assert_eq!(store.load(&key()), Ok(None));
        }
        assert!(matches!(store.put(&key(), &record(1, TOKEN), None), Saving::Kept));
    }
}

#[test]
fn parts_that_do_not_belong_together_make_no_record() {
    let (memory, place) = (Memory::of(Some(700)), Place::new());
    let store = Plain::new(&memory, &place);
    assert!(matches!(store.put(&key(), &record(1, &"a".repeat(3000)), None), Saving::Kept));
    // What it makes can be read as a record, and nobody has written it.
    memory.entries().insert(format!("{}/a/3", Locks::name(&key())), vec![b'b'; 700]);
    let refusal = store.load(&key()).unwrap_err();
    assert!(refusal.contains("do not belong together") && refusal.contains(".corrupt-1"), "{refusal}");
    assert_eq!(store.load(&key()), Ok(None));
}

#[test]
fn a_record_that_is_too_long_is_refused_and_changes_nothing() {
    let (memory, place) = (Memory::of(Some(100)), Place::new());
    let store = Plain::new(&memory, &place);
    assert!(matches!(store.put(&key(), &record(1, TOKEN), None), Saving::Kept));
    let long = record(2, &"x".repeat(7000));
    let Saving::Failed(why) = store.put(&key(), &long, Some(record(1, "").generation)) else {
        panic!("it was kept")
    };
    assert!(why.contains("which takes 6400"), "{why}");
    assert_eq!(store.load(&key()).unwrap().unwrap(), record(1, TOKEN));
}

#[test]
fn a_keyring_that_fails_says_so_and_nothing_secret() {
    let (memory, place) = (Memory::default(), Place::new());
    let store = Plain::new(&memory, &place);
    *memory.left.lock().unwrap() = Some(0);
    let Saving::Failed(why) = store.put(&key(), &record(1, TOKEN), None) else { panic!("it was kept") };
    assert_eq!(why, "the keyring failed: it is over");
    assert!(store.0.probe(Duration::ZERO).is_err());
}

#[test]
fn what_cannot_name_a_service_is_refused() {
    for service in ["", "  ", "a\nb", "a\0"] {
        let refused = Keyring::new(service).open().unwrap_err();
        assert!(matches!(refused, KeyringError::Service { .. }), "{refused}");
    }
}

#[test]
fn a_service_is_a_safe_name_for_a_directory() {
    for (service, expected) in [
        ("Example Notes", "Example Notes"),
        ("com.example.notes", "com.example.notes"),
        ("../../etc", "_.._etc"),
        ("..", "mcp-auth"),
        ("a/b\\c:d", "a_b_c_d"),
    ] {
        assert_eq!(folder(service), expected);
    }
}
