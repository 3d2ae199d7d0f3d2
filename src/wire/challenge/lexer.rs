//! Cuts one field value into words and `name=value` pairs.
//!
//! A failed reading of a quoted string is the only place where bytes are looked at again. A string that fails ends
//! at the next quote that could open another, so that failed strings never overlap and the work stays linear.

use std::borrow::Cow;

/// One piece of a field value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// A run of bytes that has no value: a scheme, a token68 or garbage. `led` says that its list member begins
    /// with it, `ends` that it ends with it.
    Word { text: &'a [u8], led: bool, ends: bool },
    /// A name and its value, without quotes and escapes. There is no value where it cannot be read.
    Pair { name: &'a [u8], value: Option<Cow<'a, [u8]>> },
}

/// The items of one field value.
pub(super) struct Lexer<'a> {
    rest: &'a [u8],
    led: bool,
    cut: bool,
}

impl<'a> Lexer<'a> {
    /// Reads a whole field value.
    pub(super) fn of(field: &'a [u8]) -> Self {
        Self { rest: field, led: true, cut: false }
    }

    /// Reads the start of a field value whose rest is not known. The word or value that was cut is left out.
    pub(super) fn of_cut(start: &'a [u8]) -> Self {
        let whole = start.iter().rposition(|&byte| is_blank(byte) || byte == b',').unwrap_or(0);
        let rest = start.split_at_checked(whole).map_or(start, |(whole, _)| whole);
        Self { rest, led: true, cut: true }
    }

    /// Takes what stands before the first byte that `ends`.
    fn take(&mut self, ends: impl Fn(u8) -> bool) -> &'a [u8] {
        let place = self.rest.iter().position(|&byte| ends(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(place).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    fn skip_blanks(&mut self) {
        self.take(|byte| !is_blank(byte));
    }

    fn at_member_end(&self) -> bool {
        matches!(self.rest.first(), None | Some(b','))
    }

    /// A value, from its first byte on.
    fn value(&mut self) -> Option<Cow<'a, [u8]>> {
        match self.rest.split_first() {
            Some((b'"', inside)) => self.double_quoted(inside),
            Some((b'\'', inside)) => self.single_quoted(inside),
            _ => Some(self.bare_value().into()),
        }
    }

    /// A token, or what servers write in place of one: a URL without quotes.
    fn bare_value(&mut self) -> &'a [u8] {
        self.take(|byte| is_blank(byte) || byte == b',')
    }

    fn double_quoted(&mut self, inside: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let string = Quoted::read(inside, b'"');
        match string.after {
            Some(after) if !(string.ends_in_equals && string.comma.is_some() && !is_divided(after)) => {
                self.rest = after;
                return Some(string.text);
            }
            // The closing quote opens the next value, so this one never closed.
            Some(_) => self.rest = string.comma.unwrap_or(&[]),
            // What is known of a string that was cut may be text to its end: nothing in it is read.
            None if self.cut => self.rest = &[],
            None => self.rest = string.comma.unwrap_or(&[]),
        }
        None
    }

    /// The grammar knows no single quotes and has them as token characters. A string in them counts as quoted if it
    /// is well divided from what follows, and if it cannot hide a parameter that the grammar would see.
    fn single_quoted(&mut self, inside: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let string = Quoted::read(inside, b'\'');
        match string.after {
            Some(after) if is_divided(after) && !string.equals_after_comma => {
                self.rest = after;
                Some(string.text)
            }
            None if self.cut => {
                self.rest = &[];
                None
            }
            _ => Some(self.bare_value().into()),
        }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        // Bytes that can begin nothing are passed over one by one: an open quote among them must not swallow
        // what follows.
        while let Some((&byte, tail)) = self.rest.split_first().filter(|(byte, _)| !begins_word(**byte)) {
            self.led |= byte == b',';
            self.rest = tail;
        }
        let start = Some(self.rest).filter(|rest| !rest.is_empty())?;
        let led = std::mem::replace(&mut self.led, false);
        let text = self.take(|byte| is_blank(byte) || matches!(byte, b',' | b'='));
        let touches = self.rest.first() == Some(&b'=');
        self.skip_blanks();
        let Some(tail) = self.rest.strip_prefix(b"=") else {
            return Some(Item::Word { text, led, ends: self.at_member_end() });
        };
        if touches && tail.first() == Some(&b'=') {
            self.rest = start;
            let text = self.take(|byte| is_blank(byte) || byte == b',');
            self.skip_blanks();
            return Some(Item::Word { text, led, ends: self.at_member_end() });
        }
        self.rest = tail;
        self.skip_blanks();
        if !self.at_member_end() {
            return Some(Item::Pair { name: text, value: self.value() });
        }
        // By the grammar `name=` without a value is a token68 with one pad.
        let padded = start.get(..text.len().saturating_add(1)).filter(|_| touches);
        Some(match padded {
            Some(text) => Item::Word { text, led, ends: true },
            None => Item::Pair { name: text, value: None },
        })
    }
}

