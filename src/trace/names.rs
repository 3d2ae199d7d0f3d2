//! Pseudonyms for hosts and the segments of paths.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use url::form_urlencoded::{byte_serialize, parse};
use url::{Host, Url};

use super::sought::{LEAST, Sought};
use crate::base::guard;
use crate::wire::callback::{TENANT, is_uuid};

/// Segments that the standards name.
const STANDARD: [&str; 4] =
    [".well-known", "oauth-authorization-server", "oauth-protected-resource", "openid-configuration"];
/// The shortest host that is looked for outside of URLs.
const LEAST_HOST: usize = 4;
/// What may end a sentence, or what stands in brackets.
const STOPS: [char; 5] = ['.', ':', '!', ')', ']'];

/// Which name stands for which. It is filled as names are met.
pub(super) struct Places {
    hosts: RefCell<Named>,
    segments: RefCell<Named>,
}

impl Default for Places {
    fn default() -> Self {
        Self { hosts: Named::of_at_least(LEAST_HOST), segments: Named::of_at_least(LEAST) }
    }
}

impl Places {
    /// The text with other names in each URL that stands in it, for each host that is known, wherever it stands, and for
    /// each segment that is known, wherever it follows a solidus: servers quote paths without their hosts.
    pub(super) fn text(&self, text: &str) -> String {
        // What a query sends on to is a URL of its own, written so that it may stand there.
        self.named(text, &|query| {
            let pairs = query.split('&').map(|pair| {
                let Some((name, value)) = pair.split_once('=') else { return pair.to_owned() };
                let meant: String = parse(pair.as_bytes()).map(|(_, value)| value.into_owned()).collect();
                let named = self.named(&meant, &str::to_owned);
                let same = named == meant;
                let value = if same { value.to_owned() } else { byte_serialize(named.as_bytes()).collect() };
                format!("{name}={value}")
            });
            pairs.collect::<Vec<_>>().join("&")
        })
    }

    /// The same of words for people, in which a segment may also stand by itself.
    pub(super) fn words(&self, text: &str) -> String {
        let changed = self.text(text);
        self.segments.borrow().sought.replaced(&changed)
    }

    /// Whether more was to be looked for than anybody waits for.
    pub(super) fn is_exhausted(&self) -> bool {
        self.hosts.borrow().sought.is_exhausted() || self.segments.borrow().sought.is_exhausted()
    }

    fn named(&self, text: &str, query: &dyn Fn(&str) -> String) -> String {
        let mut changed = String::new();
        let (mut rest, lower) = (text, text.to_ascii_lowercase());
        while let Some((before, url, after)) = next_url(rest, &lower) {
            changed.push_str(before);
            changed.push_str(&self.url(url, query).unwrap_or_else(|| url.to_owned()));
            rest = after;
        }
        changed.push_str(rest);
        let changed = self.hosts.borrow().sought.replaced_in_any_case(&changed);
        self.paths(&changed)
    }

    /// The text with other names for the segments that are known and follow a solidus, be it encoded or not.
    fn paths(&self, text: &str) -> String {
        let known = self.segments.borrow();
        let mut changed = String::new();
        let mut rest = text;
        while let Some((_, start)) = solidus(rest) {
            let (before, from) = rest.split_at_checked(start).unwrap_or((rest, ""));
            changed.push_str(before);
            let end = from.find(|letter| ends(letter) || matches!(letter, '/' | '?' | '#' | '&' | '\''));
            let run = from.get(..end.unwrap_or(from.len())).unwrap_or_default();
            let run = run.get(..solidus(run).map_or(run.len(), |(end, _)| end)).unwrap_or_default();
            // What ends a sentence belongs to no segment, unless one is known that ends so.
            let segments = [run, run.trim_end_matches(STOPS)];
            rest = match segments.into_iter().find_map(|it| known.names.get_key_value(it)) {
                Some((segment, name)) => {
                    changed.push_str(name);
                    from.get(segment.len()..).unwrap_or_default()
                }
                None => from,
            };
        }
        changed + rest
    }

