//! Which requests are made, one after another. It sends nothing by itself: [`Walk::next`] says what to send, and
//! [`Walk::came`] is told what came.
//!
//! Nothing is registered, no browser is opened, and no secret is sent: the one token that goes out cannot be valid. Every
//! URL passes the guard first, and redirects are followed within their origin only, as the core does.

use std::collections::VecDeque;
use std::time::Duration;

use http::{HeaderValue, Request, header};
use mcp_auth::base::guard;
use mcp_auth::wire::challenge::{self, Demand};
use mcp_auth::wire::resource_metadata::{self, ResourceMetadata};
use mcp_auth::wire::server_metadata;
use mcp_auth::{Endpoint, Guard, Reach, SendFailure};
use serde_json::json;
use url::Url;

use super::evidence::{Answer, Evidence, Exchange, How, Issuer, Place, Wire};
use super::probe;

/// What is presented as a token: nobody can have issued it.
const NO_TOKEN: &str = "Bearer mcp-auth-inspect-presents-no-token";
/// How many URLs of challenges are looked at, and how many authorization servers.
pub(crate) const MAX_NAMED: usize = 4;
/// How many redirects are followed for one document.
const MAX_REDIRECTS: usize = 3;

/// A request to be sent.
pub(crate) struct Ask {
    pub(crate) request: Request<Vec<u8>>,
    pub(crate) reach: Reach,
    /// Whether the body of the answer is wanted.
    pub(crate) whole: bool,
    slot: Slot,
}

/// Where an answer belongs.
#[derive(Clone, Copy)]
enum Slot {
    Open(Wire),
    /// The end of a session that a server began without asking who we are.
    End,
    Bad,
    Resource(usize),
    Server(usize, usize),
    Token(usize),
    Authorize(usize),
}

/// What comes next.
enum Stage {
    Open(VecDeque<Wire>),
    Bad,
    Resource,
    Server,
    Probe,
}

pub(crate) struct Walk {
    seen: Evidence,
    stage: Stage,
    queue: VecDeque<Ask>,
    probe: bool,
}

impl Walk {
    pub(crate) fn new(server: Endpoint, reach: Option<Reach>) -> Self {
        let guard = Guard::for_server(&server, reach);
        let seen = Evidence {
            server,
            guard,
            open: Vec::new(),
            bad: None,
            places: Vec::new(),
            issuers: Vec::new(),
            passed_over: Vec::new(),
            legacy: false,
        };
        Self { seen, stage: Stage::Open(Wire::ALL.into()), queue: VecDeque::new(), probe: false }
    }

    /// Whether the endpoints are asked too, with a code and a client that do not exist.
    pub(crate) fn probing(mut self, probe: bool) -> Self {
        self.probe = probe;
        self
    }

    /// What to send next; nothing when all has been seen.
    pub(crate) fn next(&mut self) -> Option<Ask> {
        loop {
            if let Some(ask) = self.queue.pop_front() {
                return Some(ask);
            }
            match &mut self.stage {
                Stage::Open(wires) => match wires.pop_front() {
                    Some(wire) => self.open(wire),
                    None => self.stage = Stage::Bad,
                },
                Stage::Bad => {
                    self.stage = Stage::Resource;
                    self.bad();
                    self.look_for_resource();
                }
                Stage::Resource => {
                    self.stage = Stage::Server;
                    self.look_for_servers();
                }
                Stage::Server if self.probe => {
                    self.stage = Stage::Probe;
                    self.ask_endpoints();
                }
                Stage::Server | Stage::Probe => return None,
            }
        }
    }

