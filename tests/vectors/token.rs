//! `token_answer.json`, `exchange_answer.json`, `token_request.json`, `refresh_failure.json` and `retry_after.json`.

use http::StatusCode;
use mcp_auth::wire::authentication::Message;
use mcp_auth::wire::client::{AuthMethod, Client, Origin};
use mcp_auth::wire::refusal::Refusal;
use mcp_auth::wire::retry_after;
use mcp_auth::wire::token::{ExchangeAnswer, Grant, TokenAnswer, TokenRequest, TokenShape};
use mcp_auth::{Breach, Kind, Scopes, Secret, Timestamp};
use serde_json::{Value, json};

use crate::{body, kind};

/// `{status?, content_type?, document | body, shape?, bound?}` to what is read, or to the kind of breach.
pub(crate) fn answer(input: &Value) -> Value {
    let now = Timestamp::from_secs(1_000_000);
    let status = input["status"].as_u64().unwrap_or(200).try_into().unwrap();
    let content_type = input["content_type"].as_str().or(Some("application/json"));
    let shape = input.get("shape").cloned().unwrap_or_else(|| json!({}));
    let shape: TokenShape = serde_json::from_value(shape).unwrap();
    let bound = input.get("bound").is_some_and(|it| *it == json!(true));
    match TokenAnswer::read(status, content_type, &body(input), now, shape, bound) {
        Err(breach) => kind(&breach),
        Ok(answer) => json!({
            "access_token": answer.access_token.expose(),
            "refresh_token": answer.refresh_token.as_ref().map(Secret::expose),
            "expires_in": answer.expires_at.map(|at| at.since(now).as_secs()),
            "granted": answer.granted.map(|granted| granted.to_string()),
        }),
    }
}

/// `{status?, document | body}` to the identity assertion grant, or to the kind of breach.
pub(crate) fn exchange(input: &Value) -> Value {
    let now = Timestamp::from_secs(1_000_000);
    let status = input["status"].as_u64().unwrap_or(200).try_into().unwrap();
    match ExchangeAnswer::read(status, Some("application/json"), &body(input), now) {
        Err(breach) => kind(&breach),
        Ok(answer) => json!({
            "assertion": answer.assertion.expose(),
            "expires_in": answer.expires_at.map(|at| at.since(now).as_secs()),
            "granted": answer.granted.map(|granted| granted.to_string()),
        }),
    }
}

/// What is exchanged, as its members tell, and `{scopes?, client, client_assertion?, resource?}` to
/// `{authorization, body}`, or to the kind of breach.
pub(crate) fn request(input: &Value) -> Value {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let secret = |name: &str| text(name).map(Secret::from);
    let (code, code_verifier, refresh_token) =
        (secret("code"), secret("code_verifier"), secret("refresh_token"));
    let (jwt, subject_token, device_code) = (secret("jwt"), secret("subject_token"), secret("device_code"));
    let scopes = text("scopes").map(|scopes| Scopes::parse(scopes).unwrap());
    let scopes = scopes.as_ref();
    let grant = if let (Some(code), Some(code_verifier)) = (&code, &code_verifier) {
        Grant::AuthorizationCode { code, redirect_uri: text("redirect_uri").unwrap(), code_verifier }
    } else if let Some(refresh_token) = &refresh_token {
        Grant::RefreshToken { refresh_token, scopes }
    } else if let Some(assertion) = &jwt {
        Grant::JwtBearer { assertion, scopes }
    } else if let Some(subject_token) = &subject_token {
        let subject_token_type = serde_json::from_value(input["subject_token_type"].clone()).unwrap();
        let audience = text("audience").unwrap();
        Grant::TokenExchange { subject_token, subject_token_type, audience, scopes }
    } else if let Some(device_code) = &device_code {
        Grant::DeviceCode { device_code }
    } else {
        assert_eq!(text("grant"), Some("client_credentials"));
        Grant::ClientCredentials { scopes }
    };
    let (client, assertion) = (client(&input["client"]), secret("client_assertion"));
    let request =
        TokenRequest { grant, client: &client, resource: text("resource"), assertion: assertion.as_ref() };
    request.build().map_or_else(|breach| kind(&breach), |message| sent(&message))
}

/// `{id, secret, method}`.
pub(crate) fn client(input: &Value) -> Client {
    let mut client = Client::new(input["id"].as_str().unwrap(), Origin::Preregistered);
    client.secret = input["secret"].as_str().map(Secret::from);
    client.method = AuthMethod::parse(input["method"].as_str().unwrap()).unwrap();
    client
}

/// `{authorization, body}`.
pub(crate) fn sent(message: &Message) -> Value {
    json!({
        "authorization": message.authorization.as_ref().map(Secret::expose),
        "body": message.body.expose(),
    })
}

/// `{status, content_type?, document | body}` or `{failure}` to `{class, kind, error?}`.
pub(crate) fn refresh_failure(input: &Value) -> Value {
    let (status, breach) = match input.get("failure").and_then(Value::as_str) {
        Some(failure) => {
            let kind = match failure {
                "not_sent" => Kind::Unreachable,
                // A request that was cut off may have been acted upon.
                "interrupted" => Kind::OutcomeUnknown,
                "timed_out" => Kind::TimedOut,
                "too_large" => Kind::TooLarge,
                "address_refused" => Kind::AddressRefused,
                other => panic!("{other} is no way to fail"),
            };
            (None, Breach::new(kind, "RFC 6749 §6", "an answer", "none"))
        }
        None => {
            let status = input["status"].as_u64().unwrap().try_into().unwrap();
            let content_type = input["content_type"].as_str().or(Some("application/json"));
            let now = Timestamp::from_secs(1_000_000);
            match TokenAnswer::read(status, content_type, &body(input), now, TokenShape::default(), false) {
                Ok(_) => return json!("a token"),
                Err(breach) => (Some(StatusCode::from_u16(status).unwrap()), breach),
            }
        }
    };
    let mut shown = json!({"class": Refusal::of(status, &breach), "kind": kind(&breach)});
    if let Some(error) = &breach.error {
        shown["error"] = json!(error);
    }
    shown
}

/// `{value, now?}` to the wait in seconds, or to nothing.
pub(crate) fn retry(input: &Value) -> Value {
    let now = Timestamp::from_secs(input.get("now").map_or(1_800_000_000, |now| now.as_u64().unwrap()));
    json!(retry_after::read(input["value"].as_str().unwrap(), now).map(|at| at.since(now).as_secs()))
}
