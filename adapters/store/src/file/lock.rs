//! Locks between processes: the short one, under which a record's files change, and the long one, which is a lease.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::place::{self, Place, failed, stands};

/// How long to wait for the short lock. It is held while a file is written, so whoever has it longer is stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest lease. A lease that claims to last much longer was given before the clock was set back, and would hold
/// up others for as long as that.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Takes the short lock. It is given back when the file is dropped.
pub(super) fn take(path: &Path) -> Result<File, String> {
    take_within(path, PATIENCE)
}

fn take_within(path: &Path, patience: Duration) -> Result<File, String> {
    let taken = poll(patience, Duration::from_millis(5), || attempt(path))?;
    taken.ok_or_else(|| {
        let path = path.display();
        format!("{path} has been locked for {patience:?} by another process, which may be stopped; end it")
    })
}

/// Takes the long lock for `span`. It is given back when the file is dropped. `None`: somebody had it for all of
/// `patience`.
pub(super) fn lease(place: &Place, span: Duration, patience: Duration) -> Result<Option<File>, String> {
    poll(patience, Duration::from_millis(25), || attempt_lease(place, span))
}

/// The end of a lease is the modification time of its file, not its content: on Windows others cannot read a file that
/// is locked, and a time is never half written. All of it happens under the short lock, so that no one judges a lease by
/// the time that the last holder left, while the next is about to write its own.
fn attempt_lease(place: &Place, span: Duration) -> Result<Option<File>, String> {
    let _lock = take(&place.lock())?;
    let path = place.lease();
    let mut held = attempt(&path)?;
    if held.is_none() && has_ended(&path)? {
        // Its holder lives and keeps its lock, but on a file that nobody will open again.
        place::delete(&path)?;
        held = attempt(&path)?;
    }
    if let Some(file) = &held {
        let ends = SystemTime::now() + span.min(LONGEST);
        file.set_modified(ends).map_err(|error| failed("given its time", &path, error))?;
    }
    Ok(held)
}

fn has_ended(path: &Path) -> Result<bool, String> {
    let ends = match fs::metadata(path).and_then(|found| found.modified()) {
        Ok(ends) => ends,
        // Somebody deleted it by hand.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(failed("looked at", path, error)),
    };
    let now = SystemTime::now();
    Ok(ends <= now || ends > now + LONGEST * 2)
}

/// Locks the file at `path`, which is created if need be. `None`: somebody else has it locked.
fn attempt(path: &Path) -> Result<Option<File>, String> {
    stands(path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    place::owner_only(&mut options);
    let file = options.open(path).map_err(|error| failed("opened", path, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(failed("locked", path, error)),
    }
    // A file that was deleted since it was opened guards nothing: others lock its successor.
    Ok(is_at(&file, path).map_err(|error| failed("looked at", path, error))?.then_some(file))
}

/// Whether `path` still names this file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(identity(found) == identity(file.metadata()?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The standard library cannot tell. It does not matter to this crate, which deletes a lease under the short lock only,
/// and the short lock never.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Tries until something is there, or for `patience`, at least once; sleeps between, each time longer, up to `longest`.
fn poll<T>(
    patience: Duration,
    longest: Duration,
    mut attempt: impl FnMut() -> Result<Option<T>, String>,
) -> Result<Option<T>, String> {
    let began = Instant::now();
    let mut nap = Duration::from_millis(1);
    loop {
        if let Some(found) = attempt()? {
            return Ok(Some(found));
        }
        let left = patience.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        thread::sleep(nap.min(left));
        nap = (nap * 2).min(longest);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("mcp-auth-store-{}-{name}.lock", std::process::id()))
    }

    #[test]
    fn a_lock_that_is_never_given_back_is_an_error() {
        let path = path("kept");
        let held = take(&path).unwrap();
        let refusal = take_within(&path, Duration::from_millis(30)).unwrap_err();
        assert!(refusal.contains("30ms") && refusal.contains(path.to_str().unwrap()), "{refusal}");
        drop(held);
        drop(take_within(&path, Duration::ZERO).unwrap());
        fs::remove_file(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_known_from_its_successor() {
        let path = path("replaced");
        let first = File::create(&path).unwrap();
        assert!(is_at(&first, &path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&first, &path).unwrap());
        let second = File::create(&path).unwrap();
        assert!(!is_at(&first, &path).unwrap());
        assert!(is_at(&second, &path).unwrap());
        fs::remove_file(&path).unwrap();
    }
}