/// What was found when reading on from an opening quote.
struct Quoted<'a> {
    /// The text, without escapes.
    text: Cow<'a, [u8]>,
    /// What follows the closing quote, if there is one.
    after: Option<&'a [u8]>,
    /// What begins with the first comma inside.
    comma: Option<&'a [u8]>,
    /// Whether `=` stands anywhere after that comma.
    equals_after_comma: bool,
    /// Whether the last byte inside, blanks apart, is `=`.
    ends_in_equals: bool,
}

impl<'a> Quoted<'a> {
    fn read(inside: &'a [u8], quote: u8) -> Self {
        // Nearly always the quote closes before there is any escape.
        let end = inside.iter().position(|byte| *byte == quote || *byte == b'\\');
        match end.and_then(|end| inside.split_at_checked(end)) {
            Some((text, [byte, after @ ..])) if *byte == quote => Self::plain(inside, text, after),
            _ => Self::with_escapes(inside, quote),
        }
    }

    fn plain(inside: &'a [u8], text: &'a [u8], after: &'a [u8]) -> Self {
        let comma = text.iter().position(|byte| *byte == b',').and_then(|place| inside.get(place..));
        let behind = comma.and_then(|comma| comma.get(..comma.len().checked_sub(after.len())?));
        Self {
            text: Cow::Borrowed(text),
            after: Some(after),
            comma,
            equals_after_comma: behind.is_some_and(|behind| behind.contains(&b'=')),
            ends_in_equals: text.iter().rev().find(|byte| !is_blank(**byte)) == Some(&b'='),
        }
    }

    fn with_escapes(inside: &'a [u8], quote: u8) -> Self {
        let mut string = Self {
            text: Cow::Borrowed(&[]),
            after: None,
            comma: None,
            equals_after_comma: false,
            ends_in_equals: false,
        };
        // The text once it differs from what stands there: behind the first escape.
        let mut unescaped: Option<Vec<u8>> = None;
        let mut escaped = false;
        let mut rest = inside;
        while let Some((&byte, tail)) = rest.split_first() {
            if byte == quote && !escaped {
                string.after = Some(tail);
                break;
            }
            if byte == b',' && string.comma.is_none() {
                string.comma = Some(rest);
            }
            string.equals_after_comma |= byte == b'=' && string.comma.is_some();
            escaped = byte == b'\\' && !escaped;
            if escaped {
                let before = inside.len().saturating_sub(rest.len());
                unescaped.get_or_insert_with(|| inside.get(..before).unwrap_or_default().to_vec());
            } else {
                if let Some(text) = &mut unescaped {
                    text.push(byte);
                }
                string.ends_in_equals = byte == b'=' || (string.ends_in_equals && is_blank(byte));
            }
            rest = tail;
        }
        let length = inside.len().saturating_sub(rest.len());
        let plain = Cow::Borrowed(inside.get(..length).unwrap_or_default());
        string.text = unescaped.map_or(plain, Cow::Owned);
        string
    }
}

/// Whether what follows a closing quote leaves no doubt that it closes.
fn is_divided(after: &[u8]) -> bool {
    after.first().is_none_or(|&byte| is_blank(byte) || matches!(byte, b',' | b';'))
}

/// `tchar` of RFC 9110 §5.6.2.
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A word is a token or a token68, which may start with a slash.
fn begins_word(byte: u8) -> bool {
    is_token_byte(byte) || byte == b'/'
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What has no escape is read in one go, and as what has one would be.
    #[test]
    fn a_string_without_escapes_is_read_as_one_with_them() {
        let letters = b"a,= \"";
        for number in 0..5_usize.pow(6) {
            let text: Vec<_> = (0..6).map(|place| letters[number / 5_usize.pow(place) % 5]).collect();
            let (one, other) = (Quoted::read(&text, b'"'), Quoted::with_escapes(&text, b'"'));
            let all = |it: Quoted<'_>| {
                let (after, comma) = (it.after.map(<[u8]>::to_vec), it.comma.map(<[u8]>::to_vec));
                (it.text.to_vec(), after, comma, it.equals_after_comma, it.ends_in_equals)
            };
            assert_eq!(all(one), all(other), "{:?}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn an_escaped_quote_at_the_beginning_closes_nothing() {
        for (inside, text, after) in
            [(r#"\"x\"", y"#, r#""x""#, ", y"), (r#"\\", y"#, r"\", ", y"), (r#""x"#, "", "x")]
        {
            let string = Quoted::read(inside.as_bytes(), b'"');
            assert_eq!((&*string.text, string.after), (text.as_bytes(), Some(after.as_bytes())), "{inside}");
        }
    }

    #[test]
    fn what_a_string_with_escapes_ends_in_is_seen() {
        for (inside, ends, behind) in [
            (r#"\a,b= ""#, true, true),
            (r#"\a=,b ""#, false, false),
            (r#"\a,b=c""#, false, true),
            (r#"\a= ,""#, false, false),
            (r#"\a,b\=""#, true, true),
        ] {
            let string = Quoted::read(inside.as_bytes(), b'"');
            assert!(string.comma.is_some_and(|comma| comma.starts_with(b",")), "{inside}");
            assert_eq!((string.ends_in_equals, string.equals_after_comma), (ends, behind), "{inside}");
        }
    }
}
