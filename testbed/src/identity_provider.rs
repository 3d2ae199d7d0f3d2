//! The identity provider of an enterprise: it exchanges identity assertions for ID-JAGs (RFC 8693, Identity Assertion
//! JWT Authorization Grant).

use http::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::assertion_grant::ID_JAG;
use crate::authentication::{invalid_client, shown};
use crate::dials::{Enterprise, EnterpriseClient, Subject, TokenExchange};
use crate::documents::Site;
use crate::key::SigningKey;
use crate::message::{self, Answer, Asked, Parameters};
use crate::world::World;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_JAG_TYPE: &str = "urn:ietf:params:oauth:token-type:id-jag";
const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What the identity provider remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdentityProvider {
    drawn: u64,
    last: Option<String>,
}

/// Why a token exchange fails: the error and its description.
type Refused = (&'static str, &'static str);

/// A token exchange that is in order.
struct Exchange<'a> {
    client: &'a EnterpriseClient,
    subject: &'a Subject,
    audience: &'a str,
    resource: &'a str,
    scopes: Vec<String>,
}

impl World {
    /// The issuer of ID-JAGs: the origin of the identity provider.
    pub fn identity_provider(&self) -> String {
        self.origins().identity_provider.clone()
    }

    /// Where the identity provider exchanges tokens.
    pub fn token_exchange_endpoint(&self) -> String {
        format!("{}/token", self.origins().identity_provider)
    }
}

impl IdentityProvider {
    /// Answers what goes to the token endpoint; `None` where there is none.
    pub(crate) fn answer(&mut self, site: Site<'_>, now: u64, request: &Asked) -> Option<Answer> {
        let enterprise = site.dials.enterprise.as_ref().filter(|_| request.uri().path() == "/token")?;
        if request.method() != Method::POST {
            return Some(message::text(405, "This endpoint does not take this method."));
        }
        let refuse = |(error, why): Refused| message::oauth_error(400, error, why);
        let Some(form) = Parameters::of_form(request).filter(|form| form.repeated().is_none()) else {
            return Some(refuse(("invalid_request", "The body is to be a form without repetition.")));
        };
        let client = match authenticated(site, enterprise, request, &form) {
            Ok(client) => client,
            Err(answer) => return Some(answer),
        };
        let exchange = match checked(site, enterprise, client, &form) {
            Ok(exchange) => exchange,
            Err(refused) => return Some(refuse(refused)),
        };
        if let TokenExchange::Refused(status, error) = &enterprise.exchange {
            return Some(message::oauth_error(*status, error, "The policy of the enterprise refuses."));
        }
        let assertion = self.assertion(site, now, enterprise, &exchange);
        let issued = match enterprise.exchange {
            TokenExchange::WrongIssuedType => ACCESS_TOKEN_TYPE,
            _ => ID_JAG_TYPE,
        };
        let token_type = if enterprise.exchange == TokenExchange::BearerType { "Bearer" } else { "N_A" };
        let answer = json!({
            "issued_token_type": issued,
            "access_token": assertion,
            "token_type": token_type,
            "scope": exchange.scopes.join(" "),
            "expires_in": enterprise.lifetime,
        });
        Some(message::json(200, &answer))
    }

