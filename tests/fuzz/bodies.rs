//! What the fuzzer does with its bytes. Each body takes any bytes, and panics only if something is broken.

#[path = "clients.rs"]
mod clients;
#[path = "edits.rs"]
mod edits;
#[path = "flow.rs"]
mod flow;
#[path = "places.rs"]
pub(crate) mod places;
#[path = "recorded.rs"]
pub(crate) mod recorded;
#[path = "refusals.rs"]
pub(crate) mod refusals;
#[path = "servers.rs"]
mod servers;
#[path = "snapshots.rs"]
pub(crate) mod snapshots;
#[path = "words.rs"]
pub(crate) mod words;

use std::net::IpAddr;

use mcp_auth::wire::assertion::{self, Assertion, ExpectedIdJag};
use mcp_auth::wire::callback::{Expected, MAX_RESPONSE};
use mcp_auth::wire::challenge::{self, Demand};
use mcp_auth::wire::device::{self, DeviceAuthorization, Polled};
use mcp_auth::wire::dpop::{MAX_NONCE, Nonce, Proof};
use mcp_auth::wire::json::Object;
use mcp_auth::wire::jwk::PublicJwk;
use mcp_auth::wire::jws::{Algorithm, SigningInput};
use mcp_auth::wire::pushed::Pushed;
use mcp_auth::wire::registration::Registration;
use mcp_auth::wire::resource_metadata::{ResourceMetadata, covers};
use mcp_auth::wire::server_metadata::{IssuerMatch, Pkce, ServerMetadata};
use mcp_auth::wire::token::{ExchangeAnswer, TokenAnswer, TokenShape};
use mcp_auth::{AuthMethod, Callback, Guard, Reach, Secret, Timestamp};
use serde_json::{Map, Value};
use url::Url;

use flow::Flow;

/// A body, by the name of its target.
pub(crate) type Body = fn(&[u8]);

/// How many ways of being a client a flow chooses from, by its first byte.
pub(crate) const WAYS: usize = clients::COUNT;

/// All bodies.
pub(crate) const BODIES: &[(&str, Body)] = &[
    ("challenge", challenge),
    ("documents", documents),
    ("answers", answers),
    ("callback", callback),
    ("guard", guard),
    ("keys", keys),
    ("assertion", assertion),
    ("dpop", dpop),
    ("device", device),
    ("pushed", pushed),
    ("flow", flow),
    ("traces", recorded::traces),
    ("records", recorded::records),
    ("places", places::places),
    ("refusals", refusals::refusals),
    ("words", words::words),
    ("snapshots", snapshots::snapshots),
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
        it.authed_user = first & 128 != 0;
    });
    let bound = first & 64 != 0;
    if let Ok(answer) = TokenAnswer::read(status, form, body, now, shape, bound) {
        let field = format!("Bearer {}", answer.access_token.expose());
        assert!(http::HeaderValue::try_from(field).is_ok());
    }
    if let Ok(answer) = ExchangeAnswer::read(status, form, body, now) {
        assert!(TokenAnswer::read(status, form, body, now, shape, bound).is_err());
        assert!(answer.assertion.expose().bytes().all(|byte| byte.is_ascii_graphic()));
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

/// Keys: what is taken holds public members only and reads the same again. What is signed has three parts, whatever the
/// signature.
pub(crate) fn keys(data: &[u8]) {
    if let Ok(key) = PublicJwk::read(data) {
        let value = key.value();
        let public = ["crv", "e", "kty", "n", "x", "y"];
        assert!(value.as_object().unwrap().keys().all(|name| public.contains(&name.as_str())));
        assert_eq!(PublicJwk::read(value.to_string().as_bytes()).as_ref(), Ok(&key));
        assert_eq!(key.thumbprint().len(), 43);
    }
    let text = String::from_utf8_lossy(data);
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa] {
        let input =
            SigningInput::new(algorithm, [("kid", text.as_ref().into())], [("sub", text.as_ref().into())]);
        if let Ok(jws) = input.complete(data) {
            assert_eq!(jws.expose().split('.').count(), 3);
            assert!(!jws.expose().contains(['+', '/', '=', ' ']));
        }
    }
}

