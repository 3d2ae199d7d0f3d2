//! Logs in to an MCP server and sends it one request: `login-ureq URL`.

include!("../../login.rs");

use std::sync::{Arc, Mutex};

use mcp_auth_ureq::http::Request;
use mcp_auth_ureq::mcp_auth::{Callback, Config, Timestamp};
use mcp_auth_ureq::{Answers, BoxFuture, Client, Consent};
use url::Url;

struct Person(Arc<TcpListener>);

struct Visit(Arc<TcpListener>, Mutex<Option<Url>>);

impl Consent for Person {
    fn open(&self, url: Url, _until: Timestamp) -> Box<dyn Answers> {
        Box::new(Visit(self.0.clone(), Mutex::new(Some(url))))
    }
}

impl Answers for Visit {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        // A thread of its own drives it: it may block.
        let url = self.1.get_mut().ok().and_then(Option::take);
        let answer =
            url.ok_or("there was one answer".into()).and_then(|url| consented(&self.0, url.as_str()));
        Box::pin(std::future::ready(answer.map(Callback::new).map_err(|error| error.to_string())))
    }
}

fn main() -> Result<(), Failure> {
    let server = std::env::args().nth(1).ok_or("login-ureq URL")?;
    let (listener, redirect) = listen()?;
    let config = Config::new(&server, "Smallest login", redirect);
    let client = Client::builder(config).consent(Person(Arc::new(listener))).build()?;
    let request = Request::post(&server)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(INITIALIZE)?;
    let mut response = client.send(request)?;
    println!("{}\n{}", response.status(), response.body_mut().read_to_string()?);
    Ok(())
}
