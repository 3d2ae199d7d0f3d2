//! `resource_metadata.json` and `resource_match.json`: what a resource says, and which server it speaks for.

use mcp_auth::wire::resource_metadata::{ResourceMetadata, canonical, check_place, check_resource, covers};
use mcp_auth::{Guard, Reach};
use serde_json::{Value, json};
use url::Url;

/// `{document}` or `{body}` to what was read, or to a kind of breach.
pub(crate) fn run(input: &Value) -> Value {
    match ResourceMetadata::read(&crate::body(input)) {
        Ok(metadata) => json!(metadata),
        Err(breach) => json!(breach.kind),
    }
}

/// `{resource, server, document?}` to whether the resource covers the server, as the document may say; `{server}` to its canonical URI.
pub(crate) fn run_match(input: &Value) -> Value {
    let server = input["server"].as_str().unwrap();
    let Some(resource) = input.get("resource").and_then(Value::as_str) else {
        return json!(canonical(&Guard::new(Reach::Any).check(server).unwrap()));
    };
    let server = Url::parse(server).unwrap();
    if let Some(document) = input.get("document").and_then(Value::as_str) {
        return json!(check_place(resource, &server, document).is_ok());
    }
    let covered = covers(resource, &server);
    assert_eq!(check_resource(resource, &server).is_ok(), covered, "{resource}");
    assert_eq!(check_place(resource, &server, server.as_str()).is_ok(), covered, "{resource}");
    json!(covered)
}
