//! A login that waits for its callback, carried from one machine to another.

use super::Authorizer;
use crate::base::breach::{Breach, Kind};
use crate::base::guard::without_query;
use crate::base::seed::Seed;
use crate::config::Config;
use crate::credential::Key;
use crate::grant_type::GrantType;
use crate::snapshot::{Snapshot, VERSION};
use crate::step::{Consenting, Step, fits, is_bound_here};

const CLAUSE: &str = "mcp-auth, snapshot";

impl Authorizer {
    /// A machine that waits for the callback of a login that another one began. The configuration must be the
    /// same; the seed must be a new one.
    ///
    /// # Errors
    ///
    /// [`Kind::Configuration`]: the configuration cannot be used, or the snapshot is of another one: another version,
    /// server, account, redirect URI or grant type, or of a resource, an authorization server or a client that is not taken
    /// now. What comes after its deadline is too late for it, as it is for the machine that began. Where the code is sent is
    /// judged by the guard of this configuration, when it is sent.
    pub fn resume(config: Config, seed: Seed, snapshot: Snapshot) -> Result<Self, Breach> {
        let mut machine = Self::new(config, seed)?;
        let world = &mut machine.world;
        let Snapshot { version, key, redirect_uri, taken_at, deadline, record, latest, consent } = snapshot;
        let refuse = |expected: String, got: String| Breach::new(Kind::Configuration, CLAUSE, expected, got);
        if version != VERSION {
            return Err(refuse(format!("a snapshot of version {VERSION}"), version.to_string()));
        }
        let shown = |key: &Key, redirect_uri: &str| {
            let account = key.account.as_deref().map_or(String::new(), |account| format!(" as {account}"));
            format!("a login to {}{account} with answers at {redirect_uri}", without_query(&key.server))
        };
        let (own_key, own_uri) = (world.config.key(), world.config.redirect_url());
        if own_key != key || own_uri != redirect_uri {
            return Err(refuse(shown(&own_key, own_uri), shown(&key, &redirect_uri)));
        }
        if *world.config.flow() != GrantType::AuthorizationCode {
            let expected = "a configuration by which a person consents in a browser".to_owned();
            return Err(refuse(expected, "one with another grant type".to_owned()));
        }
        let terms = &consent.terms;
        let client = fits(world, &terms.resource, &terms.server, &terms.client);
        let client = client.and_then(|client| {
            if !world.is_proven(&terms.server, &client) {
                Err("it neither holds the client secret that is configured, nor are its endpoints the issuer's")
            } else if !is_bound_here(world, terms.binding.as_ref()) {
                Err("its tokens are not bound to the key that is configured")
            } else {
                Ok(client)
            }
        });
        let client = client
            .map_err(|reason| refuse("a snapshot of this configuration".to_owned(), reason.to_owned()))?;
        world.now = taken_at;
        world.stands(record);
        world.saw(latest);
        world.seen = true;
        let consent = consent.of(client);
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
            key: self.world.config.key(),
            redirect_uri: self.world.config.redirect_url().to_owned(),
            taken_at: self.world.now,
            deadline: step.pending.deadline,
            record: self.world.record,
            latest: self.world.latest,
            consent: step.consent(),
        })
    }
}
