//! The loopback listener (RFC 8252 §7.3): takes what a browser brings to the redirect URI, and nothing else.

mod answer;
mod bind;
mod request;
mod served;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use url::Url;

use crate::page::Page;
use request::Address;
use served::{Arrival, Served, knock};

/// How long a page that the host has chosen may take to reach the browser, before the host goes on.
const SHOWN: Duration = Duration::from_millis(250);

/// Which redirect URI is listened on, and who says so: the options of a [`Listener`].
///
/// ```
/// use mcp_auth_native::{Loopback, Name};
///
/// let listener = Loopback::new("Example").name(Name::Localhost).path("/oauth/callback").listen()?;
/// let redirect_uri = listener.redirect_uri();
/// assert!(redirect_uri.starts_with("http://localhost:") && redirect_uri.ends_with("/oauth/callback"));
/// # Ok::<_, mcp_auth_native::ListenError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loopback {
    application: String,
    name: Name,
    port: u16,
    path: String,
}

/// How the redirect URI names this machine. All are listened on, whichever is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Name {
    /// `127.0.0.1`, which RFC 8252 §8.3 recommends: no resolver can lead it elsewhere.
    #[default]
    Ipv4,
    /// `[::1]`. On a machine without IPv6 nothing can be listened on under this name.
    Ipv6,
    /// `localhost`, for servers that take no address.
    Localhost,
}

impl Name {
    const ALL: [Self; 3] = [Self::Ipv4, Self::Ipv6, Self::Localhost];

    /// As it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "127.0.0.1",
            Self::Ipv6 => "[::1]",
            Self::Localhost => "localhost",
        }
    }
}

impl Loopback {
    /// On any free port, under the path `/callback`. The pages that the browser is shown name the application.
    pub fn new(application: impl Into<String>) -> Self {
        Self { application: application.into(), name: Name::default(), port: 0, path: "/callback".to_owned() }
    }

    /// On a redirect URI that is registered already, such as `http://localhost:3000/callback`; the listener's is equal to
    /// it, byte for byte. Without a port it gets any that is free, as authorization servers must allow (RFC 8252 §7.3).
    pub fn for_redirect_uri(application: impl Into<String>, uri: &str) -> Result<Self, ListenError> {
        let refuse = |why| ListenError::RedirectUri { uri: uri.to_owned(), why };
        let rest = uri.strip_prefix("http://").ok_or_else(|| refuse("it does not begin with http://"))?;
        let found = Name::ALL.into_iter().find_map(|name| Some((name, rest.strip_prefix(name.as_str())?)));
        let (name, rest) = found.ok_or_else(|| refuse("its host is not 127.0.0.1, [::1] or localhost"))?;
        let (port, path) = rest.split_at(rest.find('/').ok_or_else(|| refuse("it has no path"))?);
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => 0,
            None => return Err(refuse("its host is not 127.0.0.1, [::1] or localhost")),
            Some(digits) => {
                let port = digits.parse().unwrap_or_default();
                // `+1` and `007` are read as numbers, but would not come out as they went in.
                if port == 0 || digits != u16::to_string(&port) {
                    return Err(refuse("its port is no number from 1 to 65535"));
                }
                port
            }
        };
        Ok(Self { application: application.into(), name, port, path: path.to_owned() })
    }

    /// How the redirect URI names this machine. Default: `127.0.0.1`.
    #[must_use]
    pub fn name(mut self, name: Name) -> Self {
        self.name = name;
        self
    }

    /// The port; 0, which is the default, takes any that is free.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The path of the redirect URI. Default: `/callback`.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Binds the port on 127.0.0.1 and on `::1`, and listens. A machine without IPv6 goes without. A port that another
    /// program has on either address is refused: it could be given the answer.
    pub fn listen(self) -> Result<Listener, ListenError> {
        self.listen_with(|served| served)
    }

    fn listen_with(self, adjust: impl FnOnce(Served) -> Served) -> Result<Listener, ListenError> {
        judge_path(&self.path)?;
        let bound = bind::bind(self.port)?;
        if self.name == Name::Ipv6 && bound.v6.is_none() {
            return Err(ListenError::NoIpv6);
        }
        let address = Address { port: bound.port, path: self.path };
        let served = Arc::new(adjust(Served::new(address, self.application)));
        let mut listener = Listener { name: self.name, served, threads: Vec::new() };
        let v4 = (SocketAddr::from((Ipv4Addr::LOCALHOST, bound.port)), Some(bound.v4));
        let v6 = (SocketAddr::from((Ipv6Addr::LOCALHOST, bound.port)), bound.v6);
        for (address, socket) in [v4, v6] {
            let Some(socket) = socket else { continue };
            let served = Arc::clone(&listener.served);
            let thread = listener.served.thread().spawn(move || served.accept(&socket));
            listener.threads.push((address, thread.map_err(ListenError::Thread)?));
        }
        Ok(listener)
    }
}

/// A browser must ask for just this path, so it must be one that no URL parser rewrites.
fn judge_path(path: &str) -> Result<(), ListenError> {
    let whole = Url::parse(&format!("http://127.0.0.1{path}"));
    let same = path.starts_with('/')
        && whole.is_ok_and(|it| it.path() == path && it[url::Position::AfterPath..].is_empty());
    if same { Ok(()) } else { Err(ListenError::Path { path: path.to_owned() }) }
}

