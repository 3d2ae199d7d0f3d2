//! A whole run: a driver that does right most of the time, servers whose dials turn, and a watch.

use http::{HeaderMap, Response, StatusCode, header};
use mcp_auth::policy::{Legacy, Policy, ScopeRule};
use mcp_auth::watch::Watch;
use mcp_auth::{
    Access, Action, Authorizer, Callback, Challenge, Config, Credential, Event, Generation, Outcome,
    Preregistered, Saving, Scopes, Seed, SendFailure, Timestamp,
};
use mcp_auth_testbed::{
    AuthorizationServers, Browsed, Challenge as Shape, ChallengeMethods, Dials, ExpiresIn, Iss, IssuerValue,
    MetadataRedirect, Origins, Person, PreRegistered, RefreshTokens, Refusal, Registration, ResourceMetadata,
    ResourceValue, Rotation, ScopeAnswer, SecretDespiteNone, ServerMetadata, StateEcho, TokenBody, TokenType,
    UnknownPath, World,
};
use url::Url;

const ISSUER: &str = "https://as.example";
const REDIRECT: &str = "http://127.0.0.1:3000/callback";
const DOCUMENT: &str = "https://client.example/me.json";

/// How servers change.
const TURNS: &[fn(&mut Dials)] = &[
    |dials| dials.access_lifetime = 5,
    |dials| dials.refusal = Refusal::Unauthorized,
    |dials| dials.refusal = Refusal::InsufficientScope,
    |dials| dials.refusal = Refusal::None,
    |dials| dials.resource_metadata = ResourceMetadata::Nowhere,
    |dials| dials.resource_metadata = ResourceMetadata::Root,
    |dials| dials.resource_metadata_redirect = MetadataRedirect::SameOrigin,
    |dials| dials.resource_metadata_redirect = MetadataRedirect::OtherOrigin,
    |dials| dials.advertise_metadata = false,
    |dials| dials.challenge = Shape::None,
    |dials| dials.challenge = Shape::Bare,
    |dials| dials.challenge = Shape::Several,
    |dials| dials.challenge = Shape::Dpop,
    |dials| dials.challenge_error = true,
    |dials| dials.resource = ResourceValue::Root,
    |dials| dials.resource = ResourceValue::OtherOrigin,
    |dials| dials.authorization_servers = AuthorizationServers::DeadThenFirst,
    |dials| dials.authorization_servers = AuthorizationServers::Both,
    |dials| dials.authorization_servers = AuthorizationServers::SecondOnly,
    |dials| dials.authorization_servers = AuthorizationServers::Empty,
    |dials| dials.unknown_path = UnknownPath::Page,
    |dials| dials.server_metadata = ServerMetadata::Nowhere,
    |dials| dials.server_metadata = ServerMetadata::OpenidAppended,
    |dials| dials.issuer = IssuerValue::Other,
    |dials| dials.challenge_methods = ChallengeMethods::Absent,
    |dials| dials.iss = Iss::Absent,
    |dials| dials.iss = Iss::AdvertisedButMissing,
    |dials| dials.iss = Iss::Wrong,
    |dials| dials.iss = Iss::Twice,
    |dials| dials.endpoints_elsewhere = true,
    |dials| dials.authorization_query = "tenant=1".to_owned(),
    |dials| dials.auth_methods = Some(vec!["client_secret_basic".to_owned()]),
    |dials| dials.auth_methods = Some(vec!["client_secret_post".to_owned()]),
    |dials| dials.registration = Registration::Forbidden,
    |dials| dials.registration = Registration::Absent,
    |dials| dials.secret_lifetime = Some(5),
    |dials| dials.secret_despite_none = SecretDespiteNone::Demanded,
    |dials| dials.registration_empties = true,
    |dials| dials.client_id_metadata_documents = false,
    |dials| dials.person = Person::Denies,
    |dials| dials.person = Person::Leaves,
    |dials| dials.authorization_error = Some("invalid_scope".to_owned()),
    |dials| dials.state = StateEcho::Changed,
    |dials| dials.state = StateEcho::Dropped,
    |dials| dials.granted_scopes = Some(vec!["files:read".to_owned()]),
    |dials| dials.refresh_tokens = RefreshTokens::Never,
    |dials| dials.rotation = Rotation::None,
    |dials| dials.dead_refresh_error = "unauthorized_client".to_owned(),
    |dials| dials.token_body = TokenBody::Form,
    |dials| dials.errors_with_200 = true,
    |dials| dials.expires_in = ExpiresIn::Negative,
    |dials| dials.token_type = TokenType::Absent,
    |dials| dials.scope_answer = ScopeAnswer::Empty,
    |dials| dials.invalid_client_status = 400,
];

