//! Public keys as JSON Web Keys (RFC 7517), and their thumbprints (RFC 7638).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::json::Object;
use super::jws::Algorithm;
use crate::base::breach::{Breach, Kind};

/// The longest key that is read, in bytes.
pub const MAX_KEY: usize = 16 << 10;

/// The members that hold what only the owner may know (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2).
const PRIVATE: [&str; 8] = ["d", "dp", "dq", "k", "oth", "p", "q", "qi"];
const CURVE: &str = "RFC 7518 §6.2.1";
const RSA: &str = "RFC 7518 §6.3.1";
const OKP: &str = "RFC 8037 §2";

/// The public half of a signing key: only what must be there, in the one spelling that gives its thumbprint.
///
/// `kid`, `use`, `alg` and the like are not kept, because a proof carries the bare key (RFC 9449 §4.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct PublicJwk(Key);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    P256 { x: String, y: String },
    Rsa { e: String, n: String },
    Ed25519 { x: String },
}

impl PublicJwk {
    /// Reads a key: EC on P-256, RSA of 2048 to 8192 bits, or OKP on Ed25519.
    ///
    /// # Errors
    ///
    /// [`Kind::Configuration`], because a key comes from the caller. A key with a private member is refused, not
    /// trimmed: who hands one in has mistaken one half for the other. No breach quotes a member's value but that of
    /// `kty` and `crv`.
    pub fn read(text: &[u8]) -> Result<Self, Breach> {
        if text.len() > MAX_KEY {
            return Err(refused("RFC 7517 §4", "a key of at most 16 KiB", "more"));
        }
        let object = Object::read(text).map_err(own)?;
        if let Some(name) = PRIVATE.into_iter().find(|name| object.get(name).is_some()) {
            let got = format!("one that holds the private member {name:?}");
            return Err(refused("RFC 7517 §9.2", "a public key", &got));
        }
        let curve = |clause, wanted: &str| match object.required("crv", clause).map_err(own)? {
            curve if curve == wanted => Ok(()),
            other => Err(refused(clause, &format!("the curve {wanted}"), other)),
        };
        Ok(Self(match object.required("kty", "RFC 7517 §4.1").map_err(own)? {
            "EC" => {
                curve(CURVE, "P-256")?;
                Key::P256 { x: number(&object, "x", CURVE, 32)?, y: number(&object, "y", CURVE, 32)? }
            }
            "RSA" => Key::Rsa { e: exponent(&object)?, n: modulus(&object)? },
            "OKP" => {
                curve(OKP, "Ed25519")?;
                Key::Ed25519 { x: number(&object, "x", OKP, 32)? }
            }
            other => return Err(refused("RFC 7518 §6.1", "a key of type EC, RSA or OKP", other)),
        }))
    }

    /// The key as a JSON object.
    pub fn value(&self) -> Value {
        Value::Object(self.members_and([]))
    }

    /// The same, with what else is said of the key.
    pub(crate) fn members_and<'a>(
        &'a self,
        more: impl IntoIterator<Item = (&'static str, &'a str)>,
    ) -> Map<String, Value> {
        self.members().chain(more).map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
    }

    /// The SHA-256 thumbprint in base64url (RFC 7638 §3), which is also `jkt` (RFC 9449 §6.1).
    pub fn thumbprint(&self) -> String {
        // Neither names nor values hold a character that JSON would escape.
        let members: Vec<_> = self.members().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{{{}}}", members.join(","))))
    }

    /// The algorithms that a key of this kind signs with, the preferred first.
    pub fn algorithms(&self) -> &'static [Algorithm] {
        match self.0 {
            Key::P256 { .. } => &[Algorithm::Es256],
            Key::Rsa { .. } => &[Algorithm::Ps256, Algorithm::Rs256],
            Key::Ed25519 { .. } => &[Algorithm::EdDsa, Algorithm::Ed25519],
        }
    }

    /// Refuses an algorithm that a key of this kind does not sign with.
    ///
    /// # Errors
    ///
    /// [`Kind::Configuration`], with those that it does.
    pub fn check(&self, algorithm: Algorithm) -> Result<(), Breach> {
        if self.algorithms().contains(&algorithm) {
            return Ok(());
        }
        let names: Vec<_> = self.algorithms().iter().map(|it| it.as_str()).collect();
        let expected = format!("{} with this key", names.join(" or "));
        Err(refused("RFC 7518 §3.1", &expected, algorithm.as_str()))
    }

    /// The members that RFC 7638 §3.2 and RFC 8037 §2 require, in the order of their names.
    fn members(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let members: [Option<(&'static str, &str)>; 4] = match &self.0 {
            Key::P256 { x, y } => {
                [Some(("crv", "P-256")), Some(("kty", "EC")), Some(("x", x)), Some(("y", y))]
            }
            Key::Rsa { e, n } => [Some(("e", e)), Some(("kty", "RSA")), Some(("n", n)), None],
            Key::Ed25519 { x } => [Some(("crv", "Ed25519")), Some(("kty", "OKP")), Some(("x", x)), None],
        };
        members.into_iter().flatten()
    }
}

