//! The contract as a test that any store can run.
//!
//! ```
//! use mcp_auth_store::{MemoryStore, contract};
//!
//! contract::check(|| {
//!     let store = MemoryStore::default();
//!     (store.clone(), store)
//! });
//! ```

mod leases;
mod races;
mod records;

use std::time::Duration;

use mcp_auth::{Credential, Generation, Key, Saving, VERSION};
use serde_json::json;

use crate::{Lease, Store};

/// What one clause finds: `Err` says what was expected and what came.
type Finding = Result<(), String>;

/// A span that no test outlives.
const LONG: Duration = Duration::from_secs(600);

/// A span for a test to wait out.
const SHORT: Duration = Duration::from_millis(300);

/// What a busy machine may take longer than it should.
const SLACK: Duration = Duration::from_secs(5);

/// How coarse a store's clock may be.
const COARSE: Duration = Duration::from_millis(50);

/// Runs every clause of the contract, each on two handles of one fresh and empty store, which `fresh` makes. Takes a
/// few seconds. Panics at the first breach, naming the clause, what was expected and what came.
///
/// Two handles stand for two processes: where a store keeps anything in the handle, such as a connection or a cache,
/// they should not share it.
pub fn check<S: Store>(mut fresh: impl FnMut() -> (S, S)) {
    for (clause, examine) in records::clauses().chain(leases::clauses()).chain(races::clauses()) {
        let (one, other) = fresh();
        if let Err(breach) = examine(&one, &other) {
            panic!("the store breaks its contract: {clause}: {breach}");
        }
    }
}

/// What a clause is called, and what examines it.
type Clause<S> = (&'static str, fn(&S, &S) -> Finding);

fn key(server: &str, account: Option<&str>) -> Key {
    Key { server: server.to_owned(), account: account.map(str::to_owned) }
}

fn plain() -> Key {
    key("https://mcp.example/mcp", None)
}

/// A record of this generation. Records with different tokens differ.
fn record(key: &Key, generation: u64, token: &str) -> Result<Credential, String> {
    let server = "https://as.example";
    let value = json!({
        "version": VERSION,
        "generation": generation,
        "server": key.server,
        "resource": key.server,
        "resource_metadata": null,
        "authorization_server": {
            "issuer": server,
            "named": server,
            "authorization_endpoint": format!("{server}/authorize"),
            "token_endpoint": format!("{server}/token"),
            "revocation_endpoint": null,
            "iss_parameter_supported": true,
            "legacy": false,
        },
        "client": {
            "id": "client",
            "secret": "client secret",
            "method": "client_secret_basic",
            "secret_expires_at": 1_900_000_000,
            "redirect_uris": ["http://127.0.0.1:3000/callback"],
            "registered_at": 1_800_000_000,
            "origin": "dynamic",
        },
        "asked": "read write",
        "granted": "read",
        "access_token": token,
        "refresh_token": format!("refresh {token}"),
        "obtained_at": 1_800_000_000,
        "expires_at": 1_800_003_600,
    });
    serde_json::from_value(value).map_err(|error| format!("the test's own record is wrong: {error}"))
}

fn hold(holds: bool, otherwise: impl FnOnce() -> String) -> Finding {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// A record as an error shows it.
fn shown(found: Option<&Credential>) -> String {
    found.map_or("no record".to_owned(), |found| {
        format!("a record of generation {}", found.generation.as_u64())
    })
}

fn load(store: &impl Store, key: &Key) -> Result<Option<Credential>, String> {
    store.load(key).map_err(|error| format!("load of {key:?} failed: {error}"))
}

/// What stands under `key` is this, in every field.
fn stands(store: &impl Store, key: &Key, expected: Option<&Credential>) -> Finding {
    let found = load(store, key)?;
    hold(found.as_ref() == expected, || {
        let differ = if found.is_some() && expected.is_some() { ", equal in every field" } else { "" };
        let (expected, found) = (shown(expected), shown(found.as_ref()));
        format!("expected under {key:?}: {expected}{differ}; found: {found}")
    })
}

/// A write that succeeds.
fn keep(store: &impl Store, key: &Key, new: &Credential, replaces: Option<Generation>) -> Finding {
    match store.put(key, new, replaces) {
        Saving::Kept => Ok(()),
        other => Err(format!("put of {key:?} that replaces {replaces:?}: expected Kept, got {other:?}")),
    }
}

/// A write that meets another record than it expects, and says which.
fn conflict(
    store: &impl Store,
    key: &Key,
    new: &Credential,
    replaces: Option<Generation>,
    standing: Option<&Credential>,
) -> Finding {
    match store.put(key, new, replaces) {
        Saving::Conflict(found) => hold(found.as_deref() == standing, || {
            let (expected, found) = (shown(standing), shown(found.as_deref()));
            format!("the conflict names {found}; expected, equal in every field: {expected}")
        }),
        other => Err(format!("put that replaces {replaces:?}: expected Conflict, got {other:?}")),
    }
}

fn forget(store: &impl Store, key: &Key, generation: Generation, expected: bool) -> Finding {
    let gone = store.forget(key, generation).map_err(|error| format!("forget failed: {error}"))?;
    hold(gone == expected, || format!("forget: expected Ok({expected}), got Ok({gone})"))
}

fn lease(store: &impl Store, key: &Key, span: Duration, patience: Duration) -> Result<Option<Lease>, String> {
    store.lease(key, span, patience).map_err(|error| format!("lease of {key:?} failed: {error}"))
}

/// A lease that is given.
fn given(store: &impl Store, key: &Key, span: Duration, patience: Duration) -> Result<Lease, String> {
    lease(store, key, span, patience)?.ok_or_else(|| "expected a lease, got none".to_owned())
}

/// A lease that is refused.
fn refused(store: &impl Store, key: &Key, patience: Duration) -> Finding {
    let given = lease(store, key, LONG, patience)?;
    hold(given.is_none(), || "expected no lease, got one while another was held".to_owned())
}
