//! `authorization_request.json` and `callback.json`.

use mcp_auth::wire::authorization::AuthorizationRequest;
use mcp_auth::wire::callback::{Expected, Refused};
use mcp_auth::{Callback, Guard, Policy, Reach, Scopes, Secret};
use serde_json::{Value, json};

use crate::kind;

/// `{endpoint, scopes, resource?, extra?}` to the URL, or to the kind of breach.
pub(crate) fn request(input: &Value) -> Value {
    let endpoint = Guard::new(Reach::Public).check(input["endpoint"].as_str().unwrap()).unwrap();
    let extra = input.get("extra").cloned().unwrap_or_else(|| json!([]));
    let extra: Vec<(String, String)> = serde_json::from_value(extra).unwrap();
    let request = AuthorizationRequest {
        endpoint: &endpoint,
        client_id: "client-1",
        redirect_uri: "http://127.0.0.1:3000/cb",
        scopes: &Scopes::parse(input["scopes"].as_str().unwrap()).unwrap(),
        state: "the-state",
        code_challenge: "the-challenge",
        resource: input.get("resource").and_then(Value::as_str),
        extra: &extra,
    };
    request.url().map_or_else(|breach| kind(&breach), |url| json!(url.as_str()))
}

/// `{callback, iss_required, require_iss?, aliases?}` to the code and how its issuer is known, or to the kind of breach and what it means.
pub(crate) fn callback(input: &Value) -> Value {
    let aliases = input.get("aliases").cloned().unwrap_or_else(|| json!([]));
    let aliases: Vec<String> = serde_json::from_value(aliases).unwrap();
    let strict = input.get("require_iss").and_then(Value::as_bool).unwrap_or_default();
    let policy = Policy::with(|it| it.require_iss = strict);
    let expected = Expected {
        state: &Secret::new("the-state"),
        issuer: "https://as.example",
        iss_required: policy.demands_iss(input["iss_required"].as_bool().unwrap()),
        issuer_aliases: &aliases,
    };
    let callback = Callback::new(input["callback"].as_str().unwrap());
    match callback.judge(&expected) {
        Ok(answered) => json!({"code": answered.code.expose(), "iss": answered.iss}),
        Err(Refused::Foreign(breach)) => json!({"foreign": kind(&breach)}),
        Err(Refused::Fatal(breach)) => {
            // An error that nothing vouches for is neither used nor shown.
            let vouched =
                !matches!(breach.kind, mcp_auth::Kind::IssuerMismatch | mcp_auth::Kind::IssuerMissing);
            assert!(vouched || !breach.to_string().contains("access_denied"));
            json!({"fatal": kind(&breach)})
        }
    }
}
