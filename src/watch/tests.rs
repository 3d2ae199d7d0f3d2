//! Every invariant is broken once, and the watch must see it.

mod asked;
mod bounds;
mod clients;
mod edges;
mod handed;
mod held;
mod proofs;
mod renamed;
mod secrets;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use super::*;
use crate::action::{Forget, Load, Open, Purpose, Release, Save};
use crate::base::secret::Secret;
use crate::credential::{Credential, Generation, Key};
use crate::event::{Answer, Reply, Response, SendFailure};
use crate::preregistered::Preregistered;
use crate::wire::callback::Callback;

const NOW: Timestamp = Timestamp::from_secs(1_000);
const METADATA: &str = "https://as.example/.well-known/oauth-authorization-server";
const TOKEN: &str = "https://as.example/token";

fn later(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

fn config() -> Config {
    Config::new("https://mcp.example/mcp", "Test", "http://127.0.0.1:3000/cb")
        .preregistered(Preregistered::new("https://as.example", "by-hand").secret("configured-secret"))
        .initial_access_token("https://as.example", "initial-access-token")
}

/// A watch over a run that has begun and has seen the metadata of an authorization server.
fn watch() -> Watch {
    watch_of(config())
}

fn watch_of(config: Config) -> Watch {
    let mut watch = Watch::new(&config);
    watch.event(NOW, &Event::Restore);
    let metadata =
        send(1, Purpose::ServerMetadata, "https://as.example/.well-known/oauth-authorization-server");
    watch.action(&Action::Send(metadata));
    let document = r#"{"issuer":"https://as.example","authorization_endpoint":"https://as.example/authorize",
        "code_challenge_methods_supported":["S256"],
        "token_endpoint":"https://as.example/token","registration_endpoint":"https://as.example/register",
        "device_authorization_endpoint":"https://as.example/device",
        "pushed_authorization_request_endpoint":"https://as.example/par",
        "authorization_response_iss_parameter_supported":true}"#;
    answer(&mut watch, 1, 200, document);
    assert_eq!(watch.breaches(), [""; 0]);
    watch
}

fn send(id: u64, purpose: Purpose, url: &str) -> Send {
    Send {
        id: RequestId(id),
        purpose,
        method: if purpose.is_metadata() { Method::GET } else { Method::POST },
        uri: Uri::try_from(url).unwrap(),
        fields: HeaderMap::new(),
        body: None,
        max_bytes: 1024,
        deadline: Timestamp::from_secs(1_010),
        reach: Reach::Public,
    }
}

fn token(id: u64, url: &str, body: &str) -> Action {
    Action::Send(Send { body: Some(Secret::new(body)), ..send(id, Purpose::Token, url) })
}

fn refresh(id: u64, url: &str, body: &str) -> Action {
    Action::Send(Send { body: Some(Secret::new(body)), ..send(id, Purpose::Refresh, url) })
}

fn key() -> Key {
    Key { server: String::new(), account: None }
}

fn load(id: u64, exclusive: bool) -> Action {
    let exclusive = exclusive.then(|| Duration::from_secs(60));
    Action::Load(Load { id: RequestId(id), key: key(), exclusive, deadline: Timestamp::from_secs(1_010) })
}

fn save(id: u64, credential: Credential) -> Action {
    let (id, credential) = (RequestId(id), Arc::new(credential));
    Action::Store(Save { id, key: key(), credential, replaces: None, deadline: later(15) })
}

fn forget(id: u64) -> Action {
    let (id, generation) = (RequestId(id), Generation::default());
    Action::Forget(Forget { id, key: key(), generation, deadline: later(15) })
}

fn release(load: u64) -> Action {
    Action::Release(Release { load: RequestId(load), key: key() })
}

/// The record is taken.
fn hold(watch: &mut Watch, id: u64) {
    watch.action(&load(id, true));
    watch.event(NOW, &Event::Replied(Reply { id: RequestId(id), answer: Answer::Leased(None) }));
}

fn answer(watch: &mut Watch, id: u64, status: u16, body: &str) {
    let moved = HeaderValue::from_static("https://as.example/moved");
    answer_with(watch, id, status, HeaderMap::from_iter([(header::LOCATION, moved)]), body);
}

fn answer_with(watch: &mut Watch, id: u64, status: u16, fields: HeaderMap, body: &str) {
    let response = Response { status: StatusCode::from_u16(status).unwrap(), fields, body: body.into() };
    let reply = Reply { id: RequestId(id), answer: Answer::Response(Box::new(response)) };
    watch.event(NOW, &Event::Replied(reply));
}

fn open(watch: &mut Watch, query: &str) {
    let url = Url::parse(&format!("https://as.example/authorize?{query}")).unwrap();
    watch.action(&Action::Open(Open { id: RequestId(0), url, until: Timestamp::from_secs(1_600) }));
}

const ASKED: &str = "client_id=by-hand&redirect_uri=http%3A%2F%2F127.0.0.1%3A3000%2Fcb&state=state-of-this-run\
                     &code_challenge=the-challenge&code_challenge_method=S256";