/// A member in base64url of exactly so many bytes.
fn number(object: &Object, name: &str, clause: &'static str, length: usize) -> Result<String, Breach> {
    let bytes = decoded(object, name, clause)?;
    if bytes.len() != length {
        let got = format!("{} bytes", bytes.len());
        return Err(refused(clause, &format!("{length} bytes in {name:?}"), &got));
    }
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn exponent(object: &Object) -> Result<String, Breach> {
    let bytes = integer(object, "e")?;
    // An even exponent, or 1, makes no RSA key.
    let fits =
        (1..=8).contains(&bytes.len()) && bytes != [1] && bytes.last().is_some_and(|byte| byte & 1 == 1);
    if !fits {
        return Err(refused(RSA, "an odd public exponent of 1 to 8 bytes, more than 1", "another"));
    }
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn modulus(object: &Object) -> Result<String, Breach> {
    let bytes = integer(object, "n")?;
    let top = bytes.first().map_or(0, |byte| 8_u32.saturating_sub(byte.leading_zeros()));
    let bits =
        bytes.len().saturating_sub(1).saturating_mul(8).saturating_add(usize::try_from(top).unwrap_or(0));
    if !(2048..=8192).contains(&bits) {
        let got = format!("{bits} bits");
        return Err(refused("RFC 7518 §3.3", "an RSA modulus of 2048 to 8192 bits", &got));
    }
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// RFC 7518 §2: an integer has no more bytes than it needs. With a leading zero its thumbprint would be another.
fn integer(object: &Object, name: &str) -> Result<Vec<u8>, Breach> {
    let bytes = decoded(object, name, RSA)?;
    match bytes.first() {
        Some(0) | None => {
            Err(refused("RFC 7518 §2", &format!("an integer without leading zeros in {name:?}"), "another"))
        }
        Some(_) => Ok(bytes),
    }
}

fn decoded(object: &Object, name: &str, clause: &'static str) -> Result<Vec<u8>, Breach> {
    let text = object.required(name, clause).map_err(own)?;
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| refused(clause, &format!("base64url without padding in {name:?}"), "something else"))
}

fn refused(clause: &'static str, expected: &str, got: &str) -> Breach {
    Breach::new(Kind::Configuration, clause, expected, got)
}

/// What is wrong with the text of a key is the caller's to mend, not a server's.
fn own(breach: Breach) -> Breach {
    Breach { kind: Kind::Configuration, ..breach }
}

impl TryFrom<Value> for PublicJwk {
    type Error = Breach;

    fn try_from(value: Value) -> Result<Self, Breach> {
        Self::read(value.to_string().as_bytes())
    }
}

impl From<PublicJwk> for Value {
    fn from(key: PublicJwk) -> Self {
        key.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_never_quotes_a_private_member() {
        let text = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"s3cret"}"#;
        let breach = PublicJwk::read(text).unwrap_err();
        assert!(!breach.to_string().contains("s3cret"), "{breach}");
    }

    #[test]
    fn sixteen_kib_is_the_longest_key() {
        let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        for (more, taken) in [(0, true), (1, false), (2, false)] {
            let text = format!("{key}{}", " ".repeat(MAX_KEY - key.len() + more));
            assert_eq!(PublicJwk::read(text.as_bytes()).is_ok(), taken, "{more}");
        }
    }

    #[test]
    fn a_key_survives_serialisation_as_a_jwk() {
        let text = r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let key: PublicJwk = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&key).unwrap(), text);
        assert!(serde_json::from_str::<PublicJwk>(r#"{"kty":"oct","k":"AA"}"#).is_err());
    }
}