    fn assertion(
        &mut self,
        site: Site<'_>,
        now: u64,
        enterprise: &Enterprise,
        exchange: &Exchange<'_>,
    ) -> String {
        let dial = &enterprise.exchange;
        if let (TokenExchange::Repeated, Some(last)) = (dial, &self.last) {
            return last.clone();
        }
        if *dial == TokenExchange::Garbage {
            return "this is no JWT".to_owned();
        }
        self.drawn = self.drawn.saturating_add(1);
        let digest = Sha256::digest(format!("assertion {} of the identity provider", self.drawn));
        let id: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let elsewhere = site.origins.elsewhere.as_str();
        let pick = |wrong, other, own| if *dial == wrong { other } else { own };
        let made = match dial {
            TokenExchange::Expired => now.saturating_sub(enterprise.lifetime).saturating_sub(3600),
            _ => now,
        };
        let mut claims = json!({
            "jti": id,
            "iss": site.origins.identity_provider,
            "sub": exchange.subject.subject,
            "aud": pick(TokenExchange::OtherAudience, elsewhere, exchange.audience),
            "resource": pick(TokenExchange::OtherResource, elsewhere, exchange.resource),
            "client_id":
                pick(TokenExchange::OtherClient, "another-client", exchange.client.resource_client_id.as_str()),
            "iat": made,
            "exp": made.saturating_add(enterprise.lifetime),
        });
        if let (false, Some(members)) = (exchange.scopes.is_empty(), claims.as_object_mut()) {
            members.insert("scope".to_owned(), exchange.scopes.join(" ").into());
        }
        let typ = pick(TokenExchange::WrongTyp, "JWT", ID_JAG);
        let key = match dial {
            TokenExchange::OtherKey => SigningKey::numbered(u64::MAX),
            _ => enterprise.key,
        };
        let assertion = key.jwt(json!({ "typ": typ }), &claims);
        self.last = Some(assertion.clone());
        assertion
    }
}

fn authenticated<'a>(
    site: Site<'_>,
    enterprise: &'a Enterprise,
    request: &Asked,
    form: &Parameters,
) -> Result<&'a EnterpriseClient, Answer> {
    let shown = shown(site, request, form)?;
    let refuse = |why| invalid_client(site, request, why);
    let own = |client: &&EnterpriseClient| client.client_id == shown.id;
    let client =
        enterprise.clients.iter().find(own).ok_or_else(|| refuse("The client is not known here."))?;
    if shown.assertion.is_some() || shown.secret != client.client_secret {
        return Err(refuse("The client secret is wrong."));
    }
    Ok(client)
}

fn checked<'a>(
    site: Site<'_>,
    enterprise: &'a Enterprise,
    client: &'a EnterpriseClient,
    form: &'a Parameters,
) -> Result<Exchange<'a>, Refused> {
    match form.one("grant_type") {
        Some(GRANT) => {}
        Some(_) => return Err(("unsupported_grant_type", "Only token exchange is supported.")),
        None => return Err(("invalid_request", "There is no grant_type.")),
    }
    if form.one("requested_token_type") != Some(ID_JAG_TYPE) {
        return Err(("invalid_request", "The requested token type is to be that of an ID-JAG."));
    }
    if form.one("actor_token").is_some() || form.one("actor_token_type").is_some() {
        return Err(("invalid_request", "There is no actor in this exchange."));
    }
    let text = form.one("subject_token").ok_or(("invalid_request", "There is no subject_token."))?;
    let token_type =
        form.one("subject_token_type").ok_or(("invalid_request", "There is no subject_token_type."))?;
    let own = |subject: &&Subject| subject.token == text && subject.token_type == token_type;
    let subject = enterprise.subjects.iter().find(own);
    let subject = subject.ok_or(("invalid_grant", "The subject token is not known here by this type."))?;
    if subject.client_id != client.client_id {
        return Err(("invalid_grant", "The subject token was issued to another client."));
    }
    let audience = form.one("audience").ok_or(("invalid_request", "There is no audience."))?;
    let issued = |server| site.issuer(server) == audience || site.own_issuer(server) == audience;
    if !(0..site.origins.authorization_servers.len()).any(issued) {
        return Err(("invalid_target", "The audience is no authorization server that is known here."));
    }
    let resources: Vec<&str> = form.all("resource").collect();
    let [resource] = resources.as_slice() else {
        return Err(("invalid_request", "There is to be one resource."));
    };
    if !site.resources().iter().any(|own| own == resource) {
        return Err(("invalid_target", "The resource is not known here."));
    }
    let mut scopes = form.one("scope").map(message::words).unwrap_or_default();
    if let Some(granted) = &enterprise.scopes {
        scopes.retain(|scope| granted.contains(scope));
    }
    Ok(Exchange { client, subject, audience, resource, scopes })
}
