//! Assertions: the client's own, which says who it is (RFC 7523 §2.2), and those of others, which it hands on as
//! grants (RFC 7523 §2.1) and may look at.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::json::{self, Object};
use super::jws::{Algorithm, SigningInput};
use super::server_metadata::IssuerMatch;
use crate::base::breach::{Breach, Kind};
use crate::base::scope::Scopes;
use crate::base::secret::Secret;
use crate::base::text;
use crate::base::time::Timestamp;

/// How long a client assertion is good for, if nobody says otherwise.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);
/// The longest that a client assertion may be good for.
pub const MAX_LIFETIME: Duration = Duration::from_secs(300);
/// The longest assertion that is read, in bytes.
pub const MAX_ASSERTION: usize = 16 << 10;
/// How far two clocks may be apart.
pub const LEEWAY: Duration = Duration::from_secs(60);

const CLAIMS: &str = "RFC 7523 §3";
const ID_JAG: &str = "MCP enterprise-managed authorization §4.3";

/// Refuses a lifetime of a client assertion that is zero or above [`MAX_LIFETIME`]: an assertion that is good for long
/// is a password (RFC 7523 §3).
///
/// # Errors
///
/// [`Kind::Configuration`].
pub fn check_lifetime(lifetime: Duration) -> Result<(), Breach> {
    if (Duration::from_secs(1)..=MAX_LIFETIME).contains(&lifetime) {
        return Ok(());
    }
    let expected = "a lifetime of 1 to 300 seconds for client assertions";
    Err(Breach::new(Kind::Configuration, CLAIMS, expected, format!("{} seconds", lifetime.as_secs())))
}

/// What a client signs to say who it is.
#[derive(Clone, Copy, Debug)]
pub struct ClientAssertion<'a> {
    /// The client identifier, which is both `iss` and `sub`.
    pub client_id: &'a str,
    /// The issuer of the authorization server, byte for byte: the only `aud`. A server that also took its endpoints'
    /// URLs could be made to take an assertion that was meant for another.
    pub issuer: &'a str,
    /// The algorithm of the key.
    pub algorithm: Algorithm,
    /// The name of the key, where it has one.
    pub key_id: Option<&'a str>,
    /// A value that no other assertion of this client has.
    pub jti: &'a str,
    /// When it is made.
    pub issued_at: Timestamp,
    /// How long it is good for.
    pub lifetime: Duration,
}

impl ClientAssertion<'_> {
    /// What is to be signed.
    ///
    /// # Errors
    ///
    /// [`Kind::Configuration`]: a lifetime that [`check_lifetime`] refuses.
    pub fn signing_input(&self) -> Result<SigningInput, Breach> {
        check_lifetime(self.lifetime)?;
        let key_id = self.key_id.map(|key_id| ("kid", Value::from(key_id)));
        let header = [("typ", Value::from("JWT"))].into_iter().chain(key_id);
        let claims = [
            ("aud", Value::from(self.issuer)),
            ("exp", Value::from(self.issued_at.after(self.lifetime).as_secs())),
            ("iat", Value::from(self.issued_at.as_secs())),
            ("iss", Value::from(self.client_id)),
            ("jti", Value::from(self.jti)),
            ("sub", Value::from(self.client_id)),
        ];
        Ok(SigningInput::new(self.algorithm, header, claims))
    }
}

/// What a JWT that somebody else signed says, as far as whoever hands it on may look.
///
/// The signature is **not** verified: the keys are known to the server that will be shown the assertion, and it alone
/// decides. What is judged here saves a request that must fail, and keeps an assertion from a server that it was not
/// issued for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assertion {
    /// The type in its header.
    pub typ: Option<String>,
    /// The name of its algorithm; never `none`. It need not be one that is spoken here.
    pub algorithm: String,
    /// Who issued it.
    pub issuer: Option<String>,
    /// Whether it says whom it is about.
    pub has_subject: bool,
    /// Whether it has a name of its own, `jti`.
    pub has_id: bool,
    /// Whom it is for.
    pub audience: Vec<String>,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// Before when it is not good.
    pub not_before: Option<Timestamp>,
    /// The client that it was issued to.
    pub client_id: Option<String>,
    /// The resources that it is for.
    pub resource: Vec<String>,
    /// The scopes that it is good for: a text, or the list of texts that MCP's table shows. An ill-formed value says
    /// nothing.
    pub scopes: Option<Scopes>,
}

