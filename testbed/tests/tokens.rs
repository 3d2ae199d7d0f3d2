//! Logins in memory: what the authorization server verifies, and what becomes of tokens.

mod login;

use login::*;
use mcp_auth_testbed::{
    Browsed, Consent, Dials, ExpiresIn, Iss, Origins, Person, PreRegistered, Purpose, RefreshTokens, Role,
    Rotation, ScopeAnswer, TokenBody, TokenType, World,
};
use serde_json::Value;

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

fn echo(memory: &mut Memory, token: &str) -> u16 {
    let url = memory.world.server_url();
    call_tool(memory, &url, "echo", token).status().as_u16()
}

/// A world after a login: the world, what was found, the client, the tokens.
fn logged_in(dials: Dials) -> (Memory, Found, Client, Value) {
    let mut memory = Memory::new(dials);
    let url = memory.world.server_url();
    let (found, client, tokens) = login(&mut memory, &url, "files:read");
    (memory, found, client, tokens)
}

#[test]
fn a_login_by_the_book() {
    for consent in [Consent::Automatic, Consent::Page] {
        let (mut memory, _, _, tokens) = logged_in(Dials { consent, ..Dials::default() });
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], 3600);
        assert_eq!(tokens["scope"], "files:read");
        assert_eq!(echo(&mut memory, &text(&tokens, "access_token")), 200);
        let purposes: Vec<_> = memory.world.exchanges().iter().map(|exchange| exchange.purpose).collect();
        let mut expected = vec![
            Purpose::Mcp,
            Purpose::ResourceMetadata,
            Purpose::ServerMetadata,
            Purpose::Registration,
            Purpose::Authorize,
        ];
        if consent == Consent::Page {
            expected.push(Purpose::Other);
        }
        expected.extend([Purpose::Token, Purpose::Mcp]);
        assert_eq!(purposes, expected);
    }
}

#[test]
fn the_same_again_gives_the_same() {
    let one = logged_in(Dials::default());
    let other = logged_in(Dials::default());
    assert_eq!(format!("{:?}", one.3), format!("{:?}", other.3));
}

#[test]
fn a_wrong_token_request_is_refused_and_spends_the_code() {
    let other = "another-verifier-of-forty-three-characters-or-more";
    let wrong = [
        (("code_verifier", other), "invalid_grant"),
        (("code_verifier", "short"), "invalid_grant"),
        (("redirect_uri", "http://127.0.0.1:7778/callback"), "invalid_grant"),
        (("resource", "https://mcp.example/"), "invalid_target"),
        (("resource", ""), "invalid_target"),
    ];
    for (change, error) in wrong {
        let mut memory = Memory::new(Dials::default());
        let url = memory.world.server_url();
        let found = discover(&mut memory, &url);
        let client = register(&mut memory, &found, "none");
        let code = code(&mut memory, &found, &client, "");
        let answer = redeem(&mut memory, &found, &client, &code, &[change]);
        assert_eq!((answer.status().as_u16(), error_of(&answer).as_str()), (400, error), "{change:?}");
        assert_eq!(
            error_of(&redeem(&mut memory, &found, &client, &code, &[])),
            "invalid_grant",
            "{change:?}"
        );
    }
}

#[test]
fn a_code_is_bound_to_its_client_and_its_minute() {
    let mut memory = Memory::new(Dials::default());
    let url = memory.world.server_url();
    let found = discover(&mut memory, &url);
    let client = register(&mut memory, &found, "none");
    let thief = register(&mut memory, &found, "none");
    let first = code(&mut memory, &found, &client, "");
    assert_eq!(error_of(&redeem(&mut memory, &found, &thief, &first, &[])), "invalid_grant");
    memory.now += 59;
    assert_eq!(redeem(&mut memory, &found, &client, &first, &[]).status(), 200);
    let second = code(&mut memory, &found, &client, "");
    memory.now += 60;
    assert_eq!(error_of(&redeem(&mut memory, &found, &client, &second, &[])), "invalid_grant");
}

