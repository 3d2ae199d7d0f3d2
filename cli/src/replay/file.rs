//! Files with traces and pictures: for the eyes of their owner, and never over another file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write as _};
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

/// A new file that its owner alone may read and write. One that is there already is not touched.
///
/// # Errors
///
/// What is in the way, in words.
fn create(path: &Path) -> Result<File, String> {
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

/// Takes the lines of a trace, and writes each into a new file as it comes. The file has whole lines only; one that would
/// have none is removed.
///
/// # Errors
///
/// What is in the way of the file, in words. What is in the way of a line later is said on standard error, once.
pub(crate) fn lines(path: &Path) -> Result<impl FnMut(&str) + Send + 'static, String> {
    if super::is_standard(path) {
        return Err("a trace that is being recorded holds every secret: name a file for it".to_owned());
    }
    let mut lines = Lines { file: Some(create(path)?), path: path.to_owned(), whole: 0 };
    Ok(move |line: &str| lines.add(line))
}

/// A trace that is being written.
struct Lines {
    /// Until it cannot be written any more.
    file: Option<File>,
    path: PathBuf,
    /// How long its whole lines are, in bytes.
    whole: u64,
}

impl Lines {
    fn add(&mut self, line: &str) {
        let Some(file) = &mut self.file else { return };
        let line = format!("{line}\n");
        match file.write_all(line.as_bytes()) {
            Ok(()) => self.whole = self.whole.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX)),
            Err(error) => {
                let _ = file.set_len(self.whole);
                self.removed_if_empty();
                let shown = super::shown(&self.path);
                anstream::eprintln!("warning: {shown} cannot be written, and ends here: {error}");
                self.file = None;
            }
        }
    }

    /// Only while it is open, and so without doubt the one that was made here.
    fn removed_if_empty(&self) {
        if self.file.is_some() && self.whole == 0 {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.removed_if_empty();
    }
}

/// Whether two paths name the same file, as far as can be seen before it is there.
pub(super) fn are_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Some((folder.unwrap_or(Path::new(".")).canonicalize().ok()?, path.file_name()?.to_owned()))
    };
    one == other || place(one).is_some_and(|one| place(other) == Some(one))
}

/// New files with these texts: all of them, or none.
pub(super) fn write(texts: &[(&Path, String)]) -> Result<(), String> {
    let mut made = Vec::new();
    let written = made_and_written(texts, &mut made);
    if written.is_err() {
        made.iter().for_each(|path| drop(fs::remove_file(path)));
    }
    written
}

/// All are there before the first is written: what is in the way of one may be known by then.
fn made_and_written<'a>(texts: &'a [(&Path, String)], made: &mut Vec<&'a Path>) -> Result<(), String> {
    let mut files = Vec::new();
    for (path, _) in texts {
        files.push(create(path)?);
        made.push(path);
    }
    for (file, (path, text)) in files.iter_mut().zip(texts) {
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|error| format!("{} cannot be written: {error}", super::shown(path)))?;
    }
    Ok(())
}

/// The text of a file of at most `most` bytes; `-` is standard input. One that was cut off may end within a character, which
/// is left out.
pub(super) fn read(path: &Path, most: u64) -> Result<String, String> {
    let unread = |why: String| format!("{} cannot be read: {why}", super::source(path));
    let file: Box<dyn Read> = match super::is_standard(path) {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(path).map_err(|error| unread(error.to_string()))?),
    };
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| unread(error.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read > most) {
        return Err(unread(format!("it is larger than {} MB", most >> 20)));
    }
    let without_its_end = |error: FromUtf8Error| match error.utf8_error() {
        cut if cut.error_len().is_none() => {
            let mut bytes = error.into_bytes();
            bytes.truncate(cut.valid_up_to());
            String::from_utf8(bytes)
        }
        _ => Err(error),
    };
    let text = String::from_utf8(bytes).or_else(without_its_end);
    text.map_err(|_| unread("it is no UTF-8 text".to_owned()))
}
