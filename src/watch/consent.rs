//! What is before the person, and what may come of it: whether a response is the right one is decided here by the
//! watcher's own reading.

use std::time::Duration;

use super::documents::{bare, members, parameter, parameters, same_issuer};
use super::same_url;
use super::secrets::{Home, Sort};
use super::{Watch, same_origin};
use url::Url;

use crate::action::Open;
use crate::base::scope::Scopes;
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::policy::{IssuerPolicy, ResourceIndicator};

/// The authorization request that is before the person.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) state: String,
    pub(super) token_endpoint: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) iss_required: bool,
    pub(super) aliases: Vec<String>,
    /// Whether the right response has come.
    pub(super) answered: bool,
    /// The code that may be exchanged, until it is.
    pub(super) code: Option<String>,
    /// The code that was exchanged last.
    pub(super) exchanged: Option<String>,
}

/// What every request for a token keeps to.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// Where answers are awaited.
    redirect_uri: String,
    /// The MCP server's URL, of which the origin counts.
    server: Option<Url>,
    /// What policy has sent as `resource` instead.
    resources: Vec<String>,
    /// The scopes that the caller never asks for.
    never: Scopes,
    /// Each `state` that was sent.
    pub(super) states: Vec<String>,
}

impl Bounds {
    pub(super) fn of(config: &Config) -> Self {
        let instead = |policy: &IssuerPolicy| match &policy.resource {
            ResourceIndicator::Override(text) => Some(text.clone()),
            ResourceIndicator::Send | ResourceIndicator::Omit => None,
        };
        Self {
            redirect_uri: config.redirect_url().to_owned(),
            server: Url::parse(config.server_url()).ok(),
            resources: config.issuer_policies().iter().filter_map(|(_, policy)| instead(policy)).collect(),
            never: config.scope_rule().never.clone(),
            states: Vec::new(),
        }
    }

    /// Whether anybody would guess an endpoint with this path at `url`.
    fn is_guess(&self, path: &str, url: &Url) -> bool {
        self.guess(path).is_some_and(|guess| bare(&guess) == bare(url))
    }

    /// Whether the issuer is the MCP server's own origin, and anybody would guess an endpoint of it at `url`.
    pub(super) fn guesses(&self, issuer: &str, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let own = self.server.as_ref().map(|server| server.origin().ascii_serialization());
        own.is_some_and(|own| same_issuer(issuer, &own))
            && ["/authorize", "/token"].iter().any(|path| self.is_guess(path, &url))
    }

    /// The issuer that registers clients where anybody would guess it.
    pub(super) fn registered_at(&self, url: &str) -> Option<String> {
        let guess = self.guess("/register").filter(|guess| same_url(guess.as_str(), url))?;
        Some(guess.origin().ascii_serialization())
    }

    /// Where anybody would guess an endpoint of a server that has no metadata (MCP 2025-03-26).
    fn guess(&self, path: &str) -> Option<Url> {
        self.server.as_ref().and_then(|server| server.join(path).ok())
    }
}

/// An authorization request that was pushed ahead, and what its server calls it.
#[derive(Clone, Debug, Default)]
pub(super) struct Pushed {
    form: Vec<(String, String)>,
    endpoint: String,
    references: Vec<String>,
}

impl Pushed {
    pub(super) fn of(form: Vec<(String, String)>) -> Self {
        Self { form, ..Self::default() }
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        parameter(&self.form, name)
    }

    pub(super) fn answered(&mut self, endpoint: &str, body: &[u8]) {
        endpoint.clone_into(&mut self.endpoint);
        self.references = members(body, "request_uri");
    }
}

/// The logins that a person was shown.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    limit: u8,
    pub(super) times: Vec<Timestamp>,
    /// Whether it is shown one now.
    pub(super) now: bool,
}

impl Shown {
    pub(super) fn new(limit: u8) -> Self {
        Self { limit, times: Vec::new(), now: false }
    }
}

