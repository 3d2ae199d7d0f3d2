//! What the fuzzer does with its bytes. Each body takes any bytes, and panics only if something is broken.

use std::time::Duration;

use http::{HeaderMap, Response, StatusCode, header};
use mcp_auth::watch::Watch;
use mcp_auth::wire::callback::Expected;
use mcp_auth::wire::challenge::{self, Demand};
use mcp_auth::wire::json::Object;
use mcp_auth::wire::registration::Registration;
use mcp_auth::wire::resource_metadata::{ResourceMetadata, covers};
use mcp_auth::wire::server_metadata::{IssuerMatch, Pkce, ServerMetadata};
use mcp_auth::wire::token::{TokenAnswer, TokenShape};
use mcp_auth::{
    Access, Action, AuthMethod, Authorizer, Callback, Challenge, Config, Credential, Event, Guard, Outcome,
    Reach, Saving, Scopes, Secret, Seed, SendFailure, Timestamp,
};
use mcp_auth_testbed::{
    Browsed, Challenge as Shape, Dials, Iss, Origins, Refusal, ResourceMetadata as Place, World,
};
use url::Url;

/// A body, by the name of its target.
pub(crate) type Body = fn(&[u8]);

/// All bodies.
pub(crate) const BODIES: &[(&str, Body)] = &[
    ("challenge", challenge),
    ("documents", documents),
    ("answers", answers),
    ("callback", callback),
    ("guard", guard),
    ("flow", flow),
];

/// `WWW-Authenticate`: a good challenge in a field of its own is found, whatever the others hold.
pub(crate) fn challenge(data: &[u8]) {
    let good = b"Bearer resource_metadata=\"https://a.example/x\", scope=\"a\"";
    let fields: Vec<_> = data.split(|byte| *byte == b'\n').take(8).collect();
    let read = challenge::read(fields.iter().copied());
    assert!(read.len() <= challenge::MAX_CHALLENGES);
    let _ = Demand::of(&read);
    if data.len() < 4096 && read.len() < challenge::MAX_CHALLENGES {
        let found = Demand::of(&challenge::read(fields.iter().copied().chain([&good[..]])));
        assert!(found.resource_metadata.iter().any(|url| url == "https://a.example/x"));
    }
}

/// Metadata documents: what is read passes its own checks, and nothing panics.
pub(crate) fn documents(data: &[u8]) {
    let _ = Object::read(data);
    let server = Url::parse("https://mcp.example/mcp").unwrap();
    if let Ok(metadata) = ResourceMetadata::read(data) {
        assert!(!metadata.authorization_servers.is_empty());
        if covers(&metadata.resource, &server) {
            assert!(metadata.resource.to_ascii_lowercase().starts_with("https://mcp.example"));
        }
    }
    for rule in [IssuerMatch::Exact, IssuerMatch::IgnoreLoneSlash] {
        if let Ok(metadata) = ServerMetadata::read(data, "https://as.example", rule) {
            assert_eq!(metadata.issuer.trim_end_matches('/'), "https://as.example");
            if metadata.check(&Guard::new(Reach::Public), Pkce::Required).is_ok() {
                let endpoint = metadata.token_endpoint.unwrap();
                assert!(endpoint.to_ascii_lowercase().starts_with("https://"));
            }
        }
    }
}

/// Token and registration answers: what is taken can be carried by a header field.
pub(crate) fn answers(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let status = [200, 201, 400, 401, 403, 500, 302, 204][usize::from(*first % 8)];
    let form = (first & 8 != 0).then_some("application/x-www-form-urlencoded");
    let now = Timestamp::from_secs(u64::MAX - 5);
    let shape = TokenShape { missing_type_is_bearer: first & 16 != 0, comma_scopes: first & 32 != 0 };
    if let Ok(answer) = TokenAnswer::read(status, form, body, now, shape) {
        let field = format!("Bearer {}", answer.access_token.expose());
        assert!(http::HeaderValue::try_from(field).is_ok());
    }
    if let Ok(registration) = Registration::read(status, body)
        && let Ok(client) = registration.judge(AuthMethod::None, "http://127.0.0.1:1/cb", now)
    {
        assert!(client.method == AuthMethod::None || client.secret.is_some());
    }
}

/// Authorization responses: a code comes only with the right state and issuer.
pub(crate) fn callback(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let state = Secret::new("the-state");
    let expected =
        Expected { state: &state, issuer: "https://as.example", iss_required: true, issuer_aliases: &[] };
    let callback = Callback::new(text.as_ref());
    let _ = callback.state();
    if callback.judge(&expected).is_ok() {
        assert_eq!(callback.state().as_deref(), Some("the-state"));
    }
    let good = format!(
        "state=the-state&iss=https%3A%2F%2Fas.example&code=good&x={}",
        text.replace(['&', '#', '?'], "")
    );
    if let Ok(code) = Callback::new(good).judge(&expected) {
        assert_eq!(code.expose(), "good");
    }
}

