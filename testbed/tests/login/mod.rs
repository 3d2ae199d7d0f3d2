//! A client of few lines, which does what it is told and checks nothing: plain requests, by hand.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

pub mod bound;
pub mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{Request, Response};
use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{Browsed, Dials, Origins, World};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub const REDIRECT: &str = "http://127.0.0.1:7777/callback";
pub const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more";
pub const NOW: u64 = 1_800_000_000;

pub type Answer = Response<Vec<u8>>;

/// Whatever answers requests: the world in memory, or sockets.
pub trait Servers {
    fn send(&mut self, request: Request<Vec<u8>>) -> Answer;
    fn browse(&mut self, url: &str) -> Browsed;
}

/// The world in memory, at a time.
pub struct Memory {
    pub world: World,
    pub now: u64,
}

impl Memory {
    pub fn new(dials: Dials) -> Self {
        Self { world: World::new(dials, Origins::default()), now: NOW }
    }
}

impl Servers for Memory {
    fn send(&mut self, request: Request<Vec<u8>>) -> Answer {
        self.world.handle(self.now, request)
    }
    fn browse(&mut self, url: &str) -> Browsed {
        self.world.browse(self.now, url)
    }
}

#[derive(Clone, Debug)]
pub struct Client {
    pub id: String,
    pub secret: Option<String>,
    pub method: String,
}

#[derive(Clone, Debug)]
pub struct Found {
    pub resource: String,
    pub server: Value,
}

impl Found {
    pub fn endpoint(&self, name: &str) -> String {
        self.server[name].as_str().unwrap().to_owned()
    }
}

pub fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(answer.body()).unwrap_or(Value::Null)
}

pub fn get(servers: &mut dyn Servers, url: &str) -> Answer {
    servers.send(Request::get(url).body(Vec::new()).unwrap())
}

pub fn post_json(servers: &mut dyn Servers, url: &str, body: &Value) -> Answer {
    let request = Request::post(url).header("content-type", "application/json");
    servers.send(request.body(body.to_string().into_bytes()).unwrap())
}

/// A form with headers of its own, and no authentication but what is among the pairs.
pub fn post_plain(
    servers: &mut dyn Servers,
    url: &str,
    headers: &[(&str, &str)],
    pairs: &[(&str, &str)],
) -> Answer {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let mut request = Request::post(url).header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    servers.send(request.body(form.into_bytes()).unwrap())
}

pub fn post_form(servers: &mut dyn Servers, url: &str, client: &Client, pairs: &[(&str, &str)]) -> Answer {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    let mut request = Request::post(url).header("content-type", "application/x-www-form-urlencoded");
    let secret = client.secret.as_deref().unwrap_or_default();
    match client.method.as_str() {
        "client_secret_basic" => {
            let encoded =
                |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = format!("{}:{}", encoded(&client.id), encoded(secret));
            request = request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
        }
        "client_secret_post" => {
            form.append_pair("client_id", &client.id).append_pair("client_secret", secret);
        }
        _ => {
            form.append_pair("client_id", &client.id);
        }
    }
    servers.send(request.body(form.finish().into_bytes()).unwrap())
}

