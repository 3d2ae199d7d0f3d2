//! tokio.
//!
//! ```sh
//! cargo run -p mcp-auth-testbed --example serve automatic      # in another terminal; prints the URL
//! cargo run -p runtimes --bin on-tokio http://127.0.0.1:…/mcp
//! ```

use std::error::Error;
use std::panic::resume_unwind;

struct Tokio;

impl runtimes::Runtime for Tokio {
    async fn unblock<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|gone| resume_unwind(gone.into_panic()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).ok_or("usage: on-tokio <URL of the testbed's MCP server>")?;
    runtimes::visit(&server, Tokio).await
}
