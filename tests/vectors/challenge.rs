//! `challenge.json`: what is read of `WWW-Authenticate`, and what it asks for.

use mcp_auth::wire::challenge::{self, Challenge, Demand};
use serde_json::{Value, json};

/// `{fields}` to `{challenges, demand}`.
pub(crate) fn run(input: &Value) -> Value {
    let fields: Vec<_> = input["fields"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let challenges = challenge::read(fields.iter().map(|field| field.as_bytes()));
    let demand = Demand::of(&challenges);
    let mut shown = json!({
        "resource_metadata": demand.resource_metadata,
        "bearer": demand.bearer,
        "dpop": demand.dpop,
    });
    for (name, value) in [
        ("scope", demand.scope.map(|scope| scope.to_string())),
        ("error", demand.error),
        ("error_description", demand.error_description),
    ] {
        if let Some(value) = value {
            shown[name] = value.into();
        }
    }
    json!({"challenges": challenges.iter().map(show).collect::<Vec<_>>(), "demand": shown})
}

fn show(challenge: &Challenge) -> Value {
    let params: Vec<_> = challenge.all_params().map(|(name, value)| json!([name, value])).collect();
    let mut shown = json!({"scheme": challenge.scheme(), "params": params});
    if let Some(token68) = challenge.token68() {
        shown["token68"] = token68.into();
    }
    shown
}
