//! Signatures, from somebody who may be slow, fail, panic, or never answer.

use std::sync::Arc;
use std::time::Duration;

use mcp_auth::SigningKey;
use mcp_auth::wire::jws::Algorithm;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::attempt::Shared;

/// How many signatures are made at a time. Each takes a thread, and one that never comes keeps it: the runtime's
/// threads for blocking work are for the store and the resolver as well.
const AT_A_TIME: usize = 32;

/// How much is asked of whoever holds the keys.
pub(crate) struct Signing {
    free: Arc<Semaphore>,
}

impl Default for Signing {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(AT_A_TIME)) }
    }
}

impl Shared {
    /// The signature, or why there is none.
    pub(crate) async fn sign(
        self: &Arc<Self>,
        key: SigningKey,
        algorithm: Algorithm,
        message: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, String> {
        let signed = async {
            let free = self.signing.free.clone().acquire_owned().await;
            let shared = self.clone();
            spawn_blocking(move || {
                // Let go of only when the thread is free again, whoever still waits.
                let _free = free;
                shared.host.sign(&key, algorithm, &message)
            })
            .await
        };
        match timeout(within, signed).await {
            Ok(Ok(signed)) => signed,
            Ok(Err(_)) => Err("the thread that signs is gone".to_owned()),
            Err(_) => Err("whoever holds the key did not answer in time".to_owned()),
        }
    }
}
