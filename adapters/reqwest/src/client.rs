//! The authorized client.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use http::header;
use mcp_auth::{
    Access, Action, Authorized, Authorizer, Challenge, Config, Entry, Event, Failure, Generation, Outcome,
    Scopes, Seed, Timestamp, Trail,
};
use tokio::sync::watch;
use url::Url;

use crate::consent::Consent;
use crate::drive::drive;
use crate::error::Error;
use crate::observe::{Observed, Tap};
use crate::store::{MemoryStore, Store};
use crate::transport::{Factory, Transport, default_factory, describe};

/// How often one request is sent at the most.
const MAX_SENDS: u8 = 5;
/// How often one request waits for an attempt at the most, its own and those it joins.
const MAX_WAITS: u8 = 12;

/// How an attempt ended, for all that wait.
pub(crate) type Finished = Arc<Result<Outcome, Box<Failure>>>;

type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
type Observer = Arc<dyn Fn(Observed<'_>) + Send + Sync>;

/// An authorized HTTP client for one MCP server. Clones are cheap and share one machine, one attempt and one grant.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

/// What clones and the running attempt share.
pub(crate) struct Shared {
    machine: Mutex<Machine>,
    pub(crate) transport: Transport,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) consent: Option<Arc<dyn Consent>>,
    observer: Option<Observer>,
    clock: Clock,
}

struct Machine {
    auth: Authorizer,
    tap: Option<Box<dyn Tap>>,
    attempt: Option<Attempt>,
}

/// The attempt that runs.
struct Attempt {
    outcome: watch::Receiver<Option<Finished>>,
    cancel: watch::Sender<bool>,
}

/// Builds a [`Client`].
pub struct Builder {
    config: Config,
    seed: Option<Seed>,
    store: Arc<dyn Store>,
    consent: Option<Arc<dyn Consent>>,
    observer: Option<Observer>,
    tap: Option<Box<dyn Tap>>,
    factory: Option<Factory>,
    trust_proxy: bool,
    clock: Clock,
}

impl Builder {
    /// The seed of `state` and code verifiers. By default the operating system draws one; a given one must serve
    /// this client alone.
    #[must_use]
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Where credentials are kept. Default: a [`MemoryStore`] of its own.
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// How a person is asked. Without it, whatever needs a person fails.
    #[must_use]
    pub fn consent(mut self, consent: impl Consent) -> Self {
        self.consent = Some(Arc::new(consent));
        self
    }

