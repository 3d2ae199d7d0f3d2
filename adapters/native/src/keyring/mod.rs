//! A store over the keyring of the operating system.

mod error;
mod native;
mod text;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use mcp_auth::{Credential, Generation, Key, Saving, VERSION};
use mcp_auth_store::record::{self, Judged};
use mcp_auth_store::{FileStore, Lease, Locks, Store};
use zeroize::Zeroizing;

pub use error::KeyringError;
use native::Native;
use text::{Entries, Found};

/// How long a call waits for the keyring, if nothing else is said. A person may have to type a password first.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many calls may still wait for a keyring that does not answer.
const WAITING: usize = 16;

/// The entry that shows whether the keyring takes anything.
const PROBE: &str = "probe";

/// How long a process that hangs while it looks keeps others from looking.
const PROBING: Duration = Duration::from_secs(120);

/// Whose entries are kept in the keyring, and how: the options of a [`KeyringStore`].
///
/// ```no_run
/// use mcp_auth_native::{Keyring, Opened};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // In the keyring, or not at all:
/// let store = Keyring::new("Example").open()?;
///
/// // In the keyring, or else in files, which are not encrypted. The person should be told.
/// let store = Keyring::new("Example").open_or_file("credentials")?;
/// if let Opened::File(_, why) = &store {
///     eprintln!("credentials are kept in files: {why}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Keyring {
    service: String,
    locks: Option<PathBuf>,
    patience: Duration,
    limit: Option<usize>,
}

impl Keyring {
    /// The entries of this service, which is the name of the application: a person sees it in the keyring's own program.
    /// All that share the records use the same.
    pub fn new(service: impl Into<String>) -> Self {
        Self { service: service.into(), locks: None, patience: PATIENCE, limit: None }
    }

    /// Where the [locks](Locks) are, which order processes. All that share the records use the same directory. Nothing in
    /// it is secret. Default: a directory of the service's name in `$XDG_STATE_HOME` or `~/.local/state`, in
    /// `~/Library/Application Support` on macOS, in `%LOCALAPPDATA%` on Windows.
    #[must_use]
    pub fn locks(mut self, directory: impl Into<PathBuf>) -> Self {
        self.locks = Some(directory.into());
        self
    }

    /// How long a call waits for the keyring: it may ask the person for a password first. Default: 30 seconds.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Opens the keyring: writes an entry, reads it and deletes it again, so that one that is absent, locked or read-only
    /// is found out now. A locked one asks the person to be unlocked, where the system has a way to.
    pub fn open(self) -> Result<KeyringStore, KeyringError> {
        if self.service.trim().is_empty() || self.service.chars().any(char::is_control) {
            return Err(KeyringError::Service { service: self.service });
        }
        let directory =
            self.locks.or_else(|| state().map(|state| state.join(folder(&self.service)).join("locks")));
        let directory = directory.ok_or(KeyringError::NoState)?;
        let inner = Inner {
            locks: Locks::new(directory).map_err(KeyringError::Locks)?,
            entries: Native::new(self.service, self.limit),
            waiting: AtomicUsize::new(0),
        };
        let store = KeyringStore { inner: Arc::new(inner), patience: self.patience };
        let patience = store.patience;
        store.apart(move |inner| inner.probe(patience))?;
        Ok(store)
    }

    /// Opens the keyring, or if that fails, a [`FileStore`] in this directory, and says which it is and why. Files are not
    /// encrypted, so this is for those who have decided that.
    ///
    /// Records do not move from one to the other. What was kept in files while the keyring was locked is not seen later, and
    /// the reverse: a person may have to log in once more.
    pub fn open_or_file(self, directory: impl Into<PathBuf>) -> Result<Opened, String> {
        match self.open() {
            Ok(store) => Ok(Opened::Keyring(store)),
            Err(why) => match FileStore::new(directory) {
                Ok(store) => Ok(Opened::File(store, why)),
                Err(also) => Err(format!("{why}. Nor can credentials be kept in files: {also}")),
            },
        }
    }
}

/// A directory for what is not worth keeping, of the person whose program this is.
fn state() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        named("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        named("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        named("XDG_STATE_HOME").or_else(|| named("HOME").map(|home| home.join(".local/state")))
    }
}

/// The service as the name of a directory. Two that share one wait for each other now and then, and no more than that.
fn folder(service: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "-_ ".contains(letter);
    let shown = |letter: char| if plain(letter) || letter == '.' { letter } else { '_' };
    let name: String = service.chars().take(60).map(shown).collect();
    let name = name.trim_matches(['.', ' ']);
    if name.is_empty() { "mcp-auth".to_owned() } else { name.to_owned() }
}

