//! A visit to an MCP server, whatever the runtime: two requests, and the loop that makes each of them pass.
//!
//! All that a runtime must do is to run what blocks where that is allowed ([`Runtime`]). A program of your own may well
//! use its runtime's HTTP client, and its timers, instead; the loop stays as it is.
#![forbid(unsafe_code)]

mod exchange;

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Request, Response, StatusCode, header};
use mcp_auth::{
    Access, Action, Authorizer, Callback, Challenge, Config, Credential, Event, Failure, Key, Outcome,
    Saving, Seed, Timestamp,
};
use mcp_auth_testbed::call::{self, Wire};
use url::Url;

/// How often one request is sent at most.
const SENDS: usize = 8;

/// What differs between runtimes.
pub trait Runtime {
    /// Runs what blocks, and gives what it gives.
    fn unblock<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T>;
}

/// The whole of it: two calls of tools, of which the second needs more than was asked for at first. What is printed is
/// what came of them.
pub async fn visit(server: &str, runtime: impl Runtime) -> Result<(), Box<dyn Error>> {
    let config = Config::new(server, "Runtimes example", "http://127.0.0.1:3000/callback");
    let auth = Authorizer::new(config, Seed::generate()?).map_err(|breach| breach.to_string())?;
    let mut visitor = Visitor { auth, store: BTreeMap::new(), runtime, browser: None };
    for (tool, text) in [("echo", "hello"), ("write_file", "notes.txt")] {
        let request = call::tool(server, Wire::Stateless, tool, text)?;
        // `{:#}` shows the whole way to a failure.
        let answer = visitor.send(tool, &request).await.map_err(|why| format!("{why:#}"))?;
        println!("{tool}: {} {}", answer.status(), call::tool_text(&answer).unwrap_or_default());
    }
    if let Some(grant) = visitor.auth.authorized() {
        println!("granted {} for {}", grant.granted, grant.resource);
    }
    Ok(())
}

struct Visitor<R> {
    auth: Authorizer,
    /// A store that outlives the process would be read and written where blocking is allowed.
    store: BTreeMap<Key, Credential>,
    runtime: R,
    /// What is open in the browser.
    browser: Option<Url>,
}

impl<R: Runtime> Visitor<R> {
    /// Sends a request to the MCP server, with whatever authorization it takes. The server's last word is given back,
    /// whatever its status.
    async fn send(
        &mut self,
        operation: &str,
        request: &Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, Box<dyn Error>> {
        let url = Url::parse(&request.uri().to_string())?;
        let mut retries = 0;
        for _ in 0..SENDS {
            let mut request = request.clone();
            let carried = match self.auth.access(&url, now()) {
                Access::Ready(token) => {
                    request.headers_mut().insert(header::AUTHORIZATION, token.value().clone());
                    Some(token.generation())
                }
                Access::Anonymous => None,
                Access::Wait => {
                    self.attempt(Event::Restore).await?;
                    continue;
                }
                Access::Refused => return Err(format!("{url} may not be given this server's token").into()),
            };
            let response = self.runtime.unblock(move || exchange::own(request)).await?;
            let challenge = Challenge::of(response.status(), response.headers(), carried, retries);
            let Some(challenge) = challenge else { return Ok(response) };
            retries += u8::from(response.status() == StatusCode::UNAUTHORIZED);
            self.attempt(Event::Challenged(challenge.operation(operation))).await?;
        }
        Err(format!("{operation} was refused {SENDS} times").into())
    }

    /// The loop.
    async fn attempt(&mut self, begin: Event) -> Result<Outcome, Box<Failure>> {
        self.auth.handle(now(), begin);
        loop {
            let event = match self.auth.poll() {
                Action::Load(load) => load.reply(self.store.get(load.key()).cloned()),
                Action::Store(save) => {
                    self.store.insert(save.key().clone(), save.credential().clone());
                    save.reply(Saving::Kept)
                }
                Action::Forget(forget) => {
                    self.store.remove(forget.key());
                    forget.reply(true)
                }
                Action::Send(send) => {
                    println!("{} {}", send.method(), send.uri().path());
                    let (request, within) = (send.clone(), send.deadline().since(now()));
                    match self.runtime.unblock(move || exchange::limited(&request, within)).await {
                        Ok(response) => send.reply(response),
                        Err(failure) => send.fail(failure),
                    }
                }
                Action::Open(open) => {
                    self.browser = Some(open.url().clone());
                    continue;
                }
                Action::Ask(ask) => ask.decline(),
                // What this client is not configured for: devices, keys, assertions.
                Action::Show(show) => show.fail("there is no other device"),
                Action::Sign(sign) => sign.fail("there is no key"),
                Action::Supply(supply) => supply.fail("nobody vouches for anybody"),
                Action::Wait(until) => self.call_back(until).await,
                Action::Release(_) | Action::Renewed(_) => continue,
                Action::Finish(outcome) => return outcome,
            };
            self.auth.handle(now(), event);
        }
    }

    /// What reaches the redirect URI before `until`; else that it is late. Here the browser is one that asks for the page
    /// and is sent on at once, because the testbed's person consents to everything.
    async fn call_back(&mut self, until: Option<Timestamp>) -> Event {
        let Some(url) = self.browser.take() else {
            let left = until.map_or_else(Default::default, |until| until.since(now()));
            self.runtime.unblock(move || thread::sleep(left)).await;
            return Event::Tick;
        };
        match self.runtime.unblock(move || exchange::browsed(&url)).await {
            Some(sent_to) => Event::Called(Callback::new(sent_to)),
            None => Event::Cancelled,
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_secs(since.map_or(0, |since| since.as_secs()))
}
