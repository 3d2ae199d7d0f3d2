//! Paths that are more than they look: what servers make of escapes and odd letters in them.

/// Whether a path hides a dot or a backslash in an escape.
pub(super) fn hides(path: &str) -> bool {
    let folded = || path.to_ascii_lowercase();
    path.contains('%') && (folded().contains("%2e") || folded().contains("%5c"))
}

/// Whether a segment is `..` for some server: one that decodes once or several times, overlong UTF-8 and full-width
/// letters among it, that takes a backslash for a slash, cuts off path parameters (RFC 3986 §3.3) or what follows a control
/// character, a `?` or a `#`, or passes over blanks. A path that is escaped beyond that has no good reason to be.
pub(super) fn climbs(path: &str) -> bool {
    let mut letters = unescaped(unescaped(unescaped(path.bytes())));
    let mut dots = Some(0_u8);
    while let Some(letter) = letters.next() {
        let (letter, left) = plain(letter, &letters);
        letters = left;
        dots = match letter {
            b'/' | b'\\' | b';' | b'?' | b'#' | 0..0x20 | 0x7f if dots == Some(2) => return true,
            b'/' | b'\\' => Some(0),
            b'.' => dots.and_then(|dots| dots.checked_add(1)),
            b'%' if digits(&letters).is_some() => return true,
            0..=0x20 | 0x7f => dots,
            _ => None,
        };
    }
    dots == Some(2)
}

/// The octets with one level of percent-encoding taken off.
fn unescaped(mut octets: impl Iterator<Item = u8> + Clone) -> impl Iterator<Item = u8> + Clone {
    std::iter::from_fn(move || {
        let octet = octets.next()?;
        let escaped = if octet == b'%' { digits(&octets) } else { None };
        match escaped {
            Some((decoded, left)) => {
                octets = left;
                Some(decoded)
            }
            None => Some(octet),
        }
    })
}

/// The octet that two hexadecimal digits stand for, and what is left after them.
fn digits<I: Iterator<Item = u8> + Clone>(octets: &I) -> Option<(u8, I)> {
    let mut left = octets.clone();
    let mut digit = || left.next().and_then(|digit| char::from(digit).to_digit(16));
    let (high, low) = (digit()?, digit()?);
    u8::try_from(high << 4 | low).ok().map(|octet| (octet, left))
}

/// The letter that begins with this octet, as a careless decoder of UTF-8 reads it if it is one of those that matter here,
/// and what is left after it.
fn plain<I: Iterator<Item = u8> + Clone>(octet: u8, rest: &I) -> (u8, I) {
    let mut left = rest.clone();
    let mut next = || left.next().unwrap_or_default();
    let letter = match octet {
        // Overlong forms of two, three and four octets.
        0xc0 | 0xc1 => Some((octet & 1) << 6 | next() & 0x3f),
        0xe0 => Some((next(), next()))
            .filter(|(a, _)| matches!(a, 0x80 | 0x81))
            .map(|(a, b)| (a & 1) << 6 | b & 0x3f),
        0xf0 => Some((next(), next(), next()))
            .filter(|(a, b, _)| *a == 0x80 && matches!(b, 0x80 | 0x81))
            .map(|(_, b, c)| (b & 1) << 6 | c & 0x3f),
        // Full-width forms: U+FF01 and on stand for `!` and on.
        0xef => match (next(), next()) {
            (0xbc, c @ 0x81..=0xbf) => Some((c & 0x3f).saturating_add(0x20)),
            _ => None,
        },
        _ => None,
    };
    match letter {
        Some(letter) => (letter, left),
        None => (octet, rest.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlong_and_wide_forms_are_the_letter_that_they_stand_for() {
        for (octets, letter, left) in [
            (&[0xc0, 0xae, b'x'][..], b'.', 1),
            (&[0xc1, 0x9c, b'x'], b'\\', 1),
            (&[0xe0, 0x80, 0xaf], b'/', 0),
            (&[0xe0, 0x81, 0x9c], b'\\', 0),
            (&[0xf0, 0x80, 0x80, 0xae, b'x'], b'.', 1),
            (&[0xf0, 0x80, 0x81, 0x9c], b'\\', 0),
            (&[0xef, 0xbc, 0x8f], b'/', 0),
            // Longer letters that are no such form.
            (&[0xe0, 0xa4, 0x85], 0xe0, 2),
            (&[0xf0, 0x9f, 0x80, 0x80], 0xf0, 3),
            (&[0xf0, 0x80, 0x9f, 0x80], 0xf0, 3),
            (&[0xef, 0xbd, 0x81], 0xef, 2),
        ] {
            let (first, rest) = octets.split_first().unwrap();
            let (read, after) = plain(*first, &rest.iter().copied());
            assert_eq!((read, after.count()), (letter, left), "{octets:x?}");
        }
    }
}
