//! Awaits protected resource metadata (RFC 9728): each candidate in turn, until one describes this resource.

use std::collections::VecDeque;
use std::fmt;

use super::fetch::{Fetch, Fetched};
use super::server_metadata::Named;
use super::{Aim, Step, Turn, World, server_metadata};
use crate::action::Purpose;
use crate::base::breach::{Breach, Kind};
use crate::base::guard::{Shown, without_query};
use crate::base::scope::Scopes;
use crate::event::Answer;
use crate::grant_type::GrantType;
use crate::policy::{Legacy, ServerChoice};
use crate::trail::Verdict;
use crate::wire::resource_metadata::{
    Candidate, ResourceMetadata, Source, candidates, canonical, check_place, is_own,
};
use crate::wire::server_metadata::origin;

const CLAUSE: &str = "RFC 9728 §3";
/// How many of the advertised places are tried.
const MAX_ADVERTISED: usize = 4;
/// How many of the named authorization servers are tried.
const MAX_SERVERS_TRIED: usize = 4;
const LEGACY: &str = "MCP 2025-03-26, authorization base URL";

#[derive(Clone)]
pub(crate) struct FindingResource {
    pub(crate) fetch: Fetch,
    aim: Aim,
    search: Search,
    candidate: Candidate,
}

impl fmt::Debug for FindingResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FindingResource")
            .field("fetch", &self.fetch)
            .field("source", &self.candidate.source)
            .field("aim", &self.aim)
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Search {
    left: VecDeque<Candidate>,
    /// Whether every miss so far was clean.
    clean: bool,
    /// The most telling of the misses.
    worst: Option<Breach>,
}

/// The resource as far as its metadata, or the lack of any, describes it.
#[derive(Clone)]
pub(crate) struct Resource {
    pub(crate) identifier: String,
    /// Where the metadata was found.
    pub(crate) metadata: Option<String>,
    pub(crate) scopes: Option<Scopes>,
    /// Whether it takes tokens only that are bound to a key (RFC 9728 §2).
    pub(crate) bound: bool,
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("identifier", &Shown(&self.identifier))
            .field("metadata", &self.metadata.as_deref().map(Shown))
            .field("scopes", &self.scopes)
            .finish()
    }
}

/// Begins discovery. At most four advertised URLs are tried.
pub(crate) fn begin(world: &mut World, aim: Aim) -> Turn {
    let advertised = &aim.demand.resource_metadata;
    let advertised = advertised.get(..MAX_ADVERTISED).unwrap_or(advertised);
    let left = candidates(world.place.server.url(), advertised).into();
    next(world, aim, Search { left, clean: true, worst: None })
}

fn next(world: &mut World, aim: Aim, mut search: Search) -> Turn {
    while let Some(candidate) = search.left.pop_front() {
        match Fetch::begin(world, Purpose::ResourceMetadata, &candidate.url, CLAUSE) {
            Ok(fetch) => {
                return Turn::Await(Step::FindingResource(Box::new(FindingResource {
                    fetch,
                    aim,
                    search,
                    candidate,
                })));
            }
            Err(breach) => search.miss(world, &candidate.url, None, breach, false),
        }
    }
    without_metadata(world, aim, search).into()
}

impl FindingResource {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let Self { fetch, aim, mut search, candidate } = self;
        let advertised = candidate.source == Source::Advertised;
        match fetch.on(world, answer) {
            Fetched::Again(fetch) => {
                return Turn::Await(Step::FindingResource(Box::new(Self { fetch, aim, search, candidate })));
            }
            Fetched::Missed { url, status, breach, clean } => {
                // The server said that a document is there. If it is not, something is wrong.
                search.miss(world, &url, status, breach, clean && !advertised);
            }
            Fetched::Body { url, body } => match read(world, &url, &body) {
                Ok((metadata, fits)) => return found(world, aim, candidate.url, &url, metadata, fits),
                Err(breach) => {
                    let clean = breach.kind == Kind::NotADocument && !advertised;
                    search.miss(world, &url, Some(200), breach, clean);
                }
            },
        }
        next(world, aim, search)
    }
}

/// The metadata, and whether its resource covers the server; if it does not, policy takes it all the same.
fn read(world: &World, url: &str, body: &[u8]) -> Result<(ResourceMetadata, bool), Breach> {
    let metadata = ResourceMetadata::read(body)?;
    let placed = if is_own(&metadata.resource, &world.place.server) {
        Ok(())
    } else {
        check_place(&metadata.resource, world.place.server.url(), url)
    };
    let fits = placed.is_ok();
    if world.config.policies().resource_alias.as_ref() != Some(&metadata.resource) {
        placed?;
    }
    if metadata.dpop_bound_access_tokens_required && world.config.key_of_proofs().is_none() {
        let got = "a demand for tokens bound by DPoP";
        return Err(Breach::new(
            Kind::Unsupported,
            "RFC 9728 §2",
            "a resource that takes Bearer tokens",
            got,
        ));
    }
    Ok((metadata, fits))
}

