//! A client of the official MCP conformance suite that is authorized by rmcp's own `auth`, to count what that sends. It
//! speaks MCP with the small client of `tests/conformance`, so that the messages are the same as with ours, and uses rmcp as
//! rmcp's guide says, in the way that costs the fewest exchanges: from the challenge of a real refusal, and for more scope
//! by `request_scope_upgrade`.
//!
//! The URL of the server is the last argument. Exit code 0 means that the tools were listed and the first was called.

#[path = "../../../../tests/conformance/src/answer.rs"]
mod answer;
#[path = "../../../../tests/conformance/src/arguments.rs"]
mod arguments;
#[path = "../../../../tests/conformance/src/browser.rs"]
mod browser;
#[path = "../../../../tests/conformance/src/causes.rs"]
mod causes;
#[path = "../../../../tests/conformance/src/header_text.rs"]
mod header_text;
#[path = "../../../../tests/conformance/src/mcp.rs"]
mod mcp;
mod player;
#[path = "../../../../cli/src/sse.rs"]
mod sse;

use std::process::ExitCode;
use std::time::Duration;

use crate::mcp::Session;
use crate::player::{Given, Player};

/// What `browser` needs of a client for everything that is not the authorization itself.
mod http_client {
    /// Without the URL: its query may hold a code or a state.
    pub(crate) fn describe(error: reqwest::Error) -> String {
        error.without_url().to_string()
    }
}

/// The whole life of the process: the suite waits for as long as its client lives.
const LIFE: Duration = Duration::from_secs(25);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(async { tokio::time::timeout(LIFE, converse()).await }) {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(why)) => eprintln!("suite-rmcp: {why}"),
        Err(_) => eprintln!("suite-rmcp: no end after {} s", LIFE.as_secs()),
    }
    ExitCode::FAILURE
}

async fn converse() -> Result<(), String> {
    let url = std::env::args().next_back().ok_or("no URL of an MCP server was given")?;
    let version = std::env::var("MCP_CONFORMANCE_PROTOCOL_VERSION").unwrap_or("2025-11-25".to_owned());
    let context = std::env::var("MCP_CONFORMANCE_CONTEXT").ok();
    let given = Given::read(context.as_deref())?;
    let player = Player::new(&url, given)?;
    let url = url.parse().map_err(|_| "the last argument is not a URL")?;
    Session::new(&player, url, &version).run().await
}
