//! Scope values (RFC 6749 §3.3): a set of tokens, kept in the order in which they were first named.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text;

/// The most scope tokens that one set may hold.
pub const MAX_SCOPES: usize = 256;

/// A set of scope tokens. The order of first mention is kept, because some servers show it to the person.
///
/// Three sets are easily confused. Throughout this crate *asked* is what an authorization request named,
/// *granted* is what the token answer said (or what was asked, where it said nothing), and *challenged* is what
/// a `WWW-Authenticate` header demanded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scopes(Vec<String>);

/// A scope value holds something that is no scope token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidScope {
    found: String,
}

impl fmt::Display for InvalidScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no scope token: one or more of the characters ! # to [ and ] to ~ were expected, and at most \
             256 tokens (RFC 6749 §3.3)",
            self.found
        )
    }
}

impl std::error::Error for InvalidScope {}

impl Scopes {
    /// No scopes at all.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Reads a `scope` value: tokens divided by spaces. Repeated tokens count once; an empty value is the empty
    /// set.
    pub fn parse(value: &str) -> Result<Self, InvalidScope> {
        Self::from_tokens(value.split(' ').filter(|token| !token.is_empty()))
    }

    /// Makes a set from single tokens.
    pub fn from_tokens<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidScope> {
        let mut set = Vec::<String>::new();
        for token in tokens {
            if !is_token(token) || set.len() >= MAX_SCOPES {
                return Err(InvalidScope { found: text::clean(token, 64) });
            }
            if !set.iter().any(|known| known == token) {
                set.push(token.to_owned());
            }
        }
        Ok(Self(set))
    }

    /// Whether no scope is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many scopes are named.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The tokens in the order in which they were first named.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether `token` is named. Scope tokens are compared byte for byte.
    pub fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|known| known == token)
    }

    /// Whether every scope of this set is in `other` too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|token| other.contains(token))
    }

    /// This set, and after it what only `other` names. All of `other` is in it: where both are more than [`MAX_SCOPES`],
    /// what was named first gives way.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let added: Vec<_> = other.iter().filter(|token| !self.contains(token)).collect();
        let over = self.len().saturating_add(added.len()).saturating_sub(MAX_SCOPES);
        let spare: Vec<_> = self.iter().filter(|token| !other.contains(token)).take(over).collect();
        let kept = self.iter().filter(|token| !spare.contains(token));
        Self(kept.chain(added).map(str::to_owned).collect())
    }

    /// This set less what `other` names.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(self.iter().filter(|token| !other.contains(token)).map(str::to_owned).collect())
    }
}

/// Whether this is one scope token.
pub(crate) fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, token) in self.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Scopes {
    type Err = InvalidScope;

    fn from_str(value: &str) -> Result<Self, InvalidScope> {
        Self::parse(value)
    }
}

impl TryFrom<String> for Scopes {
    type Error = InvalidScope;

    fn try_from(value: String) -> Result<Self, InvalidScope> {
        Self::parse(&value)
    }
}

impl From<Scopes> for String {
    fn from(scopes: Scopes) -> Self {
        scopes.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(value: &str) -> Scopes {
        Scopes::parse(value).unwrap()
    }

    #[test]
    fn order_is_kept_and_repeats_count_once() {
        assert_eq!(scopes("b a  b c").to_string(), "b a c");
        assert!(scopes("").is_empty());
    }

    #[test]
    fn set_operations() {
        assert_eq!(scopes("a b").union(&scopes("c a")), scopes("a b c"));
        assert_eq!(scopes("a b").without(&scopes("a")), scopes("b"));
        assert!(scopes("a").is_subset(&scopes("b a")));
        assert!(!scopes("a c").is_subset(&scopes("b a")));
    }

    #[test]
    fn what_is_new_has_its_place_in_a_full_set() {
        let full = scopes(&(0..MAX_SCOPES).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" "));
        let both = full.union(&scopes("s0 new newer"));
        assert_eq!(both.len(), MAX_SCOPES);
        assert!(
            scopes("s0 s3 s255 new newer").is_subset(&both) && !both.contains("s1") && !both.contains("s2")
        );
        assert_eq!(scopes("a b").union(&full), full);
    }

    #[test]
    fn characters_outside_the_grammar_are_refused() {
        for bad in ["a\"b", "a\\b", "a\r\nb", "a\tb", "ä", "a\u{0}"] {
            assert!(Scopes::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_set_is_bounded() {
        let many = (0..=MAX_SCOPES).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ");
        assert!(Scopes::parse(&many).is_err());
    }
}
