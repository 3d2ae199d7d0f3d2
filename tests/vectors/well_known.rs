//! `well_known.json`: where the two metadata documents may be.

use mcp_auth::wire::{resource_metadata, server_metadata};
use mcp_auth::{Guard, Reach};
use serde_json::{Value, json};
use url::Url;

/// `{server, advertised?}` or `{issuer}` to the candidates, each as its form and its URL, or to a kind of breach.
pub(crate) fn run(input: &Value) -> Value {
    if let Some(issuer) = input.get("issuer").and_then(Value::as_str) {
        return match server_metadata::candidates(issuer, &Guard::new(Reach::Public)) {
            Ok(found) => found.iter().map(|found| json!([found.form, found.url])).collect(),
            Err(breach) => json!(breach.kind),
        };
    }
    let server = Url::parse(input["server"].as_str().unwrap()).unwrap();
    let advertised = input.get("advertised").cloned().unwrap_or(json!([]));
    let advertised: Vec<String> = serde_json::from_value(advertised).unwrap();
    let found = resource_metadata::candidates(&server, &advertised);
    found.iter().map(|found| json!([found.source, found.url])).collect()
}
