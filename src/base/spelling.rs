//! How a text may be spelled where somebody quotes it.

use serde_json::Value;
use url::form_urlencoded::byte_serialize;

/// What some escape in JSON and in HTML though they need not.
const ESCAPED: [char; 8] = ['"', '&', '\'', '+', '/', '<', '=', '>'];

/// The text as it is, and then as it stands in a form, in a URL, in JSON and in HTML; each spelling once. Other letters, a
/// part of it, and what it is wrapped in as a whole (base64) are not foreseen.
pub(crate) fn spellings(text: &str) -> Vec<String> {
    let mut all = vec![text.to_owned()];
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')) {
        // Nobody has a reason to spell these otherwise.
        return all;
    }
    let form: String = byte_serialize(text.as_bytes()).collect();
    let percent = form.replace('+', "%20");
    let quoted = Value::from(text).to_string();
    let quoted = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    let html = |solidus: &str| {
        let text =
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        text.replace('/', solidus)
    };
    all.extend([lower(&form), lower(&percent), form, percent, quoted.to_owned(), quoted.replace('/', "\\/")]);
    // The escapes of JSON that need not be (RFC 8259 §7).
    all.extend([
        escaped(text, |letter| format!("\\u{:04x}", u32::from(letter))),
        escaped(text, |letter| format!("\\u{:04X}", u32::from(letter))),
    ]);
    all.extend(["/", "&#x2F;", "&#x2f;", "&#47;"].map(html));
    all.extend([
        escaped(text, |letter| format!("&#x{:X};", u32::from(letter))),
        escaped(text, |letter| format!("&#x{:x};", u32::from(letter))),
        escaped(text, |letter| format!("&#{};", u32::from(letter))),
    ]);
    let mut once = Vec::new();
    for spelling in all {
        if !once.contains(&spelling) {
            once.push(spelling);
        }
    }
    once
}

/// The digits of percent-encoding in lower case, which means the same (RFC 3986 §2.1).
fn lower(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| match part.split_at_checked(2) {
        Some((digits, rest)) => format!("{all}%{}{rest}", digits.to_lowercase()),
        None => format!("{all}%{part}"),
    })
}

/// With these escapes for what is escaped though it need not be.
fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
    let letter = |letter: char| if ESCAPED.contains(&letter) { escape(letter) } else { letter.to_string() };
    text.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::spellings;

    #[test]
    fn every_usual_spelling_is_there_once() {
        let all = spellings("a/b+c&d=");
        for spelling in [
            "a/b+c&d=",
            "a%2Fb%2Bc%26d%3D",
            "a%2fb%2bc%26d%3d",
            "a\\/b+c&d=",
            "a\\u002fb\\u002bc\\u0026d\\u003d",
            "a\\u002Fb\\u002Bc\\u0026d\\u003D",
            "a/b+c&amp;d=",
            "a&#x2F;b+c&amp;d=",
            "a&#47;b+c&amp;d=",
            "a&#x2F;b&#x2B;c&#x26;d&#x3D;",
        ] {
            assert_eq!(all.iter().filter(|it| *it == spelling).count(), 1, "{spelling} in {all:?}");
        }
        assert!(
            spellings("a b").contains(&"a%20b".to_owned()) && spellings("a b").contains(&"a+b".to_owned())
        );
        assert_eq!(spellings("plain-token_1"), ["plain-token_1"]);
    }
}
