//! What a machine is made with.

mod check;
mod judged;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::breach::Breach;
use crate::base::guard::{Guard, Shown};
use crate::base::secret::Secret;
use crate::credential::Key;
use crate::grant_type::{GrantType, ProofKey};
use crate::policy::{IssuerPolicy, Policy, ScopeRule};
use crate::preregistered::Preregistered;
use crate::wire::client::ClientMetadata;
use crate::wire::client_key::ClientKey;
pub(crate) use judged::Judged;

/// Everything one machine is told at its birth: which MCP server, who the client is, and what it may do.
///
/// Clones share all but the account, and it is judged once for all of them: whoever holds many sessions makes their
/// machines from clones of one configuration, each with its own [`account`](Self::account).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Said", into = "Said")]
pub struct Config {
    shared: Arc<Shared>,
    account: Option<Arc<str>>,
}

#[derive(Clone)]
struct Shared {
    said: Said,
    /// What the guard makes of the server's URL, once every value was judged: a word about `said` as it is, so whoever
    /// changes that ([`Config::change`]) takes the word back.
    judged: OnceLock<Arc<Judged>>,
}

impl PartialEq for Shared {
    fn eq(&self, other: &Self) -> bool {
        self.said == other.said
    }
}

impl Eq for Shared {}

/// A configuration as it is written down.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
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

impl From<Said> for Config {
    fn from(mut said: Said) -> Self {
        let account = said.account.take().map(Arc::from);
        Self { shared: Arc::new(Shared { said, judged: OnceLock::new() }), account }
    }
}

impl From<Config> for Said {
    fn from(config: Config) -> Self {
        let account = config.account.as_deref().map(str::to_owned);
        Self { account, ..config.said().clone() }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.said();
        f.debug_struct("Config")
            .field("server", &Shown(&said.server))
            .field("account", &self.account)
            .field("redirect_uri", &said.redirect_uri)
            .field("client", &said.client)
            .field("preregistered", &said.preregistered)
            .field("metadata_document", &said.metadata_document)
            .field("dynamic_registration", &said.dynamic_registration)
            .field("initial_access_tokens", &said.initial_access_tokens)
            .field("software_statements", &said.software_statements)
            .field("scopes", &said.scopes)
            .field("policy", &said.policy)
            .field("issuers", &said.issuers)
            .field("protocol_version", &said.protocol_version)
            .field("grant_type", &said.grant_type)
            .field("client_key", &said.client_key)
            .field("proof_key", &said.proof_key)
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
        let said = Said {
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
        };
        said.into()
    }

    fn said(&self) -> &Said {
        &self.shared.said
    }

    /// The same, to be changed: what is shared with others is copied first, and what comes of it is to be judged anew.
    fn change(&mut self) -> &mut Said {
        let shared = Arc::make_mut(&mut self.shared);
        shared.judged = OnceLock::new();
        &mut shared.said
    }

