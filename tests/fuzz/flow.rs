//! A whole run: a driver that does right most of the time, servers whose dials turn, and a watch.

use http::{HeaderMap, Request, Response, StatusCode, header};
use mcp_auth::watch::Watch;
use mcp_auth::wire::dpop::Nonce;
use mcp_auth::{
    Access, Action, AssertionKind, Authorizer, Callback, Challenge, Config, Credential, Event, Generation,
    Outcome, Saving, Scopes, Seed, SendFailure, Sign, SigningKey, Timestamp,
};
use mcp_auth_testbed::{Browsed, World, call};
use url::Url;

use super::clients::{CLIENT_KEY, Choice, ID_TOKEN, PROOF_KEY};
use super::recorded::is_replayed;
use super::recorded::recording::Recording;
use super::servers::{MISFORTUNES, TURNS};

pub(crate) struct Flow<'a> {
    data: std::slice::Iter<'a, u8>,
    choice: Choice,
    config: Config,
    world: World,
    auth: Authorizer,
    watch: Watch,
    stored: Option<Credential>,
    /// The record was not made with these servers.
    foreign: bool,
    opened: Option<Url>,
    /// The code that the person was shown.
    shown: Option<String>,
    late: Option<Event>,
    now: u64,
    moves: u8,
    recording: Option<Recording>,
}

