//! `mcp-auth completions`: for bash, zsh, fish, elvish and PowerShell.

use clap::CommandFactory as _;

use crate::args::{Args, Completions};
use crate::exit::Stop;
use crate::output::print;

pub(crate) fn run(args: &Completions) -> Result<(), Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "mcp-auth", &mut script);
    Ok(print(String::from_utf8_lossy(&script).trim_end())?)
}
