//! A person with a browser on this machine, as drivers ask for one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mcp_auth::{Callback, Failure, Outcome, Timestamp};
use mcp_auth_host::{Answers, BoxFuture, Consent};
use url::Url;

#[cfg(feature = "browser")]
use crate::browser::OpenError;
use crate::{Listener, Page, Received};

/// How long the driver is kept for a page to reach the browser. Usually it takes a tenth of a millisecond, and a program
/// that ends right after the login would cut it short.
const SHOWN: Duration = Duration::from_millis(20);

/// A person with a browser on this machine: opens it, listens for what it brings, and shows in it how the login went.
///
/// Logins take turns: while one waits for its answer, another gets none. Between them the listener goes on, so that a
/// step-up has the same redirect URI. It ends when this is dropped.
pub struct Browser {
    /// A login takes it and gives it back.
    listener: Arc<Mutex<Option<Listener>>>,
    shared: Arc<Shared>,
}

type Show = dyn Fn(&Url, Opening) + Send + Sync;
type Heard = dyn Fn(&str) + Send + Sync;

struct Shared {
    opens: bool,
    show: Box<Show>,
    heard: Box<Heard>,
}

/// What becomes of the browser.
#[derive(Debug)]
#[non_exhaustive]
pub enum Opening {
    /// It is being opened. If none appears, the person opens the URL by hand.
    #[cfg(feature = "browser")]
    Begun,
    /// None could be: the person must open the URL by hand.
    #[cfg(feature = "browser")]
    Failed(OpenError),
    /// None is opened by this program: the person must open the URL by hand.
    Left,
}

impl Browser {
    /// `show` is told of each authorization request, first as [`Opening::Begun`], and again if it fails, on a thread of its
    /// own. It shows the person the URL: without that, a login on a machine whose browser does not open waits for nothing.
    pub fn new(listener: Listener, show: impl Fn(&Url, Opening) + Send + Sync + 'static) -> Self {
        let shared =
            Shared { opens: cfg!(feature = "browser"), show: Box::new(show), heard: Box::new(|_| {}) };
        Self { listener: Arc::new(Mutex::new(Some(listener))), shared: Arc::new(shared) }
    }

    /// No browser is opened by this program, and `show` is told [`Opening::Left`]. So it is without the feature `browser`.
    #[must_use]
    pub fn left_to_the_person(mut self) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.opens = false;
        }
        self
    }

    /// Who is told of the path and query of all that arrives, before it is judged. It may hold an authorization code.
    #[must_use]
    pub fn heard(mut self, heard: impl Fn(&str) + Send + Sync + 'static) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.heard = Box::new(heard);
        }
        self
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").field("opens", &self.shared.opens).finish_non_exhaustive()
    }
}

impl Shared {
    #[cfg(feature = "browser")]
    fn open(self: &Arc<Self>, url: &Url) {
        if !self.opens {
            return (self.show)(url, Opening::Left);
        }
        (self.show)(url, Opening::Begun);
        // The driver is not kept waiting.
        let open = {
            let (shared, url) = (Arc::clone(self), url.clone());
            move || {
                if let Err(why) = crate::browser::open(&url) {
                    (shared.show)(&url, Opening::Failed(why));
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("open-browser".to_owned()).spawn(open) {
            (self.show)(url, Opening::Failed(OpenError::NoBrowser(error)));
        }
    }

    #[cfg(not(feature = "browser"))]
    fn open(self: &Arc<Self>, url: &Url) {
        (self.show)(url, Opening::Left);
    }
}

impl Consent for Browser {
    fn open(&self, url: Url, _until: Timestamp) -> Box<dyn Answers> {
        self.shared.open(&url);
        Box::new(Visit {
            listener: None,
            home: Arc::clone(&self.listener),
            shared: Arc::clone(&self.shared),
            received: None,
        })
    }
}

/// One login in the browser.
struct Visit {
    /// Taken when the first answer is waited for: the login before may only then be over.
    listener: Option<Listener>,
    home: Arc<Mutex<Option<Listener>>>,
    shared: Arc<Shared>,
    /// The answer that is judged now.
    received: Option<Received>,
}

impl Visit {
    fn home(&self) -> std::sync::MutexGuard<'_, Option<Listener>> {
        self.home.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers for Visit {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async move {
            if let Some(foreign) = self.received.take() {
                foreign.answer(Page::Stranger, Duration::ZERO);
            }
            if self.listener.is_none() {
                let taken = self.home().take();
                self.listener = taken;
            }
            let Some(listener) = &mut self.listener else {
                return Err(
                    "another login waits for its answer on this redirect URI; finish that first".to_owned()
                );
            };
            let received = listener.next().await;
            (self.shared.heard)(received.callback());
            let callback = Callback::new(received.callback().to_owned());
            self.received = Some(received);
            Ok(callback)
        })
    }

    fn finished(&mut self, outcome: &Result<Outcome, Box<Failure>>) {
        let (Some(received), Some(page)) = (self.received.take(), Page::of(outcome)) else { return };
        received.answer(page, SHOWN);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.take() {
            *self.home() = Some(listener);
        }
    }
}

#[cfg(test)]
mod tests;