fn called(watch: &mut Watch, callback: &str) {
    watch.event(NOW, &Event::Called(Callback::new(callback)));
}

fn fine(watch: &Watch) {
    assert_eq!(watch.breaches(), [""; 0]);
}

fn seen(watch: &Watch, expected: &str) {
    let found = watch.breaches().iter().any(|breach| breach.contains(expected));
    assert!(found, "{expected:?} is not among {:?}", watch.breaches());
}

#[test]
fn a_good_run_is_good() {
    let mut watch = watch();
    open(&mut watch, ASKED);
    called(&mut watch, "?code=a-good-code&state=state-of-this-run&iss=https%3A%2F%2Fas.example");
    watch.action(&token(2, "https://as.example/token", "grant_type=authorization_code&code=a-good-code"));
    assert_eq!(watch.breaches(), [""; 0]);
}

#[test]
fn codes_without_state_or_issuer() {
    for callback in [
        "?code=a-stolen-code&state=another-state&iss=https%3A%2F%2Fas.example",
        "?code=a-stolen-code&state=state-of-this-run&iss=https%3A%2F%2Fevil.example",
        "?code=a-stolen-code&state=state-of-this-run",
    ] {
        let mut watch = watch();
        open(&mut watch, ASKED);
        called(&mut watch, callback);
        watch.action(&token(
            2,
            "https://as.example/token",
            "grant_type=authorization_code&code=a-stolen-code",
        ));
        seen(&watch, "without the right state and issuer");
    }
}

#[test]
fn a_code_twice_or_elsewhere() {
    let good = "?code=a-good-code&state=state-of-this-run&iss=https%3A%2F%2Fas.example";
    let form = "grant_type=authorization_code&code=a-good-code";
    let mut watch = watch();
    open(&mut watch, ASKED);
    called(&mut watch, good);
    watch.action(&token(2, "https://evil.example/token", form));
    seen(&watch, "another token endpoint");
    answer(&mut watch, 2, 500, "");
    watch.action(&token(3, "https://as.example/token", form));
    seen(&watch, "or twice");
}

/// A server that moves its token endpoint, and moves it back.
#[test]
fn the_newest_word_of_a_server_counts() {
    let good = "?code=a-good-code&state=state-of-this-run&iss=https%3A%2F%2Fas.example";
    let form = "grant_type=authorization_code&code=a-good-code";
    for (places, good_place) in [(["token", "moved", "token"], true), (["moved", "token", "moved"], false)] {
        let mut watch = watch();
        for (id, place) in (2..).zip(places) {
            let url = "https://as.example/.well-known/oauth-authorization-server";
            watch.action(&Action::Send(send(id, Purpose::ServerMetadata, url)));
            let document = format!(
                r#"{{"issuer":"https://as.example","authorization_endpoint":"https://as.example/authorize",
                    "code_challenge_methods_supported":["S256"],
                    "token_endpoint":"https://as.example/{place}"}}"#
            );
            answer(&mut watch, id, 200, &document);
        }
        open(&mut watch, ASKED);
        called(&mut watch, good);
        watch.action(&token(5, "https://as.example/token", form));
        assert_eq!(watch.breaches().is_empty(), good_place, "{:?}", watch.breaches());
    }
}

#[test]
fn bad_urls() {
    for (url, expected) in [
        ("http://as.example/token", "not https"),
        ("https://user@as.example/token", "user info"),
        ("https://10.0.0.1/token", "outside its reach"),
    ] {
        let mut watch = watch();
        watch.action(&token(2, url, ""));
        seen(&watch, expected);
    }
}

#[test]
fn requests_without_bounds_or_with_old_numbers() {
    let mut watch = watch();
    let url = "https://as.example/x";
    let bad = Send { max_bytes: 0, deadline: NOW, ..send(1, Purpose::ServerMetadata, url) };
    watch.action(&Action::Send(bad));
    seen(&watch, "no sensible limit");
    seen(&watch, "no sensible deadline");
    seen(&watch, "a number that was used before");
}

#[test]
fn two_waits_two_browsers_and_actions_out_of_place() {
    let mut watch = watch();
    watch.action(&Action::Send(send(2, Purpose::ServerMetadata, "https://as.example/x")));
    watch.action(&Action::Send(send(3, Purpose::ServerMetadata, "https://as.example/y")));
    seen(&watch, "two things are awaited");
    open(&mut watch, ASKED);
    open(&mut watch, ASKED);
    seen(&watch, "two browsers");
    open(&mut watch, "code_challenge_method=plain");
    seen(&watch, "without S256");
    seen(&watch, "lacks state");
    watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
    watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
    seen(&watch, "ends that did not begin");
    watch.action(&token(9, "https://as.example/token", ""));
    seen(&watch, "while no attempt runs");
}

#[test]
fn redirects_that_are_followed() {
    let mut watch = watch();
    watch.action(&token(2, "https://as.example/token", ""));
    answer(&mut watch, 2, 307, "");
    watch.action(&token(3, "https://as.example/moved", ""));
    seen(&watch, "a redirect is followed");
    let mut watch = self::watch();
    watch.action(&Action::Send(send(2, Purpose::ServerMetadata, "https://other.example/x")));
    answer(&mut watch, 2, 302, "");
    watch.action(&Action::Send(send(3, Purpose::ServerMetadata, "https://as.example/moved")));
    seen(&watch, "a redirect is followed");
}

