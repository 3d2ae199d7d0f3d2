//! How a URL is shown: without what may be a secret in it.

use std::fmt;

use super::text;

/// The longest URL that is shown, in characters.
const MAX_SHOWN: usize = 200;

/// A URL as it may be shown: without its query, its fragment and its user information (RFC 3986 §3.2.1), cleaned, and cut
/// to 200 characters.
///
/// It need not be a URL that passes, for what is refused is shown too. So user information is what any reader of URLs might
/// take for it, and where a port should be and is none, a password may be cut in two (`https://user:pass/word@host`): then
/// `…` stands in the place of the host.
pub fn without_query(given: &str) -> String {
    let end = given.bytes().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(given.len());
    let shown = given.get(..end).unwrap_or_default();
    if is_usual(shown) {
        return text::clean(shown, MAX_SHOWN);
    }
    let (before, authority, after) = parts(shown);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if before.ends_with(['/', '\\']) && !ends_in_port(host) {
        let after = if after.contains('@') { "" } else { after };
        return text::clean(&[before, "…", after].concat(), MAX_SHOWN);
    }
    if host.len() == authority.len() {
        return text::clean(shown, MAX_SHOWN);
    }
    text::clean(&[before, host, after].concat(), MAX_SHOWN)
}

/// Whether nothing but a name stands between `https://` and the path, as with nearly every URL: then there is nothing to look
/// for, and this is called for each exchange.
fn is_usual(shown: &str) -> bool {
    let of_name = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    let after_name = |rest: &str| rest.bytes().find(|byte| !of_name(byte));
    let ends = |rest: &str| matches!(after_name(rest), None | Some(b'/'));
    shown.strip_prefix("https://").is_some_and(|rest| !rest.starts_with('/') && ends(rest))
}

/// What stands before the authority, the authority, and what follows, as a browser has it, which counts no slashes and no
/// backslashes after the scheme, and as a person may who leaves the scheme out.
fn parts(shown: &str) -> (&str, &str, &str) {
    let after_scheme = shown.split_once(':').map(|(_, rest)| rest.trim_start_matches(['/', '\\']));
    let rest = after_scheme.unwrap_or(shown);
    let (before, rest) = shown.split_at(shown.len().saturating_sub(rest.len()));
    let (authority, after) = rest.split_at(rest.bytes().position(|byte| byte == b'/').unwrap_or(rest.len()));
    (before, authority, after)
}

/// Whether nothing but digits follows the colon after a host, if there is one.
fn ends_in_port(host: &str) -> bool {
    let name = host.rsplit_once(']').map_or(host, |(_, after)| after);
    name.split_once(':').is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A URL within the `Debug` of something, as [`without_query`] shows it.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", without_query(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_query_and_fragment() {
        for (given, shown) in [
            ("https://a.example/p?token=x#y", "https://a.example/p"),
            ("https://a.example/p#y?token=x", "https://a.example/p"),
            ("https://a.example:8443?token=me@b.example", "https://a.example:8443"),
            ("https://[::1]:8443/p", "https://[::1]:8443/p"),
            ("https://[::1]/p", "https://[::1]/p"),
            ("https://a.example/@me/p:x", "https://a.example/@me/p:x"),
            ("/@me/p?token=x", "/@me/p"),
            ("urn:ietf:wg:oauth:2.0:oob", "urn:ietf:wg:oauth:2.0:oob"),
            ("com.example.app:/callback", "com.example.app:/callback"),
            ("?token=x", ""),
            ("", ""),
        ] {
            assert_eq!(without_query(given), shown, "{given}");
            assert_eq!(format!("{:?}", Shown(given)), format!("{shown:?}"));
        }
        let long = format!("https://a.example/{}", "x".repeat(200));
        assert_eq!(without_query(&long).chars().count(), 201);
    }

    #[test]
    fn user_information_is_not_shown_however_odd_it_is() {
        for (given, shown) in [
            ("https://u:pw@a.example/p?token=x#y", "https://a.example/p"),
            ("https://u:pw@a.example", "https://a.example"),
            ("https://U:PW@HOST/X", "https://HOST/X"),
            ("https://u:p@w@a.example/p", "https://a.example/p"),
            ("https://u:pw\\@a.example/p", "https://a.example/p"),
            ("https://u:pw@[::1]:8443/p", "https://[::1]:8443/p"),
            // Some readers need no slashes, or not these.
            ("https:u:pw@a.example/p", "https:a.example/p"),
            ("https:/u:pw@a.example/p", "https:/a.example/p"),
            ("https:///u:pw@a.example/p", "https:///a.example/p"),
            ("https:\\\\u:pw@a.example/p", "https:\\\\a.example/p"),
            // Some persons need no scheme.
            ("u:pw@a.example/p", "u:a.example/p"),
            ("//u:pw@a.example/p", "//u:a.example/p"),
            ("pw@a.example/p", "a.example/p"),
            // A password that ends the authority before its time.
            ("https://u:p?w@a.example/", "https://…"),
            ("https://u:p#w@a.example/", "https://…"),
            ("https://u:p/w@a.example/", "https://…"),
            ("https://a.example:port/p", "https://…/p"),
        ] {
            assert_eq!(without_query(given), shown, "{given}");
        }
    }
}
