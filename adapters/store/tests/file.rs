//! What the file store does with files that are not as it left them.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use mcp_auth::{Generation, Key, Saving};
use mcp_auth_store::{FileStore, Store};
use serde_json::Value;
use support::{Place, TOKEN, kept, key, record, refusal, refusals};

type Edit = fn(&mut Value);

fn change(file: &Path, change: Edit) -> Vec<u8> {
    let mut value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    change(&mut value);
    let text = serde_json::to_vec_pretty(&value).unwrap();
    fs::write(file, &text).unwrap();
    text
}

fn set_aside(place: &Place) -> Vec<PathBuf> {
    let mut files = place.files();
    files.retain(|file| file.to_str().unwrap().contains(".corrupt-"));
    files
}

#[test]
fn a_record_is_one_json_file_named_after_its_host() {
    let place = Place::new();
    let record = kept(&place.store(), 3);
    let file = place.file(".json");
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    let digits = name.strip_prefix("mcp.example-").and_then(|rest| rest.strip_suffix(".json")).unwrap();
    // SHA-256 of the server; the name is part of what other programs may rely on.
    assert_eq!(digits, "b1b747a21dbf8cf489c9454f642df5eb");
    let value: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(value["format"], 1);
    assert_eq!(value["key"], serde_json::to_value(key()).unwrap());
    assert_eq!(value["credential"], serde_json::to_value(&record).unwrap());
    assert_eq!(value.as_object().unwrap().len(), 3);
}

#[test]
fn a_name_shows_neither_password_nor_query() {
    let place = Place::new();
    let store = place.store();
    for server in ["https://user:hunter2@mcp.example/mcp", "https://mcp.example?hunter2", "hunter2@x"] {
        let key = Key { server: server.to_owned(), account: Some("hunter2".to_owned()) };
        assert!(matches!(store.put(&key, &record(1, TOKEN), None), Saving::Kept));
    }
    assert_eq!(place.files().len(), 6);
    for file in place.files() {
        assert!(!file.to_str().unwrap().contains("hunter2"), "{}", file.display());
    }
}

#[test]
fn a_record_of_an_unknown_format_or_version_is_left_alone() {
    let place = Place::new();
    let store = place.store();
    kept(&store, 1);
    let file = place.file(".json");
    let sound = fs::read(&file).unwrap();
    let changes: [(&str, &str, Edit); 4] = [
        ("format is 2", "1 is known", |value| value["format"] = 2.into()),
        ("format is 7", "1 is known", |value| *value = serde_json::json!({ "format": 7, "sealed": "…" })),
        ("version 2", "1 is known", |value| value["credential"]["version"] = 2.into()),
        ("version 9", "1 is known", |value| {
            value["credential"] = serde_json::json!({ "version": 9, "tokens": [] });
        }),
    ];
    for (found, known, edit) in changes {
        fs::write(&file, &sound).unwrap();
        let text = change(&file, edit);
        for refusal in refusals(&store).into_iter().chain(refusals(&store)) {
            assert!(refusal.contains(found) && refusal.contains(known), "{refusal}");
            assert!(refusal.contains(file.to_str().unwrap()), "{refusal}");
        }
        assert_eq!(fs::read(&file).unwrap(), text);
    }
    assert_eq!(set_aside(&place), [""; 0].map(PathBuf::from));
}

#[test]
fn a_record_of_an_unknown_version_is_not_written() {
    let place = Place::new();
    let store = place.store();
    let mut record = record(1, TOKEN);
    record.version = 2;
    let refusal = refusal(store.put(&key(), &record, None));
    assert!(refusal.contains("version 2"), "{refusal}");
    assert_eq!(store.load(&key()), Ok(None));
}

#[test]
fn a_copy_under_another_name_is_left_alone() {
    let place = Place::new();
    let store = place.store();
    kept(&store, 1);
    let file = place.file(".json");
    let text = change(&file, |value| value["key"]["account"] = "mallory".into());
    for refusal in refusals(&store) {
        assert!(refusal.contains("another server or account"), "{refusal}");
    }
    assert_eq!(fs::read(&file).unwrap(), text);
}

