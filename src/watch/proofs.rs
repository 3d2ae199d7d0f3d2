//! What is signed, and what others have signed: each goes to one place, and no proof goes out twice.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Method};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use super::Watch;
use super::documents::{members, parameter};
use super::holding::Lane;
use super::secrets::{Home, Sort};
use crate::action::{Send, Show, Sign, SigningKey, Supply};
use crate::config::Config;
use crate::grant_type::GrantType;

/// What is known of keys and assertions.
#[derive(Clone, Debug, Default)]
pub(super) struct Proofs {
    /// Where the identity provider exchanges assertions.
    identity_provider: Option<String>,
    identity_issuer: Option<String>,
    /// Where the MCP server is.
    resource: String,
    /// Whom the assertion is for that the host was asked for.
    audience: Option<String>,
    /// The names of proofs and assertions that were to be signed, and of those that went out.
    signed: Vec<String>,
    sent: Vec<String>,
    /// Access tokens that are bound to a key.
    bound: Vec<String>,
    /// The nonces that each origin gave.
    nonces: Vec<(String, String)>,
}

impl Proofs {
    pub(super) fn of(config: &Config) -> Self {
        let (identity_provider, identity_issuer) = match config.flow() {
            GrantType::EnterpriseManaged(provider) => {
                (Some(provider.token_endpoint.clone()), Some(provider.issuer.clone()))
            }
            GrantType::AuthorizationCode
            | GrantType::DeviceCode
            | GrantType::ClientCredentials
            | GrantType::WorkloadIdentity => (None, None),
        };
        let resource = origin(config.server_url());
        Self { identity_provider, identity_issuer, resource, ..Self::default() }
    }

    pub(super) fn bind(&mut self, token: &str) {
        self.bound.push(token.to_owned());
    }

    /// A server answered, perhaps with a nonce for proofs.
    pub(super) fn gave(&mut self, url: &str, fields: &HeaderMap) {
        let given = fields.get_all("dpop-nonce").iter().filter_map(|value| value.to_str().ok());
        self.nonces.extend(given.map(|nonce| (origin(url), nonce.trim().to_owned())));
    }

    pub(super) fn gave_of_resource(&mut self, nonce: Option<&str>) {
        let resource = self.resource.clone();
        self.nonces.extend(nonce.map(|nonce| (resource, nonce.to_owned())));
    }
}

impl Watch {
    pub(super) fn shows(&mut self, show: &Show) {
        self.troubles();
        self.wants(show.id, show.until(), Lane::Login);
        // The answer comes by itself.
        self.awaited.retain(|awaited| awaited.id != show.id);
        self.judge(show.verification_uri(), None);
        if let Some(complete) = show.verification_uri_complete() {
            self.judge(&complete.clone(), None);
        }
    }

    pub(super) fn signs(&mut self, sign: &Sign) {
        self.wants(sign.id, sign.deadline(), Lane::Either);
        let claims = claims(sign.message()).unwrap_or_default();
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let message = String::from_utf8_lossy(sign.message());
        let sort = match sign.key() {
            SigningKey::Client { .. } => Sort::ClientAssertion,
            SigningKey::Proof => Sort::Proof,
        };
        self.secrets.learn(sort, &message, Home::Anywhere);
        match sign.key() {
            SigningKey::Client { .. } => {
                let lifetime = claims.get("exp").and_then(Value::as_u64).unwrap_or(u64::MAX);
                if text("aud").is_empty() || text("iss") != text("sub") {
                    self.breach("an assertion of the client has no one audience, or is about somebody else");
                }
                if lifetime.saturating_sub(self.now.as_secs()) > 300 {
                    self.breach("an assertion of the client lives too long");
                }
            }
            SigningKey::Proof => {
                if text("htu").contains(['?', '#']) || text("htm").is_empty() {
                    self.breach("a proof names no request, or shows its query");
                }
            }
        }
        let jti = text("jti").to_owned();
        if jti.is_empty() || self.proofs.signed.contains(&jti) {
            self.breach("something is signed without a name of its own");
        }
        self.proofs.signed.push(jti);
    }

    pub(super) fn supplies(&mut self, supply: &Supply) {
        self.wants(supply.id, supply.until(), Lane::Login);
        self.proofs.audience = Some(supply.audience().to_owned());
    }

    /// An assertion came from the host.
    pub(super) fn supplied(&mut self, assertion: &str) {
        match self.proofs.identity_provider.clone() {
            Some(endpoint) => {
                self.secrets.learn(Sort::IdentityAssertion, assertion, Home::Endpoint(endpoint));
            }
            None => {
                let audience = self.proofs.audience.take();
                self.secrets.learn(Sort::Assertion, assertion, audience.map_or(Home::Anywhere, Home::Issuer));
            }
        }
    }

    /// The identity provider gave a grant, which is for the authorization server that it names.
    pub(super) fn exchanged_identity(&mut self, body: &[u8]) {
        for grant in members(body, "access_token") {
            let claims = claims_of(&grant).unwrap_or_default();
            let audiences = listed(&claims, "aud").iter().filter_map(Value::as_str);
            for audience in audiences {
                self.secrets.learn(Sort::Assertion, &grant, Home::Issuer(audience.to_owned()));
            }
        }
    }

