//! `WWW-Authenticate` (RFC 9110 §11.6.1): what a server asks for before it answers.
//!
//! Reading never fails. What breaks the grammar is passed over, and reading goes on with what follows, so that
//! no bad challenge hides a good one. Where real servers stray from the grammar the plain meaning is taken:
//! parameters divided by blanks alone, URLs without quotes, values in single quotes. Every byte is looked at
//! a fixed number of times at most.

use std::borrow::Cow;

mod demand;
mod lexer;

pub use demand::Demand;

use lexer::{Item, Lexer};

/// The most bytes of all fields together that are read (8 KiB). What is beyond is ignored, and so is a value
/// that this limit cuts in two.
pub const MAX_BYTES: usize = 8192;

/// The most challenges that are kept.
pub const MAX_CHALLENGES: usize = 32;
/// The most parameters of one challenge that are kept.
const MAX_PARAMS: usize = 32;

/// One challenge: a scheme, with a token68 or parameters (RFC 9110 §11.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    scheme: Cow<'a, str>,
    token68: Option<Cow<'a, str>>,
    params: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Challenge<'a> {
    fn new(scheme: &'a [u8]) -> Self {
        Self { scheme: lossy(scheme), token68: None, params: Vec::new() }
    }

    /// The scheme, as given.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether this is a challenge of `scheme`. Case does not matter (RFC 9110 §11.1).
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The token68 (RFC 9110 §11.2), if there is one.
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// The first parameter called `name`. Case does not matter in names.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.all_params().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All parameters called `name`, in order. A name may be given once only (RFC 9110 §11.2); some servers
    /// give one twice.
    pub fn params(&self, name: &str) -> impl Iterator<Item = &str> {
        self.all_params().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All parameters in order: the name in lower case, and the value without its quotes and escapes.
    pub fn all_params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.params.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    fn add(&mut self, name: &'a [u8], value: Cow<'a, [u8]>) {
        if self.params.len() < MAX_PARAMS {
            let capital = name.iter().any(u8::is_ascii_uppercase);
            let name = if capital { lossy(name).to_ascii_lowercase().into() } else { lossy(name) };
            let value = match value {
                Cow::Borrowed(value) => lossy(value),
                Cow::Owned(value) => lossy(&value).into_owned().into(),
            };
            self.params.push((name, value));
        }
    }
}

/// Reads the values of all `WWW-Authenticate` fields of one response, in order. Never fails: what cannot be
/// read is left out. Bytes beyond ASCII are taken for UTF-8, and replaced by U+FFFD where they are not.
///
/// At most [`MAX_BYTES`] bytes are read, and at most 32 challenges with 32 parameters each are kept.
pub fn read<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Vec<Challenge<'a>> {
    let mut challenges = Vec::new();
    let mut left = MAX_BYTES;
    for field in fields {
        match field.split_at_checked(left) {
            Some((start, rest)) if !rest.is_empty() => {
                gather(Lexer::of_cut(start), &mut challenges);
                break;
            }
            _ => gather(Lexer::of(field), &mut challenges),
        }
        // The comma that would stand between the fields counts, so that empty fields come to an end too.
        left = left.saturating_sub(field.len().saturating_add(1));
        if left == 0 {
            break;
        }
    }
    challenges
}

/// Sorts the items of one field into challenges. Fields are as good as joined by a comma (RFC 9110 §5.3): what
/// begins with a parameter goes on with the last challenge of the field before.
fn gather<'a>(items: Lexer<'a>, challenges: &mut Vec<Challenge<'a>>) {
    let mut items = items.peekable();
    let mut first = true;
    let mut fresh = false;
    while let Some(item) = items.next() {
        let begins = begins_challenge(&item, items.peek(), first);
        let after_scheme = std::mem::replace(&mut fresh, false);
        first = false;
        match item {
            Item::Word { text, led: false, ends: true } if after_scheme && is_token68(text) => {
                if let Some(challenge) = challenges.last_mut() {
                    challenge.token68 = Some(lossy(text));
                }
            }
            Item::Word { text, .. } if begins => {
                if challenges.len() >= MAX_CHALLENGES {
                    return;
                }
                challenges.push(Challenge::new(text));
                fresh = true;
            }
            Item::Pair { name, value: Some(value) } if is_token(name) => {
                if let Some(challenge) = challenges.last_mut() {
                    challenge.add(name, value);
                }
            }
            Item::Word { .. } | Item::Pair { .. } => {}
        }
    }
}

/// Whether a word is a scheme. A list member that starts with a token starts a challenge if a good challenge
/// follows from it; where the rest is garbage, only if nothing else can own the parameters that come after, or if
/// the scheme is one that this crate speaks. Such a scheme needs no comma before it.
fn begins_challenge(item: &Item<'_>, next: Option<&Item<'_>>, first: bool) -> bool {
    let &Item::Word { text, led, ends } = item else { return false };
    let parameter_follows = matches!(next, Some(Item::Pair { .. }));
    let ours = text.eq_ignore_ascii_case(b"Bearer") || text.eq_ignore_ascii_case(b"DPoP");
    let begins = if led {
        let token68_follows =
            matches!(next, Some(&Item::Word { text, led: false, ends: true }) if is_token68(text));
        first || ours || ends || parameter_follows || token68_follows
    } else {
        ours && parameter_follows
    };
    begins && is_token(text)
}

/// `token` of RFC 9110 §5.6.2.
fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(lexer::is_token_byte)
}

/// `token68` of RFC 9110 §11.2.
fn is_token68(text: &[u8]) -> bool {
    let pads = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    let body = text.split_at_checked(text.len().saturating_sub(pads)).map_or(text, |(body, _)| body);
    !body.is_empty()
        && body.iter().all(|&byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
        })
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

#[cfg(test)]
mod tests;