fn found(
    world: &mut World,
    aim: Aim,
    place: String,
    url: &str,
    metadata: ResourceMetadata,
    fits: bool,
) -> Turn {
    let judged = |issuer: String| Named { endpoint: world.place.guard.check(&issuer).ok(), issuer };
    let issuers: Vec<_> = metadata.authorization_servers.into_iter().map(judged).collect();
    world.taken(url, 200, named(&issuers), CLAUSE);
    let shown = without_query(&metadata.resource);
    let (verdict, note) = if fits {
        (Verdict::Checked, ["the resource ", &shown, " covers the server's URL"].concat())
    } else {
        (Verdict::Deviation, format!("the resource {shown} is taken for this server by `resource_alias`"))
    };
    world.note(verdict, note, "RFC 9728 §3.3");
    let bound = metadata.dpop_bound_access_tokens_required;
    let resource = Resource {
        // A token is for the server's own URL, whatever else it is called.
        identifier: if fits { metadata.resource } else { canonical(&world.place.server) },
        metadata: Some(place),
        scopes: metadata.scopes_supported,
        bound,
    };
    match choose(world, &aim, issuers) {
        Ok(issuers) => server_metadata::begin(world, aim, resource, issuers),
        Err(breach) => breach.into(),
    }
}

/// The issuers in words; what could not be used is only counted.
fn named(issuers: &[Named]) -> String {
    let usable = issuers.iter().filter(|it| it.endpoint.is_some());
    let mut shown: Vec<_> = usable.map(|it| without_query(&it.issuer)).collect();
    let others = issuers.len().saturating_sub(shown.len());
    if others > 0 {
        shown.push(format!("{others} that may not be used"));
    }
    ["it names ", &shown.join(" and ")].concat()
}

/// Which of the named servers are tried, in order (RFC 9728 §7.6): those for which a client is configured come
/// first, because no other can be used as well, and after them those that know the client already.
fn choose(world: &mut World, aim: &Aim, named: Vec<Named>) -> Result<Vec<Named>, Breach> {
    if let ServerChoice::Pinned(pinned) = &world.config.policies().authorization_server {
        let pinned_one = named.iter().find(|named| world.config.is_issuer(pinned, &named.issuer));
        if let Some(issuer) = pinned_one {
            return Ok(vec![issuer.clone()]);
        }
        let others: Vec<_> = named.iter().map(|it| it.issuer.as_str()).collect();
        return Err(Breach::new(Kind::IssuerMismatch, "RFC 9728 §7.6", pinned, others.join(" ")));
    }
    let known =
        |named: &Named| world.config.client_for(&named.issuer).is_some_and(|client| client.issuer.is_some());
    let familiar = |named: &Named| {
        let held = aim.held.as_ref().is_some_and(|held| held.authorization_server.named == named.issuer);
        held || world.learnt.registered(&named.issuer).is_some()
    };
    let (mut first, rest): (Vec<_>, Vec<_>) = named.into_iter().partition(known);
    let (familiar, rest): (Vec<_>, Vec<_>) = rest.into_iter().partition(familiar);
    first.extend(familiar.into_iter().chain(rest));
    // Each may take several exchanges of several seconds, and the list is the server's.
    first.truncate(MAX_SERVERS_TRIED);
    Ok(first)
}

impl Search {
    fn miss(&mut self, world: &mut World, url: &str, status: Option<u16>, breach: Breach, clean: bool) {
        world.passed_over(url, status, &breach);
        self.clean &= clean;
        // What is wrong with a document that is there tells more than where there is none.
        let weight = |kind: Kind| {
            if kind == Kind::ResourceMismatch {
                3
            } else if kind == Kind::NotFound {
                0
            } else if kind == Kind::NotADocument {
                1
            } else {
                2
            }
        };
        if self.worst.as_ref().is_none_or(|worst| weight(worst.kind) < weight(breach.kind)) {
            self.worst = Some(breach);
        }
    }
}

/// No candidate gave metadata: what is pinned, or the fallbacks of MCP 2025-03-26, or nothing.
fn without_metadata(world: &mut World, aim: Aim, search: Search) -> Result<Turn, Breach> {
    let missing = || Breach::new(Kind::NotFound, CLAUSE, "protected resource metadata", "none");
    let worst = search.worst.unwrap_or_else(missing);
    if !search.clean {
        return Err(worst);
    }
    let resource =
        Resource { identifier: canonical(&world.place.server), metadata: None, scopes: None, bound: false };
    let policy = world.config.policies();
    if let ServerChoice::Pinned(issuer) = &policy.authorization_server {
        let issuer = issuer.clone();
        world.note(
            Verdict::Deviation,
            "no resource metadata; the issuer that `authorization_server` pins is used",
            "MCP 2026-07-28, authorization server location",
        );
        return Ok(server_metadata::begin(world, aim, resource, vec![issuer.into()]));
    }
    let refuse = |why: &str| Breach::new(Kind::FallbackRefused, LEGACY, "protected resource metadata", why);
    if policy.legacy == Legacy::Refused {
        return Err(refuse("none, and policy refuses the fallback"));
    }
    if *world.config.flow() != GrantType::AuthorizationCode {
        return Err(refuse("none, and only a person in a browser is sent to a guessed endpoint"));
    }
    if world.config.known_clients().iter().any(|client| client.client_secret.is_some()) {
        return Err(refuse("none, and a configured client secret is not sent to a guessed endpoint"));
    }
    let issuer = origin(world.place.server.url());
    if world.config.registration_token(&issuer).is_some() {
        return Err(refuse("none, and an initial access token is not sent to a guessed endpoint"));
    }
    if world.config.software_statement_for(&issuer).is_some() {
        return Err(refuse("none, and a software statement is not sent to a guessed endpoint"));
    }
    world.note(Verdict::Decided, "no resource metadata anywhere: the server's own origin is tried", LEGACY);
    Ok(server_metadata::begin_legacy(world, aim, resource, issuer))
}
