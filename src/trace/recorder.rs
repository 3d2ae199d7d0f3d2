//! Writing a trace while the machine runs.

use std::fmt;

use http::{HeaderMap, StatusCode, header};
use url::Url;

use super::event::Told;
use super::{Header, Line, Note, Proof, VERSION, action, written};
use crate::action::Action;
use crate::base::guard::without_query;
use crate::base::seed::Seed;
use crate::base::text;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::event::Event;
use crate::snapshot::Snapshot;

/// The longest method that is noted, in characters.
const MAX_METHOD: usize = 40;
/// The longest value of a challenge that is noted, in characters.
const MAX_CHALLENGE: usize = 2000;

/// Takes one line of a trace after another, each without a line feed.
pub type Sink = dyn FnMut(&str) + Send;

/// Writes down what a driver tells the machine, and what it gets. The lines hold every secret of the run, the
/// configured ones among them.
///
/// What must be told in the order in which it happens: [`event`](Self::event) before each
/// [`handle`](crate::Authorizer::handle), [`action`](Self::action) after each [`poll`](crate::Authorizer::poll), and
/// [`prove`](Self::prove) before each [`prove`](crate::Authorizer::prove).
///
/// It writes without end. [`Trace::read`](super::Trace::read) takes 100,000 lines of at most 4 MiB each: whoever records a machine
/// that lives for months begins another trace with another machine now and then.
pub struct Recorder {
    sink: Box<Sink>,
    /// The last line was a wait. Drivers poll as often as they like, and a wait says the same each time.
    waiting: bool,
}

impl Recorder {
    /// For a machine that is made with these.
    pub fn new(config: &Config, seed: &Seed, sink: impl FnMut(&str) + Send + 'static) -> Self {
        Self::begin(config, seed, None, sink)
    }

    /// For a machine that takes up a login.
    pub fn resume(
        config: &Config,
        seed: &Seed,
        snapshot: &Snapshot,
        sink: impl FnMut(&str) + Send + 'static,
    ) -> Self {
        Self::begin(config, seed, Some(Box::new(snapshot.clone())), sink)
    }

    fn begin(
        config: &Config,
        seed: &Seed,
        snapshot: Option<Box<Snapshot>>,
        sink: impl FnMut(&str) + Send + 'static,
    ) -> Self {
        let mut recorder = Self { sink: Box::new(sink), waiting: false };
        let header = Header { trace: VERSION, config: config.clone(), seed: seed.clone(), snapshot };
        recorder.put(&written(&header));
        recorder
    }

    /// The machine is about to be told this.
    pub fn event(&mut self, now: Timestamp, event: &Event) {
        self.line(&Line::Event { at: now, event: Told::from(event) });
    }

    /// The machine asks for this.
    pub fn action(&mut self, action: &Action) {
        let waits = matches!(action, Action::Wait(_));
        if !(waits && self.waiting) {
            self.line(&Line::Action { action: action::written(action) });
        }
        self.waiting = waits;
    }

    /// The machine is about to be asked what to sign for a request.
    pub fn prove(&mut self, now: Timestamp, method: &str, url: &Url) {
        let prove = Proof { method: method.to_owned(), url: url.to_string() };
        self.line(&Line::Prove { at: now, prove });
    }

    /// A request of the host goes to the MCP server. It takes no part in a replay.
    pub fn request(&mut self, now: Timestamp, method: &str, url: &Url, operation: &str, authorized: bool) {
        let note = Note::Request {
            method: text::clean(method, MAX_METHOD),
            url: without_query(url.as_str()),
            operation: operation.to_owned(),
            authorized,
        };
        self.note(now, note);
    }

    /// It was answered.
    pub fn response(&mut self, now: Timestamp, status: StatusCode, fields: &HeaderMap) {
        let values = fields.get_all(header::WWW_AUTHENTICATE).iter();
        let shown =
            values.map(|value| text::clean(&String::from_utf8_lossy(value.as_bytes()), MAX_CHALLENGE));
        let note = Note::Response { status: status.as_u16(), www_authenticate: shown.collect() };
        self.note(now, note);
    }

    fn note(&mut self, now: Timestamp, note: Note) {
        let waiting = self.waiting;
        self.line(&Line::Note { at: now, note });
        self.waiting = waiting;
    }

    fn line(&mut self, line: &Line) {
        self.waiting = false;
        self.put(&written(line));
    }

    fn put(&mut self, line: &str) {
        (self.sink)(line);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}
