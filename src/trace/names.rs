//! Pseudonyms for hosts and the segments of paths.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use url::{Host, Url};

use super::sought::Sought;
use crate::base::guard;
use crate::wire::callback::{TENANT, is_uuid};

/// Segments that the standards name.
const STANDARD: [&str; 4] =
    [".well-known", "oauth-authorization-server", "oauth-protected-resource", "openid-configuration"];
/// The shortest host that is looked for outside of URLs.
const LEAST: usize = 4;

/// Which name stands for which. It is filled as names are met.
#[derive(Default)]
pub(super) struct Places {
    hosts: RefCell<Named>,
    segments: RefCell<Named>,
    /// The hosts that are looked for outside of URLs.
    sought: RefCell<Sought>,
}

/// Names by what they stand for, and these names again.
#[derive(Default)]
struct Named {
    names: BTreeMap<String, String>,
    given: BTreeSet<String>,
}

impl Places {
    /// The text with other names in each URL that stands in it, and for each host that is known, wherever it stands.
    pub(super) fn text(&self, text: &str) -> String {
        let mut changed = String::new();
        let lower = text.to_ascii_lowercase();
        let mut done = 0;
        while let Some((before, url, end)) = next_url(text, &lower, done) {
            changed.push_str(before);
            changed.push_str(&self.url(url).unwrap_or_else(|| url.to_owned()));
            done = end;
        }
        changed.push_str(text.get(done..).unwrap_or_default());
        self.sought.borrow().replaced_as(&changed.to_ascii_lowercase(), &changed)
    }

    fn url(&self, text: &str) -> Option<String> {
        let url = Url::parse(text).ok()?;
        if guard::is_loopback_host(&url) {
            return None;
        }
        let host = url.host()?;
        let make = |count: usize| match host {
            Host::Domain(_) => format!("host-{count}.example"),
            // What an address may be reached for is in its first half.
            Host::Ipv4(address) => {
                let [first, second, ..] = address.octets();
                format!("{first}.{second}.0.{}", count.min(255))
            }
            Host::Ipv6(address) => format!("[{address}]"),
        };
        let named = name(&self.hosts, url.host_str()?, make);
        self.seek(url.host_str()?, &named);
        // The text is kept to the letter but for the names, because identifiers are compared so.
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        let port =
            authority.rsplit_once(':').map(|(_, port)| port).filter(|port| port.parse::<u16>().is_ok());
        let end = rest.find(['?', '#']).unwrap_or(rest.len());
        let (path, query) = rest.split_at_checked(end)?;
        let path: Vec<_> = path.split('/').map(|segment| self.segment(segment)).collect();
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        Some(format!("{scheme}://{named}{port}{}{query}", path.join("/")))
    }

    /// Looks for the host from now on, unless it is a name that stands for one.
    fn seek(&self, host: &str, named: &str) {
        if host != named && host.len() >= LEAST {
            self.sought.borrow_mut().add_however_short(host.to_ascii_lowercase(), named);
        }
    }

    fn segment(&self, segment: &str) -> String {
        if segment.is_empty() || segment == TENANT || STANDARD.contains(&segment) {
            return segment.to_owned();
        }
        // A tenant stays one, since only a tenant fits where an alias has a place for it.
        let make = |count| match is_uuid(segment) {
            true => format!("00000000-0000-4000-8000-{count:012x}"),
            false => format!("path-{count}"),
        };
        name(&self.segments, segment, make)
    }
}

fn name(known: &RefCell<Named>, text: &str, make: impl Fn(usize) -> String) -> String {
    let mut known = known.borrow_mut();
    if known.given.contains(text) {
        return text.to_owned();
    }
    if let Some(name) = known.names.get(text) {
        return name.clone();
    }
    let name = make(known.names.len().saturating_add(1));
    known.names.insert(text.to_owned(), name.clone());
    known.given.insert(name.clone());
    name
}

/// What stands before the first URL from there on, the URL, and where it ends. `lower` is the text in lower case.
fn next_url<'a>(text: &'a str, lower: &str, from: usize) -> Option<(&'a str, &'a str, usize)> {
    let left = lower.get(from..)?;
    // One is the beginning of the other, so it is looked at once.
    let mut schemes = left.match_indices("http").map(|(place, _)| place);
    let begins = |place: &usize| {
        left.get(*place..).is_some_and(|it| it.starts_with("https://") || it.starts_with("http://"))
    };
    let start = from.saturating_add(schemes.find(begins)?);
    let ends = |letter: char| {
        letter.is_whitespace() || letter.is_control() || matches!(letter, '"' | '\\' | '<' | '>' | ',' | ';')
    };
    let url = text.get(start..)?;
    let url = url.split_at_checked(url.find(ends).unwrap_or(url.len()))?.0;
    Some((text.get(from..start)?, url, start.saturating_add(url.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_host_is_replaced_in_whatever_case_it_stands() {
        let places = Places::default();
        let first = places.text("HTTPS://As.Example/token?x https://b.as.example:8443/token, https://x.y/");
        assert_eq!(
            first,
            "HTTPS://host-1.example/path-1?x https://host-2.example:8443/path-1, https://host-3.example/"
        );
        let quoted = places.text("no B.AS.EXAMPLE, as.example; x.y is too short, \u{130}as.example");
        assert_eq!(quoted, "no host-2.example, host-1.example; x.y is too short, \u{130}host-1.example");
        // What stands for a name stands for itself.
        assert_eq!(places.text("https://host-1.example/path-1"), "https://host-1.example/path-1");
    }

    /// A server may name as many hosts as fit into its documents.
    #[test]
    fn very_many_hosts_are_replaced_in_time() {
        let places = Places::default();
        let url = |number: usize| format!("https://h{number:05}.example/p{number}");
        let all: Vec<_> = (0..4_000).map(url).collect();
        let began = std::time::Instant::now();
        let together = places.text(&all.join(" "));
        let apart: Vec<_> = all.iter().map(|url| places.text(url)).collect();
        assert_eq!(together, apart.join(" "));
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    }
}
