//! Proofs of possession (DPoP, RFC 9449): what a proof says, and the nonces that servers want in it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use super::jwk::PublicJwk;
use super::jws::{Algorithm, SigningInput};
use crate::base::breach::{Breach, Kind};
use crate::base::secret::Secret;
use crate::base::time::Timestamp;

/// The longest nonce that is taken, in bytes. Some servers encrypt a time into it.
pub const MAX_NONCE: usize = 2048;

const NONCE: &str = "RFC 9449 §8.1";

/// A proof that whoever sends one request holds a key (RFC 9449 §4.2). Each request needs one of its own.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// The key, which goes into the header.
    pub key: &'a PublicJwk,
    /// The algorithm to sign with.
    pub algorithm: Algorithm,
    /// The method of the request, as it is sent.
    pub method: &'a str,
    /// The URL of the request, as it is sent.
    pub url: &'a Url,
    /// A value that no other proof with this key has.
    pub jti: &'a str,
    /// When it is made.
    pub issued_at: Timestamp,
    /// The access token that goes with the request to a resource; none at the token endpoint.
    pub token: Option<&'a Secret>,
    /// The nonce that this server gave last.
    pub nonce: Option<&'a Nonce>,
}

impl Proof<'_> {
    /// What is to be signed. The whole JWS is the value of the `DPoP` field.
    ///
    /// # Errors
    ///
    /// [`Kind::Configuration`]: a key of this kind does not sign with the algorithm.
    pub fn signing_input(&self) -> Result<SigningInput, Breach> {
        self.key.check(self.algorithm)?;
        let header = [("typ", Value::from("dpop+jwt")), ("jwk", self.key.value())];
        let claims = [
            ("htm", Value::from(self.method)),
            ("htu", Value::from(target(self.url))),
            ("iat", Value::from(self.issued_at.as_secs())),
            ("jti", Value::from(self.jti)),
        ];
        let token = self.token.map(|token| ("ath", Value::from(token_hash(token))));
        let nonce = self.nonce.map(|nonce| ("nonce", Value::from(nonce.as_str())));
        Ok(SigningInput::new(self.algorithm, header, claims.into_iter().chain(token).chain(nonce)))
    }
}

/// The target of a request for `htu`: its URL without query and fragment (RFC 9449 §4.2).
fn target(url: &Url) -> &str {
    url.as_str().split(['?', '#']).next().unwrap_or_default()
}

/// The hash of an access token for `ath` (RFC 9449 §4.2).
pub fn token_hash(token: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.expose().as_bytes()))
}

/// A nonce that a server gave, to be sent back to that server and no other (RFC 9449 §9).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nonce(String);

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(…)")
    }
}

impl Nonce {
    /// Reads the values of all `DPoP-Nonce` fields of one response, whatever its status (RFC 9449 §8.2). An empty value
    /// counts as absent.
    ///
    /// # Errors
    ///
    /// [`Kind::Malformed`]: more than one field (RFC 9449 §8), or a value that is no nonce or above [`MAX_NONCE`]. With
    /// a good answer such a field may be passed over.
    pub fn read<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Self>, Breach> {
        let mut fields = fields.into_iter().map(<[u8]>::trim_ascii).filter(|field| !field.is_empty());
        let Some(field) = fields.next() else { return Ok(None) };
        if fields.next().is_some() {
            return Err(Breach::new(Kind::Malformed, "RFC 9449 §8", "one DPoP-Nonce field", "more than one"));
        }
        match std::str::from_utf8(field) {
            Ok(text) => Self::try_from(text.to_owned()).map(Some),
            Err(_) => Err(ill_formed()),
        }
    }

    /// The nonce, as it goes into a proof.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Nonce {
    type Error = Breach;

    /// `1*NQCHAR`, as in RFC 6749 appendix A.
    fn try_from(text: String) -> Result<Self, Breach> {
        let fits = text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        if fits && (1..=MAX_NONCE).contains(&text.len()) { Ok(Self(text)) } else { Err(ill_formed()) }
    }
}

impl From<Nonce> for String {
    fn from(nonce: Nonce) -> Self {
        nonce.0
    }
}

fn ill_formed() -> Breach {
    let expected = "a nonce of at most 2048 visible ASCII characters without quotes and backslashes";
    Breach::new(Kind::Malformed, NONCE, expected, "something else")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_nonce_is_in_its_debug() {
        let nonce = Nonce::read([&b"of-a-server"[..]]).unwrap();
        assert_eq!(format!("{nonce:?}"), "Some(Nonce(…))");
    }
}
