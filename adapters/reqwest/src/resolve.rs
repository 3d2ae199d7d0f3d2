//! Names to addresses, less those that an exchange may not reach. Judged here, at the time of connecting, because a
//! name that is judged earlier may be given another address in between (DNS rebinding).

use std::net::SocketAddr;

use mcp_auth::Reach;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The system's resolver, behind a filter.
pub(crate) struct Resolver {
    pub(crate) reach: Reach,
}

/// A host has addresses, and none of them may be reached.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} resolves only to addresses that may not be reached: {addresses}")]
pub(crate) struct AddressRefused {
    host: String,
    addresses: String,
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

/// The addresses of `host` that are within `reach`. A host without any address is left to the connector to refuse.
pub(crate) fn permitted(
    reach: Reach,
    host: &str,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, AddressRefused> {
    let (allowed, refused): (Vec<_>, Vec<_>) = found.partition(|address| reach.allows(address.ip()));
    if allowed.is_empty() && !refused.is_empty() {
        let shown: Vec<_> = refused.iter().take(8).map(|address| address.ip().to_string()).collect();
        return Err(AddressRefused { host: host.to_owned(), addresses: shown.join(", ") });
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect()
    }

    #[test]
    fn private_addresses_are_left_out() {
        let found = addresses(&["10.0.0.1", "1.1.1.1", "::1", "2606:4700::1111"]);
        let kept = permitted(Reach::Public, "a.example", found.clone().into_iter()).unwrap();
        assert_eq!(kept, addresses(&["1.1.1.1", "2606:4700::1111"]));
        let kept = permitted(Reach::Loopback, "a.example", found.clone().into_iter()).unwrap();
        assert_eq!(kept, addresses(&["1.1.1.1", "::1", "2606:4700::1111"]));
        let kept = permitted(Reach::Machine, "a.localhost", found.clone().into_iter()).unwrap();
        assert_eq!(kept, addresses(&["::1"]));
        assert_eq!(permitted(Reach::Any, "a.example", found.clone().into_iter()).unwrap(), found);
    }

    #[test]
    fn a_name_below_localhost_that_leads_away_is_refused() {
        let refused = permitted(Reach::Machine, "mcp.localhost", addresses(&["192.0.2.2"]).into_iter());
        assert!(refused.unwrap_err().to_string().ends_with("192.0.2.2"));
    }

    #[test]
    fn a_name_with_private_addresses_only_is_refused() {
        let found = addresses(&["169.254.169.254", "::ffff:10.0.0.1"]);
        let refused = permitted(Reach::Public, "a.example", found.into_iter()).unwrap_err();
        let text =
            "a.example resolves only to addresses that may not be reached: 169.254.169.254, ::ffff:10.0.0.1";
        assert_eq!(refused.to_string(), text);
        assert_eq!(permitted(Reach::Public, "a.example", [].into_iter()), Ok(Vec::new()));
    }
}