/// What an assertion of any kind is held against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// Its issuer, if one is known.
    pub issuer: Option<&'a str>,
    /// The audiences of which it must name one; none: any will do, as it is the server's choice what to call itself.
    pub audiences: &'a [&'a str],
}

/// What an identity assertion grant (ID-JAG) is held against.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedIdJag<'a> {
    /// The identity provider, if its issuer is known.
    pub identity_provider: Option<&'a str>,
    /// The issuer of the MCP server's authorization server.
    pub issuer: &'a str,
    /// When two issuers are the same.
    pub issuer_match: IssuerMatch,
    /// The client as that authorization server knows it, which may be another than at the identity provider.
    pub client_id: &'a str,
    /// The resource of the MCP server.
    pub resource: &'a str,
}

impl Assertion {
    /// Reads a JWT in compact serialisation.
    ///
    /// # Errors
    ///
    /// [`Kind::AssertionUnusable`]: no such JWT, one without a signature, above [`MAX_ASSERTION`], or with a claim of
    /// the wrong type. The breach quotes nothing of it but `alg`.
    pub fn read(jwt: &Secret) -> Result<Self, Breach> {
        let text = jwt.expose();
        if text.len() > MAX_ASSERTION {
            return Err(unusable("RFC 7519 §7.2", "a JWT of at most 16 KiB", "more"));
        }
        let compact =
            || unusable("RFC 7515 §7.1", "a JWT: three parts in base64url, joined by dots", "another text");
        let mut parts = text.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).map_err(|_| compact()));
        let mut part = || parts.next().unwrap_or_else(|| Err(compact()));
        let (header, claims, signature) = (part()?, part()?, part()?);
        if parts.next().is_some() {
            return Err(compact());
        }
        let header = Object::read(&header).map_err(own)?;
        let claims = Object::read(&claims).map_err(own)?;
        let algorithm = header.required("alg", "RFC 7515 §4.1.1").map_err(own)?;
        if algorithm.eq_ignore_ascii_case("none") || signature.is_empty() {
            return Err(unusable("RFC 7523 §3", "a signature", &format!("none, with alg {algorithm:?}")));
        }
        let text = |name| claims.text(name, CLAIMS).map_err(own);
        Ok(Self {
            typ: header.text("typ", "RFC 7515 §4.1.9").map_err(own)?.map(str::to_owned),
            algorithm: algorithm.to_owned(),
            issuer: text("iss")?.map(str::to_owned),
            has_subject: text("sub")?.is_some(),
            has_id: text("jti")?.is_some(),
            audience: one_or_more(&claims, "aud")?,
            expires_at: moment(&claims, "exp")?,
            not_before: moment(&claims, "nbf")?,
            client_id: text("client_id")?.map(str::to_owned),
            resource: one_or_more(&claims, "resource")?,
            scopes: scopes(&claims),
        })
    }

    /// Judges what every assertion must be: issued by somebody about somebody, for the server in question, and good
    /// now (RFC 7523 §3).
    ///
    /// # Errors
    ///
    /// [`Kind::AssertionUnusable`], with what the assertion says instead: no issuer, subject or audience, or another; no expiry,
    /// one that is past, or a beginning that is yet to come, with [`LEEWAY`].
    pub fn judge(&self, expected: &Expected<'_>, now: Timestamp) -> Result<(), Breach> {
        match (&self.issuer, expected.issuer) {
            (None, wanted) => return Err(unusable(CLAIMS, wanted.unwrap_or("an issuer in \"iss\""), "none")),
            (Some(issuer), Some(wanted)) if issuer != wanted => return Err(unusable(CLAIMS, wanted, issuer)),
            (Some(_), _) => {}
        }
        if !self.has_subject {
            return Err(unusable(CLAIMS, "a subject in \"sub\"", "none"));
        }
        if self.audience.is_empty() {
            return Err(unusable(CLAIMS, "an audience in \"aud\"", "none"));
        }
        let named = |wanted: &&str| self.audience.iter().any(|audience| audience == wanted);
        if !expected.audiences.is_empty() && !expected.audiences.iter().any(named) {
            let wanted = format!("the audience {}", expected.audiences.join(" or "));
            return Err(unusable(CLAIMS, &wanted, &shown(&self.audience)));
        }
        match self.expires_at {
            None => return Err(unusable(CLAIMS, "a time in \"exp\"", "none")),
            Some(at) if at.after(LEEWAY) <= now => {
                let expected = format!("an assertion that is good at {now}");
                return Err(unusable(CLAIMS, &expected, &format!("one that expired at {at}")));
            }
            Some(_) => {}
        }
        match self.not_before.filter(|at| *at > now.after(LEEWAY)) {
            None => Ok(()),
            Some(at) => {
                let expected = format!("an assertion that is good at {now}");
                Err(unusable(CLAIMS, &expected, &format!("one that is good from {at}")))
            }
        }
    }

    /// Judges an identity assertion grant: of the right type, for one authorization server and no other, for this
    /// client and this resource (MCP enterprise-managed authorization §4.3).
    ///
    /// # Errors
    ///
    /// [`Kind::AssertionUnusable`]: those of [`Self::judge`], another type, another audience or more than one, another client,
    /// another resource, or no `jti`.
    pub fn judge_id_jag(&self, expected: &ExpectedIdJag<'_>, now: Timestamp) -> Result<(), Breach> {
        const TYPE: &str = "oauth-id-jag+jwt";
        // RFC 7515 §4.1.9: a media type, of which `application/` may be left out.
        let typ = self.typ.as_deref().unwrap_or("none");
        if !without_application(typ).eq_ignore_ascii_case(TYPE) {
            return Err(unusable(ID_JAG, &format!("the type {TYPE}"), typ));
        }
        self.judge(&Expected { issuer: expected.identity_provider, audiences: &[] }, now)?;
        match self.audience.as_slice() {
            [audience] if expected.issuer_match.same(expected.issuer, audience) => {}
            other => {
                let wanted = format!("the audience {} alone", expected.issuer);
                return Err(unusable(ID_JAG, &wanted, &shown(other)));
            }
        }
        match &self.client_id {
            Some(client_id) if client_id == expected.client_id => {}
            other => {
                let wanted = format!("the client {}", expected.client_id);
                return Err(unusable(ID_JAG, &wanted, other.as_deref().unwrap_or("none")));
            }
        }
        if !self.resource.iter().any(|resource| resource == expected.resource) {
            let wanted = format!("the resource {}", expected.resource);
            return Err(unusable(ID_JAG, &wanted, &shown(&self.resource)));
        }
        if !self.has_id {
            return Err(unusable(ID_JAG, "a name in \"jti\"", "none"));
        }
        Ok(())
    }
}