#[test]
fn success_before_it_is_stored() {
    let mut watch = watch();
    let done = crate::outcome::Authorized {
        generation: crate::credential::Generation::default(),
        source: TokenSource::LoggedIn,
        issuer: String::new(),
        resource: String::new(),
        client_id: String::new(),
        asked: crate::Scopes::new(),
        granted: crate::Scopes::new(),
        expires_at: None,
        legacy: false,
        bound: false,
        unsaved: None,
    };
    watch.action(&Action::Finish(Ok(Outcome::Authorized(Box::new(done)))));
    seen(&watch, "before the new tokens are stored");
}

#[test]
fn a_token_beside_its_resource() {
    let attached = |url: &str, resource: &str| {
        let mut watch = watch();
        watch.attached(&Url::parse(url).unwrap(), resource);
        watch
    };
    let resource = "https://mcp.example/mcp";
    seen(&attached("https://evil.example/mcp", resource), "another origin than its resource");
    for url in ["/mcp2", "/MCP", "/", "/mcp/..%2fadmin", "/mcp/%2e%2e%5Cadmin", "/mcp/..;/admin"] {
        seen(&attached(&format!("https://mcp.example{url}"), resource), "another path or query");
    }
    seen(&attached("https://mcp.example/mcp?t=b", "https://mcp.example/mcp?t=a"), "another path or query");
    for url in ["/mcp", "/mcp/", "/mcp/x?y=z"] {
        let watch = attached(&format!("https://mcp.example{url}"), resource);
        assert_eq!(watch.breaches(), [""; 0], "{url}");
    }
}

#[test]
fn a_login_and_a_renewal_may_be_awaited_together_but_not_two_of_either() {
    let mut watch = watch();
    watch.action(&Action::Send(send(2, Purpose::ServerMetadata, "https://as.example/a")));
    watch.action(&load(3, false));
    assert_eq!(watch.breaches(), [""; 0]);
    watch.action(&load(4, false));
    seen(&watch, "two things are awaited");
}

/// What the record says does not matter any more; what may change it does.
#[test]
fn a_logout_does_not_wait_for_what_is_only_read() {
    let mut watch = watch();
    watch.action(&load(2, true));
    watch.event(NOW, &Event::LogOut);
    watch.action(&load(3, true));
    assert_eq!(watch.breaches(), [""; 0]);
    watch.action(&load(4, true));
    seen(&watch, "two things are awaited");
    let mut watch = self::watch();
    hold(&mut watch, 2);
    watch.action(&refresh(3, "https://as.example/token", "grant_type=refresh_token&refresh_token=a-token"));
    watch.event(NOW, &Event::LogOut);
    watch.action(&load(4, true));
    seen(&watch, "two things are awaited");
}

#[test]
fn a_login_too_many() {
    let policy = crate::policy::Policy::with(|it| it.logins_per_hour = 2);
    let mut watch = watch_of(config().policy(policy));
    for login in 0..3 {
        assert_eq!(watch.breaches(), [""; 0]);
        open(&mut watch, &ASKED.replace("this-run", &format!("run-{login}")));
        watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
        watch.event(NOW, &Event::Restore);
    }
    seen(&watch, "more logins than policy says");
    // The person asked for it, or the hour has passed.
    for event in [Event::LogIn { scopes: crate::Scopes::new() }, Event::Tick] {
        let mut watch = Watch { breaches: Vec::new(), ..watch.clone() };
        let later =
            if matches!(event, Event::Tick) { NOW.after(std::time::Duration::from_secs(3601)) } else { NOW };
        watch.event(later, &event);
        open(&mut watch, ASKED);
        assert_eq!(watch.breaches(), [""; 0]);
    }
}

#[test]
fn a_person_is_shown_something_or_left_alone_out_of_turn() {
    let mut watch = watch();
    watch.action(&Action::Wait(None));
    seen(&watch, "waits without end");
    let mut watch = self::watch();
    watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
    open(&mut watch, ASKED);
    seen(&watch, "a browser opens while no attempt runs");
}

#[test]
fn an_authorization_request_that_lacks_something() {
    for (name, value) in url::form_urlencoded::parse(ASKED.as_bytes()) {
        let pair = url::form_urlencoded::Serializer::new(String::new()).append_pair(&name, &value).finish();
        for query in [ASKED.replace(&pair, "x=y"), format!("{ASKED}&{pair}")] {
            let mut watch = watch();
            open(&mut watch, &query);
            seen(&watch, &format!("lacks {name}, or has it twice"));
        }
    }
}

#[test]
fn what_is_no_url() {
    let mut watch = watch();
    watch.action(&token(2, "/token", ""));
    seen(&watch, "to something that is no URL");
    let mut watch = self::watch();
    watch.attached(&Url::parse("https://mcp.example/mcp").unwrap(), "mcp");
    seen(&watch, "a resource is no URL");
}
