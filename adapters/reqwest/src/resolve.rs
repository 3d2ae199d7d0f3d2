//! Names to addresses, less those that an exchange may not reach. Judged here, at the time of connecting, because a
//! name that is judged earlier may be given another address in between (DNS rebinding).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_auth::Reach;
use mcp_auth_host::reach::permitted;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver, behind a filter.
pub(crate) struct Resolver {
    pub(crate) reach: Reach,
    /// What is judged where a proxy may stand in between. `None`: everything, for there is none.
    pub(crate) judged: Option<Hosts>,
}

/// The hosts that were asked for. Any other name that is looked up is the proxy's, which the host of this program has
/// named itself, and which may be anywhere.
#[derive(Clone, Default)]
pub(crate) struct Hosts(Arc<Mutex<BTreeSet<String>>>);

impl Hosts {
    /// None is ever taken away: a connection may still be sought for a request that nobody waits for any more.
    pub(crate) fn add(&self, host: &str) {
        let mut known = self.lock();
        if !known.contains(host) {
            known.insert(host.to_owned());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let judged = self.judged.as_ref().is_none_or(|hosts| hosts.lock().contains(name.as_str()));
        let reach = if judged { self.reach } else { Reach::Any };
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted = permitted(reach, name.as_str(), found)?;
            let addresses: Addrs = Box::new(permitted.into_iter());
            Ok(addresses)
        })
    }
}
