//! `WWW-Authenticate` (RFC 9110 §11.6.1): every challenge of every field, and what they ask for together.
//!
//! ```text
//! fields      = #challenge
//! challenge   = scheme [ 1*SP ( token68 / #parameter ) ]
//! parameter   = token BWS "=" BWS ( token / quoted-string )
//! ```
//!
//! The grammar is ambiguous where a comma may part two parameters or two challenges; a token followed by `=` is a
//! parameter, any other begins a challenge. Servers break the grammar in known ways (unquoted URLs, single quotes,
//! parameters without commas), and what they mean is clear, so it is read. What cannot be read is passed over up
//! to the next comma: one bad challenge never hides a good one.

mod demand;
mod lexer;

pub use demand::Demand;

use lexer::{Lexer, Piece};

/// The most bytes that are read of all fields together.
pub const MAX_BYTES: usize = 8192;
/// The most challenges that are read.
pub const MAX_CHALLENGES: usize = 32;
/// The most parameters of one challenge that are read.
pub const MAX_PARAMETERS: usize = 32;

/// One challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    token68: Option<String>,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The scheme as given.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether it is of this scheme; case does not matter.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The token68, of schemes that have one instead of parameters.
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }

    /// The first value of a parameter; case of the name does not matter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.all_params().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All values of a parameter, in order.
    pub fn params<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.all_params().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All parameters in order, names in lower case.
    pub fn all_params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Reads the values of all `WWW-Authenticate` fields of one response, in order. Never fails; what is beyond
/// [`MAX_BYTES`] is not read.
pub fn read<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    let mut left = MAX_BYTES;
    for field in fields {
        let field = field.get(..left).unwrap_or(field);
        left = left.saturating_sub(field.len());
        // A field stands by itself: an open quote at its end does not reach into the next.
        read_field(field, &mut challenges);
    }
    challenges
}

fn read_field(field: &[u8], challenges: &mut Vec<Challenge>) {
    // Whether the challenge read last may take parameters still.
    let mut open = false;
    for piece in Lexer::new(field) {
        match piece {
            Piece::Scheme { name, token68 } => {
                open = challenges.len() < MAX_CHALLENGES;
                if open {
                    challenges.push(Challenge { scheme: name, token68, parameters: Vec::new() });
                }
            }
            Piece::Parameter { name, value } => {
                let last = challenges.last_mut().filter(|_| open);
                if let Some(last) = last.filter(|last| last.parameters.len() < MAX_PARAMETERS) {
                    last.parameters.push((name.to_ascii_lowercase(), value));
                }
            }
        }
    }
}
