//! `exchanges OURS RMCP`: the exchanges and round trips of every scenario of the official suite, from what its servers were
//! sent (two folders that `tests/conformance/run` left), and of a grant's life, counted here in memory.

use std::path::Path;
use std::process::ExitCode;

use mcp_auth_peers::least::{self, Least};
use mcp_auth_peers::life::{self, Count};
use mcp_auth_peers::suite::{self, Run};

/// Where the runs of a wire are, and what it is called in the table.
const WIRES: [(&str, &str); 5] = [
    ("2025-03-26", "2025-03-26"),
    ("2025-06-18", "2025-06-18"),
    ("2025-11-25", "2025-11-25"),
    ("default", "2025-11-25"),
    ("2026-07-28", "2026-07-28"),
];

/// What is counted.
const PREFACE: &str = "\
Exchanges / round trips. A round trip is what waits for the one before; exchanges that are on their way at once count once. What
the browser does and the requests to the MCP server are not among them; how many of the latter were refused stands apart. rmcp is
used as its guide says, from the challenge of a refusal (`benches/programs/suite-rmcp`, `benches/peers/src/life/rmcp.rs`); where
its scenario fails, no count is shown.

The least is what a client that knows nothing beforehand must send: each letter an exchange, those joined by `+` at once. MCP
says in which order places are tried, so the tries before the right one count; to ask them at once saves round trips where the
first is not the right one, and costs exchanges where it is. So no client has the least of both in every row.
";

fn main() -> ExitCode {
    let folders: Vec<_> = std::env::args().skip(1).collect();
    let [ours, rmcp] = folders.as_slice() else {
        eprintln!("exchanges OURS RMCP");
        return ExitCode::FAILURE;
    };
    println!("{PREFACE}");
    let unexplained = scenarios(Path::new(ours), Path::new(rmcp)) + life();
    println!();
    println!("The letters, each an exchange:");
    println!();
    for (letter, meaning) in least::LETTERS {
        println!("- {letter}: {meaning}");
    }
    if unexplained == 0 {
        return ExitCode::SUCCESS;
    }
    eprintln!("{unexplained} rows are above the least, did not pass, or were not run, and nothing says why");
    ExitCode::FAILURE
}

fn shown(count: Count) -> String {
    format!("{} / {}", count.exchanges, count.rounds)
}

fn told(run: Option<Run>) -> String {
    match run {
        None => "not run".to_owned(),
        Some(run) if run.passed => shown(run.authorization),
        Some(_) => "fails".to_owned(),
    }
}

/// Whether this is above the least, so that a reason is due.
fn above(count: Count, exchanges: &str) -> bool {
    count.exchanges > least::count(exchanges) || count.rounds > least::rounds(exchanges)
}

fn least_of(exchanges: &str) -> String {
    let least = Count { exchanges: least::count(exchanges), rounds: least::rounds(exchanges) };
    let written = if exchanges.is_empty() { String::new() } else { format!(": {exchanges}") };
    format!("{}{written}", shown(least))
}

/// One row for each scenario, and one more for a wire on which the counts differ. How many lack an explanation.
fn scenarios(ours: &Path, rmcp: &Path) -> usize {
    println!(
        "| scenario | wires | ours | rmcp | least | refusals: ours, rmcp | the least rests on | ours is above it, because |"
    );
    println!("|---|---|---:|---:|---|---:|---|---|");
    let mut unexplained = 0;
    for least in &least::ALL {
        let mut rows: Vec<(Vec<&str>, Run, Option<Run>)> = Vec::new();
        for (folder, wire) in WIRES {
            let Some(run) = suite::read(ours, folder, least.scenario) else { continue };
            let other = suite::read(rmcp, folder, least.scenario);
            match rows.iter_mut().find(|(_, known, peer)| (*known, *peer) == (run, other)) {
                Some((wires, _, _)) => wires.push(wire),
                None => rows.push((vec![wire], run, other)),
            }
        }
        if rows.is_empty() {
            println!("| {} | | not run | | | | | |", least.scenario);
            unexplained += 1;
        }
        for (wires, run, other) in rows {
            unexplained += row(least, &wires.join(", "), run, other);
        }
    }
    unexplained
}

fn row(least: &Least, wires: &str, run: Run, other: Option<Run>) -> usize {
    let above = above(run.authorization, least.exchanges);
    let why = if above { least.why } else { "" };
    let refusals = |run: Option<Run>| run.map_or("-".to_owned(), |run| run.refused.to_string());
    println!(
        "| {} | {wires} | {} | {} | {} | {}, {} | {} | {why} |",
        least.scenario,
        told(Some(run)),
        told(other),
        least_of(least.exchanges),
        run.refused,
        refusals(other),
        least.clause,
    );
    usize::from(!run.passed || (above && why.is_empty()))
}

fn life() -> usize {
    println!();
    println!(
        "| a grant's life | ours | rmcp | rmcp, host keeps more | least | the least rests on | ours is above it, because |"
    );
    println!("|---|---:|---:|---:|---|---|---|");
    let mut unexplained = 0;
    for row in &life::ROWS {
        let ours = (row.ours)();
        let told = |count: Result<Count, String>| count.map_or_else(|why| format!("fails: {why}"), shown);
        let (rmcp, kept) = (told((row.rmcp)()), row.kept.map_or(String::new(), |kept| told(kept())));
        let above = above(ours, row.least);
        let why = if above { row.why } else { "" };
        let (what, least, clause) = (row.what, least_of(row.least), row.clause);
        println!("| {what} | {} | {rmcp} | {kept} | {least} | {clause} | {why} |", shown(ours));
        unexplained += usize::from(above && why.is_empty());
    }
    unexplained
}
