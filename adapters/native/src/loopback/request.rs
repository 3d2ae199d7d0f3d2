//! What a browser asks: one request head, read within bounds, and what it is.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::Instant;

use url::form_urlencoded;

/// The largest request head, in bytes.
const MAX_HEAD: usize = 16 << 10;
/// The most header fields of one.
const MAX_FIELDS: usize = 100;

/// What is answered, and nothing else.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) port: u16,
    pub(super) path: String,
}

/// What a request is found to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// What the host waits for, or one that claims to be: its path and query.
    Callback(String),
    /// Not for us: another path, or another name for the machine.
    Elsewhere,
    /// Of our path, but not a GET.
    NotGet,
    /// Of our path, but no answer to an authorization request.
    Stateless,
    /// No request at all, as HTTP goes.
    Malformed,
    /// More than is read.
    TooLarge,
}

/// Reads a request head till `deadline` and says what it is. `None`: none came, and there is nobody to answer.
pub(super) fn read(stream: &mut TcpStream, deadline: Instant, address: &Address) -> Option<Asked> {
    let mut head = Vec::with_capacity(2 << 10);
    let mut part = [0; 2 << 10];
    loop {
        // One that says a byte now and then is cut off as well: the time is for the whole.
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        stream.set_read_timeout(Some(left)).ok()?;
        let count = match stream.read(&mut part) {
            Ok(0) => return None,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return None,
        };
        let seen = head.len().saturating_sub(3);
        head.extend_from_slice(part.get(..count)?);
        if ends(head.get(seen..)?) {
            return Some(judge(&head, address));
        }
        if head.len() >= MAX_HEAD {
            return Some(Asked::TooLarge);
        }
    }
}

/// Whether a head ends here. Whether it is one is judged afterwards.
fn ends(part: &[u8]) -> bool {
    part.windows(2).any(|pair| pair == b"\n\n") || part.windows(3).any(|three| three == b"\n\r\n")
}

/// What a whole head asks.
fn judge(head: &[u8], address: &Address) -> Asked {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => {}
        Ok(httparse::Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => return Asked::TooLarge,
        Ok(httparse::Status::Partial) | Err(_) => return Asked::Malformed,
    }
    let (Some(method), Some(target)) = (request.method, request.path) else { return Asked::Malformed };
    // A browser sends a path and a query, in ASCII, and keeps the fragment to itself (RFC 9112 §3.2.1).
    if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Asked::Malformed;
    }
    // A page of another site that has made its name resolve to this machine sends that name (DNS rebinding). With two
    // names it is not known which one is meant (RFC 9112 §3.2).
    let mut hosts = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("host"));
    let host = hosts.next().map(|field| field.value).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if hosts.next().is_some() || !is_ours(host, address.port) || path != address.path {
        return Asked::Elsewhere;
    }
    if method != "GET" {
        return Asked::NotGet;
    }
    // Every answer to a request that had a `state` has it too (RFC 6749 §4.1.2), and what has none is not one.
    if !form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "state") {
        return Asked::Stateless;
    }
    Asked::Callback(target.to_owned())
}

/// Whether a `Host` names this machine by one of its own names, with the port.
fn is_ours(host: &[u8], port: u16) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| {
        let Some((given, rest)) = host.split_at_checked(name.len()) else { return false };
        // The default port is left out (RFC 9110 §7.2).
        let port_fits = rest == format!(":{port}") || (rest.is_empty() && port == 80);
        given.eq_ignore_ascii_case(name) && port_fits
    })
}

#[cfg(test)]
#[path = "../../../host/tests/rig/changed.rs"]
mod changed;

#[cfg(test)]
mod tests {
    use super::changed::Changes;
    use super::*;

    fn judged(head: &str) -> Asked {
        judge(head.as_bytes(), &Address { port: 3000, path: "/callback".to_owned() })
    }