#[test]
fn a_code_used_twice_ends_what_came_of_it() {
    let mut memory = Memory::new(Dials::default());
    let url = memory.world.server_url();
    let found = discover(&mut memory, &url);
    let client = register(&mut memory, &found, "none");
    let code = code(&mut memory, &found, &client, "");
    let tokens = json_of(&redeem(&mut memory, &found, &client, &code, &[]));
    assert_eq!(echo(&mut memory, &text(&tokens, "access_token")), 200);
    assert_eq!(error_of(&redeem(&mut memory, &found, &client, &code, &[])), "invalid_grant");
    assert_eq!(echo(&mut memory, &text(&tokens, "access_token")), 401);
    let answer = refresh(&mut memory, &found, &client, &text(&tokens, "refresh_token"));
    assert_eq!(error_of(&answer), "invalid_grant");
}

#[test]
fn strict_rotation_revokes_the_family_on_reuse() {
    let (mut memory, found, client, tokens) = logged_in(Dials::default());
    let first = text(&tokens, "refresh_token");
    let renewed = json_of(&refresh(&mut memory, &found, &client, &first));
    let second = text(&renewed, "refresh_token");
    assert_ne!(first, second);
    assert_eq!(echo(&mut memory, &text(&renewed, "access_token")), 200);
    assert_eq!(error_of(&refresh(&mut memory, &found, &client, &first)), "invalid_grant");
    assert_eq!(error_of(&refresh(&mut memory, &found, &client, &second)), "invalid_grant");
    assert_eq!(echo(&mut memory, &text(&renewed, "access_token")), 401);
}

#[test]
fn rotation_with_grace_takes_the_one_before_and_kills_the_newer() {
    let (mut memory, found, client, tokens) =
        logged_in(Dials { rotation: Rotation::Grace, ..Dials::default() });
    let first = text(&tokens, "refresh_token");
    let second = text(&json_of(&refresh(&mut memory, &found, &client, &first)), "refresh_token");
    let third = text(&json_of(&refresh(&mut memory, &found, &client, &first)), "refresh_token");
    assert_eq!(error_of(&refresh(&mut memory, &found, &client, &second)), "invalid_grant");
    let fourth = text(&json_of(&refresh(&mut memory, &found, &client, &third)), "refresh_token");
    assert_eq!(error_of(&refresh(&mut memory, &found, &client, &first)), "invalid_grant");
    assert_eq!(refresh(&mut memory, &found, &client, &fourth).status(), 200);
}

#[test]
fn without_rotation_the_refresh_token_stays() {
    for rotation in [Rotation::None, Rotation::Repeated] {
        let (mut memory, found, client, tokens) = logged_in(Dials { rotation, ..Dials::default() });
        let first = text(&tokens, "refresh_token");
        for _ in 0..2 {
            let renewed = json_of(&refresh(&mut memory, &found, &client, &first));
            assert_eq!(renewed.get("refresh_token").is_some(), rotation == Rotation::Repeated);
        }
    }
}

#[test]
fn a_refresh_needs_the_resource_and_the_client() {
    let (mut memory, found, client, tokens) = logged_in(Dials::default());
    let token = text(&tokens, "refresh_token");
    let elsewhere = Found { resource: "https://other.example".to_owned(), ..found.clone() };
    assert_eq!(error_of(&refresh(&mut memory, &elsewhere, &client, &token)), "invalid_target");
    let thief = register(&mut memory, &found, "none");
    assert_eq!(error_of(&refresh(&mut memory, &found, &thief, &token)), "invalid_grant");
    assert_eq!(refresh(&mut memory, &found, &client, &token).status(), 200);
}

#[test]
fn refresh_tokens_come_by_their_dial_and_by_the_registration() {
    let cases = [
        (RefreshTokens::Never, "files:read offline_access", false),
        (RefreshTokens::Always, "files:read", true),
        (RefreshTokens::WithOfflineAccess, "files:read", false),
        (RefreshTokens::WithOfflineAccess, "files:read offline_access", true),
    ];
    for (refresh_tokens, scope, expected) in cases {
        let mut memory = Memory::new(Dials { refresh_tokens, ..Dials::default() });
        let url = memory.world.server_url();
        let (found, _, tokens) = login(&mut memory, &url, scope);
        assert_eq!(tokens.get("refresh_token").is_some(), expected, "{refresh_tokens:?} {scope}");
        let mut asked = registration("none");
        asked.as_object_mut().unwrap().remove("grant_types");
        let answer = post_json(&mut memory, &found.endpoint("registration_endpoint"), &asked);
        let client = Client { id: text(&json_of(&answer), "client_id"), secret: None, method: "none".into() };
        let code = code(&mut memory, &found, &client, scope);
        let tokens = json_of(&redeem(&mut memory, &found, &client, &code, &[]));
        assert!(tokens.get("refresh_token").is_none());
    }
}