    /// Sees what the client does, for showing. It is called outside any lock.
    #[must_use]
    pub fn observe(mut self, observer: impl Fn(Observed<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Sees every event and action of the machine.
    #[must_use]
    pub fn tap(mut self, tap: impl Tap) -> Self {
        self.tap = Some(Box::new(tap));
        self
    }

    /// How HTTP clients are built: TLS, proxies, user agent. Redirects and, for authorization exchanges, name
    /// resolution and proxies are set afterwards and cannot be changed here. A finished `reqwest::Client` cannot be
    /// given, because its resolver can no longer be set. The builder must name a TLS configuration
    /// (`tls_backend_preconfigured`), or the process a default provider of cryptography: reqwest panics otherwise.
    #[must_use]
    pub fn http(mut self, factory: impl Fn() -> reqwest::ClientBuilder + Send + Sync + 'static) -> Self {
        self.factory = Some(Arc::new(factory));
        self
    }

    /// Whether authorization exchanges may go through a proxy. A proxy resolves names itself, so that the addresses
    /// behind them cannot be judged here. Default: no.
    #[must_use]
    pub fn trust_proxy(mut self, trust: bool) -> Self {
        self.trust_proxy = trust;
        self
    }

    /// The clock. Default: the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Judges the configuration and makes the client. Nothing is sent.
    pub fn build(self) -> Result<Client, Error> {
        let seed = match self.seed {
            Some(seed) => seed,
            None => Seed::generate().map_err(|error| Error::Setup(error.to_string()))?,
        };
        let factory = self.factory.map_or_else(default_factory, Ok)?;
        let machine = Machine {
            auth: Authorizer::new(self.config, seed).map_err(Error::Configuration)?,
            tap: self.tap,
            attempt: None,
        };
        let shared = Shared {
            machine: Mutex::new(machine),
            transport: Transport::new(factory, self.trust_proxy)?,
            store: self.store,
            consent: self.consent,
            observer: self.observer,
            clock: self.clock,
        };
        Ok(Client { shared: Arc::new(shared) })
    }
}

impl Client {
    /// Begins a client for the MCP server that the configuration names.
    pub fn builder(config: Config) -> Builder {
        Builder {
            config,
            seed: None,
            store: Arc::new(MemoryStore::default()),
            consent: None,
            observer: None,
            tap: None,
            factory: None,
            trust_proxy: false,
            clock: Arc::new(system_time),
        }
    }

    /// Sends the caller's own request to the MCP server.
    ///
    /// The token is attached within its resource and nowhere else. A refusal leads to a login, a renewal or a
    /// step-up, and the request is sent again, a few times at the most. The answer, of whatever status, is the
    /// server's last word. A request that carries an `Authorization` field of its own is sent as it is, and so is
    /// the first try of one whose body cannot be sent twice.
    ///
    /// # Errors
    ///
    /// [`Error::Failure`] when the login has failed; [`Error::OutsideResource`] when the URL is not the server's;
    /// [`Error::Transport`] when the request did not get through.
    pub async fn send(&self, request: reqwest::Request) -> Result<reqwest::Response, Error> {
        self.send_as("", request).await
    }

    /// The same as [`send`](Self::send), with the caller's name for what is requested, such as
    /// `tools/call:write_file`. Step-ups are counted for each name.
    pub async fn send_as(
        &self,
        operation: &str,
        request: reqwest::Request,
    ) -> Result<reqwest::Response, Error> {
        let mut next = Some(request);
        let (mut sends, mut waits, mut retries) = (0, 0, 0);
        while let Some(request) = next.take() {
            let (request, generation) = match self.attach(request)? {
                Attached::Ready(request, generation) => (request, generation),
                Attached::NotYet(request) => {
                    next = Some(request);
                    waits = within(waits, MAX_WAITS)?;
                    self.join(Event::Restore).await?;
                    continue;
                }
            };
            let again = request.try_clone().map(bare);
            let own_field = generation.is_none() && request.headers().contains_key(header::AUTHORIZATION);
            let response = self.execute(operation, request, generation.is_some()).await?;
            let challenge = Challenge::of(response.status(), response.headers());
            let (Some(challenge), Some(again), false) = (challenge, again, own_field) else {
                return Ok(response);
            };
            sends = within(sends, MAX_SENDS)?;
            waits = within(waits, MAX_WAITS)?;
            let challenge = challenge.refused(generation).operation(operation).retries(retries);
            if response.status() == http::StatusCode::UNAUTHORIZED {
                retries = retries.saturating_add(1);
            }
            drop(response);
            let (outcome, own) = self.join(Event::Challenged(challenge)).await?;
            if matches!(outcome, Outcome::Anonymous) && own {
                // Not to be had without a person, although one may be asked: there is nothing more to try.
                return Err(Error::Refused(sends));
            }
            next = Some(again);
        }
        Err(Error::Refused(sends))
    }

    /// Logs in before the first request, with `scopes` wanted besides those that the server names. A person is
    /// asked only if there is no token that serves.
    pub async fn log_in(&self, scopes: Scopes) -> Result<Authorized, Error> {
        for _ in 0..MAX_WAITS {
            let (outcome, own) = self.join(Event::LogIn { scopes: scopes.clone() }).await?;
            match outcome {
                Outcome::Authorized(done) if own || scopes.is_subset(&done.granted) => return Ok(*done),
                // Another attempt was under way, and had another aim.
                Outcome::Authorized(_) | Outcome::Anonymous => {}
            }
        }
        Err(Error::Refused(MAX_WAITS))
    }

    /// Reads the store, and renews what is there if need be. No person is asked. `None`: nothing serves.
    pub async fn restore(&self) -> Result<Option<Authorized>, Error> {
        match self.join(Event::Restore).await? {
            (Outcome::Authorized(done), _) => Ok(Some(*done)),
            (Outcome::Anonymous, _) => Ok(None),
        }
    }

    /// Calls the running attempt off, if there is one. All that wait for it see the failure.
    pub fn cancel(&self) {
        let mut machine = self.shared.lock();
        if let Some(cancel) = machine.attempt.as_ref().map(|attempt| attempt.cancel.clone()) {
            machine.tell(self.shared.now(), Event::Cancelled);
            cancel.send_replace(true);
        }
    }

    /// The grant in use, if there is one.
    pub fn authorized(&self) -> Option<Authorized> {
        self.shared.lock().auth.authorized()
    }

    /// What the running attempt, or else the last one, did.
    pub fn trail(&self) -> Trail {
        self.shared.lock().auth.trail().clone()
    }

    fn attach(&self, mut request: reqwest::Request) -> Result<Attached, Error> {
        if request.headers().contains_key(header::AUTHORIZATION) {
            return Ok(Attached::Ready(request, None));
        }
        let now = self.shared.now();
        let machine = self.shared.lock();
        match machine.auth.access(request.url(), now) {
            Access::Ready(authorization) => {
                let (value, generation) = (authorization.value().clone(), authorization.generation());
                request.headers_mut().insert(header::AUTHORIZATION, value);
                Ok(Attached::Ready(request, Some(generation)))
            }
            Access::Anonymous => Ok(Attached::Ready(request, None)),
            Access::Wait => Ok(Attached::NotYet(request)),
            Access::Refused => Err(Error::OutsideResource { url: shown(request.url()) }),
        }
    }

    async fn execute(
        &self,
        operation: &str,
        request: reqwest::Request,
        authorized: bool,
    ) -> Result<reqwest::Response, Error> {
        let url = shown(request.url());
        self.shared.observe(Observed::Requested { operation, url: &url, authorized });
        let began = Instant::now();
        let response = self.shared.transport.caller().execute(request).await;
        let response = response.map_err(|error| Error::Transport(describe(&error.without_url())))?;
        let (status, took) = (response.status().as_u16(), began.elapsed());
        tracing::debug!(target: "mcp_auth", operation, url, status, ?took, "the MCP server answered");
        self.shared.observe(Observed::Responded { operation, status, took });
        Ok(response)
    }

    /// Begins an attempt, or joins the one that runs, and waits for its outcome. Says whether it is its own.
    async fn join(&self, event: Event) -> Result<(Outcome, bool), Error> {
        let (mut outcome, own) = self.shared.begin(event);
        let finished = outcome.wait_for(Option::is_some).await.map_err(|_| Error::Stopped)?.clone();
        match finished.as_deref() {
            Some(Ok(outcome)) => Ok((outcome.clone(), own)),
            Some(Err(failure)) => Err(Error::Failure(failure.clone())),
            None => Err(Error::Stopped),
        }
    }
}

/// A request as it can go out now, or not yet.
enum Attached {
    Ready(reqwest::Request, Option<Generation>),
    NotYet(reqwest::Request),
}

/// The request without the token that was attached.
fn bare(mut request: reqwest::Request) -> reqwest::Request {
    request.headers_mut().remove(header::AUTHORIZATION);
    request
}

fn within(count: u8, limit: u8) -> Result<u8, Error> {
    if count < limit { Ok(count.saturating_add(1)) } else { Err(Error::Refused(count)) }
}

fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

fn system_time() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_secs(since.as_secs())
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn observe(&self, observed: Observed<'_>) {
        if let Some(observer) = &self.observer {
            observer(observed);
        }
    }

    /// The machine cannot be left in a bad state by a panic elsewhere: it is a value that is whole after each call.
    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, event: Event) {
        let now = self.now();
        self.lock().tell(now, event);
    }

