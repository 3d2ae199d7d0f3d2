//! Standard output: the one place where it is written to. What does not arrive there is said, and is a failure.

use std::io::{self, ErrorKind, Write};

/// One line, or several.
pub(crate) fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    judged(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// A document as it is.
pub(crate) fn put(document: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    judged(out.write_all(document.as_bytes()).and_then(|()| out.flush()))
}

/// Whatever this writes, with colours where they are wanted.
pub(crate) fn write(page: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), String> {
    let mut out = anstream::AutoStream::auto(io::stdout());
    judged(page(&mut out).and_then(|()| out.flush()))
}

/// Whoever reads may have read enough. All else is said.
pub(crate) fn judged(written: io::Result<()>) -> Result<(), String> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| format!("standard output: {error}")),
    }
}

/// A place where a story is printed while it happens. What is in its way does not end the story; the first of it
/// is kept.
pub(crate) struct Place {
    to: Box<dyn Write + Send>,
    failed: Option<io::Error>,
}

impl Place {
    pub(crate) fn new(to: Box<dyn Write + Send>) -> Self {
        Self { to, failed: None }
    }

    /// What was in the way, once.
    pub(crate) fn outcome(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn kept<T>(&mut self, written: io::Result<T>) -> io::Result<T> {
        written.map_err(|error| {
            let kind = error.kind();
            if kind != ErrorKind::Interrupted {
                self.failed.get_or_insert(error);
            }
            kind.into()
        })
    }
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes);
        self.kept(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.to.flush();
        self.kept(flushed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_reader_that_has_gone_is_passed_over() {
        assert_eq!(judged(Err(ErrorKind::BrokenPipe.into())), Ok(()));
        assert!(judged(Err(ErrorKind::StorageFull.into())).unwrap_err().starts_with("standard output: "));
    }
}
