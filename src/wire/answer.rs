//! What the answers of an authorization server's endpoints have in common (RFC 6749 §5).

use super::form;
use super::json::{self, Object};
use super::refusal;
use crate::base::breach::{Breach, Kind};
use crate::base::scope::Scopes;

const ANSWER: &str = "RFC 6749 §5.1";
const ERROR: &str = "RFC 6749 §5.2";

/// What an answer was expected to give.
pub(super) struct Wanted {
    /// In a word or two, for the breach.
    pub(super) what: &'static str,
    /// The clause of the good answer.
    pub(super) clause: &'static str,
    /// What an OAuth error is that says nothing of the client, the grant or the person.
    pub(super) error: Kind,
}

/// The members of an answer, whichever way they came.
pub(super) enum Members<'a> {
    Json(Object<'a>),
    Form(Vec<(String, String)>),
}

impl<'a> Members<'a> {
    /// The members of a good answer. 200 and 201 are good; an `error` member wins over a good status. The body is JSON,
    /// or form-encoded where it says so or is no JSON object. Nothing of the body but a cleaned `error` and
    /// `error_description` ever goes into the breach.
    pub(super) fn good(
        wanted: &Wanted,
        status: u16,
        content_type: Option<&str>,
        body: &'a [u8],
    ) -> Result<Self, Breach> {
        let refuse = |kind, clause, got: String| Err(Breach::new(kind, clause, "status 200", got));
        if (300..400).contains(&status) {
            return refuse(Kind::Redirected, wanted.clause, format!("status {status}"));
        }
        let members = Self::read(content_type, body);
        match members.as_ref().map(|members| members.refusal(wanted, status)) {
            Ok(Ok(Some(breach))) => return Err(breach),
            Ok(Err(breach)) if !refusal::passes(status) => return Err(breach),
            Ok(_) | Err(_) => {}
        }
        if status == 401 {
            return refuse(Kind::ClientRejected, ERROR, "status 401 without an OAuth error".to_owned());
        }
        if !matches!(status, 200 | 201) {
            return refuse(Kind::UnexpectedStatus, ERROR, format!("status {status} without an OAuth error"));
        }
        members
    }

    /// The members of a body, whatever the status.
    pub(super) fn read(content_type: Option<&str>, body: &'a [u8]) -> Result<Self, Breach> {
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

    /// The members of the object `name`, if it has a member `wanted` and these members have none.
    pub(super) fn below(&self, name: &str, wanted: &str) -> Option<Self> {
        let Self::Json(object) = self else { return None };
        let below = object.object(name).filter(|it| it.get(wanted).is_some());
        below.filter(|_| object.get(wanted).is_none()).map(Self::Json)
    }

    /// A text member.
    pub(super) fn text(&self, name: &str, clause: &'static str) -> Result<Option<&str>, Breach> {
        match self {
            Self::Json(object) => object.text(name, clause),
            Self::Form(pairs) => {
                let value = pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
                Ok(value.filter(|value| !value.is_empty()))
            }
        }
    }

    /// A text member that must be there, of visible ASCII and bounded, such as a header field can carry. `form` is the
    /// clause that says so.
    pub(super) fn token(
        &self,
        name: &str,
        max: usize,
        clause: &'static str,
        form: &'static str,
    ) -> Result<&str, Breach> {
        let missing = || Breach::new(Kind::Malformed, clause, format!("a member {name:?}"), "none");
        let token = self.text(name, clause)?.ok_or_else(missing)?;
        if is_token(token, max) {
            return Ok(token);
        }
        let expected = format!("at most {max} visible ASCII characters in {name:?}");
        Err(Breach::new(Kind::Malformed, form, expected, "something else"))
    }

    /// A number of seconds, as [`Object::seconds`] has it.
    pub(super) fn seconds(&self, name: &str) -> Option<u64> {
        match self {
            Self::Json(object) => object.seconds(name),
            Self::Form(_) => self.text(name, ANSWER).ok().flatten().and_then(json::seconds),
        }
    }

    /// The scopes that were granted. An ill-formed value says nothing; what was asked stands.
    pub(super) fn granted(&self, commas: bool) -> Option<Scopes> {
        let value = self.text("scope", ANSWER).ok().flatten()?;
        let read = if commas { Scopes::parse(&value.replace(',', " ")) } else { Scopes::parse(value) };
        read.ok()
    }

    /// The code of an OAuth error.
    pub(super) fn error(&self) -> Result<Option<&str>, Breach> {
        self.text("error", ERROR)
    }

    /// Status, code and description of an OAuth error, for the breach.
    pub(super) fn said(&self, status: u16) -> String {
        let error = self.error().ok().flatten().unwrap_or_default();
        let described = self.text("error_description", ERROR).ok().flatten().unwrap_or_default();
        format!("status {status}: {error} {described}").trim_end().to_owned()
    }

    fn refusal(&self, wanted: &Wanted, status: u16) -> Result<Option<Breach>, Breach> {
        let Some(error) = self.error()? else { return Ok(None) };
        let (kind, clause) = match error {
            // Whatever a server that fails just now says of the client or the grant, it may say otherwise later.
            _ if refusal::passes(status) || refusal::is_passing(error) => (Kind::UnexpectedStatus, ERROR),
            "invalid_client" => (Kind::ClientRejected, ERROR),
            "invalid_grant" => (Kind::GrantRejected, ERROR),
            // RFC 9449 §8 says 400; to take it with another status costs a request, to miss it costs the login.
            "use_dpop_nonce" => (Kind::NonceRequired, "RFC 9449 §8"),
            _ => (wanted.error, ERROR),
        };
        Ok(Some(Breach::new(kind, clause, wanted.what, self.said(status)).with_error(error)))
    }
}

/// Whether a text is visible ASCII and no longer than `max` bytes.
fn is_token(text: &str, max: usize) -> bool {
    text.len() <= max && text.bytes().fold(true, |visible, byte| visible & matches!(byte, 0x21..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a member holds is no parameter, however the object around it is broken.
    #[test]
    fn a_broken_object_is_not_read_as_a_form() {
        let body = br#"{"a":1,"a":"&access_token=planted&token_type=Bearer&"}"#;
        let breach = Members::read(Some("application/json"), body).err().unwrap();
        assert_ne!(breach.kind, Kind::NotADocument);
        assert_eq!(breach.clause, "RFC 8259 §4");
        assert!(Members::read(None, b"access_token=t&token_type=Bearer").is_ok());
        assert_eq!(Members::read(None, b"token_type=Bearer").err().unwrap().kind, Kind::NotADocument);
    }
}
