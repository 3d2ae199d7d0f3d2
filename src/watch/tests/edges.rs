//! Where what is allowed ends: just within a bound nothing is seen, and just beyond it the breach is.

use std::sync::Arc;

use serde_json::json;

use super::handed::supplied;
use super::proofs::{but, record, sign};
use super::*;
use crate::action::{Ask, SigningKey};
use crate::credential::AuthorizationServer;
use crate::event::Told;
use crate::policy::Policy;
use crate::step::Terms;

const EVIL: &str = "https://evil.example/token";
const WITHOUT_ISSUER: &str = "?code=a-stolen-code&state=state-of-this-run";
const STOLEN: &str = "grant_type=authorization_code&code=a-stolen-code";
const SECRET: &str = "client_secret=configured-secret";

/// The answer to a request for metadata.
fn metadata(watch: &mut Watch, id: u64, url: &str, status: u16, document: &str) {
    watch.action(&Action::Send(send(id, Purpose::ServerMetadata, url)));
    answer(watch, id, status, document);
}

fn document(issuer: &str, token_endpoint: &str) -> String {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint": token_endpoint,
        "device_authorization_endpoint": format!("{issuer}/device"),
        "revocation_endpoint": format!("{issuer}/revoke"),
    })
    .to_string()
}

/// A server as a record names it.
fn named(token_endpoint: &str) -> AuthorizationServer {
    AuthorizationServer {
        token_endpoint: token_endpoint.to_owned(),
        ..(*record().authorization_server).clone()
    }
}

#[test]
fn what_comes_at_its_deadline_is_no_answer() {
    for (at, other) in [(10, true), (9, false)] {
        let mut watch = watch();
        watch.action(&Action::Send(send(2, Purpose::ServerMetadata, "https://as.example/x")));
        watch.event(later(at), &Event::Tick);
        let deadline = later(20);
        watch.action(&Action::Send(Send {
            deadline,
            ..send(3, Purpose::ServerMetadata, "https://as.example/y")
        }));
        assert_eq!(watch.breaches().is_empty(), other, "{:?}", watch.breaches());
    }
}

/// What an attempt still asked for at its end nobody waits for; a renewal beside it goes on, unless it was called off.
#[test]
fn what_is_awaited_after_an_end() {
    let metadata = |id| Action::Send(send(id, Purpose::ServerMetadata, "https://as.example/x"));
    let load = |id| load(id, false);
    type Asks<'a> = &'a dyn Fn(u64) -> Action;
    let ends: [(Asks, bool, bool); 3] =
        [(&metadata, false, true), (&load, false, false), (&load, true, true)];
    for (asks, called_off, over) in ends {
        let mut watch = watch();
        watch.action(&asks(2));
        if called_off {
            watch.event(NOW, &Event::Cancelled);
        }
        watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
        watch.event(NOW, &Event::Restore);
        watch.action(&asks(3));
        assert_eq!(watch.breaches().is_empty(), over, "{:?}", watch.breaches());
    }
}

/// Of two attempts one has ended; whether the other runs shows in what is asked for next. A renewal says nothing of it.
#[test]
fn an_attempt_that_perhaps_runs_does_not_wait_for_ever() {
    let renews: &dyn Fn(u64) -> Action = &|id| load(id, false);
    let logs_in: &dyn Fn(u64) -> Action =
        &|id| Action::Send(send(id, Purpose::ServerMetadata, "https://as.example/x"));
    for (asks, runs) in [(renews, false), (logs_in, true)] {
        let mut watch = watch();
        watch.event(NOW, &Event::Restore);
        watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
        watch.action(&asks(2));
        watch.event(later(10), &Event::Tick);
        watch.action(&Action::Wait(None));
        assert_eq!(watch.breaches().iter().any(|it| it.contains("waits without end")), runs);
    }
}

