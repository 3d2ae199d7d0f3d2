//! Scope values (RFC 6749 §3.3): a set of tokens, kept in the order in which they were first named.

use std::collections::BTreeSet;
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
///
/// It is kept as it is written: its tokens once each, divided by single spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scopes(String);

/// A scope value holds something that is no scope token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidScope {
    found: String,
}

impl fmt::Display for InvalidScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no scope token, or one too many: one or more of the characters ! # to [ and ] to ~ were expected, \
             and at most {MAX_SCOPES} different tokens (RFC 6749 §3.3)",
            self.found
        )
    }
}

impl std::error::Error for InvalidScope {}

/// From how many bytes on a set is gathered with the help of a sorted one: a few tokens are compared sooner than sorted.
const LARGE: usize = 512;

/// A set that is being gathered.
struct Gathered<'a> {
    scopes: Scopes,
    count: usize,
    /// The tokens in order, where the set is a large one.
    sorted: Option<BTreeSet<&'a str>>,
}

impl<'a> Gathered<'a> {
    /// For tokens of so many bytes, the spaces between them counted: room is made once, and where none is said, as need be.
    fn new(bytes: usize) -> Self {
        let sorted = (bytes > LARGE).then(BTreeSet::new);
        Self { scopes: Scopes(String::with_capacity(bytes)), count: 0, sorted }
    }

    /// Whether the token is among them now: it was before, or there was room for it.
    fn add(&mut self, token: &'a str) -> bool {
        let known = match &self.sorted {
            Some(sorted) => sorted.contains(token),
            None => self.scopes.contains(token),
        };
        if known || self.count >= MAX_SCOPES {
            return known;
        }
        self.sorted.as_mut().map(|sorted| sorted.insert(token));
        self.scopes.add(token);
        self.count = self.count.saturating_add(1);
        true
    }
}

impl Scopes {
    /// No scopes at all.
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// Reads a `scope` value: tokens divided by spaces. Repeated tokens count once; an empty value is the empty
    /// set.
    ///
    /// # Errors
    ///
    /// [`InvalidScope`], which names the first token that is none, or that is one too many ([`MAX_SCOPES`]).
    pub fn parse(value: &str) -> Result<Self, InvalidScope> {
        Self::read(value.split(' ').filter(|token| !token.is_empty()), value.len())
    }

    /// Makes a set from single tokens.
    ///
    /// # Errors
    ///
    /// As with [`Self::parse`]; an empty token is none.
    pub fn from_tokens<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidScope> {
        Self::read(tokens, 0)
    }

    fn read<'a>(tokens: impl IntoIterator<Item = &'a str>, bytes: usize) -> Result<Self, InvalidScope> {
        let mut set = Gathered::new(bytes);
        for token in tokens {
            if !is_token(token) || !set.add(token) {
                return Err(InvalidScope { found: text::clean(token, 64) });
            }
        }
        Ok(set.scopes)
    }

    /// The scopes of a `scopes_supported` list: what is no scope token is dropped, and so is what follows the 256th. Such a
    /// list only says what may be asked for, so one bad entry is no reason to refuse the document.
    pub(crate) fn listed<'a>(tokens: impl Iterator<Item = &'a str> + Clone) -> Self {
        // Each with the space that follows it.
        let bytes = tokens.clone().map(|token| token.len().saturating_add(1)).sum();
        let mut set = Gathered::new(bytes);
        for token in tokens.filter(|token| is_token(token)) {
            if !set.add(token) {
                break;
            }
        }
        set.scopes
    }

    fn add(&mut self, token: &str) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(token);
    }

    /// Of different tokens, for which so many bytes are enough with the spaces between them.
    fn of<'a>(tokens: impl Iterator<Item = &'a str>, bytes: usize) -> Self {
        let mut set = Self(String::with_capacity(bytes));
        tokens.for_each(|token| set.add(token));
        set
    }

    /// Whether no scope is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many scopes are named.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// The tokens in the order in which they were first named.
    pub fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.split(' ').filter(|token| !token.is_empty())
    }

    /// The value of a `scope` parameter.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `token` is named. Scope tokens are compared byte for byte.
    pub fn contains(&self, token: &str) -> bool {
        self.iter().any(|known| known == token)
    }

    /// Whether every scope of this set is in `other` too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0 == other.0 || self.iter().all(|token| other.contains(token))
    }

    /// This set, and after it what only `other` names. All of `other` is in it: where both are more than [`MAX_SCOPES`],
    /// what was named first gives way.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let added = other.iter().filter(|token| !self.contains(token));
        // At the most both, and a space between them.
        let bytes = self.0.len().saturating_add(other.0.len()).saturating_add(1);
        let both = Self::of(self.iter().chain(added), bytes);
        let over = both.len().saturating_sub(MAX_SCOPES);
        if over == 0 {
            return both;
        }
        let only_here = self.iter().filter(|token| !other.contains(token));
        both.without(&Self::of(only_here.take(over), self.0.len()))
    }

    /// The same for a set that is not needed any more.
    #[must_use]
    pub(crate) fn and(self, other: &Self) -> Self {
        if other.is_empty() { self } else { self.union(other) }
    }

    /// This set less what `other` names.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self::of(self.iter().filter(|token| !other.contains(token)), self.0.len())
    }
}

fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
        scopes.0
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
        let large = |count: usize| {
            (0..count).map(|n| format!("{}{}", "s".repeat(60), n % 7)).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(scopes(&large(200)).to_string(), large(7));
    }

    #[test]
    fn what_is_no_scope_is_named_and_said_why() {
        assert_eq!("b a  b".parse::<Scopes>().unwrap(), scopes("b a"));
        let said = "read wr\"ite".parse::<Scopes>().unwrap_err().to_string();
        assert!(said.contains(r#""wr\"ite""#) && said.contains("RFC 6749 §3.3"), "{said}");
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
        assert!(both.as_str().starts_with("s0 s3 s4 ") && both.as_str().ends_with(" s255 new newer"));
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
        // One that is repeated takes no room.
        let full = (0..MAX_SCOPES).map(|n| format!("s{n}")).collect::<Vec<_>>();
        let repeated = format!("{} s0 s{}", full.join(" "), MAX_SCOPES - 1);
        assert_eq!(Scopes::parse(&repeated).unwrap().to_string(), full.join(" "));
        let tokens = full.iter().map(String::as_str);
        assert_eq!(Scopes::from_tokens(tokens.clone().chain(tokens)).unwrap().to_string(), full.join(" "));
    }
}
