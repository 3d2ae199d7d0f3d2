//! Instructions by callgrind.

use std::hint::black_box;

use ::rmcp::transport::auth::{AuthorizationManager, OAuthState};
use gungraun::prelude::*;
use http::Response;
use mcp_auth::Authorizer;
use mcp_auth_benches::{floor, ours, pieces};
use mcp_auth_peers::{alone, rmcp};
use url::Url;

#[library_benchmark]
#[bench::it(floor::Told::new())]
fn floor_login(told: floor::Told) -> floor::Grant {
    black_box(floor::login(black_box(told)))
}

#[library_benchmark]
#[bench::it(ours::Told::new())]
fn ours_login(told: ours::Told) -> Authorizer {
    black_box(ours::login(black_box(told)))
}

#[library_benchmark]
#[bench::it(rmcp::Told::new())]
fn rmcp_login(told: rmcp::Told) -> OAuthState {
    black_box(rmcp::login(black_box(told)))
}

fn warm() -> Response<Vec<u8>> {
    drop(alone::login(alone::answer()));
    alone::answer()
}

#[library_benchmark]
#[bench::it(warm())]
fn oauth2_login(answer: Response<Vec<u8>>) -> String {
    black_box(alone::login(black_box(answer)))
}

#[library_benchmark]
#[bench::it(ours::expired())]
fn ours_refresh(expired: ours::Expired) -> Authorizer {
    black_box(ours::refresh(black_box(expired)))
}

#[library_benchmark]
#[bench::it(warm())]
fn oauth2_refresh(answer: Response<Vec<u8>>) -> String {
    black_box(alone::refresh(black_box(answer)))
}

#[library_benchmark]
#[bench::it((ours::authorized(), pieces::server()))]
fn ours_access((auth, url): (Authorizer, Url)) -> (bool, Authorizer, Url) {
    (ours::access(black_box(&auth), black_box(&url)), auth, url)
}

#[library_benchmark]
#[bench::it(rmcp::authorized())]
fn rmcp_access(manager: AuthorizationManager) -> (String, AuthorizationManager) {
    (rmcp::access(black_box(&manager)), manager)
}

library_benchmark_group!(
    name = all,
    benchmarks = [
        floor_login,
        ours_login,
        rmcp_login,
        oauth2_login,
        ours_refresh,
        oauth2_refresh,
        ours_access,
        rmcp_access
    ]
);
main!(library_benchmark_groups = all);
