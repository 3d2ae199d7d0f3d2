//! JSON Web Tokens taken apart (RFC 7515, RFC 7519): what they claim, whose signature they have, and when they hold.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::key;

/// A JWT in the compact form, taken apart. Nothing of it is verified yet.
pub(crate) struct Jwt {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Jwt {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else {
            return Err("A JWT has three parts.".to_owned());
        };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let object = |part| decode(part).and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(Self {
            header: object(header).ok_or("The header of the JWT is no JSON object in base64url.")?,
            claims: object(claims).ok_or("The claims of the JWT are no JSON object in base64url.")?,
            message: format!("{header}.{claims}").into_bytes(),
            signature: decode(signature).ok_or("The signature of the JWT is no base64url.")?,
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&Value> {
        self.header.get(name)
    }

    pub(crate) fn typ(&self) -> Option<&str> {
        self.header("typ")?.as_str()
    }

    pub(crate) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.claim(name)?.as_str()
    }

    /// A NumericDate (RFC 7519 §2): seconds, perhaps with a fraction.
    pub(crate) fn date(&self, name: &str) -> Option<u64> {
        let value = self.claim(name)?;
        value
            .as_u64()
            .or_else(|| value.as_f64().filter(|seconds| *seconds >= 0.0).map(|seconds| seconds as u64))
    }

    /// Whether it was signed by one of these keys, with an algorithm among these. A `kid` chooses among the keys.
    pub(crate) fn signed_by(&self, keys: &[Value], algorithms: &[String]) -> Result<(), String> {
        let alg = self.header("alg").and_then(Value::as_str).ok_or("The header of the JWT has no alg.")?;
        if !algorithms.iter().any(|own| own == alg) {
            return Err(format!("The algorithm {alg} is not taken here."));
        }
        // No extension is understood here (RFC 7515 §4.1.11).
        if self.header("crit").is_some() {
            return Err("The header of the JWT has a crit.".to_owned());
        }
        let kid = self.header("kid");
        let fits = |key: &&Value| {
            let named = kid.is_none() || key.get("kid").is_none() || key.get("kid") == kid;
            named && key::algorithm(key) == Some(alg)
        };
        let mut candidates = keys.iter().filter(fits).peekable();
        if candidates.peek().is_none() {
            return Err(format!("No key that is known here fits {alg} and the kid of the JWT."));
        }
        if candidates.any(|key| key::verifies(key, &self.message, &self.signature)) {
            Ok(())
        } else {
            Err("The signature of the JWT is not that of a key that is known here.".to_owned())
        }
    }

    /// Whether it holds at this time, give or take the skew of the clocks (RFC 7519 §4.1.4 to §4.1.6).
    pub(crate) fn holds_at(&self, now: u64, skew: u64) -> Result<(), String> {
        let end = self.date("exp").ok_or("The JWT has no exp.")?;
        if end.saturating_add(skew) <= now {
            return Err("The JWT has expired.".to_owned());
        }
        let latest = now.saturating_add(skew);
        for name in ["nbf", "iat"] {
            if self.claim(name).is_some() && self.date(name).is_none_or(|begin| begin > latest) {
                return Err(format!("The {name} of the JWT is in the future."));
            }
        }
        Ok(())
    }
}
