//! Signatures, from somebody who may be slow, fail, panic, or never answer.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use http::HeaderValue;
use mcp_auth::SigningKey;
use mcp_auth::wire::jws::{Algorithm, SigningInput};

use crate::attempt::Shared;
use crate::error::Error;

/// How many signatures are made at a time. Each takes a thread, and one that never comes keeps it.
pub(crate) const AT_A_TIME: usize = 32;

impl Shared {
    /// The proof of the key to which the token is bound, signed.
    pub(crate) fn signed(self: &Arc<Self>, input: SigningInput) -> Result<HeaderValue, Error> {
        let (algorithm, message) = (input.algorithm(), input.as_bytes().to_vec());
        let within = self.host.exchange_time();
        let signed = self.sign(SigningKey::Proof, algorithm, message, within);
        self.host.proof(input, signed).map_err(Error::Failure)
    }

    /// The signature, or why there is none.
    pub(crate) fn sign(
        self: &Arc<Self>,
        key: SigningKey,
        algorithm: Algorithm,
        message: Vec<u8>,
        within: Duration,
    ) -> Result<Vec<u8>, String> {
        const LATE: &str = "whoever holds the key did not answer in time";
        let begun = Instant::now();
        let free = self.signing.take(within).ok_or(LATE)?;
        let (tell, told) = mpsc::channel();
        let shared = self.clone();
        let signing = move || {
            let signed = shared.host.sign(&key, algorithm, &message);
            // Let go of only when the thread is free again, whoever still waits.
            drop(free);
            let _ = tell.send(signed);
        };
        let thread = thread::Builder::new().name("mcp-auth-sign".to_owned());
        thread.spawn(signing).map_err(|error| format!("there is no thread to sign on: {error}"))?;
        told.recv_timeout(within.saturating_sub(begun.elapsed())).map_err(|_| LATE.to_owned()).flatten()
    }
}
