//! The locks of files, for stores that keep their records elsewhere.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mcp_auth::Key;

use super::lock;
use super::place::{self, Place};
use crate::Lease;

/// Orders the processes that share records which are kept where nothing can be compared and written in one step, such as
/// the system's keyring. In a directory of its own there are two empty files for each record, as beside the records of
/// [`FileStore`](crate::FileStore): nothing in it is secret, though the names of the files show the hosts of the servers.
///
/// All who share the records must share the directory.
#[derive(Clone, Debug)]
pub struct Locks {
    directory: PathBuf,
}

impl Locks {
    /// Locks in this directory, which is created if need be, with those above it. Fails if that cannot be done, or if
    /// others may write in it.
    pub fn new(directory: impl Into<PathBuf>) -> Result<Self, String> {
        let directory = directory.into();
        place::prepare(&directory)?;
        Ok(Self { directory })
    }

    /// Where the locks are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A name for this record: `mcp.example-0123456789abcdef0123456789abcdef`, the host and a digest of server and account.
    /// It has lower-case ASCII letters, digits, `.`, `-` and `_` only, and at most 73 of them.
    pub fn name(key: &Key) -> String {
        place::stem(key)
    }

    /// Takes the lock under which a record is compared and written. It is given back when the value is dropped, or when the
    /// process dies. Waits ten seconds; whoever has it longer is stopped, and that is an error.
    pub fn lock(&self, key: &Key) -> Result<Lock, String> {
        Ok(Lock { _file: lock::take(&self.place(key)?.lock())? })
    }

    /// A lease, as [`Store::lease`](crate::Store::lease) has it. It lasts an hour at most.
    pub fn lease(&self, key: &Key, span: Duration, patience: Duration) -> Result<Option<Lease>, String> {
        Ok(lock::lease(&self.place(key)?, span, patience)?.map(Lease::new))
    }

    /// The directory is looked at anew each time: it may have been deleted, or opened to others.
    pub(super) fn place(&self, key: &Key) -> Result<Place, String> {
        place::prepare(&self.directory)?;
        Ok(Place::of(&self.directory, key))
    }
}

/// A lock of [`Locks::lock`]. Dropping it gives it back.
#[must_use = "a lock that is dropped is given back"]
pub struct Lock {
    _file: File,
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}
