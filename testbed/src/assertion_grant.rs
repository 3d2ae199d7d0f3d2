//! The JWT bearer grant (RFC 7523 §2.1): for the ID-JAG of an identity provider, and for the token of a workload.

use http::header;
use serde_json::{Value, json};

use crate::authorization_server::{AuthorizationServer, Grant};
use crate::authorize::{audience, scopes};
use crate::client::Client;
use crate::dials::{ClientAssertions, Enterprise, Workload, WorkloadToken};
use crate::documents::Site;
use crate::jwt::Jwt;
use crate::key::{ALGORITHMS, SigningKey};
use crate::message::{self, Asked, Parameters};
use crate::token::{Issued, JWT_BEARER, Refused, TokenRequest, refused};
use crate::world::World;

/// The `typ` of an ID-JAG.
pub(crate) const ID_JAG: &str = "oauth-id-jag+jwt";

impl World {
    /// A JWT that the platform issues to its workload for the first authorization server, by
    /// [`Workload::token`](crate::Workload); `None` where there is no such dial.
    pub fn workload_token(&self, now: u64) -> Option<String> {
        let site = self.site();
        let workload = site.dials.workload.as_ref()?;
        let audience = match workload.token {
            WorkloadToken::OtherAudience => site.origins.elsewhere.clone(),
            WorkloadToken::ByTheBook | WorkloadToken::Expired | WorkloadToken::OtherKey => site.own_issuer(0),
        };
        let made = match workload.token {
            WorkloadToken::Expired => now.saturating_sub(workload.lifetime).saturating_sub(3600),
            WorkloadToken::ByTheBook | WorkloadToken::OtherAudience | WorkloadToken::OtherKey => now,
        };
        let key = match workload.token {
            WorkloadToken::OtherKey => SigningKey::numbered(u64::MAX),
            WorkloadToken::ByTheBook | WorkloadToken::OtherAudience | WorkloadToken::Expired => workload.key,
        };
        let claims = json!({
            "iss": workload.issuer,
            "sub": workload.subject,
            "aud": audience,
            "iat": made,
            "exp": made.saturating_add(workload.lifetime),
        });
        Some(key.jwt(json!({ "typ": "JWT" }), &claims))
    }
}

impl Site<'_> {
    /// The platform whose token a token request shows, by what the token says of itself.
    pub(crate) fn platform(&self, form: &Parameters) -> Option<&Workload> {
        let workload = self.dials.workload.as_ref()?;
        let jwt = Jwt::parse(form.one("assertion")?).ok()?;
        let shown = form.one("grant_type") == Some(JWT_BEARER) && jwt.text("iss") == Some(&workload.issuer);
        shown.then_some(workload)
    }
}

/// The client that a workload is, before its token is judged. It has nothing else to show.
pub(crate) fn workload(
    request: &Asked,
    form: &Parameters,
    workload: &Workload,
) -> Result<Client, message::Answer> {
    let shows = |name: &str| form.one(name).is_some();
    if request.headers().contains_key(header::AUTHORIZATION)
        || shows("client_secret")
        || shows("client_assertion")
    {
        let why = "A workload is known by its token, and does not authenticate beside it.";
        return Err(message::oauth_error(400, "invalid_request", why));
    }
    Ok(Client {
        id: workload.subject.clone(),
        name: workload.subject.clone(),
        secret: None,
        secret_expires: None,
        method: "none".to_owned(),
        keys: Vec::new(),
        redirect_uris: Vec::new(),
        grants: None,
        scopes: None,
        bound: false,
    })
}

impl AuthorizationServer {
    /// An access token for an assertion. There is no refresh token: the assertion is asked for again.
    pub(crate) fn assertion_grant(
        &mut self,
        site: Site<'_>,
        now: u64,
        request: &TokenRequest<'_>,
    ) -> Result<Issued, Refused> {
        let text = request.form.one("assertion");
        let text = text.ok_or_else(|| refused("invalid_request", "There is no assertion."))?;
        let jwt = Jwt::parse(text).map_err(|why| refused("invalid_grant", &why))?;
        let (resource, scopes) = match (site.platform(request.form), &site.dials.enterprise) {
            (Some(workload), _) => self.by_platform(site, now, request, workload, &jwt)?,
            (None, Some(enterprise)) => self.by_identity_provider(site, now, request, enterprise, &jwt)?,
            (None, None) => {
                return Err(refused("invalid_grant", "Nobody knows the issuer of the assertion."));
            }
        };
        let grant = Grant {
            family: self.count(),
            client_id: request.client.id.clone(),
            resource,
            asked_resource: request.form.one("resource").map(str::to_owned),
            scopes,
            key: request.key.clone(),
        };
        Ok(self.issue(site, now, grant, None))
    }

