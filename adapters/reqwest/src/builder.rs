//! How a client is made.

use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use mcp_auth::{Authorizer, Config, Seed, Timestamp};
use mcp_auth_store::{MemoryStore, Store};

use crate::attempt::{Machine, Shared};
use crate::client::Client;
use crate::clock::Clock;
use crate::consent::{Assertions, Consent, Keys};
use crate::error::Error;
use crate::exchange::{Factory, Http};
use crate::observe::{Observed, Observer, Tap};
use crate::signing::Signing;

/// Makes a [`Client`].
#[must_use]
pub struct Builder {
    config: Config,
    seed: Option<Seed>,
    store: Arc<dyn Store>,
    consent: Option<Box<dyn Consent>>,
    keys: Option<Arc<dyn Keys>>,
    assertions: Option<Box<dyn Assertions>>,
    observer: Observer,
    tap: Option<Box<dyn Tap>>,
    factory: Option<Arc<Factory>>,
    trust_proxy: bool,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Builder {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            seed: None,
            store: Arc::new(MemoryStore::default()),
            consent: None,
            keys: None,
            assertions: None,
            observer: Observer::default(),
            tap: None,
            factory: None,
            trust_proxy: false,
            clock: Box::new(system_time),
        }
    }

    /// What the machine's randomness follows from. Default: drawn from the operating system.
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Where credentials are kept. Default: a [`MemoryStore`].
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// How a person is asked. Default: nobody can be, and what needs a person fails with
    /// [`Kind::Unasked`](mcp_auth::Kind::Unasked).
    pub fn consent(mut self, consent: impl Consent) -> Self {
        self.consent = Some(Box::new(consent));
        self
    }

    /// Who signs, where the configuration has a key: [`Config::client_key`], [`Config::proof_key`]. Without it such a
    /// configuration is refused.
    pub fn keys(mut self, keys: impl Keys) -> Self {
        self.keys = Some(Arc::new(keys));
        self
    }

    /// Who asserts who the person or the workload is, where the configured grant type wants that. Without it such a
    /// configuration is refused.
    pub fn assertions(mut self, assertions: impl Assertions) -> Self {
        self.assertions = Some(Box::new(assertions));
        self
    }

    /// Watches what happens, to show it. Called outside any lock, on the task that does the work: it must not block.
    pub fn observe(mut self, observer: impl Fn(Observed<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Observer::new(observer);
        self
    }

    /// Sees every event and action of the machine.
    pub fn tap(mut self, tap: impl Tap) -> Self {
        self.tap = Some(Box::new(tap));
        self
    }

    /// How HTTP clients are built: TLS, proxies, user agent, timeouts. Default: the system's trust, and ten seconds to
    /// connect; the caller's own requests have no other limit but what is set on them.
    ///
    /// Some things are set afterwards and cannot be overridden. No redirect is followed. For authorization exchanges
    /// names are resolved here, and a proxy is left out unless [`Self::trust_proxy`] says otherwise. The caller's own
    /// requests to an `https` server keep the builder's resolver, and its proxy or the environment's; those to an
    /// `http` server carry the token in clear, so they go through no proxy, and to no name or address that leads away
    /// from this machine ([`Error::AddressRefused`]).
    ///
    /// A finished [`reqwest::Client`] cannot be given, because its resolver can no longer be changed. What the builder
    /// ties to an address by itself (`resolve`, `unix_socket`) is the host's own word and is not judged. Header fields
    /// that it sets go to authorization servers too.
    ///
    /// A builder without TLS of its own uses the process's rustls provider; if there is none, ring is installed.
    pub fn http(mut self, factory: impl Fn() -> reqwest::ClientBuilder + Send + Sync + 'static) -> Self {
        self.factory = Some(Arc::new(factory));
        self
    }

    /// Whether authorization exchanges may go through a proxy: the one that [`Self::http`] sets, or the environment's.
    /// Off by default, because a proxy resolves names itself, so that the addresses cannot be judged here. It is for
    /// `https` only: what goes in clear never leaves this machine. The caller's own requests to an `https` server use
    /// the proxy in any case.
    pub fn trust_proxy(mut self, trust: bool) -> Self {
        self.trust_proxy = trust;
        self
    }

    /// What time it is. Default: the system's clock. It is asked when something has happened; waits are measured by
    /// the runtime's. A clock that is set back is not followed: time goes on from where it was.
    pub fn clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Makes the client. Fails with [`Error::Configuration`] if the configuration cannot be used, what it needs
    /// is not given, no seed can be drawn, or no HTTP client can be built.
    pub fn build(self) -> Result<Client, Error> {
        self.check()?;
        let seed = match self.seed {
            Some(seed) => seed,
            None => Seed::generate().map_err(|error| {
                Error::configuration("seed", "random bytes from the operating system", &error.to_string())
            })?,
        };
        let server = self.config.server_url().to_owned();
        let exchange_time = self.config.exchange_time();
        let auth = Authorizer::new(self.config, seed).map_err(Error::Configuration)?;
        let shared = Shared {
            machine: Mutex::new(Machine { auth, tap: self.tap, desk: Weak::new() }),
            http: Http::new(self.factory, self.trust_proxy, &server)?,
            store: self.store,
            consent: self.consent,
            signing: self.keys.map(|keys| Signing::new(keys, exchange_time)),
            assertions: self.assertions,
            observer: self.observer,
            clock: Clock::new(self.clock),
            turn: tokio::sync::Mutex::default(),
        };
        Ok(Client { shared: Arc::new(shared) })
    }

    /// What is missing shows now, and not at the first request that a server refuses.
    fn check(&self) -> Result<(), Error> {
        if self.config.needs_signer() && self.keys.is_none() {
            let expected = "somebody who signs with the configured key (`Builder::keys`)";
            return Err(Error::configuration("mcp-auth-reqwest, keys", expected, "nobody"));
        }
        if self.config.needs_assertions() && self.assertions.is_none() {
            let expected = "somebody who asserts what the grant type wants (`Builder::assertions`)";
            return Err(Error::configuration("mcp-auth-reqwest, assertions", expected, "nobody"));
        }
        Ok(())
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("server", &self.config.server_url()).finish_non_exhaustive()
    }
}

fn system_time() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_secs(since.map_or(0, |since| since.as_secs()))
}
