//! The scenarios of `tests/interop/run`: a real authorization server, a real browser, each adapter in turn, and the command
//! line.
//!
//! ```text
//! mcp-auth-interop --servers FILE --browser PROGRAM --shots DIR --scratch DIR [--cli PROGRAM]
//!     [--adapter NAME]... [FILTER]
//! ```

mod adapter;
mod command_line;
mod over_reqwest;
mod person;
mod rig;
mod rpc;
mod scenarios;
mod servers;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use crate::adapter::Adapter;
use crate::command_line::Terminal;
use crate::person::Desk;
use crate::rig::{Rig, Verdict};
use crate::servers::Servers;

/// Every adapter that there is.
const ADAPTERS: [&dyn Adapter; 1] = [&over_reqwest::Reqwest];

/// The command line.
#[derive(Default)]
struct Arguments {
    servers: PathBuf,
    browser: PathBuf,
    shots: PathBuf,
    scratch: PathBuf,
    /// The program `mcp-auth`.
    cli: Option<PathBuf>,
    /// None: all, and the command line.
    adapters: Vec<String>,
    filter: String,
    /// The path of the MCP endpoint, in a process that another one started.
    child: Option<String>,
    redirect_uri: String,
}

impl Arguments {
    fn read(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut read = Self::default();
        while let Some(argument) = given.next() {
            let mut value = || given.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--servers" => read.servers = value()?.into(),
                "--browser" => read.browser = value()?.into(),
                "--shots" => read.shots = value()?.into(),
                "--scratch" => read.scratch = value()?.into(),
                "--cli" => read.cli = Some(value()?.into()),
                "--adapter" => read.adapters.push(value()?),
                "--child" => read.child = Some(value()?),
                "--redirect-uri" => read.redirect_uri = value()?,
                option if option.starts_with('-') => return Err(format!("there is no option {option}")),
                _ => read.filter = argument,
            }
        }
        Ok(read)
    }

    fn adapters(&self) -> Result<Vec<&'static dyn Adapter>, String> {
        let named = |name: &String| {
            let found = ADAPTERS.into_iter().find(|adapter| adapter.name() == name);
            found.ok_or_else(|| format!("there is no adapter {name}"))
        };
        if self.adapters.is_empty() {
            Ok(ADAPTERS.to_vec())
        } else {
            self.adapters.iter().map(named).collect()
        }
    }
}

/// How it went so far.
#[derive(Default)]
struct Table {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Table {
    fn tell(&mut self, over: &str, name: &str, began: Instant, verdict: &Verdict) {
        let (word, note) = match verdict {
            Ok(note) => ("pass", note.as_str()),
            Err(_) => ("FAIL", ""),
        };
        println!("{over:<10} {name:<40} {word} {:>6} ms  {note}", began.elapsed().as_millis());
        match verdict {
            Ok(_) => self.passed += 1,
            Err(why) => {
                self.failed += 1;
                println!("    {}", why.trim_end().replace('\n', "\n    "));
            }
        }
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
    let servers = Servers::read(&arguments.servers)?;
    let adapters = arguments.adapters()?;
    if let (Some(path), [adapter]) = (&arguments.child, adapters.as_slice()) {
        rig::child(&servers, *adapter, path, &arguments.redirect_uri, &arguments.scratch)?;
        return Ok(true);
    }
    let mut table = Table::default();
    for adapter in adapters {
        over(&arguments, &servers, adapter, &mut table);
    }
    if let (Some(program), true) = (&arguments.cli, arguments.adapters.is_empty()) {
        at_the_terminal(&arguments, &servers, program, &mut table)?;
    }
    let skipped = if table.skipped == 0 { String::new() } else { format!(", {} skipped", table.skipped) };
    println!("\n{} passed, {} failed{skipped}", table.passed, table.failed);
    Ok(table.failed == 0)
}

fn over(arguments: &Arguments, servers: &Servers, adapter: &'static dyn Adapter, table: &mut Table) {
    let shots = arguments.shots.join(adapter.name());
    let desk = Desk { browser: arguments.browser.clone(), shots };
    for (name, scenario) in scenarios::ALL {
        if !format!("{} {name}", adapter.name()).contains(&arguments.filter) {
            continue;
        }
        let plain = plain(name);
        let scratch = arguments.scratch.join(adapter.name()).join(&plain);
        let rig = Rig { servers, desk: &desk, adapter, scratch, name: plain };
        let began = Instant::now();
        let verdict = fresh(&rig.scratch).and_then(|()| scenario(&rig));
        table.tell(adapter.name(), name, began, &verdict);
    }
}

fn at_the_terminal(
    arguments: &Arguments,
    servers: &Servers,
    program: &Path,
    table: &mut Table,
) -> Result<(), String> {
    let desk = Desk { browser: arguments.browser.clone(), shots: arguments.shots.join("cli") };
    for (name, needs, scenario) in command_line::ALL {
        if !format!("cli {name}").contains(&arguments.filter) {
            continue;
        }
        if let Some(lacking) = Terminal::lacks(program, needs)? {
            println!("{:<10} {name:<40} skip             there is no {lacking}", "cli");
            table.skipped += 1;
            continue;
        }
        let name_of_files = plain(name);
        let home = arguments.scratch.join("cli").join(&name_of_files);
        let (program, since) = (program.to_owned(), servers.entries()?);
        let began = Instant::now();
        let terminal = Terminal { servers, desk: &desk, program, home, name: name_of_files, since };
        let verdict = fresh(&terminal.home).and_then(|()| scenario(&terminal));
        table.tell("cli", name, began, &verdict);
    }
    Ok(())
}

/// The name as files can have it.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|letter| *letter != ',')
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

fn fresh(directory: &Path) -> Result<(), String> {
    std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))
}
