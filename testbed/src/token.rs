//! The token endpoint (RFC 6749 §4.1.3, RFC 7636 §4.6).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::authorization_server::{AccessToken, AuthorizationServer, Grant, Request};
use crate::authorize::audience;
use crate::client::{Client, error_status};
use crate::dials::{ExpiresIn, RefreshTokens, ResourceParameter, ScopeAnswer, TokenBody, TokenType};
use crate::documents::Site;
use crate::message::{self, Answer, Asked, Parameters};

/// Why a token request fails.
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) error: String,
    pub(crate) why: String,
}

pub(crate) fn refused(error: &str, why: &str) -> Refused {
    Refused { status: 400, error: error.to_owned(), why: why.to_owned() }
}

/// What is answered to a token request that succeeds.
pub(crate) struct Issued {
    access: String,
    refresh: Option<String>,
    scopes: Vec<String>,
}

impl AuthorizationServer {
    pub(crate) fn token(&mut self, site: Site<'_>, now: u64, request: &Asked) -> Answer {
        let (client, form) = match self.authenticated_form(site, now, request) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let issued = match form.one("grant_type") {
            Some("authorization_code") => self.redeem(site, now, &client, &form),
            Some("refresh_token") => self.renew(site, now, &client, &form),
            Some(_) => Err(refused("unsupported_grant_type", "Only codes and refresh tokens are taken.")),
            None => Err(refused("invalid_request", "There is no grant_type.")),
        };
        match issued {
            Ok(issued) => token_answer(site, request, &issued),
            Err(refused) => {
                message::oauth_error(error_status(site, refused.status), &refused.error, &refused.why)
            }
        }
    }

    pub(crate) fn authenticated_form(
        &self,
        site: Site<'_>,
        now: u64,
        request: &Asked,
    ) -> Result<(Client, Parameters), Answer> {
        let invalid = |why| message::oauth_error(error_status(site, 400), "invalid_request", why);
        if request.uri().query().is_some() {
            return Err(invalid("The parameters belong in the body."));
        }
        let form = Parameters::of_form(request).ok_or_else(|| invalid("The body is to be a form."))?;
        if form.repeated().is_some() {
            return Err(invalid("A parameter is there more than once."));
        }
        let client = self.authenticate(site, now, request, &form)?;
        Ok((client, form))
    }

    /// A code for tokens. A code that was tried by its own client is spent, whether or not the rest was right.
    fn redeem(
        &mut self,
        site: Site<'_>,
        now: u64,
        client: &Client,
        form: &Parameters,
    ) -> Result<Issued, Refused> {
        let text = form.one("code").ok_or_else(|| refused("invalid_request", "There is no code."))?;
        let invalid = |why| refused("invalid_grant", why);
        let family = self.count();
        let code = self.codes.get_mut(text).ok_or_else(|| invalid("The code is not known."))?;
        if code.request.client_id != client.id {
            return Err(invalid("The code was given to another client."));
        }
        if let Some(family) = code.spent.replace(family) {
            self.end_family(site, now, family);
            return Err(invalid("The code was used before. Its tokens are revoked."));
        }
        if code.expires <= now {
            return Err(invalid("The code has expired."));
        }
        let request = code.request.clone();
        if form.one("redirect_uri") != Some(&request.redirect_uri) {
            return Err(invalid("The redirect URI is not that of the authorization request."));
        }
        if !verifies(&request, form.one("code_verifier").unwrap_or_default()) {
            return Err(invalid("The code verifier does not fit the code challenge."));
        }
        same_resource(site, form, &request.resource, request.asked_resource.as_deref())?;
        let grant = Grant {
            family,
            client_id: client.id.clone(),
            resource: request.resource,
            asked_resource: request.asked_resource,
            scopes: request.scopes,
        };
        let refreshes = match site.dials.refresh_tokens {
            RefreshTokens::Never => false,
            RefreshTokens::Always => true,
            RefreshTokens::WithOfflineAccess => grant.scopes.iter().any(|scope| scope == "offline_access"),
        };
        let refresh = (refreshes && client.refreshes).then(|| self.issue_refresh(site, now, grant.clone()));
        Ok(self.issue(site, now, grant, refresh))
    }

