//! Reads a private JWK (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_auth::Secret;
use mcp_auth::wire::jwk::MAX_KEY;
use mcp_auth::wire::jws::Algorithm;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::parts::{Hidden, MULTI_PRIME, Parts};

/// A key, and what else it says of itself.
pub(crate) struct Jwk {
    pub(crate) parts: Parts,
    pub(crate) key_id: Option<String>,
    pub(crate) algorithm: Option<Algorithm>,
}

const KEY: &str = "RFC 7517 §4";
const EC: &str = "RFC 7518 §6.2";
const RSA: &str = "RFC 7518 §6.3";
const OKP: &str = "RFC 8037 §2";

/// Every text is a secret, so that it is overwritten when it is dropped: which member the key was put into is the
/// writer's choice.
#[derive(Deserialize)]
struct Members {
    kty: Option<Secret>,
    crv: Option<Secret>,
    x: Option<Secret>,
    y: Option<Secret>,
    n: Option<Secret>,
    e: Option<Secret>,
    d: Option<Secret>,
    p: Option<Secret>,
    q: Option<Secret>,
    dp: Option<Secret>,
    dq: Option<Secret>,
    qi: Option<Secret>,
    oth: Option<IgnoredAny>,
    keys: Option<IgnoredAny>,
    kid: Option<String>,
    alg: Option<Secret>,
    #[serde(rename = "use")]
    purpose: Option<Secret>,
    key_ops: Option<Vec<Secret>>,
}

pub(crate) fn read(text: &[u8]) -> Result<Jwk, KeyError> {
    let malformed = |got| KeyError::Malformed { clause: KEY, expected: "a JWK", got };
    if text.len() > MAX_KEY {
        return Err(malformed("a text of more than 16 KiB"));
    }
    match text.trim_ascii_start() {
        [] => return Err(malformed("nothing")),
        [b'{', ..] => {}
        start if start.starts_with(b"-----BEGIN ") => return Err(malformed("PEM, which `from_pem` reads")),
        _ => return Err(malformed("a text that is no JSON object")),
    }
    // What the error of serde says may quote the text.
    let members: Members = serde_json::from_slice(text).map_err(|error| {
        malformed(if error.is_data() { "a member that is doubled or ill-typed" } else { "broken JSON" })
    })?;
    if members.keys.is_some() {
        return Err(malformed("a JWK Set: take the one key out of it"));
    }
    let parts = members.parts()?;
    let algorithm = members.algorithm()?;
    Ok(Jwk { parts, key_id: members.kid, algorithm })
}

impl Members {
    fn parts(&self) -> Result<Parts, KeyError> {
        match exposed(&self.kty) {
            Some("EC") => {
                self.curve(EC, "P-256")?;
                let private = sized(self.private()?, "\"d\" of 32 bytes", EC)?;
                let mut public = vec![4];
                public.extend_from_slice(&sized(required(&self.x, EC)?, "\"x\" of 32 bytes", EC)?);
                public.extend_from_slice(&sized(required(&self.y, EC)?, "\"y\" of 32 bytes", EC)?);
                Ok(Parts::P256 { private, public })
            }
            Some("OKP") => {
                self.curve(OKP, "Ed25519")?;
                let seed = sized(self.private()?, "\"d\" of 32 bytes", OKP)?;
                let public = sized(required(&self.x, OKP)?, "\"x\" of 32 bytes", OKP)?;
                Ok(Parts::Ed25519 { seed, public: Some(public.to_vec()) })
            }
            Some("RSA") => self.rsa(),
            Some("oct") => Err(KeyError::Unsupported { got: "a shared secret" }),
            Some(_) => Err(KeyError::Unsupported { got: "a key of another kind" }),
            None => Err(KeyError::Malformed { clause: KEY, expected: "\"kty\"", got: "none" }),
        }
    }

    fn rsa(&self) -> Result<Parts, KeyError> {
        let d = decoded(self.private()?, RSA)?;
        if self.oth.is_some() {
            return Err(KeyError::Unsupported { got: MULTI_PRIME });
        }
        let factor = |member: &Option<Secret>| match exposed(member) {
            Some(text) => decoded(text, RSA),
            // RFC 7518 §6.3.2 lets a key go without; to find them is to factor the modulus.
            None => Err(KeyError::Incomplete {
                missing: "\"p\", \"q\", \"dp\", \"dq\" or \"qi\"",
                remedy: "export it whole, or give it in PEM",
            }),
        };
        Ok(Parts::Rsa(KeyPairComponents {
            public_key: PublicKeyComponents {
                n: decoded(required(&self.n, RSA)?, RSA)?.to_vec(),
                e: decoded(required(&self.e, RSA)?, RSA)?.to_vec(),
            },
            d,
            p: factor(&self.p)?,
            q: factor(&self.q)?,
            dP: factor(&self.dp)?,
            dQ: factor(&self.dq)?,
            qInv: factor(&self.qi)?,
        }))
    }

    fn private(&self) -> Result<&str, KeyError> {
        exposed(&self.d).ok_or(KeyError::NotPrivate { got: "a JWK without \"d\", which is a public key" })
    }

    fn curve(&self, clause: &'static str, wanted: &str) -> Result<(), KeyError> {
        let got = match exposed(&self.crv) {
            Some(name) if name == wanted => return Ok(()),
            Some("P-384") => "an EC key on P-384",
            Some("P-521") => "an EC key on P-521",
            Some("secp256k1") => "an EC key on secp256k1",
            Some("X25519" | "X448") => "a key for key agreement (X25519 or X448)",
            Some("Ed448") => "an Ed448 key",
            Some(_) => "a key on another curve",
            None => return Err(KeyError::Malformed { clause, expected: "\"crv\"", got: "none" }),
        };
        Err(KeyError::Unsupported { got })
    }

    /// What `use`, `key_ops` and `alg` leave of the key's algorithms (RFC 7517 §4.2 to §4.4).
    fn algorithm(&self) -> Result<Option<Algorithm>, KeyError> {
        if exposed(&self.purpose).is_some_and(|purpose| purpose != "sig") {
            return Err(KeyError::Restricted { got: "a \"use\" other than sig" });
        }
        if self.key_ops.as_ref().is_some_and(|names| !names.iter().any(|name| name.expose() == "sign")) {
            return Err(KeyError::Restricted { got: "\"key_ops\" without sign" });
        }
        let Some(name) = exposed(&self.alg) else { return Ok(None) };
        let got = "an \"alg\" other than ES256, PS256, RS256, EdDSA and Ed25519";
        Algorithm::parse(name).map(Some).ok_or(KeyError::Restricted { got })
    }
}

fn exposed(member: &Option<Secret>) -> Option<&str> {
    member.as_ref().map(Secret::expose)
}

fn required<'a>(member: &'a Option<Secret>, clause: &'static str) -> Result<&'a str, KeyError> {
    let expected = "the members of the public half";
    exposed(member).ok_or(KeyError::Malformed { clause, expected, got: "a key without one of them" })
}

fn decoded(text: &str, clause: &'static str) -> Result<Hidden, KeyError> {
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let expected = "base64url without padding";
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).map_err(|_| KeyError::Malformed {
        clause,
        expected,
        got: "something else",
    })?;
    bytes.truncate(length);
    Ok(bytes)
}

fn sized(text: &str, expected: &'static str, clause: &'static str) -> Result<Hidden, KeyError> {
    let bytes = decoded(text, clause)?;
    if bytes.len() == 32 {
        return Ok(bytes);
    }
    Err(KeyError::Malformed { clause, expected, got: "another length" })
}
