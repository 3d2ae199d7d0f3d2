//! The client that the official MCP conformance suite runs: it lists the tools of the server whose URL is the last
//! argument and calls the first. Exit code 0 means that both were answered; else one line says why not.

mod answer;
mod arguments;
#[cfg_attr(not(test), expect(dead_code, reason = "only a client that authorizes opens a browser"))]
mod browser;
mod handed;
mod header_text;
mod http_client;
mod mcp;
mod sse;

use std::process::ExitCode;
use std::time::Duration;

use http::{Request, Response, Uri};
use mcp_auth::base::text::clean;

use crate::handed::Handed;
use crate::mcp::{Session, Transport};

/// The whole life of the process, whatever happens: the suite waits for as long as its client lives.
const LIFE: Duration = Duration::from_secs(55);
/// Letters of the line that says why it ended.
const LINE: usize = 500;

fn main() -> ExitCode {
    // A thread of its own, because a deadline inside the runtime ends nothing that blocks it.
    std::thread::spawn(|| {
        std::thread::sleep(LIFE);
        tell("no end after 55 seconds");
        std::process::exit(1);
    });
    match outcome() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tell(&why);
            ExitCode::FAILURE
        }
    }
}

fn tell(why: &str) {
    eprintln!("mcp-auth-conformance: {}", clean(why, LINE));
}

fn outcome() -> Result<(), String> {
    let url = std::env::args().skip(1).last().ok_or("no URL of an MCP server was given")?;
    let url: Uri = url.parse().map_err(|_| "the last argument is not a URL")?;
    let handed = Handed::read(|name| std::env::var(name).ok())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime did not start: {error}"))?;
    let outcome = runtime.block_on(converse(url, &handed));
    // A name that is still being looked up must not keep the process.
    runtime.shutdown_background();
    outcome
}

async fn converse(url: Uri, handed: &Handed) -> Result<(), String> {
    let transport = Unauthorized { client: http_client::build()? };
    Session::new(&transport, url, &handed.protocol_version).run().await
}

/// Sends every request as it is.
struct Unauthorized {
    client: reqwest::Client,
}

impl Transport for Unauthorized {
    async fn send(&self, request: Request<Vec<u8>>, operation: &str) -> Result<Response<Vec<u8>>, String> {
        let failed = |error| format!("{operation}: {}", http_client::describe(error));
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let answer = self.client.execute(request).await.map_err(failed)?;
        let mut response = Response::new(Vec::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        *response.body_mut() = answer.bytes().await.map_err(failed)?.to_vec();
        Ok(response)
    }
}
