//! Clients that authenticate with a key (RFC 7523), and clients that act for themselves (RFC 6749 §4.4).

mod login;

use login::keys::{Key, changed};
use login::*;
use mcp_auth_testbed::{
    AssertionAudience, ClientAssertions, ClientCredentials, Device, Dials, PreRegistered, Purpose, Pushed,
    SigningKey,
};
use serde_json::{Value, json};

const ISSUER: &str = "https://as.example";
const TOKEN: &str = "https://as.example/token";
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn methods() -> Option<Vec<String>> {
    Some(["none", "client_secret_basic", "private_key_jwt"].map(str::to_owned).to_vec())
}

fn dials(key: &Key) -> Dials {
    Dials {
        auth_methods: methods(),
        client_credentials: Some(ClientCredentials::default()),
        clients: vec![
            PreRegistered::with_key("machine", key.jwk(), REDIRECT),
            PreRegistered::confidential("basic", "s + &=", "client_secret_basic", REDIRECT),
            PreRegistered::confidential("post", "secret", "client_secret_post", REDIRECT),
            PreRegistered::public("public", REDIRECT),
        ],
        ..Dials::default()
    }
}

fn claims(id: &str) -> Value {
    json!({ "iss": "machine", "sub": "machine", "aud": ISSUER, "iat": NOW, "exp": NOW + 60, "jti": id })
}

fn post(memory: &mut Memory, url: &str, assertion: &str, pairs: &[(&str, &str)]) -> Answer {
    let mut all = vec![("client_assertion_type", TYPE), ("client_assertion", assertion)];
    all.extend(pairs);
    post_plain(memory, url, &[], &all)
}

/// A token request of the machine for itself.
fn ask(memory: &mut Memory, assertion: &str) -> Answer {
    let resource = memory.world.resource();
    let pairs = [("grant_type", "client_credentials"), ("resource", &resource), ("scope", "files:read")];
    post(memory, TOKEN, assertion, &pairs)
}

fn refused(answer: &Answer, status: u16, error: &str) -> bool {
    (answer.status().as_u16(), error_of(answer).as_str()) == (status, error)
}

#[test]
fn a_machine_gets_a_token_with_each_algorithm() {
    for key in Key::each() {
        let mut memory = Memory::new(dials(&key));
        for header in [json!({}), json!({ "typ": "JWT", "kid": "its own" })] {
            let id = header.to_string();
            let answer = ask(&mut memory, &key.jwt(&header, &claims(&id)));
            let tokens = json_of(&answer);
            assert_eq!(answer.status(), 200, "{} {tokens}", key.alg());
            assert_eq!((tokens["scope"].as_str(), tokens.get("refresh_token")), (Some("files:read"), None));
            let token = tokens["access_token"].as_str().unwrap();
            let url = memory.world.server_url();
            assert_eq!(call_tool(&mut memory, &url, "echo", token).status(), 200);
        }
        assert_eq!(memory.world.count(Purpose::ClientCredentials), 2);
    }
}

#[test]
fn an_assertion_that_is_wrong_in_one_thing_is_refused() {
    let key = Key::es256();
    for (header, change) in [
        (json!({ "alg": "none" }), json!({})),
        (json!({ "alg": "HS256" }), json!({})),
        (json!({ "alg": "RS256" }), json!({})),
        (json!({ "crit": ["b64"] }), json!({})),
        (json!({}), json!({ "iss": "basic" })),
        (json!({}), json!({ "iss": null })),
        (json!({}), json!({ "sub": "public" })),
        (json!({}), json!({ "aud": null })),
        (json!({}), json!({ "aud": "https://as2.example" })),
        (json!({}), json!({ "aud": "https://as.example/" })),
        (json!({}), json!({ "aud": TOKEN })),
        (json!({}), json!({ "aud": [ISSUER] })),
        (json!({}), json!({ "exp": null })),
        (json!({}), json!({ "exp": NOW - 10 })),
        (json!({}), json!({ "exp": NOW + 311 })),
        (json!({}), json!({ "iat": NOW + 11 })),
        (json!({}), json!({ "nbf": NOW + 11 })),
        (json!({}), json!({ "jti": null })),
    ] {
        let mut memory = Memory::new(dials(&key));
        let answer = ask(&mut memory, &key.jwt(&header, &changed(claims("1"), &change)));
        assert!(refused(&answer, 401, "invalid_client"), "{header} {change} {}", json_of(&answer));
        // Nothing is remembered of it, and the clocks may differ by ten seconds.
        let late = changed(claims("1"), &json!({ "exp": NOW - 9, "iat": NOW + 10 }));
        assert_eq!(ask(&mut memory, &key.jwt(&json!({}), &late)).status(), 200, "{header} {change}");
    }
}

