//! Text that came from elsewhere, made fit to be shown to a person.

/// At most `max` characters of `text`, with everything that could move a cursor, change a colour, reorder or
/// hide other text replaced by `\u{fffd}`.
pub fn clean(text: &str, max: usize) -> String {
    if is_clean(text, max) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len().min(max.saturating_mul(2)));
    for (count, letter) in text.chars().enumerate() {
        if count >= max {
            out.push('…');
            break;
        }
        out.push(if is_plain(letter) { letter } else { '\u{fffd}' });
    }
    out
}

/// Whether text is of `VSCHAR` alone, which is printable ASCII with the space: what RFC 6749 appendix A has for identifiers,
/// secrets, codes and refresh tokens.
pub(crate) fn is_vschar(text: &str) -> bool {
    // To look at every byte is less work than to stop at the first: many are looked at together.
    text.bytes().fold(true, |all, byte| all & matches!(byte, 0x20..=0x7e))
}

/// The same as [`clean`] for text that is given away: what needs no cleaning is not copied.
pub(crate) fn cleaned(text: String, max: usize) -> String {
    if is_clean(&text, max) { text } else { clean(&text, max) }
}

/// Whether nothing would be replaced and nothing cut. Nearly all that comes is printable ASCII; of the rest this may say
/// no where it is.
fn is_clean(text: &str, max: usize) -> bool {
    text.len() <= max && is_vschar(text)
}

/// The `error` and `error_description` grammar of RFC 6749 §4.1.2.1 is printable ASCII; real servers write words
/// in other scripts, which do no harm. Controls, bidirectional overrides and invisible characters do.
fn is_plain(letter: char) -> bool {
    !(letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            |  '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'))
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn terminal_escapes_and_overrides_are_replaced() {
        assert_eq!(clean("a\u{1b}[31mb", 80), "a\u{fffd}[31mb");
        assert_eq!(clean("a\u{202e}b\u{200b}c\r\nd", 80), "a\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}d");
        assert_eq!(clean("überall", 80), "überall");
    }

    #[test]
    fn letters_that_show_nothing_are_replaced() {
        for letter in
            "\u{34f}\u{115f}\u{1160}\u{17b4}\u{180b}\u{180f}\u{2060}\u{2800}\u{3164}\u{ffa0}\u{13430}\u{1bca0}\u{1d173}\u{fffc}"
                .chars()
        {
            assert_eq!(clean(&format!("a{letter}b"), 10), "a\u{fffd}b", "U+{:04X}", u32::from(letter));
        }
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(clean("abcdef", 3), "abc…");
        assert_eq!(clean("abc", 3), "abc");
    }
}
