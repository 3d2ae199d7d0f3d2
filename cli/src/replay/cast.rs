//! Who takes part.

use mcp_auth::Config;
use mcp_auth::base::text::clean;
use mcp_auth::trace::Entry;
use serde_json::Value;

use super::flow::{Lane, Party};
use super::values::split_url;

/// The most lanes; who comes later shares the last one.
const MAX_LANES: usize = 7;

pub(super) struct Cast {
    lanes: Vec<Lane>,
}

impl Cast {
    pub(super) fn of(config: &Config, entries: &[Entry<'_>]) -> Self {
        let (server, _) = split_url(config.server_url());
        let client = Lane { party: Party::Client, name: "this machine".to_owned() };
        let mut cast = Self { lanes: vec![client] };
        let actions = || {
            entries.iter().filter_map(|entry| match entry {
                Entry::Action(action) => Some(*action),
                _ => None,
            })
        };
        let asks = |action: &Value| ["open", "show", "ask"].iter().any(|name| action.get(name).is_some());
        let called =
            |entry: &Entry<'_>| matches!(entry, Entry::Event { event, .. } if event.get("called").is_some());
        if actions().any(asks) || entries.iter().any(called) {
            let elsewhere = actions().any(|action| action.get("show").is_some());
            let name = if elsewhere { "a person, elsewhere" } else { "a person" };
            cast.lanes.push(Lane { party: Party::Person, name: name.to_owned() });
        }
        cast.lanes.push(Lane { party: Party::McpServer, name: server });
        for action in actions() {
            let url =
                action.pointer("/send/url").or_else(|| action.pointer("/open/url")).and_then(Value::as_str);
            let exchange = action.pointer("/send/purpose").and_then(Value::as_str) == Some("token_exchange");
            let party = if exchange { Party::IdentityProvider } else { Party::AuthorizationServer };
            if let Some(url) = url {
                cast.meet(party, url);
            }
        }
        cast
    }

    fn meet(&mut self, party: Party, url: &str) {
        let (origin, _) = split_url(url);
        if self.lanes.iter().any(|lane| lane.name == origin) {
            return;
        }
        if self.lanes.len() >= MAX_LANES {
            if let Some(last) = self.lanes.last_mut() {
                *last = Lane { party: Party::Others, name: "several".to_owned() };
            }
            return;
        }
        self.lanes.push(Lane { party, name: origin });
    }

    /// The lane of whoever is at a URL.
    pub(super) fn at(&self, url: &str) -> usize {
        let (origin, _) = split_url(url);
        let last = self.lanes.len().saturating_sub(1);
        self.lanes.iter().position(|lane| lane.name == origin).unwrap_or(last)
    }

    pub(super) fn mcp_server(&self) -> usize {
        self.lanes.iter().position(|lane| lane.party == Party::McpServer).unwrap_or_default()
    }

    /// The person's lane; the client's where there is none.
    pub(super) fn person(&self) -> usize {
        self.lanes.iter().position(|lane| lane.party == Party::Person).unwrap_or_default()
    }

    /// What the client was told at its birth.
    pub(super) fn setting(&self, config: &Config) -> String {
        let value = serde_json::to_value(config).unwrap_or_default();
        let grant = match value.get("grant_type") {
            Some(Value::String(name)) => name.replace('_', " "),
            Some(Value::Object(members)) => {
                members.keys().next().map_or(String::new(), |it| it.replace('_', " "))
            }
            _ => String::new(),
        };
        let has = |name: &str| value.get(name).is_some_and(|it| it.is_string() || it.is_object());
        let client = match value.get("preregistered").and_then(Value::as_array) {
            Some(known) if !known.is_empty() => "a registered client",
            _ if has("metadata_document") => "a client with a metadata document",
            _ => "a client that registers itself",
        };
        let keys = [("proof_key", ", tokens bound to a key"), ("client_key", ", authenticates with a key")];
        let keys: String = keys.iter().filter(|(name, _)| has(name)).map(|(_, words)| *words).collect();
        let policies = value.get("issuers").and_then(Value::as_array).map_or(0, Vec::len);
        let policies = if policies > 0 { ", with policies for an issuer" } else { "" };
        clean(&format!("{grant} grant, {client}{keys}{policies}"), 200)
    }

    pub(super) fn into_lanes(self) -> Vec<Lane> {
        self.lanes
    }
}
