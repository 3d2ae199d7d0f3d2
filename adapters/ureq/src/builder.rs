//! How a client is made.

use std::fmt;
use std::sync::Arc;

use mcp_auth::{Config, Seed, Timestamp};
use mcp_auth_host::{Assertions, Consent, Keys, Observed, Observer, Parts, Store, Tap};
use ureq::config::ConfigBuilder;
use ureq::typestate::AgentScope;

use crate::attempt::Shared;
use crate::client::Client;
use crate::error::Error;
use crate::exchange::{Factory, Http};
use crate::permits::Permits;
use crate::signing::AT_A_TIME;

/// Makes a [`Client`].
#[must_use]
pub struct Builder {
    parts: Parts,
    factory: Option<Box<Factory>>,
    trust_proxy: bool,
}

impl Builder {
    pub(crate) fn new(config: Config) -> Self {
        Self { parts: Parts::new(config), factory: None, trust_proxy: false }
    }

    /// What the machine's randomness follows from. Default: drawn from the operating system.
    pub fn seed(mut self, seed: Seed) -> Self {
        self.parts.seed = Some(seed);
        self
    }

    /// Where credentials are kept. Default: a [`MemoryStore`](crate::MemoryStore).
    pub fn store(mut self, store: impl Store) -> Self {
        self.parts.store = Arc::new(store);
        self
    }

    /// How a person is asked. Default: nobody can be, and what needs a person fails with
    /// [`Kind::Unasked`](mcp_auth::Kind::Unasked).
    pub fn consent(mut self, consent: impl Consent) -> Self {
        self.parts.consent = Some(Box::new(consent));
        self
    }

    /// Who signs, where the configuration has a key: [`Config::client_key`], [`Config::proof_key`]. Without it such a
    /// configuration is refused.
    ///
    /// A function is one, and `mcp-auth-jose` makes such a function from a key:
    ///
    /// ```
    /// use mcp_auth_jose::{Key, proof_key, signing};
    /// use mcp_auth_ureq::Client;
    /// use mcp_auth_ureq::mcp_auth::Config;
    /// use mcp_auth_ureq::mcp_auth::wire::jws::Algorithm;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (key, _) = Key::generate(Algorithm::Es256)?;
    /// let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
    /// let config = config.proof_key(proof_key(&key));
    /// let client = Client::builder(config).keys(signing(key)).build()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Of two keys, the function is told which. Its arguments need their types:
    ///
    /// ```
    /// use mcp_auth_jose::{Key, Signer};
    /// use mcp_auth_ureq::Builder;
    /// use mcp_auth_ureq::mcp_auth::SigningKey;
    /// use mcp_auth_ureq::mcp_auth::wire::jws::Algorithm;
    ///
    /// fn keyed(builder: Builder, own: Key, proofs: Key) -> Builder {
    ///     builder.keys(move |key: &SigningKey, algorithm: Algorithm, message: &[u8]| match key {
    ///         SigningKey::Client { .. } => own.sign(algorithm, message),
    ///         SigningKey::Proof => proofs.sign(algorithm, message),
    ///         _ => Err("there is no such key".to_owned()),
    ///     })
    /// }
    /// ```
    pub fn keys(mut self, keys: impl Keys) -> Self {
        self.parts.keys = Some(Arc::new(keys));
        self
    }

    /// Who asserts who the person or the workload is, where the configured grant type wants that. Without it such a
    /// configuration is refused.
    pub fn assertions(mut self, assertions: impl Assertions) -> Self {
        self.parts.assertions = Some(Box::new(assertions));
        self
    }

    /// Watches what happens, to show it. Called outside any lock, on the thread that does the work: it must not block.
    pub fn observe(mut self, observer: impl Fn(Observed<'_>) + Send + Sync + 'static) -> Self {
        self.parts.observer = Observer::new(observer);
        self
    }

    /// Sees every event and action of the machine.
    pub fn tap(mut self, tap: impl Tap) -> Self {
        self.parts.tap = Some(Box::new(tap));
        self
    }

    /// Writes the run down: `sink` takes the lines of a [`Trace`](mcp_auth::trace::Trace), one after another, without line
    /// feeds. They hold every secret of the run; [`Trace::scrub`](mcp_auth::trace::Trace::scrub) takes those out. Called with
    /// the machine locked, because the order would be lost otherwise: it must be quick and must not call the client.
    /// Where nothing is written down, this costs nothing.
    pub fn record(mut self, sink: impl FnMut(&str) + Send + 'static) -> Self {
        self.parts.record = Some(Box::new(sink));
        self
    }

    /// How HTTP clients are configured: TLS, proxies, user agent, timeouts, middleware. Default: the system's trust, and ten
    /// seconds to connect; the caller's own requests have no other limit but what is set here.
    ///
    /// Some things are set afterwards and cannot be overridden. No redirect is followed, and a status is no error. For
    /// authorization exchanges names are resolved here, the time of each is the machine's, no encoding is asked for, no
    /// connection is kept, and a proxy is left out unless [`Self::trust_proxy`] says otherwise. The caller's own requests
    /// to an `https` server keep the configured proxy, or the environment's; those to an `http` server carry the token in
    /// clear, so they go through no proxy, and to no name or address that leads away from this machine
    /// ([`Error::AddressRefused`]).
    ///
    /// A finished [`ureq::Agent`] cannot be given, because its resolver can no longer be changed. Header fields that are
    /// configured go to authorization servers too, and middleware sees what is sent to them.
    ///
    /// ureq's own list of roots ([`ureq::tls::RootCerts::WebPki`], its default) stands for the operating system's trust
    /// here; others are taken as they are. Where no rustls provider is named it is ring.
    ///
    /// ```
    /// use mcp_auth_ureq::mcp_auth::Config;
    /// use mcp_auth_ureq::{Client, ureq};
    ///
    /// # fn main() -> Result<(), mcp_auth_ureq::Error> {
    /// let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
    /// let client = Client::builder(config)
    ///     .http(|| ureq::Agent::config_builder().user_agent("example/1.0"))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn http(mut self, factory: impl Fn() -> ConfigBuilder<AgentScope> + Send + Sync + 'static) -> Self {
        self.factory = Some(Box::new(factory));
        self
    }

    /// Whether authorization exchanges may go through a proxy: the one that [`Self::http`] sets, or the
    /// environment's.
    /// Off by default, because a proxy resolves names itself, so that the addresses cannot be judged here. It is for
    /// `https` only: what goes in clear never leaves this machine. The caller's own requests to an `https` server use
    /// the proxy in any case.
    pub fn trust_proxy(mut self, trust: bool) -> Self {
        self.trust_proxy = trust;
        self
    }

    /// What time it is. Default: the system's clock. It is asked when something has happened; waits are measured by
    /// the system's own. A clock that is set back is not followed: time goes on from where it was.
    pub fn clock(mut self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        self.parts.clock = Box::new(clock);
        self
    }

    /// Makes the client. Fails with [`Error::Configuration`] if the configuration cannot be used, what it needs
    /// is not given, or no seed can be drawn.
    pub fn build(self) -> Result<Client, Error> {
        let server = self.parts.config.server_url().to_owned();
        let shared = Shared {
            host: self.parts.assemble().map_err(Error::Configuration)?,
            http: Http::new(self.factory, self.trust_proxy, &server),
            calls: Permits::new(AT_A_TIME),
            signing: Permits::new(AT_A_TIME),
            turn: Permits::new(1),
        };
        Ok(Client { shared: Arc::new(shared) })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("server", &self.parts.config.server_url()).finish_non_exhaustive()
    }
}
