//! Opens the person's browser, outside this program (RFC 8252 §8.12) and without a shell.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use url::{Host, Url};

#[cfg(all(unix, not(target_os = "macos")))]
mod terminal;

/// How long [`open`] waits for a browser to say that it does not start.
const STARTING: Duration = Duration::from_secs(3);

/// Opens this URL in the person's browser, or says why that cannot be.
///
/// The URL goes to the browser as one argument, and through no shell. Only https is opened, and http on loopback;
/// anything else could start another program.
///
/// `Ok` means that a browser was started, not that it shows the page. The browser runs on its own, without this program's
/// input and output. Waits three seconds at most, and usually for no more than a moment; an async host calls it where
/// blocking is allowed.
///
/// # `BROWSER`
///
/// On Unix other than macOS the variable `BROWSER` goes before the desktop's choice. It is a list of commands, separated
/// by colons, of which the first that can be started is taken. A command is split at white space: the first word is a
/// program, looked up in `PATH`, the others are its arguments, in which `%s` stands for the URL, `%c` for a colon and `%%`
/// for a per cent sign; without `%s` the URL is the last argument. Quotes, `;`, `|`, `$` and the like mean nothing: no shell
/// reads it. If none of them can be started, the desktop's choice is taken.
///
/// A browser that runs in the terminal (`w3m`, `lynx` and their like in `BROWSER`, or the desktop's choice if its entry says
/// `Terminal=true`) is started in this program's terminal, and has it until the person leaves. Where input or output is no
/// terminal, it is not started: [`OpenError::NoTerminal`].
pub fn open(url: &Url) -> Result<(), OpenError> {
    judge(url)?;
    let url = url.clone();
    let (sender, started) = mpsc::channel();
    let thread = thread::Builder::new().name("open-browser".to_owned());
    // A browser in the terminal runs for as long as the person likes; the rest of the program does not wait for it.
    let run = move || drop(sender.send(started_with(&url)));
    thread.spawn(run).map_err(OpenError::NoBrowser)?;
    match started.recv_timeout(STARTING) {
        Ok(opened) => opened,
        Err(RecvTimeoutError::Timeout) => Ok(()),
        Err(RecvTimeoutError::Disconnected) => {
            Err(OpenError::NoBrowser(io::Error::other("what opens browsers broke down")))
        }
    }
}

fn started_with(url: &Url) -> Result<(), OpenError> {
    #[cfg(all(unix, not(target_os = "macos")))]
    terminal::needed()?;
    webbrowser::open(url.as_str()).map_err(OpenError::NoBrowser)
}

/// Why no browser was opened. The URL is not in it: show that to the person beside it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL is none that a browser is opened with.
    #[error(
        "a URL with {what} is not opened in a browser: only https is, and http on loopback. Do not open it by hand either"
    )]
    Refused {
        /// What it has.
        what: String,
    },
    /// There is no browser, or it does not start.
    #[error("no browser could be opened: {0}. Open the URL yourself, in a browser on this machine")]
    NoBrowser(#[source] io::Error),
    /// The browser that is chosen runs in a terminal, and there is none.
    #[error(
        "{named_by} names {browser}, which runs in a terminal, and there is none here. Open the URL yourself, in a browser on \
         this machine"
    )]
    NoTerminal {
        /// Who chose it: `BROWSER` or `the desktop`.
        named_by: &'static str,
        /// The program.
        browser: String,
    },
}

fn judge(url: &Url) -> Result<(), OpenError> {
    let refused = |what: &str| Err(OpenError::Refused { what: what.to_owned() });
    if !url.username().is_empty() || url.password().is_some() {
        // What stands there is often taken for the host.
        return refused("user info");
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => Ok(()),
        ("http", Some(Host::Domain("localhost"))) => Ok(()),
        ("http", Some(Host::Ipv4(address))) if address.is_loopback() => Ok(()),
        ("http", Some(Host::Ipv6(address))) if address.is_loopback() => Ok(()),
        ("http", _) => refused("http and a host that is not loopback"),
        (scheme, _) => refused(&format!("the scheme {scheme:.20}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_http_on_loopback_are_opened() {
        let of = |url: &str| judge(&Url::parse(url).unwrap());
        for url in [
            "https://as.example/authorize?a=b",
            "http://127.0.0.1:3000/authorize",
            "http://127.9.9.9/",
            "http://[::1]:3000/",
            "http://localhost/",
        ] {
            assert!(of(url).is_ok(), "{url}");
        }
        for url in [
            "http://as.example/authorize",
            "http://localhost.evil.example/",
            "http://evil.localhost/",
            "http://0.0.0.0/",
            "http://[::ffff:127.0.0.1]/",
            "https://www.bank.example@evil.example/",
            "https://:password@as.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "ms-msdt:/id",
            "vscode://x",
            "mailto:a@b.example",
            "--upload-pack=x:y",
        ] {
            let Ok(url) = Url::parse(url) else { continue };
            let refused = judge(&url).expect_err(url.as_str());
            assert!(matches!(refused, OpenError::Refused { .. }), "{refused}");
            assert!(!refused.to_string().contains("password"), "{refused}");
        }
    }
}
