//! Files with traces and pictures: for the eyes of their owner, and never over another file.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

/// A new file that its owner alone may read and write. One that is there already is not touched.
///
/// # Errors
///
/// What is in the way, in words.
pub(crate) fn create(path: &Path) -> Result<File, String> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            format!("{} is there already, and is not written over. Name another file.", super::shown(path))
        }
        _ => format!("{} cannot be written: {error}", super::shown(path)),
    })
}

/// Takes the lines of a trace, and writes each into a new file as it comes.
///
/// # Errors
///
/// What is in the way of the file, in words. What is in the way of a line later is said on standard error, once.
pub(crate) fn lines(path: &Path) -> Result<impl FnMut(&str) + Send + 'static, String> {
    let (mut file, shown) = (Some(create(path)?), super::shown(path));
    Ok(move |line: &str| {
        let Some(open) = &mut file else { return };
        if let Err(error) = open.write_all(format!("{line}\n").as_bytes()) {
            anstream::eprintln!("warning: {shown} cannot be written, and ends here: {error}");
            file = None;
        }
    })
}

/// A new file with this text.
pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    let mut file = create(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| format!("{} cannot be written: {error}", super::shown(path)))
}

/// The text of a file of at most `most` bytes.
pub(super) fn read(path: &Path, most: u64) -> Result<String, String> {
    let unread = |why: String| format!("{} cannot be read: {why}", super::shown(path));
    let file = File::open(path).map_err(|error| unread(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| unread(error.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read > most) {
        return Err(unread(format!("it is larger than {} MB", most >> 20)));
    }
    String::from_utf8(bytes).map_err(|_| unread("it is no UTF-8 text".to_owned()))
}
