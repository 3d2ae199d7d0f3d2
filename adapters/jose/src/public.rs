//! The public half of a key: as a JWK, from PEM, and to hold signatures against.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_auth::wire::jwk::PublicJwk;
use mcp_auth::wire::jws::Algorithm;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
};
use serde_json::Value;

use crate::error::KeyError;
use crate::{parts, pem};

/// Reads the public key of a signer that holds its private key elsewhere: a section `PUBLIC KEY`, which key services
/// and `openssl pkey -pubout` give.
///
/// # Errors
///
/// [`KeyError`] says what the text holds instead.
pub fn public_from_pem(text: impl AsRef<[u8]>) -> Result<PublicJwk, KeyError> {
    parts::spki(&pem::public(text.as_ref())?)?.jwk()
}

/// A public key in its numbers.
pub(crate) enum Public {
    /// An uncompressed point.
    P256(Vec<u8>),
    Rsa(PublicKeyComponents<Vec<u8>>),
    Ed25519(Vec<u8>),
}

impl Public {
    pub(crate) fn of(jwk: &PublicJwk) -> Option<Self> {
        let value = jwk.value();
        let text = |name| value.get(name).and_then(Value::as_str);
        let bytes = |name| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        match text("kty")? {
            "EC" => Some(Self::P256([vec![4], bytes("x")?, bytes("y")?].concat())),
            "RSA" => Some(Self::Rsa(PublicKeyComponents { n: bytes("n")?, e: bytes("e")? })),
            "OKP" => Some(Self::Ed25519(bytes("x")?)),
            _ => None,
        }
    }

    pub(crate) fn jwk(&self) -> Result<PublicJwk, KeyError> {
        let base64url = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (text, clause) = match self {
            Self::P256(point) => {
                let (x, y) = point.get(1..).unwrap_or_default().split_at_checked(32).unwrap_or_default();
                let (x, y) = (base64url(x), base64url(y));
                (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#), "RFC 7518 §6.2.1")
            }
            Self::Rsa(PublicKeyComponents { n, e }) => {
                let bits = bits(n);
                if !(2048..=8192).contains(&bits) {
                    return Err(KeyError::ModulusSize { bits });
                }
                let (n, e) = (base64url(n), base64url(e));
                (format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#), "RFC 7518 §6.3.1")
            }
            Self::Ed25519(x) => {
                let x = base64url(x);
                (format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#), "RFC 8037 §2")
            }
        };
        let expected = "a public key as a JWK has it";
        PublicJwk::read(text.as_bytes()).map_err(|_| KeyError::Malformed {
            clause,
            expected,
            got: "numbers out of their range",
        })
    }

    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            (Self::Rsa(key), Algorithm::Rs256) => {
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
            (Self::Rsa(key), Algorithm::Ps256) => {
                key.verify(&RSA_PSS_2048_8192_SHA256, message, signature).is_ok()
            }
            (Self::Ed25519(key), Algorithm::EdDsa | Algorithm::Ed25519) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

/// The length in bits of a number without leading zeros.
pub(crate) fn bits(number: &[u8]) -> usize {
    let leading = number.first().map_or(0, |byte| byte.leading_zeros());
    number.len().saturating_mul(8).saturating_sub(usize::try_from(leading).unwrap_or(0))
}
