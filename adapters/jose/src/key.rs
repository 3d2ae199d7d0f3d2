//! A key in memory.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcp_auth::Secret;
use mcp_auth::wire::jwk::PublicJwk;
use mcp_auth::wire::jws::Algorithm;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::parts::{ED25519_PKCS8, Hidden, Parts};
use crate::pem::Form;
use crate::public::{Public, bits};
use crate::{Signer, jwk, parts, pem};

/// A private key in the memory of this process: EC on P-256 (ES256), RSA of 2048, 3072 or 4096 bits (PS256, RS256), or
/// Ed25519 (EdDSA, Ed25519).
///
/// `Debug` shows its thumbprint. There is no way to get the private half out again: who made the key with
/// [`generate`](Self::generate) has it, and who read it had it.
pub struct Key {
    pair: Pair,
    public: PublicJwk,
    key_id: Option<String>,
    algorithms: Vec<Algorithm>,
    random: SystemRandom,
}

enum Pair {
    P256(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    /// Reads a private key in PEM: PKCS#8 (`PRIVATE KEY`), SEC 1 (`EC PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`), at
    /// most 64 KiB. Certificates, and the curve that `openssl ecparam` writes, may stand beside it.
    ///
    /// # Errors
    ///
    /// [`KeyError`] says what the text holds instead, and what to do.
    pub fn from_pem(text: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let (form, der) = pem::private(text.as_ref())?;
        Self::new(match form {
            Form::Pkcs8 => parts::pkcs8(&der)?,
            Form::Sec1 => parts::sec1(&der)?,
            Form::Pkcs1 => parts::pkcs1(&der)?,
        })
    }

    /// Reads a private JWK (RFC 7517), at most 16 KiB. Its `kid` is kept; its `alg` leaves the key that one algorithm.
    /// An RSA key needs all of `p`, `q`, `dp`, `dq` and `qi`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] says what the text holds instead, and what to do.
    pub fn from_jwk(text: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let jwk = jwk::read(text.as_ref())?;
        let key = Self { key_id: jwk.key_id, ..Self::new(jwk.parts)? };
        match jwk.algorithm {
            Some(algorithm) => key.with_algorithm(algorithm),
            None => Ok(key),
        }
    }

    /// Makes a key for ES256, EdDSA or Ed25519, and gives it as PKCS#8 in PEM as well.
    ///
    /// What a server binds to a key is worth nothing without the key: a refresh token that is bound by DPoP (RFC 9449
    /// §5) needs the same one after a restart. So keep the text where the credentials are kept, and read it with
    /// [`from_pem`](Self::from_pem). Drop it if the key may end with the process.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotMade`] for an RSA algorithm, [`KeyError::NoRandomness`].
    pub fn generate(algorithm: Algorithm) -> Result<(Self, Secret), KeyError> {
        let random = SystemRandom::new();
        let der = match algorithm {
            Algorithm::Es256 => {
                let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
                Zeroizing::new(made.map_err(|_| KeyError::NoRandomness)?.as_ref().to_vec())
            }
            Algorithm::EdDsa | Algorithm::Ed25519 => {
                let mut seed = Zeroizing::new([0; 32]);
                random.fill(seed.as_mut_slice()).map_err(|_| KeyError::NoRandomness)?;
                Zeroizing::new([ED25519_PKCS8, seed.as_slice()].concat())
            }
            asked => return Err(KeyError::NotMade { asked }),
        };
        let key = Self::new(parts::pkcs8(&der)?)?;
        Ok((key, pem_of(&der)))
    }

    /// The same key by this name, the `kid` of what it signs (RFC 7515 §4.1.4).
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }

    /// The same key for this algorithm alone: for a server that lists none and takes but one.
    ///
    /// # Errors
    ///
    /// [`KeyError::Algorithm`]: it does not sign with that.
    pub fn with_algorithm(mut self, algorithm: Algorithm) -> Result<Self, KeyError> {
        if !self.algorithms.contains(&algorithm) {
            return Err(KeyError::Algorithm { asked: algorithm });
        }
        self.algorithms = vec![algorithm];
        Ok(self)
    }

    fn new(parts: Parts) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let (pair, public) = match parts {
            Parts::P256 { private, public } => {
                let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let pair =
                    EcdsaKeyPair::from_private_key_and_public_key(algorithm, &private, &public, &random)
                        .map_err(|_| KeyError::Mismatched)?;
                let public = Public::P256(pair.public_key().as_ref().to_vec());
                (Pair::P256(pair), public)
            }
            Parts::Rsa(parts) => {
                let bits = bits(&parts.public_key.n);
                if !matches!(bits, 2048 | 3072 | 4096) {
                    return Err(KeyError::ModulusSize { bits });
                }
                // What is below, ring refuses; such exponents are a relic.
                if self::bits(&parts.public_key.e) < 17 {
                    let got = "an RSA key with a public exponent below 65537";
                    return Err(KeyError::Unsupported { got });
                }
                let pair = RsaKeyPair::from_components(&parts).map_err(|_| KeyError::Mismatched)?;
                let public = Public::Rsa(PublicKeyComponents::from(pair.public()));
                (Pair::Rsa(Box::new(pair)), public)
            }
            Parts::Ed25519 { seed, public } => {
                let pair = match public {
                    Some(public) => Ed25519KeyPair::from_seed_and_public_key(&seed, &public),
                    None => Ed25519KeyPair::from_seed_unchecked(&seed),
                };
                let pair = pair.map_err(|_| KeyError::Mismatched)?;
                let public = Public::Ed25519(pair.public_key().as_ref().to_vec());
                (Pair::Ed25519(pair), public)
            }
        };
        let public = public.jwk()?;
        let algorithms = public.algorithms().to_vec();
        let key = Self { pair, public, key_id: None, algorithms, random };
        // Whether the exponents of an RSA key fit each other shows in a signature only; ring checks each that it makes.
        if let Pair::Rsa(_) = key.pair {
            key.sign(Algorithm::Rs256, b"").map_err(|_| KeyError::Mismatched)?;
        }
        Ok(key)
    }
}

impl Signer for Key {
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
        let made = match (&self.pair, algorithm) {
            (Pair::P256(pair), Algorithm::Es256) => {
                pair.sign(&self.random, message).map(|signature| signature.as_ref().to_vec())
            }
            (Pair::Rsa(pair), Algorithm::Ps256 | Algorithm::Rs256) => {
                let padding: &'static dyn ring::signature::RsaEncoding =
                    if algorithm == Algorithm::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &self.random, message, &mut signature).map(|()| signature)
            }
            (Pair::Ed25519(pair), Algorithm::EdDsa | Algorithm::Ed25519) => {
                Ok(pair.sign(message).as_ref().to_vec())
            }
            _ => return Err(KeyError::Algorithm { asked: algorithm }.to_string()),
        };
        made.map_err(|_| {
            "the signature could not be made: no random numbers, or a key that is damaged".to_owned()
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("thumbprint", &self.public.thumbprint())
            .field("key_id", &self.key_id)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

/// PKCS#8 in PEM (RFC 7468 §10).
fn pem_of(der: &Hidden) -> Secret {
    let base64 = Zeroizing::new(STANDARD.encode(&**der));
    // More than the boundaries and the ends of lines take, so that no copy is left behind when it grows.
    let mut text = String::with_capacity(base64.len().saturating_add(256));
    text.push_str("-----BEGIN PRIVATE KEY-----\n");
    for (index, character) in base64.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END PRIVATE KEY-----\n");
    Secret::new(text)
}