/// URLs: what passes is https or loopback, has no user info and no fragment, and means the same to another parser.
pub(crate) fn guard(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(endpoint) = Guard::new(Reach::Loopback).check(&text) {
        let uri = http::Uri::try_from(endpoint.url().as_str()).unwrap();
        assert_eq!(uri.host(), endpoint.url().host_str());
        let loopback = ["localhost", "127.", "[::1]"].iter().any(|host| uri.host().unwrap().contains(host));
        assert!(uri.scheme_str() == Some("https") || loopback);
        assert!(!text.contains('@') || text.find('@') > text.find("://").map(|at| at + 3));
        assert!(endpoint.url().fragment().is_none() && endpoint.url().username().is_empty());
    }
}

/// A whole run: a driver that does right most of the time, servers with dials, and a watch.
pub(crate) fn flow(data: &[u8]) {
    grants(data);
}

/// The same; says how many of its attempts ended with a token.
pub(crate) fn grants(data: &[u8]) -> usize {
    Flow::new(data).run()
}

struct Flow<'a> {
    data: std::slice::Iter<'a, u8>,
    world: World,
    auth: Authorizer,
    watch: Watch,
    stored: Option<Credential>,
    opened: Option<Url>,
    now: u64,
}

impl<'a> Flow<'a> {
    fn new(data: &'a [u8]) -> Self {
        let mut data = data.iter();
        let dials = dials(data.next().copied().unwrap_or_default());
        let world = World::new(dials, Origins::default());
        let config = Config::new(world.server_url(), "Fuzz", "http://127.0.0.1:3000/callback");
        let watch = Watch::new(&config);
        let auth = Authorizer::new(config, Seed::new([7; 32])).unwrap();
        Self { data, world, auth, watch, stored: None, opened: None, now: 1_800_000_000 }
    }

    /// The next byte; 0, which is always right, when there are no more.
    fn byte(&mut self) -> u8 {
        self.data.next().copied().unwrap_or_default()
    }

    fn run(mut self) -> usize {
        let mut grants = 0;
        for _ in 0..4 {
            self.begin();
            for _ in 0..80 {
                let action = self.auth.poll();
                self.watch.action(&action);
                self.check();
                grants += usize::from(matches!(action, Action::Finish(Ok(Outcome::Authorized(_)))));
                if matches!(action, Action::Finish(_) | Action::Wait(None)) {
                    break;
                }
                self.answer(action);
            }
            // Whatever happened, the machine comes to rest.
            self.tell(Event::Cancelled);
            for _ in 0..8 {
                let action = self.auth.poll();
                self.watch.action(&action);
                if let Action::Wait(until) = action {
                    assert_eq!(until, None);
                    break;
                }
            }
            assert!(!self.auth.is_running());
            self.check();
        }
        grants
    }

    fn check(&mut self) {
        self.watch.text("the machine", &format!("{:?}", self.auth));
        self.watch.text("the trail", &self.auth.trail().to_string());
        assert!(self.watch.breaches().is_empty(), "{:?}\n{}", self.watch.breaches(), self.auth.trail());
    }

    fn tell(&mut self, event: Event) {
        self.watch.event(Timestamp::from_secs(self.now), &event);
        self.auth.handle(Timestamp::from_secs(self.now), event);
        self.check();
    }

    fn begin(&mut self) {
        let url = Url::parse(&self.world.server_url()).unwrap();
        let now = Timestamp::from_secs(self.now);
        let held = match self.auth.access(&url, now) {
            Access::Ready(authorization) => Some(authorization.generation()),
            Access::Anonymous | Access::Wait | Access::Refused => None,
        };
        let event = match self.byte() % 8 {
            0..=3 => {
                let request = mcp_auth_testbed::call::request(
                    &self.world.server_url(),
                    mcp_auth_testbed::call::Wire::Stateless,
                    "tools/list",
                    serde_json::json!({}),
                );
                let response = self.world.handle(self.now, request.unwrap());
                self.challenged(response.status(), response.headers(), held)
            }
            4 => Event::LogIn { scopes: Scopes::parse("files:write").unwrap() },
            5 => Event::Restore,
            6 => {
                let mut fields = HeaderMap::new();
                let field = "Bearer error=insufficient_scope, scope=\"files:write\"";
                fields.insert(header::WWW_AUTHENTICATE, field.parse().unwrap());
                self.challenged(StatusCode::FORBIDDEN, &fields, held)
            }
            _ => Event::LogIn { scopes: Scopes::new() },
        };
        self.tell(event);
    }

    fn challenged(
        &mut self,
        status: StatusCode,
        fields: &HeaderMap,
        held: Option<mcp_auth::Generation>,
    ) -> Event {
        let retries = self.byte() % 4;
        match Challenge::of(status, fields) {
            Some(challenge) => Event::Challenged(challenge.refused(held).retries(retries)),
            None => Event::Restore,
        }
    }

