//! From a signer to what the core is told.

use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{ClientKey, Event, ProofKey, Sign, SigningKey};

use crate::Signer;

/// The answer to [`Action::Sign`](mcp_auth::Action::Sign): the signature, or why there is none.
///
/// It asks the signer at once, so it blocks for as long as [`Signer::sign`] does. Where there are two keys,
/// [`Sign::key`] says which of them is meant:
///
/// ```
/// use mcp_auth::{Action, Authorizer, Event, SigningKey};
/// use mcp_auth_jose::{Key, answer};
///
/// fn event(auth: &mut Authorizer, own: &Key, proofs: &Key) -> Event {
///     loop {
///         return match auth.poll() {
///             Action::Sign(sign) => match sign.key() {
///                 SigningKey::Client { .. } => answer(&sign, own),
///                 SigningKey::Proof => answer(&sign, proofs),
///                 _ => sign.fail("there is no such key"),
///             },
///             // As in the loop of `mcp_auth`.
/// #           Action::Load(load) => load.reply(None),
/// #           Action::Store(save) => save.reply(mcp_auth::Saving::Kept),
/// #           Action::Send(send) => send.fail(mcp_auth::SendFailure::TimedOut),
///             _ => continue,
///         };
///     }
/// }
/// ```
pub fn answer(sign: &Sign, signer: &(impl Signer + ?Sized)) -> Event {
    match signer.sign(sign.algorithm(), sign.message()) {
        Ok(signature) => sign.reply(signature),
        Err(why) => sign.fail(why),
    }
}

/// The key with which the client authenticates ([`Config::client_key`](mcp_auth::Config::client_key)): the signer's
/// algorithms, its name and its public half. A server that knows the key by another name is told that one:
/// `client_key(&key).key_id("2026-01")`.
///
/// ```
/// use mcp_auth::Config;
/// use mcp_auth::wire::jws::Algorithm;
/// use mcp_auth_jose::{Key, client_key, proof_key};
///
/// # fn main() -> Result<(), mcp_auth_jose::KeyError> {
/// let (own, _) = Key::generate(Algorithm::Es256)?;
/// let (proofs, _) = Key::generate(Algorithm::Es256)?;
/// let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback")
///     .client_key(client_key(&own.with_key_id("2026-01")))
///     .proof_key(proof_key(&proofs));
/// # Ok(())
/// # }
/// ```
pub fn client_key(signer: &(impl Signer + ?Sized)) -> ClientKey {
    let key = ClientKey::new(signer.algorithms().iter().copied()).public(signer.public().clone());
    signer.key_id().into_iter().fold(key, ClientKey::key_id)
}

/// The key to which tokens are bound ([`Config::proof_key`](mcp_auth::Config::proof_key)): the signer's public half,
/// which is all that a proof names (RFC 9449 §4.2).
///
/// The core asks for whatever algorithm of such a key the server prefers. So a signer of proofs signs with all of
/// [`PublicJwk::algorithms`](mcp_auth::wire::jwk::PublicJwk::algorithms), or a proof may fail for want of one; an EC key
/// has but one.
pub fn proof_key(signer: &(impl Signer + ?Sized)) -> ProofKey {
    ProofKey::new(signer.public().clone())
}

/// The signer as a function, for a driver that calls one (`Builder::keys` of `mcp-auth-reqwest`). It signs whatever it is
/// asked to, in whichever key's name: for a configuration with one key, or with one for both purposes.
pub fn signing(
    signer: impl Signer,
) -> impl Fn(&SigningKey, Algorithm, &[u8]) -> Result<Vec<u8>, String> + Send + Sync + 'static {
    move |_, algorithm, message| signer.sign(algorithm, message)
}
