//! Token requests (RFC 6749 §4.1.3, §4.4.2, §6; RFC 7523 §2.1; RFC 8693 §2.1; RFC 8628 §3.4) and their answers
//! (RFC 6749 §5, RFC 8693 §2.2).

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::answer::{Members, Wanted};
use super::authentication::Message;
use super::client::Client;
use crate::base::breach::{Breach, Kind};
use crate::base::scope::Scopes;
use crate::base::secret::Secret;
use crate::base::text::is_vschar;
use crate::base::time::Timestamp;

const ANSWER: &str = "RFC 6749 §5.1";
const EXCHANGE: &str = "RFC 8693 §2.2.1";
/// Where Slack has the token of a person.
const AUTHED_USER: &str = "authed_user";
/// The most parameters that a request has, those of the client among them: room for them is made at once.
const MAX_PAIRS: usize = 9;
/// The longest token that is taken, in bytes.
pub const MAX_TOKEN: usize = 16 << 10;
/// The longest lifetime that is believed: a year, in seconds.
pub const MAX_LIFETIME: u64 = 365 * 24 * 3600;
/// The token type of an identity assertion grant (draft-ietf-oauth-identity-assertion-authz-grant).
pub const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// What is exchanged for a token. Scopes that are `None` or empty are left out of the request.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Grant<'a> {
    /// The code of an authorization response.
    AuthorizationCode {
        /// The code.
        code: &'a Secret,
        /// The redirect URI of the authorization request, byte for byte.
        redirect_uri: &'a str,
        /// The code verifier (RFC 7636 §4.5).
        code_verifier: &'a Secret,
    },
    /// A refresh token.
    RefreshToken {
        /// The token.
        refresh_token: &'a Secret,
        /// The scopes to ask for; `None`: as granted.
        scopes: Option<&'a Scopes>,
    },
    /// Nothing but the client itself (RFC 6749 §4.4.2).
    ClientCredentials {
        /// The scopes to ask for.
        scopes: Option<&'a Scopes>,
    },
    /// A JWT that somebody else signed: an identity assertion grant, or what a platform says of a workload
    /// (RFC 7523 §2.1).
    JwtBearer {
        /// The JWT.
        assertion: &'a Secret,
        /// The scopes to ask for.
        scopes: Option<&'a Scopes>,
    },
    /// An identity assertion, which the identity provider exchanges for an identity assertion grant (RFC 8693 §2.1). The
    /// answer is an [`ExchangeAnswer`]. The resource of the request must be that of the MCP server.
    TokenExchange {
        /// The identity assertion.
        subject_token: &'a Secret,
        /// What kind it is.
        subject_token_type: SubjectTokenType,
        /// The issuer of the MCP server's authorization server, byte for byte.
        audience: &'a str,
        /// The scopes to ask for.
        scopes: Option<&'a Scopes>,
    },
    /// The device code of a device authorization (RFC 8628 §3.4).
    DeviceCode {
        /// The device code.
        device_code: &'a Secret,
    },
}

impl Grant<'_> {
    /// Its registered grant type: what `grant_type` says, and what `grant_types_supported` lists.
    pub const fn grant_type(&self) -> &'static str {
        match self {
            Self::AuthorizationCode { .. } => "authorization_code",
            Self::RefreshToken { .. } => "refresh_token",
            Self::ClientCredentials { .. } => "client_credentials",
            Self::JwtBearer { .. } => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            Self::TokenExchange { .. } => "urn:ietf:params:oauth:grant-type:token-exchange",
            Self::DeviceCode { .. } => "urn:ietf:params:oauth:grant-type:device_code",
        }
    }

    fn scopes(&self) -> Option<&Scopes> {
        match self {
            Self::AuthorizationCode { .. } | Self::DeviceCode { .. } => None,
            Self::RefreshToken { scopes, .. }
            | Self::ClientCredentials { scopes }
            | Self::JwtBearer { scopes, .. }
            | Self::TokenExchange { scopes, .. } => scopes.filter(|scopes| !scopes.is_empty()),
        }
    }
}

/// What kind of identity assertion is exchanged (RFC 8693 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SubjectTokenType {
    /// An OpenID Connect ID token.
    IdToken,
    /// A SAML 2.0 assertion, in base64url (RFC 8693 §3).
    Saml2,
}

impl SubjectTokenType {
    /// Its registered identifier.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            Self::Saml2 => "urn:ietf:params:oauth:token-type:saml2",
        }
    }
}

/// A token request.
#[derive(Clone, Copy, Debug)]
pub struct TokenRequest<'a> {
    /// What is exchanged.
    pub grant: Grant<'a>,
    /// Who asks.
    pub client: &'a Client,
    /// The resource it is for (RFC 8707 §2.2), byte for byte.
    pub resource: Option<&'a str>,
    /// The client's assertion, where it authenticates with one
    /// ([`ClientAssertion`](super::assertion::ClientAssertion)).
    pub assertion: Option<&'a Secret>,
}

