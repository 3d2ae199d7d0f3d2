//! The world: who lives at which origin, what was asked of whom, and the events in its life.

use std::collections::BTreeMap;

use http::{Request, Response, Uri};

use crate::authorization_server::AuthorizationServer;
use crate::dials::{Dials, JsonEscapes, MetadataRedirect, UnknownPath};
use crate::documents::{Site, proxy};
use crate::dpop::Proofs;
use crate::exchange::{Effect, Exchange, Fate, Refresh};
use crate::fault::{Fault, Purpose, Trouble};
use crate::identity_provider::IdentityProvider;
use crate::mcp;
use crate::message::{self, Answer, Asked};
use crate::place::{Place, Role};

/// The origins of the world: scheme and authority, with no path and no slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    /// The MCP server.
    pub server: String,
    /// The authorization servers.
    pub authorization_servers: Vec<String>,
    /// The identity provider of the enterprise.
    pub identity_provider: String,
    /// An origin that stands for others: endpoints and metadata that live elsewhere.
    pub elsewhere: String,
    /// An origin where every connection is closed without an answer.
    pub dead: String,
}

impl Default for Origins {
    fn default() -> Self {
        Self {
            server: "https://mcp.example".to_owned(),
            authorization_servers: vec!["https://as.example".to_owned(), "https://as2.example".to_owned()],
            identity_provider: "https://idp.example".to_owned(),
            elsewhere: "https://elsewhere.example".to_owned(),
            dead: "https://dead.example".to_owned(),
        }
    }
}

/// Set on an answer of [`World::handle`] that stands for a connection closed without an answer, or halfway through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped;

