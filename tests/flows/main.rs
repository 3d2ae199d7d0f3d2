//! The recorded flows: `vectors/flows/*.jsonl`, one for each behaviour that the documentation names and for each kind of
//! server that is known to be odd.
//!
//! They are played here, by a fixed seed and clock, and kept. What is kept must replay byte for byte, under the watch, and
//! end as `vectors/flows/index.json` says; and playing it again must give the same bytes.
//! `MCP_AUTH_REWRITE_FLOWS=1 cargo test --test flows` writes them anew.

mod alone;
mod begun;
mod behaviours;
mod book;
mod canary;
mod choices;
mod clauses;
mod cuts;
mod devices;
mod documented;
mod ended;
mod facts;
mod failing;
mod faults;
mod further;
mod grants;
mod index;
mod keyed;
mod reading;
mod refused;
mod renewals;
mod renewing;
mod servers;
mod stage;
mod stores;
mod vouched;
mod ways;

#[path = "../support/clause.rs"]
mod clause;
#[path = "../support/exceptions.rs"]
mod exceptions;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use clauses::Clauses;
use exceptions::Exceptions;
use index::{Recorded, recorded, summary};
use mcp_auth::trace::{Names, Trace};
use stage::Stage;

/// One flow: its name, what it shows, the requirements of `vectors/clauses` that it shows, how its attempts end, and who
/// plays it.
pub(crate) struct Flow {
    pub(crate) name: &'static str,
    pub(crate) shows: &'static str,
    /// Only those that it would not show if they were broken: it then ends otherwise, or sends something else.
    pub(crate) requirements: &'static [&'static str],
    /// How each attempt ends, in order.
    pub(crate) ends: &'static [&'static str],
    /// The policies that make it work, as the trail names them.
    pub(crate) by: &'static [&'static str],
    pub(crate) play: fn() -> Stage,
}

impl Flow {
    pub(crate) const fn by(mut self, policies: &'static [&'static str]) -> Self {
        self.by = policies;
        self
    }
}

pub(crate) const fn flow(
    name: &'static str,
    shows: &'static str,
    requirements: &'static [&'static str],
    ends: &'static [&'static str],
    play: fn() -> Stage,
) -> Flow {
    Flow { name, shows, requirements, ends, by: &[], play }
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/flows")
}

/// All flows in the order of their names.
fn flows() -> BTreeMap<&'static str, Flow> {
    let mut flows = BTreeMap::new();
    for flow in behaviours::flows()
        .into_iter()
        .chain(renewals::flows())
        .chain(grants::flows())
        .chain(servers::flows())
        .chain(further::flows())
        .chain(renewing::flows())
        .chain(refused::flows())
        .chain(stores::flows())
        .chain(keyed::flows())
        .chain(alone::flows())
        .chain(vouched::flows())
        .chain(devices::flows())
        .chain(choices::flows())
        .chain(failing::flows())
    {
        let name = flow.name;
        assert!(flows.insert(name, flow).is_none(), "two flows are called {name}");
    }
    flows
}

#[test]
fn every_flow_plays_as_it_is_recorded() {
    let rewrite = std::env::var_os("MCP_AUTH_REWRITE_FLOWS").is_some();
    let (mut index, mut wrong, mut bytes) = (BTreeMap::new(), Vec::new(), 0);
    let clauses = Clauses::read();
    for (name, flow) in flows() {
        let Ok(stage) = std::panic::catch_unwind(flow.play) else {
            wrong.push(format!("{name}: it does not do what it shows (see above)"));
            continue;
        };
        let text = stage.trace();
        bytes += text.len();
        let trace = Trace::read(&text).unwrap();
        match Recorded::of(&flow, &trace, &clauses) {
            Ok(recorded) => drop(index.insert(name.to_owned(), recorded)),
            Err(why) => {
                wrong.push(why);
                continue;
            }
        }
        let path = folder().join(format!("{name}.jsonl"));
        if rewrite {
            fs::write(&path, &text).unwrap();
        } else if fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            wrong.push(format!("{name}: what is played is not what is recorded"));
        }
    }
    let text = index::written(&index);
    if rewrite && wrong.is_empty() {
        fs::write(folder().join("index.json"), &text).unwrap();
        for name in files().iter().filter(|name| !index.contains_key(*name)) {
            fs::remove_file(folder().join(format!("{name}.jsonl"))).unwrap();
        }
    } else if !rewrite && fs::read_to_string(folder().join("index.json")).unwrap() != text {
        wrong.push("index.json: what it says is not what is played".to_owned());
    }
    assert!(bytes < 4 << 20, "{bytes} bytes of flows");
    assert!(wrong.is_empty(), "MCP_AUTH_REWRITE_FLOWS=1 writes them anew:\n{}", wrong.join("\n"));
}

