//! The numbers that a key consists of, as PKCS#8, SEC 1, PKCS#1 and SPKI write them.

use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use zeroize::Zeroizing;

use crate::der::{
    BIT_STRING, CONTEXT_0, CONTEXT_1, CONTEXT_1_PRIMITIVE, NULL, OCTET_STRING, OID, Reader, SEQUENCE,
    whole_bytes,
};
use crate::error::KeyError;
use crate::public::Public;

/// Bytes that are overwritten when they are dropped.
pub(crate) type Hidden = Zeroizing<Vec<u8>>;

/// A private key. It has been read, not yet judged.
pub(crate) enum Parts {
    /// The public half is an uncompressed point.
    P256 {
        private: Hidden,
        public: Vec<u8>,
    },
    Rsa(KeyPairComponents<Vec<u8>, Hidden>),
    Ed25519 {
        seed: Hidden,
        public: Option<Vec<u8>>,
    },
}

const PKCS8: &str = "RFC 5958 §2";
const SEC1: &str = "RFC 5915 §3";
const PKCS1: &str = "RFC 8017 appendix A.1.2";
const SPKI: &str = "RFC 5280 §4.1.2.7";
const ED25519: &str = "RFC 8410 §7";

// Object identifiers, as DER writes them.
const ID_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ID_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ID_P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ID_P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
const ID_SECP256K1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x0a];
const ID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ID_RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const ID_DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01];
const ID_X25519: &[u8] = &[0x2b, 0x65, 0x6e];
const ID_X448: &[u8] = &[0x2b, 0x65, 0x6f];
const ID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const ID_ED448: &[u8] = &[0x2b, 0x65, 0x71];

/// What comes before the seed in the PKCS#8 of an Ed25519 key, version 1 (RFC 8410 §10.3). Every reader takes that
/// one; ring's own, of version 2, is refused by many.
pub(crate) const ED25519_PKCS8: &[u8] =
    &[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The kind of key that an algorithm identifier names.
enum Family {
    P256,
    Rsa,
    Ed25519,
}

fn family(identifier: &[u8], clause: &'static str) -> Result<Family, KeyError> {
    let malformed = malformed(clause, "the algorithm of a key");
    let mut reader = Reader::new(identifier);
    let id = reader.expect(OID).ok_or(malformed)?;
    let parameters = (!reader.end()).then(|| reader.element()).flatten();
    if !reader.end() {
        return Err(malformed);
    }
    let got = match id {
        ID_EC => match parameters {
            Some((OID, curve)) => return named_curve(curve).map(|()| Family::P256),
            Some((SEQUENCE, _)) => "an EC key that spells out its curve instead of naming it",
            _ => return Err(malformed),
        },
        // RFC 8017 appendix A.1: NULL. RFC 8410 §3: nothing.
        ID_RSA if matches!(parameters, Some((NULL, []))) => return Ok(Family::Rsa),
        ID_ED25519 if parameters.is_none() => return Ok(Family::Ed25519),
        ID_RSA | ID_ED25519 => return Err(malformed),
        ID_RSA_PSS => "an RSA key that is for RSASSA-PSS only",
        ID_DSA => "a DSA key",
        ID_X25519 | ID_X448 => "a key for key agreement (X25519 or X448)",
        ID_ED448 => "an Ed448 key",
        _ => "a key of another kind",
    };
    Err(KeyError::Unsupported { got })
}

fn named_curve(id: &[u8]) -> Result<(), KeyError> {
    let got = match id {
        ID_P256 => return Ok(()),
        ID_P384 => "an EC key on P-384",
        ID_P521 => "an EC key on P-521",
        ID_SECP256K1 => "an EC key on secp256k1",
        _ => "an EC key on another curve",
    };
    Err(KeyError::Unsupported { got })
}

/// `OneAsymmetricKey`, version 1 or 2.
pub(crate) fn pkcs8(der: &[u8]) -> Result<Parts, KeyError> {
    let malformed = malformed(PKCS8, "PKCS#8 in DER");
    let mut reader = Reader::new(Reader::only(der, SEQUENCE).ok_or(malformed)?);
    let version = reader.unsigned().ok_or(malformed)?;
    let identifier = reader.expect(SEQUENCE).ok_or(malformed)?;
    let family = family(identifier, PKCS8)?;
    let key = reader.expect(OCTET_STRING).ok_or(malformed)?;
    let _attributes = reader.optional(CONTEXT_0);
    let public = reader.optional(CONTEXT_1_PRIMITIVE).map(|bits| whole_bytes(bits).ok_or(malformed));
    let public = public.transpose()?;
    let expected: &[u8] = if public.is_some() { &[1] } else { &[0] };
    if !reader.end() || version != expected {
        return Err(malformed);
    }
    match family {
        Family::P256 => ec(key, public),
        Family::Rsa if public.is_some() => Err(malformed),
        Family::Rsa => pkcs1(key),
        Family::Ed25519 => {
            let seed = Reader::only(key, OCTET_STRING).filter(|seed| seed.len() == 32);
            let seed = seed.ok_or(self::malformed(ED25519, "a seed of 32 bytes"))?;
            Ok(Parts::Ed25519 { seed: hidden(seed), public: public.map(<[u8]>::to_vec) })
        }
    }
}

/// `ECPrivateKey`, which must name its curve, because nothing around it does.
pub(crate) fn sec1(der: &[u8]) -> Result<Parts, KeyError> {
    match curve(der)? {
        Some(curve) => named_curve(curve)?,
        None => {
            let remedy = "rewrite it with its curve (`openssl pkey -in key.pem`)";
            return Err(KeyError::Incomplete { missing: "the name of its curve", remedy });
        }
    }
    ec(der, None)
}

struct EcPrivateKey<'a> {
    private: &'a [u8],
    curve: Option<&'a [u8]>,
    public: Option<&'a [u8]>,
}