/// Why nothing is listened on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Another program has the port.
    #[error(
        "{address} is in use, and whoever listens there would be given the answer of the login. End that program, or \
         take another port"
    )]
    InUse {
        /// Which address it has.
        address: SocketAddr,
    },
    /// The system does not let the port be had.
    #[error("{address} cannot be listened on: {source}. Take another port, above 1023")]
    Unavailable {
        /// Which address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No port is free on both addresses.
    #[error("no port was found that is free on 127.0.0.1 and [::1]. Name one that is")]
    NoPort,
    /// The redirect URI is to name `[::1]`, and the machine has no IPv6.
    #[error("this machine has no IPv6, so no browser could come to [::1]. Name it 127.0.0.1 or localhost")]
    NoIpv6,
    /// The path cannot be one of a redirect URI.
    #[error(
        "{path:?} cannot be the path of a redirect URI: expected a path that begins with / and that a browser leaves as it \
         is, without query and fragment (RFC 6749 §3.1.2), such as /callback"
    )]
    Path {
        /// What was given.
        path: String,
    },
    /// The redirect URI cannot be listened on.
    #[error(
        "{uri:?} cannot be listened on: {why}. Expected http, a loopback host, and a path, such as \
         http://127.0.0.1:3000/callback (RFC 8252 §7.3)"
    )]
    RedirectUri {
        /// What was given.
        uri: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The system gives no thread.
    #[error("no thread could be started to listen: {0}. End what uses the most of them, and try again")]
    Thread(io::Error),
}

/// Listens on loopback until it is dropped, on threads of its own.
///
/// What reaches the redirect URI is handed on by [`wait`](Self::wait) or [`next`](Self::next), in the order in which it
/// came; the browser waits meanwhile, for about seven seconds, to be told [how it went](Received::finish). Nothing that a
/// browser sends can end the listener. It does not judge whose answer it is: anyone on this machine, and any page that a
/// browser shows, can send one. Give it all to the machine, which knows its own by the `state`.
///
/// | what is asked | what is answered |
/// |---|---|
/// | `GET` of the path, with a `state` | the page that the host chooses |
/// | without a `state` | 400; it is not handed on |
/// | another path; or a `Host` that is none of this machine's own names with the port (DNS rebinding) | 404 |
/// | another method | 405 |
/// | a head of more than 16 KiB, or of more than 100 fields | 431 |
/// | nothing, for two seconds | nothing |
///
/// At most 64 connections are served at once; of the silent ones the oldest makes room for the next.
pub struct Listener {
    name: Name,
    served: Arc<Served>,
    threads: Vec<(SocketAddr, JoinHandle<()>)>,
}

impl Listener {
    /// The redirect URI, with the port that was bound.
    pub fn redirect_uri(&self) -> String {
        let Address { port, path } = self.served.address();
        format!("http://{}:{port}{path}", self.name.as_str())
    }

    /// The port that was bound.
    pub fn port(&self) -> u16 {
        self.served.address().port
    }

    /// The next answer. Blocks until it is there; `None`: none came in this time.
    pub fn wait(&mut self, timeout: Duration) -> Option<Received> {
        self.served.wait(timeout).map(|arrival| self.received(arrival))
    }

    /// The next answer, when it is there. The future needs no runtime, and may be dropped at any time: no answer is lost
    /// with it.
    pub async fn next(&mut self) -> Received {
        let arrival = poll_fn(|context| self.served.poll(context)).await;
        self.received(arrival)
    }

    fn received(&self, arrival: Arrival) -> Received {
        Received { served: Some(Arc::clone(&self.served)), arrival }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.redirect_uri()).finish()
    }
}

impl Drop for Listener {
    /// Frees the port before it returns, and ends all threads. A browser that still waits is shown that its answer came.
    fn drop(&mut self) {
        self.served.close(SHOWN);
        for (address, thread) in self.threads.drain(..) {
            // The thread waits for a connection, and looks up when there is one. Without open files to be had there may be
            // none for a while.
            for _ in 0..20 {
                if thread.is_finished() || knock(address).is_ok() {
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
            // If nothing wakes it, the next connection does.
            for _ in 0..100 {
                if thread.is_finished() {
                    let _ = thread.join();
                    break;
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// What reached the redirect URI. The browser waits to be told how it went: [`finish`](Self::finish) says so. If it is
/// dropped without that, or if it takes too long, the browser shows that the answer has arrived, and no more.
pub struct Received {
    /// `None`: the browser has been told.
    served: Option<Arc<Served>>,
    arrival: Arrival,
}

impl Received {
    /// The path and query, as the browser sent them, for [`Callback::new`](mcp_auth::Callback::new). It may hold an
    /// authorization code, and belongs into no log.
    pub fn callback(&self) -> &str {
        &self.arrival.callback
    }

    /// Shows this page in the browser, if it still waits. Returns when the browser has it, so that a program may end
    /// right after; that takes a moment, and a quarter of a second at most.
    pub fn finish(self, page: Page) {
        self.answer(page, SHOWN);
    }

    /// The same, with this long for the page to reach the browser.
    pub(crate) fn answer(mut self, page: Page, patience: Duration) {
        if let Some(served) = self.served.take() {
            served.tell(self.arrival.connection, Some(page), patience);
        }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if let Some(served) = self.served.take() {
            served.tell(self.arrival.connection, None, Duration::ZERO);
        }
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Received")
    }
}

#[cfg(test)]
mod tests;
