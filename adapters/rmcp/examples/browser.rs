//! Logs in to an MCP server, in the person's browser, and lists its tools, by rmcp.
//!
//! ```sh
//! cargo run -p mcp-auth-rmcp --example browser https://mcp.example/mcp
//! ```

use std::error::Error;
use std::process::ExitCode;

use mcp_auth_native::{Browser, Loopback, Opening};
use mcp_auth_reqwest::{Client, mcp_auth::Config};
use mcp_auth_rmcp::AuthorizedClient;
use rmcp::ServiceExt as _;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    match mcp_auth_rmcp::failure(&*error) {
        // What was expected, what came, what to do, and the whole way there.
        Some(failure) => eprintln!("error: {failure:#}"),
        None => eprintln!("error: {error}"),
    }
    ExitCode::FAILURE
}

async fn run() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).ok_or("usage: browser <URL of an MCP server>")?;
    let listener = Loopback::new("Browser example").listen()?;
    let config = Config::new(&server, "Browser example", listener.redirect_uri());
    let browser = Browser::new(listener, |url, opening| match opening {
        Opening::Failed(why) => eprintln!("{why}"),
        _ => eprintln!("If no browser appears, open this on this machine:\n\n  {url}\n"),
    });
    let client = AuthorizedClient::new(Client::builder(config).consent(browser).build()?);

    let config = StreamableHttpClientTransportConfig::with_uri(server);
    let service = ().serve(StreamableHttpClientTransport::with_client(client, config)).await?;
    for tool in service.list_all_tools().await? {
        println!("{}: {}", tool.name, tool.description.unwrap_or_default());
    }
    service.cancel().await?;
    Ok(())
}
