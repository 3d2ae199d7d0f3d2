//! The authorization request (RFC 6749 §4.1.1) with PKCE (RFC 7636) and a resource indicator (RFC 8707): its
//! parameters, which the browser carries or which are pushed ahead ([`pushed`](super::pushed)), and the URL to open.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use url::Url;
use url::form_urlencoded;

use crate::base::breach::{Breach, Kind};
use crate::base::guard::Endpoint;
use crate::base::scope::Scopes;
use crate::base::secret::Secret;

/// How many parameters most requests have at most, those of the client among them: room for them is made at once.
const USUAL: usize = 12;
const CLAUSE: &str = "RFC 6749 §3.1";

/// Parameters that no extra one may be, and that no endpoint's own query may hold, sorted. Besides those of the
/// request itself they are those that would move the request or its answer elsewhere, and those of the answer.
pub const RESERVED: &[&str] = &[
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "dpop_jkt",
    "iss",
    "redirect_uri",
    "request",
    "request_uri",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// The S256 code challenge of a verifier (RFC 7636 §4.2).
pub fn code_challenge(verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()))
}

/// What a person is sent to the authorization server with.
#[derive(Clone, Copy, Debug)]
pub struct AuthorizationRequest<'a> {
    /// The authorization endpoint.
    pub endpoint: &'a Endpoint,
    /// The client identifier.
    pub client_id: &'a str,
    /// Where the answer comes back.
    pub redirect_uri: &'a str,
    /// The scopes asked for; none: `scope` is left out. With `offline_access`, `prompt=consent` is asked for too, unless
    /// `extra` or the endpoint's own query names another `prompt` (OpenID Connect Core §11).
    pub scopes: &'a Scopes,
    /// What the answer must carry.
    pub state: &'a str,
    /// The code challenge.
    pub code_challenge: &'a str,
    /// The resource, byte for byte.
    pub resource: Option<&'a str>,
    /// The thumbprint of the key that the token will be bound to (RFC 9449 §10).
    pub dpop_jkt: Option<&'a str>,
    /// Further parameters.
    pub extra: &'a [(String, String)],
}

impl<'a> AuthorizationRequest<'a> {
    /// Its parameters in order, whichever way they go.
    pub(crate) fn parameters(&self) -> Result<Vec<(&'a str, Cow<'a, str>)>, Breach> {
        check_extra(self.extra)?;
        let scope = (!self.scopes.is_empty()).then(|| self.scopes.as_str());
        let mut parameters = Vec::with_capacity(USUAL.saturating_add(self.extra.len()));
        parameters.extend([
            ("response_type", Cow::Borrowed("code")),
            ("client_id", self.client_id.into()),
            ("redirect_uri", self.redirect_uri.into()),
        ]);
        parameters.extend(scope.map(|scope| ("scope", scope.into())));
        parameters.extend([
            ("state", self.state.into()),
            ("code_challenge", self.code_challenge.into()),
            ("code_challenge_method", "S256".into()),
        ]);
        parameters.extend(self.resource.map(|resource| ("resource", resource.into())));
        parameters.extend(self.dpop_jkt.map(|thumbprint| ("dpop_jkt", thumbprint.into())));
        parameters.extend(self.prompt().map(|prompt| ("prompt", prompt.into())));
        parameters.extend(self.extra.iter().map(|(name, value)| (name.as_str(), value.as_str().into())));
        Ok(parameters)
    }

    /// `offline_access` is ignored where consent is not asked for (OpenID Connect Core §11), and then there is no refresh
    /// token. What the caller or the endpoint says of `prompt` stands.
    fn prompt(&self) -> Option<&'static str> {
        let said = |name: &str| name == "prompt";
        let own = form_urlencoded::parse(self.endpoint.url().query().unwrap_or_default().as_bytes());
        let decided =
            self.extra.iter().any(|(name, _)| said(name)) || own.into_iter().any(|(name, _)| said(&name));
        (self.scopes.contains("offline_access") && !decided).then_some("consent")
    }

    /// The URL to open. A query that the endpoint has already is kept and stands first (RFC 6749 §3.1); one that
    /// names a parameter of the request would make it ambiguous and is refused.
    ///
    /// # Errors
    ///
    /// [`Kind::Configuration`]: extra parameters that [`check_extra`] refuses. [`Kind::UrlRefused`]: an endpoint whose query
    /// names a [`RESERVED`] parameter or one of `extra`.
    pub fn url(&self) -> Result<Url, Breach> {
        opened(self.endpoint, &self.parameters()?)
    }
}

/// The endpoint with these parameters after its own query.
pub(super) fn opened(endpoint: &Endpoint, parameters: &[(&str, Cow<'_, str>)]) -> Result<Url, Breach> {
    let mut url = endpoint.url().clone();
    let own = form_urlencoded::parse(url.query().unwrap_or_default().as_bytes());
    let ours = |name: &str| RESERVED.contains(&name) || parameters.iter().any(|(known, _)| *known == name);
    if let Some((name, _)) = own.into_iter().find(|(name, _)| ours(name)) {
        let expected = "an authorization endpoint whose query leaves our parameters alone";
        return Err(Breach::new(Kind::UrlRefused, CLAUSE, expected, format!("one that sets {name:?}")));
    }
    // An empty query would otherwise leave a lone `&` in front.
    if url.query() == Some("") {
        url.set_query(None);
    }
    url.query_pairs_mut().extend_pairs(parameters);
    Ok(url)
}

/// Whether extra parameters may be used: none reserved, none twice, and no control characters.
///
/// # Errors
///
/// [`Kind::Configuration`], which names the parameter and never its value.
pub fn check_extra(extra: &[(String, String)]) -> Result<(), Breach> {
    let refuse = |got: String| {
        let expected = "extra parameters that leave those of the request alone, each once, in plain text";
        Err(Breach::new(Kind::Configuration, CLAUSE, expected, got))
    };
    for (place, (name, value)) in extra.iter().enumerate() {
        if name.is_empty() || RESERVED.contains(&name.as_str()) {
            return refuse(format!("{name:?}"));
        }
        if extra.iter().skip(place.saturating_add(1)).any(|(other, _)| other == name) {
            return refuse(format!("{name:?} twice"));
        }
        if name.chars().chain(value.chars()).any(char::is_control) {
            return refuse(format!("control characters in {name:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_are_sorted() {
        assert!(RESERVED.is_sorted());
    }
}
