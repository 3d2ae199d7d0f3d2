//! What is to be signed, and what becomes of the signature (RFC 7515). No private key is ever here: the input goes
//! out, and whoever holds the key gives the signature back.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::breach::{Breach, Kind};
use crate::base::secret::Secret;

/// A digital signature algorithm, by its registered name. All are asymmetric: a shared secret proves possession to
/// nobody (RFC 9449 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4).
    #[serde(rename = "ES256")]
    Es256,
    /// RSASSA-PSS with SHA-256 (RFC 7518 §3.5).
    #[serde(rename = "PS256")]
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    #[serde(rename = "RS256")]
    Rs256,
    /// Edwards curves (RFC 8037 §3.1); here always Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// The same signature by the name that says the curve (RFC 9864 §2.2).
    #[serde(rename = "Ed25519")]
    Ed25519,
}

impl Algorithm {
    const ALL: [Self; 5] = [Self::Es256, Self::Ps256, Self::Rs256, Self::EdDsa, Self::Ed25519];

    /// Its registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// The algorithm with this registered name, if it is spoken here. Case counts (RFC 7515 §4.1.1).
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// The first of a key's algorithms that a server lists. A server that lists nothing takes the first.
    ///
    /// `clause` is where the list comes from: RFC 8414 §2 for client assertions, RFC 9449 §5.1 and §7.1 for proofs.
    ///
    /// # Errors
    ///
    /// [`Kind::Unsupported`]: the server lists none of them. [`Kind::Configuration`]: the key has none.
    pub fn choose(of_key: &[Self], listed: Option<&[String]>, clause: &'static str) -> Result<Self, Breach> {
        let Some(first) = of_key.first() else {
            let expected = "a key that signs with ES256, PS256, RS256, EdDSA or Ed25519";
            return Err(Breach::new(
                Kind::Configuration,
                clause,
                expected,
                "one that signs with none of them",
            ));
        };
        let listed = match listed {
            None | Some([]) => return Ok(*first),
            Some(listed) => listed,
        };
        let found = of_key.iter().find(|it| listed.iter().any(|name| name == it.as_str()));
        found.copied().ok_or_else(|| {
            let names: Vec<_> = of_key.iter().map(|it| it.as_str()).collect();
            Breach::new(
                Kind::Unsupported,
                clause,
                format!("one of the key's algorithms, {}", names.join(" ")),
                listed.join(" "),
            )
        })
    }

    /// Says, if a signature cannot be one of this algorithm, what it should be and which clause says so.
    fn misfit(self, signature: &[u8]) -> Option<(&'static str, &'static str)> {
        let (fits, clause, form) = match self {
            // RFC 7518 §3.3: a modulus of 2048 bits or more. No more than 8192 are taken (see `jwk`).
            Self::Rs256 => (rsa(signature), "RFC 7518 §3.3", "an RSA signature of 256 to 1024 bytes"),
            Self::Ps256 => (rsa(signature), "RFC 7518 §3.5", "an RSA signature of 256 to 1024 bytes"),
            Self::Es256 => (
                signature.len() == 64,
                "RFC 7518 §3.4",
                "a signature of 64 bytes: R and S, 32 bytes each, joined (not DER)",
            ),
            Self::EdDsa | Self::Ed25519 => {
                (signature.len() == 64, "RFC 8037 §3.1", "an Ed25519 signature of 64 bytes")
            }
        };
        (!fits).then_some((clause, form))
    }
}

fn rsa(signature: &[u8]) -> bool {
    (256..=1024).contains(&signature.len())
}

/// What is to be signed: header and claims, each in base64url, joined by a dot (RFC 7515 §5.1).
#[derive(Clone, PartialEq, Eq)]
pub struct SigningInput {
    algorithm: Algorithm,
    text: String,
}

/// Without the text: a signature is all that it lacks to be of use, and it has a server's nonce in it.
impl fmt::Debug for SigningInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningInput").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl SigningInput {
    /// Joins a header and claims. `alg` is put into the header, so that it is always the algorithm that is asked for.
    ///
    /// The same members give the same bytes whatever their order.
    pub fn new<'a>(
        algorithm: Algorithm,
        header: impl IntoIterator<Item = (&'a str, Value)>,
        claims: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Self {
        let header = header.into_iter().chain([("alg", Value::from(algorithm.as_str()))]);
        Self { algorithm, text: format!("{}.{}", part(header), part(claims.into_iter())) }
    }

    /// The algorithm to sign with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The bytes to sign.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The whole JWS in compact serialisation (RFC 7515 §7.1).
    ///
    /// # Errors
    ///
    /// [`Kind::Configuration`]: the signature has another length than one of this algorithm. That catches the ECDSA
    /// signature in DER, which is what many key stores give.
    pub fn complete(&self, signature: &[u8]) -> Result<Secret, Breach> {
        if let Some((clause, expected)) = self.algorithm.misfit(signature) {
            let got = format!("{} bytes", signature.len());
            return Err(Breach::new(Kind::Configuration, clause, expected, got));
        }
        Ok(Secret::new(format!("{}.{}", self.text, URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// A JSON object in base64url, its members sorted by name.
fn part<'a>(members: impl Iterator<Item = (&'a str, Value)>) -> String {
    let sorted: BTreeMap<_, _> = members.collect();
    let object = sorted.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    URL_SAFE_NO_PAD.encode(Value::Object(object).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_to_be_signed_is_in_its_debug() {
        let input = SigningInput { algorithm: Algorithm::EdDsa, text: "header.claims".to_owned() };
        assert_eq!(format!("{input:?}"), "SigningInput { algorithm: EdDsa, .. }");
    }
}
