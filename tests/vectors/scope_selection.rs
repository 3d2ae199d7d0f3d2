//! `scope_selection.json`: which scopes are asked for.

use mcp_auth::policy::ScopeSources;
use mcp_auth::{IssuerScopes, ScopeRule, Scopes};
use serde_json::{Value, json};

/// `{challenged?, resource?, server?, asked?, wanted?, step_up?, rule?, issuer?}` to the scopes, joined by spaces.
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
    let plain = rule.select(sources);
    let Some(issuer) = input.get("issuer") else { return json!(plain.to_string()) };
    let issuer: IssuerScopes = serde_json::from_value(issuer.clone()).unwrap();
    assert_eq!(rule.select_at(&IssuerScopes::default(), sources), plain);
    json!(rule.select_at(&issuer, sources).to_string())
}
