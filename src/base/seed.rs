//! Where the machine's randomness comes from: one seed, given when the machine is made, and a standard
//! pseudo-random function that expands it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
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
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
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

/// How long the input of a draw is: the most that SHA-256 takes in at once, beside its padding.
const INPUT: usize = 55;

/// What a value is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Draw {
    State,
    CodeVerifier,
    /// The `jti` of a client's assertion.
    Jti,
    /// The `jti` of a proof of possession.
    Proof,
    Generation,
    BackOff,
}

impl Draw {
    /// At most 15 bytes.
    const fn label(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::CodeVerifier => "code_verifier",
            Self::Jti => "jti",
            Self::Proof => "proof",
            Self::Generation => "generation",
            Self::BackOff => "back-off",
        }
    }
}

/// Values drawn from a seed, one after another: the count begins at one.
///
/// Each is SHA-256 of 55 bytes: the 32 of the seed, the count as 8 bytes (big-endian), and the label of what it is for,
/// filled up to 15 bytes with zeros. That is one run of the compression function, with the secret at its beginning and an
/// input that is of the same length always and never the same, so a value tells nothing of the seed or of any other value.
/// HMAC does the same for inputs of any length, and takes four runs; what goes wrong without it (an input that is
/// lengthened) needs lengths that differ.
#[derive(Clone)]
pub(crate) struct Draws {
    seed: Seed,
    count: u64,
}

impl fmt::Debug for Draws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draws").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Draws {
    pub(crate) const fn new(seed: Seed) -> Self {
        Self { seed, count: 0 }
    }

    /// 256 fresh bits as 43 characters of base64url, which is both a legal code verifier (RFC 7636 §4.1) and a
    /// legal `state`.
    pub(crate) fn token(&mut self, what: Draw) -> String {
        URL_SAFE_NO_PAD.encode(self.draw(what))
    }

    /// A number below 256.
    pub(crate) fn byte(&mut self, what: Draw) -> u8 {
        let [first, ..] = self.draw(what);
        first
    }

    /// A number below 65,536.
    pub(crate) fn pair(&mut self, what: Draw) -> u16 {
        let [first, second, ..] = self.draw(what);
        u16::from_be_bytes([first, second])
    }

    fn draw(&mut self, what: Draw) -> [u8; 32] {
        self.count = self.count.saturating_add(1);
        let (mut input, count) = ([0_u8; INPUT], self.count.to_be_bytes());
        let parts = self.seed.0.iter().chain(&count).chain(what.label().as_bytes());
        input.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        let drawn = Sha256::digest(input).into();
        input.zeroize();
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Draw; 6] =
        [Draw::State, Draw::CodeVerifier, Draw::Jti, Draw::Proof, Draw::Generation, Draw::BackOff];

    fn draws(seed: u8) -> Draws {
        Draws::new(Seed::new([seed; 32]))
    }

    #[test]
    fn draws_differ_and_repeat_with_the_seed() {
        let (mut a, mut b) = (draws(7), draws(7));
        let first = a.token(Draw::State);
        assert_eq!(first, b.token(Draw::State));
        assert_eq!(first.len(), 43);
        assert_ne!(first, a.token(Draw::State));
        assert_ne!(draws(8).token(Draw::State), first);
        let each: std::collections::BTreeSet<_> = ALL.map(|what| draws(7).token(what)).into();
        assert_eq!(each.len(), ALL.len());
    }

    /// As another language would compute it: these come from Python's `hashlib`.
    #[test]
    fn a_draw_is_what_the_format_says() {
        let mut drawn = draws(7);
        assert_eq!(drawn.token(Draw::State), "Mhhu-lshSdeabHrD-Wcep2GFO_aVVDD7IcZKrUrBWIc");
        assert_eq!(drawn.token(Draw::CodeVerifier), "mpg6AuRgvdTw_pyTyq9jmE6BGD9OFtIzX7rIIyOxna4");
        assert_eq!(drawn.pair(Draw::Generation), 59139);
        assert_eq!(drawn.byte(Draw::BackOff), 194);
    }

    #[test]
    fn every_label_fits() {
        assert!(ALL.iter().all(|what| 32 + 8 + what.label().len() <= INPUT));
    }

    #[test]
    fn a_seed_survives_writing_and_is_not_shown() {
        let seed = Seed::new([9; 32]);
        let text = serde_json::to_string(&seed).unwrap();
        assert_eq!(serde_json::from_str::<Seed>(&text).unwrap(), seed);
        assert_eq!(format!("{seed:?}"), "Seed(…)");
        let mut drawn = Draws::new(Seed::new([9; 32]));
        drawn.pair(Draw::Generation);
        assert_eq!(format!("{drawn:?}"), "Draws { count: 1, .. }");
        assert!(serde_json::from_str::<Seed>("\"short\"").is_err());
    }
}
