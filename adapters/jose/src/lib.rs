//! Signs what [`mcp_auth`] asks to have signed: client assertions (RFC 7523) and proofs of possession (RFC 9449).
//!
//! The core builds what is to be signed and never holds a private key. Whoever does is a [`Signer`]: a [`Key`] in this
//! process, read from PEM or a JWK, or an [`FnSigner`] over a hardware token or a key service.
//!
//! [`client_key`] and [`proof_key`] are what the configuration is told of a signer, and [`answer`] is the arm of the loop:
//! `Action::Sign(sign) => answer(&sign, &key)`. For a driver that calls a function there is [`signing`].
//!
//! What happens below that, for a client assertion:
//!
//! ```
//! use mcp_auth::Timestamp;
//! use mcp_auth::wire::assertion::{ClientAssertion, DEFAULT_LIFETIME};
//! use mcp_auth::wire::jws::Algorithm;
//! use mcp_auth_jose::{Key, Signer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (made, pem) = Key::generate(Algorithm::Es256)?;
//! let key = Key::from_pem(pem.expose())?.with_key_id("2026-01"); // as after a restart
//! assert_eq!(key.public(), made.public());
//!
//! let listed = ["RS256".to_owned(), "ES256".to_owned()]; // what the server's metadata say
//! let assertion = ClientAssertion {
//!     client_id: "my-client",
//!     issuer: "https://as.example",
//!     algorithm: Algorithm::choose(key.algorithms(), Some(&listed), "RFC 8414 §2")?,
//!     key_id: key.key_id(),
//!     jti: "one of its own each time",
//!     issued_at: Timestamp::from_secs(1_800_000_000),
//!     lifetime: DEFAULT_LIFETIME,
//! };
//! let input = assertion.signing_input()?;
//! let jws = input.complete(&key.sign(input.algorithm(), input.as_bytes())?)?;
//! # assert_eq!(jws.expose().split('.').count(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! # Why `ring`
//!
//! - It is what TLS is made with in the drivers already, so a program that has one gets no second body of cryptography to
//!   trust and to keep up to date.
//! - Its operations with a private key are made to take the same time whatever the key. The `rsa` crate of RustCrypto
//!   has an advisory about just that (RUSTSEC-2023-0071).
//! - It refuses a key whose parts do not fit each other, and checks an RSA signature before it gives it out, so that a
//!   fault in the computation does not give the key away.
//!
//! What it costs: RSA keys have 2048, 3072 or 4096 bits, two primes and an exponent of 65537 or more; an EC key must
//! bring its public half; and ring does not overwrite a key when it is dropped. What this crate itself holds of a key
//! while reading it is overwritten. Who needs more than that keeps the key out of the process, with an [`FnSigner`].
//!
//! PEM and the few structures of DER inside it are read here, because what matters is the refusal: a reader that skips
//! the sections that it does not know cannot say that a key is encrypted.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

mod bridge;
mod der;
mod error;
mod external;
mod jwk;
mod key;
mod parts;
mod pem;
mod public;

use std::sync::Arc;

use mcp_auth::wire::jwk::PublicJwk;
use mcp_auth::wire::jws::Algorithm;

pub use bridge::{answer, client_key, proof_key, signing};
pub use error::KeyError;
pub use external::{FnSigner, raw_from_der};
pub use key::Key;
pub use public::public_from_pem;

/// Who holds a private key.
///
/// `sign` is synchronous. For a key in memory that is right: a signature takes well under a millisecond (EC, Ed25519) or
/// a few (RSA), and a proof of possession needs one for every request. A token or a key
/// service blocks for as long as it takes to answer, so a driver that must not block calls `sign` where blocking is
/// allowed (`tokio::task::spawn_blocking`), and bounds the wait itself; a signer over an asynchronous client blocks on
/// it there. A signer that is slow is one for client assertions, of which there is one for each token: for proofs of
/// possession, use a [`Key`].
pub trait Signer: Send + Sync + 'static {
    /// The public half. It never changes: another key is another signer.
    fn public(&self) -> &PublicJwk;

    /// The name of the key, where it has one, for `kid` (RFC 7515 §4.1.4).
    fn key_id(&self) -> Option<&str>;

    /// The algorithms that it signs with, the preferred first: some of [`PublicJwk::algorithms`].
    fn algorithms(&self) -> &[Algorithm];

    /// Signs a message with one of its algorithms. It is the message itself, not its digest.
    ///
    /// The signature is as JWS has it: for ES256 R and S of 32 bytes each, joined (RFC 7518 §3.4); see
    /// [`raw_from_der`].
    ///
    /// # Errors
    ///
    /// Why there is no signature. The text goes into failures that are shown and logged: it holds no secret.
    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String>;
}

impl<S: Signer + ?Sized> Signer for Arc<S> {
    fn public(&self) -> &PublicJwk {
        (**self).public()
    }

    fn key_id(&self) -> Option<&str> {
        (**self).key_id()
    }

    fn algorithms(&self) -> &[Algorithm] {
        (**self).algorithms()
    }

    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        (**self).sign(algorithm, message)
    }
}
