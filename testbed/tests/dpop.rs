//! Proofs of possession (RFC 9449): at the token endpoint and at the MCP server.

mod login;

use login::bound::*;
use login::keys::{Key, hash};
use login::*;
use mcp_auth_testbed::{Dials, Dpop, PreRegistered, Pushed};
use serde_json::{Value, json};

/// What is wrong with a proof for anybody, as a change of it.
fn wrong_proofs() -> Vec<Value> {
    let header = |change: Value| json!({ "header": change, "claims": {} });
    let claims = |change: Value| json!({ "header": {}, "claims": change });
    let mut private = Key::ed_dsa().jwk();
    private["d"] = "AA".into();
    vec![
        header(json!({ "typ": "JWT" })),
        header(json!({ "typ": null })),
        header(json!({ "alg": "none" })),
        header(json!({ "alg": "HS256" })),
        header(json!({ "alg": "RS256" })),
        header(json!({ "jwk": null })),
        header(json!({ "jwk": private })),
        header(json!({ "jwk": Key::es256().jwk() })),
        claims(json!({ "jti": null })),
        claims(json!({ "jti": 1 })),
        claims(json!({ "htm": "GET" })),
        claims(json!({ "htm": "post" })),
        claims(json!({ "htm": null })),
        claims(json!({ "htu": "https://evil.example/token" })),
        claims(json!({ "htu": format!("{TOKEN}?a=b") })),
        claims(json!({ "htu": format!("{MCP}?a=b") })),
        claims(json!({ "htu": null })),
        claims(json!({ "iat": NOW - 301 })),
        claims(json!({ "iat": NOW + 301 })),
        claims(json!({ "iat": null })),
        claims(json!({ "iat": "now" })),
    ]
}

#[test]
fn a_login_that_is_bound_to_a_key() {
    for key in Key::each() {
        let mut session = Session::new(dials(Dpop::default()));
        session.key = key;
        let tokens = session.logged_in();
        assert_eq!(tokens["token_type"], "DPoP");
        let token = text(&tokens, "access_token");
        assert_eq!(session.call_with(&token, None, &json!({})).status(), 200);
        let seen = session.memory.world.exchanges();
        let sent: Vec<usize> = seen.iter().map(|exchange| exchange.proofs.len()).collect();
        assert_eq!(sent, [0, 0, 0, 0, 1, 1]);
    }
}

#[test]
fn metadata_and_challenges_say_so() {
    let mut session = Session::new(dials(Dpop::default()));
    let algorithms = json!(["ES256", "RS256", "EdDSA"]);
    assert_eq!(session.found.server["dpop_signing_alg_values_supported"], algorithms);
    let metadata = get(&mut session.memory, "https://mcp.example/.well-known/oauth-protected-resource/mcp");
    let metadata = json_of(&metadata);
    assert_eq!(metadata["dpop_signing_alg_values_supported"], algorithms);
    assert_eq!(metadata["dpop_bound_access_tokens_required"], true);
    let refused = call_tool(&mut session.memory, MCP, "echo", "");
    let challenge = challenges(&refused);
    assert_eq!(challenge.len(), 1);
    assert!(challenge[0].starts_with("DPoP algs=\"ES256 RS256 EdDSA\", scope="), "{challenge:?}");
    assert_eq!(nonce_of(&refused), None);

    let mut session = Session::new(dials(Dpop { required: false, advertised: false, ..Dpop::default() }));
    assert_eq!(session.found.server.get("dpop_signing_alg_values_supported"), None);
    let challenge = challenges(&call_tool(&mut session.memory, MCP, "echo", ""));
    assert_eq!(challenge.len(), 2);
    assert!(challenge[0].starts_with("Bearer ") && challenge[1].starts_with("DPoP algs="));
}

#[test]
fn a_wrong_proof_gets_no_token_and_spends_no_code() {
    let mut session = Session::new(dials(Dpop::default()));
    let code = session.code(&[]);
    for change in wrong_proofs() {
        let proof = session.proof(TOKEN, None, &change);
        let answer = session.redeem(&code, Some(&proof));
        let got = (answer.status().as_u16(), error_of(&answer));
        assert_eq!(got, (400, "invalid_dpop_proof".to_owned()), "{change}");
    }
    let (one, other) = (session.proof(TOKEN, None, &json!({})), session.proof(TOKEN, None, &json!({})));
    let pairs = [("grant_type", "authorization_code"), ("code", code.as_str())];
    let twice = session.token(&[("dpop", &one), ("dpop", &other)], &pairs);
    assert_eq!(error_of(&twice), "invalid_dpop_proof");
    let proof = session.proof(
        TOKEN,
        None,
        &json!({ "claims": { "iat": NOW - 300, "htu": "https://AS.example:443/token" } }),
    );
    assert_eq!(session.redeem(&code, Some(&proof)).status(), 200);
    let code = session.code(&[]);
    assert_eq!(error_of(&session.redeem(&code, Some(&proof))), "invalid_dpop_proof", "a replay");
}