    /// Keeps this machine's credentials apart from those of other accounts at the same server.
    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(Arc::from(account.into()));
        self
    }

    /// What the client says of itself when it registers. Its redirect URIs must include the one in use.
    #[must_use]
    pub fn client_metadata(mut self, client: ClientMetadata) -> Self {
        self.change().client = client;
        self
    }

    /// Adds a client that was registered by other means. One for each issuer may be given.
    #[must_use]
    pub fn preregistered(mut self, client: Preregistered) -> Self {
        self.change().preregistered.push(client);
        self
    }

    /// The URL of the client's metadata document, which is its identifier wherever the authorization server
    /// supports that.
    #[must_use]
    pub fn metadata_document(mut self, url: impl Into<String>) -> Self {
        self.change().metadata_document = Some(url.into());
        self
    }

    /// Whether dynamic registration (RFC 7591) may be used. Default: yes.
    #[must_use]
    pub fn dynamic_registration(mut self, allowed: bool) -> Self {
        self.change().dynamic_registration = allowed;
        self
    }

    /// The token that `issuer` wants to see at its registration endpoint (RFC 7591 §3). One for each issuer may be given.
    #[must_use]
    pub fn initial_access_token(mut self, issuer: impl Into<String>, token: impl Into<Secret>) -> Self {
        self.change().initial_access_tokens.push((issuer.into(), token.into()));
        self
    }

    /// The signed statement about the software (RFC 7591 §2.3) that goes to `issuer`, and to no other, when the client
    /// registers there: it says who makes the client, to whoever holds it. One for each issuer may be given.
    #[must_use]
    pub fn software_statement(mut self, issuer: impl Into<String>, statement: impl Into<Secret>) -> Self {
        self.change().software_statements.push((issuer.into(), statement.into()));
        self
    }

    /// Which scopes are asked for.
    #[must_use]
    pub fn scopes(mut self, rule: ScopeRule) -> Self {
        self.change().scopes = rule;
        self
    }

    /// Choices that hold for the whole machine.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.change().policy = policy;
        self
    }

    /// The deviations that one authorization server needs, once for each. `issuer` is compared byte for byte to the issuer as the
    /// resource metadata names it.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>, policy: IssuerPolicy) -> Self {
        self.change().issuers.push((issuer.into(), policy));
        self
    }

    /// The MCP revision named in `MCP-Protocol-Version` when metadata is requested. Default `2026-07-28`.
    #[must_use]
    pub fn protocol_version(mut self, version: impl Into<String>) -> Self {
        self.change().protocol_version = version.into();
        self
    }

    /// How tokens are obtained. Default: a person consents in a browser.
    #[must_use]
    pub fn grant_type(mut self, grant_type: GrantType) -> Self {
        self.change().grant_type = grant_type;
        self
    }

    /// The key with which the client authenticates, where it does so with a key (`private_key_jwt`). Its metadata
    /// document must hold the public half.
    #[must_use]
    pub fn client_key(mut self, key: ClientKey) -> Self {
        self.change().client_key = Some(key);
        self
    }

    /// The key to which tokens are bound (RFC 9449).
    #[must_use]
    pub fn proof_key(mut self, key: ProofKey) -> Self {
        self.change().proof_key = Some(key);
        self
    }

    /// The MCP server's URL as given.
    pub fn server_url(&self) -> &str {
        &self.said().server
    }

    /// Where answers come back.
    pub fn redirect_url(&self) -> &str {
        &self.said().redirect_uri
    }

    /// What the store keeps this machine's credential under.
    pub fn key(&self) -> Key {
        Key { server: self.said().server.clone(), account: self.account.as_deref().map(str::to_owned) }
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
        &self.said().grant_type
    }

    pub(crate) fn key_of_client(&self) -> Option<&ClientKey> {
        self.said().client_key.as_ref()
    }

    pub(crate) fn key_of_proofs(&self) -> Option<&ProofKey> {
        self.said().proof_key.as_ref()
    }

    pub(crate) fn client(&self) -> &ClientMetadata {
        &self.said().client
    }

    pub(crate) fn known_clients(&self) -> &[Preregistered] {
        &self.said().preregistered
    }

    /// The client that is configured for the authorization server named so: the one bound to it, else the one bound to
    /// none.
    pub(crate) fn client_for(&self, named: &str) -> Option<&Preregistered> {
        let bound = |client: &&Preregistered| {
            client.issuer.as_ref().is_some_and(|issuer| self.is_issuer(issuer, named))
        };
        let mut clients = self.said().preregistered.iter();
        clients.clone().find(bound).or_else(|| clients.find(|client| client.issuer.is_none()))
    }

    pub(crate) fn client_document(&self) -> Option<&str> {
        self.said().metadata_document.as_deref()
    }

    pub(crate) fn may_register(&self) -> bool {
        self.said().dynamic_registration
    }

    pub(crate) fn registration_token(&self, named: &str) -> Option<&Secret> {
        self.bound_to(&self.said().initial_access_tokens, named)
    }

    pub(crate) fn software_statement_for(&self, named: &str) -> Option<&Secret> {
        self.bound_to(&self.said().software_statements, named)
    }

    fn bound_to<'a>(&self, secrets: &'a [(String, Secret)], named: &str) -> Option<&'a Secret> {
        secrets.iter().find(|(known, _)| self.is_issuer(known, named)).map(|(_, secret)| secret)
    }

    pub(crate) fn software_statements(&self) -> &[(String, Secret)] {
        &self.said().software_statements
    }

    pub(crate) fn registration_tokens(&self) -> &[(String, Secret)] {
        &self.said().initial_access_tokens
    }

    pub(crate) fn issuer_policies(&self) -> &[(String, IssuerPolicy)] {
        &self.said().issuers
    }

    pub(crate) fn scope_rule(&self) -> &ScopeRule {
        &self.said().scopes
    }

    pub(crate) fn policies(&self) -> &Policy {
        &self.said().policy
    }

    pub(crate) fn issuer_policy(&self, issuer: &str) -> IssuerPolicy {
        self.known_policy(issuer).cloned().unwrap_or_default()
    }

    fn known_policy(&self, issuer: &str) -> Option<&IssuerPolicy> {
        self.said().issuers.iter().find(|(known, _)| known == issuer).map(|(_, policy)| policy)
    }

    /// Whether `issuer`, which the caller wrote, is the one that is named `named`, by the policy for the latter.
    pub(crate) fn is_issuer(&self, issuer: &str, named: &str) -> bool {
        let rule = self.known_policy(named).map(|policy| policy.issuer_match).unwrap_or_default();
        rule.same(issuer, named)
    }

    pub(crate) fn revision(&self) -> &str {
        &self.said().protocol_version
    }

    /// Judges every value, once for all clones: the server's URL as the guard has it.
    pub(crate) fn judged(&self) -> Result<&Arc<Judged>, Breach> {
        if let Some(judged) = self.shared.judged.get() {
            return Ok(judged);
        }
        let server = self.said().check()?;
        let guard = Guard::for_server(&server, self.policies().reach);
        Ok(self.shared.judged.get_or_init(|| Arc::new(Judged::new(server, guard))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was judged once does not outlive a change, whether or not somebody shares it.
    #[test]
    fn a_changed_configuration_is_judged_anew() {
        let good = Config::new("https://mcp.example/mcp", "Test", "http://127.0.0.1:1/callback");
        let place = Arc::clone(good.judged().unwrap());
        let shared = good.clone().account("another");
        assert!(Arc::ptr_eq(&place, shared.judged().unwrap()), "clones are judged once");
        let bad = good.clone().metadata_document("https://app.example");
        assert!(bad.judged().is_err(), "a copy");
        assert!(good.judged().is_ok() && shared.judged().is_ok());
        drop(shared);
        let bad = good.metadata_document("https://app.example");
        assert!(bad.judged().is_err(), "the only one");
        let text = serde_json::to_string(&bad).unwrap();
        assert!(
            serde_json::from_str::<Config>(&text).unwrap().judged().is_err(),
            "one that was written down"
        );
    }
}
