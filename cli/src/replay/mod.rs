//! `mcp-auth replay`: runs a recorded flow again, and shows it: in the terminal, as a page, as a picture.
//!
//! ```text
//!  story, told, ends, cast
//!                      from the trace to the flow that is shown: rows, who took part, what was checked
//!  values              what may be shown of a value, and by which name
//!  flow                the flow as data
//!  terminal            as a story to be read
//!  draw                as a picture (SVG), and as a page around it (HTML)
//!  diverged            where the machine did something else
//!  file                files for the eyes of their owner
//! ```
//!
//! What is shown comes from the scrubbed trace, never from the one that was read.

mod cast;
mod diverged;
mod draw;
mod ends;
pub(crate) mod file;
mod flow;
mod story;
mod terminal;
#[cfg(test)]
mod tests;
mod told;
mod values;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use mcp_auth::trace::{Divergence, Names, Trace};

use crate::args::Talk;
use crate::exit::Stop;
use crate::output;
use flow::{Flow, Row, Tone, What};

/// The largest trace that is read, in bytes.
const MAX_TRACE: u64 = 64 << 20;
/// How often a trace that cannot be scrubbed whole is cut.
const MAX_CUTS: usize = 8;

const ABOUT: &str = "\
A trace is written by `--record`, and holds every secret of its run. Nothing of them is shown or drawn here: each has a
pseudonym, such as ACCESS-TOKEN-1, and what follows from them follows anew. --scrub writes such a trace: it replays, and
can be sent to others. Hosts, paths, scopes, client identifiers and error texts stay in it as they are; --names replaces
hosts and paths too. Look at it before you send it.

Files are written for your eyes only and never over another; where one cannot be written, none is. What does not replay is
drawn as far as it goes, and not scrubbed. For one of them `-` is standard
output; the verdict then goes to standard error.

With --verbose the story has what is otherwise left to the details of the page; with --quiet there is the verdict alone.

Exit codes:
  0  the machine does the same again
  1  it does something else, or the trace cannot be read, or a file cannot be written
  2  a bad argument";

#[derive(Debug, clap::Args)]
#[command(after_help = ABOUT)]
pub(crate) struct Args {
    /// The trace: a file of JSON lines, of at most 64 MB; `-` is standard input
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// Wait for Enter after each message, where there is a terminal
    #[arg(long, conflicts_with_all = ["html", "svg", "scrub"])]
    step: bool,
    /// Write the flow as a page: a sequence diagram, and every step with its details
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the flow as a sequence diagram
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the trace without its secrets
    #[arg(long, value_name = "FILE")]
    scrub: Option<PathBuf>,
    /// Replace hosts and paths too, in whatever is shown or written
    #[arg(long)]
    names: bool,
}

pub(crate) fn run(args: &Args, talk: Talk) -> Result<(), Stop> {
    args.judge(talk)?;
    let text = file::read(&args.trace, MAX_TRACE)?;
    let trace = Trace::read(&text).map_err(|why| {
        format!(
            "{} cannot be read as a trace. {why}. It is to be JSON lines, as `--record` writes them.",
            source(&args.trace)
        )
    })?;
    let replayed = trace.replay();
    let names = if args.names { Names::Replaced } else { Names::Kept };
    let part = match &replayed {
        Err(divergence) => trace.before(place(divergence)),
        Ok(_) => trace.clone(),
    };
    let scrubbed = Scrubbed::of(part, names)?;
    let flow = flow(&scrubbed, replayed.as_ref().err(), names);
    let mut texts = Vec::new();
    texts.extend(args.svg.as_deref().map(|path| (path, draw::svg(&flow))));
    texts.extend(args.html.as_deref().map(|path| (path, draw::html(&flow))));
    let whole = replayed.is_ok() && scrubbed.cut.is_none();
    texts.extend(args.scrub.as_deref().filter(|_| whole).map(|path| (path, scrubbed.trace.to_string())));
    if args.outputs().is_empty() && !talk.quiet {
        let step = args.step && std::io::stdin().is_terminal();
        let flow = if talk.verbose { flow.whole() } else { flow };
        output::write(|out| terminal::tell(out, &flow, step.then(|| std::io::stdin().lock())))?;
    }
    let (documents, files): (Vec<_>, Vec<_>) = texts.into_iter().partition(|(path, _)| is_standard(path));
    file::write(&files)?;
    for (_, document) in &documents {
        output::put(document)?;
    }
    // What says how it went is no part of a document.
    let say = |line: String| match args.outputs().iter().any(|path| is_standard(path)) {
        true => {
            anstream::eprintln!("{line}");
            Ok(())
        }
        false => output::print(&line),
    };
    if !talk.quiet {
        files.iter().try_for_each(|(path, _)| say(format!("{} is written", shown(path))))?;
    }
    let nothing = args
        .scrub
        .as_ref()
        .filter(|_| !whole)
        .map_or(String::new(), |path| format!("\nNothing was scrubbed: {} is not written.", shown(path)));
    match (replayed, &scrubbed.cut) {
        (Err(divergence), _) => Err((diverged::told(&divergence, names) + &nothing).into()),
        (Ok(_), Some(why)) if args.scrub.is_some() => Err((unscrubbed(why) + &nothing).into()),
        (Ok(done), _) => {
            let (events, actions) = (done.events, done.actions);
            let broken =
                if trace.broken_off() { "; its last line breaks off, and is passed over" } else { "" };
            Ok(say(format!("replays: {events} events, {actions} actions the same{broken}"))?)
        }
    }
}

