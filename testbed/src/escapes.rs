//! JSON as other writers escape it.
//!
//! RFC 8259 §7 lets a writer escape any character, and readers must see no difference. A client that looks for a secret
//! in the text of an answer, rather than in what the text says, does not find it there.

use std::fmt::Write as _;

use http::header;

use crate::message::Answer;

/// What is escaped in JSON beyond what must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonEscapes {
    /// Nothing.
    Least,
    /// `\/`, and all that is not ASCII as `\uXXXX` with small digits: `json_encode` of PHP.
    Php,
    /// `"`, `&`, `'`, `+`, `<`, `>`, the backtick, and all that is not ASCII, as `\uXXXX` with capital digits:
    /// `System.Text.Json` of .NET.
    DotNet,
}

impl JsonEscapes {
    /// The same answer in this spelling. Whatever is no JSON stays as it is.
    pub(crate) fn spell(self, mut answer: Answer) -> Answer {
        let is_json = answer.headers().get(header::CONTENT_TYPE).is_some_and(|it| it == "application/json");
        if self != Self::Least
            && is_json
            && let Ok(text) = std::str::from_utf8(answer.body())
        {
            *answer.body_mut() = self.text(text).into_bytes();
        }
        answer
    }

    fn text(self, text: &str) -> String {
        let mut spelled = String::with_capacity(text.len());
        let (mut within, mut characters) = (false, text.chars());
        while let Some(character) = characters.next() {
            match character {
                '"' => {
                    within = !within;
                    spelled.push('"');
                }
                // The escapes that serde_json writes: two characters, or a `u` whose digits need no more care.
                '\\' => match characters.next() {
                    Some('"') if self == Self::DotNet => spelled.push_str("\\u0022"),
                    escaped => {
                        spelled.push('\\');
                        spelled.extend(escaped);
                    }
                },
                '/' if within && self == Self::Php => spelled.push_str("\\/"),
                _ if within && self.escapes(character) => self.units(character, &mut spelled),
                _ => spelled.push(character),
            }
        }
        spelled
    }

    fn escapes(self, character: char) -> bool {
        !character.is_ascii() || (self == Self::DotNet && "&'+<>`".contains(character))
    }

    /// The UTF-16 of a character.
    fn units(self, character: char, spelled: &mut String) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing into a String does not fail.
            let _ = match self {
                Self::DotNet => write!(spelled, "\\u{unit:04X}"),
                _ => write!(spelled, "\\u{unit:04x}"),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::JsonEscapes;
    use crate::message;

    fn spelled(escapes: JsonEscapes, value: &Value) -> String {
        String::from_utf8(escapes.spell(message::json(200, value)).into_body()).unwrap()
    }

    #[test]
    fn each_writer_escapes_as_it_does_and_says_the_same() {
        let value = json!({ "a/b": "x+/y&'<>`\"\\\n", "naïve": ["Zoë", "😀"] });
        let least = spelled(JsonEscapes::Least, &value);
        assert_eq!(least, value.to_string());
        let php = spelled(JsonEscapes::Php, &value);
        assert_eq!(php, r#"{"a\/b":"x+\/y&'<>`\"\\\n","na\u00efve":["Zo\u00eb","\ud83d\ude00"]}"#);
        let dotnet = spelled(JsonEscapes::DotNet, &value);
        assert_eq!(
            dotnet,
            r#"{"a/b":"x\u002B/y\u0026\u0027\u003C\u003E\u0060\u0022\\\n","na\u00EFve":["Zo\u00EB","\uD83D\uDE00"]}"#
        );
        for text in [php, dotnet] {
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_stays_as_it_is() {
        let page = message::html(200, "<p>a/b+ë".to_owned());
        assert_eq!(JsonEscapes::DotNet.spell(page).into_body(), "<p>a/b+ë".as_bytes());
    }
}
