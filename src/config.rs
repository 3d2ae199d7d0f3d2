//! What a machine is made with.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::breach::{Breach, Kind};
use crate::base::guard::{self, Endpoint, Guard, Reach, Shown};
use crate::base::secret::Secret;
use crate::credential::Key;
use crate::grant_type::{GrantType, ProofKey};
use crate::policy::{IssuerPolicy, Policy, ScopeRule};
use crate::preregistered::{Preregistered, check_issuer};
use crate::wire::authorization;
use crate::wire::client::{ClientMetadata, check_client_id_url};
use crate::wire::client_key::ClientKey;

/// The longest that one exchange may be given.
const MAX_EXCHANGE_TIME: Duration = Duration::from_secs(3600);
/// The most that is read of any answer, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// Everything one machine is told at its birth: which MCP server, who the client is, and what it may do.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    server: String,
    account: Option<String>,
    redirect_uri: String,
    client: ClientMetadata,
    preregistered: Vec<Preregistered>,
    metadata_document: Option<String>,
    dynamic_registration: bool,
    initial_access_tokens: Vec<(String, Secret)>,
    software_statements: Vec<(String, Secret)>,
    scopes: ScopeRule,
    policy: Policy,
    issuers: Vec<(String, IssuerPolicy)>,
    protocol_version: String,
    #[serde(default)]
    grant_type: GrantType,
    #[serde(default)]
    client_key: Option<ClientKey>,
    #[serde(default)]
    proof_key: Option<ProofKey>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("server", &Shown(&self.server))
            .field("account", &self.account)
            .field("redirect_uri", &self.redirect_uri)
            .field("client", &self.client)
            .field("preregistered", &self.preregistered)
            .field("metadata_document", &self.metadata_document)
            .field("dynamic_registration", &self.dynamic_registration)
            .field("initial_access_tokens", &self.initial_access_tokens)
            .field("software_statements", &self.software_statements)
            .field("scopes", &self.scopes)
            .field("policy", &self.policy)
            .field("issuers", &self.issuers)
            .field("protocol_version", &self.protocol_version)
            .field("grant_type", &self.grant_type)
            .field("client_key", &self.client_key)
            .field("proof_key", &self.proof_key)
            .finish()
    }
}

impl Config {
    /// A client named `client_name` for the MCP server at `server`, to which answers come back at `redirect_uri`
    /// (`https`, or `http` on a loopback host).
    ///
    /// Nothing is judged here; [`Authorizer::new`](crate::Authorizer::new) does that.
    pub fn new(
        server: impl Into<String>,
        client_name: impl Into<String>,
        redirect_uri: impl Into<String>,
    ) -> Self {
        let redirect_uri = redirect_uri.into();
        Self {
            server: server.into(),
            account: None,
            client: ClientMetadata::new(client_name, redirect_uri.clone()),
            redirect_uri,
            preregistered: Vec::new(),
            metadata_document: None,
            dynamic_registration: true,
            initial_access_tokens: Vec::new(),
            software_statements: Vec::new(),
            scopes: ScopeRule::default(),
            policy: Policy::default(),
            issuers: Vec::new(),
            protocol_version: "2026-07-28".to_owned(),
            grant_type: GrantType::default(),
            client_key: None,
            proof_key: None,
        }
    }

    /// Keeps this machine's credentials apart from those of other accounts at the same server.
    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// What the client says of itself when it registers. Its redirect URIs must include the one in use.
    #[must_use]
    pub fn client_metadata(mut self, client: ClientMetadata) -> Self {
        self.client = client;
        self
    }

    /// Adds a client that was registered by other means. One for each issuer may be given.
    #[must_use]
    pub fn preregistered(mut self, client: Preregistered) -> Self {
        self.preregistered.push(client);
        self
    }

    /// The URL of the client's metadata document, which is its identifier wherever the authorization server
    /// supports that.
    #[must_use]
    pub fn metadata_document(mut self, url: impl Into<String>) -> Self {
        self.metadata_document = Some(url.into());
        self
    }

    /// Whether dynamic registration (RFC 7591) may be used. Default: yes.
    #[must_use]
    pub fn dynamic_registration(mut self, allowed: bool) -> Self {
        self.dynamic_registration = allowed;
        self
    }

    /// The token that `issuer` wants to see at its registration endpoint (RFC 7591 §3).
    #[must_use]
    pub fn initial_access_token(mut self, issuer: impl Into<String>, token: impl Into<Secret>) -> Self {
        self.initial_access_tokens.push((issuer.into(), token.into()));
        self
    }

    /// The signed statement about the software (RFC 7591 §2.3) that goes to `issuer`, and to no other, when the client
    /// registers there: it says who makes the client, to whoever holds it.
    #[must_use]
    pub fn software_statement(mut self, issuer: impl Into<String>, statement: impl Into<Secret>) -> Self {
        self.software_statements.push((issuer.into(), statement.into()));
        self
    }

    /// Which scopes are asked for.
    #[must_use]
    pub fn scopes(mut self, rule: ScopeRule) -> Self {
        self.scopes = rule;
        self
    }

