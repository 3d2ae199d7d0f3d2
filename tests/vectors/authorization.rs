//! `code_challenge.json`, `authorization_request.json`, `pushed_request.json`, `pushed_answer.json` and `callback.json`.

use mcp_auth::wire::authorization::{self, AuthorizationRequest};
use mcp_auth::wire::callback::{Expected, Refused};
use mcp_auth::wire::pushed::{Pushed, PushedRequest};
use mcp_auth::{Callback, Endpoint, Guard, Policy, Reach, Scopes, Secret, Timestamp};
use serde_json::{Value, json};

use crate::token::{client, sent};
use crate::{body, kind};

/// `{endpoint, scopes, resource?, extra?}` to the URL, or to the kind of breach.
pub(crate) fn request(input: &Value) -> Value {
    with_request(input, &endpoint(input["endpoint"].as_str().unwrap()), |request| {
        request.url().map_or_else(|breach| kind(&breach), |url| json!(url.as_str()))
    })
}

/// `{client, scopes, resource?, extra?, client_assertion?}` to `{authorization, body}`, or to the kind of breach.
pub(crate) fn push(input: &Value) -> Value {
    let (client, assertion) =
        (client(&input["client"]), input.get("client_assertion").and_then(Value::as_str));
    let assertion = assertion.map(Secret::from);
    with_request(input, &endpoint("https://as.example/authorize"), |request| {
        let pushed = PushedRequest { request, client: &client, assertion: assertion.as_ref() };
        pushed.build().map_or_else(|breach| kind(&breach), |message| sent(&message))
    })
}

/// `{status, document | body, endpoint}` to the URL to open and the lifetime, or to the kind of breach.
pub(crate) fn pushed(input: &Value) -> Value {
    let now = Timestamp::from_secs(1_000_000);
    let status = input["status"].as_u64().unwrap().try_into().unwrap();
    let endpoint = endpoint(input["endpoint"].as_str().unwrap());
    let url = Pushed::read(status, &body(input), now)
        .and_then(|pushed| Ok((pushed.url(&endpoint, "s6BhdRkqt3")?, pushed.expires_at.since(now))));
    match url {
        Err(breach) => kind(&breach),
        Ok((url, lifetime)) => json!({"url": url.as_str(), "expires_in": lifetime.as_secs()}),
    }
}

fn endpoint(url: &str) -> Endpoint {
    Guard::new(Reach::Public).check(url).unwrap()
}

fn with_request(
    input: &Value,
    endpoint: &Endpoint,
    then: impl FnOnce(AuthorizationRequest<'_>) -> Value,
) -> Value {
    let extra = input.get("extra").cloned().unwrap_or_else(|| json!([]));
    let extra: Vec<(String, String)> = serde_json::from_value(extra).unwrap();
    then(AuthorizationRequest {
        endpoint,
        client_id: "client-1",
        redirect_uri: "http://127.0.0.1:3000/cb",
        scopes: &Scopes::parse(input["scopes"].as_str().unwrap()).unwrap(),
        state: "the-state",
        code_challenge: "the-challenge",
        resource: input.get("resource").and_then(Value::as_str),
        dpop_jkt: input.get("dpop_jkt").and_then(Value::as_str),
        extra: &extra,
    })
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

/// A verifier to its challenge.
pub(crate) fn code_challenge(input: &Value) -> Value {
    authorization::code_challenge(&Secret::new(input.as_str().unwrap())).into()
}
