//! What is signed, and what others have signed: each goes to one place, and no proof goes out twice.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Watch;
use super::documents::{members, parameter};
use super::holding::{Awaited, Lane};
use super::secrets::{Home, Sort};
use crate::action::{Send, Show, Sign, SigningKey};
use crate::config::Config;
use crate::grant_type::GrantType;

/// What is known of keys and assertions.
#[derive(Clone, Debug, Default)]
pub(super) struct Proofs {
    /// Where the identity provider exchanges assertions.
    identity_provider: Option<String>,
    identity_issuer: Option<String>,
    /// The names of proofs and assertions that went out.
    seen: Vec<String>,
}

impl Proofs {
    pub(super) fn of(config: &Config) -> Self {
        match config.flow() {
            GrantType::EnterpriseManaged(provider) => Self {
                identity_provider: Some(provider.token_endpoint.clone()),
                identity_issuer: Some(provider.issuer.clone()),
                seen: Vec::new(),
            },
            GrantType::AuthorizationCode
            | GrantType::DeviceCode
            | GrantType::ClientCredentials
            | GrantType::WorkloadIdentity => Self::default(),
        }
    }
}

impl Watch {
    pub(super) fn shows(&mut self, show: &Show) {
        self.wants(show.id, show.until(), Lane::Login);
        // The answer comes by itself.
        self.awaited.retain(|awaited| awaited.id != show.id);
        self.judge(show.verification_uri(), None);
        if let Some(complete) = show.verification_uri_complete() {
            self.judge(&complete.clone(), None);
        }
    }

    pub(super) fn signs(&mut self, sign: &Sign) {
        // Either of a renewal or of a login: whichever is free.
        let busy = self.awaited.iter().any(|awaited| awaited.lane == Lane::Login);
        let lane = if busy { Lane::Grant } else { Lane::Login };
        self.asks(Awaited { id: sign.id, deadline: sign.deadline(), lane, sent: None });
        let Some(claims) = claims(sign.message()) else {
            return self.breach("what is to be signed is no JWT");
        };
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
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
        if jti.is_empty() || self.proofs.seen.contains(&jti) {
            self.breach("something is signed without a name of its own");
        }
        self.proofs.seen.push(jti);
    }

    /// An assertion came from the host.
    pub(super) fn supplied(&mut self, assertion: &str) {
        match self.proofs.identity_provider.clone() {
            Some(endpoint) => {
                self.secrets.learn(Sort::IdentityAssertion, assertion, Home::Endpoint(endpoint));
            }
            None => self.secrets.learn(Sort::Assertion, assertion, Home::Anywhere),
        }
    }

    /// The identity provider gave a grant, which is for the authorization server that it names.
    pub(super) fn exchanged_identity(&mut self, body: &[u8]) {
        for grant in members(body, "access_token") {
            let audience =
                claims_of(&grant).and_then(|claims| claims.get("aud")?.as_str().map(str::to_owned));
            self.secrets.learn(Sort::Assertion, &grant, audience.map_or(Home::Anywhere, Home::Issuer));
        }
    }

    pub(super) fn given_codes(&mut self, url: &str, body: &[u8]) {
        let home = self.documents.asked_with_codes_of(url).map_or(Home::Anywhere, Home::Endpoint);
        for code in members(body, "device_code") {
            self.secrets.learn(Sort::DeviceCode, &code, home.clone());
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
        }
        let request = send.request();
        let proof = request.headers().get("dpop").and_then(|value| value.to_str().ok());
        if let Some(proof) = proof {
            let claims = claims_of(proof);
            let target = claims.as_ref().and_then(|claims| claims.get("htu")?.as_str()).unwrap_or_default();
            if target != url.split(['?', '#']).next().unwrap_or_default() {
                self.breach("a proof goes out with another request than it is for");
            }
        }
    }
}

fn claims_of(jwt: &str) -> Option<Value> {
    claims(jwt.as_bytes())
}

/// The claims of a JWT, signed or about to be.
fn claims(jwt: &[u8]) -> Option<Value> {
    let part = std::str::from_utf8(jwt).ok()?.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
