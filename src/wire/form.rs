//! `application/x-www-form-urlencoded`, the form of token requests and authorization responses (RFC 6749
//! appendix B).

use std::borrow::Cow;

use url::form_urlencoded::{self, byte_serialize};

use crate::base::breach::{Breach, Kind};

const CLAUSE: &str = "RFC 6749 appendix B";
/// The length of most messages, in bytes.
const USUAL: usize = 512;
/// The most pairs that are read.
pub const MAX_PAIRS: usize = 64;

/// Encodes pairs in the order given.
pub fn encode<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::with_capacity(USUAL)).extend_pairs(pairs).finish()
}

/// Encodes one name or value.
pub fn encode_part(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// What stands in the place of bytes that are no UTF-8. Nothing in this protocol has a use for that character, so a value
/// that holds it is taken for broken either way.
pub(super) const BROKEN: char = '\u{fffd}';

/// Decodes all pairs, in order. What is no UTF-8 becomes U+FFFD.
pub(super) fn decode_all(text: &str) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(text.as_bytes()).collect()
}

/// Decodes pairs, in order.
///
/// # Errors
///
/// [`Kind::Malformed`]: more than [`MAX_PAIRS`], or a name or value that is no UTF-8 once decoded.
pub fn decode(text: &str) -> Result<Vec<(String, String)>, Breach> {
    let malformed = |expected, got| Breach::new(Kind::Malformed, CLAUSE, expected, got);
    let mut pairs = Vec::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        if pairs.len() >= MAX_PAIRS {
            return Err(malformed("at most 64 parameters", "more"));
        }
        if name.contains(BROKEN) || value.contains(BROKEN) {
            return Err(malformed("parameters in UTF-8", "other bytes"));
        }
        pairs.push((name.into_owned(), value.into_owned()));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_utf_8() {
        assert_eq!(decode("a=b").unwrap(), [("a".to_owned(), "b".to_owned())]);
        for text in ["a=%ff", "%ff=a", "%ff=%ff"] {
            assert_eq!(decode(text).unwrap_err().kind, Kind::Malformed, "{text}");
        }
    }

    #[test]
    fn sixty_four_pairs_are_read_and_no_more() {
        let text = |count: usize| vec!["a=b"; count].join("&");
        assert_eq!(decode(&text(MAX_PAIRS)).unwrap().len(), MAX_PAIRS);
        assert_eq!(decode(&text(MAX_PAIRS + 1)).unwrap_err().kind, Kind::Malformed);
    }
}
