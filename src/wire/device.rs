//! Device authorization (RFC 8628): for machines without a browser. The person is shown a code and opens a URL
//! elsewhere, and the machine asks until there is an answer.

use std::fmt;
use std::time::Duration;

use super::answer::{Members, Wanted};
use super::authentication::Message;
use super::client::Client;
use super::token::{MAX_TOKEN, TokenAnswer, TokenShape};
use crate::base::breach::{Breach, Kind};
use crate::base::guard::{Endpoint, Guard, Shown};
use crate::base::scope::Scopes;
use crate::base::secret::Secret;
use crate::base::text::is_vschar;
use crate::base::time::Timestamp;

const ANSWER: &str = "RFC 8628 §3.2";
const POLL: &str = "RFC 8628 §3.5";
/// The longest user code that is taken, in characters. A person types it.
pub const MAX_USER_CODE: usize = 64;
/// The longest lifetime that is believed, in seconds: a day.
pub const MAX_LIFETIME: u64 = 24 * 3600;
/// How long to wait between two questions if the server does not say (RFC 8628 §3.2).
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// The longest that is waited between two questions.
pub const MAX_INTERVAL: Duration = Duration::from_secs(600);

/// A device authorization request (RFC 8628 §3.1).
#[derive(Clone, Copy, Debug)]
pub struct DeviceRequest<'a> {
    /// Who asks.
    pub client: &'a Client,
    /// The scopes asked for; none: `scope` is left out.
    pub scopes: &'a Scopes,
    /// The resource it is for (RFC 8707), byte for byte.
    pub resource: Option<&'a str>,
    /// The client's assertion, where it authenticates with one.
    pub assertion: Option<&'a Secret>,
}

impl DeviceRequest<'_> {
    /// Builds the message, by the rules and with the error of [`Message::of`].
    pub fn build(&self) -> Result<Message, Breach> {
        let mut pairs = Vec::new();
        if !self.scopes.is_empty() {
            pairs.push(("scope", self.scopes.as_str()));
        }
        pairs.extend(self.resource.map(|resource| ("resource", resource)));
        Message::of(pairs, self.client, self.assertion)
    }
}

/// A device authorization that waits for the person (RFC 8628 §3.2).
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceAuthorization {
    /// What the machine asks with.
    pub device_code: Secret,
    /// What the person types, of printable ASCII. To be shown as it stands.
    pub user_code: String,
    /// Where the person types it.
    pub verification_uri: Endpoint,
    /// The same with the code in it, for a picture to be photographed. The code is shown all the same, so that the
    /// person can compare it (RFC 8628 §3.3.1).
    pub verification_uri_complete: Option<Endpoint>,
    /// Until when the codes are good.
    pub expires_at: Timestamp,
    /// How long to wait between two questions.
    pub interval: Duration,
}

/// Without the codes: whoever sees the person's may answer in the person's place.
impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAuthorization")
            .field("verification_uri", &Shown(self.verification_uri.as_given()))
            .field("expires_at", &self.expires_at)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

