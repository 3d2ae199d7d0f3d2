//! Which client is named to whom: what one authorization server knows a client by is no other's business.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

use super::Watch;
use super::documents::parameter;
use super::proofs::claims_of;
use super::secrets::Home;
use crate::action::{Ask, Purpose, Send};
use crate::config::Config;
use crate::event::Told;
use crate::grant_type::GrantType;

/// The clients that a run has come to know, and where each is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Clients {
    known: Vec<(String, Home)>,
    /// Of which server the person was asked to name a client.
    asked: Option<String>,
}

impl Clients {
    pub(super) fn of(config: &Config) -> Self {
        let mut clients = Self::default();
        for client in config.known_clients() {
            clients.learn(&client.client_id, client.issuer.clone().map_or(Home::Anywhere, Home::Issuer));
        }
        if let Some(document) = config.client_document() {
            clients.learn(document, Home::Anywhere);
        }
        if let GrantType::EnterpriseManaged(provider) = config.flow() {
            clients.learn(&provider.client_id, Home::Endpoint(provider.token_endpoint.clone()));
        }
        clients
    }

    pub(super) fn learn(&mut self, client_id: &str, home: Home) {
        let known = (client_id.to_owned(), home);
        if !self.known.contains(&known) {
            self.known.push(known);
        }
    }

    pub(super) fn asks(&mut self, ask: &Ask) {
        self.asked = Some(ask.issuer().to_owned());
    }

    pub(super) fn told(&mut self, told: &Told) {
        if let Some(issuer) = self.asked.take() {
            // A person may have typed spaces around it.
            self.learn(told.client_id.trim(), Home::Issuer(issuer));
        }
    }
}

impl Watch {
    /// A request says which client it is from.
    pub(super) fn introduces(&mut self, send: &Send, form: &[(String, String)], field: &str, url: &str) {
        // It has no client yet, and its body is no form.
        if send.purpose() == Purpose::Registration {
            return;
        }
        let assertion = parameter(form, "client_assertion").and_then(claims_of);
        let subject = assertion.and_then(|claims| Some(claims.get("sub")?.as_str()?.to_owned()));
        let in_form = form.iter().filter(|(name, _)| name == "client_id").map(|(_, id)| id.clone());
        for client_id in in_form.chain(basic(field)).chain(subject) {
            self.named(&client_id, url);
        }
    }

    /// A client is named to whoever is at `url`. A workload may have none.
    pub(super) fn named(&mut self, client_id: &str, url: &str) {
        if client_id.is_empty() {
            return;
        }
        let at_home = |home: &Home| match home {
            Home::Endpoint(endpoint) => super::same_url(endpoint, url),
            Home::Issuer(issuer) => {
                self.documents.is_at(issuer, url)
                    || (self.documents.missing && self.bounds.guesses(issuer, url))
            }
            Home::Anywhere => true,
        };
        if !self.clients.known.iter().any(|(known, home)| known == client_id && at_home(home)) {
            self.breach("a client is named to another server than its own");
        }
    }
}

/// The client in an `Authorization` field (RFC 6749 §2.3.1).
fn basic(field: &str) -> Option<String> {
    let decoded = STANDARD.decode(field.strip_prefix("Basic ")?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (client_id, _) = decoded.split_once(':')?;
    form_urlencoded::parse(format!("={client_id}").as_bytes()).next().map(|(_, id)| id.into_owned())
}
