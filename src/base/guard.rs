//! The one authority over URLs: nothing is sent, opened or given a token that has not passed here.

use std::fmt;

use url::{Host, Url};

pub use super::reach::Reach;
use super::reach::is_loopback;
pub(crate) use super::shown::Shown;
pub use super::shown::without_query;

/// The longest URL that is accepted, in bytes.
pub const MAX_URL: usize = 4096;

/// A URL that has passed the guard. Its `Debug` shows no query, which may hold a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// As it was given, where a parser serialises it in another way.
    given: Option<String>,
    url: Url,
    reach: Reach,
}

impl Endpoint {
    /// The URL byte for byte as it was given: its identity.
    pub fn as_given(&self) -> &str {
        self.given.as_deref().unwrap_or(self.url.as_str())
    }

    /// The URL as a parser serialises it: what is sent or opened.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The same, to be kept.
    pub fn into_url(self) -> Url {
        self.url
    }

    /// Which addresses the host may resolve to.
    pub fn reach(&self) -> Reach {
        self.reach
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = Shown(self.as_given());
        f.debug_struct("Endpoint").field("url", &url).field("reach", &self.reach).finish()
    }
}

/// Why a URL was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Not a URL with scheme and host, or over 4096 bytes.
    NotAbsolute,
    /// Neither `https`, nor `http` to the machine itself.
    Scheme,
    /// User name or password before the host.
    UserInfo,
    /// A fragment.
    Fragment,
    /// A character that RFC 3986 does not allow, or one with a meaning to a shell.
    Character,
    /// A host in another spelling than the one that would be connected to (`0x7f.1`, `127.1`, `host.`).
    Host,
    /// A path that a parser would rewrite (`..`, `%2e`).
    Path,
    /// An address or a name that policy does not allow.
    Address,
    /// A redirect URI that is neither `https` nor `http` to the machine itself.
    Redirect,
}

/// A URL did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlRefused {
    /// The URL without its query, cleaned and cut.
    pub url: String,
    /// What was wrong with it.
    pub fault: Fault,
}

impl fmt::Display for UrlRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.fault {
            Fault::NotAbsolute => "is no absolute URL with a host, of at most 4096 bytes",
            Fault::Scheme => "is not https (http is for loopback hosts only)",
            Fault::UserInfo => "carries user info before its host",
            Fault::Fragment => "carries a fragment",
            Fault::Character => "holds a character that a URL may not hold unescaped",
            Fault::Host => "spells its host in another way than it would be connected to",
            Fault::Path => "has dot segments in its path",
            Fault::Address => "leads to an address that policy does not allow",
            Fault::Redirect => "is neither https nor a loopback address",
        };
        write!(f, "the URL {:?} {reason}", self.url)
    }
}

impl std::error::Error for UrlRefused {}

/// What URLs may be sent to, opened, or given a token.
///
/// A URL must be absolute, `https` (`http` only where the host is the machine itself), without user info and
/// fragment, spelled as it would be sent, and with a host that [`Reach`] allows. The origin of the MCP server
/// itself was named by the person and may be anywhere.
#[derive(Clone)]
pub struct Guard {
    reach: Reach,
    /// What `reach` is where nobody says anything.
    by_default: Reach,
    /// The MCP server's URL, of which the origin counts.
    home: Option<Url>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let home = self.home.as_ref().map(|home| Shown(home.as_str()));
        f.debug_struct("Guard").field("reach", &self.reach).field("home", &home).finish()
    }
}

impl Guard {
    /// A guard that allows hosts within `reach`.
    pub const fn new(reach: Reach) -> Self {
        Self { reach, by_default: reach, home: None }
    }

    /// The guard of one MCP server: its own origin may be at any address; other hosts must be within `reach`,
    /// by default public ones, and the machine itself where the MCP server runs there.
    pub fn for_server(server: &Endpoint, reach: Option<Reach>) -> Self {
        let by_default = if is_loopback_host(server.url()) { Reach::Loopback } else { Reach::Public };
        Self { reach: reach.unwrap_or(by_default), by_default, home: Some(server.url().clone()) }
    }

    fn is_home(&self, url: &Url) -> bool {
        self.home.as_ref().is_some_and(|home| same_origin(home, url))
    }

    /// Whether the host of what has passed would be refused by default. What a name resolves to is not known here.
    pub(crate) fn widens_for(&self, url: &Url) -> bool {
        !reaches(self.by_default, url) && !self.is_home(url)
    }

    /// Judges `given`.
    ///
    /// # Errors
    ///
    /// [`UrlRefused`], with the first [`Fault`] that was found.
    pub fn check(&self, given: &str) -> Result<Endpoint, UrlRefused> {
        let refuse = |fault| UrlRefused { url: without_query(given), fault };
        let url = parse(given).map_err(refuse)?;
        let reach = if self.is_home(&url) { Reach::Any } else { self.reach };
        if !reaches(reach, &url) {
            return Err(refuse(Fault::Address));
        }
        let reach = if url.scheme() == "http" { Reach::Machine } else { reach };
        let given = (url.as_str() != given).then(|| given.to_owned());
        Ok(Endpoint { given, url, reach })
    }
}

