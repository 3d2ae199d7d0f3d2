//! Token requests (RFC 6749 §4.1.3, §6) and their answers (§5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{AuthMethod, Client};
use super::form;
use super::json::Object;
use super::refusal;
use crate::base::breach::{Breach, Kind};
use crate::base::scope::Scopes;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;

const ANSWER: &str = "RFC 6749 §5.1";
const ERROR: &str = "RFC 6749 §5.2";
/// The longest token that is taken, in bytes.
pub const MAX_TOKEN: usize = 16 << 10;
/// The longest lifetime that is believed: a year, in seconds.
pub const MAX_LIFETIME: u64 = 365 * 24 * 3600;

/// What is exchanged for a token.
#[derive(Clone, Copy, Debug)]
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
}

/// A token request as it is sent: `POST`, `application/x-www-form-urlencoded`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenMessage {
    /// The value of the `Authorization` field.
    pub authorization: Option<Secret>,
    /// The body.
    pub body: Secret,
}

impl TokenRequest<'_> {
    /// Builds the message.
    pub fn build(&self) -> TokenMessage {
        let mut pairs = Vec::new();
        let scopes;
        match self.grant {
            Grant::AuthorizationCode { code, redirect_uri, code_verifier } => pairs.extend([
                ("grant_type", "authorization_code"),
                ("code", code.expose()),
                ("redirect_uri", redirect_uri),
                ("code_verifier", code_verifier.expose()),
            ]),
            Grant::RefreshToken { refresh_token, scopes: asked } => {
                pairs.extend([("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())]);
                if let Some(asked) = asked {
                    scopes = asked.to_string();
                    pairs.push(("scope", &scopes));
                }
            }
        }
        pairs.extend(self.resource.map(|resource| ("resource", resource)));
        authenticate(pairs, self.client)
    }
}

/// Completes a message with the client's authentication. It is in one place only (RFC 6749 §2.3): with Basic, nothing
/// of it is in the body.
pub(super) fn authenticate<'a>(mut pairs: Vec<(&'a str, &'a str)>, client: &'a Client) -> TokenMessage {
    let secret = client.secret.as_ref().map_or("", Secret::expose);
    let mut authorization = None;
    match client.method {
        AuthMethod::None => pairs.push(("client_id", &client.id)),
        AuthMethod::ClientSecretPost => {
            pairs.extend([("client_id", client.id.as_str()), ("client_secret", secret)]);
        }
        AuthMethod::ClientSecretBasic => authorization = Some(basic(&client.id, secret)),
    }
    TokenMessage { authorization, body: Secret::new(form::encode(pairs)) }
}

/// RFC 6749 §2.3.1: each part is form-encoded before they are joined, so that a colon cannot shift the border.
fn basic(id: &str, secret: &str) -> Secret {
    let pair = Secret::new(format!("{}:{}", form::encode_part(id), form::encode_part(secret)));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
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
    /// Judges an answer. 200 and 201 are good; an `error` member wins over a good status. The body is JSON, or
    /// form-encoded where it says so or is no JSON object. Nothing of the body but a cleaned `error` and
    /// `error_description` ever goes into the breach.
    pub fn read(
        status: u16,
        content_type: Option<&str>,
        body: &[u8],
        now: Timestamp,
        shape: TokenShape,
    ) -> Result<Self, Breach> {
        if (300..400).contains(&status) {
            return Err(Breach::new(Kind::Redirected, ANSWER, "status 200", format!("status {status}")));
        }
        let members = Members::read(content_type, body);
        match members.as_ref().map(|members| members.error(status)) {
            Ok(Ok(Some(breach))) => return Err(breach),
            Ok(Err(breach)) if !refusal::passes(status) => return Err(breach),
            Ok(_) | Err(_) => {}
        }
        if status == 401 {
            return Err(Breach::new(
                Kind::ClientRejected,
                ERROR,
                "status 200",
                "status 401 without an OAuth error",
            ));
        }
        if !matches!(status, 200 | 201) {
            let got = format!("status {status} without an OAuth error");
            return Err(Breach::new(Kind::UnexpectedStatus, ERROR, "status 200", got));
        }
        members?.token(now, shape)
    }
}

/// The members of an answer, whichever way they came.
enum Members {
    Json(Object),
    Form(Vec<(String, String)>),
}

impl Members {
    fn read(content_type: Option<&str>, body: &[u8]) -> Result<Self, Breach> {
        let essence = content_type.and_then(|it| it.split(';').next()).unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Self::form(body);
        }
        match Object::read(body) {
            Ok(object) => Ok(Self::Json(object)),
            Err(breach) if breach.kind == Kind::NotADocument => Self::form(body).map_err(|_| breach),
            Err(breach) => Err(breach),
        }
    }

    /// A form body, if it has a member that matters; a page or a text is none.
    fn form(body: &[u8]) -> Result<Self, Breach> {
        let none = || Breach::new(Kind::NotADocument, ANSWER, "a token answer", "something else");
        let text = std::str::from_utf8(body).map_err(|_| none())?;
        let pairs = form::decode(text.trim())?;
        let speaks = pairs.iter().any(|(name, _)| name == "access_token" || name == "error");
        if !speaks {
            return Err(none());
        }
        let doubled = |(place, (name, _)): (usize, &(String, String))| {
            pairs.iter().skip(place.saturating_add(1)).any(|(other, _)| other == name)
        };
        if pairs.iter().enumerate().any(doubled) {
            return Err(Breach::new(
                Kind::Malformed,
                ANSWER,
                "each parameter once",
                "one that is there twice",
            ));
        }
        Ok(Self::Form(pairs))
    }

    fn text(&self, name: &str) -> Result<Option<&str>, Breach> {
        match self {
            Self::Json(object) => object.text(name, ANSWER),
            Self::Form(pairs) => {
                let value = pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
                Ok(value.filter(|value| !value.is_empty()))
            }
        }
    }

    fn error(&self, status: u16) -> Result<Option<Breach>, Breach> {
        let Some(error) = self.text("error")? else { return Ok(None) };
        let kind = match error {
            // Whatever a server that fails just now says of the client or the grant, it may say otherwise later.
            _ if refusal::passes(status) || refusal::is_passing(error) => Kind::UnexpectedStatus,
            "invalid_client" => Kind::ClientRejected,
            "invalid_grant" => Kind::GrantRejected,
            _ => Kind::TokenEndpointError,
        };
        let described = self.text("error_description").ok().flatten().unwrap_or_default();
        let got = format!("status {status}: {error} {described}");
        Ok(Some(Breach::new(kind, ERROR, "a token", got.trim_end()).with_error(error)))
    }

    fn token(&self, now: Timestamp, shape: TokenShape) -> Result<TokenAnswer, Breach> {
        let missing = || Breach::new(Kind::Malformed, ANSWER, "a member \"access_token\"", "none");
        let access_token = self.text("access_token")?.ok_or_else(missing)?;
        let fits =
            |token: &str| token.len() <= MAX_TOKEN && token.bytes().all(|byte| matches!(byte, 0x21..=0x7e));
        if !fits(access_token) {
            let expected = "an access token of at most 16384 visible ASCII characters";
            return Err(Breach::new(Kind::Malformed, "RFC 6750 §2.1", expected, "something else"));
        }
        match self.text("token_type")? {
            Some(kind) if kind.eq_ignore_ascii_case("Bearer") => {}
            None if shape.missing_type_is_bearer => {}
            other => {
                return Err(Breach::new(
                    Kind::TokenType,
                    ANSWER,
                    "token_type Bearer",
                    other.unwrap_or("none"),
                ));
            }
        }
        let refresh_token = self.text("refresh_token")?;
        if refresh_token.is_some_and(|token| !fits(token)) {
            let expected = "a refresh token of at most 16384 visible ASCII characters";
            return Err(Breach::new(Kind::Malformed, "RFC 6749 appendix A.17", expected, "something else"));
        }
        Ok(TokenAnswer {
            access_token: Secret::from(access_token),
            refresh_token: refresh_token.map(Secret::from),
            expires_at: self.lifetime().map(|seconds| now.after(std::time::Duration::from_secs(seconds))),
            granted: self.granted(shape),
        })
    }

    /// `expires_in` in seconds, however it is written. None, zero and nonsense all mean that the server does not
    /// say: the token is used until it is refused.
    fn lifetime(&self) -> Option<u64> {
        let whole = |text: &str| text.split('.').next().unwrap_or_default().parse::<u64>().ok();
        let seconds = match self {
            Self::Json(object) => match object.get("expires_in")? {
                Value::Number(number) => {
                    number.as_u64().or_else(|| large(number).or_else(|| whole(&number.to_string())))
                }
                Value::String(text) => whole(text.trim()),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            },
            Self::Form(_) => whole(self.text("expires_in").ok().flatten()?.trim()),
        };
        seconds.filter(|seconds| *seconds > 0).map(|seconds| seconds.min(MAX_LIFETIME))
    }

    /// An ill-formed scope value says nothing; what was asked stands.
    fn granted(&self, shape: TokenShape) -> Option<Scopes> {
        let value = self.text("scope").ok().flatten()?;
        let value = if shape.comma_scopes { value.replace(',', " ") } else { value.to_owned() };
        Scopes::parse(&value).ok()
    }
}

/// A number too large to be exact is large enough.
fn large(number: &serde_json::Number) -> Option<u64> {
    number.as_f64().filter(|value| *value >= 1e15).map(|_| MAX_LIFETIME)
}
