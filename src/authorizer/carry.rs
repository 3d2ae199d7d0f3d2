//! A login that waits for its callback, carried from one machine to another.

use super::Authorizer;
use crate::base::breach::{Breach, Kind};
use crate::base::guard::without_query;
use crate::base::seed::Seed;
use crate::config::Config;
use crate::snapshot::{Snapshot, VERSION};
use crate::step::{Consenting, Step};

impl Authorizer {
    /// A machine that waits for the callback of a login that another one began. The configuration must be the
    /// same; the seed must be a new one.
    pub fn resume(config: Config, seed: Seed, snapshot: Snapshot) -> Result<Self, Breach> {
        let mut machine = Self::new(config, seed)?;
        let Snapshot { version, server, redirect_uri, taken_at, deadline, record, latest, consent } =
            snapshot;
        if version != VERSION {
            let expected = format!("a snapshot of version {}", VERSION);
            return Err(Breach::new(
                Kind::Configuration,
                "mcp-auth, snapshot",
                expected,
                version.to_string(),
            ));
        }
        let own = (machine.world.config.server_url(), machine.world.config.redirect_url());
        if own != (server.as_str(), redirect_uri.as_str()) {
            let (server, own_server) = (without_query(&server), without_query(own.0));
            let expected = format!("the configuration of a login to {server} with answers at {redirect_uri}");
            let got = format!("one for {own_server} with answers at {}", own.1);
            return Err(Breach::new(Kind::Configuration, "RFC 6749 §4.1.3", expected, got));
        }
        machine.world.now = taken_at;
        machine.world.stands(record);
        machine.world.saw(latest);
        machine.world.seen = true;
        machine.step = Some(Consenting::resume(consent, deadline));
        Ok(machine)
    }

    /// What another machine needs to take up a login that waits for its callback; `None` at any other time. It
    /// holds secrets. Only one of the two may go on: drop this one, or hand it
    /// [`Event::Cancelled`](crate::Event::Cancelled).
    pub fn snapshot(&self) -> Option<Snapshot> {
        let Some(Step::Consenting(step)) = &self.step else { return None };
        Some(Snapshot {
            version: VERSION,
            server: self.world.config.server_url().to_owned(),
            redirect_uri: self.world.config.redirect_url().to_owned(),
            taken_at: self.world.now,
            deadline: step.pending.deadline,
            record: self.world.record,
            latest: self.world.latest,
            consent: step.consent().clone(),
        })
    }
}
