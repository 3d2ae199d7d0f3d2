//! `jwk.json` and `jws.json`: public keys, and what is signed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_auth::Secret;
use mcp_auth::wire::jwk::PublicJwk;
use mcp_auth::wire::jws::{Algorithm, SigningInput};
use serde_json::{Value, json};

use crate::{body, kind};

/// `{document | body}` to the key, its thumbprint and its algorithms, or to the kind of breach.
pub(crate) fn key(input: &Value) -> Value {
    match PublicJwk::read(&body(input)) {
        Err(breach) => kind(&breach),
        Ok(key) => {
            assert!(key.algorithms().iter().all(|algorithm| key.check(*algorithm).is_ok()));
            json!({"jwk": key.value(), "thumbprint": key.thumbprint(), "algorithms": key.algorithms()})
        }
    }
}

/// `{algorithm, header, claims, signature}` to the JWS, `{key, listed}` to the algorithm that is chosen, or to the kind
/// of breach.
pub(crate) fn sign(input: &Value) -> Value {
    if let Some(key) = input.get("key") {
        let key: Vec<Algorithm> = serde_json::from_value(key.clone()).unwrap();
        let listed: Option<Vec<String>> = serde_json::from_value(input["listed"].clone()).unwrap();
        let chosen = Algorithm::choose(&key, listed.as_deref(), "RFC 8414 §2");
        return chosen.map_or_else(|breach| kind(&breach), |algorithm| json!(algorithm.as_str()));
    }
    let algorithm = Algorithm::parse(input["algorithm"].as_str().unwrap()).unwrap();
    let members = |name: &str| {
        input[name].as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.clone()))
    };
    let signing = SigningInput::new(algorithm, members("header"), members("claims"));
    assert_eq!(signing.algorithm(), algorithm);
    let complete = signing.complete(&URL_SAFE_NO_PAD.decode(input["signature"].as_str().unwrap()).unwrap());
    complete.as_ref().map(Secret::expose).map_or_else(kind, |jws| json!(jws))
}
