//! What a client that follows the rules would do here.

use mcp_auth::base::guard;
use mcp_auth::policy::ScopeSources;
use mcp_auth::wire::challenge::{self, Demand};
use mcp_auth::wire::client::method_to_register;
use mcp_auth::wire::resource_metadata::canonical;
use mcp_auth::wire::server_metadata::{IssuerMatch, Pkce, ServerMetadata};
use mcp_auth::{Breach, Kind, ScopeRule, Scopes};

use super::authorization_server;
use super::evidence::{Evidence, words};
use super::resource_metadata;

/// How a client that nobody has registered comes by its identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registration {
    /// The URL of its metadata document.
    MetadataDocument,
    /// RFC 7591.
    Dynamic,
    /// By hand, beforehand.
    Preregistered,
}

impl Registration {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::MetadataDocument => "client_id_metadata_document",
            Self::Dynamic => "dynamic",
            Self::Preregistered => "preregistered",
        }
    }
}

/// What a client would do.
#[derive(Clone, Debug)]
pub(crate) enum Outlook {
    /// Nothing: no login is asked for.
    NoLogin,
    /// Log in.
    Login(Login),
    /// Give up, and where.
    Stops(String),
}

/// A login as it would go.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) authorization_server: String,
    pub(crate) resource: String,
    /// Whether only the fallbacks of MCP 2025-03-26 lead there.
    pub(crate) legacy: bool,
    /// How it gets its identifier, best first.
    pub(crate) registration: Vec<Registration>,
    /// How it authenticates, if it registers.
    pub(crate) auth_method: Option<&'static str>,
    pub(crate) scopes: Scopes,
    /// Whether it must bind its token to a key.
    pub(crate) bound: bool,
}

impl Outlook {
    pub(crate) fn of(seen: &Evidence) -> Self {
        if seen.refusal().is_none() {
            let why = || seen.open.iter().find_map(|(_, exchange)| Some(exchange.answer()?.status));
            return match seen.is_open() {
                true => Self::NoLogin,
                false => Self::Stops(format!(
                    "at the first request: status {} does not ask for a login",
                    why().unwrap_or_default()
                )),
            };
        }
        let metadata = resource_metadata::chosen(seen);
        if metadata.is_none() && !seen.legacy {
            return Self::Stops("at the protected resource metadata: no document can be used".to_owned());
        }
        let mut first = None;
        for issuer in &seen.issuers {
            match usable(seen, issuer) {
                Ok(server) => return Self::Login(login(seen, &issuer.named, &server)),
                Err(why) => first = first.or(Some(why)),
            }
        }
        if seen.legacy && seen.issuers.iter().all(authorization_server::is_plainly_absent) {
            let guessed = ServerMetadata::legacy(seen.server.url());
            return Self::Login(login(seen, &guessed.issuer.clone(), &guessed));
        }
        Self::Stops(format!("at the authorization server metadata: {}", first.unwrap_or_default()))
    }

    /// In a sentence.
    pub(crate) fn summary(&self) -> String {
        let login = match self {
            Self::NoLogin => return "A client would connect without a login.".to_owned(),
            Self::Stops(place) => return format!("A client would stop {place}."),
            Self::Login(login) => login,
        };
        let by = match login.registration.as_slice() {
            [Registration::MetadataDocument, Registration::Dynamic, ..] => {
                "identify itself by its metadata document, or else register by RFC 7591,"
            }
            [Registration::MetadataDocument, ..] => "identify itself by its metadata document",
            [Registration::Dynamic, ..] => "register by RFC 7591",
            _ => "need a client identifier that was registered by hand",
        };
        let scopes = match login.scopes.is_empty() {
            true => "ask for no scope by name".to_owned(),
            false => format!("ask for `{}`", login.scopes),
        };
        let bound = if login.bound { ", with a key for DPoP" } else { "" };
        let legacy = if login.legacy { ", by the fallbacks of MCP 2025-03-26" } else { "" };
        words(&format!(
            "A client would {by} at {}, and {scopes} for {}{bound}{legacy}.",
            guard::without_query(&login.authorization_server),
            guard::without_query(&login.resource)
        ))
    }
}

/// The metadata of an issuer, if the authorization code grant can be used with it; if not, why.
fn usable(seen: &Evidence, issuer: &super::evidence::Issuer) -> Result<ServerMetadata, String> {
    let breach = |breach: Breach| words(&breach.to_string());
    match authorization_server::chosen(issuer) {
        Some((_, metadata)) => metadata.check(&seen.guard, Pkce::Required).map(|_| metadata).map_err(breach),
        None => {
            let read = |body: &[u8]| ServerMetadata::read(body, &issuer.named, IssuerMatch::Exact);
            let bodies = issuer.places.iter().filter_map(|place| place.body());
            let mut breaches = bodies.filter_map(|(_, answer)| read(&answer.body).err());
            let told = breaches.find(|it| it.kind != Kind::NotADocument).map(breach);
            let whose = guard::without_query(&issuer.named);
            Err(told.unwrap_or_else(|| match issuer.refused {
                Some(_) => format!("{whose} may not be used"),
                None => format!("{whose} has none"),
            }))
        }
    }
}

fn login(seen: &Evidence, issuer: &str, server: &ServerMetadata) -> Login {
    let metadata = resource_metadata::chosen(seen).map(|(_, metadata)| metadata);
    let demand = seen.refusal().map(|(_, answer)| Demand::of(&challenge::read(answer.challenges())));
    let demand = demand.unwrap_or_default();
    let mut sources = ScopeSources::default();
    sources.challenged = demand.scope.as_ref();
    sources.resource = metadata.as_ref().and_then(|it| it.scopes_supported.as_ref());
    sources.server = server.scopes_supported.as_ref();
    let scopes = ScopeRule::default().select(sources);
    let mut registration = Vec::new();
    if server.client_id_metadata_document_supported {
        registration.push(Registration::MetadataDocument);
    }
    let dynamic = server.registration_endpoint.is_some();
    if dynamic {
        registration.push(Registration::Dynamic);
    }
    registration.push(Registration::Preregistered);
    let offered = server.token_endpoint_auth_methods_supported.as_deref();
    Login {
        authorization_server: issuer.to_owned(),
        resource: metadata.as_ref().map_or_else(|| canonical(&seen.server), |it| it.resource.clone()),
        legacy: seen.legacy,
        registration,
        auth_method: method_to_register(offered).ok().filter(|_| dynamic).map(|method| method.as_str()),
        scopes,
        bound: (demand.dpop && !demand.bearer)
            || metadata.is_some_and(|it| it.dpop_bound_access_tokens_required),
    }
}
