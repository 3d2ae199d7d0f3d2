//! Logs in to an MCP server, in the person's browser, and sends it one request: without an async runtime.
//!
//! ```sh
//! cargo run -p mcp-auth-ureq --example login https://mcp.example/mcp
//! ```

use std::error::Error;
use std::process::ExitCode;

use mcp_auth_native::{Browser, Loopback, Opening};
use mcp_auth_ureq::Client;
use mcp_auth_ureq::http::Request;
use mcp_auth_ureq::mcp_auth::Config;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",
    "capabilities":{},"clientInfo":{"name":"login","version":"1"}}}"#;

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
    let listener = Loopback::new("Login example").listen()?;
    let config = Config::new(&server, "Login example", listener.redirect_uri());
    let browser = Browser::new(listener, |url, opening| match opening {
        Opening::Failed(why) => eprintln!("{why}"),
        _ => eprintln!("If no browser appears, open this on this machine:\n\n  {url}\n"),
    });
    let client = Client::builder(config).consent(browser).build()?;

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
