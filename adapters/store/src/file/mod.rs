//! A store of files, one for each record.

mod lock;
mod locks;
mod place;

use std::path::{Path, PathBuf};
use std::time::Duration;

use mcp_auth::{Credential, Generation, Key, Saving, VERSION};

use crate::record::{self, Judged};
use crate::{Lease, Store};
pub use locks::{Lock, Locks};
use place::Place;

/// A store in a directory of its own, for any number of processes of one user at once.
///
/// # Files
///
/// Each record is a JSON file, `{"format":1,"key":{…},"credential":{…}}`. Its name is the server's host, for a person
/// to read, and 32 hexadecimal digits of the SHA-256 of server and account, which tell the records apart. Beside it
/// stand:
///
/// | ending | what it is |
/// |---|---|
/// | `.lock` | empty; locked for the moment in which a record is compared and written |
/// | `.lease` | empty; locked as long as a lease is held. Its modification time says when the lease ends |
/// | `.tmp` | a record that is being written; one that a killed process left goes with the next write |
/// | `.json.corrupt-1`, … | what was found in the place of a record and could not be read |
///
/// The locks are advisory ones of the operating system, so a process that dies gives back its locks and leases at
/// once. A lease lasts an hour at most. Its end is told by the wall clock, as processes share no other: when the
/// clock is set forward, a lease may end early.
///
/// # What may be relied on
///
/// - **A record is old or new, never half.** It is written beside the old one, brought to the disk, and renamed over
///   it; then the directory is brought to the disk.
/// - **What is not understood is left alone.** A file of another format, or of another version of [`Credential`], or
///   under a name that is not its own, is an error of every method and stays as it is.
/// - **What is corrupt is kept.** It is set aside under another name, and the method that met it fails and names the
///   old file, once. After that there is no record: a person has to log in again.
///
/// # Who may read
///
/// On Unix the directory is created with mode 0700 and files with 0600; a record that others may read is closed to
/// them when it is next read or written. A directory in which others may write is refused, and so is a record, lock or
/// lease that is a symbolic link. Who owns the directory is trusted, and the directories above it are the caller's
/// affair. On other systems files have the permissions that the directory gives them.
///
/// Nothing is encrypted. Copies that the caller makes are the caller's affair too.
#[derive(Clone, Debug)]
pub struct FileStore {
    locks: Locks,
}

impl FileStore {
    /// A store in this directory, which is created if need be, with those above it. Fails if that cannot be done, or if
    /// others may write in it.
    pub fn new(directory: impl Into<PathBuf>) -> Result<Self, String> {
        Ok(Self { locks: Locks::new(directory)? })
    }

    /// Where the records are.
    pub fn directory(&self) -> &Path {
        self.locks.directory()
    }

    /// The keys of all records, in order; for each file in the place of a record that has none, why not. Nothing is set
    /// aside, and no lock is taken: what another process writes or deletes meanwhile may be in it or not.
    pub fn keys(&self) -> Result<(Vec<Key>, Vec<String>), String> {
        place::prepare(self.directory())?;
        let (mut keys, mut unread) = (Vec::new(), Vec::new());
        for place in Place::all(self.directory())? {
            // It may be gone by now.
            let Some(text) = place.read().transpose() else { continue };
            let key = text.and_then(|text| {
                let key = record::key(&text).map_err(|why| left_alone(&place, &why))?;
                let own = Place::of(self.directory(), &key).record() == place.record();
                own.then_some(key)
                    .ok_or_else(|| left_alone(&place, "its name is that of another server or account"))
            });
            match key {
                Ok(key) => keys.push(key),
                Err(why) => unread.push(why),
            }
        }
        keys.sort();
        Ok((keys, unread))
    }

    fn swap(
        &self,
        key: &Key,
        credential: &Credential,
        replaces: Option<Generation>,
    ) -> Result<Saving, String> {
        if credential.version != VERSION {
            let version = credential.version;
            return Err(format!("a credential of version {version} cannot be kept: {VERSION} is known"));
        }
        let place = self.locks.place(key)?;
        let text = record::write(key, credential)?;
        let _lock = lock::take(&place.lock())?;
        let found = standing(&place, key)?;
        if found.as_ref().map(|found| found.generation) != replaces {
            return Ok(Saving::Conflict(found.map(Box::new)));
        }
        place.write(&text)?;
        Ok(Saving::Kept)
    }
}

/// The record that stands in its place. One that is corrupt is set aside. Whoever calls this holds the lock.
fn standing(place: &Place, key: &Key) -> Result<Option<Credential>, String> {
    let Some(text) = place.read()? else { return Ok(None) };
    match record::read(&text, key) {
        Judged::Sound(credential) => Ok(Some(*credential)),
        Judged::Unknown(why) => Err(left_alone(place, &why)),
        Judged::Corrupt(why) => {
            let kept = place.set_aside()?;
            Err(format!(
                "the credential file {} was corrupt ({why}) and is kept as {}; log in again",
                place.record().display(),
                kept.display()
            ))
        }
    }
}

fn left_alone(place: &Place, why: &str) -> String {
    format!("{} was left alone: {why}", place.record().display())
}

impl Store for FileStore {
    fn load(&self, key: &Key) -> Result<Option<Credential>, String> {
        let place = self.locks.place(key)?;
        let Some(text) = place.read()? else { return Ok(None) };
        match record::read(&text, key) {
            Judged::Sound(credential) => Ok(Some(*credential)),
            Judged::Unknown(why) => Err(left_alone(&place, &why)),
            Judged::Corrupt(_) => {
                // Only under the lock is it certain that what is set aside is what was judged.
                let _lock = lock::take(&place.lock())?;
                standing(&place, key)
            }
        }
    }

    fn lease(&self, key: &Key, span: Duration, patience: Duration) -> Result<Option<Lease>, String> {
        self.locks.lease(key, span, patience)
    }

    fn put(&self, key: &Key, credential: &Credential, replaces: Option<Generation>) -> Saving {
        self.swap(key, credential, replaces).unwrap_or_else(Saving::Failed)
    }

    fn forget(&self, key: &Key, generation: Generation) -> Result<bool, String> {
        let place = self.locks.place(key)?;
        let _lock = lock::take(&place.lock())?;
        if standing(&place, key)?.is_some_and(|found| found.generation != generation) {
            return Ok(false);
        }
        place.clear()?;
        Ok(true)
    }
}
