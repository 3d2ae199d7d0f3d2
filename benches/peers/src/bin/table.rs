//! `table INSTRUCTIONS`: instructions from what gungraun wrote, allocations and the fastest of many runs counted here, and
//! all of it in one table.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mcp_auth_benches::{floor, ours, pieces};
use mcp_auth_peers::{alone, life, rmcp};
use serde_json::Value;

type Work = Box<dyn FnOnce()>;
/// A name, and what makes its work ready.
type Row = (&'static str, fn() -> Work);

fn work<T: 'static, R: 'static>(given: T, work: impl FnOnce(T) -> R + 'static) -> Work {
    Box::new(move || drop(std::hint::black_box(work(std::hint::black_box(given)))))
}

const ROWS: [Row; 8] = [
    ("floor_login", || work(floor::Told::new(), floor::login)),
    ("ours_login", || work(ours::Told::new(), ours::login)),
    ("rmcp_login", || work(rmcp::Told::new(), rmcp::login)),
    ("oauth2_login", || work(alone::answer(), alone::login)),
    ("ours_refresh", || work(ours::expired(), ours::refresh)),
    ("oauth2_refresh", || work(alone::answer(), alone::refresh)),
    ("ours_access", || {
        work((ours::authorized(), pieces::server()), |(auth, url)| (ours::access(&auth, &url), auth, url))
    }),
    ("rmcp_access", || work(rmcp::authorized(), |manager| (rmcp::access(&manager), manager))),
];

fn main() {
    let path = std::env::args().nth(1).expect("the instructions");
    let text = std::fs::read_to_string(path).expect("gungraun has written its summary");
    let instructions: BTreeMap<String, u64> = text.lines().filter_map(counted).collect();
    println!("| | instructions | of ours | allocations | bytes | fastest |");
    println!("|---|---:|---:|---:|---:|---:|");
    for (name, ready) in ROWS {
        let (who, what) = name.split_once('_').expect("two words");
        let counted = allocation_counter::measure(ready());
        let ours = instructions[&format!("ours_{what}")];
        println!(
            "| {what}, {who} | {} | {:.2} | {} | {} | {} |",
            instructions[name],
            instructions[name] as f64 / ours as f64,
            counted.count_total,
            counted.bytes_total,
            shown(fastest(name, ready))
        );
    }
    println!();
    let [run_out, refused] = life::bursts();
    for (what, (requests, ours, rmcp)) in
        [("find their token run out", run_out), ("are refused with one token", refused)]
    {
        let (ours, rmcp) = (ours.exchanges, rmcp.exchanges);
        println!("{requests} requests at once {what}: {ours} exchange(s) by ours, {rmcp} by rmcp.");
    }
}

/// A call that takes less than the clock can tell is repeated.
fn fastest(name: &str, ready: fn() -> Work) -> Duration {
    match name {
        "ours_access" => {
            let (auth, url) = (ours::authorized(), pieces::server());
            repeated(|| ours::access(std::hint::black_box(&auth), std::hint::black_box(&url)))
        }
        "rmcp_access" => {
            let manager = rmcp::authorized();
            repeated(|| rmcp::access(std::hint::black_box(&manager)))
        }
        _ => (0..300).map(|_| timed(ready())).min().unwrap_or_default(),
    }
}

fn repeated<R>(mut call: impl FnMut() -> R) -> Duration {
    let thousand = |_| {
        let before = Instant::now();
        for _ in 0..1000 {
            std::hint::black_box(call());
        }
        before.elapsed()
    };
    (0..200).map(thousand).min().unwrap_or_default() / 1000
}

fn timed(work: Work) -> Duration {
    let before = Instant::now();
    work();
    before.elapsed()
}

fn shown(time: Duration) -> String {
    match time.as_nanos() {
        nanos @ ..10_000 => format!("{nanos} ns"),
        nanos => format!("{:.1} µs", nanos as f64 / 1000.0),
    }
}

fn counted(line: &str) -> Option<(String, u64)> {
    let summary: Value = serde_json::from_str(line).ok()?;
    let name = summary["function_name"].as_str()?.to_owned();
    let values = &summary["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"];
    Some((name, values["new"].as_u64().or_else(|| values["Left"].as_u64())?))
}