    pub(crate) fn issue(
        &mut self,
        site: Site<'_>,
        now: u64,
        grant: Grant,
        refresh: Option<String>,
    ) -> Issued {
        let access = self.draw("access");
        let scopes = grant.scopes.clone();
        let expires = now.saturating_add(site.dials.access_lifetime);
        self.access.insert(access.clone(), AccessToken { grant, expires });
        Issued { access, refresh, scopes }
    }
}

/// RFC 7636 §4.6.
fn verifies(request: &Request, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return false;
    }
    if request.plain {
        return verifier == request.challenge;
    }
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == request.challenge
}

/// The resource of a token request must be that of the grant (RFC 8707 §2.2).
pub(crate) fn same_resource(
    site: Site<'_>,
    form: &Parameters,
    granted: &str,
    asked: Option<&str>,
) -> Result<(), Refused> {
    let target = |why| refused("invalid_target", why);
    let own = audience(site, form).map_err(|_| target("The resource is missing or not known here."))?;
    let changed = match site.dials.resource_parameter {
        ResourceParameter::Ignored => false,
        ResourceParameter::Required if !site.is_own_authorization_server() => own != granted,
        ResourceParameter::Required
        | ResourceParameter::Optional
        | ResourceParameter::Refused
        | ResourceParameter::Only(_) => {
            form.one("resource").is_some_and(|value| asked.is_some_and(|asked| asked != value))
        }
    };
    if changed { Err(target("The resource is another than that of the grant.")) } else { Ok(()) }
}

fn token_answer(site: Site<'_>, request: &Asked, issued: &Issued) -> Answer {
    let accepts_json = message::header_text(request, "accept")
        .is_some_and(|value| message::names_media_type(value, "application/json"));
    let status = site.dials.token_status;
    let members = members(site, issued);
    match site.dials.token_body {
        TokenBody::Form => form(status, &members),
        TokenBody::FormUnlessAccepted if !accepts_json => form(status, &members),
        TokenBody::Json | TokenBody::FormUnlessAccepted => message::json(status, &Value::Object(members)),
        TokenBody::Nested => {
            let answer =
                json!({ "ok": true, "app_id": "A0", "authed_user": members, "team": { "id": "T0" } });
            message::json(status, &answer)
        }
    }
}

fn members(site: Site<'_>, issued: &Issued) -> Map<String, Value> {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("access_token", issued.access.clone().into());
    match &site.dials.token_type {
        TokenType::Bearer => drop(put("token_type", "Bearer".into())),
        TokenType::LowerCase => drop(put("token_type", "bearer".into())),
        TokenType::Other(text) => drop(put("token_type", text.clone().into())),
        TokenType::Absent => {}
    }
    let lifetime = site.dials.access_lifetime;
    match site.dials.expires_in {
        ExpiresIn::Number => drop(put("expires_in", lifetime.into())),
        ExpiresIn::Text => drop(put("expires_in", lifetime.to_string().into())),
        ExpiresIn::Float => drop(put("expires_in", (lifetime as f64 + 0.5).into())),
        ExpiresIn::Null => drop(put("expires_in", Value::Null)),
        ExpiresIn::Zero => drop(put("expires_in", 0.into())),
        ExpiresIn::Negative => drop(put("expires_in", (-1).into())),
        ExpiresIn::Absent => {}
    }
    if let Some(refresh) = &issued.refresh {
        put("refresh_token", refresh.clone().into());
    }
    match site.dials.scope_answer {
        ScopeAnswer::Present => drop(put("scope", issued.scopes.join(" ").into())),
        ScopeAnswer::Commas => drop(put("scope", issued.scopes.join(",").into())),
        ScopeAnswer::Empty => drop(put("scope", "".into())),
        ScopeAnswer::Absent => {}
    }
    members
}

fn form(status: u16, members: &Map<String, Value>) -> Answer {
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in members {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        encoded.append_pair(name, &text);
    }
    message::body(status, "application/x-www-form-urlencoded", encoded.finish().into_bytes())
}
