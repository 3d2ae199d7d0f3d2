//! Logs in to an MCP server, in the person's browser, and sends it one request.
//!
//! ```sh
//! cargo run -p mcp-auth-reqwest --example login https://mcp.example/mcp
//! ```

use std::error::Error;
use std::process::ExitCode;

use mcp_auth_native::{Browser, Loopback, Opening};
use mcp_auth_reqwest::Client;
use mcp_auth_reqwest::mcp_auth::Config;
use mcp_auth_reqwest::reqwest::{Method, Request};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",
    "capabilities":{},"clientInfo":{"name":"login","version":"1"}}}"#;

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
    let listener = Loopback::new("Login example").listen()?;
    let config = Config::new(&server, "Login example", listener.redirect_uri());
    let browser = Browser::new(listener, |url, opening| match opening {
        Opening::Failed(why) => eprintln!("{why}"),
        _ => eprintln!("If no browser appears, open this on this machine:\n\n  {url}\n"),
    });
    let client = Client::builder(config).consent(browser).build()?;

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
