//! Where the credentials of [`mcp_auth`] are kept: the contract between a driver and a store ([`Store`]), two stores
//! that keep it ([`MemoryStore`], [`FileStore`]), and a test that any other can run ([`contract::check`]). A store over
//! something that has no locks of its own can be built on those of files ([`Locks`]).
//!
//! # Renewing once
//!
//! A refresh token that rotates may be spent once: many servers revoke the whole grant when they see one twice. So
//! whoever wants to renew, in whatever process, does it in this order:
//!
//! 1. [`lease`](Store::lease) the record;
//! 2. [`load`](Store::load) it: another may have renewed it meanwhile, and then there is nothing more to do;
//! 3. send the request;
//! 4. [`put`](Store::put) what came, naming the generation that was loaded;
//! 5. drop the lease.
//!
//! ```
//! use std::time::Duration;
//!
//! use mcp_auth::{Credential, Generation, Key, Saving};
//! use mcp_auth_store::{MemoryStore, Store};
//!
//! /// A record that is newer than `refused`.
//! fn renew(
//!     store: &impl Store,
//!     key: &Key,
//!     refused: Generation,
//!     refresh: impl FnOnce(&Credential) -> Result<Credential, String>,
//! ) -> Result<Option<Credential>, String> {
//!     let lease = store.lease(key, Duration::from_secs(60), Duration::from_secs(90))?;
//!     let Some(found) = store.load(key)? else { return Ok(None) };
//!     if found.generation > refused || lease.is_none() {
//!         return Ok(Some(found));
//!     }
//!     let fresh = refresh(&found)?;
//!     match store.put(key, &fresh, Some(found.generation)) {
//!         Saving::Kept => Ok(Some(fresh)),
//!         Saving::Conflict(winner) => Ok(winner.map(|winner| *winner)),
//!         Saving::Failed(why) => Err(why),
//!         other => Err(format!("an unknown answer: {other:?}")),
//!     }
//! }
//! # let key = Key { server: "https://mcp.example/mcp".to_owned(), account: None };
//! # let found = renew(&MemoryStore::default(), &key, Generation::default(), |_| Err("not asked".to_owned()));
//! # assert_eq!(found, Ok(None));
//! ```
//!
//! The lease spares the server and the grant; the generations keep the record right. A holder that hangs loses its
//! lease after the span, and then two may renew; still no record is overwritten that nobody has read.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod file;
mod memory;

pub mod contract;
pub mod record;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mcp_auth::{Credential, Generation, Key, Saving};

pub use file::{FileStore, Lock, Locks};
pub use memory::MemoryStore;

/// Where credentials are kept. Called on a thread where blocking is allowed.
///
/// Every method is one step to every other user of the same records, in this process or another. The texts of errors
/// go into failures that are shown and logged: they hold no secret. [`contract::check`] holds a store to all of this.
pub trait Store: Send + Sync + 'static {
    /// The record under `key`, if there is one. A lease makes no difference to it.
    fn load(&self, key: &Key) -> Result<Option<Credential>, String>;

    /// Takes the record exclusively, whether it exists or not: nobody else gets a lease on it until the value is
    /// dropped or `span` has passed, whichever is first, because a holder that died or hangs must not hold up others
    /// for ever. A store may let a lease end sooner than asked, but none of an hour or less. When a lease that has
    /// ended is dropped, the next holder's is not touched.
    ///
    /// Waits at most `patience` for the present holder, and ends soon after that holder has let go. `Ok(None)`: another
    /// holder kept it all that time.
    ///
    /// A lease orders those who want to renew. It keeps nobody from [`put`](Self::put) or [`forget`](Self::forget),
    /// which compare generations. It is not reentrant: a second lease on the same record waits, whoever asks.
    fn lease(&self, key: &Key, span: Duration, patience: Duration) -> Result<Option<Lease>, String>;

    /// Writes the record, if what stands there is of the generation `replaces` (`None`: nothing stands there).
    /// Otherwise writes nothing and answers [`Saving::Conflict`] with what stands there. When it answers
    /// [`Saving::Kept`], the record outlives the process as far as the store promises that at all.
    fn put(&self, key: &Key, credential: &Credential, replaces: Option<Generation>) -> Saving;

    /// Deletes the record, if it is of this generation. `Ok(true)`: nothing stands there now, because it was deleted
    /// or was not there. `Ok(false)`: a record of another generation stands there and was left alone.
    fn forget(&self, key: &Key, generation: Generation) -> Result<bool, String>;
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn load(&self, key: &Key) -> Result<Option<Credential>, String> {
        (**self).load(key)
    }

    fn lease(&self, key: &Key, span: Duration, patience: Duration) -> Result<Option<Lease>, String> {
        (**self).lease(key, span, patience)
    }

    fn put(&self, key: &Key, credential: &Credential, replaces: Option<Generation>) -> Saving {
        (**self).put(key, credential, replaces)
    }

    fn forget(&self, key: &Key, generation: Generation) -> Result<bool, String> {
        (**self).forget(key, generation)
    }
}

/// The exclusive right to renew one record ([`Store::lease`]). Dropping it gives the right back.
#[must_use = "a lease that is dropped is given back"]
pub struct Lease {
    _held: Box<dyn Send>,
}

impl Lease {
    /// A lease that is given back when `held` is dropped. That may happen on a thread where blocking is not allowed: a
    /// store that has to wait for something to give a lease back does so elsewhere.
    pub fn new(held: impl Send + 'static) -> Self {
        Self { _held: Box::new(held) }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}
