//! Counts: `count INSTRUCTIONS BASELINE`. Counts the allocations of each piece, takes its instructions from what
//! gungraun wrote, prints both beside the baseline, and fails where one of them rose by more than 10 %, or where on the
//! hot path one more allocation or byte is made. With `--accept` what was counted becomes the baseline.

use std::collections::BTreeMap;
use std::process::ExitCode;

use mcp_auth_benches::pieces;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The pieces that belong to each request: what they allocate may not rise at all. Elsewhere a tenth is allowed.
const HOT: [&str; 4] = ["access", "bound_request", "idle_step", "waiting_step"];

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Cost {
    instructions: u64,
    allocations: u64,
    bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Baseline {
    /// What compiled it: another compiler counts a little differently.
    toolchain: String,
    pieces: BTreeMap<String, Cost>,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (accept, paths): (Vec<_>, Vec<_>) = arguments.iter().partition(|it| *it == "--accept");
    let [instructions, baseline] = paths.as_slice() else {
        eprintln!("count INSTRUCTIONS BASELINE [--accept]");
        return ExitCode::FAILURE;
    };
    let counted = counted(instructions);
    if let Some((name, _)) = pieces::ALL.iter().find(|(name, _)| !counted.contains_key(*name)) {
        eprintln!("{name}: its instructions were not counted");
        return ExitCode::FAILURE;
    }
    let known = std::fs::read_to_string(baseline).ok();
    if !accept.is_empty() {
        let before: Option<Baseline> = known.and_then(|text| serde_json::from_str(&text).ok());
        print(&before.map(|it| it.pieces).unwrap_or_default(), &counted);
        let now = Baseline { toolchain: toolchain(), pieces: counted };
        let text = serde_json::to_string_pretty(&now).expect("plain values");
        std::fs::write(baseline, text + "\n").expect("the baseline can be written");
        return ExitCode::SUCCESS;
    }
    let before: Baseline = serde_json::from_str(&known.expect("there is a baseline")).expect("a baseline");
    print(&before.pieces, &counted);
    let worse = worse(&before.pieces, &counted);
    if worse.is_empty() {
        return ExitCode::SUCCESS;
    }
    for line in &worse {
        eprintln!("{line}");
    }
    if before.toolchain != toolchain() {
        eprintln!("the baseline was counted with {}, this is {}", before.toolchain, toolchain());
    }
    eprintln!("where that is meant, `benches/check --accept` makes it the baseline");
    ExitCode::FAILURE
}

/// Prints the table.
fn print(before: &BTreeMap<String, Cost>, now: &BTreeMap<String, Cost>) {
    let floor = now.get("the_floor").copied();
    println!("| piece | instructions | of the floor | baseline | allocations | bytes |");
    println!("|---|---:|---:|---:|---:|---:|");
    for (name, _) in pieces::ALL {
        let Some(cost) = now.get(name) else { continue };
        let change = before.get(name).map_or("new".to_owned(), |known| {
            format!("{:+.1} %", (cost.instructions as f64 / known.instructions as f64 - 1.0) * 100.0)
        });
        let of_floor = floor.map_or(0.0, |floor| cost.instructions as f64 / floor.instructions as f64);
        println!(
            "| {name} | {} | {of_floor:.2} | {change} | {} | {} |",
            cost.instructions, cost.allocations, cost.bytes
        );
    }
}

/// What a login costs more for a recorder that is off: nothing that is allocated, and a question at each event and action.
fn for_nothing(now: &BTreeMap<String, Cost>) -> Option<String> {
    let (off, bare) = (now.get("login")?, now.get("login_bare")?);
    let same = (off.allocations, off.bytes) == (bare.allocations, bare.bytes);
    let few = off.instructions.saturating_sub(bare.instructions) <= 1000;
    (!same || !few).then(|| "login: a recorder that is off costs something".to_owned())
}

/// What is worse than before.
fn worse(before: &BTreeMap<String, Cost>, now: &BTreeMap<String, Cost>) -> Vec<String> {
    let mut worse: Vec<_> = for_nothing(now).into_iter().collect();
    for (name, _) in pieces::ALL {
        let Some(cost) = now.get(name) else { continue };
        let Some(known) = before.get(name) else {
            worse.push(format!("{name}: it is not in the baseline, so nobody would see it rise"));
            continue;
        };
        let hot = HOT.contains(&name);
        for (what, is, was, exact) in [
            ("instructions", cost.instructions, known.instructions, false),
            ("allocations", cost.allocations, known.allocations, hot),
            ("bytes", cost.bytes, known.bytes, hot),
        ] {
            let most = if exact { was } else { was * 11 / 10 };
            if is > most {
                worse.push(format!("{name}: {is} {what}, {was} before"));
            }
        }
    }
    worse
}

fn counted(instructions: &str) -> BTreeMap<String, Cost> {
    let text = std::fs::read_to_string(instructions).expect("gungraun has written its summary");
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let instructions: BTreeMap<String, u64> = lines
        .filter_map(|line| {
            let summary: Value = serde_json::from_str(line).ok()?;
            let name = summary["function_name"].as_str()?.to_owned();
            let metrics = &summary["profiles"][0]["data"]["total"]["metrics"];
            Some((name, new(&metrics["Ir"]["values"])?))
        })
        .collect();
    let cost = |(name, ready): pieces::Piece| {
        let work = ready();
        let counted = allocation_counter::measure(work);
        let instructions = *instructions.get(name)?;
        let (allocations, bytes) = (counted.count_total, counted.bytes_total);
        Some((name.to_owned(), Cost { instructions, allocations, bytes }))
    };
    pieces::ALL.into_iter().filter_map(cost).collect()
}

/// The value of this run; there may be one of the run before beside it.
fn new(values: &Value) -> Option<u64> {
    values["new"].as_u64().or_else(|| values["Left"].as_u64())
}

fn toolchain() -> String {
    let said = std::process::Command::new("rustc").arg("--version").output();
    said.ok().and_then(|it| String::from_utf8(it.stdout).ok()).unwrap_or_default().trim().to_owned()
}