#[test]
fn tokens_end_by_time_by_event_and_by_revocation() {
    let (mut memory, found, client, tokens) = logged_in(Dials::default());
    let token = text(&tokens, "access_token");
    memory.now += 3599;
    assert_eq!(echo(&mut memory, &token), 200);
    memory.now += 1;
    assert_eq!(echo(&mut memory, &token), 401);

    let renewed = json_of(&refresh(&mut memory, &found, &client, &text(&tokens, "refresh_token")));
    let token = text(&renewed, "access_token");
    assert_eq!(echo(&mut memory, &token), 200);
    memory.world.expire_access_tokens();
    assert_eq!(echo(&mut memory, &token), 401);

    let renewed = json_of(&refresh(&mut memory, &found, &client, &text(&renewed, "refresh_token")));
    let revoked = text(&renewed, "refresh_token");
    let endpoint = found.endpoint("revocation_endpoint");
    assert_eq!(post_form(&mut memory, &endpoint, &client, &[("token", "unknown")]).status(), 200);
    assert_eq!(echo(&mut memory, &text(&renewed, "access_token")), 200);
    assert_eq!(post_form(&mut memory, &endpoint, &client, &[("token", &revoked)]).status(), 200);
    assert_eq!(echo(&mut memory, &text(&renewed, "access_token")), 401);
    assert_eq!(error_of(&refresh(&mut memory, &found, &client, &revoked)), "invalid_grant");
}

#[test]
fn events_in_the_life_of_a_server() {
    let (mut memory, found, client, tokens) = logged_in(Dials::default());
    memory.world.revoke_everything();
    assert_eq!(echo(&mut memory, &text(&tokens, "access_token")), 401);
    let answer = refresh(&mut memory, &found, &client, &text(&tokens, "refresh_token"));
    assert_eq!(error_of(&answer), "invalid_grant");
    memory.world.purge_clients();
    let answer = refresh(&mut memory, &found, &client, &text(&tokens, "refresh_token"));
    assert_eq!((answer.status().as_u16(), error_of(&answer).as_str()), (401, "invalid_client"));
    let browsed = memory.browse(&authorization_url(&found, &client, "", &[]));
    assert!(matches!(browsed, Browsed::Page { status: 400, .. }), "{browsed:?}");
}

