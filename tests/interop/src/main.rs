//! The scenarios of `tests/interop/run`: a real authorization server, a real browser, each adapter in turn, and the command
//! line.
//!
//! ```text
//! mcp-auth-interop --servers DIR --browser PROGRAM --shots DIR --scratch DIR --cli PROGRAM [--adapter NAME]... [FILTER]
//! mcp-auth-interop --list [--adapter NAME]...
//! ```
//!
//! Adapters, and the command line, go their ways beside each other: most of the time is spent in waiting for tokens to expire.

mod adapter;
mod arguments;
mod asked;
mod command_line;
mod over_reqwest;
mod over_rmcp;
mod over_ureq;
mod person;
mod rig;
mod rpc;
mod scenarios;
mod servers;

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::adapter::Adapter;
use crate::arguments::{Arguments, Lane};
use crate::command_line::Terminal;
use crate::person::Desk;
use crate::rig::{Rig, Verdict};
use crate::servers::Servers;

/// Every adapter that there is. One more is a module like [`over_reqwest`] and a place here.
const ADAPTERS: [&dyn Adapter; 3] = [&over_reqwest::Reqwest, &over_ureq::Ureq, &over_rmcp::Rmcp];

/// How it went so far.
#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

/// One line for each scenario, when it has ended.
#[derive(Default)]
struct Table(Mutex<Counts>);

impl Table {
    fn tell(&self, lane: &str, name: &str, began: Instant, verdict: &Verdict) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (word, note) = match verdict {
            Ok(note) => ("pass", note.as_str()),
            Err(_) => ("FAIL", ""),
        };
        println!("{lane:<8} {name:<40} {word} {:>6} ms  {note}", began.elapsed().as_millis());
        match verdict {
            Ok(_) => counts.passed += 1,
            Err(why) => {
                counts.failed += 1;
                println!("    {}", why.trim_end().replace('\n', "\n    "));
            }
        }
    }

    fn skip(&self, lane: &str, name: &str, why: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        println!("{lane:<8} {name:<40} skip            {why}");
        counts.skipped += 1;
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("interop: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, String> {
    let arguments = Arguments::read(std::env::args().skip(1))?;
    let lanes = arguments.lanes()?;
    if arguments.list {
        lanes.iter().for_each(|lane| println!("{}", lane.name()));
        return Ok(true);
    }
    if let (Some(path), [Lane::Adapter(adapter)]) = (&arguments.child, lanes.as_slice()) {
        let servers = Servers::read(&arguments.servers, adapter.name())?;
        rig::child(&servers, *adapter, path, &arguments.redirect_uri, &arguments.scratch)?;
        return Ok(true);
    }
    let table = Table::default();
    std::thread::scope(|scope| {
        for lane in lanes {
            let (arguments, table) = (&arguments, &table);
            scope.spawn(move || {
                let began = Instant::now();
                if let Err(why) = go(arguments, lane, table) {
                    table.tell(lane.name(), "(all)", began, &Err(why));
                }
            });
        }
    });
    let Counts { passed, failed, skipped } = table.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
    println!("\n{passed} passed, {failed} failed{skipped}");
    Ok(failed == 0 && passed > 0)
}

fn go(arguments: &Arguments, lane: Lane, table: &Table) -> Result<(), String> {
    let servers = Servers::read(&arguments.servers, lane.name())?;
    let desk = Desk { browser: arguments.browser.clone(), shots: arguments.shots.join(lane.name()) };
    match lane {
        Lane::Adapter(adapter) => {
            over(arguments, &servers, &desk, adapter, table);
            Ok(())
        }
        Lane::Cli => at_the_terminal(arguments, &servers, &desk, table),
    }
}

fn over(arguments: &Arguments, servers: &Servers, desk: &Desk, adapter: &dyn Adapter, table: &Table) {
    for (name, scenario) in scenarios::ALL {
        if !format!("{} {name}", adapter.name()).contains(&arguments.filter) {
            continue;
        }
        let plain = plain(name);
        let scratch = arguments.scratch.join(adapter.name()).join(&plain);
        let rig = Rig { servers, desk, adapter, scratch, name: plain };
        let began = Instant::now();
        let verdict = fresh(&rig.scratch).and_then(|()| scenario(&rig));
        table.tell(adapter.name(), name, began, &verdict);
    }
}

fn at_the_terminal(
    arguments: &Arguments,
    servers: &Servers,
    desk: &Desk,
    table: &Table,
) -> Result<(), String> {
    for (name, needs, scenario) in command_line::ALL {
        if !format!("{} {name}", arguments::CLI).contains(&arguments.filter) {
            continue;
        }
        if let Some(lacking) = Terminal::lacks(&arguments.cli, needs)? {
            table.skip(arguments::CLI, name, &format!("there is no {lacking}"));
            continue;
        }
        let plain = plain(name);
        let home = arguments.scratch.join(arguments::CLI).join(&plain);
        let (program, since) = (arguments.cli.clone(), servers.entries()?);
        let began = Instant::now();
        let terminal = Terminal { servers, desk, program, home, name: plain, since };
        let verdict = fresh(&terminal.home).and_then(|()| scenario(&terminal));
        table.tell(arguments::CLI, name, began, &verdict);
    }
    Ok(())
}

/// The name as files can have it.
fn plain(name: &str) -> String {
    let kept = name.chars().filter(|letter| letter.is_ascii_alphanumeric() || " _-".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

fn fresh(directory: &Path) -> Result<(), String> {
    std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))
}
