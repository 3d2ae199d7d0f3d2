//! `guard.json`: which URLs may be sent to or opened.

use mcp_auth::base::guard::{Fault, redirect_uri};
use mcp_auth::{Guard, Reach};
use serde_json::{Value, json};

/// `{url, filled_to?, server?, reach?}` or `{redirect_uri}` to `"pass"`, or to the name of the fault.
pub(crate) fn run(input: &Value) -> Value {
    if let Some(uri) = input.get("redirect_uri").and_then(Value::as_str) {
        return said(redirect_uri(uri).err().map(|refused| refused.fault));
    }
    let reach = input.get("reach").map(|reach| serde_json::from_value::<Reach>(reach.clone()).unwrap());
    let guard = match input.get("server").and_then(Value::as_str) {
        Some(server) => Guard::for_server(&Guard::new(Reach::Any).check(server).unwrap(), reach),
        None => Guard::new(reach.unwrap_or(Reach::Public)),
    };
    let url = input["url"].as_str().unwrap();
    let length =
        input.get("filled_to").map_or(url.len(), |bytes| bytes.as_u64().unwrap().try_into().unwrap());
    let url = format!("{url}{}", "x".repeat(length - url.len()));
    said(guard.check(&url).err().map(|refused| refused.fault))
}

fn said(fault: Option<Fault>) -> Value {
    json!(match fault {
        None => "pass",
        Some(Fault::NotAbsolute) => "not_absolute",
        Some(Fault::Scheme) => "scheme",
        Some(Fault::UserInfo) => "user_info",
        Some(Fault::Fragment) => "fragment",
        Some(Fault::Character) => "character",
        Some(Fault::Host) => "host",
        Some(Fault::Path) => "path",
        Some(Fault::Address) => "address",
        Some(Fault::Redirect) => "redirect",
        Some(other) => panic!("{other:?} has no name here"),
    })
}
