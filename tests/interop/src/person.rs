//! A person with a browser: Chromium, driven through the pages of the authorization server, and a loopback listener for what
//! it ends with.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// What the person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Logs in and consents.
    Give,
    /// Logs in, and refuses on the page of consent or of the device.
    Refuse,
    /// Goes away from the page of the login.
    Cancel,
    /// Logs in and consents, but thinks for longer than devices wait before they ask.
    GiveSlowly,
}

impl Wish {
    fn as_str(self) -> &'static str {
        match self {
            Self::Give | Self::GiveSlowly => "give",
            Self::Refuse => "refuse",
            Self::Cancel => "cancel",
        }
    }
}

/// The way to the browser.
#[derive(Clone)]
pub(crate) struct Desk {
    /// The program that is given a URL: `tests/interop/browser`.
    pub(crate) browser: PathBuf,
    /// Where the pictures go.
    pub(crate) shots: PathBuf,
}

type Tell = Box<dyn Fn(Result<String, String>) + Send>;
type Unknown = Box<dyn Fn() + Send>;

/// Cheap to clone; clones are the same person.
#[derive(Clone)]
pub(crate) struct Person(Arc<Inner>);

struct Inner {
    desk: Desk,
    wish: Wish,
    name: String,
    port: u16,
    told: Mutex<Option<Tell>>,
    unknown: Mutex<Option<Unknown>>,
    visits: Mutex<Vec<JoinHandle<Value>>>,
    count: Mutex<usize>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Person {
    /// A person who does as wished. `name` names the pictures.
    pub(crate) fn new(desk: &Desk, name: &str, wish: Wish) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let person = Self(Arc::new(Inner {
            desk: desk.clone(),
            wish,
            name: name.to_owned(),
            port,
            told: Mutex::default(),
            unknown: Mutex::default(),
            visits: Mutex::default(),
            count: Mutex::default(),
        }));
        let inner = Arc::downgrade(&person.0);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(inner) = inner.upgrade() else { return };
                inner.heard(stream);
            }
        });
        Ok(person)
    }

    pub(crate) fn redirect_uri(&self) -> String {
        format!("http://127.0.0.1:{}/callback", self.0.port)
    }

    /// Opens the authorization request, and returns at once. `tell` is given what reaches the redirect URI, or why nothing
    /// will.
    pub(crate) fn open(&self, url: &str, tell: impl Fn(Result<String, String>) + Send + 'static) {
        *locked(&self.0.told) = Some(Box::new(tell));
        self.visit(url, None);
    }

    /// `tell` is called when a visit ends at a page that says that the server does not know the client, in place of the
    /// failure of that visit.
    pub(crate) fn when_unknown(&self, tell: impl Fn() + Send + 'static) {
        *locked(&self.0.unknown) = Some(Box::new(tell));
    }

    /// Opens the page where a code is typed, and returns at once.
    pub(crate) fn show(&self, url: &str, code: &str) {
        self.visit(url, Some(code.to_owned()));
    }

    /// How each visit to the browser went, when all are over.
    pub(crate) fn visits(&self) -> Vec<Value> {
        let visits: Vec<_> = locked(&self.0.visits).drain(..).collect();
        visits.into_iter().map(|visit| visit.join().unwrap_or_default()).collect()
    }

    fn visit(&self, url: &str, code: Option<String>) {
        let inner = self.0.clone();
        let count = {
            let mut count = locked(&inner.count);
            *count += 1;
            *count
        };
        let mut command = Command::new(&inner.desk.browser);
        command
            .arg(url)
            .env("INTEROP_CONSENT", inner.wish.as_str())
            .env("INTEROP_PAUSE", if inner.wish == Wish::GiveSlowly { "6000" } else { "0" })
            .env("INTEROP_SHOTS", &inner.desk.shots)
            .env("INTEROP_SHOT", format!("{}-{count}", inner.name))
            .envs(code.map(|code| ("INTEROP_USER_CODE", code)));
        let visit = std::thread::spawn(move || {
            let (seen, why) = match command.output() {
                Ok(output) => {
                    let seen = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default();
                    let why = seen["why"].as_str().map(str::to_owned);
                    let lost = || String::from_utf8_lossy(&output.stderr).into_owned();
                    (seen, (!output.status.success()).then(|| why.unwrap_or_else(lost)))
                }
                Err(error) => {
                    let why = format!("{}: {error}", command.get_program().display());
                    (Value::Null, Some(why))
                }
            };
            let Some(why) = why else { return seen };
            match (&*locked(&inner.unknown), &*locked(&inner.told)) {
                (Some(unknown), _) if why.contains("invalid_client") => unknown(),
                (_, Some(tell)) => tell(Err(format!("the browser failed: {why}"))),
                (_, None) => {}
            }
            seen
        });
        locked(&self.0.visits).push(visit);
    }
}

impl Inner {
    fn heard(&self, mut stream: TcpStream) {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let mut head = Vec::new();
        let mut chunk = [0; 4096];
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut chunk) {
                Ok(length) if length > 0 => head.extend_from_slice(&chunk[..length]),
                _ => return,
            }
        }
        let head = String::from_utf8_lossy(&head);
        let target = head.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        let (status, page) = if target.starts_with("/callback?") {
            ("200 OK", "The answer has arrived.")
        } else {
            ("404 Not Found", "")
        };
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
            page.len()
        );
        if let (true, Some(tell)) = (target.starts_with("/callback?"), &*locked(&self.told)) {
            tell(Ok(target.to_owned()));
        }
    }
}
