//! The token endpoint: which grant is asked for, and what is answered (RFC 6749 §4.1.3 and §4.4.2, RFC 7636 §4.6).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::assertion_grant;
use crate::authentication::error_status;
use crate::authorization_server::{AccessToken, AuthorizationServer, Grant, Lasting, Request};
use crate::authorize::{audience, scopes};
use crate::client::Client;
use crate::dials::{
    ClientCredentials, ExpiresIn, RefreshTokens, ResourceParameter, ScopeAnswer, ScopeMissing, TokenBody,
    TokenType,
};
use crate::documents::Site;
use crate::dpop::INVALID_PROOF;
use crate::message::{self, Answer, Asked, Parameters};

pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A token request whose client is known.
pub(crate) struct TokenRequest<'a> {
    pub(crate) client: &'a Client,
    pub(crate) form: &'a Parameters,
    /// The thumbprint of the key that the client proved to have.
    pub(crate) key: Option<String>,
}

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
    /// Whether the access token is bound to a key.
    bound: bool,
}

impl AuthorizationServer {
    pub(crate) fn token(&mut self, site: Site<'_>, now: u64, request: &Asked) -> Answer {
        let (client, form) = match self.known_form(site, now, request) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        let key = match self.proven(site, now, request, Some(&client)) {
            Ok(key) => key,
            Err(answer) => return answer,
        };
        match self.granted(site, now, &TokenRequest { client: &client, form: &form, key }) {
            Ok(issued) => {
                let mut answer = token_answer(site, request, &issued);
                if let Some(dials) = &site.dials.dpop {
                    self.proofs.rotate(dials.server_nonces, now, &mut answer);
                }
                answer
            }
            Err(refused) => {
                message::oauth_error(error_status(site, refused.status), &refused.error, &refused.why)
            }
        }
    }

    fn granted(&mut self, site: Site<'_>, now: u64, request: &TokenRequest<'_>) -> Result<Issued, Refused> {
        let missing = || refused("invalid_request", "There is no grant_type.");
        let grant = request.form.one("grant_type").ok_or_else(missing)?;
        // A client may use the grants that it registered for; codes need an authorization request, which says so itself.
        if !["authorization_code", "refresh_token"].contains(&grant)
            && site.grants().contains(&grant)
            && !request.client.may(grant)
        {
            return Err(refused("unauthorized_client", "The client is not registered for this grant."));
        }
        match (grant, &site.dials.client_credentials) {
            ("authorization_code", _) => self.redeem(site, now, request),
            ("refresh_token", _) => self.renew(site, now, request),
            ("client_credentials", Some(dials)) => self.by_itself(site, now, request, dials),
            (JWT_BEARER, _) if site.grants().contains(&JWT_BEARER) => {
                self.assertion_grant(site, now, request)
            }
            (DEVICE_CODE, _) if site.dials.device.is_some() => self.poll(site, now, request),
            _ => Err(refused("unsupported_grant_type", &format!("{grant} is not taken here."))),
        }
    }

    /// The form of a token request and who sent it: a client that authenticates, or a workload that need not.
    fn known_form(
        &mut self,
        site: Site<'_>,
        now: u64,
        request: &Asked,
    ) -> Result<(Client, Parameters), Answer> {
        let form = body(site, request)?;
        if let Some(workload) = site.platform(&form) {
            return Ok((assertion_grant::workload(request, &form, workload)?, form));
        }
        let client = self.authenticate(site, now, request, &form)?;
        Ok((client, form))
    }

    pub(crate) fn authenticated_form(
        &mut self,
        site: Site<'_>,
        now: u64,
        request: &Asked,
    ) -> Result<(Client, Parameters), Answer> {
        let form = body(site, request)?;
        let client = self.authenticate(site, now, request, &form)?;
        Ok((client, form))
    }

    /// A code for tokens. A code that was tried by its own client is spent, whether or not the rest was right.
    fn redeem(&mut self, site: Site<'_>, now: u64, request: &TokenRequest<'_>) -> Result<Issued, Refused> {
        let TokenRequest { client, form, key } = request;
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
        if site.dials.scope_missing == ScopeMissing::Unexchangeable && request.scopes.is_empty() {
            return Err(invalid("The code is for no scope."));
        }
        if form.one("redirect_uri") != Some(&request.redirect_uri) {
            return Err(invalid("The redirect URI is not that of the authorization request."));
        }
        if !verifies(&request, form.one("code_verifier").unwrap_or_default()) {
            return Err(invalid("The code verifier does not fit the code challenge."));
        }
        if let Some(bound) = &request.key
            && key.as_ref() != Some(bound)
        {
            let error = if key.is_none() { INVALID_PROOF } else { "invalid_grant" };
            return Err(refused(
                error,
                "The code is bound to a key (RFC 9449 §10), and this is no proof of it.",
            ));
        }
        same_resource(site, form, &request.resource, request.asked_resource.as_deref())?;
        let grant = Grant {
            family,
            client_id: client.id.clone(),
            resource: request.resource,
            asked_resource: request.asked_resource,
            scopes: request.scopes,
            key: key.clone(),
        };
        Ok(self.issue_by_consent(site, now, client, grant, request.lasting))
    }