#[test]
fn only_loopback_is_in_the_clear() {
    for (url, good) in
        [("http://127.0.0.1:3000/x", true), ("http://as.example/x", false), ("ftp://127.0.0.1/x", false)]
    {
        let mut watch = watch();
        watch.judge(&Url::parse(url).unwrap(), None);
        assert_eq!(watch.breaches().is_empty(), good, "{url}");
    }
}

/// An hour after a login another may be shown, and no sooner.
#[test]
fn a_login_counts_for_an_hour() {
    for (after, good) in [(3599, false), (3600, true)] {
        let mut watch = watch_of(config().policy(Policy::with(|it| it.logins_per_hour = 1)));
        open(&mut watch, ASKED);
        watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
        watch.event(later(after), &Event::Restore);
        open(&mut watch, &ASKED.replace("this-run", "the-next"));
        assert_eq!(watch.breaches().is_empty(), good, "{after}");
    }
}

/// `iss` is demanded where policy demands it of all, or the server has promised it: by its metadata, by a record, or in a
/// login that another process began.
#[test]
fn an_issuer_that_is_demanded_by_policy_or_by_the_servers_word() {
    let strict = |demanded: bool| config().policy(Policy::with(|it| it.require_iss = demanded));
    let server = |promised| AuthorizationServer { iss_parameter_supported: promised, ..named(TOKEN) };
    for (demanded, promised) in [(false, false), (true, false), (false, true)] {
        let mut remembered = Watch::new(&strict(demanded));
        remembered.event(NOW, &Event::Restore);
        remembered.documents.remember(&server(promised));
        open(&mut remembered, ASKED);
        let terms = Terms {
            server: Arc::new(server(promised)),
            client: record().client,
            resource: record().resource,
            resource_metadata: None,
            asked: crate::Scopes::new(),
            binding: None,
            endpoints: None,
        };
        let snapshot = json!({
            "version": 1, "key": key(), "redirect_uri": "",
            "taken_at": NOW, "deadline": later(600), "record": null, "latest": Generation::default(),
            "consent": {"terms": terms, "state": "state-of-this-run", "code_verifier": "the-code-verifier"},
        });
        let resumed = Watch::resume(&strict(demanded), &serde_json::from_value(snapshot).unwrap());
        for mut watch in [remembered, resumed] {
            called(&mut watch, WITHOUT_ISSUER);
            watch.action(&token(2, TOKEN, STOLEN));
            assert_eq!(watch.breaches().is_empty(), !demanded && !promised, "{:?}", watch.breaches());
        }
    }
}

/// A port that goes without saying is the same place.
#[test]
fn a_url_that_is_spelled_otherwise_is_the_same() {
    let mut watch = Watch::new(&config());
    watch.event(NOW, &Event::Restore);
    metadata(&mut watch, 1, METADATA, 200, &document("https://as.example", "https://as.example:443/token"));
    watch.action(&token(2, TOKEN, SECRET));
    fine(&watch);
}

/// Only what a server says of itself, in a document that can be its own, moves the place of a secret that is configured for it:
/// neither an error, nor a record, nor a neighbour.
#[test]
fn a_secret_goes_where_the_server_itself_says() {
    let other = "https://other.example/.well-known/oauth-authorization-server";
    let told = |url: &str, status: u16, document: &str| {
        let mut watch = watch();
        metadata(&mut watch, 2, url, status, document);
        watch
    };
    let moved = document("https://as.example", EVIL);
    let mut recorded = watch();
    recorded.documents.remember(&named(EVIL));
    for (name, mut watch) in [
        ("an error", told(METADATA, 404, &moved)),
        ("a tenant of the same origin", told(&format!("{METADATA}/tenant"), 200, &moved)),
        ("another origin", told("https://evil.example/as", 200, &moved)),
        ("a record", recorded),
    ] {
        watch.action(&token(3, EVIL, SECRET));
        assert!(watch.breaches().iter().any(|it| it.contains("(ClientSecret)")), "{name}");
    }
    // That another server says something of itself changes nothing.
    let mut watch = told(other, 200, &document("https://other.example", "https://other.example/token"));
    watch.action(&token(3, TOKEN, SECRET));
    fine(&watch);
}