    #[test]
    fn only_an_answer_is_handed_on() {
        let ours = "Host: 127.0.0.1:3000\r\n\r\n";
        for (line, expected) in [
            ("GET /callback?state=1 HTTP/1.1", Asked::Callback("/callback?state=1".to_owned())),
            (
                "GET /callback?code=a%2Fb&state=%00 HTTP/1.0",
                Asked::Callback("/callback?code=a%2Fb&state=%00".to_owned()),
            ),
            ("GET /callback?%73tate=1 HTTP/1.1", Asked::Callback("/callback?%73tate=1".to_owned())),
            ("GET /callback HTTP/1.1", Asked::Stateless),
            ("GET /callback?code=1 HTTP/1.1", Asked::Stateless),
            ("GET /callback?xstate=1&x=state HTTP/1.1", Asked::Stateless),
            ("GET /favicon.ico HTTP/1.1", Asked::Elsewhere),
            ("GET /callback/?state=1 HTTP/1.1", Asked::Elsewhere),
            ("GET /callback/x?state=1 HTTP/1.1", Asked::Elsewhere),
            ("GET /Callback?state=1 HTTP/1.1", Asked::Elsewhere),
            ("GET /call%62ack?state=1 HTTP/1.1", Asked::Elsewhere),
            ("GET //callback?state=1 HTTP/1.1", Asked::Elsewhere),
            ("GET /x/../callback?state=1 HTTP/1.1", Asked::Elsewhere),
            ("POST /callback?state=1 HTTP/1.1", Asked::NotGet),
            ("HEAD /callback?state=1 HTTP/1.1", Asked::NotGet),
            ("OPTIONS /callback?state=1 HTTP/1.1", Asked::NotGet),
            ("get /callback?state=1 HTTP/1.1", Asked::NotGet),
            ("POST /wp-login.php HTTP/1.1", Asked::Elsewhere),
            ("GET http://127.0.0.1:3000/callback?state=1 HTTP/1.1", Asked::Malformed),
            ("CONNECT 127.0.0.1:3000 HTTP/1.1", Asked::Malformed),
            ("GET * HTTP/1.1", Asked::Malformed),
            ("GET /callback?state=1#x HTTP/1.1", Asked::Malformed),
            ("GET /callback?state=\u{e9} HTTP/1.1", Asked::Malformed),
            ("GET /callback?state=1 HTTP/2.0", Asked::Malformed),
            ("GET /callback?state=1", Asked::Malformed),
            ("\u{1}\u{2}\u{3}", Asked::Malformed),
        ] {
            assert_eq!(judged(&format!("{line}\r\n{ours}")), expected, "{line}");
        }
    }

