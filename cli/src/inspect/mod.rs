//! `mcp-auth inspect`: walks the discovery of an MCP server without logging in, and reports check by check.
//!
//! ```text
//!  walk          which requests are made, one after another; sends nothing by itself
//!  evidence      what was asked, and what came
//!  judge         from the evidence to findings: mcp_server, resource_metadata, authorization_server; client
//!  probe         harmless questions to the endpoints, on demand
//!  catalogue     every check as data: its id, clauses, expectation, advice
//!  page, json    the report, for a person and for a script
//! ```
//!
//! Only this file touches the network.

mod authorization_server;
mod catalogue;
mod client;
mod document;
mod evidence;
mod grammar;
mod json;
mod judge;
mod mcp_server;
mod page;
mod probe;
mod record;
mod report;
mod resource_metadata;
#[cfg(test)]
mod tests;
mod walk;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use mcp_auth::{Guard, Policy, Reach, SendFailure};
use mcp_auth_reqwest::Exchanger;

use crate::exit::Stop;
use crate::output;
use evidence::Answer;
pub(crate) use record::{CLIENT, NO_FURTHER};
use report::Verdict;
use walk::{Ask, Walk};

/// How long everything together may take. What is not asked by then counts as not answered in time.
const ALL_TIME: Duration = Duration::from_secs(120);

/// Nothing could be inspected, or reported.
const NOT_INSPECTED: u8 = 2;

const EXIT_CODES: &str = "\
Verdicts:
  ok       as it should be
  note     worth knowing, and nothing to do about
  skipped  could not be looked at
  odd      leaves a SHOULD, or is allowed and known to trip clients
  wrong    breaks a MUST, or stops a client that follows the rules

Exit codes:
  0  nothing is wrong (with --strict: and nothing is odd)
  1  something is wrong (with --strict: or odd)
  2  there is no report: a bad argument, no answer of the server, or standard output cannot be written

It registers nothing, opens no browser and sends no secret. One request carries a made-up token, to see that it is refused.
With --probe the token endpoint is shown a made-up code, and the authorization endpoint a made-up client.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// The URL of the MCP server
    url: String,
    /// Print the report as one JSON object: its form is `format` and `version`, each check has a stable `id`
    #[arg(long)]
    json: bool,
    /// Let what is odd count as wrong in the exit code
    #[arg(long)]
    strict: bool,
    /// Let authorization servers be on private networks
    #[arg(long)]
    allow_private: bool,
    /// Ask the endpoints too, with a code and a client that do not exist: they must refuse both properly
    #[arg(long)]
    probe: bool,
    /// Let the client itself go as far as it can without registering or asking anybody, and write that down as a trace, in a
    /// new file that you alone can read: `mcp-auth replay FILE` shows it
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    record: Option<std::path::PathBuf>,
    /// How long each request may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

/// `verbose`: every check is shown, and every request but those that end a session.
pub(crate) async fn run(args: Args, verbose: bool) -> ExitCode {
    let report = match inspected(&args).await {
        Ok(report) => report,
        Err(why) => {
            let printed = match args.json {
                true => output::print(&format!("{:#}", json::failure(&args.url, &why))),
                false => Ok(()),
            };
            return unreported([Err(why), printed].into_iter().filter_map(Result::err));
        }
    };
    let printed = match args.json {
        true => output::print(&format!("{:#}", json::report(&report))),
        false => output::write(|out| page::write(out, &report, verbose)),
    };
    // The other codes would say something of the server to one who has no report.
    if let Err(why) = printed {
        return unreported([why]);
    }
    let least = if args.strict { Verdict::Odd } else { Verdict::Wrong };
    if report.result() >= least { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn unreported(why: impl IntoIterator<Item = String>) -> ExitCode {
    for why in why {
        Stop::from(why).tell();
    }
    ExitCode::from(NOT_INSPECTED)
}

async fn inspected(args: &Args) -> Result<report::Report, String> {
    // The person named the server, which may be anywhere; only its form is judged.
    let server = Guard::new(Reach::Any).check(&args.url).map_err(|refused| {
        format!("{refused}. Give the URL of the MCP endpoint, such as https://mcp.example/mcp.")
    })?;
    let sink = args.record.as_deref().map(crate::replay::file::lines).transpose()?;
    let exchanger = Exchanger::new().map_err(|error| error.to_string())?;
    let mut walk = Walk::new(server, args.allow_private.then_some(Reach::Any)).probing(args.probe);
    let (began, within) = (Instant::now(), Duration::from_secs(args.timeout));
    while let Some(ask) = walk.next() {
        let asked = Instant::now();
        let left = ALL_TIME.saturating_sub(began.elapsed());
        let came = send(&exchanger, &ask, within.min(left)).await;
        walk.came(ask, came, asked.elapsed());
        if walk.is_unreached() {
            break;
        }
    }
    let seen = walk.done();
    // There may be nothing at all, where no request could be made of the URL.
    if seen.open.iter().all(|(_, exchange)| exchange.came.is_err()) {
        let why = seen.open.first().map_or("nothing was sent".to_owned(), |(_, exchange)| exchange.shown());
        let advice = "Is it running? Check the host and the port of the URL, and the network.";
        return Err(format!("the MCP server did not answer: {why}. {advice}"));
    }
    if let Some(sink) = sink {
        let limits = record::Limits { within, reach: args.allow_private.then_some(Reach::Any) };
        record::run(&exchanger, &seen, limits, sink).await?;
    }
    Ok(judge::judge(&seen))
}

async fn send(exchanger: &Exchanger, ask: &Ask, within: Duration) -> Result<Answer, SendFailure> {
    if within.is_zero() {
        return Err(SendFailure::TimedOut);
    }
    let request = ask.request.clone();
    let (parts, body) = if ask.whole {
        let most = Policy::default().metadata_bytes;
        exchanger.exchange(request, ask.reach, most, within).await?.into_parts()
    } else {
        let (parts, ()) = exchanger.head(request, ask.reach, within).await?.into_parts();
        (parts, Vec::new())
    };
    Ok(Answer { status: parts.status.as_u16(), fields: parts.headers, body })
}
