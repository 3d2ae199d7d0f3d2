//! The person's side of a login, in the ways that a command line has.

use std::sync::Mutex;
use std::sync::{Arc, PoisonError};

use mcp_auth::{Callback, Secret, Timestamp};
use mcp_auth_reqwest::{Answers, BoxFuture, Consent};
use tokio::task::JoinHandle;
use url::{Url, form_urlencoded};

use crate::listener::Listener;
use crate::show::words;

/// Where answers come from.
pub(crate) enum Way {
    /// A loopback listener, and a browser that is opened if so wished.
    Browser { listener: Listener, open: bool },
    /// A line on standard input. A read that nobody waits for any more goes on, and its line is the next one.
    Paste { reading: Option<JoinHandle<Option<String>>> },
}

/// Told of what reached the loopback listener, before it is judged.
type Heard = dyn Fn(&str) + Send + Sync;

/// A person at a terminal.
pub(crate) struct Person {
    /// A login takes it and gives it back, because a step-up needs it again.
    way: Arc<Mutex<Option<Way>>>,
    heard: Arc<Heard>,
}

impl Person {
    /// `heard` is told of what reached the loopback listener, before it is judged.
    pub(crate) fn new(way: Way, heard: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { way: Arc::new(Mutex::new(Some(way))), heard: Arc::new(heard) }
    }
}

impl Consent for Person {
    fn open(&self, url: Url, _until: Timestamp) -> Box<dyn Answers> {
        let way = self.way.lock().unwrap_or_else(PoisonError::into_inner).take();
        match &way {
            Some(Way::Browser { open: true, .. }) => {
                eprintln!("\nOpening the browser. If none appears, open this URL yourself:\n\n  {url}\n");
                // The URL has passed the guard, and goes to the browser as an argument, not through a shell.
                if let Err(error) = webbrowser::open(url.as_str()) {
                    eprintln!("no browser could be opened: {error}");
                }
            }
            Some(Way::Browser { open: false, .. }) => eprintln!("\nOpen this URL:\n\n  {url}\n"),
            Some(Way::Paste { .. }) => {
                eprintln!("\nOpen this URL:\n\n  {url}\n");
                eprintln!("The browser ends at a page that does not load. Paste the URL of that page here:");
            }
            None => {}
        }
        let state = value_of("state", url.query().unwrap_or_default());
        Box::new(Visit { way, home: self.way.clone(), heard: self.heard.clone(), state, passed_over: None })
    }

    fn client(
        &self,
        issuer: String,
        redirect_uri: String,
    ) -> BoxFuture<'_, Option<(String, Option<Secret>)>> {
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || ask_for_client(&issuer, &redirect_uri));
            asked.await.ok().flatten()
        })
    }
}

/// One login in the browser.
struct Visit {
    way: Option<Way>,
    home: Arc<Mutex<Option<Way>>>,
    heard: Arc<Heard>,
    /// The `state` of the authorization request.
    state: Option<String>,
    /// What speaks against the last answer, if the login still waits after it.
    passed_over: Option<&'static str>,
}

impl Answers for Visit {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async move {
            let answer = match &mut self.way {
                Some(Way::Browser { listener, .. }) => {
                    let answer = listener.next().await;
                    answer.inspect(|answer| (self.heard)(answer))
                }
                Some(Way::Paste { reading }) => {
                    if reading.is_none()
                        && let Some(why) = self.passed_over
                    {
                        eprintln!("{why}; paste again:");
                    }
                    let line = reading.get_or_insert_with(|| tokio::task::spawn_blocking(line)).await;
                    *reading = None;
                    let Some(line) = line.ok().flatten() else {
                        let why = self.passed_over.unwrap_or("No URL was pasted");
                        return Err(format!("the input ended. {why}"));
                    };
                    self.passed_over = Some(foreign(self.state.as_deref(), &line));
                    Some(line)
                }
                None => None,
            };
            answer.map(Callback::new).ok_or_else(|| "no answer can come any more".to_owned())
        })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = self.way.take();
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

fn ask_for_client(issuer: &str, redirect_uri: &str) -> Option<(String, Option<Secret>)> {
    use std::io::IsTerminal as _;
    if !std::io::stdin().is_terminal() {
        return None;
    }
    eprintln!("\n{} registers no clients by itself.", words(issuer));
    eprintln!("Register one there with the redirect URI {redirect_uri}, then give its identifier.");
    eprint!("Client ID (empty to stop): ");
    let id = std::io::stdin().lines().next()?.ok()?.trim().to_owned();
    if id.is_empty() {
        return None;
    }
    let secret =
        rpassword::prompt_password("Client secret (empty if there is none; it is not shown): ").ok()?;
    Some((id, Some(secret).filter(|secret| !secret.is_empty()).map(Secret::from)))
}
