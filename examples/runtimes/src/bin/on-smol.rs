//! smol.
//!
//! ```sh
//! cargo run -p mcp-auth-testbed --example serve automatic      # in another terminal; prints the URL
//! cargo run -p runtimes --bin on-smol http://127.0.0.1:…/mcp
//! ```

use std::error::Error;

struct Smol;

impl runtimes::Runtime for Smol {
    async fn unblock<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        smol::unblock(work).await
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).ok_or("usage: on-smol <URL of the testbed's MCP server>")?;
    smol::block_on(runtimes::visit(&server, Smol))
}
