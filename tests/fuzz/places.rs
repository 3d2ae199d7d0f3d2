//! Where documents may be, and which server a resource covers: each is read a second time here, from its text.

use mcp_auth::base::guard::MAX_URL;
use mcp_auth::wire::client::check_client_id_url;
use mcp_auth::wire::resource_metadata::{
    self, Source, canonical, check_place, check_resource, covers, within,
};
use mcp_auth::wire::server_metadata::{self, Form, ServerMetadata, origin};
use mcp_auth::{Endpoint, Guard, Reach};
use url::Url;

/// Well-known places and resources: three lines, a server or issuer, a resource, and where its document was. What may speak for
/// a server is at its origin and above it by whole segments, and what is made of a URL is at the origin of that URL.
pub(crate) fn places(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default();
    let second = lines.next().unwrap_or(first);
    let third = lines.next().unwrap_or(second);
    issuer(first);
    client_id(first);
    if let Ok(server) = Guard::new(Reach::Any).check(first) {
        server_places(&server, &[second.to_owned(), third.to_owned()]);
        own_name(&server);
        covered(second, server.url());
        spoken_for(second, server.url(), third);
    }
    let urls: Vec<_> = [first, second, third].into_iter().filter_map(|text| Url::parse(text).ok()).collect();
    for url in &urls {
        origin_of(url);
        assert!(within(url, url), "{url} is not within itself");
    }
    if let [outer, middle, inner] = urls.as_slice() {
        assert!(
            !(within(outer, middle) && within(middle, inner)) || within(outer, inner),
            "{inner} is within {middle}, which is within {outer}"
        );
        for (resource, url) in [(outer, middle), (middle, inner), (outer, inner)] {
            if within(resource, url) {
                below(&Parts::of(resource.as_str()), &Parts::of(url.as_str()));
            }
        }
    }
}

/// A URL as its text has it, with what means the same made the same: the letters of scheme and host, and the port.
struct Parts<'a> {
    origin: (String, String, String),
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let text = text.split('#').next().unwrap_or_default();
        let (scheme, rest) = text.split_once(':').unwrap_or_default();
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (authority, _) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = match rest[authority.len()..].split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&rest[authority.len()..], None),
        };
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let scheme = scheme.to_ascii_lowercase();
        let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            // Zeros alone are the port 0.
            Some((host, port)) if !port.is_empty() && port.bytes().all(|digit| digit == b'0') => (host, "0"),
            Some((host, port)) => (host, port.trim_start_matches('0')),
            None => (authority, ""),
        };
        let usual = match scheme.as_str() {
            "https" => "443",
            "http" => "80",
            _ => "",
        };
        let port = if port.is_empty() { usual } else { port };
        Self { origin: (scheme.clone(), host.to_ascii_lowercase(), port.to_owned()), path, query }
    }

    /// The path; that of no path is the root.
    fn path(&self) -> &str {
        if self.path.is_empty() { "/" } else { self.path }
    }
}

/// What a lenient server makes of a path: escapes taken off so often, path parameters cut off, a backslash for a slash.
fn segments(path: &str, decodings: usize) -> Vec<Vec<u8>> {
    let mut octets = path.as_bytes().to_vec();
    for _ in 0..decodings {
        octets = decoded(&octets);
    }
    let segments = octets.split(|octet| matches!(octet, b'/' | b'\\'));
    segments.map(|it| it.split(|octet| *octet == b';').next().unwrap_or_default().to_vec()).collect()
}

fn decoded(octets: &[u8]) -> Vec<u8> {
    let digit = |octet: Option<&u8>| octet.and_then(|octet| char::from(*octet).to_digit(16));
    let (mut all, mut place) = (Vec::new(), 0);
    while let Some(octet) = octets.get(place) {
        match (octet, digit(octets.get(place + 1)), digit(octets.get(place + 2))) {
            (b'%', Some(high), Some(low)) => {
                all.push((high << 4 | low) as u8);
                place += 3;
            }
            _ => {
                all.push(*octet);
                place += 1;
            }
        }
    }
    all
}