    /// The next action, and the lines of the trail that are new since `told`. The end of an attempt is taken out
    /// together with the attempt, so that whoever comes next begins another.
    pub(crate) fn poll(&self, told: &mut usize) -> (Action, Vec<Entry>) {
        let mut machine = self.lock();
        let action = machine.auth.poll();
        if let Some(tap) = &mut machine.tap {
            tap.action(&action);
        }
        if matches!(action, Action::Finish(_)) {
            machine.attempt = None;
        }
        let entries: Vec<_> = machine.auth.trail().entries().iter().skip(*told).cloned().collect();
        *told = told.saturating_add(entries.len());
        (action, entries)
    }

    fn begin(self: &Arc<Self>, event: Event) -> (watch::Receiver<Option<Finished>>, bool) {
        let now = self.now();
        let mut machine = self.lock();
        if let Some(attempt) = &machine.attempt {
            // The sender is gone without an outcome when the runtime of the task is.
            if attempt.outcome.has_changed().is_ok() || attempt.outcome.borrow().is_some() {
                let outcome = attempt.outcome.clone();
                machine.tell(now, event);
                return (outcome, false);
            }
            machine.abandon(now);
        }
        machine.tell(now, event);
        let (sender, outcome) = watch::channel(None);
        let (cancel, cancelled) = watch::channel(false);
        machine.attempt = Some(Attempt { outcome: outcome.clone(), cancel });
        tokio::spawn(drive(self.clone(), sender, cancelled));
        (outcome, true)
    }
}

impl Machine {
    fn tell(&mut self, now: Timestamp, event: Event) {
        if let Some(tap) = &mut self.tap {
            tap.event(now, &event);
        }
        self.auth.handle(now, event);
    }

    /// The task that drove the attempt is gone. Its end is taken out unseen: nobody waits for it.
    fn abandon(&mut self, now: Timestamp) {
        self.attempt = None;
        self.tell(now, Event::Cancelled);
        loop {
            let action = self.auth.poll();
            if let Some(tap) = &mut self.tap {
                tap.action(&action);
            }
            if matches!(action, Action::Wait(_)) {
                return;
            }
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("machine", &self.shared.lock().auth).finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("config", &self.config).finish_non_exhaustive()
    }
}
