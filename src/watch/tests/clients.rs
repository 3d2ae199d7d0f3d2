//! Which client is named to whom.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::proofs::record;
use super::*;
use crate::action::Ask;
use crate::credential::{AuthorizationServer, Credential};
use crate::event::{Saving, Told};
use crate::wire::client::{Client, Origin};

const AS: &str = "https://as.example";
const OTHER: &str = "https://other.example";
const WRONG: &str = "a client is named to another server than its own";

/// A watch that has seen the metadata of two authorization servers.
fn watch_of_two(config: Config) -> Watch {
    let mut watch = watch_of(config);
    let url = "https://other.example/.well-known/oauth-authorization-server";
    watch.action(&Action::Send(send(2, Purpose::ServerMetadata, url)));
    let document = json!({
        "issuer": "https://other.example",
        "authorization_endpoint": "https://other.example/authorize",
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint": "https://other.example/token",
        "registration_endpoint": "https://other.example/register",
        "pushed_authorization_request_endpoint": "https://other.example/par",
    });
    answer(&mut watch, 2, 200, &document.to_string());
    assert_eq!(watch.breaches(), [""; 0]);
    watch
}

fn is_wrong(watch: &Watch) -> bool {
    watch.breaches().iter().any(|breach| breach == WRONG)
}

/// Names the client to this server, in its page's URL, in forms, in Basic and in an assertion, and says of each whether it
/// was a breach.
fn named(watch: &Watch, client_id: &str, server: &str) -> Vec<bool> {
    let form = format!("client_id={client_id}");
    let claims = json!({"iss": client_id, "sub": client_id, "aud": server, "exp": 1_100, "jti": "a-name"});
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    let encoded: String = url::form_urlencoded::byte_serialize(client_id.as_bytes()).collect();
    let basic = STANDARD.encode(format!("{encoded}:"));
    let basic = HeaderValue::try_from(format!("Basic {basic}")).unwrap();
    let fields = HeaderMap::from_iter([(header::AUTHORIZATION, basic)]);
    let to = |purpose, endpoint: &str| send(9, purpose, &format!("{server}/{endpoint}"));
    let with = |send: Send, body: &str| Action::Send(Send { body: Some(Secret::new(body)), ..send });
    let page = Url::parse(&format!("{server}/authorize?{form}")).unwrap();
    [
        with(to(Purpose::Token, "token"), &form),
        with(to(Purpose::PushedAuthorization, "par"), &form),
        with(to(Purpose::Token, "token"), &format!("client_assertion=e30.{claims}.e30")),
        Action::Send(Send { fields, ..to(Purpose::Token, "token") }),
        Action::Open(Open { id: RequestId(0), url: page, until: Timestamp::from_secs(1_600) }),
    ]
    .iter()
    .map(|action| {
        let mut watch = watch.clone();
        watch.action(action);
        is_wrong(&watch)
    })
    .collect()
}

fn belongs_to(watch: &Watch, client_id: &str, own: &str, other: &str) {
    assert_eq!(named(watch, client_id, own), [false; 5], "{client_id}");
    assert_eq!(named(watch, client_id, other), [true; 5], "{client_id}");
}

#[test]
fn a_configured_client_is_named_to_its_own_server() {
    let watch = watch_of_two(config().preregistered(Preregistered::new(OTHER, "a client of the other")));
    belongs_to(&watch, "by-hand", AS, OTHER);
    belongs_to(&watch, "a client of the other", OTHER, AS);
    assert_eq!(named(&watch, "nobody", AS), [true; 5]);
}

#[test]
fn a_client_that_belongs_to_no_one_server_is_named_to_any() {
    let document = "https://app.example/client.json";
    let watch =
        watch_of_two(config().preregistered(Preregistered::unbound("unbound")).metadata_document(document));
    for client_id in ["unbound", document] {
        for server in [AS, OTHER] {
            assert_eq!(named(&watch, client_id, server), [false; 5], "{client_id}, {server}");
        }
    }
}

