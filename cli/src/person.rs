//! The person's side of a login, in the ways that a command line has.

use std::sync::Mutex;
use std::sync::{Arc, PoisonError};

use mcp_auth::{Callback, Secret, Timestamp};
use mcp_auth_reqwest::{Answers, BoxFuture, Consent};
use url::Url;

use crate::listener::Listener;
use crate::show::words;

/// Where answers come from.
pub(crate) enum Way {
    /// A loopback listener, and a browser that is opened if so wished.
    Browser { listener: Listener, open: bool },
    /// A line on standard input.
    Paste,
}

/// A person at a terminal.
pub(crate) struct Person {
    /// A login takes it and gives it back, because a step-up needs it again.
    way: Arc<Mutex<Option<Way>>>,
}

impl Person {
    pub(crate) fn new(way: Way) -> Self {
        Self { way: Arc::new(Mutex::new(Some(way))) }
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
            Some(Way::Paste) => {
                eprintln!("\nOpen this URL:\n\n  {url}\n");
                eprintln!("The browser ends at a page that does not load. Paste the URL of that page here:");
            }
            None => {}
        }
        Box::new(Visit { way, home: self.way.clone() })
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
}

impl Answers for Visit {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async move {
            let answer = match &mut self.way {
                Some(Way::Browser { listener, .. }) => listener.next().await,
                Some(Way::Paste) => line().await,
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

async fn line() -> Option<String> {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await;
    read.ok()??.ok().map(|line| line.trim().to_owned())
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
