//! The MCP server as a protected resource: tokens and challenges (RFC 6750, RFC 9728 §5.1).

use http::{Method, header};
use serde_json::{Value, json};

use crate::authorization_server::{AuthorizationServer, Grant};
use crate::dials::{Challenge, InvalidToken, Refusal, StepUp};
use crate::documents::Site;
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
    now: u64,
    request: &Asked,
) -> Answer {
    if foreign_origin(site, request) {
        return message::json(403, &rpc::error(None, -32600, "The Origin header is not this server's."));
    }
    let body: Option<Value> = serde_json::from_slice(request.body()).ok();
    let method =
        body.as_ref().and_then(|body| body.get("method")).and_then(Value::as_str).unwrap_or_default();
    if !site.dials.unprotected.iter().any(|open| open == method)
        && let Err(refusal) = admit(site, servers, now, request, body.as_ref())
    {
        return refusal;
    }
    if request.method() != Method::POST {
        let mut answer = message::text(405, "The MCP endpoint takes POST.");
        message::set(&mut answer, header::ALLOW, "POST");
        return answer;
    }
    rpc::answer(site, request, body.as_ref())
}

/// Whether the token allows the request; if not, what is answered.
fn admit(
    site: Site<'_>,
    servers: &mut [AuthorizationServer],
    now: u64,
    request: &Asked,
    body: Option<&Value>,
) -> Result<(), Answer> {
    let scheme = if site.dials.challenge == Challenge::Dpop { "DPoP" } else { "Bearer" };
    let Some(token) = message::credentials(request, scheme) else {
        let error = site.dials.challenge_error.then_some("invalid_token");
        return Err(unauthorized(site, error, "There is no access token."));
    };
    let Some(grant) = grant(site, servers, now, token) else {
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
    let mut parameters = Vec::new();
    if let Some(error) = error {
        parameters.push(format!("error=\"{error}\", error_description=\"{words}\""));
    }
    if !scopes.is_empty() {
        parameters.push(format!("scope=\"{}\"", scopes.join(" ")));
    }
    for url in site.advertised_metadata() {
        parameters.push(format!("resource_metadata=\"{url}\""));
    }
    let with = |scheme: &str| format!("{scheme} {}", parameters.join(", ")).trim_end().to_owned();
    let values = match &site.dials.challenge {
        Challenge::None => Vec::new(),
        Challenge::Bearer | Challenge::DuplicatedMetadata => vec![with("Bearer")],
        Challenge::Bare => vec!["Bearer".to_owned()],
        Challenge::Several => {
            vec!["Negotiate".to_owned(), "Basic realm=\"a, \\\"b\\\"\"".to_owned(), with("Bearer")]
        }
        Challenge::Joined => vec![format!("Basic realm=\"testbed\", charset=\"UTF-8\", {}", with("Bearer"))],
        Challenge::BareThenBearer => vec!["Bearer".to_owned(), with("Bearer")],
        Challenge::Dpop => vec![with("DPoP algs=\"ES256\",")],
        Challenge::Raw(text) => vec![text.clone()],
    };
    for value in values {
        message::set(answer, header::WWW_AUTHENTICATE, &value);
    }
}

/// A page of another origin may not talk to the server (Streamable HTTP, against DNS rebinding).
fn foreign_origin(site: Site<'_>, request: &Asked) -> bool {
    request.headers().get(header::ORIGIN).is_some_and(|origin| origin != site.origins.server.as_str())
}