    pub(super) fn given_codes(&mut self, url: &str, body: &[u8]) {
        let home = self.documents.asked_with_codes_of(url).map_or(Home::Anywhere, Home::Endpoint);
        for code in members(body, "device_code") {
            self.secrets.learn(Sort::DeviceCode, &code, home.clone());
        }
        for code in members(body, "user_code") {
            self.secrets.learn(Sort::UserCode, &code, Home::Anywhere);
        }
    }

    /// The client's assertion is for the issuer whose endpoint it is sent to, and a proof is for this request.
    pub(super) fn proves(&mut self, send: &Send, form: &[(String, String)], url: &str) {
        if let Some(assertion) = parameter(form, "client_assertion") {
            let claims = claims_of(assertion);
            let audience = claims.as_ref().and_then(|claims| claims.get("aud")?.as_str()).unwrap_or_default();
            let provider = self.proofs.identity_provider.as_deref() == Some(url);
            let own = if provider {
                self.proofs.identity_issuer.as_deref() == Some(audience)
            } else {
                self.documents.issuers_at(url).any(|issuer| issuer == audience)
            };
            if !own {
                self.breach("an assertion of the client goes to another server than it is for");
            }
            if !self.goes_once(claims.as_ref()) {
                self.breach("an assertion of the client goes out twice");
            }
        }
        if let Some(assertion) = parameter(form, "assertion") {
            self.vouches(assertion, url);
        }
        let request = send.request();
        if let Some(proof) = text(request.headers(), "dpop") {
            self.proven(&proof, send.method(), url, None);
        }
    }

    /// A grant of the identity provider (ID-JAG) goes on only if its issuer is the configured one, its client one of the server
    /// at `url`, and its resource at the MCP server's origin.
    fn vouches(&mut self, grant: &str, url: &str) {
        let Some(issuer) = self.proofs.identity_issuer.clone() else { return };
        let claims = claims_of(grant).unwrap_or_default();
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        let near = |resource: &Value| resource.as_str().is_some_and(|it| origin(it) == self.proofs.resource);
        let alone = listed(&claims, "aud").len() == 1;
        let named = !text("client_id").is_empty();
        if text("iss") != issuer || !alone || !named || !listed(&claims, "resource").iter().any(near) {
            self.breach(
                "a grant goes on that is another identity provider's, or for others than it should be",
            );
        }
        self.named(text("client_id"), url);
    }

    /// A server gave tokens, which may be bound to the key that was proven.
    pub(super) fn binds(&mut self, body: &[u8]) {
        if members(body, "token_type").iter().any(|scheme| scheme.eq_ignore_ascii_case("dpop")) {
            members(body, "access_token").iter().for_each(|token| self.proofs.bind(token));
        }
    }

    /// The host sends a request to the MCP server, with these fields.
    pub fn requested(&mut self, method: &Method, url: &Url, fields: &HeaderMap) {
        let authorization = text(fields, "authorization").unwrap_or_default();
        let (scheme, token) = authorization.split_once(' ').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("dpop") {
            if self.proofs.bound.iter().any(|bound| bound == token) {
                self.breach("a bound token goes out as if whoever has it might use it");
            }
            return;
        }
        match text(fields, "dpop") {
            Some(proof) => self.proven(&proof, method, url.as_str(), Some(token)),
            None => self.breach("a bound token goes out without a proof"),
        }
    }

    /// A proof goes out with a request, and with a token or none.
    fn proven(&mut self, proof: &str, method: &Method, url: &str, token: Option<&str>) {
        let claims = claims_of(proof);
        let claim = |name: &str| claims.as_ref()?.get(name)?.as_str();
        let bare = url.split(['?', '#']).next();
        if claim("htu") != bare || claim("htm") != Some(method.as_str()) {
            self.breach("a proof goes out with another request than it is for");
        }
        let hash = token.map(|token| URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes())));
        if claim("ath") != hash.as_deref() {
            self.breach("a proof goes out with another token than it is for");
        }
        let of = origin(url);
        let given = |nonce: &str| self.proofs.nonces.iter().any(|(by, given)| *by == of && given == nonce);
        if claim("nonce").is_some_and(|nonce| !given(nonce)) {
            self.breach("a proof carries a nonce that its server did not give");
        }
        if !self.goes_once(claims.as_ref()) {
            self.breach("a proof goes out twice");
        }
    }

    /// Whether nothing of this name has gone out before.
    fn goes_once(&mut self, claims: Option<&Value>) -> bool {
        let jti = claims.and_then(|claims| claims.get("jti")?.as_str()).unwrap_or_default().to_owned();
        let new = !self.proofs.sent.contains(&jti);
        self.proofs.sent.push(jti);
        new
    }
}

/// What a claim says, be it one thing or a list.
fn listed<'a>(claims: &'a Value, name: &str) -> &'a [Value] {
    match claims.get(name) {
        Some(Value::Array(listed)) => listed,
        Some(Value::Null) | None => &[],
        Some(one) => std::slice::from_ref(one),
    }
}

/// The value of a field that is there once.
fn text(fields: &HeaderMap, name: &str) -> Option<String> {
    let mut values = fields.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok().map(str::to_owned)
}

fn origin(url: &str) -> String {
    Url::parse(url).map_or(String::new(), |url| url.origin().ascii_serialization())
}

pub(super) fn claims_of(jwt: &str) -> Option<Value> {
    claims(jwt.as_bytes())
}

/// The claims of a JWT, signed or about to be.
fn claims(jwt: &[u8]) -> Option<Value> {
    let part = std::str::from_utf8(jwt).ok()?.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
