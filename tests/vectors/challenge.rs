//! `challenge.json`: what `WWW-Authenticate` asks for.

use mcp_auth::wire::challenge::{self, Challenge, Demand};
use serde_json::{Value, json};

/// `{fields}` to `{challenges, demand}`. What is absent, empty or false is left out.
pub(crate) fn run(input: &Value) -> Value {
    let fields: Vec<_> = input["fields"].as_array().unwrap().iter().map(bytes).collect();
    let challenges = challenge::read(fields.iter().map(Vec::as_slice));
    let shown: Vec<_> = challenges.iter().map(show).collect();
    json!({"challenges": shown, "demand": Demand::of(&challenges)})
}

/// A text is sent as UTF-8; a text under `latin1` has one byte for each of its characters.
fn bytes(field: &Value) -> Vec<u8> {
    match field.get("latin1") {
        None => field.as_str().unwrap().as_bytes().to_vec(),
        Some(text) => {
            text.as_str().unwrap().chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect()
        }
    }
}

fn show(challenge: &Challenge) -> Value {
    let mut shown = json!({"scheme": challenge.scheme()});
    if let Some(token68) = challenge.token68() {
        shown["token68"] = json!(token68);
    }
    let params: Vec<_> = challenge.all_params().collect();
    if !params.is_empty() {
        shown["params"] = json!(params);
    }
    shown
}
