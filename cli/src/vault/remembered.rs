//! What was said at a login: no secret, and nothing that the record itself says.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use mcp_auth::{Key, Scopes};
use mcp_auth_store::Locks;
use serde::{Deserialize, Serialize};

use super::{Entry, Kind, Vault};
use crate::args::Way;

/// The form of file that is written and read here.
const FORMAT: u32 = 1;

/// What was said at a login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    format: u32,
    pub(crate) key: Key,
    pub(crate) store: Kind,
    #[serde(default)]
    pub(crate) grant: Way,
    pub(crate) client_id: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) client_metadata_url: Option<String>,
    pub(crate) client_name: Option<String>,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) scopes: Option<Scopes>,
    pub(crate) signing_key: Option<PathBuf>,
    pub(crate) dpop_key: Option<PathBuf>,
    pub(crate) assertion_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) allow_private: bool,
    #[serde(default)]
    pub(crate) no_legacy: bool,
}

impl Remembered {
    /// Of a login at which nothing was said.
    pub(crate) fn new(entry: &Entry) -> Self {
        Self {
            format: FORMAT,
            key: entry.key.clone(),
            store: entry.kind,
            grant: Way::default(),
            client_id: None,
            issuer: None,
            client_metadata_url: None,
            client_name: None,
            redirect_uri: None,
            scopes: None,
            signing_key: None,
            dpop_key: None,
            assertion_file: None,
            allow_private: false,
            no_legacy: false,
        }
    }
}

impl Vault {
    /// Named as the record is.
    pub(super) fn place(&self, entry: &Entry) -> PathBuf {
        self.logins().join(format!("{}.{}.json", Locks::name(&entry.key), entry.kind.as_str()))
    }

    /// What was said at the login.
    pub(crate) fn remembered(&self, entry: &Entry) -> Result<Option<Remembered>, String> {
        self.judge_logins()?;
        let place = self.place(entry);
        Ok(read(&place)?.filter(|it| it.key == entry.key && it.store == entry.kind))
    }

    /// Keeps it, in the place of what was said before.
    pub(crate) fn remember(&self, remembered: &Remembered) -> Result<(), String> {
        let entry = Entry { key: remembered.key.clone(), kind: remembered.store };
        let (place, directory) = (self.place(&entry), self.logins());
        let failed = |error: std::io::Error| format!("{} cannot be written: {error}", place.display());
        Locks::new(&directory)?;
        let draft = directory.join(format!(".{}.tmp", std::process::id()));
        // One that a killed process left; what a link leads to is not written.
        let _ = fs::remove_file(&draft);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let text = serde_json::to_vec_pretty(remembered).map_err(|error| failed(error.into()))?;
        let written = options.open(&draft).and_then(|mut file| {
            file.write_all(&text)?;
            file.write_all(b"\n")
        });
        written.and_then(|()| fs::rename(&draft, &place)).map_err(|error| {
            let _ = fs::remove_file(&draft);
            failed(error)
        })
    }

    /// What is remembered says which authorization server is used and which file is shown to it, so others may not write there.
    fn judge_logins(&self) -> Result<(), String> {
        let directory = self.logins();
        if super::exists(&directory)? { Locks::new(directory).map(drop) } else { Ok(()) }
    }

    /// Forgets what was said. It is well if nothing was.
    pub(crate) fn unremember(&self, entry: &Entry) -> Result<(), String> {
        let place = self.place(entry);
        match fs::remove_file(&place) {
            Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Err(format!("{} cannot be deleted: {error}", place.display()))
            }
            _ => Ok(()),
        }
    }

    /// The logins of which something was said, and what of that cannot be read.
    pub(super) fn remembered_entries(&self) -> Result<(Vec<Entry>, Vec<String>), String> {
        self.judge_logins()?;
        let directory = self.logins();
        let (mut entries, mut unread) = (Vec::new(), Vec::new());
        let files = match fs::read_dir(&directory) {
            Ok(files) => files,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok((entries, unread));
            }
            Err(error) => return Err(format!("{} cannot be read: {error}", directory.display())),
        };
        for file in files.flatten().map(|file| file.path()) {
            if file.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            match read(&file) {
                Ok(Some(it)) => entries.push(Entry { key: it.key, kind: it.store }),
                Ok(None) => {}
                Err(why) => unread.push(why),
            }
        }
        Ok((entries, unread))
    }
}

fn read(place: &Path) -> Result<Option<Remembered>, String> {
    if fs::symlink_metadata(place).is_ok_and(|found| !found.is_file()) {
        let place = place.display();
        return Err(format!("{place} was left alone: it is a symbolic link, or else no plain file"));
    }
    let text = match fs::read(place) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(format!("{} cannot be read: {error}", place.display())),
    };
    let unfit = |why: String| {
        format!("{} is not as this program writes it ({why}); delete it, and log in again", place.display())
    };
    let found: Remembered = serde_json::from_slice(&text).map_err(|error| unfit(error.to_string()))?;
    if found.format == FORMAT {
        Ok(Some(found))
    } else {
        Err(unfit(format!("its format is {}, and {FORMAT} is known", found.format)))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn vault(name: &str) -> Vault {
        let directory = std::env::temp_dir().join(format!("mcp-auth-vault-{}-{name}", std::process::id()));
        Vault {
            directory,
            #[cfg(feature = "keyring")]
            keyring: std::sync::Arc::default(),
        }
    }

    /// It says which authorization server is used, and which file is shown to it.
    #[test]
    fn what_others_may_write_is_not_believed() {
        let vault = vault("open");
        let key = Key { server: "https://mcp.example/mcp".to_owned(), account: None };
        let entry = Entry { key, kind: Kind::File };
        assert_eq!(vault.remembered(&entry).unwrap(), None);
        assert!(vault.remembered_entries().unwrap().0.is_empty());
        let said = Remembered { issuer: Some("https://as.example".to_owned()), ..Remembered::new(&entry) };
        vault.remember(&said).unwrap();
        assert_eq!(vault.remembered(&entry).unwrap(), Some(said.clone()));
        assert_eq!(vault.remembered_entries().unwrap().0.len(), 1);
        fs::set_permissions(vault.logins(), fs::Permissions::from_mode(0o777)).unwrap();
        let why = vault.remembered(&entry).unwrap_err();
        assert!(why.contains("others may write in it"), "{why}");
        assert!(vault.remember(&said).is_err() && vault.remembered_entries().is_err());
        fs::set_permissions(vault.logins(), fs::Permissions::from_mode(0o700)).unwrap();
        // Nor is what a link leads to, read or written.
        let place = vault.place(&entry);
        let elsewhere = vault.directory.join("elsewhere");
        fs::rename(&place, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &place).unwrap();
        assert!(vault.remembered(&entry).unwrap_err().contains("symbolic link"));
        let draft = vault.logins().join(format!(".{}.tmp", std::process::id()));
        std::os::unix::fs::symlink(vault.directory.join("target"), &draft).unwrap();
        vault.remember(&said).unwrap();
        assert!(!vault.directory.join("target").exists() && !draft.exists());
        fs::remove_dir_all(&vault.directory).unwrap();
    }
}
