//! The keyring of this system, through the stores of `keyring-core`.

#[cfg(not(target_os = "macos"))]
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use keyring_core::api::CredentialStoreApi;
use keyring_core::{Entry, Error};
use zeroize::Zeroizing;

#[cfg(target_os = "macos")]
use apple_native_keyring_store::keychain::Store;
#[cfg(windows)]
use windows_native_keyring_store::store::Store;
#[cfg(all(unix, not(target_os = "macos")))]
use zbus_secret_service_keyring_store::Store;

use super::KeyringError;
use super::text::Entries;

/// How much one entry takes. Windows takes no more than 5 × 512 bytes (`CRED_MAX_CREDENTIAL_BLOB_SIZE`).
const LIMIT: Option<usize> = if cfg!(windows) { Some(2560) } else { None };

/// The entries of one service.
pub(super) struct Native {
    service: String,
    limit: Option<usize>,
    /// The connection. It is made anew when it fails, for the keyring may have been started anew.
    store: Mutex<Option<Arc<Store>>>,
}

impl Native {
    pub(super) fn new(service: String, limit: Option<usize>) -> Self {
        Self { service, limit: limit.or(LIMIT), store: Mutex::default() }
    }

    fn cached(&self) -> std::sync::MutexGuard<'_, Option<Arc<Store>>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(target_os = "macos")]
    fn entry_of(&self, store: &Store, name: &str) -> Result<Entry, Error> {
        store.build(&self.service, name, None)
    }

    /// On this machine only: a record that followed the person to another would be renewed there too, where nobody knows of
    /// the locks here.
    #[cfg(windows)]
    fn entry_of(&self, store: &Store, name: &str) -> Result<Entry, Error> {
        store.build(&self.service, name, Some(&HashMap::from([("persistence", "Local")])))
    }

    /// With a label for the person who looks at it.
    #[cfg(all(unix, not(target_os = "macos")))]
    fn entry_of(&self, store: &Store, name: &str) -> Result<Entry, Error> {
        let label = format!("{} ({name})", self.service);
        store.build(&self.service, name, Some(&HashMap::from([("label", label.as_str())])))
    }

    /// Lets go of the connection: the next call makes a new one.
    pub(super) fn disconnect(&self) {
        *self.cached() = None;
    }

    /// Does this with the entry of this name, and once more on a new connection if the old one fails.
    fn with<T>(
        &self,
        name: &str,
        run: impl Fn(&Entry) -> Result<T, Error>,
    ) -> Result<Option<T>, KeyringError> {
        let cached = self.cached().clone();
        let is_old = cached.is_some();
        match self.attempt(cached, name, &run) {
            // One that is locked has asked the person already.
            Err(KeyringError::Failed(_) | KeyringError::Absent(_)) if is_old => {
                self.disconnect();
                self.attempt(None, name, &run)
            }
            done => done,
        }
    }

    fn attempt<T>(
        &self,
        cached: Option<Arc<Store>>,
        name: &str,
        run: impl Fn(&Entry) -> Result<T, Error>,
    ) -> Result<Option<T>, KeyringError> {
        let store = match cached {
            Some(store) => store,
            // Not under the lock: it may take as long as it likes.
            None => Store::new().map_err(|error| KeyringError::Absent(told(&error)))?,
        };
        let entry = self.entry_of(&store, name);
        let done = match entry.and_then(|entry| run(&entry)) {
            Ok(done) => Some(done),
            Err(Error::NoEntry) => None,
            Err(error) => return Err(KeyringError::from(&error)),
        };
        *self.cached() = Some(store);
        Ok(done)
    }
}

impl Entries for Native {
    fn limit(&self) -> Option<usize> {
        self.limit
    }

    fn entry(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        Ok(self.with(name, Entry::get_secret)?.map(Zeroizing::new))
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<(), KeyringError> {
        let done = self.with(name, |entry| entry.set_secret(value))?;
        done.ok_or_else(|| KeyringError::Failed(format!("{name} could not be written: it is not there")))
    }

    fn delete(&self, name: &str) -> Result<(), KeyringError> {
        self.with(name, Entry::delete_credential).map(drop)
    }
}

impl From<&Error> for KeyringError {
    fn from(error: &Error) -> Self {
        match error {
            Error::NoStorageAccess(_) => Self::Locked(told(error)),
            _ => Self::Failed(told(error)),
        }
    }
}

/// What the system says. An error may hold what was read, which is a secret.
fn told(error: &Error) -> String {
    let text = match error {
        Error::PlatformFailure(error) | Error::NoStorageAccess(error) => error.to_string(),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => {
            "what it holds is in no form that is known".to_owned()
        }
        Error::Ambiguous(found) => {
            format!(
                "{} entries have the same name; delete all but one with the keyring's own program",
                found.len()
            )
        }
        error => error.to_string(),
    };
    mcp_auth::base::text::clean(&text, 300)
}
