//! Those in this process whom the client asks: who holds a key, and who vouches for a person or a workload.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{AssertionKind, Secret, SigningKey};
use mcp_auth_jose::Signer as _;
use mcp_auth_reqwest::{Assertions, BoxFuture, Keys, WantedAssertion};
use mcp_auth_testbed::World;
use serde_json::Value;

use super::setting::{ID_TOKEN, Setting};
use crate::show::Show;

/// Whoever holds the key.
pub(super) struct Signer {
    show: Show,
    setting: Setting,
}

impl Signer {
    pub(super) fn new(show: Show, setting: Setting) -> Self {
        Self { show, setting }
    }
}

impl Keys for Signer {
    fn sign(&self, key: &SigningKey, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        let own = self.setting.key.as_ref().ok_or("there is no key")?;
        let began = Instant::now();
        let signature = own.sign(algorithm, message)?;
        let (took, algorithm) = (Some(began.elapsed()), algorithm.as_str());
        let claims = claims(message);
        let said = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        match key {
            SigningKey::Proof => {
                // A proof for the token endpoint comes before the request that it goes with.
                let section = (!self.show.is_requesting()).then_some("Token");
                self.show.asked(
                    section,
                    "signer",
                    &format!("sign a proof of the key with {algorithm}"),
                    took,
                );
                let token = claims.get("ath").map_or("", |_| ", this token");
                let nonce = claims.get("nonce").map_or("", |_| ", the server's nonce");
                let what = format!("{} {}{token}{nonce}", said("htm"), said("htu"));
                self.show.asserted(&what, "RFC 9449 §4.2");
            }
            _ => {
                let what = format!("sign an assertion of the client with {algorithm}");
                self.show.asked(Some("Token"), "signer", &what, took);
                let number = |name: &str| claims.get(name).and_then(Value::as_u64).unwrap_or_default();
                let life = number("exp").saturating_sub(number("iat"));
                let what = format!("{}, to {} alone, for {life} s", said("sub"), said("aud"));
                self.show.asserted(&what, "RFC 7523 §3");
            }
        }
        Ok(signature)
    }
}

/// The claims of what is to be signed (RFC 7515 §5.1).
fn claims(message: &[u8]) -> Value {
    let claims = message.split(|byte| *byte == b'.').nth(1).and_then(|it| URL_SAFE_NO_PAD.decode(it).ok());
    claims.and_then(|claims| serde_json::from_slice(&claims).ok()).unwrap_or_default()
}

/// Whoever says who the person is, and the platform that says what the workload is.
pub(super) struct Vouching {
    show: Show,
    world: Arc<Mutex<World>>,
}

impl Vouching {
    pub(super) fn new(show: Show, world: Arc<Mutex<World>>) -> Self {
        Self { show, world }
    }

    fn vouch(&self, kind: AssertionKind, audience: &str) -> Result<Secret, String> {
        let began = Instant::now();
        if kind != AssertionKind::Workload {
            let what = format!("the person's ID token, for {audience}");
            self.show.asked(Some("Identity provider"), "single sign-on", &what, Some(began.elapsed()));
            return Ok(Secret::from(ID_TOKEN));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let token = world.workload_token(now).ok_or("there is no platform")?;
        let what = format!("the workload's JWT, for {audience}");
        self.show.asked(Some("Token"), "platform", &what, Some(began.elapsed()));
        Ok(Secret::from(token))
    }
}

impl Assertions for Vouching {
    fn supply(&self, wanted: WantedAssertion) -> BoxFuture<'_, Result<Secret, String>> {
        Box::pin(std::future::ready(self.vouch(wanted.kind, &wanted.audience)))
    }
}
