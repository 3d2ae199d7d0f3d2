//! `dpop_proof.json` and `dpop_nonce.json`: proofs of possession, and the nonces that servers want in them.

use mcp_auth::wire::dpop::{Nonce, Proof};
use mcp_auth::wire::jwk::PublicJwk;
use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{Secret, Timestamp};
use serde_json::{Value, json};
use url::Url;

use crate::assertion::opened;
use crate::kind;

/// `{key, algorithm, method, url, jti, issued_at, token?, nonce?}` to `{header, claims}`, or to the kind of breach.
pub(crate) fn proof(input: &Value) -> Value {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let key: PublicJwk = serde_json::from_value(input["key"].clone()).unwrap();
    let token = text("token").map(Secret::from);
    let nonce = text("nonce").map(|nonce| Nonce::try_from(nonce.to_owned()).unwrap());
    let proof = Proof {
        key: &key,
        algorithm: Algorithm::parse(text("algorithm").unwrap()).unwrap(),
        method: text("method").unwrap(),
        url: &Url::parse(text("url").unwrap()).unwrap(),
        jti: text("jti").unwrap(),
        issued_at: Timestamp::from_secs(input["issued_at"].as_u64().unwrap()),
        token: token.as_ref(),
        nonce: nonce.as_ref(),
    };
    proof.signing_input().map_or_else(|breach| kind(&breach), |input| opened(&input))
}

/// `{fields}` to the nonce, to `null`, or to the kind of breach.
pub(crate) fn nonce(input: &Value) -> Value {
    let fields: Vec<String> = serde_json::from_value(input["fields"].clone()).unwrap();
    match Nonce::read(fields.iter().map(String::as_bytes)) {
        Ok(nonce) => json!(nonce),
        Err(breach) => kind(&breach),
    }
}
