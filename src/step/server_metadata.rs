//! Awaits authorization server metadata (RFC 8414, OpenID Connect Discovery): each issuer in turn, each form in
//! turn, until one document is the issuer's own and can be used.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use super::fetch::{Fetch, Fetched};
use super::resource_metadata::Resource;
use super::{Aim, Step, Turn, World, client};
use crate::action::Purpose;
use crate::base::breach::{Breach, Kind};
use crate::base::guard::Endpoint;
use crate::base::scope::Scopes;
use crate::credential::AuthorizationServer;
use crate::event::Answer;
use crate::grant_type::{Binding, Binds, GrantType};
use crate::policy::{IssuerScopes, ScopeSources};
use crate::trail::Verdict;
use crate::wire::jws::Algorithm;
use crate::wire::server_metadata::{
    Candidate, Endpoints, IssuerMatch, Pkce, ServerMetadata, candidates, forms,
};

const CLAUSE: &str = "RFC 8414 §3";
pub(crate) const SCOPES: &str = "MCP 2026-07-28, scope selection strategy";
/// Said where other scopes are asked for than without the policy.
pub(crate) const BY_ISSUER: &str = "the scopes are others by `scopes` of this issuer's policy";
const LEGACY: &str = "MCP 2025-03-26, fallbacks for servers without metadata discovery";

#[derive(Clone, Debug)]
pub(crate) struct FindingServer {
    pub(crate) fetch: Fetch,
    search: Search,
}

#[derive(Clone, Debug)]
struct Search {
    aim: Aim,
    resource: Resource,
    /// The issuer whose documents are tried now, as it was named.
    issuer: String,
    forms: VecDeque<Candidate>,
    issuers: VecDeque<Named>,
    legacy: bool,
    clean: bool,
    /// The first thing that was wrong with a document, or else the first miss.
    worst: Option<Breach>,
}

/// An issuer as it was named.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) issuer: String,
    /// The same, where the guard has let it pass already. One that it has refused is judged again, to say why.
    pub(crate) endpoint: Option<Endpoint>,
}

impl From<String> for Named {
    fn from(issuer: String) -> Self {
        Self { issuer, endpoint: None }
    }
}

/// An authorization server that can be used, and what it offers.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) aim: Aim,
    pub(crate) resource: Resource,
    pub(crate) server: Arc<AuthorizationServer>,
    pub(crate) endpoints: Arc<Endpoints>,
    /// There is no metadata: the endpoints are where anybody would guess them.
    pub(crate) guessed: bool,
    /// What its metadata says of clients; these three are named as there.
    pub(crate) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    pub(crate) token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    pub(crate) client_id_metadata_document_supported: bool,
    pub(crate) asked: Scopes,
    pub(crate) binding: Option<Binding>,
}

/// Tries the named authorization servers in order.
pub(crate) fn begin(world: &mut World, aim: Aim, resource: Resource, issuers: Vec<Named>) -> Turn {
    next(world, Search::new(aim, resource, issuers.into(), false))
}

/// Tries the MCP server's own origin, by MCP 2025-03-26.
pub(crate) fn begin_legacy(world: &mut World, aim: Aim, resource: Resource, issuer: String) -> Turn {
    next(world, Search::new(aim, resource, VecDeque::from([issuer.into()]), true))
}

impl Search {
    fn new(aim: Aim, resource: Resource, issuers: VecDeque<Named>, legacy: bool) -> Self {
        let (issuer, forms) = (String::new(), VecDeque::new());
        Self { aim, resource, issuer, forms, issuers, legacy, clean: true, worst: None }
    }

    fn miss(&mut self, world: &mut World, url: &str, status: Option<u16>, breach: Breach, clean: bool) {
        world.passed_over(url, status, &breach);
        self.clean &= clean;
        let vague = |kind: Kind| matches!(kind, Kind::NotFound | Kind::NotADocument);
        if self.worst.as_ref().is_none_or(|worst| vague(worst.kind) && !vague(breach.kind)) {
            self.worst = Some(breach);
        }
    }
}

fn next(world: &mut World, mut search: Search) -> Turn {
    loop {
        if let Some(Candidate { url, .. }) = search.forms.pop_front() {
            match Fetch::begin(world, Purpose::ServerMetadata, &url, CLAUSE) {
                Ok(fetch) => {
                    return Turn::Await(Step::FindingServer(Box::new(FindingServer { fetch, search })));
                }
                Err(breach) => search.miss(world, &url, None, breach, false),
            }
        } else if let Some(Named { issuer, endpoint }) = search.issuers.pop_front() {
            match endpoint.as_ref().map_or_else(|| candidates(&issuer, &world.place.guard), forms) {
                Ok(forms) => search.forms = forms.into(),
                Err(breach) => search.miss(world, &issuer, None, breach, false),
            }
            search.issuer = issuer;
        } else {
            return without_metadata(world, search);
        }
    }
}