impl TokenRequest<'_> {
    /// Builds the message, by the rules and with the error of [`Message::of`].
    pub fn build(&self) -> Result<Message, Breach> {
        Message::of(self.pairs(), self.client, self.assertion)
    }

    /// Its parameters in order, but for those of the client.
    pub fn parameters(&self) -> Vec<(Cow<'static, str>, Secret)> {
        let owned = |(name, value): (&'static str, &str)| (Cow::Borrowed(name), Secret::from(value));
        self.pairs().into_iter().map(owned).collect()
    }

    fn pairs(&self) -> Vec<(&'static str, &str)> {
        let mut pairs = Vec::with_capacity(MAX_PAIRS);
        pairs.push(("grant_type", self.grant.grant_type()));
        match self.grant {
            Grant::AuthorizationCode { code, redirect_uri, code_verifier } => pairs.extend([
                ("code", code.expose()),
                ("redirect_uri", redirect_uri),
                ("code_verifier", code_verifier.expose()),
            ]),
            Grant::RefreshToken { refresh_token, .. } => {
                pairs.push(("refresh_token", refresh_token.expose()));
            }
            Grant::ClientCredentials { .. } => {}
            Grant::JwtBearer { assertion, .. } => pairs.push(("assertion", assertion.expose())),
            Grant::TokenExchange { subject_token, subject_token_type, audience, .. } => pairs.extend([
                ("requested_token_type", ID_JAG),
                ("audience", audience),
                ("subject_token", subject_token.expose()),
                ("subject_token_type", subject_token_type.as_str()),
            ]),
            Grant::DeviceCode { device_code } => pairs.push(("device_code", device_code.expose())),
        }
        pairs.extend(self.grant.scopes().map(|scopes| ("scope", scopes.as_str())));
        pairs.extend(self.resource.map(|resource| ("resource", resource)));
        pairs
    }
}

/// Named deviations in reading token answers. The default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TokenShape {
    /// An answer without `token_type` is taken for Bearer.
    pub missing_type_is_bearer: bool,
    /// Scopes may be joined by commas.
    pub comma_scopes: bool,
    /// An answer without an access token may have one a level down, under `authed_user`, and with it all that is said of
    /// it; its `token_type` may be `user`, which means Bearer there. Slack.
    pub authed_user: bool,
}

impl TokenShape {
    /// The default, and what `change` makes of it.
    #[must_use]
    pub fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut it = Self::default();
        change(&mut it);
        it
    }
}

/// A token answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenAnswer {
    /// The access token: visible ASCII, so that a header field can carry it.
    pub access_token: Secret,
    /// The refresh token.
    pub refresh_token: Option<Secret>,
    /// When the access token expires. `None`: the server does not say.
    pub expires_at: Option<Timestamp>,
    /// The granted scopes. `None`: as asked (RFC 6749 §5.1).
    pub granted: Option<Scopes>,
}

impl TokenAnswer {
    /// Whether a body gives a refresh token in the place of `spent`, however wrong its other members are: then the server
    /// has answered, and to send `spent` again would be its reuse (RFC 9700 §4.14.2). It is looked for below
    /// `authed_user` too, whatever the [`TokenShape`]: to see one too many costs a login, to miss one costs the grant.
    pub(crate) fn replaces(content_type: Option<&str>, body: &[u8], spent: &Secret) -> bool {
        const NAME: &str = "refresh_token";
        let Ok(members) = Members::read(content_type, body) else { return false };
        let below = members.below(AUTHED_USER, NAME);
        let text = below.as_ref().unwrap_or(&members).text(NAME, ANSWER).ok().flatten();
        text.is_some_and(|text| !spent.is(text))
    }

    /// Judges an answer. 200 and 201 are good; an `error` member wins over a good status. The body is JSON, or
    /// form-encoded where it says so or is no JSON object. Nothing of the body but a cleaned `error` and
    /// `error_description` ever goes into the breach.
    ///
    /// `bound` says that the request carried a proof of possession for a token bound to its key. Then `token_type` must
    /// be `DPoP`, and a Bearer token is refused as a downgrade (RFC 9449 §5); without it, the reverse.
    ///
    /// # Errors
    ///
    /// [`Kind::Redirected`], [`Kind::UnexpectedStatus`]: no OAuth answer, or one that passes by itself. [`Kind::GrantRejected`],
    /// [`Kind::ClientRejected`], [`Kind::NonceRequired`], [`Kind::TokenEndpointError`]: an OAuth error, which is in the breach.
    /// [`Kind::NotADocument`], [`Kind::Malformed`]: no members that can be read, no access token, or a token with other
    /// letters than its clause allows. [`Kind::TokenType`]: another type.
    pub fn read(
        status: u16,
        content_type: Option<&str>,
        body: &[u8],
        now: Timestamp,
        shape: TokenShape,
        bound: bool,
    ) -> Result<Self, Breach> {
        let wanted = Wanted { what: "a token", clause: ANSWER, error: Kind::TokenEndpointError };
        let members = Members::good(&wanted, status, content_type, body)?;
        let below = if shape.authed_user { members.below(AUTHED_USER, "access_token") } else { None };
        let nested = below.is_some();
        let members = below.unwrap_or(members);
        let access_token = members.token("access_token", MAX_TOKEN, ANSWER, "RFC 6750 §2.1")?;
        let token_type = members.text("token_type", ANSWER)?;
        let (asked, clause) = if bound { ("DPoP", "RFC 9449 §5") } else { ("Bearer", ANSWER) };
        match token_type {
            Some(kind) if kind.eq_ignore_ascii_case(asked) => {}
            None if shape.missing_type_is_bearer && !bound => {}
            Some("user") if nested && !bound => {}
            other => {
                let expected = format!("token_type {asked}");
                return Err(Breach::new(Kind::TokenType, clause, expected, other.unwrap_or("none")));
            }
        }
        let refresh_token = members.text("refresh_token", ANSWER)?;
        if refresh_token.is_some_and(|token| token.len() > MAX_TOKEN || !is_vschar(token)) {
            let expected = "a refresh token of at most 16384 printable ASCII characters";
            return Err(Breach::new(Kind::Malformed, "RFC 6749 appendix A.17", expected, "something else"));
        }
        Ok(Self {
            access_token: Secret::from(access_token),
            refresh_token: refresh_token.map(Secret::from),
            expires_at: expiry(&members, now),
            granted: members.granted(shape.comma_scopes),
        })
    }
}

