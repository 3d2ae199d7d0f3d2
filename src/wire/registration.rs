//! The answer to a registration request (RFC 7591 §3.2): read leniently, judged strictly.

use super::client::{AuthMethod, Client, Origin};
use super::json::Object;
use super::refusal;
use crate::base::breach::{Breach, Kind};
use crate::base::scope::Scopes;
use crate::base::secret::Secret;
use crate::base::text;
use crate::base::time::Timestamp;

const ANSWER: &str = "RFC 7591 §3.2.1";
const ERROR: &str = "RFC 7591 §3.2.2";

/// What a server says it registered. Only the identifier is needed; members that are `null`, empty or of another
/// type count as absent, and everything that is not asked after is passed over, `registration_client_uri` and
/// `issuer` among it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    client_id: String,
    client_secret: Option<Secret>,
    method: Option<String>,
    /// Seconds since the epoch; 0 is never.
    secret_expires_at: Option<u64>,
    redirect_uris: Option<Vec<String>>,
    /// What the client may ask for. A server that does not say has registered no scopes (RFC 7591 §3.2.1).
    scopes: Option<Scopes>,
}

impl Registration {
    /// Reads an answer. 200 and 201 are success. What passes by itself is [`Kind::UnexpectedStatus`], a redirect
    /// [`Kind::Redirected`]; anything else is [`Kind::RegistrationRejected`] with what the server says about it.
    ///
    /// # Errors
    ///
    /// Besides those: [`Kind::NotADocument`] and [`Kind::Malformed`], where a good status comes with no JSON object, or with one
    /// whose `client_id` or `client_secret` cannot be used.
    pub fn read(status: u16, body: &[u8]) -> Result<Self, Breach> {
        if !matches!(status, 200 | 201) {
            return Err(rejected(status, body));
        }
        let object = Object::read(body)?;
        // Some servers say no with a good status.
        if object.get("error").is_some() && object.get("client_id").is_none() {
            return Err(rejected(status, body));
        }
        let text = |name| object.text(name, ANSWER).ok().flatten();
        let client_id = object.required("client_id", ANSWER)?;
        if client_id.len() > 2048 || !text::is_vschar(client_id) {
            let expected = "a client_id of at most 2048 printable ASCII characters";
            return Err(Breach::new(Kind::Malformed, "RFC 6749 appendix A.1", expected, "something else"));
        }
        let secret = text("client_secret");
        if secret.is_some_and(|secret| !text::is_vschar(secret)) {
            let expected = "a client_secret of printable ASCII characters";
            return Err(Breach::new(Kind::Malformed, "RFC 6749 appendix A.2", expected, "something else"));
        }
        Ok(Self {
            client_id: client_id.to_owned(),
            client_secret: secret.map(Secret::from),
            method: text("token_endpoint_auth_method").map(str::to_owned),
            secret_expires_at: object.seconds("client_secret_expires_at"),
            redirect_uris: object.owned_texts("redirect_uris", ANSWER).ok().flatten(),
            scopes: text("scope").and_then(|scopes| Scopes::parse(scopes).ok()),
        })
    }

    /// The same as if the server had registered this method, if the client can authenticate so.
    #[must_use]
    pub fn with_method(mut self, method: AuthMethod) -> Self {
        if !method.needs_secret() || self.client_secret.is_some() {
            self.method = Some(method.as_str().to_owned());
        }
        self
    }

