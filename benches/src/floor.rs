//! The work that no client can avoid for the same login, done naively, with the parsers that everybody uses: `serde_json`
//! into types that hold what is needed, `url`, `http`, `sha2`, `base64`.
//!
//! It checks nothing (no issuer, no `state`, no `iss`, no PKCE support, no host, no limit), keeps no record, says nothing
//! of what went wrong, and gives up at the first surprise. It is here to be compared with, not to be used.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

use crate::documents;

/// What the login is told, in order.
pub struct Told {
    refusal: HeaderMap,
    answers: std::vec::IntoIter<Response<Vec<u8>>>,
    callback: String,
    random: [[u8; 32]; 2],
}

impl Told {
    /// The same as [`crate::ours::Told::new`].
    pub fn new() -> Self {
        let random = [[7; 32], [8; 32]];
        let state = URL_SAFE_NO_PAD.encode(random[0]);
        let (refusal, answers) = (documents::refusal(), documents::answers().into_iter());
        Self { refusal, answers, callback: documents::callback(&state), random }
    }
}

impl Default for Told {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Deserialize)]
struct ResourceMetadata {
    resource: String,
    authorization_servers: Vec<String>,
}

#[derive(Deserialize)]
struct ServerMetadata {
    authorization_endpoint: String,
    token_endpoint: String,
    registration_endpoint: String,
}

#[derive(Serialize)]
struct Registration<'a> {
    client_name: &'a str,
    redirect_uris: [&'a str; 1],
    grant_types: [&'a str; 2],
    response_types: [&'a str; 1],
    token_endpoint_auth_method: &'a str,
    application_type: &'a str,
    scope: &'a str,
}

#[derive(Deserialize)]
struct Registered {
    client_id: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    refresh_token: String,
    expires_in: u64,
    scope: String,
}

/// What is left of the login.
pub struct Grant {
    pub value: HeaderValue,
    pub refresh_token: String,
    pub expires_at: u64,
    pub scope: String,
    pub resource: Url,
    pub token_endpoint: Url,
    pub client_id: String,
}

/// What the login makes: each request that is sent, and the URL that the person opens.
pub enum Made<'a> {
    Sent(&'a Request<Vec<u8>>),
    Opened(&'a Url),
}

/// The login.
pub fn login(told: Told) -> Grant {
    login_seen(told, |made| _ = std::hint::black_box(made))
}

/// The login, and whoever sees what it makes.
pub fn login_seen(mut told: Told, mut seen: impl FnMut(Made<'_>)) -> Grant {
    let refusal = told.refusal.get(header::WWW_AUTHENTICATE).expect("a challenge").to_str().expect("text");
    let place = Url::parse(parameter(refusal, "resource_metadata=\"")).expect("a URL");
    let scope = parameter(refusal, "scope=\"").to_owned();

    let body = exchange(&mut told.answers, &mut seen, get(&place));
    let resource: ResourceMetadata = serde_json::from_slice(&body).expect("a document");
    let issuer = Url::parse(&resource.authorization_servers[0]).expect("a URL");
    let place = issuer.join("/.well-known/oauth-authorization-server").expect("a URL");
    let resource = Url::parse(&resource.resource).expect("a URL");

    let body = exchange(&mut told.answers, &mut seen, get(&place));
    let server: ServerMetadata = serde_json::from_slice(&body).expect("a document");
    let authorization_endpoint = Url::parse(&server.authorization_endpoint).expect("a URL");
    let token_endpoint = Url::parse(&server.token_endpoint).expect("a URL");
    let registration_endpoint = Url::parse(&server.registration_endpoint).expect("a URL");

    let wanted = Registration {
        client_name: documents::NAME,
        redirect_uris: [documents::REDIRECT],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: "none",
        application_type: "native",
        scope: &scope,
    };
    let body = serde_json::to_vec(&wanted).expect("a body");
    let body = exchange(&mut told.answers, &mut seen, post(&registration_endpoint, "application/json", body));
    let Registered { client_id } = serde_json::from_slice(&body).expect("a document");

    let [state, verifier] = told.random.map(|random| URL_SAFE_NO_PAD.encode(random));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let mut open = authorization_endpoint;
    open.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &client_id)
        .append_pair("redirect_uri", documents::REDIRECT)
        .append_pair("scope", &scope)
        .append_pair("state", &state)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .append_pair("resource", resource.as_str());
    seen(Made::Opened(&open));

    let callback = Url::parse(&told.callback).expect("a URL");
    let code = callback.query_pairs().find(|(name, _)| name == "code").expect("a code").1;
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("code", &code)
        .append_pair("redirect_uri", documents::REDIRECT)
        .append_pair("code_verifier", &verifier)
        .append_pair("client_id", &client_id)
        .append_pair("resource", resource.as_str())
        .finish();
    let form = "application/x-www-form-urlencoded";
    let body = exchange(&mut told.answers, &mut seen, post(&token_endpoint, form, body.into_bytes()));
    let token: Token = serde_json::from_slice(&body).expect("a document");
    let value = HeaderValue::try_from(format!("Bearer {}", token.access_token)).expect("a token");
    Grant {
        value,
        refresh_token: token.refresh_token,
        expires_at: 1_800_000_000 + token.expires_in,
        scope: token.scope,
        resource,
        token_endpoint,
        client_id,
    }
}

fn parameter<'a>(challenge: &'a str, name: &str) -> &'a str {
    let (_, rest) = challenge.split_once(name).expect("the parameter");
    rest.split_once('"').expect("its end").0
}

fn get(url: &Url) -> Request<Vec<u8>> {
    let request = Request::get(url.as_str()).header(header::ACCEPT, "application/json");
    request.body(Vec::new()).expect("a request")
}

fn post(url: &Url, content_type: &'static str, body: Vec<u8>) -> Request<Vec<u8>> {
    let request = Request::post(url.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, content_type);
    request.body(body).expect("a request")
}

fn exchange(
    answers: &mut std::vec::IntoIter<Response<Vec<u8>>>,
    seen: &mut impl FnMut(Made<'_>),
    request: Request<Vec<u8>>,
) -> Vec<u8> {
    seen(Made::Sent(&request));
    answers.next().expect("an answer for each request").into_body()
}