    /// What came of a request.
    pub(crate) fn came(&mut self, ask: Ask, came: Result<Answer, SendFailure>, took: Duration) {
        let (method, url) = (ask.request.method().clone(), ask.request.uri().to_string());
        let exchange = Exchange { method, url, came, took };
        match ask.slot {
            Slot::Open(wire) => {
                let end = self.end(&exchange);
                self.seen.open.push((wire, exchange));
                self.queue.extend(end);
            }
            Slot::End => {}
            Slot::Token(index) => {
                if let Some(issuer) = self.seen.issuers.get_mut(index) {
                    issuer.token = Some(exchange);
                }
            }
            Slot::Authorize(index) => {
                if let Some(issuer) = self.seen.issuers.get_mut(index) {
                    issuer.authorize = Some(exchange);
                }
            }
            Slot::Bad => {
                self.queue.extend(self.end(&exchange));
                self.seen.bad = Some(exchange);
            }
            Slot::Resource(_) | Slot::Server(..) => {
                let next = self.redirected(ask.slot, &exchange);
                if let Some(place) = self.place(ask.slot) {
                    place.hops.push(exchange);
                }
                self.queue.extend(next);
            }
        }
    }

    /// Whether no request without a token was answered, so that there is nothing to go on with.
    pub(crate) fn is_unreached(&self) -> bool {
        self.seen.open.len() == Wire::ALL.len()
            && self.seen.open.iter().all(|(_, exchange)| exchange.came.is_err())
    }

    /// Everything that was seen.
    pub(crate) fn done(self) -> Evidence {
        self.seen
    }

    fn open(&mut self, wire: Wire) {
        self.queue.extend(self.request(wire, None, Slot::Open(wire)));
    }

    /// Nothing is to be left behind: a session that was begun is ended (Streamable HTTP, session management).
    fn end(&self, exchange: &Exchange) -> Option<Ask> {
        let answer = exchange.answer().filter(|answer| (200..300).contains(&answer.status))?;
        let session = answer.fields.get("mcp-session-id")?.clone();
        let request = Request::delete(self.seen.server.url().as_str())
            .header("mcp-session-id", session)
            .header("mcp-protocol-version", Wire::Stateful.revision())
            .body(Vec::new())
            .ok()?;
        Some(Ask { request, reach: self.reach()?, whole: false, slot: Slot::End })
    }

    fn reach(&self) -> Option<Reach> {
        self.seen.guard.check(self.seen.server.as_given()).ok().map(|server| server.reach())
    }

    /// A request with a bad token, on the wire that was refused, or else the first that was answered at all.
    fn bad(&mut self) {
        let refused = self.seen.refusal().map(|(wire, _)| wire);
        let answered =
            || self.seen.open.iter().find(|(_, exchange)| exchange.came.is_ok()).map(|(wire, _)| *wire);
        if let Some(wire) = refused.or_else(answered) {
            self.queue.extend(self.request(wire, Some(NO_TOKEN), Slot::Bad));
        }
    }

