//! `client_assertion.json` and `assertion.json`: the client's assertions, and those of others.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_auth::wire::assertion::{Assertion, ClientAssertion, Expected, ExpectedIdJag};
use mcp_auth::wire::jws::{Algorithm, SigningInput};
use mcp_auth::{Secret, Timestamp};
use serde_json::{Value, json};

use crate::kind;

/// `{client_id, issuer, algorithm, key_id?, jti, issued_at, lifetime}` to `{header, claims}`, or to the kind of breach.
pub(crate) fn client(input: &Value) -> Value {
    let text = |name: &str| input[name].as_str().unwrap();
    let number = |name: &str| input[name].as_u64().unwrap();
    let assertion = ClientAssertion {
        client_id: text("client_id"),
        issuer: text("issuer"),
        algorithm: Algorithm::parse(text("algorithm")).unwrap(),
        key_id: input.get("key_id").and_then(Value::as_str),
        jti: text("jti"),
        issued_at: Timestamp::from_secs(number("issued_at")),
        lifetime: Duration::from_secs(number("lifetime")),
    };
    assertion.signing_input().map_or_else(|breach| kind(&breach), |input| opened(&input))
}

/// `{header, claims}` of what is to be signed.
pub(crate) fn opened(input: &SigningInput) -> Value {
    let text = std::str::from_utf8(input.as_bytes()).unwrap();
    let (header, claims) = text.split_once('.').unwrap();
    let part = |part| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    json!({"header": part(header), "claims": part(claims)})
}

/// `{read}` to what is read, `{workload, now, issuer, audiences}` and `{id_jag, now, expected}` to `"pass"`, or to the
/// kind of breach.
pub(crate) fn received(input: &Value) -> Value {
    let jwt = ["read", "workload", "id_jag"].into_iter().find_map(|name| input.get(name)?.as_str()).unwrap();
    let assertion = match Assertion::read(&Secret::from(jwt)) {
        Ok(assertion) => assertion,
        Err(breach) => return kind(&breach),
    };
    let now = Timestamp::from_secs(input["now"].as_u64().unwrap_or_default());
    let judged = if input.get("workload").is_some() {
        let audiences: Vec<String> = serde_json::from_value(input["audiences"].clone()).unwrap();
        let audiences: Vec<_> = audiences.iter().map(String::as_str).collect();
        assertion.judge(&Expected { issuer: input["issuer"].as_str(), audiences: &audiences }, now)
    } else if input.get("id_jag").is_some() {
        let expected = &input["expected"];
        let text = |name: &str| expected[name].as_str();
        let rule = expected.get("issuer_match").cloned();
        let expected = ExpectedIdJag {
            identity_provider: text("identity_provider"),
            issuer: text("issuer").unwrap(),
            issuer_match: rule.map(|rule| serde_json::from_value(rule).unwrap()).unwrap_or_default(),
            client_id: text("client_id").unwrap(),
            resource: text("resource").unwrap(),
        };
        assertion.judge_id_jag(&expected, now)
    } else {
        return json!({
            "typ": assertion.typ,
            "alg": assertion.algorithm,
            "iss": assertion.issuer,
            "sub": assertion.has_subject,
            "jti": assertion.has_id,
            "aud": assertion.audience,
            "exp": assertion.expires_at,
            "nbf": assertion.not_before,
            "client_id": assertion.client_id,
            "resource": assertion.resource,
            "scope": assertion.scopes,
        });
    };
    judged.map_or_else(|breach| kind(&breach), |()| json!("pass"))
}
