//! Harmless questions to the endpoints, asked only on demand: what they make of a code and a client that do not exist.

use http::{Request, header};
use mcp_auth::base::guard::same_origin;
use mcp_auth::wire::json::Object;
use url::Url;
use url::form_urlencoded::Serializer;

use super::catalogue::authorization_server as rules;
use super::evidence::{Answer, Exchange, Issuer, words};
use super::report::{Section, Told};

/// A name that can be nobody's (RFC 2606 §2): no browser that follows a redirect there arrives.
const REDIRECT_URI: &str = "https://mcp-auth-inspect.invalid/callback";
const CLIENT_ID: &str = "mcp-auth-inspect";
/// Fit for PKCE (RFC 7636 §4), and nobody's: the verifier is no secret, as no code goes with it.
const MADE_UP: &str = "mcp-auth-inspect-presents-no-verifier-and-no-code";

/// A token request with a code that was never issued.
pub(crate) fn token(endpoint: &Url) -> Option<Request<Vec<u8>>> {
    let body = Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("code", MADE_UP)
        .append_pair("redirect_uri", REDIRECT_URI)
        .append_pair("client_id", CLIENT_ID)
        .append_pair("code_verifier", MADE_UP)
        .finish();
    Request::post(endpoint.as_str())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .body(body.into_bytes())
        .ok()
}

/// An authorization request of a client that nobody knows.
pub(crate) fn authorize(endpoint: &Url) -> Option<Request<Vec<u8>>> {
    let mut url = endpoint.clone();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", CLIENT_ID)
        .append_pair("redirect_uri", REDIRECT_URI)
        .append_pair("state", "none")
        .append_pair("code_challenge", MADE_UP)
        .append_pair("code_challenge_method", "S256");
    Request::get(url.as_str()).header(header::ACCEPT, "text/html").body(Vec::new()).ok()
}

/// Judges what came of them.
pub(crate) fn judge(section: &mut Section, issuer: &Issuer) {
    let probes = [("a made-up code", &issuer.token), ("a made-up client", &issuer.authorize)];
    for (what, exchange) in probes {
        section.exchanges.extend(exchange.as_ref().map(|exchange| Told::of(what, exchange)));
    }
    if let Some(exchange) = &issuer.token {
        match exchange.answer() {
            Some(answer) => token_error(section, exchange, answer),
            None => section.wrong(&rules::TOKEN_ERROR, exchange.shown()),
        }
    }
    if let Some(exchange) = &issuer.authorize {
        authorized(section, exchange);
    }
}

fn token_error(section: &mut Section, exchange: &Exchange, answer: &Answer) {
    let said = Object::read(&answer.body).ok();
    let error = said.as_ref().and_then(|said| said.text("error", "RFC 6749 §5.2").ok().flatten());
    let told = exchange.shown();
    let Some(error) = error else {
        let kind = answer.field("content-type").map_or("no content type".to_owned(), |kind| words(&kind));
        section.wrong(&rules::TOKEN_ERROR, format!("{told}, {kind}, and no error that can be read"));
        return;
    };
    let got = format!("{told}, {error}");
    match (answer.status, error) {
        (400 | 401, "invalid_grant" | "invalid_client") => section.ok(&rules::TOKEN_ERROR, got),
        (400 | 401, _) => section.note(&rules::TOKEN_ERROR, got),
        // Some servers do so, and clients have learnt it.
        (200, _) => section.odd(&rules::TOKEN_ERROR, got),
        _ => section.wrong(&rules::TOKEN_ERROR, got),
    }
}

fn authorized(section: &mut Section, exchange: &Exchange) {
    let target = || {
        let answer = exchange.answer().filter(|answer| answer.is_redirect())?;
        let base = Url::parse(&exchange.url).ok()?;
        base.join(&answer.field("location")?).ok()
    };
    let ours = Url::parse(REDIRECT_URI).ok();
    let sent_on = target().zip(ours).is_some_and(|(target, ours)| same_origin(&target, &ours));
    match exchange.status() {
        Some(404 | 405 | 410 | 500..) | None => section.wrong(&rules::AUTHORIZE, exchange.shown()),
        Some(_) => section.ok(&rules::AUTHORIZE, exchange.shown()),
    }
    if sent_on {
        section.wrong(&rules::AUTHORIZE_REDIRECT, exchange.shown());
    } else if exchange.came.is_ok() {
        section.ok(&rules::AUTHORIZE_REDIRECT, exchange.shown());
    }
}
