//! Bytes and header fields in a trace: text where they are UTF-8, else base64.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};

/// The fields of a response that the machine reads. What others hold is nobody's business, cookies among it.
const READ: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    HeaderName::from_static("dpop-nonce"),
    header::LOCATION,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
];

/// Bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Octets {
    Text(String),
    Other { base64: String },
}

/// Name and value of each field.
pub(super) type Fields = Vec<(String, Octets)>;

impl From<&[u8]> for Octets {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Other { base64: URL_SAFE_NO_PAD.encode(bytes) },
        }
    }
}

impl Octets {
    /// The bytes; `None` where the base64 is none.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.as_bytes().to_vec()),
            Self::Other { base64 } => URL_SAFE_NO_PAD.decode(base64).ok(),
        }
    }
}

/// The fields of a response that the machine reads.
pub(super) fn read(fields: &HeaderMap) -> Fields {
    written(fields.iter().filter(|(name, _)| READ.contains(name)))
}

/// Whether the machine reads the field of a response that is called so, in whatever letters.
pub(super) fn is_read(name: &str) -> bool {
    READ.iter().any(|read| name.eq_ignore_ascii_case(read.as_str()))
}

/// All fields of a request.
pub(super) fn all(fields: &HeaderMap) -> Fields {
    written(fields.iter())
}

fn written<'a>(fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>) -> Fields {
    fields.map(|(name, value)| (name.as_str().to_owned(), Octets::from(value.as_bytes()))).collect()
}

/// The fields again; `None` where one cannot be.
pub(super) fn fields(written: &Fields) -> Option<HeaderMap> {
    let field = |(name, value): &(String, Octets)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(&value.bytes()?).ok()?))
    };
    let mut fields = HeaderMap::new();
    for written in written {
        let (name, value) = field(written)?;
        fields.append(name, value);
    }
    Some(fields)
}