#[test]
fn a_corrupt_record_is_set_aside_and_reported_once() {
    let place = Place::new();
    let store = place.store();
    kept(&store, 1);
    let file = place.file(".json");
    let sound = fs::read(&file).unwrap();
    let edited = |edit: Edit| {
        let mut value: Value = serde_json::from_slice(&sound).unwrap();
        edit(&mut value);
        serde_json::to_vec(&value).unwrap()
    };
    let corrupt = [
        Vec::new(),
        sound[..sound.len() / 2].to_vec(),
        sound[..sound.len() - 2].to_vec(),
        [sound.as_slice(), b"}"].concat(),
        b"access_token = \"an-access-token\"".to_vec(),
        b"\xff\xfe\0\0".to_vec(),
        vec![0; 4096],
        vec![b'['; 100_000],
        b"[]".to_vec(),
        b"{}".to_vec(),
        edited(|value| value["format"] = TOKEN.into()),
        edited(|value| value["credential"]["version"] = TOKEN.into()),
        edited(|value| value["credential"]["generation"] = TOKEN.into()),
        edited(|value| value["credential"]["obtained_at"] = TOKEN.into()),
        edited(|value| value["key"] = TOKEN.into()),
        edited(|value| drop(value.as_object_mut().unwrap().remove("credential"))),
    ];
    let methods: [fn(&FileStore) -> String; 3] = [
        |store| store.load(&key()).unwrap_err(),
        |store| refusal(store.put(&key(), &record(2, TOKEN), Some(record(1, TOKEN).generation))),
        |store| store.forget(&key(), record(1, TOKEN).generation).unwrap_err(),
    ];
    let mut expected = Vec::new();
    for (number, text) in corrupt.iter().enumerate() {
        fs::write(&file, text).unwrap();
        let refusal = methods[number % methods.len()](&store);
        let kept = format!("{}.corrupt-{}", file.display(), number + 1);
        assert!(refusal.contains(&format!("{kept}; log in again")), "{refusal}");
        assert!(!refusal.contains(TOKEN), "{refusal}");
        assert_eq!(store.load(&key()), Ok(None), "it is reported once");
        expected.push((kept, text));
        // None that was set aside before is touched.
        for (kept, text) in &expected {
            assert_eq!(&fs::read(kept).unwrap(), *text, "{kept}");
        }
    }
    let fresh = kept(&store, 1);
    assert_eq!(store.load(&key()), Ok(Some(fresh)));
    assert_eq!(set_aside(&place).len(), corrupt.len());
}

#[test]
fn a_free_number_is_found_for_what_is_set_aside() {
    let place = Place::new();
    let store = place.store();
    kept(&store, 1);
    let file = place.file(".json");
    let taken = |number: u32| PathBuf::from(format!("{}.corrupt-{number}", file.display()));
    fs::write(taken(1), "older").unwrap();
    fs::create_dir(taken(2)).unwrap();
    fs::write(&file, "corrupt").unwrap();
    store.load(&key()).unwrap_err();
    assert_eq!(fs::read(taken(1)).unwrap(), b"older");
    assert_eq!(fs::read(taken(3)).unwrap(), b"corrupt");
}

#[test]
fn what_a_killed_writer_left_does_not_disturb_and_goes() {
    let place = Place::new();
    let store = place.store();
    let first = kept(&store, 1);
    let draft = place.file(".json").with_extension("tmp");
    fs::write(&draft, "{\"format\":1,\"key\":").unwrap();
    assert_eq!(store.load(&key()), Ok(Some(first.clone())));
    assert!(matches!(store.put(&key(), &first, None), Saving::Conflict(Some(_))));
    assert!(matches!(store.forget(&key(), Generation::default()), Ok(false)));
    let second = kept(&store, 2);
    assert!(!draft.exists());
    fs::write(&draft, "{\"access_token\":\"an-access-token\"").unwrap();
    assert_eq!(store.forget(&key(), second.generation), Ok(true));
    assert!(!draft.exists());
    assert_eq!(store.load(&key()), Ok(None));
}

#[test]
fn a_write_that_fails_leaves_the_old_record() {
    let place = Place::new();
    let store = place.store();
    let first = kept(&store, 1);
    let draft = place.file(".json").with_extension("tmp");
    fs::create_dir(&draft).unwrap();
    let refusal = refusal(store.put(&key(), &record(2, TOKEN), Some(first.generation)));
    assert!(refusal.contains(draft.to_str().unwrap()) && !refusal.contains(TOKEN), "{refusal}");
    assert_eq!(store.load(&key()), Ok(Some(first)));
}

