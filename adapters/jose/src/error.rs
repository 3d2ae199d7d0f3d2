//! Why a key cannot be used.

use mcp_auth::wire::jws::Algorithm;

/// Why a key cannot be used: what came, and what to do.
///
/// It cannot hold any of the key: its texts are fixed, and its numbers are sizes and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is not written as it should be.
    #[error("the key cannot be read: expected {expected}, got {got} ({clause})")]
    Malformed {
        /// The clause that says how it should be written.
        clause: &'static str,
        /// What should have been there.
        expected: &'static str,
        /// What was there, or what is wrong with it.
        got: &'static str,
    },
    /// The text holds no private key, but something else.
    #[error("a private key is needed, and this is {got}: give the private key that belongs to it")]
    NotPrivate {
        /// What it holds.
        got: &'static str,
    },
    /// A private key is given where its public half is needed.
    #[error(
        "a public key is needed, and this is {got}: give its public half alone (`openssl pkey -in key.pem -pubout`)"
    )]
    NotPublic {
        /// What it holds.
        got: &'static str,
    },
    /// The private key is encrypted.
    #[error(
        "the private key is encrypted, and no passphrase is asked for here: decrypt it first (`openssl pkey -in key.pem`)"
    )]
    Encrypted,
    /// The text holds more than one key.
    #[error("the text holds {count} keys, and which of them is meant is not guessed: give one")]
    Several {
        /// How many.
        count: usize,
    },
    /// A key of a kind that does not sign here.
    #[error("{got} cannot be used: give an EC key on P-256, an Ed25519 key, or an RSA key (RFC 7518 §3.1)")]
    Unsupported {
        /// What kind of key it is.
        got: &'static str,
    },
    /// An RSA modulus of a size that is not used.
    #[error("an RSA key of {bits} bits cannot be used: make one of 2048, 3072 or 4096 bits (RFC 7518 §3.3)")]
    ModulusSize {
        /// The size that it has.
        bits: usize,
    },
    /// A part of the key is not there.
    #[error("the key lacks {missing}: {remedy}")]
    Incomplete {
        /// The part.
        missing: &'static str,
        /// How to get it.
        remedy: &'static str,
    },
    /// The parts of the key contradict each other.
    #[error(
        "the parts of the key do not belong together, or are out of their range: the text was changed, or mixed from two keys; take it from its source again"
    )]
    Mismatched,
    /// A JWK that says of itself that it is for something else.
    #[error("the key is not for signing here: it has {got} (RFC 7517 §4)")]
    Restricted {
        /// The member that says so.
        got: &'static str,
    },
    /// An algorithm that the key does not sign with.
    #[error("the key does not sign with {}: choose another algorithm, or another key (RFC 7518 §3.1)", .asked.as_str())]
    Algorithm {
        /// The algorithm that was asked for.
        asked: Algorithm,
    },
    /// No key of this kind is made here.
    #[error("no key for {} is made here: make one for ES256 or EdDSA, or with `openssl genpkey`", .asked.as_str())]
    NotMade {
        /// The algorithm that was asked for.
        asked: Algorithm,
    },
    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers: try again")]
    NoRandomness,
}
