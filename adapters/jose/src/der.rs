//! Reads DER, and only DER: definite lengths in as few bytes as they need (X.690 §10.1), nothing left over.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
/// `[0]` and `[1]`, constructed.
pub(crate) const CONTEXT_0: u8 = 0xa0;
pub(crate) const CONTEXT_1: u8 = 0xa1;
/// `[1]`, primitive.
pub(crate) const CONTEXT_1_PRIMITIVE: u8 = 0x81;

/// Elements that follow each other. Whatever is no DER is `None`: what that means is for the caller to say.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What is in the one element, of this kind, that the bytes are.
    pub(crate) fn only(bytes: &'a [u8], tag: u8) -> Option<&'a [u8]> {
        let mut reader = Self::new(bytes);
        let value = reader.expect(tag)?;
        reader.end().then_some(value)
    }

    /// The next element: its tag, and what is in it. At most 64 KiB, which is far more than a key needs.
    pub(crate) fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        // Tags of more than one byte are nowhere in a key.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, least, rest) = match first {
            0..=0x7f => (usize::from(first), 0, rest),
            0x81 => {
                let (&length, rest) = rest.split_first()?;
                (usize::from(length), 0x80, rest)
            }
            0x82 => {
                let (&length, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(length)), 0x100, rest)
            }
            _ => return None,
        };
        if length < least {
            return None;
        }
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    /// What is in the next element, which must be of this kind.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.element().filter(|(found, _)| *found == tag).map(|(_, value)| value)
    }

    /// What is in the next element, if it is of this kind.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let value = ahead.expect(tag)?;
        *self = ahead;
        Some(value)
    }

    /// An integer that is not negative, without leading zeros. Zero is one byte.
    pub(crate) fn unsigned(&mut self) -> Option<&'a [u8]> {
        let value = self.expect(INTEGER)?;
        match value {
            [] => None,
            // A zero in front only where the next byte would make the number negative (X.690 §8.3.2).
            [0, rest @ ..] => match rest.first() {
                None => Some(value),
                Some(0x80..=0xff) => Some(rest),
                Some(_) => None,
            },
            [0x80..=0xff, ..] => None,
            _ => Some(value),
        }
    }

    /// Whether nothing is left.
    pub(crate) fn end(&self) -> bool {
        self.0.is_empty()
    }
}

/// The bytes of a bit string that is made of whole bytes.
pub(crate) fn whole_bytes(bit_string: &[u8]) -> Option<&[u8]> {
    bit_string.split_first().filter(|(unused, _)| **unused == 0).map(|(_, bytes)| bytes)
}