impl FindingServer {
    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Turn {
        let Self { fetch, mut search } = self;
        match fetch.on(world, answer) {
            Fetched::Again(fetch) => {
                return Turn::Await(Step::FindingServer(Box::new(Self { fetch, search })));
            }
            Fetched::Missed { url, status, breach, clean } => search.miss(world, &url, status, breach, clean),
            Fetched::Body { url, body } => {
                let policy = world.config.issuer_policy(&search.issuer);
                let metadata =
                    ServerMetadata::read(&body, policy.expected_issuer(&search.issuer), policy.issuer_match);
                match metadata.map(|it| check(world, &it, policy.pkce).map(|endpoints| (it, endpoints))) {
                    Ok(Ok((metadata, endpoints))) => {
                        taken(world, &search.issuer, &url, &metadata);
                        return found(world, search, metadata, endpoints, false);
                    }
                    // The issuer has spoken. What it says elsewhere does not unsay it.
                    Ok(Err(breach)) => {
                        world.learnt.find_unfit(&search.issuer);
                        search.forms.clear();
                        search.miss(world, &url, Some(200), breach, false);
                    }
                    Err(breach) => {
                        let clean = breach.kind == Kind::NotADocument;
                        search.miss(world, &url, Some(200), breach, clean);
                    }
                }
            }
        }
        next(world, search)
    }
}

/// What was checked, and by which policy.
fn taken(world: &mut World, issuer: &str, url: &str, metadata: &ServerMetadata) {
    let policy = world.config.issuer_policy(issuer);
    world.taken(url, 200, "authorization server metadata", CLAUSE);
    if metadata.issuer == issuer {
        world.note(Verdict::Checked, ["the issuer is ", issuer].concat(), "RFC 8414 §3.3");
    } else {
        let rule = match (&policy.metadata_issuer, policy.issuer_match) {
            (Some(_), _) => "metadata_issuer",
            (None, IssuerMatch::Exact) => "issuer_match: exact",
            (None, IssuerMatch::IgnoreLoneSlash) => "issuer_match: ignore_lone_slash",
        };
        let note = format!("the issuer {} is taken for {issuer} by `{rule}`", metadata.issuer);
        world.note(Verdict::Deviation, note, "RFC 8414 §3.3");
    }
    let advertised = metadata.code_challenge_methods_supported.is_some();
    match policy.pkce {
        Pkce::AssumeS256 if !advertised => {
            let note = "PKCE with S256 is assumed by `pkce: assume_s256`";
            world.note(Verdict::Deviation, note, "MCP 2026-07-28, authorization code protection");
        }
        Pkce::AssumeS256 | Pkce::Required => {
            let note = "PKCE with S256 is advertised";
            world.note(Verdict::Checked, note, "MCP 2026-07-28, authorization code protection");
        }
    }
}

/// Whether the server offers what this way of obtaining tokens needs.
fn check(world: &World, metadata: &ServerMetadata, pkce: Pkce) -> Result<Endpoints, Breach> {
    match world.config.flow() {
        GrantType::AuthorizationCode => metadata.check(&world.place.guard, pkce),
        GrantType::DeviceCode => {
            metadata.check_grant(&world.place.guard, "urn:ietf:params:oauth:grant-type:device_code")
        }
        GrantType::ClientCredentials => metadata.check_grant(&world.place.guard, "client_credentials"),
        GrantType::WorkloadIdentity => {
            metadata.check_grant(&world.place.guard, "urn:ietf:params:oauth:grant-type:jwt-bearer")
        }
        GrantType::EnterpriseManaged(_) => {
            let endpoints =
                metadata.check_grant(&world.place.guard, "urn:ietf:params:oauth:grant-type:jwt-bearer")?;
            metadata.check_id_jag()?;
            Ok(endpoints)
        }
    }
}

/// No document: the default endpoints of MCP 2025-03-26, or nothing.
fn without_metadata(world: &mut World, search: Search) -> Turn {
    if search.legacy && search.clean {
        let metadata = ServerMetadata::legacy(world.place.server.url());
        let endpoints = match metadata.check(&world.place.guard, Pkce::Required) {
            Ok(endpoints) => endpoints,
            Err(breach) => return breach.into(),
        };
        world.note(Verdict::Decided, "no server metadata either: the default endpoints are used", LEGACY);
        return found(world, search, metadata, endpoints, true);
    }
    let missing = || Breach::new(Kind::NotFound, CLAUSE, "authorization server metadata", "none");
    search.worst.unwrap_or_else(missing).into()
}

