//! Cuts one field into schemes and parameters, reading each byte a bounded number of times.

/// What a field consists of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Scheme { name: String, token68: Option<String> },
    Parameter { name: String, value: String },
}

pub(super) struct Lexer<'a> {
    rest: &'a [u8],
    /// How many bytes stand after the last `"`, and after the last `'`: tells at once whether a quote is closed.
    after_last: [usize; 2],
}

impl<'a> Lexer<'a> {
    pub(super) fn new(field: &'a [u8]) -> Self {
        let after = |quote| {
            let place = field.iter().rposition(|byte| *byte == quote);
            place.map_or(usize::MAX, |place| field.len().saturating_sub(place).saturating_sub(1))
        };
        Self { rest: field, after_last: [after(b'"'), after(b'\'')] }
    }

    /// Takes the bytes for which `keep` holds.
    fn take(&mut self, keep: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !keep(*byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    fn next_is(&self, wanted: u8) -> bool {
        self.rest.first() == Some(&wanted)
    }

    fn skip_one(&mut self) {
        self.rest = self.rest.split_first().map_or(&[], |(_, rest)| rest);
    }

    /// Passes over something that cannot be read, up to the next comma or blank. A quoted string in it is passed
    /// over whole, so that nothing inside it is taken for a challenge.
    fn skip_garbage(&mut self) {
        match self.rest.first() {
            Some(b'"') if self.is_closed(b'"') => drop(self.quoted(b'"')),
            Some(_) => {
                self.skip_one();
                self.take(|byte| !is_blank(byte) && byte != b',' && byte != b'"');
            }
            None => {}
        }
    }

    /// Whether the quote that stands next has another one after it. One that has not is an ordinary character, so
    /// that it does not swallow the challenges behind it.
    fn is_closed(&self, quote: u8) -> bool {
        let [double, single] = self.after_last;
        let after = if quote == b'"' { double } else { single };
        after < self.rest.len().saturating_sub(1)
    }

    /// A quoted string, its escapes undone (RFC 9110 §5.6.4).
    fn quoted(&mut self, quote: u8) -> String {
        let mut bytes = Vec::new();
        self.skip_one();
        while let Some((first, rest)) = self.rest.split_first() {
            self.rest = rest;
            if *first == quote {
                break;
            }
            if *first == b'\\'
                && let Some((escaped, rest)) = rest.split_first()
            {
                self.rest = rest;
                bytes.push(*escaped);
            } else {
                bytes.push(*first);
            }
        }
        lossy(&bytes)
    }

    /// What follows `=`. A value that is neither a token nor quoted, such as a bare URL, reaches to the next comma
    /// or blank.
    fn value(&mut self) -> String {
        match self.rest.first() {
            Some(quote @ (b'"' | b'\'')) if self.is_closed(*quote) => self.quoted(*quote),
            _ => lossy(self.take(|byte| !is_blank(byte) && byte != b',')),
        }
    }

    /// Whether what follows is the token68 of a scheme: characters of its alphabet, `=` only at their end, and then
    /// the end of the challenge. A name before `=` and a value is a parameter instead.
    fn token68(&mut self) -> Option<String> {
        let body = self.rest.iter().position(|byte| !is_token68(*byte)).unwrap_or(self.rest.len());
        let padding = self.rest.iter().skip(body).take_while(|byte| **byte == b'=').count();
        let end = body.saturating_add(padding);
        let (candidate, after) = self.rest.split_at_checked(end)?;
        let blanks = after.iter().take_while(|byte| is_blank(**byte)).count();
        let ends = after.get(blanks).is_none_or(|byte| *byte == b',');
        if body == 0 || !ends {
            return None;
        }
        self.rest = after;
        Some(lossy(candidate))
    }
}

impl Iterator for Lexer<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        loop {
            self.take(|byte| is_blank(byte) || byte == b',');
            self.rest.first()?;
            let name = self.take(is_token);
            if name.is_empty() {
                self.skip_garbage();
                continue;
            }
            let before = self.rest;
            let blanks = self.take(is_blank);
            if self.next_is(b'=') {
                self.skip_one();
                self.take(is_blank);
                return Some(Piece::Parameter { name: lossy(name), value: self.value() });
            }
            let ends = self.rest.first().is_none_or(|byte| *byte == b',');
            if blanks.is_empty() && !ends {
                // A name that runs into something else is no name.
                self.rest = before;
                self.skip_garbage();
                continue;
            }
            let token68 = if ends { None } else { self.token68() };
            return Some(Piece::Scheme { name: lossy(name), token68 });
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 9110 §11.2.
fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
}