/// A resource covers a URL, so by the text of both it must.
fn below(resource: &Parts<'_>, url: &Parts<'_>) {
    assert_eq!(resource.origin, url.origin);
    let rest = url.path().strip_prefix(resource.path()).unwrap();
    assert!(rest.is_empty() || resource.path().ends_with('/') || rest.starts_with('/'), "{rest}");
    assert!(resource.query.is_none() || resource.query == url.query);
    for decodings in 0..4 {
        let climbs = segments(rest, decodings).iter().any(|segment| segment == b"..");
        assert!(!climbs, "{rest} climbs, once decoded {decodings} times");
    }
}

/// RFC 8414 §3.1, OpenID Connect Discovery 1.0 §4.1: between host and path, and after the path.
fn issuer(text: &str) {
    let guard = Guard::new(Reach::Public);
    let passes = guard.check(text).is_ok() && !text.contains('?');
    let found = server_metadata::candidates(text, &guard);
    assert_eq!(found.is_ok(), passes, "{text}");
    let Ok(found) = found else { return };
    let parts = Parts::of(text);
    let path = parts.path.strip_suffix('/').unwrap_or(parts.path);
    let insert = |name: &str| format!("/.well-known/{name}{path}");
    let mut expected = vec![(Form::OAuth, insert("oauth-authorization-server"))];
    if !path.is_empty() {
        expected.push((Form::OpenIdInserted, insert("openid-configuration")));
    }
    expected.push((Form::OpenIdAppended, format!("{path}/.well-known/openid-configuration")));
    let got: Vec<_> = found.iter().map(|it| (it.form, Parts::of(&it.url).path.to_owned())).collect();
    assert_eq!(got, expected, "{text}");
    for found in &found {
        let place = Parts::of(&found.url);
        assert!(place.origin == parts.origin && place.query.is_none(), "{}", found.url);
        assert!(found.url.len() > MAX_URL || guard.check(&found.url).is_ok(), "{}", found.url);
    }
    // The terminating slash makes no other places.
    let slashed = format!("{text}/");
    if !text.ends_with('/') && slashed.len() <= MAX_URL {
        assert_eq!(server_metadata::candidates(&slashed, &guard).unwrap(), found);
    }
}

/// RFC 9728 §3.1: what was advertised, then at the path, then at the origin, each once.
fn server_places(server: &Endpoint, advertised: &[String]) {
    let parts = Parts::of(server.as_given());
    let path = parts.path.strip_suffix('/').unwrap_or(parts.path);
    let root = "/.well-known/oauth-protected-resource";
    let found = resource_metadata::candidates(server.url(), advertised);
    let (named, built): (Vec<_>, Vec<_>) = found.iter().partition(|it| it.source == Source::Advertised);
    let mut once: Vec<&String> = Vec::new();
    advertised.iter().for_each(|url| {
        if !once.contains(&url) {
            once.push(url)
        }
    });
    assert_eq!(named.iter().map(|it| &it.url).collect::<Vec<_>>(), once);
    assert!(found.iter().take(named.len()).all(|it| it.source == Source::Advertised));
    let mut expected = vec![(Source::RootForm, root.to_owned())];
    if !path.is_empty() {
        expected.insert(0, (Source::PathForm, format!("{root}{path}")));
    }
    let origin = origin(server.url());
    expected.retain(|(_, path)| !advertised.contains(&format!("{origin}{path}")));
    let got: Vec<_> = built.iter().map(|it| (it.source, Parts::of(&it.url).path.to_owned())).collect();
    assert_eq!(got, expected);
    // MCP 2025-03-26: what is guessed where there is no metadata is at the origin too.
    let legacy = ServerMetadata::legacy(server.url());
    for (guess, path) in [
        (legacy.authorization_endpoint, "/authorize"),
        (legacy.token_endpoint, "/token"),
        (legacy.registration_endpoint, "/register"),
    ] {
        let guess = guess.unwrap();
        assert!(Parts::of(&guess).origin == parts.origin && guess.ends_with(path), "{guess}");
        assert_eq!((Parts::of(&guess).path, Parts::of(&guess).query), (path, None));
    }
    for place in built {
        // Whatever stands in the query of a server's URL stays there.
        let place = Parts::of(&place.url);
        assert!(place.origin == parts.origin && place.query.is_none());
    }
}

