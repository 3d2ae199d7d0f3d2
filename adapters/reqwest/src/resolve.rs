//! Names to addresses, less those that an exchange may not reach. Judged here, at the time of connecting, because a
//! name that is judged earlier may be given another address in between (DNS rebinding).

use mcp_auth::Reach;
use mcp_auth_host::reach::permitted;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver, behind a filter.
pub(crate) struct Resolver {
    pub(crate) reach: Reach,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let permitted = permitted(reach, name.as_str(), found)?;
            let addresses: Addrs = Box::new(permitted.into_iter());
            Ok(addresses)
        })
    }
}
