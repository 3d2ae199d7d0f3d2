//! Keys in public: what a JWK says (RFC 7517), its thumbprint (RFC 7638), and whether a signature is its own; and keys
//! that the servers and their tests sign with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The algorithms that signatures can be verified with (RFC 7518 §3.1, RFC 8037 §3.1).
pub(crate) const ALGORITHMS: [&str; 3] = ["ES256", "RS256", "EdDSA"];

/// The members of a JWK that are nobody's but the owner's (RFC 7518 §6, RFC 8037 §2).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A key to sign with: Ed25519, made from a number, so that the same world signs the same texts with the same bytes.
///
/// Whoever knows the number has the key. It is for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningKey(u64);

impl SigningKey {
    /// The key of this number.
    pub fn numbered(number: u64) -> Self {
        Self(number)
    }

    /// The public half as a JWK: `kty` is `OKP`, `alg` is `EdDSA`, and the thumbprint is the `kid`.
    pub fn public_jwk(&self) -> Value {
        let mut jwk = json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "x": URL_SAFE_NO_PAD.encode(self.pair().public_key()),
        });
        if let (Some(thumbprint), Some(members)) = (thumbprint(&jwk), jwk.as_object_mut()) {
            members.insert("alg".to_owned(), "EdDSA".into());
            members.insert("kid".to_owned(), thumbprint.into());
        }
        jwk
    }

    /// The signature of a message: 64 bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair().sign(message).as_ref().to_vec()
    }

    /// A JWT in the compact form (RFC 7515 §3.1). The header is completed with `alg`, and with `kid` where it has no
    /// `jwk`.
    pub fn jwt(&self, header: Value, claims: &Value) -> String {
        let mut header = header;
        if let Some(members) = header.as_object_mut() {
            members.insert("alg".to_owned(), "EdDSA".into());
            if let (false, Some(kid)) = (members.contains_key("jwk"), thumbprint(&self.public_jwk())) {
                members.insert("kid".to_owned(), kid.into());
            }
        }
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encoded(&header), encoded(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn pair(&self) -> Ed25519KeyPair {
        let seed = Sha256::digest(format!("key {} of the testbed", self.0));
        Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes are a seed")
    }
}

/// Whether a JWK tells what only its owner may know.
pub(crate) fn is_private(jwk: &Value) -> bool {
    PRIVATE.iter().any(|name| jwk.get(name).is_some())
}

/// The algorithm that a key is for, among those that can be verified.
pub(crate) fn algorithm(jwk: &Value) -> Option<&'static str> {
    match (text(jwk, "kty")?, text(jwk, "crv")) {
        ("EC", Some("P-256")) => Some("ES256"),
        ("OKP", Some("Ed25519")) => Some("EdDSA"),
        ("RSA", _) => Some("RS256"),
        _ => None,
    }
}

/// The SHA-256 thumbprint of a key, in base64url (RFC 7638 §3): the members that it needs, in the order of their names.
pub(crate) fn thumbprint(jwk: &Value) -> Option<String> {
    let names: &[&str] = match text(jwk, "kty")? {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        _ => return None,
    };
    let members: Option<Vec<String>> =
        names.iter().map(|name| Some(format!("\"{name}\":{}", json!(text(jwk, name)?)))).collect();
    Some(URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{{{}}}", members?.join(",")))))
}

/// Whether a signature over a message is that of the key (RFC 7518 §3.3 and §3.4, RFC 8037 §3.1).
pub(crate) fn verifies(jwk: &Value, message: &[u8], signature: &[u8]) -> bool {
    let part = |name| URL_SAFE_NO_PAD.decode(text(jwk, name)?).ok();
    let verified = match algorithm(jwk) {
        Some("ES256") => part("x").zip(part("y")).map(|(x, y)| {
            // An uncompressed point (SEC 1 §2.3.3); coordinates have 32 bytes each (RFC 7518 §6.2.1.2).
            let point = [&[4], x.as_slice(), y.as_slice()].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
        }),
        Some("EdDSA") => {
            part("x").map(|x| UnparsedPublicKey::new(&ED25519, x).verify(message, signature).is_ok())
        }
        Some("RS256") => part("n").zip(part("e")).map(|(n, e)| {
            let key = RsaPublicKeyComponents { n, e };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
        }),
        _ => None,
    };
    verified == Some(true)
}

fn text<'a>(jwk: &'a Value, name: &str) -> Option<&'a str> {
    jwk.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7638 §3.1.
    #[test]
    fn the_thumbprint_of_the_standard() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let jwk = json!({ "kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29" });
        assert_eq!(thumbprint(&jwk).as_deref(), Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
    }

    /// RFC 8037 appendix A.4.
    #[test]
    fn the_signature_of_the_standard() {
        let jwk =
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = URL_SAFE_NO_PAD
            .decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
            .unwrap();
        assert!(verifies(&jwk, message, &signature));
        assert!(!verifies(&jwk, b"another", &signature));
        assert_eq!(thumbprint(&jwk).as_deref(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    }

    #[test]
    fn a_numbered_key_signs_what_its_public_half_verifies() {
        let key = SigningKey::numbered(1);
        assert!(verifies(&key.public_jwk(), b"a message", &key.sign(b"a message")));
        assert!(!verifies(&SigningKey::numbered(2).public_jwk(), b"a message", &key.sign(b"a message")));
        assert!(!is_private(&key.public_jwk()));
    }
}
