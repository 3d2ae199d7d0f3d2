//! What the machine tells whoever drives it: what an action is for and till when, what a challenge demands, what a failure asks.

mod support;

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use mcp_auth::{
    Action, AuthMethod, Breach, Challenge, Config, Event, Failure, Generation, GrantType, Kind, Policy,
    Preregistered, Retry, Scopes, TokenSource, Trail,
};
use mcp_auth_testbed::{Device, Dials, PreRegistered, Registration, Workload};
use support::{CLIENT_KEY, REDIRECT, Rig, authorized, public, signer, works};

const ISSUER: &str = "https://as.example";

/// A person has 400 seconds, and everybody else 40.
fn timed(config: Config) -> Config {
    config.policy(Policy::with(|it| {
        (it.consent_time, it.exchange_time) = (Duration::from_secs(400), Duration::from_secs(40));
        it.ask_for_client = true;
    }))
}

/// The first action of this sort that a login asks for.
fn first(rig: &mut Rig, wanted: impl Fn(&Action) -> bool) -> Action {
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    for _ in 0..30 {
        let action = rig.poll();
        if wanted(&action) {
            return action;
        }
        if let Some(event) = rig.answer(action) {
            rig.tell(event);
        }
    }
    panic!("it is not asked for\n{}", rig.auth.trail());
}

#[test]
fn a_person_who_is_asked_for_a_client_is_told_where_it_is_for() {
    let mut rig = Rig::with(Dials { registration: Registration::Absent, ..Dials::default() }, timed);
    let Action::Ask(ask) = first(&mut rig, |it| matches!(it, Action::Ask(_))) else { unreachable!() };
    assert_eq!((ask.issuer(), ask.redirect_uri()), (ISSUER, REDIRECT));
    assert_eq!(ask.until().as_secs(), rig.now + 400);
}

#[test]
fn whoever_vouches_is_told_for_whom_and_for_what() {
    let dials = Dials { workload: Some(Workload::default()), ..Dials::default() };
    let mut rig = Rig::with(dials, |config| timed(config.grant_type(GrantType::WorkloadIdentity)));
    let Action::Supply(supply) = first(&mut rig, |it| matches!(it, Action::Supply(_))) else {
        unreachable!()
    };
    assert_eq!((supply.audience(), supply.resource()), (ISSUER, "https://mcp.example/mcp"));
    assert_eq!(supply.until().as_secs(), rig.now + 400);
}

#[test]
fn whoever_signs_is_told_by_when() {
    let dials = Dials {
        clients: vec![PreRegistered::with_key("by-hand", CLIENT_KEY.public_jwk(), REDIRECT)],
        auth_methods: Some(vec!["private_key_jwt".to_owned()]),
        ..Dials::default()
    };
    let mut rig = Rig::with(dials, |config| {
        let key = mcp_auth::ClientKey::new([mcp_auth::wire::jws::Algorithm::EdDsa]);
        let client = Preregistered::new(ISSUER, "by-hand").method(AuthMethod::PrivateKeyJwt);
        timed(config.preregistered(client).client_key(key.key_id(public(&CLIENT_KEY).thumbprint())))
    });
    rig.signer = signer();
    let Action::Sign(sign) = first(&mut rig, |it| matches!(it, Action::Sign(_))) else { unreachable!() };
    assert_eq!(sign.deadline().as_secs(), rig.now + 40);
}

/// RFC 8628 §3.3: the code as the server gives it, and the URL that has it in it, if the server gives one.
#[test]
fn a_person_with_a_device_is_shown_what_the_server_gives() {
    for complete in [None, Some("https://as.example/enter?code=WDJB-MJHT")] {
        let dials = Dials { device: Some(Device::default()), ..Dials::default() };
        let mut rig = Rig::with(dials, |config| timed(config.grant_type(GrantType::DeviceCode)));
        rig.instead = Some(Box::new(move |request| {
            let asks = String::from_utf8_lossy(request.body()).contains("client_id=");
            let mut given = serde_json::json!({
                "device_code": "the-code-of-the-device", "user_code": "WDJB-MJHT", "expires_in": 300,
                "verification_uri": "https://as.example/enter",
            });
            if let Some(complete) = complete {
                given["verification_uri_complete"] = complete.into();
            }
            (asks && request.uri().path().contains("device")).then(|| support::json((200, given.to_string())))
        }));
        let Action::Show(show) = first(&mut rig, |it| matches!(it, Action::Show(_))) else { unreachable!() };
        assert_eq!(
            (show.user_code(), show.verification_uri().as_str()),
            ("WDJB-MJHT", "https://as.example/enter")
        );
        assert_eq!(show.verification_uri_complete().map(url::Url::as_str), complete);
        assert_eq!(show.until().as_secs(), rig.now + 300);
    }
}

