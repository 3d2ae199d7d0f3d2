//! The authorization response (RFC 6749 §4.1.2), judged in a fixed order: `state`, then `iss` (RFC 9207 §2.4), then
//! `error`, then `code`.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{form, refusal};
use crate::base::breach::{Breach, Kind};
use crate::base::secret::Secret;
use crate::base::text::is_vschar;

const RESPONSE: &str = "RFC 6749 §4.1.2";
const STATE: &str = "RFC 6749 §10.12";
const ISSUER: &str = "RFC 9207 §2.4";
/// The longest response that is read, in bytes.
pub const MAX_RESPONSE: usize = 64 << 10;

/// An authorization response as it reached the redirect URI: the whole URL, its path and query, or its query with or
/// without `?`.
///
/// The URL need not be the redirect URI to the letter, because a proxy may have rewritten it: that the answer is
/// ours is shown by `state`, and that the code is ours by the verifier.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Callback(Secret);

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback(…)")
    }
}

/// What a response is held against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The `state` that was sent.
    pub state: &'a Secret,
    /// The issuer that was recorded before the browser was opened.
    pub issuer: &'a str,
    /// Whether that issuer's metadata promises `iss`.
    pub iss_required: bool,
    /// Other values of `iss` that policy takes for this issuer, by the rule of
    /// [`IssuerPolicy::issuer_aliases`](crate::IssuerPolicy::issuer_aliases).
    pub issuer_aliases: &'a [String],
}

/// What a good response gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The code.
    pub code: Secret,
    /// How its issuer is known.
    pub iss: Iss,
}

/// How the issuer of a response is known (RFC 9207 §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Iss {
    /// `iss` is the issuer that was recorded.
    Same,
    /// `iss` is a value that policy takes for it.
    Alias,
    /// There is none, and none was promised.
    Absent,
}

/// Why a response gives no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It answers another request: to be ignored.
    Foreign(Breach),
    /// It answers this request, which is over.
    Fatal(Breach),
}

impl Callback {
    /// Takes the response as text.
    pub fn new(url_or_query: impl Into<String>) -> Self {
        Self(Secret::new(url_or_query))
    }

    /// The `state` it carries, for a host that keeps many logins and looks the right one up. `None` when there is
    /// none, or more than one.
    pub fn state(&self) -> Option<String> {
        if self.0.expose().len() > MAX_RESPONSE {
            return None;
        }
        let parameters = form::decode_all(self.query());
        sound(&parameters, "state").ok().flatten().map(str::to_owned)
    }

