//! Pseudonyms of what is signed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::pseudonyms::Pseudonyms;
use crate::base::spelling::jws_parts;
use crate::wire::assertion::MAX_ASSERTION;

/// The claims that a client holds an assertion against.
const CLAIMS: [&str; 7] = ["aud", "azp", "client_id", "iss", "resource", "scope", "typ"];
/// The claims whose names say nothing of anybody.
const OTHER_CLAIMS: [&str; 12] =
    ["acr", "amr", "email", "jti", "kid", "name", "nonce", "oid", "preferred_username", "sid", "sub", "tid"];
/// The claims that tell a time.
const TIMES: [&str; 4] = ["auth_time", "exp", "iat", "nbf"];

impl Pseudonyms {
    /// A signature of the same length that nobody made.
    pub(super) fn signature(&mut self, signature: &str) -> Option<String> {
        let length = URL_SAFE_NO_PAD.decode(signature).ok()?.len();
        let name = self.next("signature");
        let blocks = (0..length.div_ceil(32)).map(|block| Sha256::digest(format!("{name}{block}")));
        let bytes: Vec<u8> = blocks.flatten().take(length).collect();
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// A JWS with the claims that a client looks at, and pseudonyms for the rest; `None`: it is no JWS.
    pub(super) fn assertion(&mut self, text: &str) -> Option<String> {
        if text.len() > MAX_ASSERTION {
            return None;
        }
        let [header, claims, signature] = jws_parts(text)?;
        let object = |part: &str| -> Option<Map<String, Value>> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let (header, claims) = (object(header)?, object(claims)?);
        let header = self.claims(header, &["alg", "typ", "crit"]);
        let claims = self.claims(claims, &CLAIMS);
        let signature = self.signature(signature)?;
        let part = |members: Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(members).to_string());
        Some(format!("{}.{}.{signature}", part(header), part(claims)))
    }

    fn claims(&mut self, members: Map<String, Value>, kept: &[&str]) -> Map<String, Value> {
        let mut changed = Map::new();
        for (name, member) in members {
            let known = kept.contains(&name.as_str()) || OTHER_CLAIMS.contains(&name.as_str());
            let member = match member {
                Value::Number(number) if TIMES.contains(&name.as_str()) => Value::Number(number),
                Value::Number(_) => Value::from(0),
                kept_member if kept.contains(&name.as_str()) => self.value(kept_member),
                Value::String(text) => Value::String(self.alias("claim", &text)),
                // What is nested in an assertion is about the person.
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Value::Null,
            };
            let name =
                if known || TIMES.contains(&name.as_str()) { name } else { self.alias("member", &name) };
            changed.insert(name, member);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::{MAX_ASSERTION, Pseudonyms, URL_SAFE_NO_PAD};
    use crate::config::Config;

    /// What is longer than any JWT that is read stays too long.
    #[test]
    fn a_jwt_is_one_up_to_its_limit() {
        let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
        let head = format!("{}.{}.", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode("{ }"));
        for (length, is_one) in
            [(MAX_ASSERTION, true), (MAX_ASSERTION + 1, false), (MAX_ASSERTION + 2, false)]
        {
            let signature = "A".repeat(length - head.len());
            let name = Pseudonyms::new(&config, false).learn("assertion", &format!("{head}{signature}"));
            assert_eq!(name.split('.').count() == 3, is_one, "{length}");
            assert_eq!(name.len() > MAX_ASSERTION, !is_one, "{length}");
        }
    }
}