impl DeviceAuthorization {
    /// Judges an answer. 200 is good, and so is 201.
    ///
    /// # Errors
    ///
    /// [`Kind::AuthorizationFailed`]: the server refuses the request. [`Kind::ClientRejected`],
    /// [`Kind::NonceRequired`]: as at the token endpoint. [`Kind::UrlRefused`]: a URL to be opened does not pass the
    /// guard, even the one that may be left out. [`Kind::Malformed`]: a code, the URL or the lifetime is missing or
    /// ill-formed. An `interval` that is no number above zero counts as absent.
    pub fn read(status: u16, body: &[u8], now: Timestamp, guard: &Guard) -> Result<Self, Breach> {
        let wanted = Wanted { what: "a device code", clause: ANSWER, error: Kind::AuthorizationFailed };
        let members = Members::good(&wanted, status, None, body)?;
        let missing = |expected: &str| Breach::new(Kind::Malformed, ANSWER, expected, "none");
        let device_code = members.token("device_code", MAX_TOKEN, ANSWER, ANSWER)?;
        let user_code = user_code(&members)?;
        let verification_uri = passed(&members, "verification_uri", guard)?
            .ok_or_else(|| missing("a member \"verification_uri\""))?;
        let lifetime = members
            .seconds("expires_in")
            .filter(|seconds| *seconds > 0)
            .ok_or_else(|| missing("a number of seconds above zero in \"expires_in\""))?;
        let interval = members.seconds("interval").filter(|seconds| *seconds > 0);
        let interval = interval.map_or(DEFAULT_INTERVAL, Duration::from_secs);
        Ok(Self {
            device_code: Secret::from(device_code),
            user_code,
            verification_uri,
            verification_uri_complete: passed(&members, "verification_uri_complete", guard)?,
            expires_at: now.after(Duration::from_secs(lifetime.min(MAX_LIFETIME))),
            interval: interval.min(MAX_INTERVAL),
        })
    }
}

fn user_code(members: &Members) -> Result<String, Breach> {
    let code = members.text("user_code", ANSWER)?.map(str::trim).filter(|code| !code.is_empty());
    match code {
        Some(code) if code.len() <= MAX_USER_CODE && is_vschar(code) => Ok(code.to_owned()),
        other => {
            let expected = "at most 64 printable ASCII characters in \"user_code\"";
            let got = if other.is_some() { "something else" } else { "none" };
            Err(Breach::new(Kind::Malformed, ANSWER, expected, got))
        }
    }
}

fn passed(members: &Members, name: &str, guard: &Guard) -> Result<Option<Endpoint>, Breach> {
    let Some(url) = members.text(name, ANSWER)? else { return Ok(None) };
    guard.check(url).map(Some).map_err(|refused| {
        let expected = format!("a URL that may be opened in {name:?}");
        Breach::new(Kind::UrlRefused, ANSWER, expected, refused.to_string())
    })
}

/// What came of asking with a device code (RFC 8628 §3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    /// The person agreed.
    Token(TokenAnswer),
    /// The person has not answered yet (`authorization_pending`): ask again after the interval.
    Pending,
    /// The same, but the questions come too fast (`slow_down`): the interval becomes [`slower`] for good.
    SlowDown,
}

/// The interval after a `slow_down`: five seconds more, up to [`MAX_INTERVAL`] (RFC 8628 §3.5).
pub fn slower(interval: Duration) -> Duration {
    interval.saturating_add(Duration::from_secs(5)).min(MAX_INTERVAL)
}

/// Judges an answer to a device code, as [`TokenAnswer::read`] does but for what only this grant knows.
///
/// # Errors
///
/// [`Kind::AccessDenied`]: the person said no (`access_denied`). [`Kind::ConsentTimedOut`]: the code has expired
/// (`expired_token`). Both are the end, and a new authorization may begin only if the person wants it.
pub fn poll(
    status: u16,
    content_type: Option<&str>,
    body: &[u8],
    now: Timestamp,
    shape: TokenShape,
    bound: bool,
) -> Result<Polled, Breach> {
    // GitHub answers all of these with 200.
    if matches!(status, 200..300 | 400..500)
        && let Ok(members) = Members::read(content_type, body)
        && let Some(error) = members.error()?
    {
        let over = |kind, expected| Err(Breach::new(kind, POLL, expected, members.said(status)));
        match error {
            "authorization_pending" => return Ok(Polled::Pending),
            "slow_down" => return Ok(Polled::SlowDown),
            "access_denied" => return over(Kind::AccessDenied, "the person's consent"),
            "expired_token" => return over(Kind::ConsentTimedOut, "an answer before the code expires"),
            _ => {}
        }
    }
    TokenAnswer::read(status, content_type, body, now, shape, bound).map(Polled::Token)
}