fn without_application(typ: &str) -> &str {
    let (start, rest) = typ.split_at_checked("application/".len()).unwrap_or(("", typ));
    if start.eq_ignore_ascii_case("application/") { rest } else { typ }
}

/// A claim that is one text or a list of them.
fn one_or_more(claims: &Object, name: &str) -> Result<Vec<String>, Breach> {
    match claims.get(name) {
        Some(json::Value::Text(_)) => {
            Ok(claims.text(name, CLAIMS).map_err(own)?.into_iter().map(str::to_owned).collect())
        }
        _ => Ok(claims.owned_texts(name, CLAIMS).map_err(own)?.unwrap_or_default()),
    }
}

fn scopes(claims: &Object) -> Option<Scopes> {
    let listed = one_or_more(claims, "scope").ok().filter(|listed| !listed.is_empty())?;
    Scopes::parse(&listed.join(" ")).ok()
}

/// A NumericDate (RFC 7519 §2).
fn moment(claims: &Object, name: &str) -> Result<Option<Timestamp>, Breach> {
    match claims.get(name) {
        None => Ok(None),
        Some(json::Value::Number(_)) => {
            // A time before the epoch is long past.
            Ok(Some(Timestamp::from_secs(claims.seconds(name).unwrap_or(0))))
        }
        Some(_) => Err(unusable("RFC 7519 §2", &format!("a number in {name:?}"), "something else")),
    }
}

fn shown(values: &[String]) -> String {
    if values.is_empty() { "none".to_owned() } else { text::clean(&values.join(" "), 300) }
}

fn unusable(clause: &'static str, expected: &str, got: &str) -> Breach {
    Breach::new(Kind::AssertionUnusable, clause, expected, got)
}

fn own(breach: Breach) -> Breach {
    Breach { kind: Kind::AssertionUnusable, ..breach }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_kib_is_the_longest_jwt() {
        let clause = |length: usize| Assertion::read(&Secret::new("x".repeat(length))).unwrap_err().clause;
        assert_eq!(clause(MAX_ASSERTION), "RFC 7515 §7.1", "it is read, and is none");
        assert_eq!(clause(MAX_ASSERTION + 1), "RFC 7519 §7.2");
        assert_eq!(clause(MAX_ASSERTION + 2), "RFC 7519 §7.2");
    }
}
