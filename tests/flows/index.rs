//! `vectors/flows/index.json`: what each recorded flow shows, and how it ends.

use std::collections::BTreeMap;
use std::fs;

use mcp_auth::Verdict;
use mcp_auth::trace::{Entry, Trace};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clauses::Clauses;
use crate::{Flow, folder};

/// What the index says of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorded {
    pub(crate) shows: String,
    /// The requirements of `vectors/clauses/requirements.json` that it shows, by their `id`.
    pub(crate) requirements: Vec<String>,
    /// Where these stand.
    pub(crate) clauses: Vec<String>,
    /// How each attempt ends: where a token comes from, or the kind of failure.
    pub(crate) ends: Vec<String>,
    /// What policy allowed in the attempts, in the words of the trail.
    pub(crate) deviations: Vec<String>,
}

impl Recorded {
    /// What is to be said of a flow that was played; or what is wrong with it.
    pub(crate) fn of(flow: &Flow, trace: &Trace, known: &Clauses) -> Result<Self, String> {
        let (ends, deviations) = summary(trace);
        // A cold start reads the store first. That it holds nothing then is not repeated for each flow.
        let own = ends.strip_prefix(&["anonymous".to_owned()][..]).filter(|_| flow.ends != ["anonymous"]);
        if own.unwrap_or(&ends) != flow.ends {
            let trail = trace.replay().unwrap().machine.trail().to_string();
            return Err(format!("{}: expected {:?}, got {ends:?}\n{trail}", flow.name, flow.ends));
        }
        let unsaid = |policy: &&&str| !deviations.iter().any(|note| note.contains(&format!("`{policy}")));
        let unsaid: Vec<_> = flow.by.iter().filter(unsaid).collect();
        let unnamed = flow.by.is_empty() && !deviations.is_empty();
        if !unsaid.is_empty() || unnamed {
            return Err(format!("{}: {unsaid:?} are not in {deviations:?}", flow.name));
        }
        let clauses = known.of(flow)?;
        if let Some(failed) = trace.entries().filter_map(failed).find(|it| !known.cover(flow, it)) {
            return Err(format!(
                "{}: it fails by {failed:?}, which is none of what it says it shows",
                flow.name
            ));
        }
        let requirements = flow.requirements.iter().map(ToString::to_string).collect();
        Ok(Self { shows: flow.shows.to_owned(), requirements, clauses, ends, deviations })
    }

    pub(crate) fn outcome(&self) -> (Vec<String>, Vec<String>) {
        (self.ends.clone(), self.deviations.clone())
    }
}

/// How the attempts of a trace end, and what policy allowed in them.
pub(crate) fn summary(trace: &Trace) -> (Vec<String>, Vec<String>) {
    let ends = trace.entries().filter_map(|entry| match entry {
        Entry::Action(action) => end(action),
        _ => None,
    });
    let mut deviations = Vec::new();
    let mut seen = |entry: &mcp_auth::Entry| {
        let note = entry.note.to_string();
        if entry.verdict == Verdict::Deviation && !deviations.contains(&note) {
            deviations.push(note);
        }
    };
    trace.follow(|_, machine| machine.trail().entries().iter().for_each(&mut seen)).unwrap();
    (ends.collect(), deviations)
}

/// The clause of an attempt that ends with a failure.
fn failed(entry: Entry<'_>) -> Option<String> {
    let Entry::Action(action) = entry else { return None };
    action["finish"]["failure"]["breach"]["clause"].as_str().map(str::to_owned)
}

fn end(action: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let said = |ended: &Value| {
        let outcome = &ended["outcome"];
        text(&ended["failure"]["breach"]["kind"])
            .or_else(|| text(&outcome["authorized"]["source"]))
            .or_else(|| outcome.get("logged_out").map(|_| "logged_out".to_owned()))
            .or_else(|| text(outcome))
    };
    let renewed = action.get("renewed").and_then(said).map(|end| format!("beside it: {end}"));
    action.get("finish").and_then(said).or(renewed)
}

/// The index as it stands.
pub(crate) fn recorded() -> BTreeMap<String, Recorded> {
    serde_json::from_str(&fs::read_to_string(folder().join("index.json")).unwrap()).unwrap()
}

/// One flow on each line, so that a change shows.
pub(crate) fn written(index: &BTreeMap<String, Recorded>) -> String {
    let lines: Vec<_> = index
        .iter()
        .map(|(name, recorded)| {
            format!("  {}: {}", serde_json::json!(name), serde_json::to_string(recorded).unwrap())
        })
        .collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}
