//! Which addresses may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// Which addresses a host name may resolve to. A URL whose host is an address is judged here; a name is judged
/// again by whoever resolves it, at the time of connecting, so that a name that changes its address
/// (DNS rebinding) is caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// The machine itself only. Every `http` URL has this reach, because a name below `localhost` may resolve to
    /// anything.
    Machine,
    /// Globally reachable addresses only (the registries of RFC 6890).
    Public,
    /// Globally reachable addresses and the machine itself.
    Loopback,
    /// Any address.
    Any,
}

impl Reach {
    /// Whether a connection to `address` is allowed.
    pub fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Machine => is_loopback(address),
            Self::Loopback => is_loopback(address) || is_public(address),
            Self::Public => is_public(address),
        }
    }
}

pub(super) fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback()),
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// RFC 6890 and its registry: every block that is not globally reachable.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(matches!(a, 0 | 10 | 127 | 224..=255)
        || (a == 100 && (64..=127).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..=31).contains(&b))
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113))
}

/// Global unicast is 2000::/3; within it, and in the ranges that carry an IPv4 address, the rest is sorted out.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let embedded = |high: u16, low: u16| {
        let [w, x] = high.to_be_bytes();
        let [y, z] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(w, x, y, z))
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) => embedded(g, h),
        (0x64, 0xff9b, 0, 0, 0, 0) => embedded(g, h),
        (0x2002, ..) => embedded(b, c),
        (0x2001, 0..=0x1ff, ..) | (0x2001, 0xdb8, ..) | (0x3fff, 0..=0xfff, ..) => false,
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_sorted_by_registry() {
        for address in [
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "::10.0.0.1",
            "3fff::1",
            // The first and the last of a block.
            "0.0.0.0",
            "100.64.0.0",
            "100.127.255.255",
            "172.16.0.0",
            "192.0.0.0",
            "192.0.2.255",
            "192.88.99.1",
            "198.18.0.0",
            "198.19.255.255",
            "203.0.113.255",
            "239.255.255.255",
            "240.0.0.0",
        ] {
            assert!(!Reach::Public.allows(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"] {
            assert!(Reach::Public.allows(address.parse().unwrap()), "{address}");
        }
        // What differs from a block in one octet only.
        for address in [
            "9.0.0.1",
            "11.0.0.1",
            "99.64.0.1",
            "101.64.0.1",
            "100.63.255.255",
            "100.128.0.0",
            "126.0.0.1",
            "128.0.0.1",
            "168.254.0.1",
            "169.253.0.1",
            "169.255.0.1",
            "171.16.0.1",
            "172.15.255.255",
            "191.168.0.1",
            "192.167.0.1",
            "192.169.0.1",
            "191.0.0.1",
            "191.0.2.1",
            "192.1.0.1",
            "192.1.2.1",
            "192.0.1.1",
            "192.0.3.1",
            "191.88.99.1",
            "192.87.99.1",
            "192.88.98.1",
            "197.18.0.1",
            "197.19.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "199.51.100.1",
            "198.52.100.1",
            "198.51.99.1",
            "204.0.113.1",
            "203.1.113.1",
            "203.0.112.1",
            "223.255.255.255",
        ] {
            assert!(Reach::Public.allows(address.parse().unwrap()), "{address}");
        }
        assert!(Reach::Loopback.allows("127.0.0.1".parse().unwrap()));
        assert!(!Reach::Loopback.allows("10.0.0.1".parse().unwrap()));
        assert!(Reach::Any.allows("10.0.0.1".parse().unwrap()));
        assert!(Reach::Machine.allows("::1".parse().unwrap()));
        assert!(!Reach::Machine.allows("1.1.1.1".parse().unwrap()));
    }
}
