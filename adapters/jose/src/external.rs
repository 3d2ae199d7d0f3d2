//! Keys that are somewhere else.

use std::fmt;

use mcp_auth::wire::jwk::PublicJwk;
use mcp_auth::wire::jws::Algorithm;

use crate::Signer;
use crate::der::{Reader, SEQUENCE};
use crate::error::KeyError;
use crate::public::Public;

/// A signer whose private key is elsewhere: a hardware token, an agent, a key service.
///
/// It is given the message, not its digest: a service that wants the digest gets SHA-256 of the message. Every signature
/// that comes back is held against the public half. So a service that signs with another key or another version of it,
/// that hashes twice, or that answers in DER is found out here, and not by a server that says `invalid_client`.
pub struct FnSigner<F> {
    public: PublicJwk,
    verifying: Public,
    key_id: Option<String>,
    algorithms: Vec<Algorithm>,
    sign: F,
}

impl<F> FnSigner<F>
where
    F: Fn(Algorithm, &[u8]) -> Result<Vec<u8>, String> + Send + Sync + 'static,
{
    /// A signer over a function, which keeps to what [`Signer::sign`] says. `algorithms`: those that the key may be
    /// used with, the preferred first. Many services tie a key to one.
    ///
    /// # Errors
    ///
    /// [`KeyError::Algorithm`]: a key of this kind does not sign with one of them.
    pub fn new(public: PublicJwk, algorithms: &[Algorithm], sign: F) -> Result<Self, KeyError> {
        if let Some(&asked) = algorithms.iter().find(|it| !public.algorithms().contains(it)) {
            return Err(KeyError::Algorithm { asked });
        }
        let expected = "a public key";
        let verifying = Public::of(&public).ok_or(KeyError::Malformed {
            clause: "RFC 7517 §4",
            expected,
            got: "another",
        })?;
        Ok(Self { public, verifying, key_id: None, algorithms: algorithms.to_vec(), sign })
    }

    /// The same signer with a name for its key, the `kid` of what it signs (RFC 7515 §4.1.4).
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }
}

impl<F> Signer for FnSigner<F>
where
    F: Fn(Algorithm, &[u8]) -> Result<Vec<u8>, String> + Send + Sync + 'static,
{
    fn public(&self) -> &PublicJwk {
        &self.public
    }

    fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        if !self.algorithms.contains(&algorithm) {
            return Err(KeyError::Algorithm { asked: algorithm }.to_string());
        }
        let signature = (self.sign)(algorithm, message)?;
        if self.verifying.verifies(algorithm, message, &signature) {
            return Ok(signature);
        }
        let hint = match (algorithm, signature.as_slice()) {
            (Algorithm::Es256, [0x30, ..]) if signature.len() != 64 => {
                "it is in DER: convert it with raw_from_der (RFC 7518 §3.4)"
            }
            _ => "another key or version of it, another padding, or a digest that was hashed again",
        };
        let length = signature.len();
        Err(format!(
            "what came back, {length} bytes, is no {} signature of this key: {hint}",
            algorithm.as_str()
        ))
    }
}

impl<F> fmt::Debug for FnSigner<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnSigner")
            .field("thumbprint", &self.public.thumbprint())
            .field("key_id", &self.key_id)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

/// An ES256 signature as JWS has it, R and S of 32 bytes each (RFC 7518 §3.4), from one in DER (`Ecdsa-Sig-Value`, RFC
/// 3279 §2.2.3), which is what key services and tokens give.
///
/// # Errors
///
/// The bytes are no DER, or no such signature on P-256. The text holds none of them.
pub fn raw_from_der(der: &[u8]) -> Result<Vec<u8>, String> {
    let pair = || {
        let mut reader = Reader::new(Reader::only(der, SEQUENCE)?);
        let pair = [reader.unsigned()?, reader.unsigned()?];
        reader.end().then_some(pair)
    };
    let mut raw = Vec::with_capacity(64);
    for number in pair().ok_or("the signature is no ECDSA signature in DER (RFC 3279 §2.2.3)")? {
        let padding = 32_usize.checked_sub(number.len()).filter(|_| number != [0]);
        let padding = padding.ok_or("the ECDSA signature is not one on P-256 (RFC 7518 §3.4)")?;
        raw.resize(raw.len().saturating_add(padding), 0);
        raw.extend_from_slice(number);
    }
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pair of integers as they are given, in a sequence.
    fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
        let number = |bytes: &[u8]| [&[0x02, u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let inner = [number(r), number(s)].concat();
        [vec![0x30, u8::try_from(inner.len()).unwrap()], inner].concat()
    }

    fn raw(r: &[u8], s: &[u8]) -> Vec<u8> {
        [r, s].iter().flat_map(|it| [vec![0; 32 - it.len()], it.to_vec()].concat()).collect()
    }

    #[test]
    fn numbers_of_every_length_are_padded_to_32_bytes() {
        assert_eq!(raw_from_der(&der(&[1], &[2])).unwrap(), raw(&[1], &[2]));
        assert_eq!(raw_from_der(&der(&[0x7f; 32], &[0x7f; 31])).unwrap(), raw(&[0x7f; 32], &[0x7f; 31]));
        let signed = [&[0][..], &[0x80; 32]].concat();
        assert_eq!(raw_from_der(&der(&signed, &[0, 0xff])).unwrap(), raw(&[0x80; 32], &[0xff]));
    }

    #[test]
    fn what_is_not_strict_der_is_refused() {
        let good = der(&[0x11; 32], &[0x22; 32]);
        assert!(raw_from_der(&good).is_ok());
        for end in 0..good.len() {
            assert!(raw_from_der(&good[..end]).is_err(), "cut to {end} bytes");
        }
        let long = |form: &[u8]| [&[0x30], form, &good[2..]].concat();
        let three = [&[0x30, 71][..], &good[2..], &[0x02, 1, 1]].concat();
        let cases = [
            ("a byte too many", [&good[..], &[0]].concat()),
            ("three numbers", three),
            ("a length in two bytes where one is enough", long(&[0x81, 68])),
            ("a length in three bytes where one is enough", long(&[0x82, 0, 68])),
            ("an indefinite length", [&[0x30, 0x80][..], &good[2..], &[0, 0]].concat()),
            ("zero", der(&[0], &[1])),
            ("zero as the second", der(&[1], &[0])),
            ("a negative number", der(&[0x80], &[1])),
            ("a leading zero too many", der(&[0, 0x11], &[1])),
            ("a number of nothing", der(&[], &[1])),
            ("a number of 33 bytes", der(&[0x11; 33], &[1])),
            ("a signature of another curve", der(&[0x11; 48], &[0x11; 48])),
            ("a set", [&[0x31], &good[1..]].concat()),
            ("a raw signature", raw(&[0x30; 32], &[0x02; 32])),
        ];
        for (name, case) in cases {
            assert!(raw_from_der(&case).is_err(), "{name}");
        }
    }
}
