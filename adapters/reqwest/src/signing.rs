//! Signatures, from somebody who may be slow, fail, panic, or never answer.

use std::sync::Arc;
use std::time::Duration;

use mcp_auth::SigningKey;
use mcp_auth::wire::jws::Algorithm;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::consent::Keys;

/// How many signatures are made at a time. Each takes a thread, and one that never comes keeps it: the runtime's
/// threads for blocking work are for the store and the resolver as well.
const AT_A_TIME: usize = 32;

/// Whoever holds the keys, and how much is asked of them.
pub(crate) struct Signing {
    keys: Arc<dyn Keys>,
    free: Arc<Semaphore>,
    /// How long the signature for a request of the caller may take.
    pub(crate) patience: Duration,
}

impl Signing {
    pub(crate) fn new(keys: Arc<dyn Keys>, patience: Duration) -> Self {
        Self { keys, free: Arc::new(Semaphore::new(AT_A_TIME)), patience }
    }

    /// The signature, or why there is none.
    pub(crate) async fn sign(
        &self,
        key: SigningKey,
        algorithm: Algorithm,
        message: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, String> {
        let signed = async {
            let free = self.free.clone().acquire_owned().await;
            let keys = self.keys.clone();
            spawn_blocking(move || {
                // Let go of only when the thread is free again, whoever still waits.
                let _free = free;
                keys.sign(&key, algorithm, &message)
            })
            .await
        };
        match timeout(within, signed).await {
            Ok(Ok(signed)) => signed,
            Ok(Err(_)) => Err("whoever holds the key panicked".to_owned()),
            Err(_) => Err("whoever holds the key did not answer in time".to_owned()),
        }
    }
}
