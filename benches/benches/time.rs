//! Wall time, on a machine that is idle. What others do on it as well shows in all but the fastest. What takes less than the
//! clock can tell is sampled 128 calls at a time.

use divan::Bencher;
use mcp_auth_benches::{documents, floor, ours, pieces};

fn main() {
    divan::main();
}

#[divan::bench]
fn the_floor(bencher: Bencher) {
    bencher.with_inputs(floor::Told::new).bench_values(floor::login);
}

#[divan::bench]
fn login(bencher: Bencher) {
    bencher.with_inputs(ours::Told::new).bench_values(ours::login);
}

#[divan::bench]
fn login_recorded(bencher: Bencher) {
    bencher.with_inputs(ours::Told::recorded).bench_values(ours::login);
}

#[divan::bench]
fn refresh(bencher: Bencher) {
    bencher.with_inputs(ours::expired).bench_values(ours::refresh);
}

#[divan::bench(sample_size = 128)]
fn access(bencher: Bencher) {
    let (auth, url) = (ours::authorized(), pieces::server());
    bencher.bench_local(|| ours::access(divan::black_box(&auth), divan::black_box(&url)));
}

#[divan::bench]
fn bound_request(bencher: Bencher) {
    let (mut auth, url) = (ours::bound(), pieces::server());
    bencher.bench_local(|| ours::bound_request(&mut auth, divan::black_box(&url), &pieces::SIGNATURE));
}

#[divan::bench(sample_size = 128)]
fn idle_step(bencher: Bencher) {
    let mut auth = ours::authorized();
    bencher.bench_local(|| ours::idle_step(divan::black_box(&mut auth)));
}

#[divan::bench(sample_size = 128)]
fn waiting_step(bencher: Bencher) {
    let mut auth = ours::consenting();
    bencher.bench_local(|| ours::idle_step(divan::black_box(&mut auth)));
}

#[divan::bench]
fn challenge(bencher: Bencher) {
    let fields = documents::refusal();
    bencher.bench(|| pieces::challenge(divan::black_box(&fields)));
}

#[divan::bench]
fn resource_metadata(bencher: Bencher) {
    let (body, server) = (documents::resource_metadata().to_string().into_bytes(), pieces::server());
    bencher.bench(|| pieces::resource_metadata(divan::black_box(&body), divan::black_box(&server)));
}

#[divan::bench]
fn server_metadata(bencher: Bencher) {
    let (body, guard) = (documents::server_metadata().to_string().into_bytes(), pieces::guard());
    bencher.bench(|| pieces::server_metadata(divan::black_box(&body), divan::black_box(&guard)));
}