fn found(
    world: &mut World,
    search: Search,
    metadata: ServerMetadata,
    endpoints: Endpoints,
    guessed: bool,
) -> Turn {
    let Search { aim, resource, issuer, legacy, .. } = search;
    let sources = ScopeSources {
        challenged: aim.demand.scope.as_ref(),
        resource: resource.scopes.as_ref(),
        server: metadata.scopes_supported.as_ref(),
        asked: aim.asked_of(&issuer),
        wanted: Some(&aim.wanted),
        step_up: aim.step_up,
        nobody: !world.config.flow().needs_person(),
    };
    let (rule, policy) = (world.config.scope_rule(), world.config.issuer_policy(&issuer));
    let asked = rule.select_at(&policy.scopes, sources);
    if policy.scopes != IssuerScopes::default() && asked != rule.select(sources) {
        world.note(Verdict::Deviation, BY_ISSUER, SCOPES);
    }
    let shown: Cow<'static, str> = if asked.is_empty() {
        "no scope is asked for".into()
    } else {
        ["scopes: ", asked.as_str()].concat().into()
    };
    world.note(Verdict::Decided, shown, SCOPES);
    let pushed = pushes(world, &issuer, &metadata);
    let ServerMetadata {
        token_endpoint_auth_methods_supported,
        token_endpoint_auth_signing_alg_values_supported,
        client_id_metadata_document_supported,
        ..
    } = metadata;
    let server = Arc::new(AuthorizationServer {
        issuer: metadata.issuer,
        named: issuer,
        authorization_endpoint: metadata.authorization_endpoint.unwrap_or_default(),
        token_endpoint: metadata.token_endpoint.unwrap_or_default(),
        revocation_endpoint: metadata.revocation_endpoint,
        pushed_authorization_request_endpoint: pushed,
        device_authorization_endpoint: metadata.device_authorization_endpoint,
        iss_parameter_supported: metadata.authorization_response_iss_parameter_supported,
        legacy,
    });
    // Even if nothing comes of this attempt: no older record counts against what was read.
    world.learnt.read(&server);
    let of_server = metadata.dpop_signing_alg_values_supported.as_deref();
    let binding = match binding(world, &aim, &resource, of_server) {
        Ok(binding) => binding,
        Err(breach) => return breach.into(),
    };
    let found = Found {
        aim,
        resource,
        server,
        endpoints: Arc::new(endpoints),
        guessed,
        token_endpoint_auth_methods_supported,
        token_endpoint_auth_signing_alg_values_supported,
        client_id_metadata_document_supported,
        asked,
        binding,
    };
    client::choose(world, found)
}

/// Where authorization requests are pushed, if they are: where the server demands it, or policy wants it.
fn pushes(world: &mut World, issuer: &str, metadata: &ServerMetadata) -> Option<String> {
    let endpoint = metadata.pushed_authorization_request_endpoint.clone()?;
    if metadata.require_pushed_authorization_requests {
        return Some(endpoint);
    }
    let wanted = world.config.issuer_policy(issuer).push;
    // Other grants have no such requests.
    if wanted && matches!(world.config.flow(), GrantType::AuthorizationCode) {
        world.note(Verdict::Deviation, "authorization requests are pushed by `push`", "RFC 9126 §5");
    }
    wanted.then_some(endpoint)
}

/// The key that the token is to be bound to, if the challenge, the resource or the host asks for it. What was bound
/// once stays so.
fn binding(
    world: &mut World,
    aim: &Aim,
    resource: &Resource,
    of_server: Option<&[String]>,
) -> Result<Option<Binding>, Breach> {
    let Some(key) = world.config.key_of_proofs() else { return Ok(None) };
    let before = aim.held.as_ref().is_some_and(|held| held.binding.is_some());
    let asked = aim.demand.dpop || resource.bound || before;
    if !asked && key.binds != Binds::Always {
        return Ok(None);
    }
    let of_resource = Some(aim.demand.dpop_algorithms.as_slice()).filter(|names| !names.is_empty());
    let takes = |it: &Algorithm| of_resource.is_none_or(|names| names.iter().any(|name| name == it.as_str()));
    let taken: Vec<_> = key.public.algorithms().iter().copied().filter(takes).collect();
    let algorithm = if taken.is_empty() {
        // One proof is for the server and one for the resource; the key must do for both.
        Algorithm::choose(key.public.algorithms(), of_resource, "RFC 9449 §7.1")?
    } else {
        Algorithm::choose(&taken, of_server, "RFC 9449 §5.1")?
    };
    let binding = Binding { thumbprint: key.public.thumbprint(), algorithm };
    let note = format!("the token is to be bound to the key, with {}", algorithm.as_str());
    world.note(Verdict::Decided, note, "RFC 9449 §5");
    Ok(Some(binding))
}
