//! A directory for one test, and records to keep in it.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use mcp_auth::{Credential, Generation, Key, Saving};
use mcp_auth_store::{FileStore, Store};
use serde_json::json;

/// A directory that is empty at first, and deleted at the end.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("store-{}-{number}", std::process::id()));
        // Another process may have had the number before.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn store(&self) -> FileStore {
        FileStore::new(self.0.join("credentials")).unwrap()
    }

    /// The one file of the store whose name ends so.
    pub(crate) fn file(&self, ending: &str) -> PathBuf {
        let mut files = self.files();
        files.retain(|file| file.to_str().unwrap().ends_with(ending));
        assert_eq!(files.len(), 1, "{ending}: {files:?}");
        files.remove(0)
    }

    /// The files of the store, in the order of their names.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.join("credentials")).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn key() -> Key {
    Key { server: "https://mcp.example/mcp".to_owned(), account: None }
}

/// A record of this generation, with this access token.
pub(crate) fn record(generation: u64, token: &str) -> Credential {
    let server = "https://as.example";
    serde_json::from_value(json!({
        "version": 1,
        "generation": generation,
        "server": key().server,
        "resource": key().server,
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
            "secret": null,
            "method": "none",
            "secret_expires_at": null,
            "redirect_uris": [],
            "registered_at": null,
            "origin": "dynamic",
        },
        "asked": "",
        "granted": "",
        "access_token": token,
        "refresh_token": null,
        "obtained_at": 1_800_000_000,
        "expires_at": null,
    }))
    .unwrap()
}

/// The access token of the records below, which no error may show.
pub(crate) const TOKEN: &str = "an-access-token";

/// Puts a record of this generation in the place of what stands there.
pub(crate) fn kept(store: &FileStore, generation: u64) -> Credential {
    let record = record(generation, TOKEN);
    let standing = store.load(&key()).unwrap().map(|found| found.generation);
    assert!(matches!(store.put(&key(), &record, standing), Saving::Kept));
    record
}

/// What a failed put says.
pub(crate) fn refusal(saving: Saving) -> String {
    match saving {
        Saving::Failed(why) => why,
        other => panic!("a failure was expected, not {other:?}"),
    }
}

/// What each method says, all of which fail.
pub(crate) fn refusals(store: &FileStore) -> [String; 4] {
    let refusals = [
        store.load(&key()).unwrap_err(),
        refusal(store.put(&key(), &record(9, TOKEN), None)),
        refusal(store.put(&key(), &record(9, TOKEN), Some(Generation::default()))),
        store.forget(&key(), Generation::default()).unwrap_err(),
    ];
    for refusal in &refusals {
        assert!(!refusal.contains(TOKEN), "{refusal}");
    }
    refusals
}