#[test]
fn an_assertion_is_used_once_and_signed_by_its_own_key() {
    let key = Key::es256();
    let mut memory = Memory::new(dials(&key));
    let assertion = key.jwt(&json!({}), &claims("1"));
    assert!(refused(&ask(&mut memory, &Key::es256().jwt(&json!({}), &claims("1"))), 401, "invalid_client"));
    assert!(refused(&ask(&mut memory, "no.jwt"), 401, "invalid_client"));
    assert_eq!(ask(&mut memory, &assertion).status(), 200);
    assert!(refused(&ask(&mut memory, &assertion), 401, "invalid_client"));
    let pairs = [("grant_type", "client_credentials"), ("client_secret", "x")];
    let doubled = post(&mut memory, TOKEN, &key.jwt(&json!({}), &claims("2")), &pairs);
    assert!(refused(&doubled, 400, "invalid_request"));
    let other = [("grant_type", "client_credentials"), ("client_id", "public")];
    assert!(refused(
        &post(&mut memory, TOKEN, &key.jwt(&json!({}), &claims("3")), &other),
        401,
        "invalid_client"
    ));
}

#[test]
fn servers_differ_in_the_audience() {
    let key = Key::ed_dsa();
    for (audience, aud, taken) in [
        (AssertionAudience::Any, json!(TOKEN), true),
        (AssertionAudience::Any, json!([ISSUER, "x"]), true),
        (AssertionAudience::Any, json!(["x"]), false),
        (AssertionAudience::TokenEndpoint, json!(TOKEN), true),
        (AssertionAudience::TokenEndpoint, json!(ISSUER), false),
    ] {
        let client_assertions = ClientAssertions { audience, ..ClientAssertions::default() };
        let mut memory = Memory::new(Dials { client_assertions, ..dials(&key) });
        let answer = ask(&mut memory, &key.jwt(&json!({}), &changed(claims("1"), &json!({ "aud": aud }))));
        assert_eq!(answer.status() == 200, taken, "{audience:?} {aud}");
    }
}

#[test]
fn secrets_do_too_and_the_public_client_does_not() {
    let mut memory = Memory::new(dials(&Key::ed_dsa()));
    let resource = memory.world.resource();
    let client = |id: &str, secret: Option<&str>, method: &str| Client {
        id: id.to_owned(),
        secret: secret.map(str::to_owned),
        method: method.to_owned(),
    };
    let mut ask = |client: &Client, scope: &str| {
        let pairs = [("grant_type", "client_credentials"), ("resource", resource.as_str()), ("scope", scope)];
        post_form(&mut memory, TOKEN, client, &pairs)
    };
    for client in [
        client("basic", Some("s + &="), "client_secret_basic"),
        client("post", Some("secret"), "client_secret_post"),
    ] {
        assert_eq!(json_of(&ask(&client, ""))["scope"], "files:read");
        assert!(refused(&ask(&client, "unknown"), 400, "invalid_scope"));
    }
    assert!(refused(&ask(&client("public", None, "none"), ""), 400, "unauthorized_client"));
    let found = discover(&mut memory, "https://mcp.example/mcp");
    let registered = register(&mut memory, &found, "client_secret_basic");
    let pairs = [("grant_type", "client_credentials"), ("resource", found.resource.as_str())];
    let answer = post_form(&mut memory, TOKEN, &registered, &pairs);
    assert!(refused(&answer, 400, "unauthorized_client"));
}

