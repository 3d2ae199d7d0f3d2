//! What is wrong with a configuration.

use std::time::Duration;

use super::Said;
use crate::base::breach::{Breach, Kind};
use crate::base::guard::{self, Endpoint, Guard, Reach};
use crate::base::secret::Secret;
use crate::policy::{Policy, ServerChoice};
use crate::preregistered::{check_issuer, check_method};
use crate::wire::authorization;
use crate::wire::callback::TENANT;
use crate::wire::client::check_client_id_url;
use crate::wire::client_key::ClientKey;

/// The longest that one exchange may be given.
const MAX_EXCHANGE_TIME: Duration = Duration::from_secs(3600);
/// The most that is read of any answer, in bytes.
const MAX_BYTES: usize = 16 << 20;

impl Said {
    /// Judges every value, and gives the server's URL as the guard has it.
    pub(super) fn check(&self) -> Result<Endpoint, Breach> {
        let refuse =
            |clause, expected: &str, got: String| Breach::new(Kind::Configuration, clause, expected, got);
        let server = Guard::new(Reach::Any).check(&self.server).map_err(|refused| {
            refuse("MCP 2026-07-28, canonical server URI", "the URL of an MCP server", refused.to_string())
        })?;
        guard::redirect_uri(&self.redirect_uri).map_err(|refused| {
            let expected = "a redirect URI that is https, or http on a loopback host";
            refuse("MCP 2026-07-28, communication security", expected, refused.to_string())
        })?;
        let Policy { exchange_time, consent_time, metadata_bytes, answer_bytes, .. } = self.policy;
        if exchange_time.is_zero() || exchange_time > MAX_EXCHANGE_TIME || consent_time.is_zero() {
            let expected = "an exchange time of no more than an hour and a consent time, both above zero";
            let got = format!("{exchange_time:?} and {consent_time:?}");
            return Err(refuse("mcp-auth, policy", expected, got));
        }
        if [metadata_bytes, answer_bytes].iter().any(|limit| !(1..=MAX_BYTES).contains(limit)) {
            let got = format!("{metadata_bytes} and {answer_bytes}");
            return Err(refuse("mcp-auth, policy", "byte limits from 1 to 16 MiB", got));
        }
        for uri in self.client.redirect_uris.iter().filter(|uri| **uri != self.redirect_uri) {
            guard::redirect_uri(uri).map_err(|refused| {
                let expected = "redirect URIs that are https, or http on a loopback host";
                refuse("RFC 7591 §2", expected, refused.to_string())
            })?;
        }
        if !self.client.redirect_uris.contains(&self.redirect_uri) {
            let expected = format!("client metadata that lists the redirect URI {}", self.redirect_uri);
            return Err(refuse("RFC 7591 §2", &expected, self.client.redirect_uris.join(" ")));
        }
        if let Some(url) = &self.metadata_document {
            check_client_id_url(url)?;
        }
        for (place, (issuer, policy)) in self.issuers.iter().enumerate() {
            check_issuer(issuer)?;
            if self.issuers.iter().take(place).any(|(before, _)| before == issuer) {
                let got = format!("two for {issuer}");
                return Err(refuse("mcp-auth, policy", "one policy for each issuer", got));
            }
            authorization::check_extra(&policy.extra)?;
            // A method that needs a secret is passed over where a client has none; one that needs a key never is.
            if let Some(method) = policy.auth_method.filter(|method| !method.needs_secret()) {
                check_method(method, None, self.client_key.as_ref(), "all clients, by `auth_method`")?;
            }
            // A place for a tenant is text; the rest must be an issuer.
            let renamed = policy.metadata_issuer.as_deref().map(|it| it.replacen(TENANT, "t", 1));
            renamed.as_deref().map_or(Ok(()), check_issuer)?;
        }
        if let ServerChoice::Pinned(issuer) = &self.policy.authorization_server {
            check_issuer(issuer)?;
        }
        let tokens = (&self.initial_access_tokens, "RFC 7591 §3", "one initial access token for each issuer");
        let statements =
            (&self.software_statements, "RFC 7591 §2.3", "one software statement for each issuer");
        for (secrets, clause, expected) in [tokens, statements] {
            for (place, (issuer, _)) in secrets.iter().enumerate() {
                check_issuer(issuer)?;
                if secrets.iter().take(place).any(|(before, _)| before == issuer) {
                    return Err(refuse(clause, expected, format!("two for {issuer}")));
                }
            }
        }
        let carried = |token: &Secret| token.expose().bytes().all(|byte| matches!(byte, 0x21..=0x7e));
        if let Some((issuer, _)) = self.initial_access_tokens.iter().find(|(_, token)| !carried(token)) {
            let expected = format!("an initial access token of visible ASCII characters for {issuer}");
            return Err(refuse("RFC 6750 §2.1", &expected, "something else".to_owned()));
        }
        for (place, client) in self.preregistered.iter().enumerate() {
            client.check(&self.grant_type, self.client_key.as_ref())?;
            if self.preregistered.iter().take(place).any(|before| before.issuer == client.issuer) {
                let issuer = client.issuer.as_deref().unwrap_or("no issuer");
                return Err(refuse(
                    "RFC 6749 §2.2",
                    "one client for each issuer",
                    format!("two for {issuer}"),
                ));
            }
        }
        self.grant_type.check(self.client_key.as_ref())?;
        self.client_key.as_ref().map_or(Ok(()), ClientKey::check)?;
        if http::HeaderValue::from_str(&self.protocol_version).is_err() {
            return Err(refuse(
                "MCP 2026-07-28, protocol version header",
                "a revision such as 2026-07-28",
                "other text".into(),
            ));
        }
        Ok(server)
    }
}
