//! What the watcher knows of authorization servers, from the documents that it saw pass and from nothing else.

use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::action::Purpose;
use crate::config::Config;
use crate::credential::AuthorizationServer;
use crate::event::Response;
use crate::policy::IssuerPolicy;

/// The members by which a document is known for a server's metadata.
const TELLING: [&str; 5] =
    ["issuer", "authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint"];

/// An authorization server by its own document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) issuer: String,
    /// What it is called besides, where policy says that the two are one.
    named: Option<String>,
    pub(super) token_endpoint: String,
    pub(super) iss_required: bool,
    pub(super) aliases: Vec<String>,
    authorization_endpoint: String,
    registration_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    pushed_endpoint: Option<String>,
    device_endpoint: Option<String>,
    /// Whether it says that it takes S256, or policy does where it says nothing; a record does not tell.
    pub(super) s256: Option<bool>,
    /// Whether it said so itself; otherwise a record does.
    said: bool,
}

impl Server {
    fn is(&self, issuer: &str) -> bool {
        same_issuer(&self.issuer, issuer)
            || self.named.as_deref().is_some_and(|named| same_issuer(named, issuer))
    }

    /// Whether clients say at `url` who they are.
    fn serves_at(&self, url: &str) -> bool {
        let others = [&self.revocation_endpoint, &self.pushed_endpoint, &self.device_endpoint];
        let token = Some(self.token_endpoint.as_str());
        let mut all = others.into_iter().map(|it| it.as_deref()).chain([token]).flatten();
        all.any(|it| super::same_url(it, url))
    }

    fn authorizes_at(&self, opened: &Url) -> bool {
        Url::parse(&self.authorization_endpoint).is_ok_and(|url| bare(&url) == bare(opened))
    }

