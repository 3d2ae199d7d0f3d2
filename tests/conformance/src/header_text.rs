//! Text in a header, as the 2026-07-28 transport encodes it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The text itself where a header can carry it, else its Base64 between the sentinels. Text that looks encoded is
/// encoded once more, so that a server decodes exactly what was meant.
pub(crate) fn encode(text: &str) -> String {
    let looks_encoded = text.starts_with("=?base64?") && text.ends_with("?=");
    let edges_survive = text.trim_matches([' ', '\t']).len() == text.len();
    let carried = text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    if carried && edges_survive && !looks_encoded {
        text.to_owned()
    } else {
        format!("=?base64?{}?=", STANDARD.encode(text))
    }
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn the_examples_of_the_specification() {
        for (text, header) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            assert_eq!(encode(text), header);
        }
    }

    #[test]
    fn inner_space_and_half_a_sentinel_need_no_encoding() {
        assert_eq!(encode("a b"), "a b");
        assert_eq!(encode("=?base64?x"), "=?base64?x");
    }
}
