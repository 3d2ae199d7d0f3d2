//! `mcp-auth`: log in to MCP servers from the command line, and watch how it goes.
#![forbid(unsafe_code)]

mod args;
mod demo;
mod inspect;
mod listener;
mod login;
mod mcp;
mod person;
mod show;
mod sse;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the runtime did not start: {error}")),
    };
    let done = runtime.block_on(async {
        match args.command {
            Command::Demo(args) => demo::run(args).await.map(|()| ExitCode::SUCCESS),
            Command::Login(args) => login::run(args).await.map(|()| ExitCode::SUCCESS),
            Command::Inspect(args) => Ok(inspect::run(args).await),
        }
    });
    // A terminal that is still being read must not keep the process.
    runtime.shutdown_background();
    done.unwrap_or_else(|why| fail(&why))
}

fn fail(why: &str) -> ExitCode {
    let bad = anstyle::Style::new().fg_color(Some(anstyle::AnsiColor::Red.into())).bold();
    anstream::eprintln!("{bad}error{bad:#}: {}", show::plain(why.trim_end()));
    ExitCode::FAILURE
}
