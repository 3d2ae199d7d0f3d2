//! `mcp-auth`: log in to MCP servers from the command line, and use what they let you.
#![forbid(unsafe_code)]

mod args;
mod call;
mod completions;
mod context;
#[cfg(feature = "demo")]
mod demo;
mod exit;
mod inspect;
mod login;
mod logout;
mod mcp;
mod output;
mod person;
mod progress;
mod replay;
mod secret;
mod setup;
#[cfg_attr(not(feature = "demo"), allow(dead_code, reason = "the demo shows more parties than a login has"))]
mod show;
mod sse;
mod status;
mod times;
mod token;
mod vault;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use args::{Args, Command};
use context::Context;
use exit::{Code, Stop};

/// How long a login that was called off may take to say how it ended.
const PARTING: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let args = Args::parse();
    let context = Context::new(args.talk);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Stop::from(format!("the runtime did not start: {error}")).tell(),
    };
    let done = runtime.block_on(async {
        let logs_in = matches!(args.command, Command::Login(_));
        let work = run(args.command, &context);
        tokio::pin!(work);
        tokio::select! {
            done = &mut work => done,
            () = interrupted() => {
                tokio::select! {
                    () = context.call_off() => {}
                    () = interrupted() => {}
                }
                // An exchange that was brought to its end may have been the last that a login needed. Nothing else goes on:
                // nobody wants its request to be sent any more.
                let done = if logs_in { tokio::time::timeout(PARTING, work).await.ok() } else { None };
                done.unwrap_or_else(|| Err(Stop::new(Code::Interrupted, "called off")))
            }
        }
    });
    // A terminal that is still being read must not keep the process.
    runtime.shutdown_background();
    done.unwrap_or_else(|stop| stop.tell())
}

async fn run(command: Command, context: &Context) -> Result<ExitCode, Stop> {
    let done = match command {
        Command::Login(args) => login::run(args, context).await,
        Command::Call(args) => call::run(args, context).await,
        Command::Token(args) => token::run(args, context).await,
        Command::Status(args) => status::run(args, context).await,
        Command::Logout(args) => logout::run(args, context).await,
        Command::Inspect(args) => return Ok(inspect::run(args, context.talk.verbose).await),
        Command::Replay(args) => replay::run(&args, context.talk),
        Command::Completions(args) => completions::run(&args),
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(args).await.map_err(Stop::from),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// Ends when the person, or whoever manages the process, wants it to end.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminated) = signal(SignalKind::terminate()) else { return std::future::pending().await };
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = tokio::signal::ctrl_c().await;
}