    fn answer(&mut self, action: Action) {
        let choice = self.byte();
        if choice >= 250 {
            // Something that has nothing to do with what was asked.
            let stray = match choice {
                250 => Event::Tick,
                251 => Event::Called(Callback::new("?code=stray-code-1&state=stray-state")),
                252 => Event::LogIn { scopes: Scopes::new() },
                253 => Event::Restore,
                254 => Event::Cancelled,
                _ => {
                    self.now += 3600;
                    Event::Tick
                }
            };
            self.tell(stray);
        }
        let Some(event) = self.event(action, choice) else { return };
        self.now += u64::from(choice % 3);
        self.tell(event.clone());
        if choice % 16 == 15 {
            // The same answer once more.
            self.tell(event);
        }
    }

    fn event(&mut self, action: Action, choice: u8) -> Option<Event> {
        Some(match action {
            Action::Load(load) if choice == 200 => load.fail("the disk is gone"),
            Action::Load(load) if choice == 201 => load.reply(None),
            Action::Load(load) => load.reply(self.stored.clone()),
            Action::Store(save) if choice == 200 => save.reply(Saving::Failed("the disk is full".to_owned())),
            Action::Store(save) if choice == 201 => {
                save.reply(Saving::Conflict(self.stored.clone().map(Box::new)))
            }
            Action::Store(save) => {
                self.stored = Some(save.credential().clone());
                save.reply(Saving::Kept)
            }
            Action::Send(send) => match choice {
                200 => send.fail(SendFailure::TimedOut),
                201 => send.fail(SendFailure::Interrupted("cut off".to_owned())),
                202..=209 => send.reply(self.garbage()),
                210 => {
                    self.now += Duration::from_secs(60).as_secs();
                    Event::Tick
                }
                _ => match self.world.answer(self.now, send.request()) {
                    Some(mut response) => {
                        if (211..=219).contains(&choice) {
                            let end = response.body().len() * usize::from(choice - 211) / 9;
                            response.body_mut().truncate(end);
                        }
                        send.reply(response)
                    }
                    None => send.fail(SendFailure::NotSent("closed".to_owned())),
                },
            },
            Action::Open(open) => {
                self.opened = Some(open.url().clone());
                return None;
            }
            Action::Ask(ask) if choice.is_multiple_of(2) => ask.reply("typed-in", None),
            Action::Ask(ask) => ask.decline(),
            Action::Wait(until) => {
                let opened = self.opened.take().filter(|_| choice < 240);
                match opened.map(|url| self.world.browse(self.now, url.as_str())) {
                    Some(Browsed::Callback(callback)) => Event::Called(Callback::new(callback)),
                    _ => {
                        self.now = until.map_or(self.now, Timestamp::as_secs);
                        Event::Tick
                    }
                }
            }
            Action::Finish(_) => return None,
        })
    }

    fn garbage(&mut self) -> Response<Vec<u8>> {
        let mut body: Vec<u8> = (0..self.byte()).map(|_| self.data.next().copied().unwrap_or(b' ')).collect();
        if body.len().is_multiple_of(2) {
            body = format!(
                "{{\"resource\":\"https://mcp.example/mcp\",\"authorization_servers\":[\"https://as2.example\"],\
                 \"issuer\":\"https://evil.example\",\"token_endpoint\":\"https://evil.example/t\",\"client_id\":\"x\",\
                 \"access_token\":\"from-garbage-{}\",\"token_type\":\"Bearer\"}}",
                body.len()
            )
            .into_bytes();
        }
        let status = [200, 201, 204, 302, 307, 400, 401, 404, 500, 503][usize::from(self.byte() % 10)];
        Response::builder()
            .status(status)
            .header(header::LOCATION, "https://evil.example/elsewhere")
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .unwrap()
    }
}

/// A few of the servers that there are.
fn dials(choice: u8) -> Dials {
    let base = Dials { access_lifetime: 5, ..Dials::default() };
    match choice % 8 {
        0 => Dials::default(),
        1 => base,
        2 => Dials { iss: Iss::Wrong, ..base },
        3 => Dials { iss: Iss::Absent, auth_methods: Some(vec!["client_secret_basic".to_owned()]), ..base },
        4 => Dials { refusal: Refusal::Unauthorized, ..base },
        5 => Dials {
            resource_metadata: Place::Nowhere,
            advertise_metadata: false,
            challenge: Shape::Bare,
            server_metadata: mcp_auth_testbed::ServerMetadata::Nowhere,
            ..base
        },
        6 => Dials { auth_methods: Some(vec!["client_secret_post".to_owned()]), ..base },
        _ => Dials { refusal: Refusal::InsufficientScope, ..base },
    }
}
