//! Instructions by callgrind, which counts the same on a busy machine. The names are those of `pieces::ALL`.
//!
//! What comes out of a piece is handed back, so that dropping it does not count.

use std::hint::black_box;

use gungraun::prelude::*;
use http::HeaderMap;
use mcp_auth::wire::resource_metadata::ResourceMetadata;
use mcp_auth::wire::server_metadata::ServerMetadata;
use mcp_auth::{Action, Authorizer, Challenge, Guard, Secret};
use mcp_auth_benches::{documents, floor, ours, pieces};
use url::Url;

#[library_benchmark]
#[bench::it(floor::Told::new())]
fn the_floor(told: floor::Told) -> floor::Grant {
    black_box(floor::login(black_box(told)))
}

#[library_benchmark]
#[bench::it(ours::Told::bare())]
fn login_bare(told: ours::Told<()>) -> Authorizer {
    black_box(ours::login(black_box(told)))
}

#[library_benchmark]
#[bench::it(ours::Told::new())]
fn login(told: ours::Told) -> Authorizer {
    black_box(ours::login(black_box(told)))
}

#[library_benchmark]
#[bench::it(ours::Told::recorded())]
fn login_recorded(told: ours::Told) -> Authorizer {
    black_box(ours::login(black_box(told)))
}

#[library_benchmark]
#[bench::it(ours::expired())]
fn refresh(expired: ours::Expired) -> Authorizer {
    black_box(ours::refresh(black_box(expired)))
}

#[library_benchmark]
#[bench::it((ours::authorized(), pieces::server()))]
fn access((auth, url): (Authorizer, Url)) -> (bool, Authorizer, Url) {
    let ready = ours::access(black_box(&auth), black_box(&url));
    (ready, auth, url)
}

#[library_benchmark]
#[bench::it((ours::bound(), pieces::server()))]
fn bound_request((mut auth, url): (Authorizer, Url)) -> (Secret, Authorizer, Url) {
    let proof = ours::bound_request(black_box(&mut auth), black_box(&url), &pieces::SIGNATURE);
    (proof, auth, url)
}

#[library_benchmark]
#[bench::it(ours::authorized())]
fn idle_step(mut auth: Authorizer) -> (Action, Authorizer) {
    (ours::idle_step(black_box(&mut auth)), auth)
}

#[library_benchmark]
#[bench::it(ours::consenting())]
fn waiting_step(mut auth: Authorizer) -> (Action, Authorizer) {
    (ours::idle_step(black_box(&mut auth)), auth)
}

#[library_benchmark]
#[bench::it(documents::refusal())]
fn challenge(fields: HeaderMap) -> (Challenge, HeaderMap) {
    (pieces::challenge(black_box(&fields)), fields)
}

#[library_benchmark]
#[bench::it((documents::resource_metadata().to_string().into_bytes(), pieces::server()))]
fn resource_metadata((body, server): (Vec<u8>, Url)) -> (ResourceMetadata, Vec<u8>, Url) {
    (pieces::resource_metadata(black_box(&body), black_box(&server)), body, server)
}

#[library_benchmark]
#[bench::it((documents::server_metadata().to_string().into_bytes(), pieces::guard()))]
fn server_metadata((body, guard): (Vec<u8>, Guard)) -> (ServerMetadata, Vec<u8>, Guard) {
    (pieces::server_metadata(black_box(&body), black_box(&guard)), body, guard)
}

library_benchmark_group!(
    name = all,
    benchmarks = [
        the_floor,
        login,
        login_bare,
        login_recorded,
        refresh,
        access,
        bound_request,
        idle_step,
        waiting_step,
        challenge,
        resource_metadata,
        server_metadata
    ]
);
main!(library_benchmark_groups = all);
