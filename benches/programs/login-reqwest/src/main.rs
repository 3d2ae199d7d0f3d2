//! Logs in to an MCP server and sends it one request: `login-reqwest URL`.

include!("../../login.rs");

use std::sync::Arc;

use mcp_auth_reqwest::mcp_auth::{Callback, Config, Timestamp};
use mcp_auth_reqwest::reqwest::{Method, Request};
use mcp_auth_reqwest::{Answers, BoxFuture, Client, Consent};
use url::Url;

struct Person(Arc<TcpListener>);

struct Visit(Arc<TcpListener>, Option<Url>);

impl Consent for Person {
    fn open(&self, url: Url, _until: Timestamp) -> Box<dyn Answers> {
        Box::new(Visit(self.0.clone(), Some(url)))
    }
}

impl Answers for Visit {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        let (listener, url) = (self.0.clone(), self.1.take());
        Box::pin(async move {
            let url = url.ok_or("there was one answer")?;
            let waited = tokio::task::spawn_blocking(move || consented(&listener, url.as_str()));
            let answer = waited.await.map_err(|error| error.to_string())?;
            answer.map(Callback::new).map_err(|error| error.to_string())
        })
    }
}

fn main() -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
}

async fn run() -> Result<(), Failure> {
    let server = std::env::args().nth(1).ok_or("login-reqwest URL")?;
    let (listener, redirect) = listen()?;
    let config = Config::new(&server, "Smallest login", redirect);
    let client = Client::builder(config).consent(Person(Arc::new(listener))).build()?;
    let mut request = Request::new(Method::POST, server.parse()?);
    request.headers_mut().insert("content-type", "application/json".parse()?);
    request.headers_mut().insert("accept", "application/json, text/event-stream".parse()?);
    *request.body_mut() = Some(INITIALIZE.into());
    let response = client.send(request).await?;
    println!("{}\n{}", response.status(), response.text().await?);
    Ok(())
}