/// Judges a redirect URI: `https`, or `http` to the machine itself, without fragment (RFC 6749 §3.1.2; MCP
/// 2026-07-28, security considerations, communication security).
///
/// # Errors
///
/// [`UrlRefused`], with the first [`Fault`] that was found; never [`Fault::Address`], for nothing is sent there from here.
pub fn redirect_uri(given: &str) -> Result<Url, UrlRefused> {
    parse(given).map_err(|fault| {
        let fault = if fault == Fault::Scheme { Fault::Redirect } else { fault };
        UrlRefused { url: without_query(given), fault }
    })
}

/// Whether two URLs have the same scheme, host and port.
pub fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default()
}

/// Whether the host is the machine itself: `localhost`, a name below it, 127.0.0.0/8 or `::1`.
pub fn is_loopback_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => is_loopback(address.into()),
        Some(Host::Ipv6(address)) => is_loopback(address.into()),
        None => false,
    }
}

/// What stands before and after the first `://`, which nearly always is at the first colon after `https`: to look for one
/// letter is far less work than to look for three.
fn after_scheme(given: &str) -> Option<(&str, &str)> {
    if let Some(rest) = given.strip_prefix("https://") {
        return Some(("https", rest));
    }
    let (scheme, rest) = given.split_once(':')?;
    rest.strip_prefix("//").map_or_else(|| given.split_once("://"), |rest| Some((scheme, rest)))
}

fn parse(given: &str) -> Result<Url, Fault> {
    if given.len() > MAX_URL {
        return Err(Fault::NotAbsolute);
    }
    // Nearly all URLs hold neither of the two that need a closer look. `&` looks at many bytes together, where `&&` and `all`
    // would stop at each.
    let plain = |byte| is_url_byte(byte) & (byte != b'#') & (byte != b'$');
    if !given.bytes().fold(true, |all, byte| all & plain(byte)) {
        check_characters(given)?;
    }
    let (scheme, rest) = after_scheme(given).ok_or(Fault::NotAbsolute)?;
    let secure = scheme.eq_ignore_ascii_case("https");
    if !secure && !scheme.eq_ignore_ascii_case("http") {
        return Err(Fault::Scheme);
    }
    let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path_and_query) = rest.split_at(end);
    if authority.bytes().any(|byte| byte == b'@') {
        return Err(Fault::UserInfo);
    }
    let url = Url::parse(given).map_err(|_| Fault::NotAbsolute)?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(Fault::NotAbsolute)?;
    let (as_written, port) = authority.split_at_checked(host.len()).ok_or(Fault::Host)?;
    if !as_written.eq_ignore_ascii_case(host) {
        return Err(Fault::Host);
    }
    if host.ends_with('.') || !(port.is_empty() || port.starts_with(':')) {
        return Err(Fault::Host);
    }
    let ends = |rest: &str| rest.is_empty() || rest.starts_with('?');
    let same = path_and_query.strip_prefix(url.path()).is_some_and(ends);
    let root = ends(path_and_query) && url.path() == "/";
    if !same && !root {
        return Err(Fault::Path);
    }
    if !secure && !is_loopback_host(&url) {
        return Err(Fault::Scheme);
    }
    Ok(url)
}

fn check_characters(given: &str) -> Result<(), Fault> {
    if given.contains('#') {
        return Err(Fault::Fragment);
    }
    if !given.bytes().all(is_url_byte) || given.contains("$(") {
        return Err(Fault::Character);
    }
    Ok(())
}

/// The characters of RFC 3986 §2, less the apostrophe.
fn is_url_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'?' | b'#'
        | b'[' | b']' | b'@' | b'!' | b'$' | b'&' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b'%')
}

