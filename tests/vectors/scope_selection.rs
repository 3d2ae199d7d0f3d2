//! `scope_selection.json`: which scopes are asked for.

use mcp_auth::policy::ScopeSources;
use mcp_auth::{ScopeRule, Scopes};
use serde_json::{Value, json};

/// `{challenged?, resource?, server?, asked?, wanted?, step_up?, rule?}` to the scopes, joined by spaces.
pub(crate) fn run(input: &Value) -> Value {
    let scopes = |name: &str| input.get(name).map(|value| Scopes::parse(value.as_str().unwrap()).unwrap());
    let (challenged, resource, server) = (scopes("challenged"), scopes("resource"), scopes("server"));
    let (asked, wanted) = (scopes("asked"), scopes("wanted"));
    let rule = input.get("rule").cloned().unwrap_or_else(|| json!({}));
    let rule: ScopeRule = serde_json::from_value(rule).unwrap();
    let mut sources = ScopeSources::default();
    sources.challenged = challenged.as_ref();
    sources.resource = resource.as_ref();
    sources.server = server.as_ref();
    sources.asked = asked.as_ref();
    sources.wanted = wanted.as_ref();
    sources.step_up = input.get("step_up").is_some_and(|it| *it == json!(true));
    json!(rule.select(sources).to_string())
}
