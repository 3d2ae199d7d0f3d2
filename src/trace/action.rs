//! Actions in a trace.

use serde_json::{Map, Value, json};

use super::octets;
use crate::action::{Action, AssertionKind, Purpose, SigningKey};
use crate::failure::Failure;
use crate::outcome::Outcome;

/// An action in the form of the trace.
pub(super) fn written(action: &Action) -> Value {
    let (name, members) = match action {
        Action::Load(it) => (
            "load",
            json!({
                "id": it.id.0,
                "key": it.key,
                "exclusive": it.exclusive.map(|span| span.as_secs()),
                "deadline": it.deadline,
            }),
        ),
        Action::Store(it) => (
            "store",
            json!({
                "id": it.id.0,
                "key": it.key,
                "credential": *it.credential,
                "replaces": it.replaces,
                "deadline": it.deadline,
            }),
        ),
        Action::Forget(it) => (
            "forget",
            json!({"id": it.id.0, "key": it.key, "generation": it.generation, "deadline": it.deadline}),
        ),
        Action::Release(it) => ("release", json!({"load": it.load.0, "key": it.key})),
        Action::Send(it) => (
            "send",
            json!({
                "id": it.id.0,
                "purpose": purpose(it.purpose),
                "method": it.method.as_str(),
                "url": it.uri.to_string(),
                "fields": octets::all(&it.fields),
                "body": it.body,
                "max_bytes": it.max_bytes,
                "deadline": it.deadline,
                "reach": it.reach,
            }),
        ),
        Action::Open(it) => ("open", json!({"id": it.id.0, "url": it.url.as_str(), "until": it.until})),
        Action::Show(it) => (
            "show",
            json!({
                "id": it.id.0,
                "user_code": it.user_code,
                "verification_uri": it.verification_uri.as_str(),
                "verification_uri_complete": it.verification_uri_complete.as_ref().map(url::Url::as_str),
                "until": it.until,
            }),
        ),
        Action::Ask(it) => (
            "ask",
            json!({
                "id": it.id.0,
                "issuer": it.issuer,
                "redirect_uri": it.redirect_uri,
                "until": it.until,
            }),
        ),
        Action::Sign(it) => (
            "sign",
            json!({
                "id": it.id.0,
                "key": signing_key(&it.key),
                "algorithm": it.algorithm(),
                "message": String::from_utf8_lossy(it.message()),
                "deadline": it.deadline,
            }),
        ),
        Action::Supply(it) => (
            "supply",
            json!({
                "id": it.id.0,
                "kind": assertion_kind(it.kind),
                "audience": it.audience,
                "resource": it.resource,
                "until": it.until,
            }),
        ),
        Action::Wait(until) => ("wait", json!(until)),
        Action::Renewed(outcome) => ("renewed", ended(outcome)),
        Action::Finish(outcome) => ("finish", ended(outcome)),
    };
    Value::Object(Map::from_iter([(name.to_owned(), members)]))
}

/// The name of an action.
pub(super) fn name(action: &Value) -> Option<&str> {
    action.as_object()?.keys().next().map(String::as_str)
}

fn ended(outcome: &Result<Outcome, Box<Failure>>) -> Value {
    match outcome {
        Ok(outcome) => json!({"outcome": outcome}),
        Err(failure) => json!({"failure": failure}),
    }
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::ResourceMetadata => "resource_metadata",
        Purpose::ServerMetadata => "server_metadata",
        Purpose::Registration => "registration",
        Purpose::Token => "token",
        Purpose::Refresh => "refresh",
        Purpose::Revocation => "revocation",
        Purpose::TokenExchange => "token_exchange",
        Purpose::DeviceAuthorization => "device_authorization",
        Purpose::PushedAuthorization => "pushed_authorization",
    }
}

fn signing_key(key: &SigningKey) -> Value {
    match key {
        SigningKey::Client { key_id } => json!({"client": {"key_id": key_id}}),
        SigningKey::Proof => json!("proof"),
    }
}

fn assertion_kind(kind: AssertionKind) -> &'static str {
    match kind {
        AssertionKind::IdToken => "id_token",
        AssertionKind::Saml2 => "saml2",
        AssertionKind::Workload => "workload",
    }
}