impl<'a> Flow<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        let replayed = is_replayed(data);
        let mut data = data.iter();
        let mut byte = || data.next().copied().unwrap_or_default();
        let choice = Choice::of(byte(), byte());
        let (world, config) = (choice.world(), choice.config());
        let watch = Watch::new(&config);
        let recording = replayed.then(|| Recording::new(&config, &Seed::new([0; 32])));
        let auth = Authorizer::new(config.clone(), Seed::new([0; 32])).unwrap();
        let now = 1_800_000_000;
        let (stored, opened, shown, late) = (None, None, None, None);
        Self {
            data,
            choice,
            config,
            world,
            auth,
            watch,
            stored,
            foreign: false,
            opened,
            shown,
            late,
            now,
            moves: 0,
            recording,
        }
    }

    /// A store that has this record from the beginning.
    pub(crate) fn holding(mut self, credential: Credential) -> Self {
        (self.stored, self.foreign) = (Some(credential), true);
        self
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
            for _ in 0..60 {
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
        self.replays();
        grants
    }

    /// The machine is as usable after all this as before: with servers that do right it gets a token, if a person
    /// asks for it often enough.
    fn recover(&mut self) {
        self.world = self.choice.world();
        self.late = None;
        for attempt in 0..3 {
            self.now += 3600;
            if self.foreign {
                // These servers do not know the client of the record, as the person saw, nor all of its scopes.
                self.tell(if attempt == 0 { Event::ClientDisowned } else { Event::LogOut });
                self.rest();
            }
            self.tell(Event::LogIn { scopes: Scopes::new() });
            let end = (0..40).find_map(|_| match self.poll() {
                Action::Finish(outcome) => Some(outcome),
                action => {
                    self.answer(action, 0);
                    None
                }
            });
            if matches!(end.unwrap(), Ok(Outcome::Authorized(_))) {
                // These servers may not know the token; the watch looks at how it goes out.
                self.request();
                self.check();
                return;
            }
        }
        panic!("no token\n{}", self.auth.trail());
    }

    /// Whatever happened, a machine that is called off comes to rest; first it brings to its end what may not be broken
    /// off.
    fn rest(&mut self) {
        self.tell(Event::Cancelled);
        let rests = (0..40).any(|_| match self.poll() {
            Action::Wait(None) => true,
            action => {
                self.answer(action, 0);
                false
            }
        });
        assert!(rests && !self.auth.is_running(), "{}", self.auth.trail());
        (self.opened, self.shown) = (None, None);
    }

    /// What was written down comes again.
    fn replays(&self) {
        let _ = self.recording.as_ref().map(Recording::replays);
    }

    fn poll(&mut self) -> Action {
        let action = self.auth.poll();
        if let Some(recording) = &mut self.recording {
            recording.recorder.action(&action);
        }
        self.watch.action(&action);
        self.check();
        action
    }

    fn tell(&mut self, event: Event) {
        self.watch.event(Timestamp::from_secs(self.now), &event);
        if let Some(recording) = &mut self.recording {
            recording.recorder.event(Timestamp::from_secs(self.now), &event);
        }
        // The poll that follows looks at the rest.
        self.auth.handle(Timestamp::from_secs(self.now), event);
        assert!(self.watch.breaches().is_empty(), "{:?}\n{}", self.watch.breaches(), self.auth.trail());
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
        let held = self.held();
        match self.byte() % 8 {
            0..=2 => {
                let response = self.world.handle(self.now, self.call());
                self.challenged(response.status(), response.headers(), held)
            }
            3 => {
                let (response, held) = self.request();
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

    fn held(&self) -> Option<Generation> {
        let url = Url::parse(&self.world.server_url()).unwrap();
        match self.auth.access(&url, Timestamp::from_secs(self.now)) {
            Access::Ready(authorization) => Some(authorization.generation()),
            Access::Anonymous | Access::Wait | Access::Refused => None,
        }
    }

    fn call(&self) -> Request<Vec<u8>> {
        let (url, wire) = (self.world.server_url(), call::Wire::Stateless);
        call::request(&url, wire, "tools/list", serde_json::json!({})).unwrap()
    }

    /// A request with what there is of a token, and the proof that it needs.
    fn request(&mut self) -> (Response<Vec<u8>>, Option<Generation>) {
        let url = Url::parse(&self.world.server_url()).unwrap();
        let now = Timestamp::from_secs(self.now);
        let mut request = self.call();
        if let Access::Ready(authorization) = self.auth.access(&url, now) {
            self.watch.attached(&url, &self.auth.authorized().unwrap().resource);
            request.headers_mut().insert(header::AUTHORIZATION, authorization.value().clone());
            if let Some(recording) = &mut self.recording {
                recording.recorder.prove(now, "POST", &url);
            }
            if let Some(input) = self.auth.prove(now, "POST", &url).unwrap() {
                let proof = input.complete(&PROOF_KEY.sign(input.as_bytes())).unwrap();
                request.headers_mut().insert("dpop", proof.expose().parse().unwrap());
            }
        }
        self.watch.requested(request.method(), &url, request.headers());
        let held = self.held();
        let response = self.world.handle(self.now, request);
        let nonces = response.headers().get_all("dpop-nonce").iter().map(|value| value.as_bytes());
        if let Some(nonce) = Nonce::read(nonces).unwrap() {
            self.tell(Event::Nonce(nonce));
        }
        (response, held)
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
            Action::Show(show) if choice == 200 => show.fail("there is no screen"),
            Action::Show(show) => {
                self.shown = Some(show.user_code().to_owned());
                return None;
            }
            Action::Sign(sign) => match choice {
                200 => sign.fail("the key is gone"),
                201..=209 => sign.reply(vec![choice; 64]),
                210..=214 => sign.reply(vec![choice; usize::from(choice) % 5]),
                _ => signed(&sign),
            },
            Action::Supply(supply) => match choice {
                200 => supply.fail("there is none"),
                201..=209 => supply.reply(self.assertion_of_no_use()),
                _ if supply.kind() == AssertionKind::Workload => match self.world.workload_token(self.now) {
                    Some(token) => supply.reply(token),
                    None => supply.fail("the platform is gone"),
                },
                _ => supply.reply(ID_TOKEN),
            },
            Action::Wait(until) => {
                if (230..240).contains(&choice) {
                    self.move_elsewhere();
                }
                if let Some(code) = self.shown.take().filter(|_| choice < 240) {
                    self.world.enter_user_code(&code, choice < 230);
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

    /// A login that waits is taken up by another process, unless somebody signs for the client, at endpoints that are not
    /// the issuer's: the other process has not read what says that they are.
    fn move_elsewhere(&mut self) {
        let Some(snapshot) = self.auth.snapshot() else { return };
        let written = serde_json::to_string(&snapshot).unwrap();
        let watch = Watch::resume(&self.config, &snapshot);
        let snapshot = serde_json::from_str(&written).unwrap();
        // A seed serves one machine only.
        self.moves += 1;
        let seed = Seed::new([self.moves; 32]);
        let resume = |_: &Recording| Recording::resume(&self.config, &seed, &snapshot);
        let recording = self.recording.as_ref().map(resume);
        match Authorizer::resume(self.config.clone(), seed, snapshot) {
            Ok(auth) => {
                self.replays();
                (self.auth, self.watch, self.recording) = (auth, watch, recording);
            }
            Err(breach) => {
                assert!(
                    self.config.needs_signer() && breach.got.contains("nor are its endpoints"),
                    "{breach}"
                );
            }
        }
    }

    /// A text that asserts nothing, or a JWT for somebody else.
    fn assertion_of_no_use(&mut self) -> String {
        let claims =
            serde_json::json!({"iss": "x", "sub": "x", "aud": "https://evil.example", "exp": u32::MAX});
        let jwt = CLIENT_KEY.jwt(serde_json::json!({}), &claims);
        // Its header is that of every other.
        let claims = jwt.find('.').unwrap() + 8;
        let end = usize::from(self.byte()) % (jwt.len() - claims + 1);
        if end.is_multiple_of(2) { jwt } else { jwt[..claims + end].to_owned() }
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

fn signed(sign: &Sign) -> Event {
    match sign.key() {
        SigningKey::Proof => sign.reply(PROOF_KEY.sign(sign.message())),
        _ => sign.reply(CLIENT_KEY.sign(sign.message())),
    }
}