fn challenge(status: StatusCode, field: &'static str, nonce: Option<&'static str>) -> Challenge {
    let mut fields = HeaderMap::new();
    fields.insert(header::WWW_AUTHENTICATE, field.parse().unwrap());
    if let Some(nonce) = nonce {
        fields.insert("dpop-nonce", nonce.parse().unwrap());
    }
    Challenge::of(status, &fields, None, 0).unwrap()
}

/// RFC 9449 §9: a nonce may come with any refusal, and is wanted where the error says so. A lack of scope is another matter.
#[test]
fn a_nonce_is_wanted_where_the_error_says_so() {
    let wanted = |status, field| challenge(status, field, Some("a-nonce")).wanted_nonce().is_some();
    assert!(wanted(StatusCode::UNAUTHORIZED, "DPoP error=\"use_dpop_nonce\""));
    assert!(!wanted(StatusCode::UNAUTHORIZED, "DPoP error=\"invalid_token\""));
    assert!(!wanted(StatusCode::FORBIDDEN, "DPoP error=\"insufficient_scope\""));
    assert!(
        challenge(StatusCode::UNAUTHORIZED, "DPoP error=\"use_dpop_nonce\"", None).wanted_nonce().is_none()
    );
    let told =
        challenge(StatusCode::UNAUTHORIZED, "Bearer error=\"invalid_token\", scope=\"files:read\"", None);
    assert_eq!(told.demand().error.as_deref(), Some("invalid_token"));
    assert_eq!(told.demand().scope, Some(Scopes::parse("files:read").unwrap()));
}

/// RFC 6750 §3.1: a lack of scope is status 403. With 401 it is the token that is refused, whatever the error is called.
#[test]
fn a_lack_of_scope_with_the_status_of_a_bad_token_is_a_bad_token() {
    let mut rig = works(Dials::default());
    let mut fields = HeaderMap::new();
    let field = "Bearer error=\"insufficient_scope\", scope=\"files:write\"";
    fields.insert(header::WWW_AUTHENTICATE, field.parse().unwrap());
    let refused = rig.auth.authorized().map(|done| done.generation);
    let challenge = Challenge::of(StatusCode::UNAUTHORIZED, &fields, refused, 0).unwrap();
    assert_eq!(authorized(rig.run(Event::Challenged(challenge)).unwrap()).source, TokenSource::Refreshed);
    assert_eq!(rig.opened.len(), 1);
}

#[test]
fn a_failure_says_what_can_be_done() {
    let breach = Breach::new(Kind::NoClient, "MCP 2026-07-28, client registration", "a client", "none");
    let failure = Failure::new(breach, Trail::default());
    let advice = "Register a client with the authorization server by hand and configure its identifier.";
    assert_eq!((failure.advice(), failure.retry()), (advice, Retry::AfterChange));
    assert!(failure.to_string().ends_with(advice), "{failure}");
}

/// RFC 6749 §5.1: what an answer is said to be is what it is read as.
#[test]
fn an_answer_that_is_said_to_be_a_form_is_read_as_one() {
    let json = r#"{"access_token":"a-token","token_type":"Bearer","expires_in":3600}"#;
    let form = "access_token=a-token&token_type=Bearer&expires_in=3600";
    for (body, taken) in [(form, true), (json, false)] {
        let mut rig = Rig::new(Dials::default());
        rig.instead = Some(Box::new(move |request| {
            let mut answer = support::json((200, body.to_owned()));
            let said = "application/x-www-form-urlencoded; charset=utf-8".parse().unwrap();
            answer.headers_mut().insert(header::CONTENT_TYPE, said);
            (request.uri().path() == "/token").then_some(answer)
        }));
        let ended = rig.log_in().map(|_| ()).map_err(|failure| failure.kind());
        assert_eq!(ended, if taken { Ok(()) } else { Err(Kind::NotADocument) }, "{body}");
    }
}

/// Two configurations are one if all that was said is.
#[test]
fn configurations_are_compared_by_what_was_said() {
    let config = || Config::new("https://mcp.example/mcp", "Test", REDIRECT);
    assert_eq!(config(), config());
    assert_ne!(config(), config().dynamic_registration(false));
    assert_ne!(config(), config().account("another"));
}

/// A generation begins with the time, and one beyond all times would let no other come after it.
#[test]
fn a_record_beyond_all_times_is_not_used() {
    for (number, good) in [(u64::MAX / 2, true), (u64::MAX / 2 + 1, false)] {
        let mut rig = works(Dials::default());
        rig.store.values_mut().next().unwrap().generation = Generation::new(number);
        rig.restart(|config| config);
        rig.run(Event::Restore).unwrap();
        assert_eq!(rig.auth.authorized().is_some(), good, "{number}");
    }
}
