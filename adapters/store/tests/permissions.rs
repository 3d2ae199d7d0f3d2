//! Who may read and write what the file store keeps, and what it does where others may.
#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use mcp_auth::Saving;
use mcp_auth_store::{FileStore, Store};
use support::{Place, TOKEN, kept, key, record, refusal, refusals};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn everything_is_for_its_owner_only() {
    let place = Place::new();
    let store = FileStore::new(place.path().join("above/credentials")).unwrap();
    let lease = store.lease(&key(), Duration::from_secs(9), Duration::ZERO).unwrap();
    kept(&store, 1);
    assert_eq!(mode(&place.path().join("above")), 0o700);
    assert_eq!(mode(store.directory()), 0o700);
    let mut endings = Vec::new();
    for entry in fs::read_dir(store.directory()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        endings.push(path.extension().unwrap().to_str().unwrap().to_owned());
    }
    endings.sort();
    assert_eq!(endings, ["json", "lease", "lock"]);
    drop(lease);
}

#[test]
fn a_record_that_others_may_read_is_closed_to_them() {
    let place = Place::new();
    let store = place.store();
    let record = kept(&store, 1);
    let file = place.file(".json");
    for open in [0o644, 0o640, 0o666, 0o604] {
        set_mode(&file, open);
        assert_eq!(store.load(&key()), Ok(Some(record.clone())));
        assert_eq!(mode(&file), 0o600);
    }
    set_mode(&file, 0o644);
    kept(&store, 2);
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn a_directory_in_which_others_may_write_is_refused() {
    let place = Place::new();
    let store = place.store();
    let record = kept(&store, 1);
    for open in [0o777, 0o1777, 0o770, 0o720, 0o702] {
        set_mode(store.directory(), open);
        let expected = FileStore::new(store.directory()).unwrap_err();
        assert!(expected.contains(&format!("{open:04o}")) && expected.contains("0700"), "{expected}");
        assert_eq!(store.load(&key()).unwrap_err(), expected);
        assert_eq!(refusal(store.put(&key(), &record, None)), expected);
        assert_eq!(store.forget(&key(), record.generation).unwrap_err(), expected);
        assert!(store.lease(&key(), Duration::ZERO, Duration::ZERO).is_err());
    }
    // That others may see the names is for the owner to decide.
    set_mode(store.directory(), 0o755);
    assert_eq!(store.load(&key()), Ok(Some(record)));
}

#[test]
fn no_symbolic_link_is_followed() {
    let place = Place::new();
    let store = place.store();
    let first = kept(&store, 1);
    drop(store.lease(&key(), Duration::ZERO, Duration::ZERO));
    let victim = place.path().join("victim");

    // In the place of a draft: the link goes, and what it leads to stays.
    fs::write(&victim, "victim").unwrap();
    symlink(&victim, place.file(".json").with_extension("tmp")).unwrap();
    let second = record(2, TOKEN);
    assert!(matches!(store.put(&key(), &second, Some(first.generation)), Saving::Kept));
    assert_eq!(fs::read(&victim).unwrap(), b"victim");

    // In the place of the record: even if it leads to one.
    let file = place.file(".json");
    fs::rename(&file, &victim).unwrap();
    let before = fs::read(&victim).unwrap();
    symlink(&victim, &file).unwrap();
    for refusal in refusals(&store) {
        assert!(refusal.contains("symbolic link"), "{refusal}");
    }
    assert_eq!(fs::read(&victim).unwrap(), before);
    fs::rename(&victim, &file).unwrap();
    assert_eq!(store.load(&key()), Ok(Some(second.clone())));

    // In the place of a lock: nothing is created where it leads.
    for ending in [".lock", ".lease"] {
        let lock = place.file(ending);
        fs::remove_file(&lock).unwrap();
        symlink(&victim, &lock).unwrap();
        let refusal = store.lease(&key(), Duration::ZERO, Duration::ZERO).unwrap_err();
        assert!(refusal.contains("symbolic link"), "{refusal}");
        assert!(!victim.exists());
        fs::remove_file(&lock).unwrap();
    }
    assert_eq!(store.load(&key()), Ok(Some(second)));
}
