//! The directory, and the files of one record in it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use mcp_auth::Key;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// How much of a host is seen in a file's name, in characters.
const HOST: usize = 40;

/// How much of the digest is seen in a file's name, in bytes. That two keys meet is then left to nobody's luck, and the
/// record is held against its key besides.
const DIGEST: usize = 16;

/// Where one record is kept, with its lock and its lease.
pub(super) struct Place {
    directory: PathBuf,
    /// What the names of the record's files begin with.
    stem: String,
}

impl Place {
    pub(super) fn of(directory: &Path, key: &Key) -> Self {
        Self { directory: directory.to_owned(), stem: stem(key) }
    }

    /// Every place of the directory in which something stands that is named as a record is, in the order of their names.
    pub(super) fn all(directory: &Path) -> Result<Vec<Self>, String> {
        let read = |error| failed("read", directory, error);
        let mut stems = Vec::new();
        for entry in fs::read_dir(directory).map_err(read)? {
            let name = entry.map_err(read)?.file_name();
            stems.extend(name.to_str().and_then(|name| name.strip_suffix(".json")).map(str::to_owned));
        }
        stems.sort();
        Ok(stems.into_iter().map(|stem| Self { directory: directory.to_owned(), stem }).collect())
    }

    pub(super) fn record(&self) -> PathBuf {
        self.file("json")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.file("lock")
    }

    pub(super) fn lease(&self) -> PathBuf {
        self.file("lease")
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.directory.join(format!("{}.{ending}", self.stem))
    }

    /// What stands in the record's file; `None`: there is no such file.
    pub(super) fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        let path = self.record();
        let read = |error| failed("read", &path, error);
        if !stands(&path)? {
            return Ok(None);
        }
        let mut file = match File::open(&path) {
            Ok(file) => file,
            // It was deleted since it was looked at.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(read(error)),
        };
        close_to_others(&file).map_err(|error| failed("closed to other users", &path, error))?;
        let mut text = Zeroizing::new(Vec::new());
        file.read_to_end(&mut text).map_err(read)?;
        Ok(Some(text))
    }

    /// Puts the record in its place, whole or not at all. Whoever calls this holds the lock, so that the draft is
    /// nobody else's.
    pub(super) fn write(&self, text: &[u8]) -> Result<(), String> {
        let (record, draft) = (self.record(), self.file("tmp"));
        delete(&draft)?;
        let mut options = OpenOptions::new();
        // It must be new, so nothing that stands there is followed.
        options.write(true).create_new(true);
        owner_only(&mut options);
        let written = options.open(&draft).and_then(|mut file| {
            file.write_all(text)?;
            file.sync_all()
        });
        if let Err(error) = written.and_then(|()| fs::rename(&draft, &record)) {
            // What cannot be deleted either is deleted by the next write.
            let _ = fs::remove_file(&draft);
            return Err(failed("written", &record, error));
        }
        self.settle()
    }

    /// Deletes the record, and what a process that was killed may have left of one.
    pub(super) fn clear(&self) -> Result<(), String> {
        delete(&self.file("tmp"))?;
        delete(&self.record())?;
        self.settle()
    }

    /// Gives the record's file a name that nothing else has, and says which. Whoever calls this holds the lock, so that
    /// the name stays free until it is taken.
    pub(super) fn set_aside(&self) -> Result<PathBuf, String> {
        let record = self.record();
        for number in 1_u64.. {
            let kept = self.file(&format!("json.corrupt-{number}"));
            match fs::symlink_metadata(&kept) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    fs::rename(&record, &kept).map_err(|error| failed("set aside", &record, error))?;
                    self.settle()?;
                    return Ok(kept);
                }
                Err(error) => return Err(failed("looked at", &kept, error)),
            }
        }
        Err(format!("{} cannot be set aside: no name is left", record.display()))
    }

    /// Brings to the disk which files there are.
    #[cfg(unix)]
    fn settle(&self) -> Result<(), String> {
        match File::open(&self.directory).and_then(|directory| directory.sync_all()) {
            // Some file systems know no such thing for directories.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
            settled => settled.map_err(|error| failed("brought to the disk", &self.directory, error)),
        }
    }

    /// A directory cannot be opened as a file here; the system brings it to the disk by itself.
    #[cfg(not(unix))]
    fn settle(&self) -> Result<(), String> {
        Ok(())
    }
}

/// `mcp.example-0123456789abcdef0123456789abcdef`: the host, and a digest of the whole key.
pub(super) fn stem(key: &Key) -> String {
    let mut digest = Sha256::new();
    digest.update(&key.server);
    if let Some(account) = &key.account {
        // No byte of UTF-8 is 255, so nothing else is digested alike.
        digest.update([255]);
        digest.update(account);
    }
    let digest = digest.finalize();
    let digits: String = digest.iter().take(DIGEST).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{digits}", host(&key.server))
}

/// The host as far as any file system can show it. User info is no part of it: it may be a password.
fn host(server: &str) -> String {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default().trim_start_matches(['.', '-']);
    let plain = |letter: char| letter.is_ascii_alphanumeric() || ".-".contains(letter);
    let shown = |letter: char| if plain(letter) { letter.to_ascii_lowercase() } else { '_' };
    let host: String = host.chars().take(HOST).map(shown).collect();
    if host.is_empty() { "record".to_owned() } else { host }
}

/// Makes sure that the directory is there, and that nobody else may write in it.
pub(super) fn prepare(directory: &Path) -> Result<(), String> {
    let found = match fs::metadata(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create(directory).map_err(|error| failed("created", directory, error))?;
            fs::metadata(directory)
        }
        found => found,
    };
    let found = found.map_err(|error| failed("looked at", directory, error))?;
    if !found.is_dir() {
        return Err(format!("{} is no directory", directory.display()));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = found.permissions().mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(format!(
                "{} is no place for credentials: its mode is {mode:04o}, so others may write in it; 0700 was expected",
                directory.display()
            ));
        }
    }
    Ok(())
}

fn create(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Whether a file stands there. Anything else than a plain file is refused: a symbolic link would lead the next read or
/// lock elsewhere.
pub(super) fn stands(path: &Path) -> Result<bool, String> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(true),
        Ok(found) => {
            let what = if found.is_symlink() { "a symbolic link" } else { "no file" };
            Err(format!("{} was left alone: it is {what}, where a plain file was expected", path.display()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("looked at", path, error)),
    }
}

/// Deletes a file, or a link but not what it leads to. It is well if there is none.
pub(super) fn delete(path: &Path) -> Result<(), String> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("deleted", path, error)),
        _ => Ok(()),
    }
}

/// What is created is for its owner only.
pub(super) fn owner_only(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

/// Takes from everybody but the owner what a record's file may have come to allow.
#[cfg(unix)]
fn close_to_others(file: &File) -> io::Result<()> {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { file.set_permissions(Permissions::from_mode(0o600)) }
}

#[cfg(not(unix))]
fn close_to_others(_: &File) -> io::Result<()> {
    Ok(())
}

/// `what` could not be done to this file.
pub(super) fn failed(what: &str, path: &Path, error: io::Error) -> String {
    format!("{} could not be {what}: {error}", path.display())
}
