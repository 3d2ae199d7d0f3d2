//! What is left of an attempt: nothing. In a process of its own, so that no other test's threads are counted.
#![cfg(target_os = "linux")]

mod support;

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use mcp_auth::Scopes;
use support::{Person, Reply, Town, joined, until};

/// The names of this process's threads that belong to a driver.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // One may end while the others are looked at.
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("mcp-auth")).collect();
    names.iter_mut().for_each(|name| *name = name.trim().to_owned());
    names.sort();
    names
}

fn none_is_left() {
    until("every thread ends", || threads().is_empty());
}

#[test]
fn no_thread_outlives_its_attempt() {
    let town = Town::new();
    let person = Person { thinks: None, ..Person::new(&town) };
    let client = town.builder_for(person.clone()).build().unwrap();
    assert_eq!(threads(), [""; 0]);
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (client, request) = (client.clone(), town.request("/mcp"));
            thread::spawn(move || client.send(request).map(drop))
        })
        .collect();
    until("the browser is opened", || person.opened.load(Ordering::SeqCst) > 0);
    // However many wait: one that cranks, and one that listens.
    until("no more is done", || threads() == ["mcp-auth", "mcp-auth-listen"]);
    client.cancel();
    for caller in callers {
        joined(caller).unwrap_err();
    }
    none_is_left();

    // A login to its end.
    let client = town.builder().build().unwrap();
    client.log_in(Scopes::new()).unwrap();
    none_is_left();

    // One that is called off while an exchange hangs.
    let slow = Town::with(Duration::ZERO, |asked| {
        let slow = Reply { delay: Duration::from_secs(3600), ..Reply::default() };
        asked.path.contains("oauth-authorization-server").then_some(slow)
    });
    let client = slow.builder().build().unwrap();
    let caller = thread::spawn({
        let client = client.clone();
        move || client.log_in(Scopes::new())
    });
    until("the metadata is asked for", || slow.asked("/.well-known/oauth-authorization-server") > 0);
    client.cancel();
    joined(caller).unwrap_err();
    none_is_left();
}