fn reaches(reach: Reach, url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => reach.allows(address.into()),
        Some(Host::Ipv6(address)) => reach.allows(address.into()),
        Some(Host::Domain(_)) => match reach {
            Reach::Public => !is_loopback_host(url),
            Reach::Machine => is_loopback_host(url),
            Reach::Loopback | Reach::Any => true,
        },
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(url: &str) -> Option<Fault> {
        Guard::new(Reach::Public).check(url).err().map(|refused| refused.fault)
    }

    #[test]
    fn ordinary_urls_pass_and_keep_their_spelling() {
        for url in
            ["https://a.example", "https://a.example/", "https://A.example:443/x?y=z", "HTTPS://a.example/x"]
        {
            let endpoint = Guard::new(Reach::Public).check(url).unwrap();
            assert_eq!(endpoint.as_given(), url);
        }
    }

    #[test]
    fn each_fault_is_named() {
        for (url, expected) in [
            ("", Fault::NotAbsolute),
            ("#", Fault::Fragment),
            (" ", Fault::Character),
            ("/path", Fault::NotAbsolute),
            ("javascript:alert(1)", Fault::NotAbsolute),
            ("https:a.example", Fault::NotAbsolute),
            ("https://", Fault::NotAbsolute),
            ("ftp://a.example/", Fault::Scheme),
            ("http://a.example/", Fault::Scheme),
            ("https://u@a.example/", Fault::UserInfo),
            ("https://@a.example/", Fault::UserInfo),
            ("https://a.example@b.example/", Fault::UserInfo),
            ("https://a.example/#", Fault::Fragment),
            ("https://a.example/ x", Fault::Character),
            ("https://a.example\\@b.example/", Fault::Character),
            ("https://a.example/\tx", Fault::Character),
            ("https://a.example/$(id)", Fault::Character),
            ("https://a.example/`id`", Fault::Character),
            ("https://a.example/'x'", Fault::Character),
            ("https://\u{430}.example/", Fault::Character),
            ("https://0x7f000001/", Fault::Host),
            ("https://127.1/", Fault::Host),
            ("https://2130706433/", Fault::Host),
            ("https://[0:0::1]/", Fault::Host),
            ("https://a.example./", Fault::Host),
            ("https://a%2eexample/", Fault::Host),
            ("https://a.example/x/../y", Fault::Path),
            ("https://a.example/x/%2e%2E/y", Fault::Path),
            ("https://a.example/..", Fault::Path),
            ("https://a.example/.?x", Fault::Path),
            ("https://169.254.169.254/latest", Fault::Address),
            ("https://10.0.0.1/", Fault::Address),
            ("https://[::1]/", Fault::Address),
            ("https://[::ffff:7f00:1]/", Fault::Address),
            ("https://localhost/", Fault::Address),
            ("https://a.localhost/", Fault::Address),
            ("http://localhost/", Fault::Address),
        ] {
            assert_eq!(fault(url), Some(expected), "{url}");
        }
    }

    #[test]
    fn a_url_of_4096_bytes_is_the_longest() {
        for (more, expected) in [(0, None), (1, Some(Fault::NotAbsolute)), (2, Some(Fault::NotAbsolute))] {
            let start = "https://a.example/";
            let url = format!("{start}{}", "x".repeat(MAX_URL - start.len() + more));
            assert_eq!(fault(&url), expected, "{more}");
        }
    }

    #[test]
    fn the_servers_own_origin_may_be_anywhere() {
        let server = Guard::new(Reach::Any).check("https://10.0.0.5:8443/mcp").unwrap();
        let guard = Guard::for_server(&server, None);
        assert_eq!(guard.check("https://10.0.0.5:8443/.well-known/x").unwrap().reach(), Reach::Any);
        assert_eq!(guard.check("https://10.0.0.5/x").unwrap_err().fault, Fault::Address);
        assert_eq!(guard.check("https://a.example/").unwrap().reach(), Reach::Public);

        let local = Guard::new(Reach::Any).check("http://127.0.0.1:1/mcp").unwrap();
        assert_eq!(
            Guard::for_server(&local, None).check("http://localhost:2/x").unwrap().reach(),
            Reach::Machine
        );
    }

    #[test]
    fn what_passes_by_policy_alone_is_known() {
        let server = Guard::new(Reach::Any).check("https://10.0.0.5:8443/mcp").unwrap();
        let guard = Guard::for_server(&server, Some(Reach::Any));
        for (url, widened) in [
            ("https://10.0.0.6/", true),
            ("https://localhost/", true),
            // Another port is another origin.
            ("https://10.0.0.5/", true),
            ("https://10.0.0.5:8443/token", false),
            ("https://1.1.1.1/", false),
            ("https://a.example/", false),
        ] {
            let passed = guard.check(url).unwrap();
            assert_eq!(guard.widens_for(passed.url()), widened, "{url}");
        }
        let local = Guard::new(Reach::Any).check("http://127.0.0.1:1/mcp").unwrap();
        let guard = Guard::for_server(&local, Some(Reach::Any));
        assert!(!guard.widens_for(guard.check("http://localhost:2/").unwrap().url()));
        assert!(guard.widens_for(guard.check("https://10.0.0.6/").unwrap().url()));
    }

    #[test]
    fn redirect_uris_are_https_or_loopback() {
        assert!(redirect_uri("http://127.0.0.1:3000/callback").is_ok());
        assert!(redirect_uri("https://app.example/cb").is_ok());
        assert_eq!(redirect_uri("http://app.example/cb").unwrap_err().fault, Fault::Redirect);
        assert_eq!(redirect_uri("ftp://app.example/cb").unwrap_err().fault, Fault::Redirect);
    }

    #[test]
    fn nothing_of_a_query_or_password_is_shown() {
        let refused = Guard::new(Reach::Public).check("https://u:pw@a.example/p?token=x").unwrap_err();
        assert!(!refused.to_string().contains("pw") && !refused.to_string().contains("token"));
        let server = Guard::new(Reach::Public).check("https://A.example/mcp?key=s3cret").unwrap();
        assert_eq!(server.as_given(), "https://A.example/mcp?key=s3cret");
        let shown = "Endpoint { url: \"https://A.example/mcp\", reach: Public }";
        assert_eq!(format!("{server:?}"), shown);
        let shown = "Guard { reach: Public, home: Some(\"https://a.example/mcp\") }";
        assert_eq!(format!("{:?}", Guard::for_server(&server, None)), shown);
    }
}
