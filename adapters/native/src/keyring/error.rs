//! Why nothing can be kept in the keyring.

use std::time::Duration;

/// Why nothing can be kept in the keyring. None of it holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// There is none, or none that answers.
    #[error(
        "no keyring was found: {0}. Start one (on Linux a Secret Service on the session bus, such as gnome-keyring or \
         KWallet), or keep credentials in files"
    )]
    Absent(String),
    /// It is locked and was not unlocked, or it has no place for entries yet.
    #[error(
        "the keyring is locked, or it has no default collection: {0}. Unlock it or create one with the keyring's own program, \
         and try again"
    )]
    Locked(String),
    /// It does not answer in time.
    #[error(
        "the keyring has not answered for {0:?}. It may wait for a password in a window that nobody sees: unlock it with its \
         own program, and try again"
    )]
    Silent(Duration),
    /// It does not do what was asked.
    #[error("the keyring failed: {0}")]
    Failed(String),
    /// The record is longer than all that is given to one.
    #[error(
        "a record of {size} bytes cannot be kept in the keyring, which takes {most}. Keep credentials in files"
    )]
    TooLarge {
        /// How large it is, in bytes.
        size: usize,
        /// The most that is taken.
        most: usize,
    },
    /// The service cannot be one.
    #[error(
        "{service:?} cannot name the entries of a keyring: expected a name, such as that of the application"
    )]
    Service {
        /// What was given.
        service: String,
    },
    /// The directory of the locks cannot be used.
    #[error("the keyring cannot be shared with other processes, because the locks cannot be kept: {0}")]
    Locks(String),
    /// It is not known where the locks could be.
    #[error(
        "the keyring cannot be shared with other processes: neither XDG_STATE_HOME nor HOME (on Windows LOCALAPPDATA) is an \
         absolute path. Name a directory for the locks"
    )]
    NoState,
}
