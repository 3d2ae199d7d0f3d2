//! The locks of files, on which other stores are built.

mod support;

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use mcp_auth::Key;
use mcp_auth_store::{FileStore, Locks, Store};
use support::{Place, key};

const LONG: Duration = Duration::from_secs(600);

#[test]
fn a_lock_excludes_others_and_leaves_nothing_secret() {
    let place = Place::new();
    let directory = place.path().join("locks");
    let inside = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let locks = Locks::new(&directory).unwrap();
                for _ in 0..50 {
                    let lock = locks.lock(&key()).unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two have the lock");
                    thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(lock);
                }
            });
        }
    });
    let sizes: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|it| it.unwrap().metadata().unwrap().len()).collect();
    assert_eq!(sizes, [0]);
}

#[test]
fn a_lock_is_on_one_record_and_beside_the_lease() {
    let place = Place::new();
    let locks = Locks::new(place.path().join("locks")).unwrap();
    let other = Key { server: "https://other.example".to_owned(), account: None };
    let _held = locks.lock(&other).unwrap();
    let lease = locks.lease(&key(), LONG, Duration::ZERO).unwrap();
    assert!(lease.is_some() && locks.lease(&key(), LONG, Duration::ZERO).unwrap().is_none());
    let _lock = locks.lock(&key()).unwrap();
    drop(lease);
}

#[test]
fn they_are_those_of_the_file_store() {
    let place = Place::new();
    let store = FileStore::new(place.path().join("both")).unwrap();
    let locks = Locks::new(store.directory()).unwrap();
    let lease = locks.lease(&key(), LONG, Duration::ZERO).unwrap().unwrap();
    assert!(store.lease(&key(), LONG, Duration::ZERO).unwrap().is_none());
    drop(lease);
    assert!(store.lease(&key(), LONG, Duration::ZERO).unwrap().is_some());
}

#[test]
fn a_name_is_plain_and_tells_records_apart() {
    let odd = "https://user:pa%20ss@b\u{fc}cher.example/\u{1F4DA}/../..".repeat(100);
    let keys = [
        ("https://mcp.example/mcp", None),
        ("https://mcp.example/mcp", Some("")),
        (odd.as_str(), None),
        ("", None),
    ];
    let names: Vec<_> = keys
        .map(|(server, account)| {
            Locks::name(&Key { server: server.to_owned(), account: account.map(str::to_owned) })
        })
        .into();
    for (place, name) in names.iter().enumerate() {
        assert!(name.len() <= 73 && !name.contains("pa"), "{name}");
        assert!(
            name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b".-_".contains(&it)),
            "{name}"
        );
        assert!(!names[..place].contains(name));
    }
    assert!(names[0].starts_with("mcp.example-"), "{names:?}");
}