    fn url(&self, text: &str, query: &dyn Fn(&str) -> String) -> Option<String> {
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
        let named = self.hosts.borrow_mut().name(url.host_str()?, make);
        // The text is kept to the letter but for the names, because identifiers are compared so.
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        let (_, authority) = authority.rsplit_once('@').unwrap_or(("", authority));
        let port =
            authority.rsplit_once(':').map(|(_, port)| port).filter(|port| port.parse::<u16>().is_ok());
        // Elsewhere it may be spelled as it is here, or without the dot of the root.
        let spelled = port.map_or(authority, |port| authority.trim_end_matches(port).trim_end_matches(':'));
        for spelling in [spelled, spelled.trim_end_matches('.')] {
            self.hosts.borrow_mut().stand_for(&spelling.to_ascii_lowercase(), &named);
        }
        let end = rest.find(['?', '#']).unwrap_or(rest.len());
        let (path, rest) = rest.split_at_checked(end)?;
        let path: Vec<_> = path.split('/').map(|segment| self.segment(segment)).collect();
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        Some(format!("{scheme}://{named}{port}{}{}", path.join("/"), query(rest)))
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
        self.segments.borrow_mut().name(segment, make)
    }
}

/// Texts and their names.
struct Named {
    names: BTreeMap<String, String>,
    given: BTreeSet<String>,
    sought: Sought,
}

impl Named {
    fn of_at_least(least: usize) -> RefCell<Self> {
        let (names, given) = Default::default();
        RefCell::new(Self { names, given, sought: Sought::of_at_least(least) })
    }

    fn name(&mut self, text: &str, make: impl Fn(usize) -> String) -> String {
        if self.given.contains(text) {
            return text.to_owned();
        }
        let name = self.names.get(text).cloned().unwrap_or_else(|| make(self.names.len().saturating_add(1)));
        self.stand_for(text, &name);
        name
    }

    fn stand_for(&mut self, text: &str, name: &str) {
        if !text.is_empty() && !self.given.contains(text) && !self.names.contains_key(text) {
            self.names.insert(text.to_owned(), name.to_owned());
            self.given.insert(name.to_owned());
            self.sought.add_as_it_is(text.to_owned(), name);
        }
    }
}

/// Whether a URL ends before this.
fn ends(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control() || matches!(letter, '"' | '\\' | '<' | '>' | ',' | ';')
}

/// Where the first solidus begins, as it is or encoded, and where it ends.
fn solidus(text: &str) -> Option<(usize, usize)> {
    text.match_indices(['/', '%']).find_map(|(start, _)| {
        let from = text.get(start..)?;
        let found = ["/", "%2F", "%2f"].into_iter().find(|it| from.starts_with(it))?;
        Some((start, start.saturating_add(found.len())))
    })
}

/// What stands before the first URL, the URL, and what stands after it. `lower`: the whole text, of which `text` is the end, in
/// small letters.
fn next_url<'a>(text: &'a str, lower: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let lower = lower.get(lower.len().checked_sub(text.len())?..)?;
    let is_url = |start: &usize| {
        let from = lower.get(*start..).unwrap_or_default();
        from.starts_with("https://") || from.starts_with("http://")
    };
    let start = lower.match_indices("http").map(|(start, _)| start).find(is_url)?;
    let (before, from) = text.split_at_checked(start)?;
    let (url, after) = from.split_at_checked(from.find(ends).unwrap_or(from.len()))?;
    Some((before, url, after))
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

    #[test]
    fn a_url_in_a_query_is_named_as_it_is_outside() {
        let places = Places::default();
        assert_eq!(places.text("https://a.example/s%20p"), "https://host-1.example/path-1");
        let text = "https://b.example/?x=a+b&next=https%3A%2F%2Fa.example%2Fs%2520p";
        let named = "https://host-2.example/?x=a+b&next=https%3A%2F%2Fhost-1.example%2Fpath-1";
        assert_eq!(places.text(text), named);
    }

    #[test]
    fn hosts_and_segments_that_begin_alike_end_the_search() {
        for host in [true, false] {
            let places = Places::default();
            for length in 4..200 {
                let odd = "b".repeat(length) + "a";
                let url =
                    if host { format!("https://{odd}.example/") } else { format!("https://x.example/{odd}") };
                places.text(&url);
            }
            assert!(!places.is_exhausted());
            places.words(&"b".repeat(50_000));
            assert!(places.is_exhausted(), "{host}");
        }
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
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }
}
