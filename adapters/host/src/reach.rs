//! The addresses that an exchange may reach. They are judged at the time of connecting, because a name that is judged
//! earlier may be given another address in between (DNS rebinding).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use mcp_auth::Reach;
use url::Host;

/// A host has addresses, and none of them may be reached.
#[derive(Debug, PartialEq, Eq)]
pub struct AddressRefused {
    host: String,
    addresses: String,
}

impl fmt::Display for AddressRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} resolves only to addresses that may not be reached: {}", self.host, self.addresses)
    }
}

impl std::error::Error for AddressRefused {}

/// The addresses of `host` that are within `reach`. A host without any address is left to the connector to refuse.
pub fn permitted(
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

/// Judges an address that stands in the URL itself, which no resolver sees, in every spelling that a URL may have it in
/// (`127.1`, `0x7f000001`, `2130706433`). A name passes; it is judged when it is resolved. The error says which address may
/// not be reached.
pub fn check_literal(host: Option<&str>, reach: Reach) -> Result<(), String> {
    let host = host.unwrap_or_default();
    let address = match Host::parse(host) {
        Ok(Host::Ipv4(address)) => IpAddr::V4(address),
        Ok(Host::Ipv6(address)) => IpAddr::V6(address),
        Ok(Host::Domain(_)) | Err(_) => return Ok(()),
    };
    if reach.allows(address) { Ok(()) } else { Err(format!("{address} may not be reached")) }
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
    fn an_address_is_judged_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "0",
            "[::1]",
        ] {
            assert!(check_literal(Some(host), Reach::Public).is_err(), "{host}");
        }
        for host in ["1.1.1.1", "[2606:4700::1111]", "mcp.example", ""] {
            assert_eq!(check_literal(Some(host), Reach::Public), Ok(()), "{host}");
        }
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
