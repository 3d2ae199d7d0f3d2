//! One login, step by step, with every request and answer written out: the walk through all states.

use http::{HeaderMap, Method, Response, StatusCode, header};
use mcp_auth::{
    Access, Action, Callback, Challenge, Config, Event, Outcome, Purpose, Saving, Send, Timestamp,
    TokenSource,
};
use serde_json::{Value, json};
use url::Url;

#[path = "support/recording.rs"]
#[allow(dead_code, reason = "what else a recording can do is for other tests")]
mod recording;
#[path = "support/watched.rs"]
mod watched;
use watched::Watched;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn sends(walk: &mut Watched, purpose: Purpose, method: Method, url: &str) -> Send {
    let Action::Send(send) = walk.poll() else { panic!("a request was expected\n{}", walk.auth.trail()) };
    assert_eq!((send.purpose(), send.method(), send.uri().to_string()), (purpose, &method, url.to_owned()));
    assert!(matches!(walk.poll(), Action::Wait(Some(_))));
    // The revision decides what metadata says, and nothing else (MCP 2026-07-28, protocol version header).
    let metadata = matches!(purpose, Purpose::ResourceMetadata | Purpose::ServerMetadata);
    let request = send.request();
    let revision = request.headers().get("mcp-protocol-version").map(|value| value.to_str().unwrap());
    assert_eq!(revision, metadata.then_some("2026-07-28"));
    drop(request);
    send
}

fn answer(status: u16, body: &Value) -> Response<Vec<u8>> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.to_string().into_bytes())
        .unwrap()
}

