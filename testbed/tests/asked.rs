//! What comes of what an authorization request asks for, and of what it leaves out.

mod login;

use login::*;
use mcp_auth_testbed::{Browsed, Dials, Purpose, RefreshTokens, ScopeMissing};

const PARAMETERS: [(&str, &str); 2] = [("access_type", "offline"), ("prompt", "consent")];

/// Whether a refresh token comes of a request with these parameters.
fn refreshes(refresh_tokens: RefreshTokens, scope: &str, parameters: &[(&str, &str)]) -> bool {
    let mut memory = Memory::new(Dials { refresh_tokens, ..Dials::default() });
    let url = memory.world.server_url();
    let found = discover(&mut memory, &url);
    let client = register(&mut memory, &found, "none");
    let change: Vec<_> = parameters.iter().map(|(name, value)| (*name, Some(*value))).collect();
    let answered = callback(&memory.browse(&authorization_url(&found, &client, scope, &change)));
    let code = value(&answered, "code").unwrap_or_else(|| panic!("{answered:?}")).to_owned();
    let answer = redeem(&mut memory, &found, &client, &code, &[]);
    assert_eq!(answer.status(), 200, "{}", json_of(&answer));
    json_of(&answer).get("refresh_token").is_some()
}

#[test]
fn refresh_tokens_by_the_parameters_of_the_request() {
    let [offline, consent] = PARAMETERS;
    for (parameters, expected) in
        [(&[offline, consent][..], true), (&[offline], false), (&[consent], false), (&[], false)]
    {
        assert_eq!(refreshes(RefreshTokens::WithAccessType, "files:read", parameters), expected);
    }
    let both = RefreshTokens::WithOfflineAccessAndConsent;
    assert!(refreshes(both, "offline_access", &[("prompt", "login consent")]));
    for (scope, parameters) in [("offline_access", &[][..]), ("files:read", &[consent])] {
        assert!(!refreshes(both, scope, parameters), "{scope} {parameters:?}");
    }
}

#[test]
fn a_code_for_no_scope() {
    let mut memory = Memory::new(Dials { scope_missing: ScopeMissing::Unexchangeable, ..Dials::default() });
    let url = memory.world.server_url();
    let found = discover(&mut memory, &url);
    let client = register(&mut memory, &found, "none");
    let without = code(&mut memory, &found, &client, "");
    assert_eq!(error_of(&redeem(&mut memory, &found, &client, &without, &[])), "invalid_grant");
    let with = code(&mut memory, &found, &client, "files:read");
    assert_eq!(redeem(&mut memory, &found, &client, &with, &[]).status(), 200);
}

#[test]
fn a_scope_that_no_client_may_ask_for() {
    let forbidden_scopes = vec!["offline_access".to_owned()];
    let mut memory = Memory::new(Dials { forbidden_scopes, ..Dials::default() });
    let url = memory.world.server_url();
    let found = discover(&mut memory, &url);
    assert!(found.server["scopes_supported"].as_array().unwrap().contains(&"offline_access".into()));
    let client = register(&mut memory, &found, "none");
    let shown = memory.browse(&authorization_url(&found, &client, "files:read offline_access", &[]));
    assert!(matches!(shown, Browsed::Page { status: 400, .. }), "{shown:?}");
    assert!(!code(&mut memory, &found, &client, "files:read").is_empty());
}

#[test]
fn endpoints_on_origins_of_their_own() {
    let endpoint_paths = [
        ("authorize", "https://www.example/dialog".to_owned()),
        ("token", "https://graph.example/access_token".to_owned()),
    ];
    let mut memory = Memory::new(Dials { endpoint_paths: endpoint_paths.into(), ..Dials::default() });
    let url = memory.world.server_url();
    let (found, _, tokens) = login(&mut memory, &url, "files:read");
    assert_eq!(found.endpoint("authorization_endpoint"), "https://www.example/dialog");
    assert_eq!(found.endpoint("token_endpoint"), "https://graph.example/access_token");
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(call_tool(&mut memory, &url, "echo", token).status(), 200);
    assert_eq!(memory.world.count(Purpose::CodeExchange), 1);
    // Nobody else lives there.
    assert_eq!(get(&mut memory, "https://graph.example/register").status(), 502);
}