/// What [`Keyring::open_or_file`] has opened. It is a store, whichever it is.
#[derive(Debug)]
pub enum Opened {
    /// The keyring.
    Keyring(KeyringStore),
    /// Files, and why not the keyring.
    File(FileStore, KeyringError),
}

/// A store over the keyring of the operating system: the Secret Service on Linux and the BSDs, the login Keychain on macOS,
/// the Credential Manager on Windows.
///
/// # Entries
///
/// Each record is one entry of the service, named by [`Locks::name`], in the form of [`record`]. Where entries are small
/// (Windows: 2,560 bytes), a longer record is cut into parts, up to 64 of them, that count as written all at once.
///
/// # What may be relied on
///
/// - **Processes are ordered.** A keyring can neither compare and write in one step nor lease, so [`Locks`] in a directory
///   does that. All that share the records share that directory; who writes past it is not seen.
/// - **A record is old or new, never half**, also when a process is killed.
/// - **What is not understood is left alone**, and what is corrupt is set aside under the name `NAME.corrupt-1` and so on,
///   as in [`FileStore`].
/// - **No call hangs.** One that the keyring does not answer ends after [`Keyring::patience`] with an error. A write that
///   ended so may still come to pass when the person unlocks the keyring; till then nobody else can write that record.
///
/// # Who may read
///
/// Whom the system lets: on Linux every program of the same person while the keyring is unlocked, on macOS this program,
/// on Windows every program of the same person.
#[derive(Clone)]
pub struct KeyringStore {
    inner: Arc<Inner<Native>>,
    patience: Duration,
}

impl KeyringStore {
    /// Where the locks are.
    pub fn locks(&self) -> &Path {
        self.inner.locks.directory()
    }

    /// Does this on a thread of its own, and waits no longer than the patience. The thread goes on: what it holds it gives
    /// back when the keyring has answered.
    fn apart<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Inner<Native>) -> Result<T, KeyringError> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let inner = Arc::clone(&self.inner);
        let silent = || KeyringError::Silent(self.patience);
        if inner.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            inner.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(silent());
        }
        let (sender, done) = mpsc::channel();
        let counted = Counted(inner);
        let thread = thread::Builder::new().name("keyring".to_owned());
        let spawned = thread.spawn(move || drop(sender.send(run(&counted.0))));
        spawned.map_err(|error| KeyringError::Failed(format!("no thread could be started: {error}")))?;
        match done.recv_timeout(self.patience) {
            Ok(done) => done,
            Err(RecvTimeoutError::Timeout) => {
                self.inner.entries.disconnect();
                Err(silent())
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.inner.entries.disconnect();
                Err(KeyringError::Failed("what talks to it broke down; try again".to_owned()))
            }
        }
    }
}

/// A call that waits for the keyring.
struct Counted(Arc<Inner<Native>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for KeyringStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyringStore").field("locks", &self.locks()).finish_non_exhaustive()
    }
}

struct Inner<E> {
    locks: Locks,
    entries: E,
    waiting: AtomicUsize,
}

impl<E: Entries> Inner<E> {
    /// Whether the keyring takes an entry, gives it back and deletes it. Where another process is just being asked for the
    /// password, it waits for that.
    fn probe(&self, patience: Duration) -> Result<(), KeyringError> {
        let key = Key { server: PROBE.to_owned(), account: None };
        let lease = self.locks.lease(&key, PROBING, patience).map_err(KeyringError::Locks)?;
        let _lease = lease.ok_or(KeyringError::Silent(patience))?;
        self.entries.set(PROBE, PROBE.as_bytes())?;
        let found = self.entries.entry(PROBE)?;
        self.entries.delete(PROBE)?;
        if found.is_some_and(|found| *found == PROBE.as_bytes()) {
            return Ok(());
        }
        Err(KeyringError::Failed("it does not give back what was written to it".to_owned()))
    }

    fn load(&self, key: &Key) -> Result<Option<Credential>, KeyringError> {
        // A record that is being replaced may be read half, or be gone between two steps; under the lock it is not.
        if let Ok(found) = text::read(&self.entries, &Locks::name(key)) {
            match found {
                Found::Nothing => return Ok(None),
                Found::Text(text) => {
                    if let Judged::Sound(credential) = record::read(&text, key) {
                        return Ok(Some(*credential));
                    }
                }
                Found::Torn => {}
            }
        }
        let _lock = self.locks.lock(key).map_err(KeyringError::Locks)?;
        self.standing(key)
    }