    fn revokes_at(&self, url: &str) -> bool {
        self.revocation_endpoint.as_deref().is_some_and(|it| super::same_url(it, url))
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Documents {
    servers: Vec<Server>,
    aliases: Vec<(String, Vec<String>)>,
    /// Issuers as they are named, and as their metadata names them.
    renamed: Vec<(String, String)>,
    /// Issuers of which policy says that they take S256 though they do not say so.
    silent: Vec<String>,
    /// Whether `iss` is demanded of every issuer.
    iss_required: bool,
    /// The last look for server metadata brought none that speaks for its server, whatever was there before.
    pub(super) missing: bool,
    /// How many looks for metadata in this attempt did not settle that there is none: it was found, or there may be some.
    pub(super) doubts: u32,
}

impl Documents {
    pub(super) fn of(config: &Config) -> Self {
        let aliases = config.issuer_policies().iter();
        let aliases =
            aliases.map(|(issuer, policy)| (issuer.clone(), policy.issuer_aliases.clone())).collect();
        let renamed = config.issuer_policies().iter();
        let renamed = renamed
            .filter_map(|(issuer, policy)| Some((issuer.clone(), policy.metadata_issuer.clone()?)))
            .collect();
        let silent = config.issuer_policies().iter();
        let silent = silent.filter(|(_, policy)| policy.pkce != IssuerPolicy::default().pkce);
        let silent = silent.map(|(issuer, _)| issuer.clone()).collect();
        let iss_required = config.policies().require_iss;
        Self { servers: Vec::new(), aliases, renamed, silent, iss_required, missing: false, doubts: 0 }
    }

    /// A look for metadata was answered, or was not. Only a plain no settles that there is none: a refusal, or something that
    /// is no such document. What is found is read besides.
    pub(super) fn looks(&mut self, purpose: Purpose, answer: Option<&Response>) {
        let telling: &[_] = match purpose {
            Purpose::ResourceMetadata => &["resource", "authorization_servers"],
            Purpose::ServerMetadata => &TELLING,
            Purpose::Registration
            | Purpose::Token
            | Purpose::Refresh
            | Purpose::Revocation
            | Purpose::TokenExchange
            | Purpose::DeviceAuthorization
            | Purpose::PushedAuthorization => return,
        };
        let plain_no = answer.is_some_and(|response| match response.status.as_u16() {
            200 => !may_be(telling, &response.body),
            408 | 425 | 429 => false,
            status => (400..500).contains(&status),
        });
        self.doubts = self.doubts.saturating_add(u32::from(!plain_no));
    }

    /// An attempt is over, and the next looks for itself.
    pub(super) fn ended(&mut self) {
        (self.missing, self.doubts) = (false, 0);
    }

    /// Reads a metadata document that came from `url`. What is none, or speaks for an issuer elsewhere, is passed
    /// over.
    pub(super) fn read(&mut self, url: &str, body: &[u8]) {
        let Ok(document) = serde_json::from_slice::<Value>(unmarked(body)) else { return };
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(issuer), Some(token_endpoint)) = (text("issuer"), text("token_endpoint")) else { return };
        // A server that sends no person anywhere needs none.
        let authorization_endpoint = text("authorization_endpoint").unwrap_or_default();
        let named = self.renamed.iter().find(|(named, to)| *to == issuer && speaks_for(url, named));
        let named = named.map(|(named, _)| named.clone());
        if named.is_none() && !speaks_for(url, &issuer) {
            return;
        }
        self.missing = false;
        let promised = document.get("authorization_response_iss_parameter_supported");
        let iss_required = self.iss_required || promised.and_then(Value::as_bool).unwrap_or_default();
        let listed = document.get("code_challenge_methods_supported").filter(|listed| !listed.is_null());
        let silent = |known: &String| {
            same_issuer(known, &issuer) || named.as_ref().is_some_and(|named| same_issuer(known, named))
        };
        let s256 = match listed {
            Some(listed) => listed.as_array().is_some_and(|listed| listed.contains(&Value::from("S256"))),
            None => self.silent.iter().any(silent),
        };
        let registration_endpoint = text("registration_endpoint");
        let revocation_endpoint = text("revocation_endpoint");
        let pushed_endpoint = text("pushed_authorization_request_endpoint");
        let device_endpoint = text("device_authorization_endpoint");
        self.add(Server {
            aliases: self.aliases_of(named.as_ref().unwrap_or(&issuer)),
            issuer,
            named,
            token_endpoint,
            iss_required,
            authorization_endpoint,
            registration_endpoint,
            revocation_endpoint,
            pushed_endpoint,
            device_endpoint,
            s256: Some(s256),
            said: true,
        });
    }

    /// A record names a server, too. That is no word of the server's own.
    pub(super) fn remember(&mut self, server: &AuthorizationServer) {
        self.add(Server {
            issuer: server.issuer.clone(),
            named: Some(server.named.clone())
                .filter(|named| self.renamed.contains(&(named.clone(), server.issuer.clone()))),
            token_endpoint: server.token_endpoint.clone(),
            iss_required: self.iss_required || server.iss_parameter_supported,
            aliases: self.aliases_of(&server.named),
            authorization_endpoint: server.authorization_endpoint.clone(),
            registration_endpoint: None,
            revocation_endpoint: server.revocation_endpoint.clone(),
            pushed_endpoint: server.pushed_authorization_request_endpoint.clone(),
            device_endpoint: server.device_authorization_endpoint.clone(),
            s256: None,
            said: false,
        });
    }

    /// The newest word counts, so it comes first. A server may say again what it said before; a record only repeats.
    fn add(&mut self, server: Server) {
        if server.said {
            self.servers.retain(|known| *known != server);
        }
        if !self.servers.contains(&server) {
            self.servers.insert(0, server);
        }
    }

    pub(super) fn aliases_of(&self, issuer: &str) -> Vec<String> {
        self.aliases
            .iter()
            .filter(|(known, _)| same_issuer(known, issuer))
            .flat_map(|(_, aliases)| aliases.clone())
            .collect()
    }

    pub(super) fn authorizing_at(&self, opened: &Url) -> Option<&Server> {
        self.servers.iter().find(|server| server.authorizes_at(opened))
    }

    /// The issuer that registers clients at `url`.
    pub(super) fn registered_at(&self, url: &str) -> Option<String> {
        let at = |server: &&Server| {
            server.registration_endpoint.as_deref().is_some_and(|it| super::same_url(it, url))
        };
        self.servers.iter().find(at).map(|server| server.issuer.clone())
    }

    /// Whether the issuer registers clients at `url`.
    pub(super) fn registers_for(&self, issuer: &str, url: &str) -> bool {
        let here = |server: &Server| {
            server.registration_endpoint.as_deref().is_some_and(|it| super::same_url(it, url))
        };
        self.servers.iter().any(|server| server.is(issuer) && here(server))
    }

    /// Whether the issuer revokes tokens at `url`, by its own word.
    pub(super) fn revokes_for(&self, issuer: &str, url: &str) -> bool {
        self.said(issuer).any(|server| server.revokes_at(url))
    }

    /// Whether the issuer with this token endpoint revokes tokens at `url`.
    pub(super) fn revokes_for_endpoint(&self, token_endpoint: &str, url: &str) -> bool {
        let own = |server: &&Server| super::same_url(&server.token_endpoint, token_endpoint);
        self.servers.iter().filter(own).any(|server| server.revokes_at(url))
    }

    /// The issuer that takes authorization requests ahead at `url`.
    pub(super) fn issuer_pushed_to(&self, url: &str) -> Option<String> {
        let here =
            |server: &&Server| server.pushed_endpoint.as_deref().is_some_and(|it| super::same_url(it, url));
        self.servers.iter().find(here).map(|server| server.issuer.clone())
    }

    /// Whether the issuer takes authorization requests ahead at `url`.
    pub(super) fn is_pushed_to(&self, issuer: &str, url: &str) -> bool {
        self.any_of(issuer, url, |server| server.pushed_endpoint.as_deref())
    }

    /// Whether the issuer gives codes to devices at `url`.
    pub(super) fn gives_codes_for(&self, issuer: &str, url: &str) -> bool {
        self.any_of(issuer, url, |server| server.device_endpoint.as_deref())
    }

    /// Whether the issuer has its token endpoint at `url`, by its own word or by a record's.
    pub(super) fn grants_for(&self, issuer: &str, url: &str) -> bool {
        self.any_of(issuer, url, |server| Some(server.token_endpoint.as_str()))
    }

    /// The token endpoint of the server that gives codes to devices at `url`.
    pub(super) fn asked_with_codes_of(&self, url: &str) -> Option<String> {
        let here =
            |server: &&Server| server.device_endpoint.as_deref().is_some_and(|it| super::same_url(it, url));
        self.servers.iter().find(here).map(|server| server.token_endpoint.clone())
    }

    /// The issuers that are spoken to at `url`, in whatever way clients prove who they are.
    pub(super) fn issuers_at<'a>(&'a self, url: &'a str) -> impl Iterator<Item = &'a str> {
        self.servers.iter().filter(|server| server.serves_at(url)).map(|server| server.issuer.as_str())
    }

    /// Whether the issuer has its page or one of its endpoints at `url`, by its own word or by a record's.
    pub(super) fn is_at(&self, issuer: &str, url: &str) -> bool {
        let page = Url::parse(url).ok();
        let shows = |server: &Server| page.as_ref().is_some_and(|page| server.authorizes_at(page));
        self.servers.iter().any(|server| server.is(issuer) && (server.serves_at(url) || shows(server)))
    }

    fn any_of(&self, issuer: &str, url: &str, endpoint: impl Fn(&Server) -> Option<&str>) -> bool {
        let here = |server: &Server| endpoint(server).is_some_and(|it| super::same_url(it, url));
        self.servers.iter().any(|server| server.is(issuer) && here(server))
    }

    /// Whether the issuer has its token endpoint at `url`, by its own word.
    pub(super) fn is_token_endpoint_of(&self, issuer: &str, url: &str) -> bool {
        self.said(issuer).any(|server| super::same_url(&server.token_endpoint, url))
    }

    /// What the issuer has said of itself.
    fn said(&self, issuer: &str) -> impl Iterator<Item = &Server> {
        self.servers.iter().filter(move |server| server.said && server.is(issuer))
    }
}

/// Without a byte order mark, which some servers send.
fn unmarked(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// Whether a body is a document of this kind, or would be if all of it had come.
fn may_be(telling: &[&str], body: &[u8]) -> bool {
    let body = unmarked(body);
    match serde_json::from_slice::<Value>(body) {
        Ok(found) => telling.iter().any(|name| found.get(name).is_some_and(|member| !member.is_null())),
        Err(_) => body.trim_ascii_start().first() == Some(&b'{'),
    }
}

/// A page, whatever it is asked.
pub(super) fn bare(url: &Url) -> (url::Origin, String) {
    (url.origin(), url.path().to_owned())
}

pub(super) fn same_issuer(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

/// Whether a document at `url` can be the issuer's own: at its origin, and where the URL is a well-known one, at its
/// path.
fn speaks_for(url: &str, issuer: &str) -> bool {
    let issuer = issuer.trim_end_matches('/');
    let near = |url: &Url| Url::parse(issuer).is_ok_and(|issuer| super::same_origin(&issuer, url));
    let well_known = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];
    let base = well_known.iter().find(|part| url.contains(*part)).map(|part| url.replacen(part, "", 1));
    // What is asked for has no default port, even where the issuer writes it out.
    let asked = Url::parse(issuer).map_or_else(|_| issuer.to_owned(), String::from);
    let asked = asked.trim_end_matches('/');
    let at_its_path = base.is_none_or(|base| [issuer, asked].contains(&base.trim_end_matches('/')));
    Url::parse(url).is_ok_and(|url| near(&url)) && at_its_path
}

/// Every text under `name` in a JSON or form-encoded body, at any depth.
pub(super) fn members(body: &[u8], name: &str) -> Vec<String> {
    let mut found = Vec::new();
    match serde_json::from_slice::<Value>(body) {
        Ok(document) => collect(&document, name, &mut found),
        Err(_) => {
            let pairs = form_urlencoded::parse(body);
            found.extend(pairs.filter(|(known, _)| known == name).map(|(_, value)| value.into_owned()));
        }
    }
    found
}

fn collect(value: &Value, name: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get(name).and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, name, found));
        }
        Value::Array(entries) => entries.iter().for_each(|entry| collect(entry, name, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The parameters of a URL's query, or of a form body.
pub(super) fn parameters(text: &str) -> Vec<(String, String)> {
    let query = text.split('#').next().unwrap_or_default();
    let query = query.split_once('?').map_or(query, |(_, query)| query);
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// The value of a parameter that is there once.
pub(super) fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut values = parameters.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
    values.next().filter(|_| values.next().is_none())
}