impl Watch {
    /// A person is shown something. A login that the person asked for counts, even where policy allows none.
    pub(super) fn troubles(&mut self) {
        if std::mem::replace(&mut self.shown.now, true) {
            return;
        }
        let before = self.now.before(Duration::from_secs(3600));
        self.shown.times.retain(|at| *at > before);
        self.shown.times.push(self.now);
        if self.shown.times.len() > usize::from(self.shown.limit.max(1)) {
            self.breach("a person is shown more logins than policy says");
        }
    }

    /// A response reached the redirect URI. Whether its code may be exchanged is decided here by the watcher's own
    /// reading.
    pub(super) fn called(&mut self, callback: &str) {
        let given = parameters(callback);
        for code in given.iter().filter(|(name, _)| name == "code").map(|(_, code)| code) {
            let home = self.asked.as_ref().and_then(|asked| asked.token_endpoint.clone());
            self.secrets.learn(Sort::Code, code, home.map_or(Home::Anywhere, Home::Endpoint));
        }
        let Some(asked) = &mut self.asked else { return };
        let good_state = parameter(&given, "state") == Some(asked.state.as_str());
        let twice = given.iter().filter(|(name, _)| name == "iss").count() > 1;
        let good_issuer = !twice
            && match (parameter(&given, "iss"), &asked.issuer) {
                (None, _) => !asked.iss_required,
                (Some(iss), Some(issuer)) => {
                    iss == issuer || asked.aliases.iter().any(|it| is_alias(it, iss))
                }
                // The watcher has seen no document of this server.
                (Some(_), None) => true,
            };
        if good_state && good_issuer && !asked.answered {
            asked.answered = true;
            asked.code = parameter(&given, "code").map(str::to_owned);
            if parameter(&given, "error").is_some_and(|error| error.ends_with("_client")) {
                // The server cannot use this client; another way may be tried in another browser.
                self.asked = None;
            }
        }
    }

    /// A token is for the MCP server, and for nothing that the caller never wants. What was granted is not asked for.
    pub(super) fn asks_for(&mut self, form: &[(String, String)]) {
        let Bounds { server, resources, .. } = &self.bounds;
        let near = |resource: &str| {
            let url = Url::parse(resource).ok();
            url.zip(server.as_ref()).is_some_and(|(url, server)| same_origin(&url, server))
        };
        let mut asked = form.iter().filter(|(name, _)| name == "resource").map(|(_, resource)| resource);
        if asked.any(|resource| !near(resource) && !resources.contains(resource)) {
            self.breach("a token is asked for another resource's origin");
        }
        let scope = parameter(form, "scope").filter(|_| parameter(form, "refresh_token").is_none());
        if scope.into_iter().flat_map(|scope| scope.split(' ')).any(|it| self.bounds.never.contains(it)) {
            self.breach("a scope is asked for that may never be asked for");
        }
    }

    pub(super) fn exchanged(&mut self, form: &[(String, String)], url: &str) {
        if let Some(verifier) = parameter(form, "code_verifier") {
            let home = self.asked.as_ref().and_then(|asked| asked.token_endpoint.clone());
            let home = home.unwrap_or_else(|| url.to_owned());
            self.secrets.learn(Sort::CodeVerifier, verifier, Home::Endpoint(home));
        }
        if parameter(form, "grant_type") != Some("authorization_code") {
            return;
        }
        let code = parameter(form, "code").unwrap_or_default().to_owned();
        let (endpoint, good) = match &mut self.asked {
            // A code that is taken out is gone: there is no second exchange.
            Some(asked) => {
                asked.exchanged = asked.code.take();
                (asked.token_endpoint.clone(), asked.exchanged.clone())
            }
            None => (None, None),
        };
        if good.as_ref() != Some(&code) {
            self.breach("a code is exchanged without the right state and issuer, or twice");
        }
        if endpoint.is_some_and(|endpoint| !same_url(&endpoint, url)) {
            self.breach("a code goes to another token endpoint than its server's");
        }
    }

    /// The token endpoint wants its nonce in the proof; the code was not looked at, and goes out again (RFC 9449 §8).
    pub(super) fn wants_nonce(&mut self) {
        if let Some(asked) = &mut self.asked {
            asked.code = asked.exchanged.take();
        }
    }