/// The names of the files.
pub(crate) fn files() -> BTreeSet<String> {
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let traces = paths.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    traces.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Needs nothing but the files: any other client could do the same.
#[test]
fn every_recorded_flow_holds() {
    if std::env::var_os("MCP_AUTH_REWRITE_FLOWS").is_some() {
        return;
    }
    let index = recorded();
    assert_eq!(index.keys().cloned().collect::<BTreeSet<_>>(), files(), "the index names each file once");
    let listed = fs::read_to_string(folder().join("../exceptions.json")).unwrap();
    let mut exceptions = Exceptions::read(&listed, true).unwrap();
    let (mut failures, mut actions) = (Vec::new(), 0);
    for (name, expected) in &index {
        let came = holds(name, expected).map(|count| actions += count);
        let came = came.map_err(|why| format!("{name}: {why}"));
        failures.extend(exceptions.judge(&format!("flows/{name}"), came));
    }
    assert_eq!(exceptions.left(), [""; 0], "exceptions of no flow");
    assert!(failures.is_empty(), "{} flows do not hold\n{}", failures.len(), failures.join("\n"));
    println!("{} flows, {actions} actions", index.len());
}

/// How many actions came again.
fn holds(name: &str, expected: &Recorded) -> Result<usize, String> {
    let text = fs::read_to_string(folder().join(format!("{name}.jsonl"))).unwrap();
    let trace = Trace::read(&text).map_err(|error| error.to_string())?;
    if trace.to_string() != text {
        return Err("it is not written as it is read".to_owned());
    }
    let replayed = trace.replay().map_err(|divergence| divergence.to_string())?;
    let mut watch = faults::watched(&trace).map_err(|breaches| breaches.join("\n"))?;
    let found = summary(&trace);
    if found != expected.outcome() {
        return Err(format!("expected {:?}, got {found:?}", expected.outcome()));
    }
    for names in [Names::Kept, Names::Replaced] {
        let said = |what: &str, divergence| format!("{names:?}: {what}: {divergence}");
        let scrubbed = trace.scrub(names).map_err(|it| said("it cannot be scrubbed", it))?;
        watch.shown("the scrubbed flow", &scrubbed.to_string());
        scrubbed.replay().map_err(|it| said("what is scrubbed does not replay", it))?;
        let again = scrubbed.scrub(names).map_err(|it| said("it cannot be scrubbed twice", it))?;
        if again.to_string() != scrubbed.to_string() {
            let (once, twice) = (scrubbed.to_string(), again.to_string());
            let (line, (once, twice)) =
                once.lines().zip(twice.lines()).enumerate().find(|(_, (once, twice))| once != twice).unwrap();
            return Err(format!(
                "{names:?}: to scrub it once more changes line {}:\n{once}\n{twice}",
                line + 1
            ));
        }
    }
    match watch.breaches() {
        [] => Ok(replayed.actions),
        breaches => Err(breaches.join("\n")),
    }
}

#[test]
fn every_flow_says_what_it_shows() {
    for flow in flows().values() {
        let described = flow.shows.ends_with('.') && !flow.requirements.is_empty() && !flow.ends.is_empty();
        assert!(described, "{} does not say what it shows", flow.name);
    }
}
