//! What the official suite's servers were sent, as `tests/conformance/count.mjs` wrote it down.

use std::path::Path;

use serde_json::Value;

use crate::life::Count;

/// One scenario on one wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub passed: bool,
    /// What the authorization took: neither requests to the MCP server nor what the browser did.
    pub authorization: Count,
    /// Requests to the MCP server that were refused.
    pub refused: usize,
}

/// The run of a scenario, if there was one on this wire.
pub fn read(results: &Path, wire: &str, scenario: &str) -> Option<Run> {
    let folder = results.join(wire).join("auth").join(scenario);
    let verdict = std::fs::read_to_string(folder.join("verdict")).ok()?;
    let text = std::fs::read_to_string(folder.join("exchanges.json")).ok()?;
    let exchanges: Vec<Value> = serde_json::from_str(&text).ok()?;
    let mcp = |it: &&Value| it["method"] == "POST" && it["path"] == "/mcp";
    let refused = |it: &&Value| it["status"] == 401 || it["status"] == 403;
    let spans: Vec<_> = exchanges.iter().filter(|it| !mcp(it) && !person(it)).map(span).collect();
    Some(Run {
        passed: verdict.starts_with("pass"),
        authorization: Count { exchanges: spans.len(), rounds: rounds(&spans) },
        refused: exchanges.iter().filter(mcp).filter(refused).count(),
    })
}

/// What the browser sends.
fn person(exchange: &Value) -> bool {
    exchange["method"] == "GET" && exchange["path"].as_str().is_some_and(|path| path.ends_with("/authorize"))
}

fn span(exchange: &Value) -> (f64, f64) {
    let at = |name: &str| exchange[name].as_f64();
    (at("began").unwrap_or_default(), at("ended").unwrap_or(f64::INFINITY))
}

/// The longest chain of exchanges of which each began when the one before had ended; they are in the order in which they
/// began.
fn rounds(spans: &[(f64, f64)]) -> usize {
    let mut chains: Vec<usize> = Vec::new();
    for (index, (began, _)) in spans.iter().enumerate() {
        let before = spans[..index].iter().zip(&chains).filter(|((_, ended), _)| ended <= began);
        chains.push(1 + before.map(|(_, chain)| *chain).max().unwrap_or_default());
    }
    chains.into_iter().max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::rounds;

    #[test]
    fn what_is_on_its_way_at_once_counts_once() {
        assert_eq!(rounds(&[]), 0);
        assert_eq!(rounds(&[(0.0, 1.0), (1.0, 2.0), (2.5, 3.0)]), 3);
        assert_eq!(rounds(&[(0.0, 2.0), (1.0, 2.0), (1.5, 4.0)]), 1);
        assert_eq!(rounds(&[(0.0, 2.0), (1.0, 3.0), (2.0, 4.0), (4.0, 5.0)]), 3);
    }
}