    #[test]
    fn only_the_machine_s_own_names_with_the_port_are_ours() {
        let of = |fields: &str| judged(&format!("GET /callback?state=1 HTTP/1.1\r\n{fields}\r\n"));
        for host in ["127.0.0.1:3000", "localhost:3000", "LocalHost:3000", "[::1]:3000"] {
            assert!(matches!(of(&format!("Host: {host}\r\n")), Asked::Callback(_)), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:3000",
            "127.0.0.1",
            "127.0.0.1:3001",
            "127.0.0.1:30000",
            "127.0.0.1:3000.evil.example",
            "localhost.evil.example:3000",
            "localhost.:3000",
            "::1:3000",
            "user@localhost:3000",
            "127.0.0.2:3000",
            "0.0.0.0:3000",
            "127.1:3000",
            "127.0.0.1:03000",
        ] {
            assert_eq!(of(&format!("Host: {host}\r\n")), Asked::Elsewhere, "{host}");
        }
        assert_eq!(of(""), Asked::Elsewhere, "no name at all");
        for pair in [
            "Host: evil.example\r\nHost: localhost:3000\r\n",
            "Host: localhost:3000\r\nhost: localhost:3000\r\n",
        ] {
            assert_eq!(of(pair), Asked::Elsewhere, "{pair}");
        }
        let at_80 = Address { port: 80, path: "/".to_owned() };
        let plain = judge(b"GET /?state=1 HTTP/1.1\r\nHost: localhost\r\n\r\n", &at_80);
        assert!(matches!(plain, Asked::Callback(_)), "{plain:?}");
    }

    #[test]
    fn what_is_too_large_is_said_to_be() {
        let fields: String = (0..=MAX_FIELDS).map(|count| format!("X-{count}: 1\r\n")).collect();
        assert_eq!(judged(&format!("GET /callback?state=1 HTTP/1.1\r\n{fields}\r\n")), Asked::TooLarge);
        let long =
            format!("GET /callback?state={} HTTP/1.1\r\nHost: localhost:3000\r\n\r\n", "x".repeat(MAX_HEAD));
        assert_eq!(judged(&long), Asked::TooLarge);
    }

    #[test]
    fn no_head_whatever_makes_it_stumble() {
        // Every prefix, and every byte changed in turn.
        let head = b"GET /callback?code=1&state=2 HTTP/1.1\r\nHost: localhost:3000\r\nX: y\r\n\r\n";
        let address = Address { port: 3000, path: "/callback".to_owned() };
        for end in 0..head.len() {
            assert!(!matches!(judge(&head[..end], &address), Asked::Callback(_)), "{end}");
        }
        for place in 0..head.len() {
            for byte in 0..=u8::MAX {
                let mut changed = head.to_vec();
                changed[place] = byte;
                if let Asked::Callback(given) = judge(&changed, &address) {
                    assert!(given.starts_with("/callback?") && given.contains("state"), "{given}");
                }
            }
        }
    }

    /// What a head asks, read a second time from its lines: the target of a GET, if its one host is ours.
    fn target(head: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(head).replace("\r\n", "\n");
        let mut lines = text.trim_start_matches('\n').split('\n');
        let parts: Vec<_> = lines.next()?.split(' ').collect();
        let ["GET", target, "HTTP/1.0" | "HTTP/1.1"] = parts.as_slice() else { return None };
        let fields = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':'));
        let hosts: Vec<_> = fields
            .filter(|(name, _)| name.eq_ignore_ascii_case("host"))
            .map(|(_, host)| host.trim_matches([' ', '\t']).to_ascii_lowercase())
            .collect();
        let [host] = hosts.as_slice() else { return None };
        ["127.0.0.1:3000", "localhost:3000", "[::1]:3000"]
            .contains(&host.as_str())
            .then(|| (*target).to_owned())
    }

    #[test]
    fn heads_with_anything_changed_are_what_a_second_reader_takes_them_for() {
        let good = [
            "GET /callback?code=1&state=2 HTTP/1.1\r\nHost: localhost:3000\r\nAccept: text/html\r\n\r\n",
            "GET /callback?state=%32&iss=https%3A%2F%2Fas.example HTTP/1.0\nhost:127.0.0.1:3000\n\n",
            "GET /callback?error=access_denied&state=2 HTTP/1.1\r\nX: y\r\nHOST:\t[::1]:3000 \r\n\r\n",
        ];
        let pieces = [
            "Host: evil.example\r\n",
            "Host: localhost:3000\r\n",
            "\r\n",
            "\n",
            "\r",
            " ",
            "\t",
            "?",
            "&",
            "state=",
            "#",
            "/",
            "..",
            "%",
            "\0",
            "\u{e9}",
            "POST ",
            "http://evil.example",
            "HTTP/1.1",
            ":",
            "X: y\r\n",
        ];
        let address = Address { port: 3000, path: "/callback".to_owned() };
        let (mut changes, mut taken, mut refused) = (Changes::new(0x9e37_79b9_7f4a_7c15), 0, 0);
        for _ in 0..20_000 {
            let head = changes.to(&good, &pieces);
            let Asked::Callback(given) = judge(&head, &address) else {
                refused += 1;
                continue;
            };
            taken += 1;
            let shown = String::from_utf8_lossy(&head);
            assert_eq!(target(&head).as_ref(), Some(&given), "{shown:?}");
            let query = given.strip_prefix("/callback?").unwrap();
            assert!(form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "state"), "{shown:?}");
            assert!(given.bytes().all(|byte| byte.is_ascii_graphic()) && !given.contains('#'), "{shown:?}");
        }
        assert!(taken > 2_000 && refused > 2_000, "{taken} taken, {refused} refused");
    }

    /// A head comes in pieces, and its end is seen wherever they are cut, and not before.
    #[test]
    fn the_end_of_a_head_is_seen_wherever_it_is_cut() {
        let good = ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "a\n\nb", "a\n\r\nb", "\r\r\n\n\r"];
        let mut changes = Changes::new(0x2545_f491_4f6c_dd1d);
        for _ in 0..10_000 {
            let head = changes.to(&good, &["\r", "\n", "\r\n", "\n\n", "x"]);
            let first = (0..=head.len()).find(|end| ends(&head[..*end]));
            let (mut end, mut seen) = (0, None);
            while end < head.len() && seen.is_none() {
                let from = end;
                end = (end + 1 + changes.below(4)).min(head.len());
                seen = ends(&head[from.saturating_sub(3)..end]).then_some(from..=end);
            }
            match (first, seen) {
                (Some(first), Some(piece)) => assert!(piece.contains(&first), "{head:?}"),
                (first, seen) => assert_eq!((first, seen), (None, None), "{head:?}"),
            }
        }
    }
}