/// What may happen to servers between two attempts.
const MISFORTUNES: &[fn(&mut World)] = &[
    World::expire_access_tokens,
    World::revoke_everything,
    World::purge_clients,
    World::expire_client_secrets,
];

/// What clients may be. Each has a way to a token where all dials stand as they should.
const CLIENTS: &[fn(Config) -> Config] = &[
    |config| config,
    |config| config.preregistered(Preregistered::new(ISSUER, "by-hand").secret("configured-secret")),
    |config| config.metadata_document(DOCUMENT),
    |config| config.dynamic_registration(false).policy(Policy::with(|it| it.ask_for_client = true)),
    |config| {
        config.policy(Policy::with(|it| {
            it.legacy = Legacy::Refused;
            it.step_ups = 0;
        }))
    },
    |config| config.scopes(ScopeRule::with(|it| it.stay_logged_in = true)),
];

pub(crate) struct Flow<'a> {
    data: std::slice::Iter<'a, u8>,
    config: Config,
    world: World,
    auth: Authorizer,
    watch: Watch,
    stored: Option<Credential>,
    opened: Option<Url>,
    late: Option<Event>,
    now: u64,
    moves: u8,
}

impl<'a> Flow<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        let mut data = data.iter();
        let choice = usize::from(data.next().copied().unwrap_or_default());
        let world = world();
        let config = CLIENTS[choice % CLIENTS.len()](Config::new(world.server_url(), "Fuzz", REDIRECT));
        let watch = Watch::new(&config);
        let auth = Authorizer::new(config.clone(), Seed::new([0; 32])).unwrap();
        let now = 1_800_000_000;
        Self { data, config, world, auth, watch, stored: None, opened: None, late: None, now, moves: 0 }
    }

    /// The next byte; 0, which is always right, when there are no more.
    fn byte(&mut self) -> u8 {
        self.data.next().copied().unwrap_or_default()
    }

    /// Runs four attempts, and a few more when the servers are as they should be. Gives how many of the four ended with
    /// a token.
    pub(crate) fn run(mut self) -> usize {
        let mut grants = 0;
        for _ in 0..4 {
            self.change();
            let event = self.beginning();
            self.tell(event);
            for _ in 0..80 {
                let action = self.poll();
                grants += usize::from(matches!(action, Action::Finish(Ok(Outcome::Authorized(_)))));
                if matches!(action, Action::Finish(_) | Action::Wait(None)) {
                    break;
                }
                let choice = self.byte();
                self.answer(action, choice);
            }
            self.rest();
        }
        self.recover();
        grants
    }

    /// The machine is as usable after all this as before: with servers that do right it gets a token, if a person
    /// asks for it often enough.
    fn recover(&mut self) {
        self.world = world();
        self.late = None;
        for _ in 0..3 {
            self.now += 3600;
            self.tell(Event::LogIn { scopes: Scopes::new() });
            let end = (0..40).find_map(|_| match self.poll() {
                Action::Finish(outcome) => Some(outcome),
                action => {
                    self.answer(action, 0);
                    None
                }
            });
            if matches!(end.unwrap(), Ok(Outcome::Authorized(_))) {
                return;
            }
        }
        panic!("no token\n{}", self.auth.trail());
    }

    /// Whatever happened, a machine that is called off comes to rest.
    fn rest(&mut self) {
        self.tell(Event::Cancelled);
        let still = (0..8).any(|_| matches!(self.poll(), Action::Wait(None)));
        assert!(still && !self.auth.is_running());
        self.opened = None;
    }

    fn poll(&mut self) -> Action {
        let action = self.auth.poll();
        self.watch.action(&action);
        self.check();
        action
    }

    fn tell(&mut self, event: Event) {
        self.watch.event(Timestamp::from_secs(self.now), &event);
        self.auth.handle(Timestamp::from_secs(self.now), event);
        self.check();
    }

    fn check(&mut self) {
        self.watch.text("the machine", &format!("{:?}", self.auth));
        if !self.auth.is_running() {
            self.watch.text("the trail", &self.auth.trail().to_string());
        }
        assert!(self.watch.breaches().is_empty(), "{:?}\n{}", self.watch.breaches(), self.auth.trail());
        let elsewhere = Url::parse("https://elsewhere.example/mcp").unwrap();
        let access = self.auth.access(&elsewhere, Timestamp::from_secs(self.now));
        assert!(matches!(access, Access::Refused));
    }

    fn change(&mut self) {
        for _ in 0..self.byte() % 4 {
            let turn = usize::from(self.byte()) % TURNS.len();
            TURNS[turn](self.world.dials_mut());
        }
        if let Some(misfortune) = MISFORTUNES.get(usize::from(self.byte() % 16).wrapping_sub(1)) {
            misfortune(&mut self.world);
        }
    }

    fn beginning(&mut self) -> Event {
        let url = Url::parse(&self.world.server_url()).unwrap();
        let now = Timestamp::from_secs(self.now);
        let held = match self.auth.access(&url, now) {
            Access::Ready(authorization) => Some(authorization.generation()),
            Access::Anonymous | Access::Wait | Access::Refused => None,
        };
        match self.byte() % 8 {
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
        }
    }

    fn challenged(&mut self, status: StatusCode, fields: &HeaderMap, held: Option<Generation>) -> Event {
        let retries = self.byte() % 4;
        match Challenge::of(status, fields, held, retries) {
            Some(challenge) => Event::Challenged(challenge),
            None => Event::Restore,
        }
    }

    fn answer(&mut self, action: Action, choice: u8) {
        if choice >= 248 {
            // Something that has nothing to do with what was asked.
            let stray = match choice {
                248 => self.late.take().unwrap_or(Event::Tick),
                249 => self.beginning(),
                250 => Event::Tick,
                251 => Event::Called(Callback::new("?code=stray-code-1&state=stray-state")),
                252 => Event::LogIn { scopes: Scopes::new() },
                253 => Event::Restore,
                254 => match self.byte() % 4 {
                    0 => Event::Cancelled,
                    1 => Event::Abandoned,
                    2 => Event::ClientDisowned,
                    _ => Event::LogOut,
                },
                _ => {
                    self.now += 3600;
                    Event::Tick
                }
            };
            self.tell(stray);
        }
        let Some(event) = self.event(action, choice) else { return };
        self.now += u64::from(choice % 3);
        if choice == 220 {
            // The answer comes when nobody waits for it any more, if at all.
            self.late = Some(event);
            return;
        }
        self.tell(event.clone());
        if choice % 16 == 15 {
            self.tell(event);
        }
    }

    fn event(&mut self, action: Action, choice: u8) -> Option<Event> {
        Some(match action {
            Action::Load(load) if choice == 200 => load.fail("the disk is gone"),
            Action::Load(load) if choice == 201 => load.reply(None),
            Action::Load(load) if choice == 202 => load.busy(),
            Action::Load(load) => load.reply(self.stored.clone()),
            Action::Store(save) if choice == 200 => save.reply(Saving::Failed("the disk is full".to_owned())),
            Action::Store(save) if choice == 201 => {
                save.reply(Saving::Conflict(self.stored.clone().map(Box::new)))
            }
            Action::Store(save) => {
                self.stored = Some(save.credential().clone());
                save.reply(Saving::Kept)
            }
            Action::Forget(forget) if choice == 200 => forget.fail("the disk is full"),
            Action::Forget(forget) => {
                let same = self.stored.as_ref().is_some_and(|it| it.generation == forget.generation());
                self.stored.take_if(|_| same);
                forget.reply(self.stored.is_none())
            }
            Action::Release(_) | Action::Renewed(_) => return None,
            Action::Send(send) => match choice {
                200 => send.fail(SendFailure::TimedOut),
                201 => send.fail(SendFailure::Interrupted("cut off".to_owned())),
                202..=209 => send.reply(self.garbage()),
                210 => {
                    self.now += 60;
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
            Action::Ask(ask) if choice.is_multiple_of(2) => {
                ask.reply("by-hand", Some("configured-secret".into()))
            }
            Action::Ask(ask) => ask.decline(),
            Action::Show(_) => return None,
            Action::Sign(sign) if choice == 200 => sign.fail("the key is gone"),
            Action::Sign(sign) => sign.reply(vec![choice; 64]),
            Action::Supply(supply) if choice == 200 => supply.fail("there is none"),
            Action::Supply(supply) => supply.reply("a.b.c"),
            Action::Wait(until) => {
                if (230..240).contains(&choice) {
                    self.move_elsewhere();
                }
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

    /// A login that waits is taken up by another process.
    fn move_elsewhere(&mut self) {
        let Some(snapshot) = self.auth.snapshot() else { return };
        let written = serde_json::to_string(&snapshot).unwrap();
        self.watch = Watch::resume(&self.config, &snapshot);
        let snapshot = serde_json::from_str(&written).unwrap();
        // A seed serves one machine only.
        self.moves += 1;
        self.auth = Authorizer::resume(self.config.clone(), Seed::new([self.moves; 32]), snapshot).unwrap();
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

/// Servers that do right, and know every client of [`CLIENTS`].
fn world() -> World {
    let document = serde_json::json!({
        "client_id": DOCUMENT, "client_name": "Fuzz", "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": "none",
    });
    let clients =
        vec![PreRegistered::confidential("by-hand", "configured-secret", "client_secret_basic", REDIRECT)];
    let client_documents = [(DOCUMENT.to_owned(), document)].into();
    World::new(Dials { clients, client_documents, ..Dials::default() }, Origins::default())
}
