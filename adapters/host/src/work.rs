//! What the crank asks of the host, other than the network.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mcp_auth::base::guard;
use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{Ask, Event, Forget, Load, Open, RequestId, Save, Saving, Show, SigningKey, Supply};
use mcp_auth_store::Lease;

use crate::host::Host;
use crate::observe::Observed;
use crate::offers::{Answers, DeviceCode, Shown};

/// What came of reading the store.
pub struct Read {
    /// For the machine.
    pub event: Event,
    /// The record, if it is held, and the load that took it. To be dropped on
    /// [`Action::Release`](mcp_auth::Action::Release) of that load.
    pub lease: Option<(RequestId, Lease)>,
}

/// What the host's code gives, or `why` if it panicked. A crank that went with it would be begun again, and so would what
/// is before the person.
pub fn unpanicked<T>(why: &str, call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| why.to_owned())
}

/// Drops what the host gave, whose own code runs then. If that panics, the attempt goes on.
pub fn put_away<T>(given: &mut Option<T>) {
    let given = given.take();
    let _ = unpanicked("", move || drop(given));
}

const STORE: &str = "the store panicked";
const PERSON: &str = "whoever asks the person panicked";

impl Host {
    /// Reads the store. It may block, on a lock or on a person who unlocks a keyring. One that hangs is given up by the
    /// machine.
    pub fn read(&self, load: &Load) -> Read {
        // A little less than the machine waits, so that it is not overtaken.
        let patience = load.deadline().since(self.now()).saturating_sub(Duration::from_secs(1));
        let read = || -> Result<_, String> {
            let lease = match load.exclusive() {
                Some(span) => match self.store.lease(load.key(), span, patience)? {
                    Some(lease) => Some((load.id(), lease)),
                    None => return Ok(None),
                },
                None => None,
            };
            self.store.load(load.key()).map(|found| Some((found, lease)))
        };
        match unpanicked(STORE, read).flatten() {
            Ok(Some((found, lease))) => Read { event: load.reply(found), lease },
            Ok(None) => Read { event: load.busy(), lease: None },
            Err(why) => Read { event: load.fail(why), lease: None },
        }
    }

    /// Writes to the store, which may block.
    pub fn write(&self, save: &Save) -> Event {
        let write = || self.store.put(save.key(), save.credential(), save.replaces());
        save.reply(unpanicked(STORE, write).unwrap_or_else(Saving::Failed))
    }

    /// Deletes from the store, which may block.
    pub fn forget(&self, forget: &Forget) -> Event {
        match unpanicked(STORE, || self.store.forget(forget.key(), forget.generation())).flatten() {
            Ok(gone) => forget.reply(gone),
            Err(why) => forget.fail(why),
        }
    }

    /// Shows the authorization request to the person. The error says why it could not be shown ([`Open::fail`]).
    pub fn open(&self, open: &Open) -> Result<Box<dyn Answers>, String> {
        let consent = self.consent.as_ref().ok_or("no way to ask one is configured")?;
        let shown = guard::without_query(open.url().as_str());
        self.see(Observed::Opened { url: &shown });
        unpanicked(PERSON, || consent.open(open.url().clone(), open.until()))
    }

    /// Shows the person a code. The error says why it could not be shown ([`Show::fail`]).
    pub fn show(&self, show: &Show) -> Result<Shown, String> {
        let consent = self.consent.as_ref().ok_or("no way to show a code is configured")?;
        let url = guard::without_query(show.verification_uri().as_str());
        self.see(Observed::Opened { url: &url });
        unpanicked(PERSON, || consent.show(DeviceCode::from(show))).flatten()
    }

    /// Asks the person for a client.
    pub async fn ask(&self, ask: &Ask) -> Event {
        let told = match &self.consent {
            Some(consent) => consent.client(ask.issuer().to_owned(), ask.redirect_uri().to_owned()).await,
            None => None,
        };
        match told {
            Some((id, secret)) => ask.reply(id, secret),
            None => ask.decline(),
        }
    }

    /// Asks for an assertion.
    pub async fn supply(&self, supply: &Supply) -> Event {
        let supplied = match &self.assertions {
            Some(assertions) => assertions.supply(supply.into()).await,
            None => Err("nobody is configured who asserts anything".to_owned()),
        };
        match supplied {
            Ok(assertion) => supply.reply(assertion),
            Err(why) => supply.fail(why),
        }
    }

    /// A signature, from somebody who may be slow or never answer: on a thread that may be lost.
    pub fn sign(&self, key: &SigningKey, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        let keys = self.keys.as_ref().ok_or("no keys are configured")?;
        unpanicked("whoever holds the key panicked", || keys.sign(key, algorithm, message)).flatten()
    }
}
