//! What others hand over: assertions, codes for devices, references to requests that were pushed ahead.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::*;
use crate::action::{AssertionKind, Show, Supply};
use crate::grant_type::IdentityProvider;

const EVIL: &str = "https://evil.example/token";
const IDP: &str = "https://idp.example/token";

fn enterprise() -> Watch {
    let provider =
        IdentityProvider::new("https://idp.example", IDP, "at-the-idp").secret("secret-at-the-idp");
    watch_of(config().grant_type(GrantType::EnterpriseManaged(Box::new(provider))))
}

pub(super) fn supplied(watch: &mut Watch, id: u64, assertion: &str) {
    watch.action(&Action::Supply(Supply {
        id: RequestId(id),
        kind: AssertionKind::Workload,
        audience: "https://as.example".to_owned(),
        resource: "https://mcp.example/mcp".to_owned(),
        until: Timestamp::from_secs(1_010),
    }));
    let answer = Answer::Supplied(Ok(Secret::new(assertion)));
    watch.event(NOW, &Event::Replied(Reply { id: RequestId(id), answer }));
}

fn post(id: u64, purpose: Purpose, url: &str, body: &str) -> Action {
    Action::Send(Send { body: Some(Secret::new(body)), ..send(id, purpose, url) })
}

/// Each request of these, and whether it may carry the secret.
fn carry(known: &Watch, secret: &str, sort: &str, places: &[(Purpose, &str, bool)]) {
    assert_eq!(known.breaches(), [""; 0]);
    let wrong = format!("carries a secret ({sort})");
    let is_wrong = |watch: &Watch| watch.breaches().iter().any(|breach| breach.contains(&wrong));
    for (purpose, url, good) in places {
        let mut watch = known.clone();
        watch.action(&post(20, *purpose, url, &format!("x={secret}")));
        assert_eq!(!is_wrong(&watch), *good, "{purpose:?} {url}: {:?}", watch.breaches());
        let mut watch = known.clone();
        let mut in_field = send(20, *purpose, url);
        in_field.fields.insert(header::AUTHORIZATION, format!("Bearer {secret}").parse().unwrap());
        watch.action(&Action::Send(in_field));
        assert!(is_wrong(&watch), "{purpose:?} {url}");
    }
    let mut watch = known.clone();
    watch.shown("the trail", secret);
    seen(&watch, &format!("the trail shows a secret ({sort})"));
    let mut watch = known.clone();
    watch.action(&Action::Send(send(20, Purpose::ServerMetadata, &format!("https://as.example/{secret}"))));
    seen(&watch, &format!("a request's URL shows a secret ({sort})"));
}

#[test]
fn a_workloads_jwt_goes_to_its_server() {
    let mut watch = watch();
    supplied(&mut watch, 2, "head.claims.signature");
    let places = [
        (Purpose::Token, TOKEN, true),
        (Purpose::Token, EVIL, false),
        (Purpose::TokenExchange, TOKEN, false),
        (Purpose::Refresh, TOKEN, false),
        (Purpose::DeviceAuthorization, "https://as.example/device", false),
    ];
    carry(&watch, "head.claims.signature", "Assertion", &places);
}

#[test]
fn an_identity_assertion_goes_to_the_identity_provider() {
    let mut watch = enterprise();
    supplied(&mut watch, 2, "id-token-of-the-person");
    let places = [
        (Purpose::TokenExchange, IDP, true),
        (Purpose::TokenExchange, EVIL, false),
        (Purpose::Token, TOKEN, false),
        (Purpose::Token, IDP, false),
    ];
    carry(&watch, "id-token-of-the-person", "IdentityAssertion", &places);
    // As does the secret that the client has there.
    for (purpose, url, good) in [(Purpose::TokenExchange, IDP, true), (Purpose::Token, TOKEN, false)] {
        let mut watch = enterprise();
        watch.action(&post(2, purpose, url, "client_secret=secret-at-the-idp"));
        assert_eq!(watch.breaches().is_empty(), good, "{url}");
    }
}

