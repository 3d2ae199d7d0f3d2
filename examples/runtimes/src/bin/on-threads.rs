//! No runtime at all. What blocks blocks, so the visit is over when it is first looked at.
//!
//! ```sh
//! cargo run -p mcp-auth-testbed --example serve automatic      # in another terminal; prints the URL
//! cargo run -p runtimes --bin on-threads http://127.0.0.1:…/mcp
//! ```

use std::error::Error;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

struct Threads;

impl runtimes::Runtime for Threads {
    async fn unblock<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        work()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).ok_or("usage: on-threads <URL of the testbed's MCP server>")?;
    let visit = pin!(runtimes::visit(&server, Threads));
    match visit.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => Err("something waited without blocking".into()),
    }
}