#[test]
fn the_grant_is_a_dial_and_so_is_its_refresh_token() {
    let key = Key::ed_dsa();
    let mut memory = Memory::new(Dials { client_credentials: None, ..dials(&key) });
    let answer = ask(&mut memory, &key.jwt(&json!({}), &claims("1")));
    assert!(refused(&answer, 400, "unsupported_grant_type"));
    memory.world.dials_mut().client_credentials = Some(ClientCredentials { refresh_tokens: true });
    let tokens = json_of(&ask(&mut memory, &key.jwt(&json!({}), &claims("2"))));
    let resource = memory.world.resource();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("resource", &resource)];
    assert_eq!(post(&mut memory, TOKEN, &key.jwt(&json!({}), &claims("3")), &pairs).status(), 200);
}

#[test]
fn every_endpoint_takes_an_assertion() {
    let key = Key::es256();
    let mut memory = Memory::new(Dials {
        device: Some(Device::default()),
        pushed: Some(Pushed::default()),
        revocation_auth_methods: Some(vec!["private_key_jwt".to_owned()]),
        ..dials(&key)
    });
    let resource = memory.world.resource();
    let challenge = challenge_of(VERIFIER);
    let push = [
        ("response_type", "code"),
        ("redirect_uri", REDIRECT),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("resource", resource.as_str()),
    ];
    for (path, pairs, status) in [
        ("revoke", &[("token", "unknown")][..], 200),
        ("device_authorization", &[("resource", &resource)], 200),
        ("par", &push, 201),
    ] {
        let url = format!("{ISSUER}/{path}");
        let wrong = key.jwt(&json!({}), &changed(claims("1"), &json!({ "aud": url })));
        assert!(refused(&post(&mut memory, &url, &wrong, pairs), 401, "invalid_client"), "{path}");
        let answer = post(&mut memory, &url, &key.jwt(&json!({}), &claims(path)), pairs);
        assert_eq!(answer.status(), status, "{path} {}", json_of(&answer));
    }
}

#[test]
fn keys_are_registered_or_found_in_a_document() {
    let key = Key::rs256();
    let id = "https://client.example/metadata.json";
    let document = json!({
        "client_id": id,
        "client_name": "The test",
        "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": "https://client.example/keys.json",
    });
    let mut memory = Memory::new(dials(&key));
    let documents = &mut memory.world.dials_mut().client_documents;
    documents.insert(id.to_owned(), document);
    documents.insert("https://client.example/keys.json".to_owned(), json!({ "keys": [key.jwk()] }));
    let found = discover(&mut memory, "https://mcp.example/mcp");
    assert_eq!(
        found.server["token_endpoint_auth_signing_alg_values_supported"],
        json!(["ES256", "RS256", "EdDSA"])
    );
    let mut body = registration("private_key_jwt");
    let endpoint = found.endpoint("registration_endpoint");
    let private = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA" });
    for jwks in [Value::Null, json!({}), json!({ "keys": [] }), json!({ "keys": [private] })] {
        body["jwks"] = jwks;
        assert!(refused(&post_json(&mut memory, &endpoint, &body), 400, "invalid_client_metadata"));
    }
    // The kid chooses among keys.
    let mut named = key.jwk();
    named["kid"] = "mine".into();
    let mut other = SigningKey::numbered(5).public_jwk();
    other["kid"] = "other".into();
    body["jwks"] = json!({ "keys": [other, named] });
    let registered = json_of(&post_json(&mut memory, &endpoint, &body));
    let registered = registered["client_id"].as_str().unwrap();
    for (client, kid, works) in [(id, "any", true), (registered, "mine", true), (registered, "other", false)]
    {
        let client_of = Client { id: client.to_owned(), secret: None, method: "none".to_owned() };
        let code = code(&mut memory, &found, &client_of, "");
        let own = changed(claims(kid), &json!({ "iss": client, "sub": client }));
        let assertion = key.jwt(&json!({ "kid": kid }), &own);
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("resource", &found.resource),
        ];
        let answer = post(&mut memory, TOKEN, &assertion, &pairs);
        assert_eq!(answer.status() == 200, works, "{client} {kid} {}", json_of(&answer));
    }
}
