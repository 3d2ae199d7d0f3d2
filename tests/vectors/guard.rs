//! `guard.json`: which URLs may be sent to or opened.

use mcp_auth::{Guard, Reach};
use serde_json::{Value, json};

/// `{url, server?, reach?}` to `"pass"`, or to the name of the fault.
pub(crate) fn run(input: &Value) -> Value {
    let reach = input.get("reach").map(|reach| serde_json::from_value::<Reach>(reach.clone()).unwrap());
    let guard = match input.get("server").and_then(Value::as_str) {
        Some(server) => Guard::for_server(&Guard::new(Reach::Any).check(server).unwrap(), reach),
        None => Guard::new(reach.unwrap_or(Reach::Public)),
    };
    match guard.check(input["url"].as_str().unwrap()) {
        Ok(_) => json!("pass"),
        Err(refused) => json!(format!("{:?}", refused.fault)),
    }
}