impl Args {
    /// The files that are named for what is written.
    fn outputs(&self) -> Vec<&Path> {
        [&self.svg, &self.html, &self.scrub].into_iter().flatten().map(PathBuf::as_path).collect()
    }

    fn judge(&self, talk: Talk) -> Result<(), Stop> {
        let outputs = self.outputs();
        for (place, one) in outputs.iter().enumerate() {
            if outputs.iter().skip(place.saturating_add(1)).any(|other| file::are_same(one, other)) {
                return Err(Stop::usage(format!(
                    "{} is named for two of --svg, --html and --scrub",
                    shown(one)
                )));
            }
        }
        match self.step && (talk.quiet || is_standard(&self.trace)) {
            true if talk.quiet => Err(Stop::usage("--step: with --quiet no message is shown to wait after")),
            true => Err(Stop::usage("--step: standard input is the trace, so Enter cannot be read from it")),
            false => Ok(()),
        }
    }
}

/// Whether it is not a file that is meant, but standard input or output.
fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn unscrubbed(why: &Divergence) -> String {
    format!(
        "the trace replays, and cannot be scrubbed: with pseudonyms, the machine does something else ({}). Somewhere a \
        secret, or with --names a host or path, is compared to something else than itself.",
        crate::show::plain(&why.to_string())
    )
}

/// A trace without its secrets, as far as it can be had.
struct Scrubbed {
    trace: Trace,
    /// Why it is not whole.
    cut: Option<Divergence>,
}

impl Scrubbed {
    fn of(mut part: Trace, names: Names) -> Result<Self, String> {
        let mut cut = None;
        for _ in 0..MAX_CUTS {
            match part.scrub(names) {
                Ok(trace) => return Ok(Self { trace, cut }),
                Err(divergence) => {
                    let line = place(&divergence);
                    cut = cut.or(Some(divergence));
                    if line <= 2 {
                        break;
                    }
                    part = part.before(line);
                }
            }
        }
        let why = cut.as_ref().map_or(String::new(), |cut| crate::show::plain(&cut.to_string()));
        Err(format!("nothing of the trace can be shown without its secrets: {why}"))
    }
}

/// The line of the file at which it diverges; 2 where it does so from the start.
fn place(divergence: &Divergence) -> usize {
    match divergence {
        Divergence::Differs { line, .. } | Divergence::Unreadable { line } => *line,
        _ => 2,
    }
}

/// What is to be shown; how it diverged stands at its end.
fn flow(scrubbed: &Scrubbed, diverged: Option<&Divergence>, names: Names) -> Flow {
    let mut flow = story::of(&scrubbed.trace);
    let why = diverged.map(|it| ("The machine does something else now", it));
    let why = why.or(scrubbed.cut.as_ref().map(|it| ("The rest cannot be shown without its secrets", it)));
    if let Some((title, why)) = why {
        let at = flow.rows.last().map_or(0, |row| row.at);
        let lines = vec![crate::show::words(&diverged::place(why, names))];
        let what = What::End { title: title.to_owned(), lines, tone: Tone::Bad };
        flow.rows.push(Row { at, number: 0, what, remarks: Vec::new(), going: flow::Going::default() });
    }
    flow
}

fn shown(path: &Path) -> String {
    match is_standard(path) {
        true => "standard output".to_owned(),
        false => crate::show::words(&path.display().to_string()),
    }
}

/// The same of what is read.
fn source(path: &Path) -> String {
    if is_standard(path) { "standard input".to_owned() } else { shown(path) }
}
