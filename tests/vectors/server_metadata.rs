//! `server_metadata.json` and `issuer.json`: what an authorization server says, and who it is.

use mcp_auth::wire::server_metadata::{IssuerMatch, Pkce, ServerMetadata, origin};
use mcp_auth::{Breach, Guard, IssuerPolicy, Reach};
use serde_json::{Value, json};
use url::Url;

/// `{document or body, issuer, rule?}` to what was read, or to a kind of breach. With `pkce` what was read is checked
/// too, and comes out as `"usable"`; with `grant` it is checked for that grant type, with `id_jag` for that profile.
/// `{legacy}` to what is assumed of a server without metadata.
pub(crate) fn run(input: &Value) -> Value {
    let metadata = match input.get("legacy").and_then(Value::as_str) {
        Some(server) => ServerMetadata::legacy(&Url::parse(server).unwrap()),
        None => {
            match ServerMetadata::read(&crate::body(input), input["issuer"].as_str().unwrap(), rule(input)) {
                Ok(metadata) => metadata,
                Err(breach) => return json!(breach.kind),
            }
        }
    };
    let guard = Guard::new(Reach::Public);
    let usable =
        |checked: Result<(), Breach>| checked.map_or_else(|breach| json!(breach.kind), |()| json!("usable"));
    if let Some(grant_type) = input.get("grant").and_then(Value::as_str) {
        return usable(metadata.check_grant(&guard, grant_type).map(drop));
    }
    if input.get("id_jag").is_some() {
        return usable(metadata.check_id_jag());
    }
    let Some(pkce) = input.get("pkce") else { return json!(metadata) };
    let pkce: Pkce = serde_json::from_value(pkce.clone()).unwrap();
    usable(metadata.check(&guard, pkce).map(drop))
}

/// `{expected, got, rule}` to whether they are the same issuer; `{named, got, policy}` to whether metadata that names one is
/// taken for the other; `{server}` to the issuer of the 2025-03-26 fallbacks.
pub(crate) fn run_issuer(input: &Value) -> Value {
    if let Some(server) = input.get("server").and_then(Value::as_str) {
        return json!(origin(&Url::parse(server).unwrap()));
    }
    if let Some(policy) = input.get("policy") {
        let policy: IssuerPolicy = serde_json::from_value(policy.clone()).unwrap();
        return json!(policy.takes_issuer(input["named"].as_str().unwrap(), input["got"].as_str().unwrap()));
    }
    let [expected, got] = ["expected", "got"].map(|name| input[name].as_str().unwrap());
    let same = rule(input).same(expected, got);
    assert_eq!(rule(input).same(got, expected), same, "{expected} {got}");
    json!(same)
}

fn rule(input: &Value) -> IssuerMatch {
    input.get("rule").map(|rule| serde_json::from_value(rule.clone()).unwrap()).unwrap_or_default()
}