/// The servers, what they remember, and what was asked of them.
///
/// Everything follows from the dials, the requests and their times: the same again gives the same answers byte for
/// byte.
#[derive(Clone, Debug)]
pub struct World {
    dials: Dials,
    origins: Origins,
    pub(crate) servers: Vec<AuthorizationServer>,
    identity_provider: IdentityProvider,
    /// What the MCP server remembers of proofs.
    proofs: Proofs,
    exchanges: Vec<Exchange>,
    refreshes: Vec<Refresh>,
    counts: BTreeMap<Purpose, u32>,
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(dials: Dials, origins: Origins) -> Self {
        let escapes = dials.json_escapes != JsonEscapes::Least;
        let servers = 0..origins.authorization_servers.len();
        let servers = servers.map(|index| AuthorizationServer::new(index, escapes)).collect();
        Self {
            dials,
            origins,
            servers,
            identity_provider: IdentityProvider::default(),
            proofs: Proofs::new("the MCP server".to_owned()),
            exchanges: Vec::new(),
            refreshes: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    /// The URL of the MCP server: the origin and the path by the dial.
    pub fn server_url(&self) -> String {
        self.site().server_url()
    }

    /// The resource identifier that the MCP server goes by.
    pub fn resource(&self) -> String {
        self.site().resource()
    }

    /// The issuer of an authorization server, as the resource metadata lists it.
    pub fn issuer(&self, server: usize) -> String {
        self.site().issuer(server)
    }

    /// The origins.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// The dials.
    pub fn dials(&self) -> &Dials {
        &self.dials
    }

    /// The dials, to turn one in the middle.
    pub fn dials_mut(&mut self) -> &mut Dials {
        &mut self.dials
    }

    /// What was asked, in order.
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// How many requests of a purpose there were.
    pub fn count(&self, purpose: Purpose) -> usize {
        self.exchanges.iter().filter(|exchange| exchange.is_for(purpose)).count()
    }

    /// Every use of a refresh token at a token endpoint over the life of the world, in order: what was sent, what the
    /// server made of it, and whether the client could know.
    pub fn refreshes(&self) -> &[Refresh] {
        &self.refreshes
    }

    /// The refresh tokens that their clients could use at this time, in the order in which each server issued them. More
    /// than one of a grant where the rotation lets an old one live.
    pub fn live_refresh_tokens(&self, now: u64) -> Vec<String> {
        let site = self.site();
        self.servers.iter().flat_map(|server| server.accepted_refresh_tokens(site, now, None)).collect()
    }

    /// Forgets what was asked. The counts that faults go by stay, and [`World::refreshes`] does.
    pub fn clear_exchanges(&mut self) {
        self.exchanges.clear();
    }

    /// Ends every access token, as time would.
    pub fn expire_access_tokens(&mut self) {
        self.servers.iter_mut().for_each(AuthorizationServer::expire_access_tokens);
    }

    /// Ends every grant: access tokens, refresh tokens and codes.
    pub fn revoke_everything(&mut self) {
        self.servers.iter_mut().for_each(AuthorizationServer::revoke_everything);
    }

    /// Forgets every client that registered itself. Their access tokens live on until they expire.
    pub fn purge_clients(&mut self) {
        self.servers.iter_mut().for_each(AuthorizationServer::purge_clients);
    }

    /// Ends the secrets of the clients that registered themselves.
    pub fn expire_client_secrets(&mut self) {
        self.servers.iter_mut().for_each(AuthorizationServer::expire_client_secrets);
    }

    /// Moves the token endpoint to another path, which the metadata names from now on. The old one answers this status
    /// to everything: 404 or 410.
    pub fn move_token_endpoint(&mut self, old_answers: u16) {
        self.dials.token_endpoint_moved = Some(old_answers);
    }

    /// Answers a request at a time, in seconds. The URI is absolute and its origin says who is asked.
    ///
    /// A connection closed without an answer is a 502 that carries [`Dropped`] in its extensions. One that was closed
    /// halfway through carries it too.
    pub fn handle(&mut self, now: u64, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        self.answer(now, request).unwrap_or_else(|| {
            let mut answer = message::text(502, "");
            answer.extensions_mut().insert(Dropped);
            answer
        })
    }

    /// Answers a request like [`World::handle`]; `None` closes the connection without an answer, and an answer with
    /// [`Dropped`] in its extensions closes it where the body ends.
    pub fn answer(&mut self, now: u64, request: Request<Vec<u8>>) -> Option<Response<Vec<u8>>> {
        let place = self.place(request.uri());
        let mut exchange = Exchange::of(&place, &request);
        let trouble = self.trouble(&exchange);
        let takes_effect = trouble.as_ref().is_none_or(Trouble::takes_effect);
        let own = if takes_effect { self.respond(now, &place, &request) } else { None };
        let own = own.map(|answer| self.dials.json_escapes.spell(answer));
        let mut effect = self.take_effect();
        exchange.revoked = std::mem::take(&mut effect.revoked);
        let answered = trouble.is_none();
        self.refreshes.extend(self.refresh(now, &place, &exchange, effect, own.as_ref(), answered));
        let answer = match trouble {
            None => own,
            Some(trouble) => trouble.spoil(now, own),
        };
        exchange.status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
        self.exchanges.push(exchange);
        answer
    }

    /// Counts a request, and says what is to happen to it.
    fn trouble(&mut self, exchange: &Exchange) -> Option<Trouble> {
        for purpose in exchange.purposes() {
            let count = self.counts.entry(purpose).or_default();
            *count = count.saturating_add(1);
        }
        let due = |nth, purpose| nth == 0 || self.counts.get(&purpose) == Some(&nth);
        let hits = |fault: &&Fault| exchange.is_for(fault.purpose) && due(fault.nth, fault.purpose);
        self.dials.faults.iter().find(hits).map(|fault| fault.what.clone())
    }

    /// What the request that was answered last did to the authorization servers.
    fn take_effect(&mut self) -> Effect {
        let mut whole = Effect::default();
        for server in &mut self.servers {
            let Effect { successor, revoked } = std::mem::take(&mut server.effect);
            whole.successor = whole.successor.or(successor);
            whole.revoked.extend(revoked);
        }
        whole
    }

    /// The use of a refresh token, if the request is one.
    fn refresh(
        &self,
        now: u64,
        place: &Place,
        exchange: &Exchange,
        effect: Effect,
        own: Option<&Answer>,
        answered: bool,
    ) -> Option<Refresh> {
        let (Role::AuthorizationServer(server), true) = (place.role, exchange.is_for(Purpose::Refresh))
        else {
            return None;
        };
        let token = exchange.parameter("refresh_token")?.to_owned();
        let there = self.site().endpoint(server, "token") == place.url();
        let fate = if there { effect.fate(own) } else { Fate::Unseen };
        Some(Refresh { authorization_server: server, at: now, token, fate, answered })
    }

    pub(crate) fn site(&self) -> Site<'_> {
        Site { dials: &self.dials, origins: &self.origins }
    }

    pub(crate) fn place(&self, uri: &Uri) -> Place {
        Place::of(&self.site(), uri)
    }

    fn respond(&mut self, now: u64, place: &Place, request: &Asked) -> Option<Answer> {
        let site = Site { dials: &self.dials, origins: &self.origins };
        let known = match place.role {
            Role::Nobody => {
                // Only the origins of this world have somebody who could answer 404.
                return (place.origin == self.origins.elsewhere).then(|| nothing_here(&site));
            }
            Role::McpServer => match place.purpose {
                Purpose::Mcp => Some(mcp::answer(site, &mut self.servers, &mut self.proofs, now, request)),
                _ => resource_metadata(&site, place, request),
            },
            Role::IdentityProvider => self.identity_provider.answer(site, now, request),
            Role::AuthorizationServer(server) => match place.purpose {
                Purpose::ServerMetadata => server_metadata(&site, server, place, request),
                _ => {
                    let own = self.servers.get_mut(server)?;
                    own.answer(site, now, &place.url(), request)
                }
            },
        };
        Some(known.unwrap_or_else(|| nothing_here(&site)))
    }
}

fn resource_metadata(site: &Site<'_>, place: &Place, request: &Asked) -> Option<Answer> {
    let redirect = site.dials.resource_metadata_redirect;
    let here =
        site.resource_metadata_paths().into_iter().map(|path| format!("{}{path}", site.origins.server));
    document(site, here, redirect, "server", place, request, |site| site.resource_metadata())
}

fn server_metadata(site: &Site<'_>, server: usize, place: &Place, request: &Asked) -> Option<Answer> {
    let redirect = site.dials.server_metadata_redirect;
    let here = site.server_metadata_urls(server).into_iter();
    document(site, here, redirect, &proxy(server), place, request, |site| site.server_metadata(server))
}

/// A metadata document, or the way to where it has moved.
fn document(
    site: &Site<'_>,
    mut locations: impl Iterator<Item = String>,
    redirect: MetadataRedirect,
    proxy: &str,
    place: &Place,
    request: &Asked,
    content: impl Fn(&Site<'_>) -> serde_json::Value,
) -> Option<Answer> {
    let url = place.url();
    let answer = locations.find_map(|location| match site.moved(redirect, &location, proxy) {
        None => (location == url).then(|| message::json(200, &content(site))),
        Some(moved) if moved == url => Some(message::json(200, &content(site))),
        Some(moved) => (location == url).then(|| message::redirect(308, &moved)),
    })?;
    if request.method() != http::Method::GET {
        return Some(message::text(405, "Metadata is read with GET."));
    }
    Some(answer)
}

fn nothing_here(site: &Site<'_>) -> Answer {
    match site.dials.unknown_path {
        UnknownPath::NotFound => message::text(404, "There is nothing here."),
        UnknownPath::Page => {
            message::html(200, "<!DOCTYPE html><title>Welcome</title><p>Welcome.".to_owned())
        }
        UnknownPath::Status(status) => message::text(status, "There is nothing here for you."),
    }
}