    /// The record that stands under a key. One that is corrupt is set aside. Whoever calls this holds the lock.
    fn standing(&self, key: &Key) -> Result<Option<Credential>, KeyringError> {
        let name = Locks::name(key);
        let why = match text::read(&self.entries, &name)? {
            Found::Nothing => return Ok(None),
            Found::Torn => "its parts do not belong together".to_owned(),
            Found::Text(text) => match record::read(&text, key) {
                Judged::Sound(credential) => return Ok(Some(*credential)),
                Judged::Unknown(why) => {
                    return Err(KeyringError::Failed(format!("its entry {name} was left alone: {why}")));
                }
                Judged::Corrupt(why) => why,
            },
        };
        let kept = text::set_aside(&self.entries, &name)?;
        Err(KeyringError::Failed(format!(
            "its entry {name} was corrupt ({why}) and is kept as {kept}; log in again"
        )))
    }

    fn swap(
        &self,
        key: &Key,
        text: &Zeroizing<Vec<u8>>,
        replaces: Option<Generation>,
    ) -> Result<Saving, KeyringError> {
        let _lock = self.locks.lock(key).map_err(KeyringError::Locks)?;
        let found = self.standing(key)?;
        if found.as_ref().map(|found| found.generation) != replaces {
            return Ok(Saving::Conflict(found.map(Box::new)));
        }
        text::write(&self.entries, &Locks::name(key), text)?;
        Ok(Saving::Kept)
    }

    fn forget(&self, key: &Key, generation: Generation) -> Result<bool, KeyringError> {
        let _lock = self.locks.lock(key).map_err(KeyringError::Locks)?;
        if self.standing(key)?.is_some_and(|found| found.generation != generation) {
            return Ok(false);
        }
        text::delete(&self.entries, &Locks::name(key))?;
        Ok(true)
    }
}

/// A record as it is written.
fn written(key: &Key, credential: &Credential) -> Result<Zeroizing<Vec<u8>>, String> {
    if credential.version != VERSION {
        let version = credential.version;
        return Err(format!("a credential of version {version} cannot be kept: {VERSION} is known"));
    }
    record::write(key, credential)
}

impl Store for KeyringStore {
    fn load(&self, key: &Key) -> Result<Option<Credential>, String> {
        let key = key.clone();
        self.apart(move |inner| inner.load(&key)).map_err(|error| error.to_string())
    }

    fn lease(&self, key: &Key, span: Duration, patience: Duration) -> Result<Option<Lease>, String> {
        self.inner.locks.lease(key, span, patience)
    }

    fn put(&self, key: &Key, credential: &Credential, replaces: Option<Generation>) -> Saving {
        let text = match written(key, credential) {
            Ok(text) => text,
            Err(why) => return Saving::Failed(why),
        };
        let key = key.clone();
        let saving = self.apart(move |inner| inner.swap(&key, &text, replaces));
        saving.unwrap_or_else(|error| Saving::Failed(error.to_string()))
    }

    fn forget(&self, key: &Key, generation: Generation) -> Result<bool, String> {
        let key = key.clone();
        self.apart(move |inner| inner.forget(&key, generation)).map_err(|error| error.to_string())
    }
}

impl Store for Opened {
    fn load(&self, key: &Key) -> Result<Option<Credential>, String> {
        match self {
            Self::Keyring(store) => store.load(key),
            Self::File(store, _) => store.load(key),
        }
    }

    fn lease(&self, key: &Key, span: Duration, patience: Duration) -> Result<Option<Lease>, String> {
        match self {
            Self::Keyring(store) => store.lease(key, span, patience),
            Self::File(store, _) => store.lease(key, span, patience),
        }
    }

    fn put(&self, key: &Key, credential: &Credential, replaces: Option<Generation>) -> Saving {
        match self {
            Self::Keyring(store) => store.put(key, credential, replaces),
            Self::File(store, _) => store.put(key, credential, replaces),
        }
    }

    fn forget(&self, key: &Key, generation: Generation) -> Result<bool, String> {
        match self {
            Self::Keyring(store) => store.forget(key, generation),
            Self::File(store, _) => store.forget(key, generation),
        }
    }
}

#[cfg(test)]
mod tests;
