//! The floor, once, and what it does: `cargo run --release --manifest-path benches/Cargo.toml --bin floor`.
//!
//! It is what `benches/check` and `benches/peers/run` measure as the floor. Under a profiler it can be told how often to run,
//! and then it says nothing: `floor 1000`.

use mcp_auth_benches::documents;
use mcp_auth_benches::floor::{self, Made};

fn main() {
    if let Some(times) = std::env::args().nth(1) {
        for _ in 0..times.parse().expect("how often to run") {
            drop(std::hint::black_box(floor::login(floor::Told::new())));
        }
        return;
    }
    let (mut requests, mut bodies) = (0, 0);
    let answers = documents::answers();
    println!("told: a challenge of {} bytes", documents::refusal()[http::header::WWW_AUTHENTICATE].len());
    let grant = floor::login_seen(floor::Told::new(), |made| match made {
        Made::Sent(request) => {
            let (read, sent) = (answers[requests].body().len(), request.body().len());
            requests += 1;
            bodies += usize::from(sent > 0);
            println!(
                "{} {}: {sent} bytes are sent, a document of {read} bytes is read into what is needed of it",
                request.method(),
                request.uri()
            );
        }
        Made::Opened(url) => {
            println!("the person opens an authorization URL of {} bytes, with S256", url.as_str().len());
        }
    });
    println!("kept: `Authorization` of {} bytes, a refresh token, {:?}", grant.value.len(), grant.scope);
    let allocated = allocation_counter::measure(|| drop(floor::login(floor::Told::new()))).count_total
        - allocation_counter::measure(|| drop(floor::Told::new())).count_total;
    println!(
        "{requests} requests, {bodies} of them with a body; {requests} documents parsed; one authorization URL; {allocated} allocations"
    );
}