/// Calls a tool with a token.
pub fn call_tool(servers: &mut dyn Servers, url: &str, tool: &str, token: &str) -> Answer {
    let mut request = call::tool(url, Wire::Stateless, tool, "hello").unwrap();
    if !token.is_empty() {
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    servers.send(request)
}

pub fn challenge_parameter(answer: &Answer, name: &str) -> Option<String> {
    let challenge = answer.headers().get("www-authenticate")?.to_str().unwrap();
    let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
    Some(rest.split_once('"')?.0.to_owned())
}

/// From the URL of the MCP server to the metadata of its first authorization server, at the location of RFC 8414.
pub fn discover(servers: &mut dyn Servers, server_url: &str) -> Found {
    let refused = call_tool(servers, server_url, "echo", "");
    assert_eq!(refused.status(), 401);
    let metadata = get(servers, &challenge_parameter(&refused, "resource_metadata").unwrap());
    let metadata = json_of(&metadata);
    let issuer = url::Url::parse(metadata["authorization_servers"][0].as_str().unwrap()).unwrap();
    let path = issuer.path().trim_end_matches('/');
    let origin = issuer.origin().ascii_serialization();
    let server = get(servers, &format!("{origin}/.well-known/oauth-authorization-server{path}"));
    assert_eq!(server.status(), 200);
    Found { resource: metadata["resource"].as_str().unwrap().to_owned(), server: json_of(&server) }
}

pub fn registration(method: &str) -> Value {
    json!({
        "client_name": "The test",
        "application_type": "native",
        "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": method,
    })
}

pub fn register(servers: &mut dyn Servers, found: &Found, method: &str) -> Client {
    let answer = post_json(servers, &found.endpoint("registration_endpoint"), &registration(method));
    let body = json_of(&answer);
    assert!(answer.status().is_success(), "{body}");
    Client {
        id: body["client_id"].as_str().unwrap().to_owned(),
        secret: body["client_secret"].as_str().map(str::to_owned),
        method: body["token_endpoint_auth_method"].as_str().unwrap().to_owned(),
    }
}

pub fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

pub fn authorization_url(
    found: &Found,
    client: &Client,
    scope: &str,
    change: &[(&str, Option<&str>)],
) -> String {
    let challenge = challenge_of(VERIFIER);
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", &client.id),
        ("redirect_uri", REDIRECT),
        ("state", "the state"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("resource", &found.resource),
    ];
    if !scope.is_empty() {
        pairs.push(("scope", scope));
    }
    for (name, value) in change {
        pairs.retain(|(own, _)| own != name);
        pairs.extend(value.map(|value| (*name, value)));
    }
    let endpoint = found.endpoint("authorization_endpoint");
    url::Url::parse_with_params(&endpoint, pairs).unwrap().into()
}

pub fn callback(browsed: &Browsed) -> Vec<(String, String)> {
    let Browsed::Callback(url) = browsed else { panic!("no callback: {browsed:?}") };
    assert!(url.starts_with(REDIRECT), "{url}");
    url::Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

pub fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

pub fn code(servers: &mut dyn Servers, found: &Found, client: &Client, scope: &str) -> String {
    let browsed = servers.browse(&authorization_url(found, client, scope, &[]));
    let pairs = callback(&browsed);
    assert_eq!(value(&pairs, "state"), Some("the state"));
    value(&pairs, "code").unwrap_or_else(|| panic!("{pairs:?}")).to_owned()
}

pub fn redeem(
    servers: &mut dyn Servers,
    found: &Found,
    client: &Client,
    code: &str,
    change: &[(&str, &str)],
) -> Answer {
    let mut pairs = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("resource", &found.resource),
    ];
    for (name, value) in change {
        pairs.retain(|(own, _)| own != name);
        pairs.push((name, value));
    }
    post_form(servers, &found.endpoint("token_endpoint"), client, &pairs)
}

pub fn refresh(servers: &mut dyn Servers, found: &Found, client: &Client, token: &str) -> Answer {
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", token), ("resource", &found.resource)];
    post_form(servers, &found.endpoint("token_endpoint"), client, &pairs)
}

/// A login from nothing to a token answer.
pub fn login(servers: &mut dyn Servers, server_url: &str, scope: &str) -> (Found, Client, Value) {
    let found = discover(servers, server_url);
    let client = register(servers, &found, "none");
    let code = code(servers, &found, &client, scope);
    let answer = redeem(servers, &found, &client, &code, &[]);
    assert_eq!(answer.status(), 200, "{}", json_of(&answer));
    let tokens = json_of(&answer);
    (found, client, tokens)
}

pub fn error_of(answer: &Answer) -> String {
    json_of(answer)["error"].as_str().unwrap_or_default().to_owned()
}