    /// Judges whether the registration can be used with the redirect URI that is in use.
    ///
    /// The method that the server granted counts, else the one that was asked for; a server that grants none and
    /// gives no secret has registered a public client, unless the client asked to authenticate by a key. A method with
    /// a key is not to be granted to a client that did not ask for it. A redirect URI that the server rewrote is not
    /// adopted.
    ///
    /// # Errors
    ///
    /// [`Kind::RegistrationUnusable`]: a method that is not spoken or was not asked for, a secret that is missing or has expired,
    /// or other redirect URIs.
    pub fn judge(self, asked: AuthMethod, redirect_uri: &str, now: Timestamp) -> Result<Client, Breach> {
        let unusable = |clause, expected: &str, got: &str| {
            Breach::new(Kind::RegistrationUnusable, clause, expected, got)
        };
        let granted = match self.method.as_deref() {
            None => None,
            Some(name) => {
                let method = AuthMethod::parse(name);
                let fits = method.filter(|it| *it != AuthMethod::PrivateKeyJwt || *it == asked);
                Some(fits.ok_or_else(|| {
                    let expected =
                        "none, client_secret_basic or client_secret_post as token_endpoint_auth_method";
                    unusable(ANSWER, expected, name)
                })?)
            }
        };
        let method = match granted {
            Some(method) => method,
            None if self.client_secret.is_none() && asked.needs_secret() => AuthMethod::None,
            None => asked,
        };
        let secret = method.needs_secret();
        if secret && self.client_secret.is_none() {
            return Err(unusable(ANSWER, &format!("a client_secret for {}", method.as_str()), "none"));
        }
        let secret_expires_at = self.secret_expires_at.filter(|at| *at > 0).map(Timestamp::from_secs);
        if secret && secret_expires_at.is_some_and(|at| at <= now) {
            return Err(unusable(ANSWER, "a client_secret that is good now", "one that has expired"));
        }
        if let Some(listed) =
            self.redirect_uris.filter(|listed| !listed.iter().any(|uri| uri == redirect_uri))
        {
            return Err(unusable(ANSWER, &format!("the redirect URI {redirect_uri}"), &listed.join(" ")));
        }
        Ok(Client {
            id: self.client_id,
            // What is not used need not be kept, and what is not kept cannot leak.
            secret: self.client_secret.filter(|_| secret),
            method,
            algorithm: None,
            secret_expires_at: secret_expires_at.filter(|_| secret),
            redirect_uris: vec![redirect_uri.to_owned()],
            registered_at: Some(now),
            scopes: self.scopes,
            origin: Origin::Dynamic,
            instead_of: None,
        })
    }
}

fn rejected(status: u16, body: &[u8]) -> Breach {
    let expected = match status {
        401 | 403 => "a registration (201); this server may want a client that was registered by hand",
        _ => "a registration (201)",
    };
    let kind = match status {
        300..=399 => Kind::Redirected,
        _ if refusal::passes(status) => Kind::UnexpectedStatus,
        _ => Kind::RegistrationRejected,
    };
    let read = Object::read(body).ok();
    let text = |name| read.as_ref()?.text(name, ERROR).ok().flatten();
    let said = match (&read, text("error"), text("error_description")) {
        (None, _, _) => snippet(body),
        (Some(_), error, described) => {
            format!("{} {}", error.unwrap_or_default(), described.unwrap_or_default())
        }
    };
    let breach = Breach::new(kind, ERROR, expected, format!("status {status} {}", said.trim()).trim_end());
    match text("error") {
        Some(error) => breach.with_error(error),
        None => breach,
    }
}

/// A short plain text as it stands; nothing of a page.
fn snippet(body: &[u8]) -> String {
    let body = body.get(..480).unwrap_or(body);
    let said = String::from_utf8_lossy(body);
    if said.contains(['<', '{']) { String::new() } else { text::clean(said.trim(), 120) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(client_id: &str, more: &str) -> Result<Registration, Breach> {
        Registration::read(201, format!("{{\"client_id\":\"{client_id}\"{more}}}").as_bytes())
    }

    #[test]
    fn a_client_id_of_2048_characters_is_the_longest() {
        for (length, taken) in [(2048, true), (2049, false)] {
            assert_eq!(read(&"x".repeat(length), "").is_ok(), taken, "{length}");
        }
    }

    /// Policy may say how a client authenticates, but not that one without a secret has one.
    #[test]
    fn a_method_with_a_secret_is_for_a_client_that_has_one() {
        let granted = |more: &str, method| read("x", more).unwrap().with_method(method).method;
        let secret = ",\"client_secret\":\"s\"";
        let basic = Some("client_secret_basic".to_owned());
        assert_eq!(granted(secret, AuthMethod::ClientSecretBasic), basic);
        assert_eq!(granted("", AuthMethod::ClientSecretBasic), None);
        assert_eq!(granted("", AuthMethod::None), Some("none".to_owned()));
        assert_eq!(granted(secret, AuthMethod::None), Some("none".to_owned()));
    }
}
