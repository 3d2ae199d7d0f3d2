//! Logs in to an MCP server and sends it one request. The person opens the URL that is printed, and pastes the one
//! that the browser ends up with.
//!
//! ```sh
//! cargo run -p mcp-auth-reqwest --example login https://mcp.example/mcp
//! ```

use std::error::Error;
use std::process::ExitCode;

use mcp_auth_reqwest::mcp_auth::{Callback, Config, Timestamp};
use mcp_auth_reqwest::reqwest::{Method, Request, Url};
use mcp_auth_reqwest::{Answers, BoxFuture, Client, Consent};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",
    "capabilities":{},"clientInfo":{"name":"login","version":"1"}}}"#;

/// Whoever sits at the terminal.
struct Terminal;

impl Consent for Terminal {
    fn open(&self, url: Url, _until: Timestamp) -> Box<dyn Answers> {
        println!(
            "Open this URL:\n\n{url}\n\nThe browser ends at a page that does not load. Paste its URL here:"
        );
        Box::new(Self)
    }
}

impl Answers for Terminal {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async {
            let line = tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await;
            match line {
                Ok(Some(Ok(line))) => Ok(Callback::new(line.trim())),
                _ => Err("the input ended".to_owned()),
            }
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What was expected, what came, what to do; and with `#` the whole way there.
            eprintln!("error: {}", format!("{error:#}").trim_end());
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).ok_or("usage: login <URL of an MCP server>")?;
    let config = Config::new(&server, "Login example", "http://127.0.0.1:3000/callback");
    let client = Client::builder(config).consent(Terminal).build()?;

    let mut request = Request::new(Method::POST, server.parse()?);
    request.headers_mut().insert("content-type", "application/json".parse()?);
    request.headers_mut().insert("accept", "application/json, text/event-stream".parse()?);
    *request.body_mut() = Some(INITIALIZE.into());

    let response = client.send(request).await?;
    println!("{}\n{}", response.status(), response.text().await?);
    if let Some(grant) = client.authorized() {
        println!("authorized by {} for {} ({})", grant.issuer, grant.resource, grant.granted);
    }
    Ok(())
}