#[test]
fn locks_that_were_deleted_by_hand_come_back() {
    let place = Place::new();
    let store = place.store();
    for generation in 1..4 {
        kept(&store, generation);
        drop(store.lease(&key(), Duration::from_secs(9), Duration::ZERO).unwrap().unwrap());
        fs::remove_file(place.file(".lock")).unwrap();
        fs::remove_file(place.file(".lease")).unwrap();
    }
    fs::remove_dir_all(store.directory()).unwrap();
    assert_eq!(store.load(&key()), Ok(None));
    kept(&store, 1);
}

#[test]
fn a_lease_from_a_clock_that_was_set_back_ends() {
    let place = Place::new();
    let store = place.store();
    let held = store.lease(&key(), Duration::MAX, Duration::ZERO).unwrap();
    assert!(store.lease(&key(), Duration::MAX, Duration::ZERO).unwrap().is_none());
    let file = fs::File::options().write(true).open(place.file(".lease")).unwrap();
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    file.set_modified(std::time::SystemTime::now() + year).unwrap();
    assert!(store.lease(&key(), Duration::MAX, Duration::ZERO).unwrap().is_some());
    drop(held);
}

#[test]
fn all_but_load_waits_for_the_lock() {
    let place = Place::new();
    let store = place.store();
    let standing = kept(&store, 1);
    // A lease too is given under the lock: a waiter who looked between its locking and its timing would see the time of
    // a holder that died, and take it away.
    let methods: [fn(&FileStore) -> bool; 3] = [
        |store| store.lease(&key(), Duration::ZERO, Duration::ZERO).unwrap().is_some(),
        |store| matches!(store.put(&key(), &record(2, TOKEN), None), Saving::Conflict(Some(_))),
        |store| store.forget(&key(), Generation::default()) == Ok(false),
    ];
    let lock = fs::File::open(place.file(".lock")).unwrap();
    lock.lock().unwrap();
    thread::scope(|scope| {
        let waiting = methods.map(|method| {
            let store = &store;
            scope.spawn(move || method(store))
        });
        assert_eq!(store.load(&key()), Ok(Some(standing)));
        thread::sleep(Duration::from_millis(200));
        for thread in &waiting {
            assert!(!thread.is_finished());
        }
        lock.unlock().unwrap();
        for thread in waiting {
            assert!(thread.join().unwrap());
        }
    });
}

#[test]
fn a_file_in_the_place_of_the_directory_is_refused() {
    let place = Place::new();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(FileStore::new(&file).unwrap_err().contains("is no directory"));
    assert!(FileStore::new(file.join("below")).is_err());
}

#[test]
fn the_keys_of_all_records_are_listed_and_what_is_none_is_named() {
    let place = Place::new();
    let store = place.store();
    assert_eq!(store.keys(), Ok((Vec::new(), Vec::new())));
    let other = |account: Option<&str>| Key { account: account.map(str::to_owned), ..key() };
    assert!(matches!(store.put(&other(Some("work")), &record(1, TOKEN), None), Saving::Kept));
    let sound = fs::read(place.file(".json")).unwrap();
    assert!(matches!(store.put(&other(None), &record(1, TOKEN), None), Saving::Kept));
    let directory = store.directory();
    // A copy under a name of one's own, a record that ends too soon, another form, and a file of somebody else.
    fs::write(directory.join("copy.json"), &sound).unwrap();
    fs::write(directory.join("half.json"), &sound[..40]).unwrap();
    fs::write(directory.join("later.json"), "{\"format\":2}").unwrap();
    fs::write(directory.join("notes.txt"), "x").unwrap();
    let (keys, unread) = store.keys().unwrap();
    assert_eq!(keys, [other(None), other(Some("work"))]);
    assert_eq!(unread.len(), 3, "{unread:?}");
    for (why, expected) in unread.iter().zip(["another server or account", "ends too soon", "1 is known"]) {
        assert!(why.contains(expected) && !why.contains(TOKEN), "{why}");
    }
    // It only looked.
    assert!(set_aside(&place).is_empty() && directory.join("half.json").exists());
}