/// RFC 6454 §6.2; and nothing of a user name.
fn origin_of(url: &Url) {
    if matches!(url.scheme(), "http" | "https") {
        assert_eq!(origin(url), url.origin().ascii_serialization());
        assert_eq!(origin(&Url::parse(&origin(url)).unwrap()), origin(url));
    }
}

/// The canonical URI of a server is a beginning of its URL, names the server again, and covers it.
fn own_name(server: &Endpoint) {
    let name = canonical(server);
    assert!(server.as_given().starts_with(&name) && !name.contains(['?', '#']));
    let again = Guard::new(Reach::Any).check(&name).unwrap();
    assert_eq!(canonical(&again), name);
    assert_eq!(covers(&name, server.url()), !hides(Parts::of(&name).path), "{name}");
}

/// Whether a dot or a backslash is escaped (RFC 3986 §2.1: in either case).
fn hides(path: &str) -> bool {
    (0..path.len()).any(|place| {
        let escape = path.as_bytes().get(place..place + 3).unwrap_or_default();
        escape.eq_ignore_ascii_case(b"%2e") || escape.eq_ignore_ascii_case(b"%5c")
    })
}

/// RFC 9728 §3.3, as [`covers`] has it.
fn covered(resource: &str, server: &Url) {
    let judged = check_resource(resource, server);
    assert_eq!(judged.is_ok(), covers(resource, server), "{resource}");
    let passes = Guard::new(Reach::Any).check(resource).is_ok();
    let (named, own) = (Parts::of(resource), Parts::of(server.as_str()));
    match judged {
        Ok(()) => {
            assert!(passes && !hides(named.path) && !resource.contains('#'), "{resource}");
            below(&named, &own);
        }
        Err(breach) => {
            assert!(!breach.to_string().contains('?'), "{breach}");
            let rest = own.path().strip_prefix(named.path());
            // Nothing in it that could be more than it looks.
            let plain = |rest: &str| !rest.contains(['.', '%', ';', '\\']);
            let by_segments =
                |rest: &str| rest.is_empty() || named.path().ends_with('/') || rest.starts_with('/');
            let fits = rest.is_some_and(|rest| plain(rest) && by_segments(rest))
                && named.origin == own.origin
                && (named.query.is_none() || named.query == own.query);
            assert!(!(fits && passes) || hides(named.path), "{resource} does not cover {server}");
        }
    }
}

/// A document elsewhere speaks for the very URL of the server, and for no parent of it.
fn spoken_for(resource: &str, server: &Url, document: &str) {
    let judged = check_place(resource, server, document);
    let same = Parts::of(resource).path() == Parts::of(server.as_str()).path();
    let at_home = Url::parse(document).is_ok_and(|it| it.origin() == server.origin());
    assert_eq!(judged.is_ok(), covers(resource, server) && (same || at_home), "{resource} at {document}");
    if let Err(breach) = judged {
        assert!(!breach.to_string().contains('?'), "{breach}");
    }
    assert_eq!(check_place(resource, server, server.as_str()).is_ok(), covers(resource, server));
}

/// Client ID Metadata Documents §3: https, with a path.
fn client_id(text: &str) {
    let parts = Parts::of(text);
    let fits = parts.origin.0 == "https" && !matches!(parts.path, "" | "/");
    let passes = Guard::new(Reach::Any).check(text).is_ok() && fits;
    assert_eq!(check_client_id_url(text).is_ok(), passes, "{text}");
}