#[test]
fn a_wrong_proof_does_not_reach_a_tool() {
    let mut session = Session::new(dials(Dpop::default()));
    let tokens = session.logged_in();
    let token = text(&tokens, "access_token");
    let mut changes = wrong_proofs();
    changes.push(json!({ "claims": { "ath": hash("another") } }));
    changes.push(json!({ "claims": { "ath": null } }));
    for change in changes {
        let answer = session.call_with(&token, None, &change);
        assert_eq!(answer.status(), 401, "{change}");
        assert!(challenges(&answer)[0].contains("error=\"invalid_dpop_proof\""), "{change}");
    }
    let fine = json!({ "claims": { "ath": hash(&token) } });
    let proof = session.proof(MCP, None, &fine);
    let (one, other) = (session.proof(MCP, None, &fine), session.proof(MCP, None, &fine));
    assert_eq!(session.call("DPoP", &token, &[&one, &other]).status(), 401);
    assert_eq!(session.call("DPoP", &token, &[]).status(), 401);
    assert_eq!(session.call("DPoP", &token, &[&proof]).status(), 200);
    assert_eq!(session.call("DPoP", &token, &[&proof]).status(), 401, "a replay");
}

#[test]
fn a_bound_token_is_nothing_without_its_key() {
    let mut session = Session::new(dials(Dpop { required: false, ..Dpop::default() }));
    let bound = text(&session.logged_in(), "access_token");
    let code = session.code(&[]);
    let plain = json_of(&session.redeem(&code, None));
    assert_eq!(plain["token_type"], "Bearer");
    let plain = text(&plain, "access_token");
    assert_eq!(session.call("Bearer", &plain, &[]).status(), 200);
    let answer = session.call("Bearer", &bound, &[]);
    assert!(answer.status() == 401 && challenges(&answer)[0].contains("error=\"invalid_token\""));
    let answer = session.call_with(&plain, None, &json!({}));
    assert!(answer.status() == 401 && challenges(&answer)[1].contains("error=\"invalid_token\""));
    assert_eq!(session.call_with(&bound, None, &json!({})).status(), 200);
    session.key = Key::es256();
    let answer = session.call_with(&bound, None, &json!({}));
    assert!(answer.status() == 401 && challenges(&answer)[1].contains("error=\"invalid_token\""));

    session.memory.world.dials_mut().dpop = Some(Dpop::default());
    assert_eq!(session.call("Bearer", &plain, &[]).status(), 401, "bound tokens only");
}

#[test]
fn the_refresh_token_of_a_public_client_is_bound() {
    let mut session = Session::new(dials(Dpop::default()));
    let refresh = text(&session.logged_in(), "refresh_token");
    assert_eq!(error_of(&session.renew(&refresh, None)), "invalid_dpop_proof");
    let own = std::mem::replace(&mut session.key, Key::es256());
    let proof = session.proof(TOKEN, None, &json!({}));
    assert_eq!(error_of(&session.renew(&refresh, Some(&proof))), "invalid_grant");
    session.key = own;
    let proof = session.proof(TOKEN, None, &json!({}));
    let renewed = json_of(&session.renew(&refresh, Some(&proof)));
    assert_eq!(renewed["token_type"], "DPoP");
    let token = text(&renewed, "access_token");
    assert_eq!(session.call_with(&token, None, &json!({})).status(), 200);
}

