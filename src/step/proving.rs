//! What is asked of whoever holds keys and assertions, or stands before a screen.

use http::HeaderMap;
use url::Url;

use super::{Pending, Terms, World};
use crate::action::{Action, AssertionKind, Show, Sign, SigningKey, Supply};
use crate::base::breach::{Breach, Kind};
use crate::base::guard::Endpoint;
use crate::base::secret::Secret;
use crate::base::seed::Draw;
use crate::event;
use crate::grant_type::{Binding, GrantType};
use crate::wire::device::DeviceAuthorization;
use crate::wire::dpop::{Nonce, Proof};
use crate::wire::jws::SigningInput;

/// How many servers' nonces are kept.
const MAX_NONCES: usize = 8;

/// The last nonce of each origin (RFC 9449 §8), the latest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nonces(Vec<(String, Nonce)>);

impl Nonces {
    fn of(&self, url: &Url) -> Option<&Nonce> {
        let origin = url.origin().ascii_serialization();
        self.0.iter().find(|(known, _)| *known == origin).map(|(_, nonce)| nonce)
    }

    fn keep(&mut self, url: &Url, nonce: Nonce) {
        let origin = url.origin().ascii_serialization();
        self.0.retain(|(known, _)| *known != origin);
        self.0.truncate(MAX_NONCES.saturating_sub(1));
        self.0.insert(0, (origin, nonce));
    }
}

impl World {
    pub(crate) fn sign(&mut self, key: SigningKey, input: SigningInput) -> Pending {
        let pending = self.pending(self.config.policies().exchange_time);
        let (id, deadline) = (pending.id, pending.deadline);
        self.out.push_back(Action::Sign(Sign { id, key, input, deadline }));
        pending
    }

    pub(crate) fn supply(&mut self, kind: AssertionKind, terms: &Terms) -> Pending {
        let pending = self.pending(self.config.policies().consent_time);
        let audience = match self.config.flow() {
            GrantType::EnterpriseManaged(provider) => provider.client_id.clone(),
            GrantType::AuthorizationCode
            | GrantType::DeviceCode
            | GrantType::ClientCredentials
            | GrantType::WorkloadIdentity => terms.server.issuer.clone(),
        };
        let (id, resource, until) = (pending.id, terms.resource.to_string(), pending.deadline);
        self.out.push_back(Action::Supply(Supply { id, kind, audience, resource, until }));
        pending
    }

    /// Shows the person a code. What is awaited then is the time to ask for the answer, under the same number.
    pub(crate) fn show(&mut self, codes: &DeviceAuthorization) -> Pending {
        self.trouble();
        let (page, complete) = (codes.verification_uri.url(), codes.verification_uri_complete.as_ref());
        let complete = complete.map(Endpoint::url);
        [Some(page), complete].into_iter().flatten().for_each(|url| self.goes(url));
        let pending = self.pending(codes.interval.min(codes.expires_at.since(self.now)));
        self.out.push_back(Action::Show(Show {
            id: pending.id,
            user_code: codes.user_code.clone(),
            verification_uri: page.clone(),
            verification_uri_complete: complete.cloned(),
            until: codes.expires_at,
        }));
        pending
    }

    /// What is to be signed to prove the key for one request.
    pub(crate) fn proof(
        &mut self,
        binding: &Binding,
        method: &str,
        url: &Url,
        token: Option<&Secret>,
    ) -> Result<SigningInput, Breach> {
        const CLAUSE: &str = "RFC 9449 §4.2";
        let jti = self.draws.token(Draw::Proof);
        let key = self.config.key_of_proofs().map(|key| &key.public);
        let key = key.filter(|key| key.thumbprint() == binding.thumbprint).ok_or_else(|| {
            Breach::new(
                Kind::Configuration,
                CLAUSE,
                "the key that the token is bound to",
                "another one, or none",
            )
        })?;
        let nonce = self.nonces.of(url);
        let (algorithm, issued_at) = (binding.algorithm, self.now);
        Proof { key, algorithm, method, url, jti: &jti, issued_at, token, nonce }.signing_input()
    }

    /// Keeps the nonce that came with a response, for requests to the same origin (RFC 9449 §8.2, §9). Whether one came.
    pub(crate) fn keep_nonce(&mut self, url: &Url, fields: &HeaderMap) -> bool {
        let nonce = event::nonce(fields);
        let came = nonce.is_some();
        if let Some(nonce) = nonce {
            self.nonces.keep(url, nonce);
        }
        came
    }

    /// Keeps a nonce that the resource gave.
    pub(crate) fn keep_nonce_of_resource(&mut self, resource: &Url, nonce: Nonce) {
        self.nonces.keep(resource, nonce);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_origin_has_its_last_nonce_and_the_latest_origins_are_kept() {
        let url =
            |number: usize, path: &str| Url::parse(&format!("https://{number}.example/{path}")).unwrap();
        let nonce = |text: &str| Nonce::read([text.as_bytes()]).unwrap().unwrap();
        let mut nonces = Nonces::default();
        for number in 0..MAX_NONCES {
            nonces.keep(&url(number, ""), nonce(&number.to_string()));
        }
        nonces.keep(&url(0, "token"), nonce("newer"));
        assert_eq!(nonces.of(&url(0, "par")), Some(&nonce("newer")));
        for number in 1..MAX_NONCES {
            assert_eq!(nonces.of(&url(number, "")), Some(&nonce(&number.to_string())));
        }
        nonces.keep(&url(MAX_NONCES, ""), nonce("last"));
        assert_eq!(nonces.of(&url(1, "")), None);
        assert_eq!(nonces.of(&url(0, "")), Some(&nonce("newer")));
        assert_eq!(nonces.of(&url(MAX_NONCES, "")), Some(&nonce("last")));
    }
}