fn ec_private_key(der: &[u8]) -> Option<EcPrivateKey<'_>> {
    let mut reader = Reader::new(Reader::only(der, SEQUENCE)?);
    let version = reader.unsigned()?;
    let private = reader.expect(OCTET_STRING)?;
    let curve = reader.optional(CONTEXT_0);
    let public = match reader.optional(CONTEXT_1) {
        None => None,
        Some(field) => Some(whole_bytes(Reader::only(field, BIT_STRING)?)?),
    };
    (version == [1] && reader.end()).then_some(EcPrivateKey { private, curve, public })
}

fn curve(der: &[u8]) -> Result<Option<&[u8]>, KeyError> {
    let malformed = malformed(SEC1, "an EC private key in DER");
    let Some(field) = ec_private_key(der).ok_or(malformed)?.curve else { return Ok(None) };
    let mut reader = Reader::new(field);
    match reader.element().filter(|_| reader.end()) {
        Some((OID, curve)) => Ok(Some(curve)),
        Some((SEQUENCE, _)) => {
            Err(KeyError::Unsupported { got: "an EC key that spells out its curve instead of naming it" })
        }
        _ => Err(malformed),
    }
}

/// An `ECPrivateKey` on P-256. `outside` is the public half that stands around it, if one does.
fn ec(der: &[u8], outside: Option<&[u8]>) -> Result<Parts, KeyError> {
    curve(der)?.map_or(Ok(()), named_curve)?;
    let malformed = malformed(SEC1, "an EC private key in DER");
    let EcPrivateKey { private, public: inside, .. } = ec_private_key(der).ok_or(malformed)?;
    if private.len() != 32 {
        return Err(malformed);
    }
    let public = match (inside, outside) {
        (Some(inside), Some(outside)) if inside != outside => return Err(KeyError::Mismatched),
        (Some(public), _) | (None, Some(public)) => point(public, SEC1)?,
        // To compute it is to multiply by the private key, which nothing below offers.
        (None, None) => {
            let remedy = "rewrite it with that (`openssl ec -in key.pem`)";
            return Err(KeyError::Incomplete { missing: "its public half", remedy });
        }
    };
    Ok(Parts::P256 { private: hidden(private), public })
}

/// An uncompressed point on a curve of 256 bits.
fn point(bytes: &[u8], clause: &'static str) -> Result<Vec<u8>, KeyError> {
    match bytes {
        [4, rest @ ..] if rest.len() == 64 => Ok(bytes.to_vec()),
        [2 | 3, rest @ ..] if rest.len() == 32 => {
            let remedy = "rewrite it with the whole point (`openssl ec -conv_form uncompressed`)";
            Err(KeyError::Incomplete { missing: "one half of its point, which is compressed", remedy })
        }
        _ => Err(malformed(clause, "an uncompressed point of 65 bytes")),
    }
}

/// `RSAPrivateKey` with two primes.
pub(crate) fn pkcs1(der: &[u8]) -> Result<Parts, KeyError> {
    let malformed = malformed(PKCS1, "an RSA private key in DER");
    let mut reader = Reader::new(Reader::only(der, SEQUENCE).ok_or(malformed)?);
    match reader.unsigned().ok_or(malformed)? {
        [0] => {}
        [1] => return Err(KeyError::Unsupported { got: MULTI_PRIME }),
        _ => return Err(malformed),
    }
    let mut number = || reader.unsigned().ok_or(malformed);
    let public_key = PublicKeyComponents { n: number()?.to_vec(), e: number()?.to_vec() };
    let components = KeyPairComponents {
        public_key,
        d: hidden(number()?),
        p: hidden(number()?),
        q: hidden(number()?),
        dP: hidden(number()?),
        dQ: hidden(number()?),
        qInv: hidden(number()?),
    };
    if reader.end() { Ok(Parts::Rsa(components)) } else { Err(malformed) }
}

pub(crate) const MULTI_PRIME: &str = "an RSA key of more than two primes";

/// `SubjectPublicKeyInfo`.
pub(crate) fn spki(der: &[u8]) -> Result<Public, KeyError> {
    let malformed = malformed(SPKI, "a public key in DER");
    let mut reader = Reader::new(Reader::only(der, SEQUENCE).ok_or(malformed)?);
    let family = family(reader.expect(SEQUENCE).ok_or(malformed)?, SPKI)?;
    let key = reader.expect(BIT_STRING).and_then(whole_bytes).filter(|_| reader.end()).ok_or(malformed)?;
    match family {
        Family::P256 => Ok(Public::P256(point(key, SPKI)?)),
        Family::Ed25519 => Ok(Public::Ed25519(key.to_vec())),
        Family::Rsa => {
            let mut reader = Reader::new(Reader::only(key, SEQUENCE).ok_or(malformed)?);
            let mut number = || reader.unsigned().map(<[u8]>::to_vec).ok_or(malformed);
            let components = PublicKeyComponents { n: number()?, e: number()? };
            if reader.end() { Ok(Public::Rsa(components)) } else { Err(malformed) }
        }
    }
}

fn hidden(bytes: &[u8]) -> Hidden {
    Zeroizing::new(bytes.to_vec())
}

fn malformed(clause: &'static str, expected: &'static str) -> KeyError {
    KeyError::Malformed { clause, expected, got: "something else" }
}
