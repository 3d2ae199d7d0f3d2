//! What a driver is made of.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use mcp_auth::trace::{Recorder, Sink};
use mcp_auth::{Authorizer, Breach, Config, Kind, Seed, Timestamp};
use mcp_auth_store::{MemoryStore, Store};

use crate::clock::Clock;
use crate::host::{Host, Machine};
use crate::observe::{Observer, Tap};
use crate::offers::{Assertions, Consent, Keys};

/// What a driver is given. Its builder fills this in, with the words of its own documentation.
#[non_exhaustive]
pub struct Parts {
    /// The configuration of the machine.
    pub config: Config,
    /// What the machine's randomness follows from; `None`: drawn from the operating system.
    pub seed: Option<Seed>,
    /// Where credentials are kept.
    pub store: Arc<dyn Store>,
    /// How a person is asked; `None`: nobody can be.
    pub consent: Option<Box<dyn Consent>>,
    /// Who signs.
    pub keys: Option<Arc<dyn Keys>>,
    /// Who asserts who the person or the workload is.
    pub assertions: Option<Box<dyn Assertions>>,
    /// Who watches what happens.
    pub observer: Observer,
    /// Who sees every event and action.
    pub tap: Option<Box<dyn Tap>>,
    /// Who takes the lines of the trace, one after another, if the run is written down. They hold every secret.
    pub record: Option<Box<Sink>>,
    /// What time it is.
    pub clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Parts {
    /// The configuration, a store in memory, the system's clock, and nobody else.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            seed: None,
            store: Arc::new(MemoryStore::default()),
            consent: None,
            keys: None,
            assertions: None,
            observer: Observer::default(),
            tap: None,
            record: None,
            clock: Box::new(system_time),
        }
    }

    /// Puts them together. What is missing shows now, and not at the first request that a server refuses: a
    /// configuration that cannot be used, nobody who signs or asserts where it takes somebody, no seed to be drawn: all of
    /// them breaches of the kind [`Kind::Configuration`].
    pub fn assemble(self) -> Result<Host, Breach> {
        if self.config.needs_signer() && self.keys.is_none() {
            let expected = "somebody who signs with the configured key (`Builder::keys`)";
            return Err(unusable("mcp-auth, keys", expected, "nobody"));
        }
        if self.config.needs_assertions() && self.assertions.is_none() {
            let expected = "somebody who asserts what the grant type wants (`Builder::assertions`)";
            return Err(unusable("mcp-auth, assertions", expected, "nobody"));
        }
        let seed = match self.seed {
            Some(seed) => seed,
            None => Seed::generate().map_err(|error| {
                unusable("mcp-auth, seed", "random bytes from the operating system", &error.to_string())
            })?,
        };
        let exchange_time = self.config.exchange_time();
        let written = self.record.map(|sink| (sink, self.config.clone(), seed.clone()));
        let records = written.is_some();
        let auth = Authorizer::new(self.config, seed)?;
        // Of a machine that cannot be made nothing is written.
        let recorder = written.map(|(sink, config, seed)| Recorder::new(&config, &seed, sink));
        Ok(Host {
            machine: Mutex::new(Machine::new(auth, self.tap, recorder)),
            store: self.store,
            consent: self.consent,
            keys: self.keys,
            assertions: self.assertions,
            observer: self.observer,
            clock: Clock::new(self.clock),
            exchange_time,
            records,
        })
    }
}

fn unusable(clause: &'static str, expected: &str, got: &str) -> Breach {
    Breach::new(Kind::Configuration, clause, expected, got)
}

fn system_time() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_secs(since.map_or(0, |since| since.as_secs()))
}
