//! Token revocation (RFC 7009).

use std::borrow::Cow;

use super::json::Object;
use super::refusal;
use crate::base::breach::{Breach, Kind};
use crate::base::secret::Secret;

const CLAUSE: &str = "RFC 7009 §2.2";

/// What kind of token is to be revoked (RFC 7009 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// A refresh token.
    RefreshToken,
    /// An access token.
    AccessToken,
}

impl Hint {
    /// Its registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefreshToken => "refresh_token",
            Self::AccessToken => "access_token",
        }
    }
}

/// The parameters of a revocation request, but for those of the client, which authenticates as it does at the token
/// endpoint.
pub fn parameters(token: &Secret, hint: Hint) -> Vec<(Cow<'static, str>, Secret)> {
    vec![("token".into(), token.clone()), ("token_type_hint".into(), Secret::from(hint.as_str()))]
}

/// Judges an answer. 200 means that the token is of no use any more, whether or not it was known (RFC 7009 §2.2).
///
/// # Errors
///
/// [`Kind::UnexpectedStatus`], if it passes by itself; else [`Kind::TokenEndpointError`], with the code of the error.
pub fn judge(status: u16, body: &[u8]) -> Result<(), Breach> {
    if status == 200 {
        return Ok(());
    }
    let kind = if refusal::passes(status) { Kind::UnexpectedStatus } else { Kind::TokenEndpointError };
    let read = Object::read(body).ok();
    let text = |name: &str| {
        let object = read.as_ref()?;
        object.text(name, CLAUSE).ok().flatten().map(str::to_owned)
    };
    let refuse = |got: String| Breach::new(kind, CLAUSE, "status 200", got);
    Err(match text("error") {
        Some(error) => {
            let described = text("error_description").unwrap_or_default();
            refuse(format!("status {status}: {error} {described}").trim_end().to_owned()).with_error(&error)
        }
        None => refuse(format!("status {status} without an OAuth error")),
    })
}