#[test]
fn the_refresh_token_of_a_confidential_client_is_bound_to_the_client() {
    let clients = vec![PreRegistered::confidential("known", "secret", "client_secret_post", REDIRECT)];
    let mut session = Session::new(Dials { clients, ..dials(Dpop::default()) });
    session.client.id = "known".to_owned();
    let code = session.code(&[]);
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("client_secret", "secret"),
    ];
    let proof = session.proof(TOKEN, None, &json!({}));
    let refresh = text(&json_of(&session.token(&[("dpop", &proof)], &pairs)), "refresh_token");
    session.key = Key::ed_dsa();
    let proof = session.proof(TOKEN, None, &json!({}));
    let pairs =
        [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str()), ("client_secret", "secret")];
    let renewed = json_of(&session.token(&[("dpop", &proof)], &pairs));
    assert_eq!(renewed["token_type"], "DPoP");
    assert_eq!(session.call_with(&text(&renewed, "access_token"), None, &json!({})).status(), 200);
}

#[test]
fn a_code_may_be_bound_before_it_is_there() {
    let pushed = Some(Pushed::default());
    let mut session = Session::new(Dials { pushed, ..dials(Dpop::default()) });
    let thumbprint = thumbprint(&session.key);
    let bound = session.code(&[("dpop_jkt", Some(&thumbprint))]);
    assert_eq!(error_of(&session.redeem(&bound, None)), "invalid_dpop_proof");
    let bound = session.code(&[("dpop_jkt", Some(&thumbprint))]);
    let own = std::mem::replace(&mut session.key, Key::es256());
    let proof = session.proof(TOKEN, None, &json!({}));
    assert_eq!(error_of(&session.redeem(&bound, Some(&proof))), "invalid_grant");
    session.key = own;
    let bound = session.code(&[("dpop_jkt", Some(&thumbprint))]);
    let proof = session.proof(TOKEN, None, &json!({}));
    assert_eq!(session.redeem(&bound, Some(&proof)).status(), 200);

    // Pushed with a proof, it is bound to the key of that.
    let endpoint = session.found.endpoint("pushed_authorization_request_endpoint");
    let challenge = challenge_of(VERIFIER);
    let pairs = [
        ("client_id", session.client.id.clone()),
        ("response_type", "code".to_owned()),
        ("redirect_uri", REDIRECT.to_owned()),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256".to_owned()),
        ("resource", session.found.resource.clone()),
        ("dpop_jkt", "another".to_owned()),
    ];
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let proof = session.proof(&endpoint, None, &json!({}));
    let answer = post_plain(&mut session.memory, &endpoint, &[("dpop", &proof)], &pairs);
    assert_eq!(error_of(&answer), "invalid_dpop_proof");
    let proof = session.proof(&endpoint, None, &json!({}));
    let answer = post_plain(&mut session.memory, &endpoint, &[("dpop", &proof)], &pairs[..6]);
    let request_uri = text(&json_of(&answer), "request_uri");
    let url =
        format!("https://as.example/authorize?client_id={}&request_uri={request_uri}", session.client.id);
    let code = value(&callback(&session.memory.browse(&url)), "code").unwrap().to_owned();
    session.key = Key::es256();
    let proof = session.proof(TOKEN, None, &json!({}));
    assert_eq!(error_of(&session.redeem(&code, Some(&proof))), "invalid_grant");
}

fn thumbprint(key: &Key) -> String {
    let jwk = key.jwk();
    hash(&format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]))
}

#[test]
fn a_server_that_does_not_bind_answers_bearer() {
    for dpop in [Some(Dpop { binds: false, ..Dpop::default() }), None] {
        let mut session = Session::new(Dials { dpop, ..Dials::default() });
        let tokens = session.logged_in();
        assert_eq!(tokens["token_type"], "Bearer");
        let refresh = text(&tokens, "refresh_token");
        assert_eq!(session.renew(&refresh, None).status(), 200);
        let token = text(&tokens, "access_token");
        let required = session.memory.world.dials().dpop.is_some();
        assert_eq!(session.call("Bearer", &token, &[]).status() == 200, !required);
    }
}

#[test]
fn a_client_may_register_to_be_bound() {
    let mut session = Session::new(dials(Dpop { required: false, ..Dpop::default() }));
    let mut body = registration("none");
    body["dpop_bound_access_tokens"] = true.into();
    let endpoint = session.found.endpoint("registration_endpoint");
    session.client.id = text(&json_of(&post_json(&mut session.memory, &endpoint, &body)), "client_id");
    let code = session.code(&[]);
    assert_eq!(error_of(&session.redeem(&code, None)), "invalid_dpop_proof");
    let proof = session.proof(TOKEN, None, &json!({}));
    assert_eq!(session.redeem(&code, Some(&proof)).status(), 200);
}
