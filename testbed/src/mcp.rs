//! The MCP server as a protected resource: tokens and challenges (RFC 6750, RFC 9449 §7, RFC 9728 §5.1).

use http::{Method, header};
use serde_json::{Value, json};

use crate::authorization_server::{AuthorizationServer, Grant};
use crate::dials::{Challenge, Dpop, InvalidToken, Refusal, StepUp};
use crate::documents::Site;
use crate::dpop::{self, INVALID_PROOF, Proofs};
use crate::message::{self, Answer, Asked};
use crate::rpc;

/// A tool of the server.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) argument: &'static str,
    /// The scope it needs besides those that every request needs.
    pub(crate) scope: Option<&'static str>,
}

pub(crate) const TOOLS: [Tool; 3] = [
    Tool { name: "echo", description: "Gives back the text.", argument: "text", scope: None },
    Tool { name: "read_file", description: "Reads a file.", argument: "path", scope: Some("files:read") },
    Tool { name: "write_file", description: "Writes a file.", argument: "path", scope: Some("files:write") },
];

/// Answers a request to the MCP endpoint.
pub(crate) fn answer(
    site: Site<'_>,
    servers: &mut [AuthorizationServer],
    proofs: &mut Proofs,
    now: u64,
    request: &Asked,
) -> Answer {
    if foreign_origin(site, request) {
        return message::json(403, &rpc::error(None, -32600, "The Origin header is not this server's."));
    }
    let body: Option<Value> = serde_json::from_slice(request.body()).ok();
    let method =
        body.as_ref().and_then(|body| body.get("method")).and_then(Value::as_str).unwrap_or_default();
    let open = site.dials.unprotected.iter().any(|open| open == method);
    if !open && let Err(refusal) = admit(site, servers, proofs, now, request, body.as_ref()) {
        return refusal;
    }
    if request.method() != Method::POST {
        let mut answer = message::text(405, "The MCP endpoint takes POST.");
        message::set(&mut answer, header::ALLOW, "POST");
        return answer;
    }
    let mut answer = rpc::answer(site, request, body.as_ref());
    if let (false, Some(dials)) = (open, &site.dials.dpop) {
        proofs.rotate(dials.resource_nonces, now, &mut answer);
    }
    answer
}

/// Whether the token allows the request; if not, what is answered.
fn admit(
    site: Site<'_>,
    servers: &mut [AuthorizationServer],
    proofs: &mut Proofs,
    now: u64,
    request: &Asked,
    body: Option<&Value>,
) -> Result<(), Answer> {
    let Some((token, scheme)) = presented(site, request) else {
        let error = site.dials.challenge_error.then_some("invalid_token");
        return Err(unauthorized(site, error, "There is no access token."));
    };
    let key = match (&site.dials.dpop, scheme) {
        (Some(dials), "DPoP") => Some(proven(site, dials, proofs, now, request, token)?),
        _ => None,
    };
    // A bound token needs the proof of its own key, and is nothing without it (RFC 9449 §7.1).
    let fits = |grant: &Grant| site.dials.dpop.is_none() || grant.key == key;
    let Some(grant) = grant(site, servers, now, token).filter(fits) else {
        if site.dials.expired_token_ends_grant {
            end_grant_of(site, servers, now, token);
        }
        return Err(match site.dials.invalid_token {
            InvalidToken::Unauthorized => {
                unauthorized(site, Some("invalid_token"), "The access token is not valid.")
            }
            InvalidToken::UnauthorizedPlain => unauthorized(site, None, "The access token is not valid."),
            InvalidToken::InternalError => message::text(500, "Internal Server Error"),
        });
    };
    match site.dials.refusal {
        Refusal::None => {}
        Refusal::Unauthorized => {
            return Err(unauthorized(site, Some("invalid_token"), "No token is good enough."));
        }
        Refusal::InsufficientScope => return Err(insufficient(site, &["never:enough".to_owned()])),
        Refusal::Forbidden => return Err(message::text(403, "Forbidden")),
    }
    let mut needed = site.dials.required_scopes.clone();
    needed.extend(tool_scope(body).map(str::to_owned));
    needed.dedup();
    if needed.iter().all(|scope| grant.scopes.contains(scope)) {
        return Ok(());
    }
    Err(insufficient(site, &step_up(site, &grant, needed)))
}

/// The access token and the scheme that it comes by.
fn presented<'a>(site: Site<'_>, request: &'a Asked) -> Option<(&'a str, &'static str)> {
    let schemes: &[&'static str] = match (&site.dials.dpop, &site.dials.challenge) {
        (Some(Dpop { required: true, .. }), _) | (None, Challenge::Dpop) => &["DPoP"],
        (Some(Dpop { required: false, .. }), _) => &["DPoP", "Bearer"],
        (None, _) => &["Bearer"],
    };
    schemes.iter().find_map(|scheme| Some((message::credentials(request, scheme)?, *scheme)))
}

/// The thumbprint of the key whose possession the request proves.
fn proven(
    site: Site<'_>,
    dials: &Dpop,
    proofs: &mut Proofs,
    now: u64,
    request: &Asked,
    token: &str,
) -> Result<String, Answer> {
    match proofs.judge(dials, dials.resource_nonces, now, request, Some(token)) {
        Ok(Some(key)) => Ok(key),
        Ok(None) => {
            Err(unauthorized(site, Some(INVALID_PROOF), "There is no proof beside the access token."))
        }
        Err(unproven) => {
            let mut answer = unauthorized(site, Some(unproven.error), &unproven.why);
            dpop::give(&mut answer, unproven.nonce.as_deref());
            Err(answer)
        }
    }
}

