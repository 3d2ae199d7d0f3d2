//! Faults.

use mcp_auth::trace::{Entry, Trace};
use mcp_auth::watch::Watch;

/// Runs a trace again under the watch.
pub(crate) fn watched(trace: &Trace) -> Result<Watch, Vec<String>> {
    let mut machine = trace.machine().unwrap();
    let mut watch = match trace.snapshot() {
        Some(snapshot) => Watch::resume(trace.config(), snapshot),
        None => Watch::new(trace.config()),
    };
    let mut events = trace.events();
    for entry in trace.entries() {
        match entry {
            Entry::Event { .. } => {
                let (at, event) = events.next().unwrap();
                watch.event(at, &event);
                machine.handle(at, event);
            }
            Entry::Action(_) => watch.action(&machine.poll()),
            Entry::Prove { at, method, url } => {
                let _ = machine.prove(at, method, &url.parse().unwrap());
            }
            _ => {}
        }
        watch.shown("the machine", &format!("{machine:?}"));
        watch.shown("the trail", &machine.trail().to_string());
    }
    if watch.breaches().is_empty() { Ok(watch) } else { Err(watch.breaches().to_vec()) }
}