    fn request(&self, wire: Wire, token: Option<&'static str>, slot: Slot) -> Option<Ask> {
        let client = json!({"name": "mcp-auth-inspect", "version": env!("CARGO_PKG_VERSION")});
        let params = match wire {
            Wire::Stateless => json!({"_meta": {
                "io.modelcontextprotocol/protocolVersion": wire.revision(),
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": client,
            }}),
            Wire::Stateful => {
                json!({"protocolVersion": wire.revision(), "capabilities": {}, "clientInfo": client})
            }
        };
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": wire.method(), "params": params});
        let mut request = Request::post(self.seen.server.url().as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, text/event-stream");
        if wire == Wire::Stateless {
            request =
                request.header("mcp-protocol-version", wire.revision()).header("mcp-method", wire.method());
        }
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, HeaderValue::from_static(token));
        }
        let request = request.body(body.to_string().into_bytes()).ok()?;
        Some(Ask { request, reach: self.reach()?, whole: false, slot })
    }

    /// The candidates of the resource metadata, all of them: what is wrong with a later one is told as well.
    fn look_for_resource(&mut self) {
        let demand = self.seen.refusal().map(|(_, answer)| Demand::of(&challenge::read(answer.challenges())));
        let mut advertised = demand.unwrap_or_default().resource_metadata;
        advertised.truncate(MAX_NAMED);
        let candidates = resource_metadata::candidates(self.seen.server.url(), &advertised);
        let places = candidates.into_iter().map(|it| Place::new(it.url, How::Resource(it.source)));
        self.seen.places = places.collect();
        for index in 0..self.seen.places.len() {
            self.get(Slot::Resource(index));
        }
    }

    /// The candidates of each authorization server that the first good document names, or else the first readable one.
    fn look_for_servers(&mut self) {
        let server = self.seen.server.url();
        let good = super::resource_metadata::chosen(&self.seen).map(|(_, metadata)| metadata);
        let readable = |place: &Place| ResourceMetadata::read(&place.body()?.1.body).ok();
        let best = good.or_else(|| self.seen.places.iter().find_map(readable));
        let mut named = best.map(|metadata| metadata.authorization_servers).unwrap_or_default();
        let absent = super::resource_metadata::is_plainly_absent(&self.seen.places);
        if absent && self.seen.refusal().is_some() {
            self.seen.legacy = true;
            named.push(server_metadata::origin(server));
        }
        self.seen.passed_over = named.split_off(named.len().min(MAX_NAMED));
        for (index, named) in named.into_iter().enumerate() {
            let (places, refused) = match server_metadata::candidates(&named, &self.seen.guard) {
                Ok(found) => {
                    (found.into_iter().map(|it| Place::new(it.url, How::Server(it.form))).collect(), None)
                }
                Err(breach) => (Vec::new(), Some(breach.got)),
            };
            let count = places.len();
            self.seen.issuers.push(Issuer { named, refused, places, token: None, authorize: None });
            for form in 0..count {
                self.get(Slot::Server(index, form));
            }
        }
    }

    /// Each server whose document is its own, at the endpoints that pass the guard.
    fn ask_endpoints(&mut self) {
        for (index, issuer) in self.seen.issuers.iter().enumerate() {
            let Some((_, metadata)) = super::authorization_server::chosen(issuer) else { continue };
            let passed = |url: Option<String>| self.seen.guard.check(&url?).ok();
            if let Some(endpoint) = passed(metadata.token_endpoint)
                && let Some(request) = probe::token(endpoint.url())
            {
                let slot = Slot::Token(index);
                self.queue.push_back(Ask { request, reach: endpoint.reach(), whole: true, slot });
            }
            if let Some(endpoint) = passed(metadata.authorization_endpoint)
                && let Some(request) = probe::authorize(endpoint.url())
            {
                let slot = Slot::Authorize(index);
                self.queue.push_back(Ask { request, reach: endpoint.reach(), whole: false, slot });
            }
        }
    }

    fn place(&mut self, slot: Slot) -> Option<&mut Place> {
        match slot {
            Slot::Resource(index) => self.seen.places.get_mut(index),
            Slot::Server(issuer, form) => self.seen.issuers.get_mut(issuer)?.places.get_mut(form),
            Slot::Open(_) | Slot::End | Slot::Bad | Slot::Token(_) | Slot::Authorize(_) => None,
        }
    }

    fn get(&mut self, slot: Slot) {
        let Some(url) = self.place(slot).map(|place| place.url.clone()) else { return };
        let ask = self.ask(&url, slot);
        match ask {
            Ok(ask) => self.queue.push_back(ask),
            Err(why) => {
                if let Some(place) = self.place(slot) {
                    place.refused = Some(why);
                }
            }
        }
    }

    fn ask(&self, url: &str, slot: Slot) -> Result<Ask, String> {
        let endpoint = self.seen.guard.check(url).map_err(|refused| refused.to_string())?;
        let request = Request::get(endpoint.url().as_str())
            .header(header::ACCEPT, "application/json")
            .header("mcp-protocol-version", Wire::Stateless.revision())
            .body(Vec::new())
            .map_err(|error| error.to_string())?;
        Ok(Ask { request, reach: endpoint.reach(), whole: true, slot })
    }

    /// Where a redirect within the origin leads.
    fn redirected(&mut self, slot: Slot, exchange: &Exchange) -> Option<Ask> {
        let answer = exchange.answer().filter(|answer| answer.is_redirect())?;
        let base = Url::parse(&exchange.url).ok()?;
        let next = base.join(&answer.field("location")?).ok()?;
        let near = guard::same_origin(&base, &next);
        let hops = self.place(slot)?.hops.len();
        if !near || hops >= MAX_REDIRECTS {
            return None;
        }
        self.ask(next.as_str(), slot).ok()
    }
}
