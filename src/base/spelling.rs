//! How a text may be spelled where somebody quotes it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// What some escape in JSON and in HTML though they need not.
const ESCAPED: [char; 8] = ['"', '&', '\'', '+', '/', '<', '=', '>'];

/// The signs that percent-encoding leaves as they are, beside letters and digits: by RFC 3986 §2.3, in a form, where nothing is left
/// to chance, and by the functions of .NET, JavaScript and Python for a part of a URL, and for a whole one.
const KEPT: [&str; 7] = ["-._~", "*-._", "-._", "!()*-._", "!'()*-._~", "-./_~", "!#$&'()*+,-./:;=?@_~"];

/// The text as it is, and then as it stands in a form, in a URL (and in the query of another URL), in JSON and in HTML; each
/// spelling once. Other letters, a part of it, and what it is wrapped in as a whole (base64) are not foreseen.
pub(crate) fn spellings(text: &str) -> Vec<String> {
    let mut all = vec![text.to_owned()];
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')) {
        // Nobody has a reason to spell these otherwise.
        return all;
    }
    for kept in KEPT {
        let upper = percent(text, kept, |byte| format!("%{byte:02X}"));
        let lower = percent(text, kept, |byte| format!("%{byte:02x}"));
        for percent in [upper, lower] {
            if percent != text {
                all.extend([percent.replace("%20", "+"), percent.replace('%', "%25")]);
            }
            all.push(percent);
        }
    }
    let quoted = Value::from(text).to_string();
    let quoted = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    let html = |solidus: &str| {
        let text =
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        text.replace('/', solidus)
    };
    // The escapes of JSON that need not be (RFC 8259 §7).
    let upper: fn(u16) -> String = |unit| format!("\\u{unit:04X}");
    for unit in [upper, |unit| format!("\\u{unit:04x}")] {
        let escape = |letter: char| letter.encode_utf16(&mut [0; 2]).iter().copied().map(unit).collect();
        for quoted in [quoted.to_owned(), quoted.replace('/', "\\/"), escaped(text, escape)] {
            let ascii = |letter: char| if letter.is_ascii() { letter.to_string() } else { escape(letter) };
            all.extend([quoted.chars().map(ascii).collect(), quoted]);
        }
    }
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

/// Header, claims and signature of a JWS in compact form (RFC 7515 §7.1), each in base64url; `None`: it is none. Whoever quotes
/// it may leave one out.
pub(crate) fn jws_parts(text: &str) -> Option<[&str; 3]> {
    let mut parts = text.split('.');
    let all = [parts.next()?, parts.next()?, parts.next()?];
    let [header, ..] = all;
    let header = URL_SAFE_NO_PAD.decode(header).ok()?;
    (header.trim_ascii_start().starts_with(b"{") && parts.next().is_none()).then_some(all)
}

/// With the digits of percent-encoding in the one case or the other, which means the same (RFC 3986 §2.1).
fn percent(text: &str, kept: &str, encode: impl Fn(u8) -> String) -> String {
    let mut all = String::new();
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() || kept.contains(letter) {
            all.push(letter);
        } else {
            let mut bytes = [0; 4];
            all.extend(letter.encode_utf8(&mut bytes).bytes().map(&encode));
        }
    }
    all
}

/// With these escapes for what is escaped though it need not be.
fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
    let letter = |letter: char| if ESCAPED.contains(&letter) { escape(letter) } else { letter.to_string() };
    text.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::{jws_parts, spellings};

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
        let all = spellings("a~/!('\u{e9}')*");
        for spelling in [
            "a%7E%2F%21%28%27%C3%A9%27%29*",
            "a~%2f%21%28%27%c3%a9%27%29%2a",
            "a~%2F!('%C3%A9')*",
            "a~/%21%28%27%C3%A9%27%29%2A",
            "a~/!('%C3%A9')*",
            "a~%252F%2521%2528%2527%25C3%25A9%2527%2529%252A",
            "a~/!('\\u00e9')*",
            "a~\\/!('\\u00E9')*",
            "a~\\u002f!(\\u0027\\u00e9\\u0027)*",
        ] {
            assert_eq!(all.iter().filter(|it| *it == spelling).count(), 1, "{spelling} in {all:?}");
        }
        assert!(spellings("\u{1f511}").contains(&"\\ud83d\\udd11".to_owned()));
        assert_eq!(spellings("plain-token_1"), ["plain-token_1"]);
    }

    #[test]
    fn the_parts_of_a_jws() {
        assert_eq!(jws_parts("e30.e30.c2ln"), Some(["e30", "e30", "c2ln"]));
        // Space before the object; no claims that are any; no signature (RFC 7515 §3.1, RFC 7519 §6).
        assert_eq!(jws_parts("IHsgfQ.e30.c2ln"), Some(["IHsgfQ", "e30", "c2ln"]));
        assert_eq!(jws_parts("e30.?."), Some(["e30", "?", ""]));
        for none in ["", "e30", "e30.e30", "e30.e30.c2ln.x", "mcp.example.com", "W10.e30.c2ln", "e3.e30.c2ln"]
        {
            assert_eq!(jws_parts(none), None, "{none}");
        }
    }
}