#[test]
fn a_registered_client_is_named_to_the_server_that_registered_it() {
    let mut watch = watch_of_two(config());
    let body = r#"{"redirect_uris":["https://app.example/cb?client_id=of-the-app&x=y"]}"#;
    let request = send(3, Purpose::Registration, "https://other.example/register");
    watch.action(&Action::Send(Send { body: Some(Secret::new(body)), ..request }));
    assert!(!is_wrong(&watch));
    answer(&mut watch, 3, 201, r#"{"client_id":"registered"}"#);
    belongs_to(&watch, "registered", OTHER, AS);
}

/// Where nothing is known of the server, everybody guesses the same.
#[test]
fn a_client_that_is_registered_by_a_guess_is_named_by_a_guess() {
    let mut watch = watch_of_two(config());
    let nowhere = "https://mcp.example/.well-known/oauth-authorization-server";
    watch.action(&Action::Send(send(7, Purpose::ServerMetadata, nowhere)));
    answer(&mut watch, 7, 404, "");
    watch.action(&Action::Send(send(8, Purpose::Registration, "https://mcp.example/register")));
    answer(&mut watch, 8, 201, r#"{"client_id":"registered"}"#);
    for (url, good) in [
        ("https://mcp.example/token", true),
        ("https://mcp.example/elsewhere", false),
        ("https://as.example/token", false),
    ] {
        let mut watch = watch.clone();
        watch.action(&token(9, url, "client_id=registered"));
        assert_eq!(is_wrong(&watch), !good, "{url}");
    }
    // One of another server is none of these.
    watch.action(&token(10, "https://mcp.example/token", "client_id=by-hand"));
    assert!(is_wrong(&watch));
}

/// Where nobody knows whose it is, it is nobody's.
#[test]
fn a_client_that_is_registered_nowhere_is_named_to_nobody() {
    let mut watch = watch_of_two(config());
    watch.action(&Action::Send(send(3, Purpose::Registration, "https://evil.example/register")));
    answer(&mut watch, 3, 201, r#"{"client_id":"registered"}"#);
    for server in [AS, OTHER] {
        assert_eq!(named(&watch, "registered", server), [true; 5], "{server}");
    }
}

#[test]
fn a_client_that_a_person_named_is_named_to_the_server_that_it_was_asked_for() {
    let mut watch = watch_of_two(config());
    let (issuer, redirect_uri) = (OTHER.to_owned(), "http://127.0.0.1:3000/cb".to_owned());
    let ask = Ask { id: RequestId(3), issuer, redirect_uri, until: Timestamp::from_secs(1_600) };
    watch.action(&Action::Ask(ask));
    let told = Told { client_id: " told ".to_owned(), client_secret: None };
    watch.event(NOW, &Event::Replied(Reply { id: RequestId(3), answer: Answer::Told(Some(told)) }));
    belongs_to(&watch, "told", OTHER, AS);
}

/// However the record came: it was read, or stood where another was to be written.
#[test]
fn a_client_of_a_record_is_named_to_the_server_of_the_record() {
    let server = AuthorizationServer {
        issuer: OTHER.to_owned(),
        named: OTHER.to_owned(),
        authorization_endpoint: format!("{OTHER}/authorize"),
        token_endpoint: format!("{OTHER}/token"),
        ..(*record().authorization_server).clone()
    };
    let client = Client::new("of-the-record", Origin::Dynamic);
    let record = Credential { authorization_server: server.into(), client, ..record() };
    for (asked, answer) in [
        (load(3, true), Answer::Leased(Some(Box::new(record.clone())))),
        (load(3, false), Answer::Found(Some(Box::new(record.clone())))),
        (save(3, self::record()), Answer::Saved(Saving::Conflict(Some(Box::new(record))))),
    ] {
        let mut watch = watch_of_two(config());
        watch.action(&asked);
        assert_eq!(named(&watch, "of-the-record", OTHER), [true; 5]);
        watch.event(NOW, &Event::Replied(Reply { id: RequestId(3), answer }));
        belongs_to(&watch, "of-the-record", OTHER, AS);
    }
}

/// What the machine writes down of itself makes no client one of another server.
#[test]
fn a_record_that_is_written_names_no_client_of_another_server() {
    for (client_id, wrong) in [("by-hand", false), ("", false), ("of-another", true)] {
        let mut watch = watch_of_two(config().preregistered(Preregistered::new(OTHER, "of-another")));
        let record = Credential { client: Client::new(client_id, Origin::Preregistered), ..record() };
        watch.action(&save(3, record));
        assert_eq!(is_wrong(&watch), wrong, "{client_id}");
    }
}

#[test]
fn a_client_is_looked_at_however_often_it_is_named() {
    let watch = watch_of_two(config().preregistered(Preregistered::new(OTHER, "of-another")));
    for body in ["client_id=by-hand&client_id=of-another", "client_id=of-another&client_id=by-hand"] {
        let mut watch = watch.clone();
        watch.action(&token(9, "https://as.example/token", body));
        assert!(is_wrong(&watch), "{body}");
    }
}