/// The answer to a token exchange: an identity assertion grant (ID-JAG), which is no access token and opens nothing
/// by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeAnswer {
    /// The grant: a JWT for the MCP server's authorization server
    /// ([`Assertion::read`](super::assertion::Assertion::read)).
    pub assertion: Secret,
    /// When it expires. `None`: the identity provider does not say here; the JWT does.
    pub expires_at: Option<Timestamp>,
    /// The scopes it is good for. `None`: as asked.
    pub granted: Option<Scopes>,
}

impl ExchangeAnswer {
    /// Judges an answer, as [`TokenAnswer::read`] does. `issued_token_type` must be that of an ID-JAG and `token_type`
    /// be `N_A`: an access token in its place would be one of the identity provider's, and must not be sent on as an
    /// assertion (RFC 8693 §2.2.1).
    ///
    /// # Errors
    ///
    /// Those of [`TokenAnswer::read`]; [`Kind::TokenType`]: another type of either.
    pub fn read(
        status: u16,
        content_type: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Self, Breach> {
        let wanted = Wanted { what: "an ID-JAG", clause: EXCHANGE, error: Kind::TokenEndpointError };
        let members = Members::good(&wanted, status, content_type, body)?;
        let wrong = |expected: &str, got: Option<&str>| {
            Err(Breach::new(Kind::TokenType, EXCHANGE, expected, got.unwrap_or("none")))
        };
        match members.text("issued_token_type", EXCHANGE)? {
            Some(ID_JAG) => {}
            other => return wrong(&format!("issued_token_type {ID_JAG}"), other),
        }
        match members.text("token_type", EXCHANGE)? {
            Some(kind) if kind.eq_ignore_ascii_case("N_A") => {}
            other => return wrong("token_type N_A", other),
        }
        Ok(Self {
            assertion: Secret::from(members.token("access_token", MAX_TOKEN, EXCHANGE, EXCHANGE)?),
            expires_at: expiry(&members, now),
            granted: members.granted(false),
        })
    }
}

/// When a token expires. No lifetime, zero and nonsense all mean that the server does not say: the token is used
/// until it is refused.
fn expiry(members: &Members, now: Timestamp) -> Option<Timestamp> {
    let seconds = members.seconds("expires_in").filter(|seconds| *seconds > 0)?;
    Some(now.after(Duration::from_secs(seconds.min(MAX_LIFETIME))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_is_seen_wherever_it_may_stand() {
        let replaces = |body: &str| TokenAnswer::replaces(None, body.as_bytes(), &Secret::from("old"));
        for body in [
            r#"{"refresh_token":"new"}"#,
            r#"{"access_token":7,"refresh_token":"new","token_type":[]}"#,
            r#"{"ok":true,"authed_user":{"refresh_token":"new"}}"#,
            "access_token=%20&refresh_token=new",
        ] {
            assert!(replaces(body), "{body}");
        }
        for body in [
            "",
            "{}",
            r#"{"refresh_token":"old"}"#,
            r#"{"refresh_token":null}"#,
            r#"{"authed_user":{"refresh_token":"old"}}"#,
            r#"{"authed_user":{"access_token":"new"}}"#,
        ] {
            assert!(!replaces(body), "{body}");
        }
    }

    #[test]
    fn sixteen_kib_is_the_longest_refresh_token() {
        let read = |length: usize| {
            let token = "r".repeat(length);
            let body = format!(r#"{{"access_token":"a","token_type":"Bearer","refresh_token":"{token}"}}"#);
            let (json, now) = (Some("application/json"), Timestamp::default());
            TokenAnswer::read(200, json, body.as_bytes(), now, TokenShape::default(), false)
        };
        assert_eq!(read(MAX_TOKEN).unwrap().refresh_token.unwrap().expose().len(), MAX_TOKEN);
        for length in [MAX_TOKEN + 1, MAX_TOKEN + 2] {
            assert_eq!(read(length).unwrap_err().clause, "RFC 6749 appendix A.17");
        }
    }
}