#[test]
fn an_authorization_request_must_be_whole() {
    let (mut memory, found, client, _) = logged_in(Dials::default());
    let told: [(&str, Option<&str>, &str); 8] = [
        ("response_type", None, "invalid_request"),
        ("response_type", Some("token"), "unsupported_response_type"),
        ("code_challenge", None, "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("resource", None, "invalid_target"),
        ("resource", Some("https://mcp.example/mcp/"), "invalid_target"),
        ("scope", Some("files:burn"), "invalid_scope"),
    ];
    for (name, change, error) in told {
        let browsed = memory.browse(&authorization_url(&found, &client, "", &[(name, change)]));
        let pairs = callback(&browsed);
        assert_eq!(value(&pairs, "error"), Some(error), "{name} {change:?}");
        assert_eq!(value(&pairs, "state"), Some("the state"));
        assert_eq!(value(&pairs, "iss"), Some("https://as.example"));
        assert_eq!(value(&pairs, "code"), None);
    }
    let shown: [(&str, Option<&str>); 5] = [
        ("client_id", None),
        ("client_id", Some("unknown")),
        ("redirect_uri", None),
        ("redirect_uri", Some("http://127.0.0.1:7777/callback/")),
        ("redirect_uri", Some("http://127.0.0.1:7778/callback")),
    ];
    for (name, change) in shown {
        let browsed = memory.browse(&authorization_url(&found, &client, "", &[(name, change)]));
        assert!(matches!(browsed, Browsed::Page { status: 400, .. }), "{name} {change:?}: {browsed:?}");
    }
    memory.world.dials_mut().any_loopback_port = true;
    let change = [("redirect_uri", Some("http://127.0.0.1:7778/callback"))];
    let browsed = memory.browse(&authorization_url(&found, &client, "", &change));
    assert!(matches!(browsed, Browsed::Callback(_)), "{browsed:?}");
}

#[test]
fn the_person_decides() {
    for consent in [Consent::Automatic, Consent::Page] {
        let (mut memory, found, client, _) = logged_in(Dials { consent, ..Dials::default() });
        memory.world.dials_mut().person = Person::Denies;
        let pairs = callback(&memory.browse(&authorization_url(&found, &client, "", &[])));
        assert_eq!(value(&pairs, "error"), Some("access_denied"));
    }
    let (mut memory, found, client, _) = logged_in(Dials { consent: Consent::Page, ..Dials::default() });
    memory.world.dials_mut().person = Person::Leaves;
    let browsed = memory.browse(&authorization_url(&found, &client, "", &[]));
    let Browsed::Page { status: 200, text } = browsed else { panic!("{browsed:?}") };
    assert!(text.contains("The test asks for access") && text.contains("https://mcp.example/mcp"));
}

#[test]
fn iss_by_its_dial() {
    let own = "https://as.example";
    let cases: [(Iss, bool, &[&str]); 8] = [
        (Iss::AdvertisedAndSent, true, &[own]),
        (Iss::SentOnly, false, &[own]),
        (Iss::Absent, false, &[]),
        (Iss::AdvertisedButMissing, true, &[]),
        (Iss::Wrong, true, &["https://evil.example"]),
        (Iss::WrongUnadvertised, false, &["https://evil.example"]),
        (Iss::TrailingSlash, true, &["https://as.example/"]),
        (Iss::Twice, true, &[own, own]),
    ];
    for (iss, advertised, sent) in cases {
        let (mut memory, found, client, _) = logged_in(Dials { iss, ..Dials::default() });
        let flag = &found.server["authorization_response_iss_parameter_supported"];
        assert_eq!(flag.as_bool().unwrap_or(false), advertised, "{iss:?}");
        let pairs = callback(&memory.browse(&authorization_url(&found, &client, "", &[])));
        let got: Vec<&str> =
            pairs.iter().filter(|(name, _)| name == "iss").map(|(_, iss)| iss.as_str()).collect();
        assert_eq!(got, sent, "{iss:?}");
    }
}

#[test]
fn the_shape_of_token_answers() {
    let answer_with = |dials: Dials| {
        let mut memory = Memory::new(dials);
        let url = memory.world.server_url();
        let found = discover(&mut memory, &url);
        let client = register(&mut memory, &found, "none");
        let code = code(&mut memory, &found, &client, "files:read files:write");
        redeem(&mut memory, &found, &client, &code, &[])
    };
    let body = |dials| json_of(&answer_with(dials));
    let of = |expires_in| body(Dials { expires_in, ..Dials::default() })["expires_in"].clone();
    assert_eq!(of(ExpiresIn::Text), "3600");
    assert_eq!(of(ExpiresIn::Float), 3600.5);
    assert_eq!(of(ExpiresIn::Zero), 0);
    assert_eq!(of(ExpiresIn::Negative), -1);
    assert_eq!(
        body(Dials { expires_in: ExpiresIn::Null, ..Dials::default() }).get("expires_in"),
        Some(&Value::Null)
    );
    assert!(body(Dials { expires_in: ExpiresIn::Absent, ..Dials::default() }).get("expires_in").is_none());
    assert_eq!(body(Dials { token_type: TokenType::LowerCase, ..Dials::default() })["token_type"], "bearer");
    assert!(body(Dials { token_type: TokenType::Absent, ..Dials::default() }).get("token_type").is_none());
    let scope = |scope_answer| body(Dials { scope_answer, ..Dials::default() })["scope"].clone();
    assert_eq!(scope(ScopeAnswer::Commas), "files:read,files:write");
    assert_eq!(scope(ScopeAnswer::Empty), "");
    assert_eq!(scope(ScopeAnswer::Absent), Value::Null);
    let nested = body(Dials { token_body: TokenBody::Nested, ..Dials::default() });
    assert!(nested["authed_user"]["access_token"].is_string() && nested.get("access_token").is_none());
    let token_extra = vec![("instance_url", "https://org.example".into()), ("scope", "".into())];
    let extra = body(Dials { token_extra: token_extra.clone(), ..Dials::default() });
    assert_eq!((&extra["instance_url"], &extra["scope"]), (&"https://org.example".into(), &"".into()));
    let nested = body(Dials { token_extra, token_body: TokenBody::Nested, ..Dials::default() });
    assert_eq!((&nested["scope"], &nested["authed_user"]["instance_url"]), (&"".into(), &Value::Null));
    assert_eq!(nested["authed_user"]["scope"], "files:read files:write");
    let access_token_claims = Some(serde_json::json!({ "iss": "https://root.example", "aud": ["res_1"] }));
    let token = body(Dials { access_token_claims, ..Dials::default() })["access_token"].clone();
    let token = token.as_str().unwrap();
    assert_eq!((token.split('.').count(), &token[..3]), (3, "eyJ"));
    for token_body in [TokenBody::Form, TokenBody::FormUnlessAccepted] {
        let answer = answer_with(Dials { token_body, token_status: 201, ..Dials::default() });
        assert_eq!(answer.status(), 201);
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(answer.body()).into_owned().collect();
        assert_eq!(value(&pairs, "scope"), Some("files:read files:write"));
        assert_eq!(value(&pairs, "expires_in"), Some("3600"));
    }
    let granted_scopes = Some(vec!["files:read".to_owned()]);
    assert_eq!(body(Dials { granted_scopes, ..Dials::default() })["scope"], "files:read");
}

#[test]
fn errors_may_come_with_200() {
    let (mut memory, found, client, _) = logged_in(Dials { errors_with_200: true, ..Dials::default() });
    let answer = refresh(&mut memory, &found, &client, "unknown");
    assert_eq!((answer.status().as_u16(), error_of(&answer).as_str()), (200, "invalid_grant"));
}

#[test]
fn a_client_of_one_authorization_server_means_nothing_to_another() {
    let clients = vec![PreRegistered::public("by hand", REDIRECT)];
    let mut memory = Memory::new(Dials { clients, ..Dials::default() });
    let url = memory.world.server_url();
    let found = discover(&mut memory, &url);
    let client = Client { id: "by hand".into(), secret: None, method: "none".into() };
    let code = code(&mut memory, &found, &client, "");
    let tokens = json_of(&redeem(&mut memory, &found, &client, &code, &[]));
    assert_eq!(echo(&mut memory, &text(&tokens, "access_token")), 200);

    memory.world.dials_mut().authorization_servers = mcp_auth_testbed::AuthorizationServers::SecondOnly;
    assert_eq!(echo(&mut memory, &text(&tokens, "access_token")), 401);
    let moved = discover(&mut memory, &url);
    assert_eq!(moved.server["issuer"], "https://as2.example");
    let browsed = memory.browse(&authorization_url(&moved, &client, "", &[]));
    assert!(matches!(browsed, Browsed::Page { status: 400, .. }));
    let client = register(&mut memory, &moved, "none");
    let code = login::code(&mut memory, &moved, &client, "");
    let tokens = json_of(&redeem(&mut memory, &moved, &client, &code, &[]));
    assert_eq!(echo(&mut memory, &text(&tokens, "access_token")), 200);
    let last = memory.world.exchanges().iter().rfind(|exchange| exchange.purpose == Purpose::Token).unwrap();
    assert_eq!(last.role, Role::AuthorizationServer(1));
    assert_eq!(last.parameter("grant_type"), Some("authorization_code"));
}

#[test]
fn a_world_without_authorization_servers_does_not_panic() {
    let origins = Origins { authorization_servers: Vec::new(), ..Origins::default() };
    let mut world = World::new(Dials::default(), origins);
    let url = world.server_url();
    let request = http::Request::get(url).body(Vec::new()).unwrap();
    assert_eq!(world.handle(NOW, request).status(), 401);
    assert!(matches!(world.browse(NOW, "not a url"), Browsed::Page { status: 0, .. }));
}

#[test]
fn requests_cut_off_anywhere_are_answered() {
    let (memory, _, _, tokens) = logged_in(Dials { consent: Consent::Page, ..Dials::default() });
    let bearer = format!("Bearer {}", text(&tokens, "access_token"));
    for exchange in memory.world.exchanges() {
        let content_type = if exchange.body.starts_with(b"{") {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        };
        for length in 0..=exchange.body.len() {
            for mark in [b"".as_slice(), b"\xff", b"%", b"[[["] {
                let mut world = memory.world.clone();
                let request = http::Request::builder()
                    .method(exchange.method.as_str())
                    .uri(format!("{}{}", exchange.origin, exchange.path))
                    .header("content-type", content_type)
                    .header("authorization", &bearer)
                    .body([&exchange.body[..length], mark].concat());
                let status = world.handle(NOW, request.unwrap()).status().as_u16();
                assert!((200..500).contains(&status), "{status} {exchange:?}");
            }
        }
    }
}