/// Assertions of others: what is taken is a signed JWT, and an ID-JAG passes for its own server, client and resource only.
pub(crate) fn assertion(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // The bytes as they stand, and as the claims of a JWT that is well-formed otherwise.
    let claims: Map<String, Value> = serde_json::from_slice(data).unwrap_or_default();
    let claims = claims.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let input = SigningInput::new(Algorithm::Es256, [("typ", "oauth-id-jag+jwt".into())], claims);
    let wrapped = input.complete(&[0; 64]).unwrap();
    for jwt in [text.as_ref(), wrapped.expose()] {
        let Ok(read) = Assertion::read(&Secret::from(jwt)) else { continue };
        assert!(jwt.len() <= assertion::MAX_ASSERTION && jwt.split('.').count() == 3);
        assert!(!read.algorithm.eq_ignore_ascii_case("none"));
        let now = Timestamp::from_secs(1_311_281_000);
        let expected = ExpectedIdJag {
            identity_provider: None,
            issuer: "https://auth.chat.example/",
            issuer_match: IssuerMatch::Exact,
            client_id: "f53f191f9311af35",
            resource: "https://mcp.chat.example/",
        };
        if read.judge_id_jag(&expected, now).is_ok() {
            assert_eq!(read.audience, ["https://auth.chat.example/"]);
            assert!(read.expires_at.is_some_and(|at| at.after(assertion::LEEWAY) > now));
        }
    }
}

/// Nonces and proofs: what is taken for a nonce can be sent back, and a proof is the same with and without a query.
pub(crate) fn dpop(data: &[u8]) {
    let nonce = Nonce::read(data.split(|byte| *byte == b'\n')).ok().flatten();
    if let Some(nonce) = &nonce {
        assert!(
            nonce.as_str().len() <= MAX_NONCE && nonce.as_str().bytes().all(|byte| byte.is_ascii_graphic())
        );
    }
    let text = String::from_utf8_lossy(data);
    let Ok(endpoint) = Guard::new(Reach::Any).check(&text) else { return };
    let key = br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let proof = Proof {
        key: &PublicJwk::read(key).unwrap(),
        algorithm: Algorithm::EdDsa,
        method: "POST",
        url: endpoint.url(),
        jti: "j",
        issued_at: Timestamp::from_secs(1),
        token: Some(&Secret::from(text.as_ref())),
        nonce: nonce.as_ref(),
    };
    let mut bare = endpoint.url().clone();
    bare.set_query(None);
    let without_query = Proof { url: &bare, ..proof };
    assert_eq!(proof.signing_input().unwrap(), without_query.signing_input().unwrap());
}

/// Device authorizations: what a person is shown is plain, what is opened has passed the guard, and waiting has an end.
pub(crate) fn device(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let status = [200, 201, 400, 401, 403, 500, 302, 204][usize::from(*first % 8)];
    let now = Timestamp::from_secs(1_000_000);
    if let Ok(read) = DeviceAuthorization::read(status, body, now, &Guard::new(Reach::Public)) {
        assert!(read.user_code.len() <= device::MAX_USER_CODE);
        assert!(!read.user_code.is_empty() && !read.user_code.contains(char::is_control));
        let urls = [Some(&read.verification_uri), read.verification_uri_complete.as_ref()];
        assert!(urls.into_iter().flatten().all(|url| url.url().scheme() == "https"));
        assert!((1..=device::MAX_LIFETIME).contains(&read.expires_at.since(now).as_secs()));
        assert!(
            (1..=600).contains(&read.interval.as_secs()) && device::slower(read.interval) >= read.interval
        );
    }
    let bound = first & 8 != 0;
    match device::poll(status, None, body, now, TokenShape::default(), bound) {
        Ok(Polled::Token(_)) => assert!(matches!(status, 200 | 201)),
        Ok(Polled::Pending | Polled::SlowDown) => assert!(!matches!(status, 302 | 500)),
        Err(_) => {}
    }
}

/// Pushed requests: whatever the reference, the URL that is opened has two parameters.
pub(crate) fn pushed(data: &[u8]) {
    let endpoint = Guard::new(Reach::Public).check("https://as.example/authorize").unwrap();
    for status in [200, 201, 400] {
        let Ok(pushed) = Pushed::read(status, data, Timestamp::from_secs(1)) else { continue };
        let url = pushed.url(&endpoint, "client-1").unwrap();
        let pairs: Vec<_> = url.query_pairs().collect();
        assert_eq!(pairs.len(), 2);
        assert_eq!(pairs[1].1, pushed.request_uri);
        assert!(url.as_str().starts_with("https://as.example/authorize?") && url.fragment().is_none());
    }
}

/// A whole run under the watch.
pub(crate) fn flow(data: &[u8]) {
    grants(data);
}

/// The same; says how many of its attempts ended with a token.
pub(crate) fn grants(data: &[u8]) -> usize {
    Flow::new(data).run()
}