    /// The code, if this is the good answer to the request.
    ///
    /// Nothing of `error` is used or shown before `state` and `iss` speak for the response. Parameters that are not
    /// known are passed over, whatever they hold and however many they are.
    ///
    /// # Errors
    ///
    /// [`Refused::Foreign`]: no `state`, another, or several, or a response above [`MAX_RESPONSE`]; nothing of it counts.
    /// [`Refused::Fatal`]: [`Kind::IssuerMismatch`] or [`Kind::IssuerMissing`] (RFC 9207 §2.4); [`Kind::AccessDenied`],
    /// [`Kind::UnexpectedStatus`] (an error that passes by itself) or [`Kind::AuthorizationFailed`], with the code of the error;
    /// [`Kind::CallbackMalformed`]: neither a code nor an error, both, or a parameter that is doubled or no UTF-8.
    pub fn judge(&self, expected: &Expected<'_>) -> Result<Answered, Refused> {
        let parameters = self.parameters(expected).map_err(Refused::Foreign)?;
        let iss = issuer(&parameters, expected).map_err(Refused::Fatal)?;
        let code = code(&parameters).map_err(Refused::Fatal)?;
        Ok(Answered { code, iss })
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The query: of a URL what is between `?` and `#`, otherwise everything.
    pub(crate) fn query(&self) -> &str {
        let text = self.0.expose();
        let text = text.split('#').next().unwrap_or_default().trim();
        match text.split_once('?') {
            Some((before, query)) if before.is_empty() || before.starts_with('/') || is_url(before) => query,
            Some(_) => text,
            None if is_url(text) => "",
            None => text,
        }
    }

    /// The parameters, if `state` is the one that was sent.
    fn parameters(&self, expected: &Expected<'_>) -> Result<Vec<Pair<'_>>, Breach> {
        let foreign = |expected: &str, got: &str| Breach::new(Kind::StateMismatch, STATE, expected, got);
        if self.0.expose().len() > MAX_RESPONSE {
            return Err(foreign("a response of at most 64 KiB", "more"));
        }
        let parameters = form::decode_all(self.query());
        let state =
            sound(&parameters, "state").map_err(|_| foreign("one `state`", "several, or other bytes"))?;
        match state {
            None => Err(foreign("the `state` that was sent", "none")),
            Some(state) if expected.state.is(state) => Ok(parameters),
            Some(_) => Err(foreign("the `state` that was sent", "another one")),
        }
    }
}

/// A parameter: its name and its value.
type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Whether the text begins as a URL does, with a scheme.
fn is_url(text: &str) -> bool {
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.split_once(':').is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.bytes().all(is_scheme))
}

/// The four rows of MCP's table: present is compared, as a string, whatever the metadata says; absent is refused
/// where it is promised.
fn issuer(parameters: &[Pair<'_>], expected: &Expected<'_>) -> Result<Iss, Breach> {
    match sound(parameters, "iss")? {
        Some(iss) if iss == expected.issuer => Ok(Iss::Same),
        Some(iss) if expected.issuer_aliases.iter().any(|alias| names(alias, iss)) => Ok(Iss::Alias),
        Some(iss) => Err(Breach::new(Kind::IssuerMismatch, ISSUER, expected.issuer, iss)),
        None if expected.iss_required => {
            Err(Breach::new(Kind::IssuerMissing, ISSUER, format!("iss={}", expected.issuer), "none"))
        }
        None => Ok(Iss::Absent),
    }
}

/// Whether an alias names this issuer: as text, or with any tenant where it has a place for one.
fn names(alias: &str, iss: &str) -> bool {
    let of_tenant = |(before, after): (&str, &str)| {
        let tenant = iss.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        tenant.is_some_and(is_uuid)
    };
    alias == iss || alias.split_once(TENANT).is_some_and(of_tenant)
}

/// The place that an alias may have for a tenant.
pub(crate) const TENANT: &str = "{tenantid}";

/// Whether a text is a UUID as RFC 9562 §4 writes it, in lower case.
pub(crate) fn is_uuid(text: &str) -> bool {
    let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let fits = |(part, length): (&str, usize)| part.len() == length && part.bytes().all(hexadecimal);
    text.split('-').count() == 5 && text.split('-').zip([8, 4, 4, 4, 12]).all(fits)
}

fn code(parameters: &[Pair<'_>]) -> Result<Secret, Breach> {
    let malformed = |expected: &str, got: &str| Breach::new(Kind::CallbackMalformed, RESPONSE, expected, got);
    let code = sound(parameters, "code")?;
    let Some(error) = sound(parameters, "error")? else {
        return match code {
            Some(code) if code.len() <= 4096 && is_vschar(code) => Ok(Secret::from(code)),
            Some(_) => Err(malformed("a code of at most 4096 printable ASCII characters", "something else")),
            None => Err(malformed("a code or an error", "neither")),
        };
    };
    if code.is_some() {
        return Err(malformed("either a code or an error", "both"));
    }
    let described = single(parameters, "error_description")?.unwrap_or_default();
    let kind = match error {
        "access_denied" => Kind::AccessDenied,
        _ if refusal::is_passing(error) => Kind::UnexpectedStatus,
        _ => Kind::AuthorizationFailed,
    };
    let got = format!("{error} {described}");
    Err(Breach::new(kind, "RFC 6749 §4.1.2.1", "a code", got.trim_end()).with_error(error))
}

/// The value of a parameter that may be there once; an empty one counts as absent.
fn single<'a>(parameters: &'a [Pair<'_>], name: &str) -> Result<Option<&'a str>, Breach> {
    let mut values = parameters.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_ref());
    let first = values.next();
    if values.next().is_some() {
        let expected = format!("{name:?} once");
        return Err(Breach::new(Kind::CallbackMalformed, "RFC 6749 §3.1", expected, "more than one"));
    }
    Ok(first.filter(|value| !value.is_empty()))
}

/// The same as [`single`] for a value that decides something: it must be the text that was sent, so it must be UTF-8.
fn sound<'a>(parameters: &'a [Pair<'_>], name: &str) -> Result<Option<&'a str>, Breach> {
    match single(parameters, name)? {
        Some(value) if value.contains(form::BROKEN) => {
            let expected = format!("{name:?} in UTF-8");
            Err(Breach::new(Kind::CallbackMalformed, "RFC 6749 appendix B", expected, "other bytes"))
        }
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str) -> Option<String> {
        Callback::new(text).state()
    }

    #[test]
    fn the_query_of_a_url_is_what_follows_its_first_question_mark() {
        let sent = Some("s".to_owned());
        for text in [
            "https://app.example/callback?state=s",
            "com.example.app:/callback?state=s#state=t",
            "/callback?state=s",
            "?state=s",
            "state=s",
            // RFC 3986 §3.4: a query may hold question marks, whether or not its own is there.
            "state=s&code=a?b",
            "?state=s&code=a?b",
        ] {
            assert_eq!(state(text), sent, "{text}");
        }
        // A URL without a query has no parameters, whatever its path looks like.
        for text in ["https://app.example/callback&state=s", "com.example.app:&state=s", "#state=s", ""] {
            assert_eq!(state(text), None, "{text}");
        }
    }

    #[test]
    fn a_response_of_64_kib_is_read_and_a_longer_one_is_not() {
        let sent = Secret::from("s");
        let expected =
            Expected { state: &sent, issuer: "https://as.example", iss_required: false, issuer_aliases: &[] };
        for (more, read) in [(0, true), (1, false), (2, false)] {
            let rest = "state=s&code=c&x=";
            let callback = Callback::new(format!("{rest}{}", "x".repeat(MAX_RESPONSE - rest.len() + more)));
            assert_eq!(callback.state().is_some(), read, "{more}");
            assert_eq!(callback.judge(&expected).is_ok(), read, "{more}");
        }
    }

    #[test]
    fn nothing_of_a_response_is_in_its_debug() {
        assert_eq!(format!("{:?}", Callback::new("code=secret&state=s")), "Callback(…)");
    }
}
