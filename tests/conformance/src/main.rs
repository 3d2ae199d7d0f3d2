//! The client that the official MCP conformance suite runs: it lists the tools of the server whose URL is the last
//! argument and calls the first. Exit code 0 means that both were answered; else one line says why not. With the argument
//! `rmcp` before the URL it is rmcp that speaks MCP, and else the small client of this crate.

mod answer;
mod arguments;
mod browser;
mod causes;
mod handed;
mod header_text;
mod http_client;
mod keys;
mod mcp;
mod through_rmcp;
// One reader of event streams for both clients.
#[path = "../../../cli/src/sse.rs"]
mod sse;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response, Uri};
use mcp_auth::base::text::clean;
use mcp_auth::{Callback, Config, Policy, ScopeRule, Secret, Timestamp};
use mcp_auth_reqwest::{Answers, Assertions, BoxFuture, Client, Consent, Error, WantedAssertion};
use url::Url;

use crate::answer::Body;
use crate::browser::Browser;
use crate::handed::Handed;
use crate::http_client::REQUEST_LIMIT;
use crate::keys::Keyring;
use crate::mcp::{Session, Transport};

/// The whole life of the process, whatever happens: the suite waits for as long as its client lives.
const LIFE: Duration = Duration::from_secs(55);
/// Letters of the line that says why it ended.
const LINE: usize = 500;

/// What is under way, for the line that says that it has no end.
static OPERATION: Mutex<Option<String>> = Mutex::new(None);

fn main() -> ExitCode {
    // A thread of its own, because a deadline inside the runtime ends nothing that blocks it.
    std::thread::spawn(|| {
        std::thread::sleep(LIFE);
        let operation = OPERATION.lock().unwrap_or_else(PoisonError::into_inner).take();
        let operation = operation.as_deref().unwrap_or("before the first request");
        tell(&format!("{operation}: no end after {} s", LIFE.as_secs()));
        std::process::exit(1);
    });
    match outcome() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tell(&why);
            ExitCode::FAILURE
        }
    }
}

/// Notes what is under way.
fn begin(operation: &str) {
    *OPERATION.lock().unwrap_or_else(PoisonError::into_inner) = Some(operation.to_owned());
}

fn tell(why: &str) {
    // Not `eprintln!`: it panics where nothing can be written, and then the watchdog would end nothing.
    let _ = writeln!(std::io::stderr(), "mcp-auth-conformance: {}", clean(why, LINE));
}

fn outcome() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (url, speaker) = match arguments.as_slice() {
        [] => return Err("no URL of an MCP server was given".to_owned()),
        [url] => (url, Speaker::Own),
        [name, url] if name == "rmcp" => (url, Speaker::Rmcp),
        _ => return Err("expected a URL, or rmcp and a URL".to_owned()),
    };
    let url: Uri = url.parse().map_err(|_| "the last argument is not a URL")?;
    let handed = Handed::read(|name| std::env::var(name).ok())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime did not start: {error}"))?;
    let outcome = runtime.block_on(converse(speaker, url, &handed));
    // A name that is still being looked up must not keep the process.
    runtime.shutdown_background();
    outcome
}

/// Who speaks MCP.
#[derive(Clone, Copy)]
enum Speaker {
    Own,
    Rmcp,
}

/// The one client identifier that the suite's authorization servers take for a metadata document.
const CLIENT_DOCUMENT: &str = "https://conformance-test.local/client-metadata.json";
/// Nothing listens there: the suite's browser never follows the redirect.
const REDIRECT: &str = "http://localhost:3000/callback";

async fn converse(speaker: Speaker, url: Uri, handed: &Handed) -> Result<(), String> {
    let browser = Browser::new(http_client::build()?);
    let keys = Keyring::new(handed)?;
    let mut builder =
        Client::builder(configuration(&url, handed, &keys)).keys(keys).consent(Suite { browser });
    if let Some(assertion) = handed.assertion.clone() {
        builder = builder.assertions(Asserted(assertion));
    }
    let client = builder.build().map_err(|error| error.to_string())?;
    let version = &handed.protocol_version;
    match speaker {
        Speaker::Own => Session::new(&Authorized { client, limit: REQUEST_LIMIT }, url, version).run().await,
        Speaker::Rmcp => through_rmcp::run(client, &url, version).await,
    }
}

/// What the suite hands over, as configuration. Everything else is the client's own.
fn configuration(url: &Uri, handed: &Handed, keys: &Keyring) -> Config {
    let config = Config::new(url.to_string(), "mcp-auth conformance client", REDIRECT)
        .metadata_document(CLIENT_DOCUMENT)
        .protocol_version(&handed.protocol_version)
        .scopes(ScopeRule::with(|it| it.stay_logged_in = true))
        .policy(Policy::with(|it| it.consent_time = Duration::from_secs(20)))
        .grant_type(handed.grant_type.clone());
    let config = handed.client.iter().cloned().fold(config, Config::preregistered);
    keys.configure(config)
}

/// Whoever says who the person is, or what the workload is: the suite has said it already.
struct Asserted(Secret);

impl Assertions for Asserted {
    fn supply(&self, _: WantedAssertion) -> BoxFuture<'_, Result<Secret, String>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

/// The person: the suite's authorization servers answer the authorization request with the redirect at once.
struct Suite {
    browser: Browser,
}

impl Consent for Suite {
    fn open(&self, url: Url, _until: Timestamp) -> Box<dyn Answers> {
        Box::new(Visit { browser: self.browser.clone(), url: Some(url) })
    }
}

struct Visit {
    browser: Browser,
    url: Option<Url>,
}

impl Answers for Visit {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async move {
            let url = self.url.take().ok_or("the authorization server gave no other answer")?;
            self.browser.open(url.as_str()).await.map(Callback::new)
        })
    }
}

/// Sends every request through the authorized client. What authorization takes in between has limits of its own.
struct Authorized {
    client: Client,
    limit: Duration,
}

/// Why there is no answer, or no more of it, from a server that has `limit` to give it.
fn describe(error: reqwest::Error, limit: Duration) -> String {
    if error.is_timeout() {
        format!("no answer from the MCP server within {} s", limit.as_secs_f32())
    } else {
        http_client::describe(error)
    }
}

impl Transport for Authorized {
    type Body = Incoming;

    async fn send(&self, request: Request<Vec<u8>>, operation: &str) -> Result<Response<Incoming>, String> {
        begin(operation);
        let failed = |error| format!("{operation}: {}", describe(error, self.limit));
        let mut request = reqwest::Request::try_from(request).map_err(failed)?;
        *request.timeout_mut() = Some(self.limit);
        let answer = self.client.send_as(operation, request).await.map_err(|error| match error {
            Error::Transport(error) => failed(error),
            other => format!("{operation}: {other}"),
        })?;
        let mut response = Response::new(());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(response.map(|()| Incoming { answer, limit: self.limit }))
    }
}

/// The rest of an answer, within the time limit of its request.
struct Incoming {
    answer: reqwest::Response,
    limit: Duration,
}

impl Body for Incoming {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, String> {
        let chunk = self.answer.chunk().await.map_err(|error| describe(error, self.limit))?;
        Ok(chunk.map(Vec::from))
    }
}

#[cfg(test)]
#[path = "main_tests.rs"]
mod tests;