    pub(super) fn opens(&mut self, open: &Open) {
        self.troubles();
        if !self.running {
            self.breach("a browser opens while no attempt runs");
        }
        if self.asked.is_some() {
            self.breach("two browsers open in one attempt");
        }
        self.judge(open.url(), None);
        self.text("the URL that is opened", open.url().as_str());
        let mut query = parameters(open.url().as_str());
        let client_id = parameter(&query, "client_id").map(str::to_owned);
        let guessed = self.bounds.is_guess("/authorize", open.url());
        // A server that has no metadata any more is one of which everything is guessed.
        let server =
            self.documents.authorizing_at(open.url()).filter(|_| !(guessed && self.documents.missing));
        let server = server.cloned();
        if server.is_none() && !guessed {
            self.breach("a person is sent to a page that no server has by its own word");
        }
        if server.is_none() && self.documents.doubts > 0 {
            self.breach("endpoints are guessed though there may be metadata");
        }
        // Where this leads nowhere, all is looked at anew.
        self.documents.doubts = 0;
        let token_endpoint = match &server {
            Some(server) => Some(server.token_endpoint.clone()),
            None => self.bounds.guess("/token").map(String::from),
        };
        if let Some(reference) = parameter(&query, "request_uri") {
            // What the browser carries is a reference to what was pushed ahead. It is used once.
            let pushed = std::mem::take(&mut self.pushed);
            let issuer = server.as_ref().map(|server| server.issuer.as_str()).unwrap_or_default();
            let own = self.documents.is_pushed_to(issuer, &pushed.endpoint);
            if !own || pushed.references.iter().all(|given| given != reference) {
                self.breach("a browser carries a reference that its server did not give");
            }
            query = pushed.form;
        }
        if let Some(client_id) = client_id {
            self.named(&client_id, open.url().as_str());
        }
        let state = parameter(&query, "state").unwrap_or_default().to_owned();
        for name in ["state", "code_challenge", "code_challenge_method", "redirect_uri", "client_id"] {
            if parameter(&query, name).is_none_or(str::is_empty) {
                self.breach(format!("an authorization request lacks {name}, or has it twice"));
            }
        }
        if parameter(&query, "code_challenge_method") != Some("S256") {
            self.breach("an authorization request is without S256");
        }
        if server.as_ref().is_some_and(|server| server.s256 == Some(false)) {
            self.breach("a person is sent to a server that does not say that it takes S256");
        }
        if parameter(&query, "redirect_uri").is_some_and(|it| it != self.bounds.redirect_uri) {
            self.breach("an answer is sent elsewhere than is configured");
        }
        if self.bounds.states.contains(&state) {
            self.breach("a state is used for two logins");
        }
        self.bounds.states.push(state.clone());
        self.asks_for(&query);
        self.secrets.learn(Sort::State, &state, Home::Anywhere);
        self.asked = Some(Asked {
            state,
            token_endpoint,
            issuer: server.as_ref().map(|server| server.issuer.clone()),
            iss_required: server.as_ref().is_some_and(|server| server.iss_required),
            aliases: server.map(|server| server.aliases).unwrap_or_default(),
            answered: false,
            code: None,
            exchanged: None,
        });
    }
}

/// Whether an alias stands for an issuer; in the place of `{tenantid}` there may be any tenant, and nothing else.
fn is_alias(alias: &str, iss: &str) -> bool {
    if alias == iss {
        return true;
    }
    let (alias, iss): (Vec<_>, Vec<_>) = (alias.split('/').collect(), iss.split('/').collect());
    let tenant = |text: &str| {
        let digits = text.bytes().filter(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).count();
        let hyphens: Vec<_> = text.match_indices('-').map(|(place, _)| place).collect();
        text.len() == 36 && digits == 32 && hyphens == [8, 13, 18, 23]
    };
    alias.len() == iss.len()
        && alias.iter().zip(&iss).all(|(a, b)| a == b || (*a == "{tenantid}" && tenant(b)))
}
