//! What the fuzzer does with its bytes. Each body takes any bytes, and panics only if something is broken.

#[path = "flow.rs"]
mod flow;

use std::net::IpAddr;

use mcp_auth::wire::callback::{Expected, MAX_RESPONSE};
use mcp_auth::wire::challenge::{self, Demand};
use mcp_auth::wire::json::Object;
use mcp_auth::wire::registration::Registration;
use mcp_auth::wire::resource_metadata::{ResourceMetadata, covers};
use mcp_auth::wire::server_metadata::{IssuerMatch, Pkce, ServerMetadata};
use mcp_auth::wire::token::{TokenAnswer, TokenShape};
use mcp_auth::{AuthMethod, Callback, Guard, Reach, Secret, Timestamp};
use url::Url;

use flow::Flow;

/// A body, by the name of its target.
pub(crate) type Body = fn(&[u8]);

/// All bodies.
pub(crate) const BODIES: &[(&str, Body)] = &[
    ("challenge", challenge),
    ("documents", documents),
    ("answers", answers),
    ("callback", callback),
    ("guard", guard),
    ("flow", flow),
];

/// `WWW-Authenticate`: a good challenge in a field of its own is found, whatever the others hold.
pub(crate) fn challenge(data: &[u8]) {
    let good = b"Bearer resource_metadata=\"https://a.example/x\", scope=\"a\"";
    let fields: Vec<_> = data.split(|byte| *byte == b'\n').take(8).collect();
    let read = challenge::read(fields.iter().copied());
    assert!(read.len() <= challenge::MAX_CHALLENGES);
    let _ = Demand::of(&read);
    if data.len() < 4096 && read.len() < challenge::MAX_CHALLENGES {
        let found = Demand::of(&challenge::read(fields.iter().copied().chain([&good[..]])));
        assert!(found.resource_metadata.iter().any(|url| url == "https://a.example/x"));
    }
}

/// Metadata documents: what is read passes its own checks, and nothing panics.
pub(crate) fn documents(data: &[u8]) {
    let _ = Object::read(data);
    let server = Url::parse("https://mcp.example/mcp").unwrap();
    if let Ok(metadata) = ResourceMetadata::read(data) {
        assert!(!metadata.authorization_servers.is_empty());
        if covers(&metadata.resource, &server) {
            assert!(metadata.resource.to_ascii_lowercase().starts_with("https://mcp.example"));
        }
    }
    for rule in [IssuerMatch::Exact, IssuerMatch::IgnoreLoneSlash] {
        if let Ok(metadata) = ServerMetadata::read(data, "https://as.example", rule) {
            assert_eq!(metadata.issuer.trim_end_matches('/'), "https://as.example");
            if metadata.check(&Guard::new(Reach::Public), Pkce::Required).is_ok() {
                let endpoint = metadata.token_endpoint.unwrap();
                assert!(endpoint.to_ascii_lowercase().starts_with("https://"));
            }
        }
    }
}

/// Token and registration answers: what is taken can be carried by a header field.
pub(crate) fn answers(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let status = [200, 201, 400, 401, 403, 500, 302, 204][usize::from(*first % 8)];
    let form = (first & 8 != 0).then_some("application/x-www-form-urlencoded");
    let now = Timestamp::from_secs(u64::MAX - 5);
    let shape = TokenShape::with(|it| {
        it.missing_type_is_bearer = first & 16 != 0;
        it.comma_scopes = first & 32 != 0;
    });
    if let Ok(answer) = TokenAnswer::read(status, form, body, now, shape) {
        let field = format!("Bearer {}", answer.access_token.expose());
        assert!(http::HeaderValue::try_from(field).is_ok());
    }
    if let Ok(registration) = Registration::read(status, body)
        && let Ok(client) = registration.judge(AuthMethod::None, "http://127.0.0.1:1/cb", now)
    {
        assert!(client.method == AuthMethod::None || client.secret.is_some());
    }
}

/// Authorization responses: a code comes only with the right state and issuer, and then it comes whatever stands beside.
pub(crate) fn callback(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let state = Secret::new("the-state");
    let expected =
        Expected { state: &state, issuer: "https://as.example", iss_required: true, issuer_aliases: &[] };
    let callback = Callback::new(text.as_ref());
    let _ = callback.state();
    if callback.judge(&expected).is_ok() {
        assert_eq!(callback.state().as_deref(), Some("the-state"));
    }
    let good = format!(
        "state=the-state&iss=https%3A%2F%2Fas.example&code=good&x={}",
        text.replace(['&', '#', '?'], "")
    );
    if good.len() <= MAX_RESPONSE {
        assert_eq!(Callback::new(good).judge(&expected).unwrap().code.expose(), "good");
    }
}

/// URLs: what passes is https or loopback, bare, within reach, and names the host that stands there to the eye.
pub(crate) fn guard(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(endpoint) = Guard::new(Reach::Loopback).check(&text) else { return };
    let uri = http::Uri::try_from(endpoint.url().as_str()).unwrap();
    let host = uri.host().unwrap();
    let authority = text.split_once("://").unwrap().1.split(['/', '?']).next().unwrap().to_ascii_lowercase();
    assert!(authority == host || authority.strip_prefix(host).unwrap().starts_with(':'));
    assert!(!uri.authority().unwrap().as_str().contains('@'));
    assert!(!text.contains(['#', '\\', ' ', '"', '\'', '`', '<', '>', '\n']));
    let loopback = match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => {
            assert!(!address.is_private() && !address.is_link_local() && !address.is_unspecified());
            address.is_loopback()
        }
        Ok(IpAddr::V6(address)) => {
            assert!(
                !address.is_unique_local() && !address.is_unicast_link_local() && !address.is_unspecified()
            );
            address.to_canonical().is_loopback()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    };
    assert!(uri.scheme_str() == Some("https") || loopback);
}

/// A whole run under the watch.
pub(crate) fn flow(data: &[u8]) {
    grants(data);
}

/// The same; says how many of its attempts ended with a token.
pub(crate) fn grants(data: &[u8]) -> usize {
    Flow::new(data).run()
}
