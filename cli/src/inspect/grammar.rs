//! `WWW-Authenticate` held against the letter of RFC 9110 §11. The core reads what is meant; a server's author wants to
//! know where it is not what is written.

/// The first fault of each field value, in words; none where the grammar is kept.
pub(crate) fn faults(fields: &[&[u8]]) -> Vec<String> {
    fields.iter().filter_map(|field| Reader { field, at: 0 }.challenges().err()).collect()
}

struct Reader<'a> {
    field: &'a [u8],
    at: usize,
}

/// What a list member turned out to be.
enum Member {
    Scheme,
    Parameter,
}

impl Reader<'_> {
    /// `#challenge`: schemes with parameters, all divided by commas. Empty members are allowed (RFC 9110 §5.6.1.2).
    fn challenges(mut self) -> Result<(), String> {
        let mut any = false;
        loop {
            self.blanks();
            match self.peek() {
                None if any => return Ok(()),
                None => return Err("an empty field".to_owned()),
                Some(b',') => self.at += 1,
                Some(_) => {
                    match self.member()? {
                        Member::Parameter if !any => return Err("a parameter before any scheme".to_owned()),
                        Member::Parameter | Member::Scheme => any = true,
                    }
                    self.blanks();
                    if !matches!(self.peek(), None | Some(b',')) {
                        return Err(self.fault("no comma before the next parameter"));
                    }
                }
            }
        }
    }

    /// A scheme alone, a scheme with a token68 or its first parameter, or one more parameter.
    fn member(&mut self) -> Result<Member, String> {
        self.token()?;
        if self.peek() == Some(b'=') {
            self.value()?;
            return Ok(Member::Parameter);
        }
        if self.blanks() == 0 || matches!(self.peek(), None | Some(b',')) {
            return Ok(Member::Scheme);
        }
        if self.peek() == Some(b'=') {
            return Err(self.fault("blanks before an equals sign"));
        }
        let begin = self.at;
        if self.token68() {
            return Ok(Member::Scheme);
        }
        self.at = begin;
        self.token()?;
        if matches!(self.peek(), Some(b' ' | b'\t')) {
            self.blanks();
            let fault = if self.peek() == Some(b'=') {
                "blanks before an equals sign"
            } else {
                "a parameter without a value"
            };
            return Err(self.fault(fault));
        }
        self.value()?;
        Ok(Member::Scheme)
    }

    /// A token68 that ends its list member.
    fn token68(&mut self) -> bool {
        let begin = self.at;
        self.skip(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
        let some = self.at > begin;
        self.skip(|byte| byte == b'=');
        let end = self.at;
        self.blanks();
        let ends = matches!(self.peek(), None | Some(b','));
        self.at = end;
        some && ends
    }

    fn value(&mut self) -> Result<(), String> {
        if self.peek() != Some(b'=') {
            return Err(self.fault("a parameter without a value"));
        }
        self.at += 1;
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b' ' | b'\t') => Err(self.fault("blanks after an equals sign")),
            Some(b'\'') => Err(self.fault("single quotes around a value")),
            _ => {
                self.token()?;
                // What a token cannot hold, a URL does.
                match self.peek() {
                    None | Some(b',' | b' ' | b'\t') => Ok(()),
                    Some(_) => Err(self.fault("a value without quotes that needs them")),
                }
            }
        }
    }

    fn quoted(&mut self) -> Result<(), String> {
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err("a quote that never ends".to_owned()),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.at += 2,
                Some(byte) if byte == b'\t' || (byte >= 0x20 && byte != 0x7f) => self.at += 1,
                Some(_) => return Err(self.fault("a control character in a quoted value")),
            }
        }
    }

    fn token(&mut self) -> Result<(), String> {
        let begin = self.at;
        self.skip(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        if self.at > begin { Ok(()) } else { Err(self.fault("a character that begins nothing")) }
    }

    fn blanks(&mut self) -> usize {
        let begin = self.at;
        self.skip(|byte| matches!(byte, b' ' | b'\t'));
        self.at - begin
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.field.get(self.at).copied()
    }

    fn fault(&self, what: &str) -> String {
        let near = self.field.get(self.at..).unwrap_or_default();
        let near = near.get(..16).unwrap_or(near);
        format!("{what}, at byte {}: {}", self.at, String::from_utf8_lossy(near))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_grammar_allows_passes() {
        for field in [
            "Bearer",
            "Bearer realm=\"x\"",
            "Bearer realm=x, scope=\"a b\"",
            "Basic realm=\"a, \\\"b\\\"\", Bearer scope=\"x\" , error=\"y\"",
            "Negotiate YWJj==, Bearer",
            ", Bearer ,, Basic",
            "Bearer resource_metadata=\"https://a.example/x?y='z'\"",
        ] {
            assert_eq!(faults(&[field.as_bytes()]), Vec::<String>::new(), "{field}");
        }
    }

    #[test]
    fn each_fault_is_named_with_its_place() {
        for (field, fault) in [
            ("", "an empty field"),
            ("realm=\"x\"", "a parameter before any scheme"),
            ("Bearer scope=\"a\" error=\"b\"", "no comma before the next parameter, at byte 17: error=\"b\""),
            (
                "Bearer resource_metadata=https://a.example",
                "a value without quotes that needs them, at byte 30: ",
            ),
            ("Bearer resource_metadata='https://a.example'", "single quotes around a value, at byte 25: "),
            ("Bearer scope = \"a\"", "blanks before an equals sign, at byte 13: "),
            ("Bearer scope= \"a\"", "blanks after an equals sign"),
            ("Bearer scope=\"a", "a quote that never ends"),
            ("Bearer a=\"b\", \"c\"", "a character that begins nothing"),
            ("Bearer a=\"b\", c d e", "a parameter without a value"),
        ] {
            let found = faults(&[field.as_bytes()]);
            assert!(found.len() == 1 && found[0].starts_with(fault), "{field}: {found:?}");
        }
    }
}
