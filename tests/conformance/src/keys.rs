//! The keys: one that tokens are bound to where a server asks for that, and the client's own where the suite hands it over.

use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{ClientKey, Config, ProofKey, SigningKey};
use mcp_auth_jose::{Key, Signer as _};
use mcp_auth_reqwest::Keys;

use crate::handed::Handed;

/// Signs with both.
pub(crate) struct Keyring {
    proof: Key,
    client: Option<Key>,
}

impl Keyring {
    pub(crate) fn new(handed: &Handed) -> Result<Self, String> {
        // Nothing that is bound to it outlives the process, so it need not be kept.
        let (proof, _) = Key::generate(Algorithm::Es256).map_err(|error| error.to_string())?;
        let client = handed.private_key.as_ref().map(|pem| {
            let key = Key::from_pem(pem.expose())?;
            match handed.algorithm {
                Some(algorithm) => key.with_algorithm(algorithm),
                None => Ok(key),
            }
        });
        let client = client.transpose().map_err(|error| format!("private_key_pem: {error}"))?;
        Ok(Self { proof, client })
    }

    /// The configuration with the public halves.
    pub(crate) fn configure(&self, config: Config) -> Config {
        let config = config.proof_key(ProofKey::new(self.proof.public().clone()));
        match &self.client {
            Some(key) => config.client_key(ClientKey::new(key.algorithms().iter().copied())),
            None => config,
        }
    }
}

impl Keys for Keyring {
    fn sign(&self, key: &SigningKey, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        match (key, &self.client) {
            (SigningKey::Proof, _) => self.proof.sign(algorithm, message),
            (SigningKey::Client { .. }, Some(client)) => client.sign(algorithm, message),
            _ => Err("the suite handed over no such key".to_owned()),
        }
    }
}