    fn by_platform(
        &self,
        site: Site<'_>,
        now: u64,
        request: &TokenRequest<'_>,
        workload: &Workload,
        jwt: &Jwt,
    ) -> Result<(String, Vec<String>), Refused> {
        self.judged(site, now, jwt, &workload.key, &workload.audiences)
            .map_err(|why| refused("invalid_grant", &why))?;
        if jwt.text("sub") != Some(&workload.subject) {
            return Err(refused("invalid_grant", "The workload is not known here."));
        }
        let resource = audience(site, request.form).map_err(|why| refused("invalid_target", &why))?;
        let scopes =
            scopes(site, request.client, request.form).map_err(|why| refused("invalid_scope", &why))?;
        Ok((resource, scopes))
    }

    /// The processing rules of the ID-JAG profile.
    fn by_identity_provider(
        &mut self,
        site: Site<'_>,
        now: u64,
        request: &TokenRequest<'_>,
        enterprise: &Enterprise,
        jwt: &Jwt,
    ) -> Result<(String, Vec<String>), Refused> {
        let invalid = |why: &str| refused("invalid_grant", why);
        if request.client.is_public() && !enterprise.public_clients {
            return Err(refused("unauthorized_client", "Only confidential clients may use an ID-JAG."));
        }
        if jwt.typ() != Some(ID_JAG) {
            return Err(invalid("The typ of the assertion is to be oauth-id-jag+jwt."));
        }
        if jwt.text("iss") != Some(&site.origins.identity_provider) {
            return Err(invalid("Nobody knows the issuer of the assertion."));
        }
        self.judged(site, now, jwt, &enterprise.key, &[]).map_err(|why| invalid(&why))?;
        if jwt.text("client_id") != Some(&request.client.id) {
            return Err(invalid("The assertion was issued to another client."));
        }
        let known = |resource: &&str| site.resources().iter().any(|own| own == resource);
        let resource = jwt.text("resource").filter(known);
        let resource = resource.ok_or_else(|| invalid("The assertion is for no resource of this server."))?;
        if request.form.one("resource").is_some_and(|asked| asked != resource) {
            return Err(refused("invalid_target", "The assertion is for another resource."));
        }
        let id = jwt.text("jti").ok_or_else(|| invalid("The assertion has no jti."))?;
        if jwt.text("sub").is_none() || jwt.claim("iat").is_none() {
            return Err(invalid("The assertion lacks sub or iat."));
        }
        if !self.assertions.insert(format!("{} {id}", site.origins.identity_provider)) {
            return Err(invalid("The assertion was used before."));
        }
        Ok((resource.to_owned(), narrowed(site, request, jwt)?))
    }

    /// Whether an assertion is signed with this key, is for this server, and holds now (RFC 7523 §3).
    fn judged(
        &self,
        site: Site<'_>,
        now: u64,
        jwt: &Jwt,
        key: &SigningKey,
        others: &[String],
    ) -> Result<(), String> {
        jwt.signed_by(&[key.public_jwk()], &ALGORITHMS.map(str::to_owned))?;
        let issuer = site.own_issuer(self.index);
        let own =
            |value: &Value| *value == issuer.as_str() || others.iter().any(|other| *value == other.as_str());
        let listed = |aud: &Value| aud.as_array().is_some_and(|values| values.iter().any(own));
        if !jwt.claim("aud").is_some_and(|aud| own(aud) || listed(aud)) {
            return Err(format!("The aud of the assertion is to be {issuer}."));
        }
        let ClientAssertions { skew, .. } = site.dials.client_assertions;
        jwt.holds_at(now, skew)
    }
}

/// The scopes of the assertion, or those of them that the request asks for.
fn narrowed(site: Site<'_>, request: &TokenRequest<'_>, jwt: &Jwt) -> Result<Vec<String>, Refused> {
    let granted = jwt.text("scope").map(message::words);
    let granted = granted.unwrap_or_else(|| site.dials.required_scopes.clone());
    let Some(asked) = request.form.one("scope").map(message::words) else { return Ok(granted) };
    if asked.iter().all(|scope| granted.contains(scope)) {
        Ok(asked)
    } else {
        Err(refused("invalid_scope", "A scope is not among those of the assertion."))
    }
}
