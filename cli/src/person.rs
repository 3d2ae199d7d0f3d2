//! The person's side of a login, in the ways that a command line has.

mod paste;

use std::io::IsTerminal as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mcp_auth::{Secret, Timestamp};
use mcp_auth_native::{Browser, Loopback, Opening};
use mcp_auth_reqwest::{Answers, BoxFuture, Consent, DeviceCode, Shown};
use url::Url;

use crate::args::{PersonArgs, Talk};
use crate::exit::Stop;
use crate::show::{Show, words};
use paste::Paste;

/// Where answers come back when nobody listens: the person pastes the URL, or types a code elsewhere.
pub(crate) const NOBODY: &str = "http://127.0.0.1:3334/callback";

/// A person at a terminal.
pub(crate) struct Person {
    talk: Talk,
    way: Way,
}

/// How the person is asked.
enum Way {
    /// In a browser on this machine.
    Browser(Browser),
    /// In a browser elsewhere; the URL that it ends with is pasted.
    Paste(Paste),
    /// With a code that is typed elsewhere.
    Device,
}

impl Person {
    /// Somebody who is asked as the command line says, and the redirect URI that goes with it. `heard` is told of what
    /// reaches the loopback listener, before it is judged.
    pub(crate) fn new(
        args: PersonArgs,
        device: bool,
        talk: Talk,
        name: &str,
        redirect_uri: Option<&str>,
        heard: Option<Show>,
    ) -> Result<(Self, String), Stop> {
        if device {
            return Ok((Self { talk, way: Way::Device }, NOBODY.to_owned()));
        }
        if args.paste {
            let redirect_uri = redirect_uri.unwrap_or(NOBODY).to_owned();
            return Ok((Self { talk, way: Way::Paste(Paste::default()) }, redirect_uri));
        }
        let place = match redirect_uri {
            Some(uri) => Loopback::for_redirect_uri(name, uri).map_err(|error| {
                Stop::usage(format!("--redirect-uri: {error}. For any other, use --paste"))
            })?,
            None => Loopback::new(name),
        };
        let listener = place.listen().map_err(|error| error.to_string())?;
        let redirect_uri = listener.redirect_uri();
        let mut browser = Browser::new(listener, move |url, opening| show(talk, url, &opening));
        if args.no_browser {
            browser = browser.left_to_the_person();
        }
        if let Some(heard) = heard {
            browser = browser.heard(move |callback| heard.browsed("client", "GET", callback, 200, None));
        }
        Ok((Self { talk, way: Way::Browser(browser) }, redirect_uri))
    }

    /// What is waited for, and for how long, where somebody sees it.
    fn waits(&self, what: &str, until: Timestamp) {
        if !self.talk.quiet && std::io::stderr().is_terminal() {
            eprintln!("Waiting {what} for up to {}. Ctrl-C ends it.", span(until));
        }
    }
}

/// How long it is till then.
fn span(until: Timestamp) -> humantime::FormattedDuration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    humantime::format_duration(Duration::from_secs(until.as_secs().saturating_sub(now.as_secs())))
}

/// Shows the URL. It has passed the guard, and goes to the browser as an argument, not through a shell.
pub(crate) fn show(talk: Talk, url: &Url, opening: &Opening) {
    match opening {
        Opening::Begun if talk.quiet => {}
        Opening::Begun => {
            eprintln!("\nOpening the browser. If none appears, open this URL yourself:\n\n  {url}\n");
        }
        Opening::Failed(why) if talk.quiet => eprintln!("{why}:\n\n  {url}\n"),
        Opening::Failed(why) => eprintln!("{why}."),
        _ => eprintln!("\nOpen this URL:\n\n  {url}\n"),
    }
}

impl Consent for Person {
    fn open(&self, url: Url, until: Timestamp) -> Box<dyn Answers> {
        let answers = match &self.way {
            Way::Browser(browser) => browser.open(url, until),
            Way::Paste(paste) => paste.open(&url),
            Way::Device => Box::new(NoBrowser),
        };
        match &self.way {
            Way::Browser(_) => self.waits("for the browser", until),
            Way::Paste(_) => self.waits("for that URL", until),
            Way::Device => {}
        }
        answers
    }

    fn show(&self, code: DeviceCode) -> Result<Shown, String> {
        let (url, user_code) = (&code.verification_uri, words(&code.user_code));
        eprintln!(
            "\nOpen this URL on any device:\n\n  {url}\n\nand type this code there:\n\n  {user_code}\n"
        );
        if let Some(whole) = &code.verification_uri_complete {
            eprintln!(
                "Or open this one, which has the code in it; check that the page shows the same:\n\n  {whole}\n"
            );
        }
        eprintln!("The code lets in whoever types it: type it nowhere else, and give it to nobody.");
        self.waits("for the other device", code.until);
        // What stands in a terminal stays there.
        Ok(Box::new(()))
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

struct NoBrowser;

impl Answers for NoBrowser {
    fn next(&mut self) -> BoxFuture<'_, Result<mcp_auth::Callback, String>> {
        Box::pin(std::future::ready(Err("with --device there is no browser here".to_owned())))
    }
}

fn ask_for_client(issuer: &str, redirect_uri: &str) -> Option<(String, Option<Secret>)> {
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
