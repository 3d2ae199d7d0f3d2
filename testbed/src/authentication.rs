//! How clients show who they are (RFC 6749 §2.3, RFC 7521 §4.2, RFC 7523 §2.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header;
use serde_json::Value;

use crate::authorization_server::AuthorizationServer;
use crate::client::Client;
use crate::dials::{AssertionAudience, DocumentFetch, SecretDespiteNone};
use crate::documents::Site;
use crate::jwt::Jwt;
use crate::message::{self, Answer, Asked, Parameters};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How a client showed who it is.
pub(crate) struct Shown {
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
    pub(crate) assertion: Option<String>,
    pub(crate) method: &'static str,
}

impl AuthorizationServer {
    /// The client that makes a request to an endpoint where clients authenticate.
    pub(crate) fn authenticate(
        &mut self,
        site: Site<'_>,
        now: u64,
        request: &Asked,
        form: &Parameters,
    ) -> Result<Client, Answer> {
        let shown = shown(site, request, form)?;
        let refuse = |why: &str| invalid_client(site, request, why);
        let client = self.client(site, &shown.id).map_err(|why| refuse(&why))?;
        let unfetched = site.dials.client_document_fetch == DocumentFetch::InvalidClientAtToken;
        if unfetched && self.is_described(site, &shown.id) {
            return Err(refuse("The client id metadata document cannot be fetched."));
        }
        let decorated = client.method == "none" && client.secret.is_some();
        let method_fits = match site.dials.secret_despite_none {
            SecretDespiteNone::Demanded if decorated => shown.method != "none",
            SecretDespiteNone::No | SecretDespiteNone::Decorative | SecretDespiteNone::Demanded => {
                decorated || shown.method == client.method
            }
        };
        if !method_fits {
            let why = format!("The client is to authenticate with {}, not {}.", client.method, shown.method);
            return Err(refuse(&why));
        }
        if let Some(assertion) = &shown.assertion {
            self.assert(site, now, &client, assertion).map_err(|why| refuse(&why))?;
        } else if shown.method != "none" {
            if shown.secret != client.secret {
                return Err(refuse("The client secret is wrong."));
            }
            if client.secret_expires.is_some_and(|end| end <= now) {
                return Err(refuse("The client secret has expired."));
            }
        }
        Ok(client)
    }

    /// Whether an assertion is one that the client made, for this server, to be used now and once (RFC 7523 §3).
    fn assert(&mut self, site: Site<'_>, now: u64, client: &Client, text: &str) -> Result<(), String> {
        let dials = &site.dials.client_assertions;
        let jwt = Jwt::parse(text)?;
        jwt.signed_by(&client.keys, &dials.algorithms)?;
        for name in ["iss", "sub"] {
            if jwt.text(name) != Some(&client.id) {
                return Err(format!("The {name} of the assertion is not the client id."));
            }
        }
        let issuer = site.own_issuer(self.index);
        let endpoint = site.endpoint(self.index, "token");
        if !addressed(dials.audience, jwt.claim("aud"), &issuer, &endpoint) {
            let wanted = match dials.audience {
                AssertionAudience::TokenEndpoint => &endpoint,
                AssertionAudience::Issuer | AssertionAudience::Any => &issuer,
            };
            return Err(format!("The aud of the assertion is to be {wanted}."));
        }
        jwt.holds_at(now, dials.skew)?;
        let latest = now.saturating_add(dials.lifetime).saturating_add(dials.skew);
        if jwt.date("exp").is_none_or(|end| end > latest) {
            return Err("The assertion lives too long.".to_owned());
        }
        let id = jwt.text("jti").ok_or("The assertion has no jti.")?;
        if !self.assertions.insert(format!("{} {id}", client.id)) {
            return Err("The assertion was used before.".to_owned());
        }
        Ok(())
    }
}

fn addressed(dial: AssertionAudience, aud: Option<&Value>, issuer: &str, endpoint: &str) -> bool {
    let Some(aud) = aud else { return false };
    match dial {
        AssertionAudience::Issuer => aud == issuer,
        AssertionAudience::TokenEndpoint => aud == endpoint,
        AssertionAudience::Any => {
            let own = |value: &Value| value == issuer || value == endpoint;
            own(aud) || aud.as_array().is_some_and(|values| values.iter().any(own))
        }
    }
}

pub(crate) fn shown(site: Site<'_>, request: &Asked, form: &Parameters) -> Result<Shown, Answer> {
    let secret = form.one("client_secret").map(str::to_owned);
    let id = form.one("client_id").map(str::to_owned);
    let assertion = form.one("client_assertion").map(str::to_owned);
    let doubled = || {
        let why = "The client authenticates in more than one way.";
        message::oauth_error(error_status(site, 400), "invalid_request", why)
    };
    if request.headers().contains_key(header::AUTHORIZATION) {
        let (user, password) = message::credentials(request, "Basic")
            .and_then(basic)
            .ok_or_else(|| invalid_client(site, request, "The Authorization header cannot be read."))?;
        let id_too = id.is_some() && site.dials.refuse_client_id_with_basic;
        if secret.is_some() || assertion.is_some() || id_too {
            return Err(doubled());
        }
        if id.is_some_and(|id| id != user) {
            return Err(invalid_client(site, request, "The body names another client than the header."));
        }
        let method = "client_secret_basic";
        return Ok(Shown { id: user, secret: Some(password), assertion: None, method });
    }
    if let Some(assertion) = assertion {
        if secret.is_some() {
            return Err(doubled());
        }
        if form.one("client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(invalid_client(site, request, "The type of the client assertion is not known."));
        }
        // The client is the subject, and need not be named beside it (RFC 7521 §4.2).
        let subject = Jwt::parse(&assertion)
            .and_then(|jwt| jwt.text("sub").map(str::to_owned).ok_or("The assertion has no sub.".to_owned()))
            .map_err(|why| invalid_client(site, request, &why))?;
        if id.is_some_and(|id| id != subject) {
            return Err(invalid_client(site, request, "The body names another client than the assertion."));
        }
        let method = "private_key_jwt";
        return Ok(Shown { id: subject, secret: None, assertion: Some(assertion), method });
    }
    let id = id.ok_or_else(|| invalid_client(site, request, "There is no client_id."))?;
    let method = if secret.is_some() { "client_secret_post" } else { "none" };
    Ok(Shown { id, secret, assertion: None, method })
}

/// Both parts are form-encoded before they are joined (RFC 6749 §2.3.1).
fn basic(credentials: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((form_decoded(user)?, form_decoded(password)?))
}

fn form_decoded(text: &str) -> Option<String> {
    // A text with `&` or `=` in it was not encoded, and would not come back whole.
    if text.contains(['&', '=']) {
        return None;
    }
    let pair = format!("a={text}");
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
}

pub(crate) fn invalid_client(site: Site<'_>, request: &Asked, why: &str) -> Answer {
    let status = error_status(site, site.dials.invalid_client_status);
    let mut answer = message::oauth_error(status, "invalid_client", why);
    if request.headers().contains_key(header::AUTHORIZATION) {
        message::set(&mut answer, header::WWW_AUTHENTICATE, "Basic realm=\"testbed\"");
    }
    answer
}

/// The status of an error of the token endpoint.
pub(crate) fn error_status(site: Site<'_>, status: u16) -> u16 {
    if site.dials.errors_with_200 { 200 } else { status }
}
