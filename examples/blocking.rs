//! A whole program without an async runtime: a request is refused, the loop logs in, and the request is sent again.
//!
//! ```sh
//! cargo run --example blocking
//! ```
//!
//! It runs anywhere, because the network and the browser are the testbed's servers in memory. In a program of your own
//! [`Host::execute`] is a blocking HTTP client that keeps to what `Send` demands, [`Host::call_back`] waits on a loopback
//! listener, and the map is a store that outlives the process. Nothing else changes.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Request, Response, StatusCode, header};
use mcp_auth::{
    Access, Action, Authorizer, Callback, Challenge, Config, Credential, Event, Failure, Key, Outcome,
    Saving, Seed, Send, SendFailure, Timestamp,
};
use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{Browsed, Dials, Dropped, Origins, World};
use url::Url;

/// How often one request is sent at most.
const SENDS: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let network = World::new(Dials::default(), Origins::default());
    let server = network.server_url();
    let config = Config::new(&server, "Blocking example", "http://127.0.0.1:3000/callback");
    let auth = Authorizer::new(config, Seed::generate()?).map_err(|breach| breach.to_string())?;
    let mut host = Host { auth, store: BTreeMap::new(), network, browser: None };

    for (tool, text) in [("echo", "hello"), ("write_file", "notes.txt")] {
        let request = call::tool(&server, Wire::Stateless, tool, text)?;
        // `{:#}` shows the whole way to a failure.
        let answer = host.send(&format!("tools/call:{tool}"), &request).map_err(|why| format!("{why:#}"))?;
        println!("{tool}: {} {}", answer.status(), call::tool_text(&answer).unwrap_or_default());
    }
    if let Some(grant) = host.auth.authorized() {
        println!("granted {} for {}, by {}", grant.granted, grant.resource, grant.issuer);
    }
    Ok(())
}

/// Everything that has a network, a disk or a person in it, and the machine that says what to do with them.
struct Host {
    auth: Authorizer,
    store: BTreeMap<Key, Credential>,
    network: World,
    /// What is open in the browser.
    browser: Option<Url>,
}

impl Host {
    /// Sends a request to the MCP server, with whatever authorization it takes. The server's last word is given back,
    /// whatever its status.
    fn send(
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
                    self.attempt(Event::Restore)?;
                    continue;
                }
                Access::Refused => return Err(format!("{url} may not be given this server's token").into()),
            };
            let response = self.network.handle(now().as_secs(), request);
            let challenge = Challenge::of(response.status(), response.headers(), carried, retries);
            let Some(challenge) = challenge else { return Ok(response) };
            retries += u8::from(response.status() == StatusCode::UNAUTHORIZED);
            self.attempt(Event::Challenged(challenge.operation(operation)))?;
        }
        Err(format!("{operation} was refused {SENDS} times").into())
    }

    /// The loop.
    fn attempt(&mut self, begin: Event) -> Result<Outcome, Box<Failure>> {
        self.auth.handle(now(), begin);
        loop {
            let event = match self.auth.poll() {
                Action::Load(load) => load.reply(self.store.get(load.key()).cloned()),
                Action::Store(save) => {
                    // One process and one thread: nobody else has written meanwhile.
                    self.store.insert(save.key().clone(), save.credential().clone());
                    save.reply(Saving::Kept)
                }
                Action::Forget(forget) => {
                    self.store.remove(forget.key());
                    forget.reply(true)
                }
                Action::Send(send) => match self.execute(&send) {
                    Ok(response) => send.reply(response),
                    Err(failure) => send.fail(failure),
                },
                Action::Open(open) => {
                    println!("the browser opens {}", open.url().origin().ascii_serialization());
                    self.browser = Some(open.url().clone());
                    continue;
                }
                Action::Ask(ask) => ask.decline(),
                // What this client is not configured for: devices, keys, assertions.
                Action::Show(show) => show.fail("there is no other device"),
                Action::Sign(sign) => sign.fail("there is no key"),
                Action::Supply(supply) => supply.fail("nobody vouches for anybody"),
                Action::Wait(until) => self.call_back(until),
                Action::Release(_) | Action::Renewed(_) => continue,
                Action::Finish(outcome) => return outcome,
            };
            self.auth.handle(now(), event);
        }
    }

    /// One exchange. Here a connection is made to nobody, so there is nothing to limit: a real client follows no
    /// redirect, and keeps to `max_bytes`, `deadline` and `reach`.
    fn execute(&mut self, send: &Send) -> Result<Response<Vec<u8>>, SendFailure> {
        println!("{} {}", send.method(), send.uri());
        let response = self.network.handle(now().as_secs(), send.request());
        match response.extensions().get::<Dropped>() {
            None => Ok(response),
            Some(Dropped) => Err(SendFailure::Interrupted("the connection was closed".to_owned())),
        }
    }

    /// What reaches the redirect URI before `until`; else that it is late. Here the person consents at once.
    fn call_back(&mut self, until: Option<Timestamp>) -> Event {
        let browsed = self.browser.take().map(|url| self.network.browse(now().as_secs(), url.as_str()));
        match browsed {
            Some(Browsed::Callback(url)) => Event::Called(Callback::new(url)),
            Some(Browsed::Page { status, .. }) => {
                println!("the browser shows a page with status {status}");
                Event::Cancelled
            }
            None => {
                std::thread::sleep(until.map_or_else(Default::default, |until| until.since(now())));
                Event::Tick
            }
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_secs(since.map_or(0, |since| since.as_secs()))
}