/// What a platform says of a workload is for an issuer, and a record that has granted before will do to say where that is.
#[test]
fn an_assertion_goes_where_a_record_says() {
    let mut watch = watch();
    watch.documents.remember(&named("https://as.example/moved"));
    supplied(&mut watch, 2, "an-assertion-of-the-platform");
    watch.action(&token(3, "https://as.example/moved", "assertion=an-assertion-of-the-platform"));
    fine(&watch);
}

/// A client's secret goes to the endpoints for devices and for revocation of its own issuer, and of no other; so do tokens.
#[test]
fn secrets_go_to_every_endpoint_of_their_issuer_and_to_none_of_another() {
    let evil = "https://evil.example/.well-known/oauth-authorization-server";
    let mut begun = watch();
    metadata(&mut begun, 2, evil, 200, &document("https://evil.example", EVIL));
    metadata(&mut begun, 3, METADATA, 200, &document("https://as.example", TOKEN));
    begun.action(&token(4, TOKEN, "grant_type=refresh_token"));
    answer(&mut begun, 4, 200, r#"{"access_token":"the-access-token","refresh_token":"the-refresh-token"}"#);
    fine(&begun);
    for (purpose, path, body) in [
        (Purpose::DeviceAuthorization, "device", SECRET),
        (Purpose::Revocation, "revoke", SECRET),
        (Purpose::Revocation, "revoke", "token=the-refresh-token"),
    ] {
        for (origin, good) in [("https://as.example", true), ("https://evil.example", false)] {
            let mut watch = begun.clone();
            let request = send(5, purpose, &format!("{origin}/{path}"));
            watch.action(&Action::Send(Send { body: Some(Secret::new(body)), ..request }));
            let wrong = watch.breaches().iter().any(|it| it.contains("carries a secret"));
            assert_eq!(wrong, !good, "{origin} {body}: {:?}", watch.breaches());
        }
    }
}

#[test]
fn a_secret_that_a_server_registered_is_for_that_server() {
    let evil = "https://evil.example/.well-known/oauth-authorization-server";
    for (url, good) in [(TOKEN, true), (EVIL, false)] {
        let mut watch = watch();
        metadata(&mut watch, 2, evil, 200, &document("https://evil.example", EVIL));
        watch.action(&Action::Send(send(3, Purpose::Registration, "https://as.example/register")));
        answer(&mut watch, 3, 201, r#"{"client_id":"c","client_secret":"registered-secret"}"#);
        watch.action(&token(4, url, "client_secret=registered-secret"));
        assert_eq!(watch.breaches().is_empty(), good, "{:?}", watch.breaches());
    }
}

/// RFC 7591 §2.3: a software statement stands in the body of a registration, at the issuer that it is configured for.
#[test]
fn a_software_statement_goes_to_its_issuer_in_the_body() {
    let statement = "the-software-statement";
    let registers = |issuer: &str, in_body: bool| {
        let mut watch = watch_of(config().software_statement(issuer, statement));
        let mut request = send(2, Purpose::Registration, "https://as.example/register");
        if in_body {
            request.body = Some(Secret::new(statement));
        } else {
            request.fields.insert(header::AUTHORIZATION, format!("Bearer {statement}").parse().unwrap());
        }
        watch.action(&Action::Send(request));
        watch
    };
    fine(&registers("https://as.example", true));
    for watch in [registers("https://as.example", false), registers("https://other.example", true)] {
        seen(&watch, "(SoftwareStatement)");
    }
}

/// What a person has typed is a secret as well as what was configured; and eight characters make one.
#[test]
fn secrets_that_are_told_or_short() {
    let mut watch = watch();
    let (issuer, redirect_uri) = ("https://as.example".to_owned(), String::new());
    watch.action(&Action::Ask(Ask { id: RequestId(2), issuer, redirect_uri, until: later(600) }));
    let told = Told { client_id: "typed-in".to_owned(), client_secret: Some(Secret::new("8-typed!")) };
    watch.event(NOW, &Event::Replied(Reply { id: RequestId(2), answer: Answer::Told(Some(told)) }));
    fine(&watch);
    watch.text("a log", "the secret is 8-typed!");
    seen(&watch, "a log shows a secret (ClientSecret)");
}

/// A server may give one text as an access token and as a refresh token. It goes where either may go, and nowhere else.
#[test]
fn one_text_may_be_two_secrets() {
    let told = |purpose, access: &str, body: &str| {
        let mut watch = watch();
        hold(&mut watch, 2);
        watch.action(&refresh(3, TOKEN, "refresh_token=the-refresh-token"));
        let tokens = format!(
            r#"{{"access_token":"{access}","refresh_token":"one-and-the-same","token_type":"Bearer"}}"#
        );
        answer(&mut watch, 3, 200, &tokens);
        let mut request = send(4, purpose, TOKEN);
        request.body = Some(Secret::new(body));
        watch.action(&Action::Send(request));
        watch.breaches().iter().any(|breach| breach.contains("carries a secret (AccessToken)"))
    };
    let (same, other) = ("one-and-the-same", "and-another-one");
    assert!(!told(Purpose::Refresh, same, "refresh_token=one-and-the-same"));
    assert!(told(Purpose::Registration, same, "refresh_token=one-and-the-same"));
    // What goes where it may go excuses nothing that goes with it.
    assert!(!told(Purpose::Refresh, other, "refresh_token=one-and-the-same"));
    assert!(told(Purpose::Refresh, other, "refresh_token=one-and-the-same&more=and-another-one"));
}

/// A login and a renewal beside it may each have something signed at a time.
#[test]
fn two_signatures_may_be_awaited_and_not_three() {
    let proof = json!({"htm": "POST", "htu": TOKEN, "iat": 1_000, "jti": "one"});
    let signs = |id: u64| sign(id, SigningKey::Proof, &but(proof.clone(), "jti", json!(id.to_string())));
    let mut watch = watch();
    watch.action(&signs(2));
    watch.action(&signs(3));
    fine(&watch);
    watch.action(&signs(4));
    seen(&watch, "two things are awaited");
}

/// Who wants to be out wants no step towards a new grant; what is under way may end.
#[test]
fn after_a_logout_nothing_is_begun() {
    let begins = |action: &Action, told: &[Event]| {
        let mut watch = watch();
        told.iter().for_each(|event| watch.event(NOW, event));
        watch.action(action);
        watch.breaches().iter().any(|breach| breach.contains("though the person wants to be out"))
    };
    let at = |purpose| Action::Send(send(2, purpose, "https://as.example/token"));
    for (purpose, wrong) in [
        (Purpose::ResourceMetadata, true),
        (Purpose::ServerMetadata, true),
        (Purpose::Registration, true),
        (Purpose::PushedAuthorization, true),
        (Purpose::DeviceAuthorization, true),
        (Purpose::TokenExchange, true),
        (Purpose::Token, false),
        (Purpose::Refresh, false),
        (Purpose::Revocation, false),
    ] {
        assert_eq!(begins(&at(purpose), &[Event::LogOut]), wrong, "{purpose:?}");
        assert!(!begins(&at(purpose), &[]), "{purpose:?}");
    }
    let url = Url::parse(&format!("https://as.example/authorize?{ASKED}")).unwrap();
    let page = Action::Open(Open { id: RequestId(0), url, until: Timestamp::from_secs(1_600) });
    assert!(begins(&page, &[Event::LogOut]) && !begins(&page, &[]));
    let mut watch = watch();
    watch.event(NOW, &Event::LogOut);
    watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
    watch.event(NOW, &Event::Restore);
    watch.action(&at(Purpose::ServerMetadata));
    fine(&watch);
}
