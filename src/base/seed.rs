//! Where the machine's randomness comes from: one seed, given when the machine is made, and a standard
//! pseudo-random function that expands it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroize;

/// 256 bits from which every `state` and code verifier of one machine follow.
///
/// A seed must be unpredictable and must serve one machine only: two machines with the same seed draw the same
/// values. `Seed::generate` asks the operating system; tests and replays give their own.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seed([u8; 32]);

impl Seed {
    /// Takes 256 bits as they are.
    pub const fn new(bits: [u8; 32]) -> Self {
        Self(bits)
    }

    /// Draws a seed from the operating system.
    #[cfg(feature = "getrandom")]
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits)?;
        Ok(Self(bits))
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

impl TryFrom<String> for Seed {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bits = URL_SAFE_NO_PAD.decode(&text).ok().and_then(|bits| bits.try_into().ok());
        bits.map(Self).ok_or("a seed is 43 base64url characters, 32 bytes")
    }
}

impl From<Seed> for String {
    fn from(seed: Seed) -> Self {
        URL_SAFE_NO_PAD.encode(seed.0)
    }
}

/// Values drawn from a seed, one after another. Each is HMAC-SHA-256 of the seed over a purpose and a count, so a
/// value tells nothing of the seed or of any other value.
#[derive(Clone)]
pub(crate) struct Draws {
    /// What has taken in the seed, and nothing else: to do that for each value would double the work. Wiped when it is
    /// dropped.
    keyed: Hmac<Sha256>,
    count: u64,
}

impl fmt::Debug for Draws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draws").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Draws {
    pub(crate) fn new(seed: &Seed) -> Self {
        // RFC 2104 §2: a key shorter than the hash's block is filled up with zeros.
        let mut key = [0_u8; 64];
        key.iter_mut().zip(&seed.0).for_each(|(to, from)| *to = *from);
        let keyed = Hmac::<Sha256>::new(&key.into());
        key.zeroize();
        Self { keyed, count: 0 }
    }

    /// 256 fresh bits as 43 characters of base64url, which is both a legal code verifier (RFC 7636 §4.1) and a
    /// legal `state`.
    pub(crate) fn token(&mut self, purpose: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.draw(purpose))
    }

    /// A number below 256.
    pub(crate) fn byte(&mut self, purpose: &str) -> u8 {
        self.draw(purpose).first().copied().unwrap_or_default()
    }

    fn draw(&mut self, purpose: &str) -> [u8; 32] {
        self.count = self.count.saturating_add(1);
        let mut mac = self.keyed.clone();
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(&self.count.to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ_and_repeat_with_the_seed() {
        let mut a = Draws::new(&Seed::new([7; 32]));
        let mut b = Draws::new(&Seed::new([7; 32]));
        let first = a.token("state");
        assert_eq!(first, b.token("state"));
        assert_eq!(first.len(), 43);
        assert_ne!(first, a.token("state"));
        assert_ne!(Draws::new(&Seed::new([7; 32])).token("verifier"), first);
        assert_ne!(Draws::new(&Seed::new([8; 32])).token("state"), first);
    }

    #[test]
    fn a_seed_survives_writing_and_is_not_shown() {
        let seed = Seed::new([9; 32]);
        let text = serde_json::to_string(&seed).unwrap();
        assert_eq!(serde_json::from_str::<Seed>(&text).unwrap(), seed);
        assert_eq!(format!("{seed:?}"), "Seed(…)");
        assert!(serde_json::from_str::<Seed>("\"short\"").is_err());
    }
}
