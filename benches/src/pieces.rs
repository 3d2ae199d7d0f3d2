//! What is measured, each piece under its name.

use http::{HeaderMap, StatusCode};
use mcp_auth::wire::resource_metadata::{ResourceMetadata, check_place};
use mcp_auth::wire::server_metadata::{IssuerMatch, Pkce, ServerMetadata};
use mcp_auth::{Challenge, Guard, Reach};
use url::Url;

use crate::{documents, floor, ours};

/// A signature of the right length; making it is another's work.
pub const SIGNATURE: [u8; 64] = [1; 64];

/// The URL of the MCP server.
pub fn server() -> Url {
    Url::parse(documents::SERVER).expect("a URL")
}

/// Reads the refusal of a request.
pub fn challenge(fields: &HeaderMap) -> Challenge {
    Challenge::of(StatusCode::UNAUTHORIZED, fields, None, 0).expect("a challenge")
}

/// Reads protected resource metadata, and holds it against the server.
pub fn resource_metadata(body: &[u8], server: &Url) -> ResourceMetadata {
    let read = ResourceMetadata::read(body).expect("good metadata");
    check_place(&read.resource, server, documents::RESOURCE_METADATA).expect("its own");
    read
}

/// Reads authorization server metadata, and holds it against its issuer and the guard.
pub fn server_metadata(body: &[u8], guard: &Guard) -> ServerMetadata {
    let read = ServerMetadata::read(body, documents::ISSUER, IssuerMatch::Exact).expect("good metadata");
    read.check(guard, Pkce::Required).expect("good endpoints");
    read
}

/// A guard that lets pass what is public.
pub fn guard() -> Guard {
    Guard::new(Reach::Public)
}

/// One piece: its name, and what makes it ready and gives the work itself, to be done once.
pub type Piece = (&'static str, fn() -> Box<dyn FnOnce()>);

/// Work of which nothing is left but what it cost. What it was given and gives is dropped, and that counts too, unless
/// it is handed on here.
fn work<T: 'static, R: 'static>(given: T, work: impl FnOnce(T) -> R + 'static) -> Box<dyn FnOnce()> {
    Box::new(move || drop(std::hint::black_box(work(std::hint::black_box(given)))))
}

/// All pieces. The names are those of the benchmarks in `benches/instructions.rs`.
pub const ALL: [Piece; 12] = [
    ("the_floor", || work(floor::Told::new(), floor::login)),
    ("login_bare", || work(ours::Told::bare(), ours::login)),
    ("login", || work(ours::Told::new(), ours::login)),
    ("login_recorded", || work(ours::Told::recorded(), ours::login)),
    ("refresh", || work(ours::expired(), ours::refresh)),
    ("access", || work((ours::authorized(), server()), |(auth, url)| (ours::access(&auth, &url), auth, url))),
    ("bound_request", || {
        work((ours::bound(), server()), |(mut auth, url)| {
            (ours::bound_request(&mut auth, &url, &SIGNATURE), auth, url)
        })
    }),
    ("idle_step", || work(ours::authorized(), |mut auth| (ours::idle_step(&mut auth), auth))),
    ("waiting_step", || work(ours::consenting(), |mut auth| (ours::idle_step(&mut auth), auth))),
    ("challenge", || work(documents::refusal(), |fields| (challenge(&fields), fields))),
    ("resource_metadata", || {
        let body = documents::resource_metadata().to_string().into_bytes();
        work((body, server()), |(body, server)| (resource_metadata(&body, &server), body, server))
    }),
    ("server_metadata", || {
        let body = documents::server_metadata().to_string().into_bytes();
        work((body, guard()), |(body, guard)| (server_metadata(&body, &guard), body, guard))
    }),
];
