//! The port, on both addresses of the machine.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use super::ListenError;

/// How many ports are tried when any will do.
const TRIES: usize = 16;

/// A port that nobody else has on either address.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) port: u16,
    pub(super) v4: TcpListener,
    /// `None`: the machine has no IPv6.
    pub(super) v6: Option<TcpListener>,
}

/// Binds this port; 0 takes one that is free on both addresses.
pub(super) fn bind(port: u16) -> Result<Bound, ListenError> {
    first_of(std::iter::repeat_n(port, if port == 0 { TRIES } else { 1 }))
}

/// Binds the first of these ports that nobody else has on either address.
fn first_of(ports: impl Iterator<Item = u16>) -> Result<Bound, ListenError> {
    let mut failed = ListenError::NoPort;
    for port in ports {
        match pair(port) {
            Ok(bound) => return Ok(bound),
            Err(why) => failed = why,
        }
    }
    Err(failed)
}

/// The port on both addresses, or on 127.0.0.1 alone where the machine has no IPv6. A browser that is sent to
/// `localhost` may try `::1` first, so whoever else listens there would be given the answer.
///
/// The standard library shares no port with another listener: it sets `SO_REUSEADDR` only where that means no more than
/// that a port can be had again whose last connections are still winding up, which on Windows it does not. There a program
/// of the same person can still take part in it by force; what keeps its code from being of use is PKCE.
fn pair(port: u16) -> Result<Bound, ListenError> {
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let v4 = TcpListener::bind(v4).map_err(|error| unbound(v4, error))?;
    let port = v4.local_addr().map_err(|error| unbound((Ipv4Addr::LOCALHOST, port).into(), error))?.port();
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    match TcpListener::bind(v6) {
        Ok(v6) => Ok(Bound { port, v4, v6: Some(v6) }),
        Err(error) if is_without_family(&error) => Ok(Bound { port, v4, v6: None }),
        Err(error) => Err(unbound(v6, error)),
    }
}

/// Whether the machine does not know the address at all, so that nobody can listen there.
fn is_without_family(error: &io::Error) -> bool {
    // EAFNOSUPPORT, which has no kind of its own.
    let unknown = if cfg!(windows) {
        10047
    } else if cfg!(any(target_os = "linux", target_os = "android")) {
        97
    } else {
        47
    };
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(unknown)
}

fn unbound(address: SocketAddr, error: io::Error) -> ListenError {
    match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { address },
        _ => ListenError::Unavailable { address, source: error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn a_port_that_another_has_on_the_other_address_is_not_used() {
        let (_squatter, port, refused) = loop {
            // A listener of someone else's on `::1`, if the machine has that.
            let squatter = match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
                Ok(squatter) => squatter,
                Err(error) => return assert!(is_without_family(&error), "{error}"),
            };
            let port = squatter.local_addr().unwrap().port();
            match bind(port).expect_err("the port is not ours alone") {
                // Another test has it on 127.0.0.1.
                ListenError::InUse { address } if address.is_ipv4() => {}
                refused => break (squatter, port, refused),
            }
        };
        assert!(refused.to_string().starts_with(&format!("[::1]:{port} is in use")), "{refused}");
        // Where any port will do, the next one is tried.
        let bound = first_of([port, 0, 0, 0, 0].into_iter()).unwrap();
        assert_ne!(bound.port, port);
        assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, bound.port)).is_ok(), "it listens on both");
    }

    #[test]
    fn a_port_that_another_has_is_not_used() {
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let refused = bind(port).expect_err("the port is not ours");
        assert!(refused.to_string().starts_with(&format!("127.0.0.1:{port} is in use")), "{refused}");
    }

    #[test]
    fn nobody_else_can_bind_what_is_bound() {
        let bound = bind(0).unwrap();
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, bound.port)).is_err());
        assert!(bound.v6.is_none() || TcpListener::bind((Ipv6Addr::LOCALHOST, bound.port)).is_err());
    }

    #[test]
    fn only_a_machine_without_the_family_goes_without() {
        use io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied, Unsupported};
        let of = |kind| is_without_family(&io::Error::from(kind));
        assert!(of(AddrNotAvailable) && of(Unsupported));
        assert!(!of(AddrInUse) && !of(PermissionDenied));
    }
}