#[test]
fn a_grant_of_the_identity_provider_goes_to_the_server_that_it_names() {
    let claims = URL_SAFE_NO_PAD.encode(r#"{"aud":"https://as.example"}"#);
    let grant = format!("head.{claims}.signature");
    let mut watch = enterprise();
    watch.action(&post(2, Purpose::TokenExchange, IDP, ""));
    answer(&mut watch, 2, 200, &format!(r#"{{"access_token":"{grant}"}}"#));
    let places =
        [(Purpose::Token, TOKEN, true), (Purpose::Token, EVIL, false), (Purpose::TokenExchange, IDP, false)];
    carry(&watch, &grant, "Assertion", &places);
}

fn show(watch: &mut Watch, id: u64, url: &str) {
    watch.action(&Action::Show(Show {
        id: RequestId(id),
        user_code: "WDJB-MJHT".to_owned(),
        verification_uri: Url::parse(url).unwrap(),
        verification_uri_complete: None,
        until: Timestamp::from_secs(1_600),
    }));
}

#[test]
fn codes_of_a_device_go_to_the_token_endpoint_and_to_the_person() {
    let mut watch = watch();
    watch.action(&post(2, Purpose::DeviceAuthorization, "https://as.example/device", "client_id=by-hand"));
    answer(&mut watch, 2, 200, r#"{"device_code":"the-device-code","user_code":"WDJB-MJHT"}"#);
    let places = [
        (Purpose::Token, TOKEN, true),
        (Purpose::Token, EVIL, false),
        (Purpose::Refresh, TOKEN, false),
        (Purpose::DeviceAuthorization, "https://as.example/device", false),
    ];
    carry(&watch, "the-device-code", "DeviceCode", &places);
    carry(&watch, "WDJB-MJHT", "UserCode", &[(Purpose::Token, TOKEN, false)]);
    show(&mut watch, 3, "https://as.example/activate");
    assert_eq!(watch.breaches(), [""; 0]);
}

#[test]
fn a_code_is_shown_wrongly() {
    let mut watch = watch();
    show(&mut watch, 2, "http://as.example/activate");
    seen(&watch, "a URL is used that is not https");
    let mut watch = self::watch();
    watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
    show(&mut watch, 2, "https://as.example/activate");
    seen(&watch, "something is asked for while no attempt runs");
    // It troubles a person as a browser does.
    let policy = crate::policy::Policy::with(|it| it.logins_per_hour = 1);
    let mut watch = watch_of(config().policy(policy));
    for id in [2, 3] {
        assert_eq!(watch.breaches(), [""; 0]);
        show(&mut watch, id, "https://as.example/activate");
        watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
        watch.event(NOW, &Event::Restore);
    }
    seen(&watch, "more logins than policy says");
}

#[test]
fn codes_are_asked_for_and_requests_pushed_where_a_server_says() {
    for (purpose, url, good) in [
        (Purpose::DeviceAuthorization, "https://as.example/device", true),
        (Purpose::DeviceAuthorization, "https://as.example/par", false),
        (Purpose::PushedAuthorization, "https://as.example/par", true),
        (Purpose::PushedAuthorization, "https://evil.example/par", false),
    ] {
        let mut watch = watch();
        watch.action(&post(2, purpose, url, ASKED));
        assert_eq!(watch.breaches().is_empty(), good, "{purpose:?} {url}");
        if !good {
            seen(&watch, "goes where no server takes one");
        }
    }
}

#[test]
fn a_reference_goes_back_to_the_server_that_gave_it() {
    let pushed = || {
        let mut watch = watch();
        watch.action(&post(2, Purpose::PushedAuthorization, "https://as.example/par", ASKED));
        answer(&mut watch, 2, 201, r#"{"request_uri":"urn:a:reference","expires_in":60}"#);
        assert_eq!(watch.breaches(), [""; 0]);
        watch
    };
    let mut watch = pushed();
    open(&mut watch, "client_id=by-hand&request_uri=urn:a:reference");
    assert_eq!(watch.breaches(), [""; 0]);
    // The state that counts is the one that was pushed.
    called(&mut watch, "?code=a-good-code&state=state-of-this-run&iss=https%3A%2F%2Fas.example");
    watch.action(&token(3, TOKEN, "grant_type=authorization_code&code=a-good-code"));
    assert_eq!(watch.breaches(), [""; 0]);

    let mut watch = pushed();
    open(&mut watch, "client_id=by-hand&request_uri=urn:another:reference");
    seen(&watch, "a reference that its server did not give");
    let mut watch = pushed();
    let elsewhere = Url::parse("https://evil.example/authorize?request_uri=urn:a:reference").unwrap();
    watch.action(&Action::Open(Open {
        id: RequestId(0),
        url: elsewhere,
        until: Timestamp::from_secs(1_600),
    }));
    seen(&watch, "a reference that its server did not give");
    // Once.
    let mut watch = pushed();
    open(&mut watch, "client_id=by-hand&request_uri=urn:a:reference");
    watch.event(NOW, &Event::ClientDisowned);
    open(&mut watch, "client_id=by-hand&request_uri=urn:a:reference");
    seen(&watch, "a reference that its server did not give");
    // What was pushed is not shown beside it.
    let mut watch = pushed();
    open(&mut watch, "client_id=by-hand&request_uri=urn:a:reference&state=state-of-this-run");
    seen(&watch, "the URL that is opened shows a secret (State)");
    // Nor pushed twice to different servers.
    let mut watch = pushed();
    watch.action(&post(3, Purpose::PushedAuthorization, "https://evil.example/par", ASKED));
    seen(&watch, "carries a secret (State)");
}

/// What the identity provider gave is looked at before it goes on.
#[test]
fn a_grant_goes_on_if_it_is_the_identity_providers_for_this_client_and_this_resource() {
    let good = serde_json::json!({
        "iss": "https://idp.example", "aud": "https://as.example", "client_id": "by-hand",
        "resource": "https://mcp.example/mcp",
    });
    let other = "a grant goes on that is another identity provider's, or for others than it should be";
    let client = "a client is named to another server than its own";
    for (claim, value, wrong) in [
        ("sub", "somebody".into(), None),
        ("resource", serde_json::json!(["https://other.example/", "https://mcp.example/mcp"]), None),
        ("resource", serde_json::json!(["https://other.example/"]), Some(other)),
        ("resource", "https://other.example/mcp".into(), Some(other)),
        ("resource", Value::Null, Some(other)),
        ("aud", serde_json::json!(["https://as.example", "https://evil.example"]), Some(other)),
        ("aud", serde_json::json!(["https://as.example"]), None),
        ("aud", Value::Null, Some(other)),
        ("iss", "https://evil.example".into(), Some(other)),
        ("client_id", "at-the-idp".into(), Some(client)),
        ("client_id", Value::Null, Some(other)),
    ] {
        let mut claims = good.clone();
        claims[claim] = value;
        let grant = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        // Without an identity provider there is nothing to hold it to.
        for (mut watch, wrong) in [(enterprise(), wrong), (watch(), None)] {
            watch.action(&post(20, Purpose::Token, TOKEN, &format!("assertion={grant}")));
            assert_eq!(watch.breaches(), wrong.as_slice(), "{claims}");
        }
    }
}