    /// Choices that hold for the whole machine.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The deviations that one authorization server needs, once for each. `issuer` is compared byte for byte to the issuer as the
    /// resource metadata names it.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>, policy: IssuerPolicy) -> Self {
        self.issuers.push((issuer.into(), policy));
        self
    }

    /// The MCP revision named in `MCP-Protocol-Version` when metadata is requested. Default `2026-07-28`.
    #[must_use]
    pub fn protocol_version(mut self, version: impl Into<String>) -> Self {
        self.protocol_version = version.into();
        self
    }

    /// How tokens are obtained. Default: a person consents in a browser.
    #[must_use]
    pub fn grant_type(mut self, grant_type: GrantType) -> Self {
        self.grant_type = grant_type;
        self
    }

    /// The key with which the client authenticates, where it does so with a key (`private_key_jwt`). Its metadata
    /// document must hold the public half.
    #[must_use]
    pub fn client_key(mut self, key: ClientKey) -> Self {
        self.client_key = Some(key);
        self
    }

    /// The key to which tokens are bound (RFC 9449).
    #[must_use]
    pub fn proof_key(mut self, key: ProofKey) -> Self {
        self.proof_key = Some(key);
        self
    }

    /// The MCP server's URL as given.
    pub fn server_url(&self) -> &str {
        &self.server
    }

    /// Where answers come back.
    pub fn redirect_url(&self) -> &str {
        &self.redirect_uri
    }

    /// What the store keeps this machine's credential under.
    pub fn key(&self) -> Key {
        Key { server: self.server.clone(), account: self.account.clone() }
    }

    /// Whether there is a key, so that somebody must answer [`Action::Sign`](crate::Action::Sign).
    pub fn needs_signer(&self) -> bool {
        self.key_of_client().is_some() || self.key_of_proofs().is_some()
    }

    /// Whether tokens are obtained by assertions, so that somebody must answer [`Action::Supply`](crate::Action::Supply).
    pub fn needs_assertions(&self) -> bool {
        matches!(self.flow(), GrantType::EnterpriseManaged(_) | GrantType::WorkloadIdentity)
    }

    /// How long one exchange, or one signature, may take: [`Policy::exchange_time`](crate::Policy).
    pub fn exchange_time(&self) -> Duration {
        self.policies().exchange_time
    }

    pub(crate) fn flow(&self) -> &GrantType {
        &self.grant_type
    }

    pub(crate) fn key_of_client(&self) -> Option<&ClientKey> {
        self.client_key.as_ref()
    }

    pub(crate) fn key_of_proofs(&self) -> Option<&ProofKey> {
        self.proof_key.as_ref()
    }

    pub(crate) fn client(&self) -> &ClientMetadata {
        &self.client
    }

    pub(crate) fn known_clients(&self) -> &[Preregistered] {
        &self.preregistered
    }

    /// The client that is configured for the authorization server named so: the one bound to it, else the one bound to
    /// none.
    pub(crate) fn client_for(&self, named: &str) -> Option<&Preregistered> {
        let bound = |client: &&Preregistered| {
            client.issuer.as_ref().is_some_and(|issuer| self.is_issuer(issuer, named))
        };
        let mut clients = self.preregistered.iter();
        clients.clone().find(bound).or_else(|| clients.find(|client| client.issuer.is_none()))
    }

    pub(crate) fn client_document(&self) -> Option<&str> {
        self.metadata_document.as_deref()
    }

    pub(crate) fn may_register(&self) -> bool {
        self.dynamic_registration
    }

    pub(crate) fn registration_token(&self, named: &str) -> Option<&Secret> {
        self.bound_to(&self.initial_access_tokens, named)
    }

    pub(crate) fn software_statement_for(&self, named: &str) -> Option<&Secret> {
        self.bound_to(&self.software_statements, named)
    }

    fn bound_to<'a>(&self, secrets: &'a [(String, Secret)], named: &str) -> Option<&'a Secret> {
        secrets.iter().find(|(known, _)| self.is_issuer(known, named)).map(|(_, secret)| secret)
    }

    pub(crate) fn software_statements(&self) -> &[(String, Secret)] {
        &self.software_statements
    }

    pub(crate) fn registration_tokens(&self) -> &[(String, Secret)] {
        &self.initial_access_tokens
    }

    pub(crate) fn issuer_policies(&self) -> &[(String, IssuerPolicy)] {
        &self.issuers
    }

    pub(crate) fn scope_rule(&self) -> &ScopeRule {
        &self.scopes
    }

    pub(crate) fn policies(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn issuer_policy(&self, issuer: &str) -> IssuerPolicy {
        self.known_policy(issuer).cloned().unwrap_or_default()
    }

    fn known_policy(&self, issuer: &str) -> Option<&IssuerPolicy> {
        self.issuers.iter().find(|(known, _)| known == issuer).map(|(_, policy)| policy)
    }

    /// Whether `issuer`, which the caller wrote, is the one that is named `named`, by the policy for the latter.
    pub(crate) fn is_issuer(&self, issuer: &str, named: &str) -> bool {
        let rule = self.known_policy(named).map(|policy| policy.issuer_match).unwrap_or_default();
        rule.same(issuer, named)
    }

    pub(crate) fn revision(&self) -> &str {
        &self.protocol_version
    }

    /// Judges every value, and gives the server's URL as the guard has it.
    pub(crate) fn check(&self) -> Result<Endpoint, Breach> {
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
            // A place for a tenant is text; the rest must be an issuer.
            let renamed = policy.metadata_issuer.as_deref().map(|it| it.replacen("{tenantid}", "t", 1));
            renamed.as_deref().map_or(Ok(()), check_issuer)?;
        }
        let mut secrets = self.initial_access_tokens.iter().chain(&self.software_statements);
        secrets.try_for_each(|(issuer, _)| check_issuer(issuer))?;
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
