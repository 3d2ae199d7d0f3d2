//! Reads PEM (RFC 7468) down to the one section that is wanted. Text between sections is passed over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::error::KeyError;
use crate::parts::Hidden;

/// The longest text that is read, in bytes. A key of 4096 bits and a chain of certificates fit well.
const MAX_PEM: usize = 64 << 10;
const CLAUSE: &str = "RFC 7468 §2";

/// How a private key is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Pkcs8,
    Sec1,
    Pkcs1,
}

/// What a section says it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Key(Form),
    Encrypted,
    /// A private key that cannot be used.
    Foreign(&'static str),
    PublicKey,
    /// Something that is no private key.
    Other(&'static str),
}

impl Label {
    fn read(label: &[u8]) -> Self {
        match label {
            b"PRIVATE KEY" => Self::Key(Form::Pkcs8),
            b"EC PRIVATE KEY" => Self::Key(Form::Sec1),
            b"RSA PRIVATE KEY" => Self::Key(Form::Pkcs1),
            b"ENCRYPTED PRIVATE KEY" => Self::Encrypted,
            b"OPENSSH PRIVATE KEY" => {
                Self::Foreign("a key in the format of OpenSSH (`ssh-keygen -p -m PKCS8` rewrites it)")
            }
            b"DSA PRIVATE KEY" => Self::Foreign("a DSA key"),
            label if label.ends_with(b" PRIVATE KEY") => Self::Foreign("a private key in another format"),
            b"PUBLIC KEY" => Self::PublicKey,
            b"RSA PUBLIC KEY" | b"SSH2 PUBLIC KEY" => Self::Other("a public key"),
            b"CERTIFICATE" | b"X509 CERTIFICATE" | b"TRUSTED CERTIFICATE" => Self::Other("a certificate"),
            b"CERTIFICATE REQUEST" | b"NEW CERTIFICATE REQUEST" => Self::Other("a certificate request"),
            b"EC PARAMETERS" => Self::Other("a curve"),
            _ => Self::Other("a section of another kind"),
        }
    }

    fn is_private(self) -> bool {
        match self {
            Self::Key(_) | Self::Encrypted | Self::Foreign(_) => true,
            Self::PublicKey | Self::Other(_) => false,
        }
    }
}

/// The private key in a text that may hold its certificates and its curve besides.
pub(crate) fn private(text: &[u8]) -> Result<(Form, Hidden), KeyError> {
    let sections = sections(text)?;
    let mut keys = sections.iter().filter(|section| section.label.is_private());
    let (first, others) = (keys.next(), keys.count());
    if others > 0 {
        return Err(KeyError::Several { count: others.saturating_add(1) });
    }
    let found = first.or(sections.first()).ok_or(malformed(shape(text)))?;
    match found.label {
        Label::Key(form) => Ok((form, found.decode()?)),
        Label::Encrypted => Err(KeyError::Encrypted),
        Label::Foreign(got) => Err(KeyError::Unsupported { got }),
        Label::PublicKey => Err(KeyError::NotPrivate { got: "a public key" }),
        Label::Other(got) => Err(KeyError::NotPrivate { got }),
    }
}

/// The one public key in a text.
pub(crate) fn public(text: &[u8]) -> Result<Hidden, KeyError> {
    let sections = sections(text)?;
    if sections.iter().any(|section| section.label.is_private()) {
        return Err(KeyError::NotPublic { got: "a private key" });
    }
    let mut keys = sections.iter().filter(|section| section.label == Label::PublicKey);
    match (keys.next(), keys.count()) {
        (Some(key), 0) => key.decode(),
        (Some(_), others) => Err(KeyError::Several { count: others.saturating_add(1) }),
        (None, _) => Err(KeyError::Malformed {
            clause: "RFC 7468 §13",
            expected: "a section PUBLIC KEY",
            got: match sections.first().map(|section| section.label) {
                Some(Label::Other(got)) => got,
                _ => shape(text),
            },
        }),
    }
}

struct Section<'a> {
    label: Label,
    lines: Vec<&'a [u8]>,
}

fn sections(text: &[u8]) -> Result<Vec<Section<'_>>, KeyError> {
    if text.len() > MAX_PEM {
        return Err(malformed("a text of more than 64 KiB"));
    }
    let mut sections = Vec::new();
    let mut open: Option<(&[u8], Vec<&[u8]>)> = None;
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii) {
        open = match (open, boundary(line, b"-----BEGIN "), boundary(line, b"-----END ")) {
            (None, Some(label), _) => Some((label, Vec::new())),
            (Some((label, lines)), None, Some(end)) if label == end => {
                sections.push(Section { label: Label::read(label), lines });
                None
            }
            (Some(_), None, Some(_)) => return Err(malformed("a section that ends with another label")),
            (Some(_), Some(_), _) => return Err(malformed("a section within a section")),
            (Some((label, mut lines)), None, None) => {
                lines.push(line);
                Some((label, lines))
            }
            (None, None, _) => None,
        };
    }
    match open {
        None => Ok(sections),
        Some(_) => Err(malformed("a section without its last line")),
    }
}

/// The label in the line that begins or ends a section.
fn boundary<'a>(line: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(mark)?.strip_suffix(b"-----")
}

impl Section<'_> {
    fn decode(&self) -> Result<Hidden, KeyError> {
        // RFC 1421 §4.6.1.1: the old way to encrypt, and its header fields.
        if self.lines.iter().any(|line| line.starts_with(b"Proc-Type:")) {
            return Err(KeyError::Encrypted);
        }
        // As large as it can get, so that no copy is left behind when it grows.
        let mut joined = Zeroizing::new(Vec::with_capacity(self.lines.iter().map(|line| line.len()).sum()));
        self.lines.iter().for_each(|line| joined.extend_from_slice(line));
        let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(joined.len())]);
        let length = STANDARD
            .decode_slice(&*joined, &mut bytes)
            .map_err(|_| malformed("a section that is no base64"))?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// What a text without any section seems to be.
fn shape(text: &[u8]) -> &'static str {
    match text.trim_ascii_start() {
        [] => "nothing",
        [b'{', ..] => "JSON (a JWK is read by `from_jwk`)",
        [0x30, 0x81 | 0x82, ..] => "DER (`openssl pkey -inform DER` rewrites a key)",
        _ => "a text without any section",
    }
}

fn malformed(got: &'static str) -> KeyError {
    KeyError::Malformed { clause: CLAUSE, expected: "PEM", got }
}