    /// An access token for a client that acts for itself (RFC 6749 §4.4).
    fn by_itself(
        &mut self,
        site: Site<'_>,
        now: u64,
        request: &TokenRequest<'_>,
        dials: &ClientCredentials,
    ) -> Result<Issued, Refused> {
        let TokenRequest { client, form, key } = request;
        if client.is_public() {
            return Err(refused("unauthorized_client", "Only confidential clients act for themselves."));
        }
        let resource = audience(site, form).map_err(|why| refused("invalid_target", &why))?;
        let grant = Grant {
            family: self.count(),
            client_id: client.id.clone(),
            resource,
            asked_resource: form.one("resource").map(str::to_owned),
            scopes: scopes(site, client, form).map_err(|why| refused("invalid_scope", &why))?,
            key: key.clone(),
        };
        let refresh = dials.refresh_tokens.then(|| self.issue_refresh(site, now, grant.clone()));
        Ok(self.issue(site, now, grant, refresh))
    }

    /// The tokens of a grant that a person allowed.
    pub(crate) fn issue_by_consent(
        &mut self,
        site: Site<'_>,
        now: u64,
        client: &Client,
        grant: Grant,
        lasting: Lasting,
    ) -> Issued {
        let offline_access = grant.scopes.iter().any(|scope| scope == "offline_access");
        let refreshes = match site.dials.refresh_tokens {
            RefreshTokens::Never => false,
            RefreshTokens::Always => true,
            RefreshTokens::WithOfflineAccess => offline_access,
            RefreshTokens::WithOfflineAccessAndConsent => offline_access && lasting.consent,
            RefreshTokens::WithAccessType => lasting.offline && lasting.consent,
        };
        let refreshes = refreshes && client.may("refresh_token");
        let refresh = refreshes.then(|| self.issue_refresh(site, now, grant.clone()));
        self.issue(site, now, grant, refresh)
    }

    pub(crate) fn issue(
        &mut self,
        site: Site<'_>,
        now: u64,
        grant: Grant,
        refresh: Option<String>,
    ) -> Issued {
        let mut access = self.draw("access");
        if let Some(claims) = &site.dials.access_token_claims {
            access = jwt_of(claims, &access);
        }
        let (scopes, bound) = (grant.scopes.clone(), grant.key.is_some());
        let expires = now.saturating_add(site.dials.access_lifetime);
        self.access.insert(access.clone(), AccessToken { grant, expires });
        Issued { access, refresh, scopes, bound }
    }
}

/// The parameters of a request to an endpoint that takes a form.
fn body(site: Site<'_>, request: &Asked) -> Result<Parameters, Answer> {
    let invalid = |why| message::oauth_error(error_status(site, 400), "invalid_request", why);
    if request.uri().query().is_some() {
        return Err(invalid("The parameters belong in the body."));
    }
    let form = Parameters::of_form(request).ok_or_else(|| invalid("The body is to be a form."))?;
    if form.repeated().is_some() {
        return Err(invalid("A parameter is there more than once."));
    }
    Ok(form)
}

/// A JWT with these claims, for those who would look inside.
fn jwt_of(claims: &Value, id: &str) -> String {
    let mut claims = claims.clone();
    if let Some(claims) = claims.as_object_mut() {
        claims.insert("jti".to_owned(), id.into());
    }
    let header = json!({ "alg": "RS256", "typ": "at+jwt" });
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(Sha256::digest(id)))
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
    let mut members = members(site, issued);
    let extra = site.dials.token_extra.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    if site.dials.token_body != TokenBody::Nested {
        members.extend(extra.clone());
    }
    match site.dials.token_body {
        TokenBody::Form => form(status, &members),
        TokenBody::FormUnlessAccepted if !accepts_json => form(status, &members),
        TokenBody::Json | TokenBody::FormUnlessAccepted => message::json(status, &Value::Object(members)),
        TokenBody::Nested => {
            let top = json!({ "ok": true, "app_id": "A0", "authed_user": members, "team": { "id": "T0" } });
            let top = top.as_object().cloned().unwrap_or_default().into_iter().chain(extra);
            message::json(status, &Value::Object(top.collect()))
        }
    }
}

fn members(site: Site<'_>, issued: &Issued) -> Map<String, Value> {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("access_token", issued.access.clone().into());
    match &site.dials.token_type {
        TokenType::Bearer => drop(put("token_type", if issued.bound { "DPoP" } else { "Bearer" }.into())),
        TokenType::LowerCase => drop(put("token_type", if issued.bound { "dpop" } else { "bearer" }.into())),
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
