//! Where things live, and what challenges say.

mod login;

use login::*;
use mcp_auth_testbed::{
    AuthorizationServers, Challenge, ChallengeMethods, Dials, Dropped, InvalidToken, IssuerValue,
    MetadataRedirect, Purpose, Refusal, ResourceMetadata, ResourceParameter, ResourceValue, Role,
    ServerMetadata, StepUp, UnknownPath,
};
use serde_json::{Value, json};

fn world(dials: Dials) -> Memory {
    Memory::new(dials)
}

fn status(memory: &mut Memory, url: &str) -> u16 {
    get(memory, url).status().as_u16()
}

fn challenges(memory: &mut Memory, token: &str) -> Vec<String> {
    let url = memory.world.server_url();
    let answer = call_tool(memory, &url, "echo", token);
    let values = answer.headers().get_all("www-authenticate").iter();
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

const PATH_FORM: &str = "https://mcp.example/.well-known/oauth-protected-resource/mcp";
const ROOT_FORM: &str = "https://mcp.example/.well-known/oauth-protected-resource";

#[test]
fn resource_metadata_by_its_dial() {
    let custom = "https://mcp.example/meta.json";
    let cases: [(ResourceMetadata, &[&str]); 5] = [
        (ResourceMetadata::Path, &[PATH_FORM]),
        (ResourceMetadata::Root, &[ROOT_FORM]),
        (ResourceMetadata::PathAndRoot, &[PATH_FORM, ROOT_FORM]),
        (ResourceMetadata::Custom("/meta.json".into()), &[custom]),
        (ResourceMetadata::Nowhere, &[]),
    ];
    for (resource_metadata, expected) in cases {
        let mut memory = world(Dials { resource_metadata, ..Dials::default() });
        for url in [PATH_FORM, ROOT_FORM, custom] {
            let found = if expected.contains(&url) { 200 } else { 404 };
            assert_eq!(status(&mut memory, url), found, "{url}");
        }
        let url = memory.world.server_url();
        let advertised = challenge_parameter(&call_tool(&mut memory, &url, "echo", ""), "resource_metadata");
        assert_eq!(advertised.as_deref(), expected.first().copied());
    }
    let mut memory = world(Dials { mcp_path: String::new(), ..Dials::default() });
    assert_eq!(memory.world.server_url(), "https://mcp.example");
    assert_eq!(json_of(&get(&mut memory, ROOT_FORM))["resource"], "https://mcp.example");
    let (_, _, tokens) = login(&mut memory, "https://mcp.example", "");
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(call_tool(&mut memory, "https://mcp.example", "echo", token).status(), 200);
}

#[test]
fn the_resource_and_its_servers() {
    let document = |dials: Dials| {
        let url = if dials.mcp_path.is_empty() { ROOT_FORM } else { PATH_FORM };
        json_of(&get(&mut world(dials), url))
    };
    let resource = |resource| document(Dials { resource, ..Dials::default() })["resource"].clone();
    assert_eq!(resource(ResourceValue::Exact), "https://mcp.example/mcp");
    assert_eq!(resource(ResourceValue::Root), "https://mcp.example");
    assert_eq!(resource(ResourceValue::OtherOrigin), "https://elsewhere.example/mcp");
    assert_eq!(resource(ResourceValue::SiblingPrefix), "https://mcp.example/mc");
    assert_eq!(resource(ResourceValue::Raw("x".into())), "x");
    let servers = |authorization_servers| {
        document(Dials { authorization_servers, ..Dials::default() })["authorization_servers"].clone()
    };
    assert_eq!(servers(AuthorizationServers::One), json!(["https://as.example"]));
    assert_eq!(
        servers(AuthorizationServers::DeadThenFirst),
        json!(["https://dead.example", "https://as.example"])
    );
    assert_eq!(servers(AuthorizationServers::Both), json!(["https://as.example", "https://as2.example"]));
    assert_eq!(servers(AuthorizationServers::SecondOnly), json!(["https://as2.example"]));
    assert_eq!(servers(AuthorizationServers::Empty), json!([]));
    assert_eq!(servers(AuthorizationServers::Absent), Value::Null);
}

#[test]
fn a_root_resource_is_asked_for_byte_for_byte() {
    let mut memory = world(Dials { resource: ResourceValue::Root, ..Dials::default() });
    let url = memory.world.server_url();
    let (found, client, tokens) = login(&mut memory, &url, "");
    assert_eq!(found.resource, "https://mcp.example");
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(call_tool(&mut memory, &url, "echo", token).status(), 200);
    for wrong in ["https://mcp.example/", "https://mcp.example/mcp"] {
        let request = authorization_url(&found, &client, "", &[("resource", Some(wrong))]);
        assert_eq!(value(&callback(&memory.browse(&request)), "error"), Some("invalid_target"));
    }
}

#[test]
fn the_resource_parameter_by_its_dial() {
    let error = |dial: ResourceParameter, sent: Option<&str>| {
        let mut memory = world(Dials { resource_parameter: dial, ..Dials::default() });
        let url = memory.world.server_url();
        let found = discover(&mut memory, &url);
        let client = register(&mut memory, &found, "none");
        let request = authorization_url(&found, &client, "", &[("resource", sent)]);
        value(&callback(&memory.browse(&request)), "error").map(str::to_owned)
    };
    let refused = Some("invalid_target".to_owned());
    assert_eq!(error(ResourceParameter::Optional, None), None);
    assert_eq!(error(ResourceParameter::Optional, Some("https://other.example")), refused);
    assert_eq!(error(ResourceParameter::Ignored, Some("https://other.example")), None);
    assert_eq!(error(ResourceParameter::Refused, None), None);
    assert_eq!(error(ResourceParameter::Refused, Some("https://mcp.example/mcp")), refused);
    assert_eq!(error(ResourceParameter::Only("api://app".into()), Some("api://app")), None);
    assert_eq!(error(ResourceParameter::Only("api://app".into()), Some("https://mcp.example/mcp")), refused);
}

#[test]
fn an_audience_of_its_own() {
    // The same origin, another resource: the audience is part of the token.
    let mut memory = world(Dials::default());
    let url = memory.world.server_url();
    let (_, _, tokens) = login(&mut memory, &url, "");
    memory.world.dials_mut().mcp_path = "/other".to_owned();
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(call_tool(&mut memory, "https://mcp.example/other", "echo", token).status(), 401);
}

#[test]
fn server_metadata_by_its_dial() {
    let oauth = "https://as.example/.well-known/oauth-authorization-server/tenant1";
    let inserted = "https://as.example/.well-known/openid-configuration/tenant1";
    let appended = "https://as.example/tenant1/.well-known/openid-configuration";
    let oauth_appended = "https://as.example/tenant1/.well-known/oauth-authorization-server";
    let cases: [(ServerMetadata, &[&str]); 6] = [
        (ServerMetadata::Oauth, &[oauth]),
        (ServerMetadata::OpenidInserted, &[inserted]),
        (ServerMetadata::OpenidAppended, &[appended]),
        (ServerMetadata::Appended, &[oauth_appended, appended]),
        (ServerMetadata::Everywhere, &[oauth, inserted, appended]),
        (ServerMetadata::Nowhere, &[]),
    ];
    for (server_metadata, expected) in cases {
        let dials = Dials { server_metadata, issuer_path: "/tenant1".into(), ..Dials::default() };
        let mut memory = world(dials);
        for url in [oauth, inserted, appended, oauth_appended] {
            let answer = get(&mut memory, url);
            assert_eq!(answer.status() == 200, expected.contains(&url), "{server_metadata:?} {url}");
            if answer.status() == 200 {
                assert_eq!(json_of(&answer)["issuer"], "https://as.example/tenant1");
            }
        }
        assert_eq!(memory.world.count(Purpose::ServerMetadata), 4);
        let token =
            if expected.is_empty() { "https://as.example/token" } else { "https://as.example/tenant1/token" };
        assert_eq!(get(&mut memory, token).status(), 405);
        assert_eq!(memory.world.count(Purpose::Token), 1);
    }
}

#[test]
fn what_the_server_says_of_itself() {
    let document =
        |dials| json_of(&get(&mut world(dials), "https://as.example/.well-known/oauth-authorization-server"));
    let issuer = |issuer| document(Dials { issuer, ..Dials::default() })["issuer"].clone();
    assert_eq!(issuer(IssuerValue::Exact), "https://as.example");
    assert_eq!(issuer(IssuerValue::TrailingSlash), "https://as.example/");
    assert_eq!(issuer(IssuerValue::Other), "https://elsewhere.example/other");
    let methods = |challenge_methods| {
        document(Dials { challenge_methods, ..Dials::default() })["code_challenge_methods_supported"].clone()
    };
    assert_eq!(methods(ChallengeMethods::S256), json!(["S256"]));
    assert_eq!(methods(ChallengeMethods::PlainOnly), json!(["plain"]));
    assert_eq!(methods(ChallengeMethods::Empty), json!([]));
    assert_eq!(methods(ChallengeMethods::Absent), Value::Null);
}

#[test]
fn plain_only_takes_no_other() {
    let mut memory = world(Dials { challenge_methods: ChallengeMethods::PlainOnly, ..Dials::default() });
    let url = memory.world.server_url();
    let found = discover(&mut memory, &url);
    let client = register(&mut memory, &found, "none");
    let s256 = memory.browse(&authorization_url(&found, &client, "", &[]));
    assert_eq!(value(&callback(&s256), "error"), Some("invalid_request"));
    let plain = [("code_challenge_method", Some("plain")), ("code_challenge", Some(VERIFIER))];
    let pairs = callback(&memory.browse(&authorization_url(&found, &client, "", &plain)));
    let code = value(&pairs, "code").unwrap();
    assert_eq!(redeem(&mut memory, &found, &client, code, &[]).status(), 200);
}

#[test]
fn the_servers_before_there_was_resource_metadata() {
    for server_metadata in [ServerMetadata::Oauth, ServerMetadata::Nowhere] {
        let mut memory = world(Dials {
            resource_metadata: ResourceMetadata::Nowhere,
            server_metadata,
            ..Dials::default()
        });
        let url = memory.world.server_url();
        assert_eq!(status(&mut memory, PATH_FORM), 404);
        let document = get(&mut memory, "https://mcp.example/.well-known/oauth-authorization-server");
        let server = match server_metadata {
            ServerMetadata::Nowhere => {
                assert_eq!(document.status(), 404);
                json!({
                    "authorization_endpoint": "https://mcp.example/authorize",
                    "token_endpoint": "https://mcp.example/token",
                    "registration_endpoint": "https://mcp.example/register",
                })
            }
            _ => json_of(&document),
        };
        let found = Found { resource: url.clone(), server };
        let client = register(&mut memory, &found, "none");
        for sent in [Some(url.as_str()), Some("https://mcp.example"), None] {
            let pairs =
                callback(&memory.browse(&authorization_url(&found, &client, "", &[("resource", sent)])));
            let code = value(&pairs, "code").unwrap_or_else(|| panic!("{pairs:?}")).to_owned();
            let answer =
                redeem(&mut memory, &found, &client, &code, &[("resource", sent.unwrap_or_default())]);
            let tokens = json_of(&answer);
            let token = tokens["access_token"].as_str().unwrap_or_else(|| panic!("{tokens}"));
            assert_eq!(call_tool(&mut memory, &url, "echo", token).status(), 200);
        }
    }
}

#[test]
fn metadata_that_has_moved_and_endpoints_elsewhere() {
    for redirect in [MetadataRedirect::SameOrigin, MetadataRedirect::OtherOrigin] {
        let mut memory = world(Dials {
            resource_metadata_redirect: redirect,
            server_metadata_redirect: redirect,
            endpoints_elsewhere: true,
            ..Dials::default()
        });
        for (url, member, purpose) in [
            (PATH_FORM, "resource", Purpose::ResourceMetadata),
            ("https://as.example/.well-known/oauth-authorization-server", "issuer", Purpose::ServerMetadata),
        ] {
            let answer = get(&mut memory, url);
            assert_eq!(answer.status(), 308);
            let moved = answer.headers()["location"].to_str().unwrap().to_owned();
            assert_eq!(
                moved.starts_with("https://elsewhere.example/"),
                redirect == MetadataRedirect::OtherOrigin
            );
            let document = json_of(&get(&mut memory, &moved));
            assert!(document[member].is_string(), "{moved}");
            assert_eq!(memory.world.count(purpose), 2);
        }
    }
    let mut memory = world(Dials { endpoints_elsewhere: true, ..Dials::default() });
    let url = memory.world.server_url();
    let (found, _, tokens) = login(&mut memory, &url, "");
    assert!(found.endpoint("token_endpoint").starts_with("https://elsewhere.example/"));
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(call_tool(&mut memory, &url, "echo", token).status(), 200);
    let endpoint_paths = [("token", "/api/token.v2".to_owned())].into();
    let mut memory = world(Dials { endpoint_paths, ..Dials::default() });
    let (found, _, tokens) = login(&mut memory, &url, "");
    assert_eq!(found.endpoint("token_endpoint"), "https://as.example/api/token.v2");
    assert_eq!(found.endpoint("authorization_endpoint"), "https://as.example/authorize");
    assert!(tokens["access_token"].is_string());
    assert_eq!(memory.world.count(Purpose::CodeExchange), 1);
}

#[test]
fn the_query_of_the_authorization_endpoint_and_a_needed_parameter() {
    let mut memory = world(Dials {
        authorization_query: "p=policy".into(),
        required_parameter: Some(("audience".into(), "api".into())),
        ..Dials::default()
    });
    let url = memory.world.server_url();
    let found = discover(&mut memory, &url);
    let client = register(&mut memory, &found, "none");
    let without = memory.browse(&authorization_url(&found, &client, "", &[]));
    assert_eq!(value(&callback(&without), "error"), Some("invalid_request"));
    let whole = authorization_url(&found, &client, "", &[("audience", Some("api"))]);
    assert!(value(&callback(&memory.browse(&whole)), "code").is_some());
    let lost = whole.replace("p=policy&", "");
    assert!(matches!(memory.browse(&lost), mcp_auth_testbed::Browsed::Page { status: 400, .. }));
}

#[test]
fn challenges_by_their_dial() {
    let of = |challenge| challenges(&mut world(Dials { challenge, ..Dials::default() }), "");
    let parameters = format!("scope=\"files:read\", resource_metadata=\"{PATH_FORM}\"");
    assert_eq!(of(Challenge::Bearer), [format!("Bearer {parameters}")]);
    assert!(of(Challenge::None).is_empty());
    assert_eq!(of(Challenge::Bare), ["Bearer"]);
    assert_eq!(of(Challenge::Several).len(), 3);
    assert!(of(Challenge::Joined)[0].ends_with(&format!("charset=\"UTF-8\", Bearer {parameters}")));
    assert_eq!(of(Challenge::BareThenBearer), ["Bearer".to_owned(), format!("Bearer {parameters}")]);
    assert!(of(Challenge::Dpop)[0].starts_with("DPoP algs=\"ES256\", scope="));
    assert_eq!(of(Challenge::Raw("Bearer scope='a'".into())), ["Bearer scope='a'"]);
    assert!(of(Challenge::Raw("Bearer\r\nx: y".into())).is_empty());
    let doubled = &of(Challenge::DuplicatedMetadata)[0];
    assert_eq!(doubled.matches("resource_metadata=").count(), 2);
    assert_eq!(status(&mut world(Dials::default()), &format!("{ROOT_FORM}/gone")), 404);

    let plain = Dials { challenge_scope: false, advertise_metadata: false, ..Dials::default() };
    assert_eq!(challenges(&mut world(plain), ""), ["Bearer"]);
    let early = Dials { challenge_error: true, ..Dials::default() };
    assert!(challenges(&mut world(early), "")[0].contains("error=\"invalid_token\""));
    assert!(challenges(&mut world(Dials::default()), "unknown")[0].contains("error=\"invalid_token\""));
}

#[test]
fn what_an_invalid_token_gets() {
    for (invalid_token, expected) in [
        (InvalidToken::Unauthorized, 401),
        (InvalidToken::UnauthorizedPlain, 401),
        (InvalidToken::InternalError, 500),
    ] {
        let mut memory = world(Dials { invalid_token, ..Dials::default() });
        let url = memory.world.server_url();
        assert_eq!(call_tool(&mut memory, &url, "echo", "unknown").status(), expected);
        assert_eq!(call_tool(&mut memory, &url, "echo", "").status(), 401);
    }
}

#[test]
fn an_expired_token_may_end_its_grant() {
    for expired_token_ends_grant in [false, true] {
        let mut memory = world(Dials { expired_token_ends_grant, ..Dials::default() });
        let url = memory.world.server_url();
        let (found, client, tokens) = login(&mut memory, &url, "");
        memory.world.expire_access_tokens();
        let token = tokens["access_token"].as_str().unwrap();
        assert_eq!(call_tool(&mut memory, &url, "echo", token).status(), 401);
        let answer = refresh(&mut memory, &found, &client, tokens["refresh_token"].as_str().unwrap());
        assert_eq!(answer.status() == 200, !expired_token_ends_grant);
    }
}

#[test]
fn a_step_up_names_its_scopes() {
    for (step_up, expected) in [
        (StepUp::Needed, Some("files:read files:write")),
        (StepUp::Missing, Some("files:write")),
        (StepUp::Union, Some("offline_access files:read files:write")),
        (StepUp::Unnamed, None),
    ] {
        let mut memory = world(Dials { step_up, ..Dials::default() });
        let url = memory.world.server_url();
        let (found, client, tokens) = login(&mut memory, &url, "offline_access files:read");
        let token = tokens["access_token"].as_str().unwrap();
        assert_eq!(call_tool(&mut memory, &url, "read_file", token).status(), 200);
        let refused = call_tool(&mut memory, &url, "write_file", token);
        assert_eq!(refused.status(), 403);
        assert_eq!(challenge_parameter(&refused, "error").as_deref(), Some("insufficient_scope"));
        assert_eq!(challenge_parameter(&refused, "scope").as_deref(), expected, "{step_up:?}");
        let code = code(&mut memory, &found, &client, "files:read files:write");
        let tokens = json_of(&redeem(&mut memory, &found, &client, &code, &[]));
        let token = tokens["access_token"].as_str().unwrap();
        assert_eq!(call_tool(&mut memory, &url, "write_file", token).status(), 200);
    }
}

#[test]
fn a_valid_token_may_be_refused() {
    for (refusal, expected) in [
        (Refusal::None, 200),
        (Refusal::Unauthorized, 401),
        (Refusal::InsufficientScope, 403),
        (Refusal::Forbidden, 403),
    ] {
        let mut memory = world(Dials { refusal, ..Dials::default() });
        let url = memory.world.server_url();
        let (_, _, tokens) = login(&mut memory, &url, "");
        let answer = call_tool(&mut memory, &url, "echo", tokens["access_token"].as_str().unwrap());
        assert_eq!(answer.status(), expected);
        assert_eq!(
            answer.headers().contains_key("www-authenticate"),
            matches!(refusal, Refusal::Unauthorized | Refusal::InsufficientScope)
        );
    }
}

#[test]
fn nobody_lives_elsewhere() {
    let mut memory = world(Dials::default());
    let answer = get(&mut memory, "https://evil.example/token");
    assert!(answer.extensions().get::<Dropped>().is_some());
    assert!(get(&mut memory, "https://user@as.example/token").extensions().get::<Dropped>().is_some());
    assert_eq!(memory.world.exchanges()[0].role, Role::Nobody);
    assert_eq!(status(&mut memory, "https://elsewhere.example/x"), 404);
    assert_eq!(status(&mut memory, "HTTPS://AS.example:443/token"), 405);
    for (unknown_path, expected) in [(UnknownPath::Page, 200), (UnknownPath::Status(403), 403)] {
        let mut memory = world(Dials { unknown_path, ..Dials::default() });
        assert_eq!(status(&mut memory, ROOT_FORM), expected);
        assert_eq!(status(&mut memory, "https://as.example/.well-known/openid-configuration"), expected);
    }
}
