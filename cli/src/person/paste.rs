//! A browser on another machine: the person pastes the URL that it ends with.

use std::sync::{Arc, Mutex, PoisonError};

use mcp_auth::Callback;
use mcp_auth_reqwest::{Answers, BoxFuture};
use tokio::task::JoinHandle;
use url::{Url, form_urlencoded};

/// A read of standard input. One that nobody waits for any more goes on, and its line is the next one.
type Reading = Option<JoinHandle<Option<String>>>;

#[derive(Default)]
pub(super) struct Paste {
    reading: Arc<Mutex<Reading>>,
}

impl Paste {
    pub(super) fn open(&self, url: &Url) -> Box<dyn Answers> {
        eprintln!("\nOpen this URL:\n\n  {url}\n");
        eprintln!("The browser ends at a page that does not load. Paste the URL of that page here:");
        let state = value_of("state", url.query().unwrap_or_default());
        let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::new(Visit { reading, home: self.reading.clone(), state, passed_over: None })
    }
}

/// One login.
struct Visit {
    reading: Reading,
    home: Arc<Mutex<Reading>>,
    /// The `state` of the authorization request.
    state: Option<String>,
    /// What speaks against the last answer, if the login still waits after it.
    passed_over: Option<&'static str>,
}

impl Answers for Visit {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async move {
            if self.reading.is_none()
                && let Some(why) = self.passed_over
            {
                eprintln!("{why}; paste again:");
            }
            let line = self.reading.get_or_insert_with(|| tokio::task::spawn_blocking(line)).await;
            self.reading = None;
            let Some(line) = line.ok().flatten() else {
                let why = self.passed_over.unwrap_or("No URL was pasted");
                return Err(format!("the input ended. {why}"));
            };
            self.passed_over = Some(foreign(self.state.as_deref(), &line));
            Ok(Callback::new(line))
        })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = self.reading.take();
    }
}

/// Why a login that waits for `state` goes on waiting after this answer.
fn foreign(state: Option<&str>, answer: &str) -> &'static str {
    let query = answer.split_once('?').map_or("", |(_, query)| query);
    match value_of("state", query.split('#').next().unwrap_or_default()) {
        None => "What was pasted is not the URL that the browser ended with: it has no `state`",
        Some(given) if Some(given.as_str()) != state => "This URL belongs to another login",
        Some(_) => "This URL is no answer to this login",
    }
}

fn value_of(name: &str, query: &str) -> Option<String> {
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    parameters.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// The next line on standard input.
fn line() -> Option<String> {
    std::io::stdin().lines().next()?.ok().map(|line| line.trim().to_owned())
}
