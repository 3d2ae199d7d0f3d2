//! Logs in to an MCP server and sends it one request, without an async runtime. The person opens the URL that is printed,
//! and pastes the one that the browser ends up with.
//!
//! ```sh
//! cargo run -p mcp-auth-ureq --example login https://mcp.example/mcp
//! ```

use std::error::Error;
use std::process::ExitCode;

use mcp_auth_ureq::http::Request;
use mcp_auth_ureq::mcp_auth::{Callback, Config, Timestamp};
use mcp_auth_ureq::url::Url;
use mcp_auth_ureq::{Answers, BoxFuture, Client, Consent};

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
        // It has a thread of its own, so it may block.
        Box::pin(async {
            match std::io::stdin().lines().next() {
                Some(Ok(line)) => Ok(Callback::new(line.trim())),
                _ => Err("the input ended".to_owned()),
            }
        })
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What was expected, what came, what to do; and with `#` the whole way there.
            eprintln!("error: {}", format!("{error:#}").trim_end());
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).ok_or("usage: login <URL of an MCP server>")?;
    let config = Config::new(&server, "Login example", "http://127.0.0.1:3000/callback");
    let client = Client::builder(config).consent(Terminal).build()?;

    let request = Request::post(&server)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(INITIALIZE)?;
    let mut response = client.send(request)?;
    println!("{}\n{}", response.status(), response.body_mut().read_to_string()?);
    if let Some(grant) = client.authorized() {
        println!("authorized by {} for {} ({})", grant.issuer, grant.resource, grant.granted);
    }
    Ok(())
}