fn grant(site: Site<'_>, servers: &[AuthorizationServer], now: u64, token: &str) -> Option<Grant> {
    let resources = site.resources();
    let own = |grant: &&Grant| resources.contains(&grant.resource) || grant.resource == site.resource();
    servers
        .iter()
        .filter(|server| site.trusts(server.index))
        .find_map(|server| server.access(token, now).filter(own).cloned())
}

fn end_grant_of(site: Site<'_>, servers: &mut [AuthorizationServer], now: u64, token: &str) {
    for server in servers {
        if let Some(family) = server.access.get(token).map(|token| token.grant.family) {
            server.end_family(site, now, family);
        }
    }
}

fn tool_scope(body: Option<&Value>) -> Option<&'static str> {
    let body = body?;
    if body.get("method")?.as_str()? != "tools/call" {
        return None;
    }
    let name = body.get("params")?.get("name")?.as_str()?;
    TOOLS.iter().find(|tool| tool.name == name)?.scope
}

fn step_up(site: Site<'_>, grant: &Grant, needed: Vec<String>) -> Vec<String> {
    match site.dials.step_up {
        StepUp::Needed => needed,
        StepUp::Unnamed => Vec::new(),
        StepUp::Missing => needed.into_iter().filter(|scope| !grant.scopes.contains(scope)).collect(),
        StepUp::Union => {
            let mut union = grant.scopes.clone();
            union.extend(needed);
            let mut seen = std::collections::BTreeSet::new();
            union.retain(|scope| seen.insert(scope.clone()));
            union
        }
    }
}

fn unauthorized(site: Site<'_>, error: Option<&str>, words: &str) -> Answer {
    let body = json!({ "error": error.unwrap_or("unauthorized"), "error_description": words });
    let mut answer = message::json(401, &body);
    let scopes = if site.dials.challenge_scope { site.dials.required_scopes.clone() } else { Vec::new() };
    challenge(site, &mut answer, error, &scopes, words);
    answer
}

fn insufficient(site: Site<'_>, scopes: &[String]) -> Answer {
    let words = "The access token lacks a scope that this needs.";
    let body = json!({ "error": "insufficient_scope", "error_description": words });
    let mut answer = message::json(403, &body);
    challenge(site, &mut answer, Some("insufficient_scope"), scopes, words);
    answer
}

/// Adds `WWW-Authenticate` in the shape of the dial.
fn challenge(site: Site<'_>, answer: &mut Answer, error: Option<&str>, scopes: &[String], words: &str) {
    let described =
        |error: Option<&str>| error.map(|error| format!("error=\"{error}\", error_description=\"{words}\""));
    let mut common = Vec::new();
    if !scopes.is_empty() {
        common.push(format!("scope=\"{}\"", scopes.join(" ")));
    }
    for url in site.advertised_metadata() {
        common.push(format!("resource_metadata=\"{url}\""));
    }
    let with = |scheme: &str, first: Option<String>, error: Option<&str>| {
        let parameters: Vec<String> =
            first.into_iter().chain(described(error)).chain(common.iter().cloned()).collect();
        format!("{scheme} {}", parameters.join(", ")).trim_end().to_owned()
    };
    let by_proof = |algorithms: &str| with("DPoP", Some(format!("algs=\"{algorithms}\"")), error);
    // What is wrong with a proof is nothing to somebody who sends none (RFC 9449 §7.2).
    let of_proofs = matches!(error, Some("use_dpop_nonce" | INVALID_PROOF));
    let bearer = with("Bearer", None, error.filter(|_| !of_proofs));
    let bound = site.dials.dpop.as_ref().map(|dials| by_proof(&dials.algorithms.join(" ")));
    let (main, second) = match (&site.dials.dpop, bound) {
        (Some(Dpop { required: true, .. }), Some(bound)) => (bound, None),
        (_, bound) => (bearer, bound),
    };
    let mut values = match &site.dials.challenge {
        Challenge::None => Vec::new(),
        Challenge::Bearer | Challenge::DuplicatedMetadata => vec![main],
        Challenge::Bare => vec!["Bearer".to_owned()],
        Challenge::Several => vec!["Negotiate".to_owned(), "Basic realm=\"a, \\\"b\\\"\"".to_owned(), main],
        Challenge::Joined => vec![format!("Basic realm=\"testbed\", charset=\"UTF-8\", {main}")],
        Challenge::BareThenBearer => vec!["Bearer".to_owned(), main],
        Challenge::Dpop => vec![by_proof("ES256")],
        Challenge::Raw(text) => vec![text.clone()],
    };
    if !matches!(site.dials.challenge, Challenge::None | Challenge::Dpop | Challenge::Raw(_)) {
        values.extend(second);
    }
    for value in values {
        message::set(answer, header::WWW_AUTHENTICATE, &value);
    }
}

/// A page of another origin may not talk to the server (Streamable HTTP, against DNS rebinding).
fn foreign_origin(site: Site<'_>, request: &Asked) -> bool {
    request.headers().get(header::ORIGIN).is_some_and(|origin| origin != site.origins.server.as_str())
}
