//! What is kept between runs: credentials, in files or in the system's keyring, and beside each what was said at its
//! login, so that it need not be said again. The latter holds no secret.

mod remembered;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use etcetera::BaseStrategy as _;
use mcp_auth::{Credential, Key};
use mcp_auth_reqwest::{MemoryStore, Store};
use mcp_auth_store::FileStore;
use serde::{Deserialize, Serialize};

use crate::exit::Stop;

pub(crate) use remembered::Remembered;

/// Where a credential is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// In a file that only you may read
    #[default]
    File,
    /// In the keyring of the operating system
    Keyring,
}

impl Kind {
    const ALL: [Self; 2] = [Self::File, Self::Keyring];

    /// What the environment says, if it says something.
    fn by_default() -> Result<Self, Stop> {
        let said = std::env::var_os("MCP_AUTH_STORE").unwrap_or_default();
        if said.is_empty() {
            return Ok(Self::default());
        }
        Self::ALL.into_iter().find(|kind| said == kind.as_str()).ok_or_else(|| {
            let said = said.to_string_lossy().into_owned();
            Stop::usage(format!("MCP_AUTH_STORE is {said:?}: expected file or keyring"))
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Keyring => "keyring",
        }
    }
}

/// The directory in which everything is. Nothing is created before something is to be kept.
#[derive(Clone)]
pub(crate) struct Vault {
    directory: PathBuf,
    #[cfg(feature = "keyring")]
    keyring: Arc<std::sync::OnceLock<Arc<dyn Store>>>,
}

/// One record that is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) kind: Kind,
}

impl Vault {
    /// `$XDG_STATE_HOME/mcp-auth` or `~/.local/state/mcp-auth`; on macOS and Windows where applications have their data.
    pub(crate) fn open() -> Result<Self, String> {
        let places = etcetera::base_strategy::choose_native_strategy()
            .map_err(|error| format!("no place is known for what is to be kept: {error}. Set HOME"))?;
        let state = places.state_dir().unwrap_or_else(|| places.data_dir());
        Ok(Self {
            directory: state.join("mcp-auth"),
            #[cfg(feature = "keyring")]
            keyring: Arc::default(),
        })
    }

    fn credentials(&self) -> PathBuf {
        self.directory.join("credentials")
    }

    fn logins(&self) -> PathBuf {
        self.directory.join("logins")
    }

    /// Where a store is, in words.
    pub(crate) fn place_of(&self, kind: Kind) -> String {
        match kind {
            Kind::File => format!("files in {}", self.credentials().display()),
            Kind::Keyring => "the keyring".to_owned(),
        }
    }

    /// The store, which is created if need be.
    pub(crate) fn store(&self, kind: Kind) -> Result<Arc<dyn Store>, String> {
        match kind {
            Kind::File => {
                let store = FileStore::new(self.credentials());
                Ok(Arc::new(store.map_err(|why| format!("{why}. {ELSEWHERE}"))?))
            }
            Kind::Keyring => self.keyring(),
        }
    }

    /// To open it means to write an entry, so it is opened once.
    #[cfg(feature = "keyring")]
    fn keyring(&self) -> Result<Arc<dyn Store>, String> {
        if let Some(opened) = self.keyring.get() {
            return Ok(opened.clone());
        }
        let keyring = mcp_auth_native::Keyring::new("mcp-auth").locks(self.directory.join("keyring"));
        let opened = keyring.open().map_err(|error| format!("{error}. Files are used with --store file"))?;
        Ok(self.keyring.get_or_init(|| Arc::new(opened)).clone())
    }

    #[cfg(not(feature = "keyring"))]
    fn keyring(&self) -> Result<Arc<dyn Store>, String> {
        Err("this program was built without the feature `keyring`. Use --store file".to_owned())
    }

    /// The store if something is in it, or if there is something to be kept and it can be; otherwise one that ends with this
    /// process.
    pub(crate) fn store_or_memory(&self, kind: Kind, keeps: bool) -> Result<Arc<dyn Store>, String> {
        if kind == Kind::File && !exists(&self.credentials())? {
            let kept = if keeps { self.store(kind).ok() } else { None };
            return Ok(kept.unwrap_or_else(|| Arc::new(MemoryStore::default())));
        }
        self.store(kind)
    }

    /// The record, if there is one.
    pub(crate) fn record(&self, entry: &Entry) -> Result<Option<Credential>, String> {
        if entry.kind == Kind::File && !exists(&self.credentials())? {
            return Ok(None);
        }
        self.store(entry.kind)?.load(&entry.key)
    }

    /// Deletes the record, of whatever generation. Tells whether there was one.
    pub(crate) fn forget(&self, entry: &Entry) -> Result<bool, String> {
        let Some(mut found) = self.record(entry)? else { return Ok(false) };
        let store = self.store(entry.kind)?;
        // Somebody may renew it meanwhile; not for ever.
        for _ in 0..8 {
            if store.forget(&entry.key, found.generation)? {
                return Ok(true);
            }
            let Some(newer) = store.load(&entry.key)? else { return Ok(true) };
            found = newer;
        }
        Err("other processes write it as fast as it is deleted; end them first".to_owned())
    }

    /// Where the record of this key is kept: as asked, or as it was at the last login, or by default.
    pub(crate) fn entry(&self, key: Key, asked: Option<Kind>) -> Result<Entry, Stop> {
        let known = |kind: &Kind| {
            let entry = Entry { key: key.clone(), kind: *kind };
            self.place(&entry).exists()
        };
        let kind = match asked.or_else(|| Kind::ALL.into_iter().find(known)) {
            Some(kind) => kind,
            None => Kind::by_default()?,
        };
        Ok(Entry { key, kind })
    }

    /// Everything that is kept, and what of it cannot be read.
    pub(crate) fn all(&self) -> Result<(Vec<Entry>, Vec<String>), String> {
        let (mut entries, mut unread) = self.remembered_entries()?;
        if exists(&self.credentials())? {
            let (keys, why) = FileStore::new(self.credentials())?.keys()?;
            entries.extend(keys.into_iter().map(|key| Entry { key, kind: Kind::File }));
            unread.extend(why);
        }
        entries.sort();
        entries.dedup();
        Ok((entries, unread))
    }
}

const ELSEWHERE: &str = "Another place can be named with XDG_STATE_HOME, on systems that know it";

fn exists(directory: &Path) -> Result<bool, String> {
    match fs::metadata(directory) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(format!("{} cannot be looked at: {error}", directory.display())),
    }
}