fn form(send: &Send) -> Vec<(String, String)> {
    url::form_urlencoded::parse(send.request().body()).into_owned().collect()
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

#[test]
fn from_the_refusal_to_the_token_and_its_renewal() {
    let config = Config::new("https://mcp.example/mcp", "Walker", "http://127.0.0.1:3000/callback");
    let mut walk = Watched::new(config);
    let url = Url::parse("https://mcp.example/mcp").unwrap();

    // Nothing is known before the store has been read.
    assert!(matches!(walk.access(&url, NOW), Access::Wait));
    walk.handle(NOW, Event::Restore);
    let Action::Load(load) = walk.poll() else { panic!("the store is read first") };
    assert_eq!(load.key().server, "https://mcp.example/mcp");
    walk.handle(NOW, load.reply(None));
    assert!(matches!(walk.poll(), Action::Finish(Ok(Outcome::Anonymous))));
    assert!(matches!(walk.poll(), Action::Wait(None)));
    assert!(matches!(walk.access(&url, NOW), Access::Anonymous));

    // The server refuses a request without a token.
    let mut fields = HeaderMap::new();
    let challenge = "Bearer resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/mcp\", \
                     scope=\"files:read\"";
    fields.insert(header::WWW_AUTHENTICATE, challenge.parse().unwrap());
    walk.handle(NOW, Event::Challenged(Challenge::of(StatusCode::UNAUTHORIZED, &fields, None, 0).unwrap()));
    let Action::Load(load) = walk.poll() else { panic!("another process may have logged in meanwhile") };
    walk.handle(NOW, load.reply(None));

    // Whose resource is it?
    let well_known = "https://mcp.example/.well-known/oauth-protected-resource/mcp";
    let send = sends(&mut walk, Purpose::ResourceMetadata, Method::GET, well_known);
    let document =
        json!({"resource": "https://mcp.example/mcp", "authorization_servers": ["https://as.example"]});
    walk.handle(NOW, send.reply(answer(200, &document)));

    // What does its authorization server offer?
    let well_known = "https://as.example/.well-known/oauth-authorization-server";
    let send = sends(&mut walk, Purpose::ServerMetadata, Method::GET, well_known);
    let document = json!({
        "issuer": "https://as.example",
        "authorization_endpoint": "https://as.example/authorize?tenant=1",
        "token_endpoint": "https://as.example/token",
        "registration_endpoint": "https://as.example/register",
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "authorization_response_iss_parameter_supported": true,
    });
    walk.handle(NOW, send.reply(answer(200, &document)));

    // Who are we to it?
    let send = sends(&mut walk, Purpose::Registration, Method::POST, "https://as.example/register");
    let asked: Value = serde_json::from_slice(send.request().body()).unwrap();
    assert_eq!(asked["redirect_uris"], json!(["http://127.0.0.1:3000/callback"]));
    assert_eq!(asked["token_endpoint_auth_method"], "none");
    assert_eq!(asked["application_type"], "native");
    assert_eq!(asked["scope"], "files:read");
    walk.handle(NOW, send.reply(answer(201, &json!({"client_id": "walker-1"}))));

    // Does the person consent?
    let Action::Open(open) = walk.poll() else { panic!("the browser opens") };
    let query: Vec<(String, String)> = open.url().query_pairs().into_owned().collect();
    assert_eq!(query[0], ("tenant".to_owned(), "1".to_owned()));
    assert_eq!(value(&query, "resource"), "https://mcp.example/mcp");
    assert_eq!(value(&query, "scope"), "files:read");
    assert!(matches!(walk.poll(), Action::Wait(Some(until)) if until == open.until()));

    // A stranger's answer changes nothing.
    walk.handle(NOW, Event::Called(Callback::new("?code=stolen-code&state=stranger&iss=https://as.example")));
    assert!(matches!(walk.poll(), Action::Wait(Some(_))));
    let good = format!("?code=good-code-1&state={}&iss=https%3A%2F%2Fas.example", value(&query, "state"));
    walk.handle(NOW, Event::Called(Callback::new(good)));

    // The code for a token.
    let send = sends(&mut walk, Purpose::Token, Method::POST, "https://as.example/token");
    let pairs = form(&send);
    assert_eq!(value(&pairs, "grant_type"), "authorization_code");
    assert_eq!(value(&pairs, "code"), "good-code-1");
    assert_eq!(value(&pairs, "client_id"), "walker-1");
    assert_eq!(value(&pairs, "resource"), "https://mcp.example/mcp");
    assert!(send.request().headers().get(header::AUTHORIZATION).is_none());
    let token = json!({
        "access_token": "access-token-1", "refresh_token": "refresh-token-1", "token_type": "bearer", "expires_in": 600,
    });
    walk.handle(NOW, send.reply(answer(200, &token)));

    // Kept before anyone is told.
    let Action::Store(save) = walk.poll() else { panic!("the token is stored") };
    assert_eq!(save.replaces(), None);
    let kept = save.credential().clone();
    walk.handle(NOW, save.reply(Saving::Kept));
    let Action::Finish(Ok(Outcome::Authorized(done))) = walk.poll() else { panic!("{}", walk.auth.trail()) };
    assert_eq!((done.source, done.client_id.as_str()), (TokenSource::LoggedIn, "walker-1"));
    let Access::Ready(authorization) = walk.access(&url, NOW) else { panic!("the token is ready") };
    assert_eq!(authorization.value(), "Bearer access-token-1");
    assert!(authorization.value().is_sensitive());
    let elsewhere = Url::parse("https://mcp.example/other").unwrap();
    assert!(matches!(walk.access(&elsewhere, NOW), Access::Refused));

    // The token runs out, and is renewed without anybody.
    let generation = authorization.generation();
    let later = NOW.after(std::time::Duration::from_secs(600));
    assert!(matches!(walk.access(&url, later), Access::Wait));
    let refusal = Challenge::of(StatusCode::UNAUTHORIZED, &HeaderMap::new(), Some(generation), 0).unwrap();
    walk.handle(NOW, Event::Challenged(refusal));
    let Action::Load(load) = walk.poll() else { panic!("another process may have renewed it") };
    assert!(load.exclusive().is_some(), "the refresh token is about to be spent");
    walk.handle(NOW, load.reply(Some(kept)));
    let send = sends(&mut walk, Purpose::Refresh, Method::POST, "https://as.example/token");
    let pairs = form(&send);
    assert_eq!(value(&pairs, "grant_type"), "refresh_token");
    assert_eq!(value(&pairs, "refresh_token"), "refresh-token-1");
    assert_eq!(value(&pairs, "resource"), "https://mcp.example/mcp");
    walk.handle(
        NOW,
        send.reply(answer(200, &json!({"access_token": "access-token-2", "token_type": "Bearer"}))),
    );
    let Action::Store(save) = walk.poll() else { panic!("the new token is stored") };
    assert_eq!(save.replaces(), Some(generation));
    assert_eq!(save.credential().refresh_token.as_ref().map(|token| token.expose()), Some("refresh-token-1"));
    walk.handle(NOW, save.reply(Saving::Kept));
    assert!(matches!(walk.poll(), Action::Release(release) if release.load() == load.id()));
    assert!(
        matches!(walk.poll(), Action::Finish(Ok(Outcome::Authorized(done))) if done.source == TokenSource::Refreshed)
    );
    let Access::Ready(authorization) = walk.access(&url, later) else { panic!("the new token is ready") };
    assert_eq!(authorization.value(), "Bearer access-token-2");
}
