//! Keys of clients and what they sign.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mcp_auth_testbed::SigningKey;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A key pair for one algorithm.
pub enum Key {
    EdDsa(SigningKey),
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl Key {
    pub fn ed_dsa() -> Self {
        Self::EdDsa(SigningKey::numbered(77))
    }

    pub fn es256() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
        Self::Es256(pair.unwrap())
    }

    /// A key of 2048 bits that was made for these tests.
    pub fn rs256() -> Self {
        let text: String = include_str!("../keys/rsa.txt").split_whitespace().collect();
        Self::Rs256(RsaKeyPair::from_der(&STANDARD.decode(text).unwrap()).unwrap())
    }

    pub fn each() -> [Self; 3] {
        [Self::es256(), Self::rs256(), Self::ed_dsa()]
    }

    pub fn alg(&self) -> &'static str {
        match self {
            Self::EdDsa(_) => "EdDSA",
            Self::Es256(_) => "ES256",
            Self::Rs256(_) => "RS256",
        }
    }

    pub fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::EdDsa(key) => {
                let jwk = key.public_jwk();
                json!({ "kty": "OKP", "crv": "Ed25519", "x": jwk["x"] })
            }
            Self::Es256(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) })
            }
            Self::Rs256(pair) => {
                let parts = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "n": encode(&parts.n), "e": encode(&parts.e) })
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::EdDsa(key) => key.sign(message),
            Self::Es256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    pub fn jwt(&self, header: &Value, claims: &Value) -> String {
        let mut header = header.clone();
        if header.get("alg").is_none() {
            header["alg"] = self.alg().into();
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(&header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// A proof of possession, with changes to its header and claims; `null` takes a member away.
    pub fn proof(&self, method: &str, url: &str, now: u64, id: &str, change: &Value) -> String {
        let header = json!({ "typ": "dpop+jwt", "jwk": self.jwk() });
        let claims = json!({ "jti": id, "htm": method, "htu": url, "iat": now });
        self.jwt(&changed(header, &change["header"]), &changed(claims, &change["claims"]))
    }
}

pub fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token))
}

/// An object with members replaced; `null` takes one away.
pub fn changed(mut object: Value, change: &Value) -> Value {
    for (name, value) in change.as_object().into_iter().flatten() {
        let members = object.as_object_mut().unwrap();
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    object
}
