//! What is signed: client assertions and proofs of possession.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;
use crate::Scopes;
use crate::action::{Sign, SigningKey};
use crate::credential::{AuthorizationServer, Credential, Generation, VERSION};
use crate::event::Challenge;
use crate::grant_type::{Binding, IdentityProvider};
use crate::wire::client::{Client, Origin};
use crate::wire::dpop::Nonce;
use crate::wire::jws::{Algorithm, SigningInput};

const MCP: &str = "https://mcp.example/mcp";

fn input(claims: &Value) -> SigningInput {
    let claims = claims.as_object().unwrap();
    let claims = claims.iter().map(|(name, value)| (name.as_str(), value.clone()));
    SigningInput::new(Algorithm::EdDsa, [("alg", "EdDSA".into())], claims)
}

fn jwt(claims: &Value) -> String {
    input(claims).complete(&[0; 64]).unwrap().expose().to_owned()
}

/// The claims with one of them changed, or taken out if it is to be null.
pub(super) fn but(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

pub(super) fn sign(id: u64, key: SigningKey, claims: &Value) -> Action {
    let deadline = Timestamp::from_secs(1_010);
    Action::Sign(Sign { id: RequestId(id), key, input: input(claims), deadline })
}

fn signed(watch: &mut Watch, id: u64) {
    let reply = Reply { id: RequestId(id), answer: Answer::Signed(Ok(vec![0; 64])) };
    watch.event(NOW, &Event::Replied(reply));
}

fn asserted() -> Value {
    json!({"iss": "by-hand", "sub": "by-hand", "aud": "https://as.example", "exp": 1_300, "jti": "one"})
}

fn proof(method: &str, url: &str, jti: &str) -> Value {
    json!({"htm": method, "htu": url, "iat": 1_000, "jti": jti})
}

/// A token request with this proof.
fn proving(id: u64, url: &str, claims: &Value) -> Action {
    let mut request = send(id, Purpose::Token, url);
    request.fields.insert("dpop", jwt(claims).parse().unwrap());
    Action::Send(request)
}

fn nonce(value: &str) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert("dpop-nonce", value.parse().unwrap());
    fields
}

fn client() -> SigningKey {
    SigningKey::Client { key_id: None }
}

#[test]
fn what_is_signed_wrongly() {
    let good = proof("POST", TOKEN, "one");
    for (key, claims, expected) in [
        (client(), asserted(), ""),
        (client(), but(asserted(), "aud", Value::Null), "no one audience"),
        (client(), but(asserted(), "aud", json!(["https://as.example", TOKEN])), "no one audience"),
        (client(), but(asserted(), "iss", json!("another")), "about somebody else"),
        (client(), but(asserted(), "exp", json!(1_301)), "lives too long"),
        (client(), but(asserted(), "exp", Value::Null), "lives too long"),
        (client(), but(asserted(), "jti", Value::Null), "without a name of its own"),
        (SigningKey::Proof, good.clone(), ""),
        (SigningKey::Proof, but(good.clone(), "htm", Value::Null), "names no request"),
        (
            SigningKey::Proof,
            but(good.clone(), "htu", json!("https://as.example/token?k=v")),
            "shows its query",
        ),
        (SigningKey::Proof, but(good.clone(), "htu", json!("https://as.example/token#k")), "shows its query"),
        (SigningKey::Proof, but(good.clone(), "jti", Value::Null), "without a name of its own"),
    ] {
        let mut watch = watch();
        watch.action(&sign(2, key, &claims));
        match expected {
            "" => assert_eq!(watch.breaches(), [""; 0], "{claims}"),
            expected => seen(&watch, expected),
        }
    }
    let mut watch = watch();
    watch.action(&sign(2, client(), &asserted()));
    signed(&mut watch, 2);
    watch.action(&sign(3, SigningKey::Proof, &good));
    seen(&watch, "without a name of its own");
}

#[test]
fn a_clients_assertion_goes_to_its_issuer_once() {
    let body = |claims: &Value| format!("client_assertion={}", jwt(claims));
    let mut watch = watch();
    watch.action(&token(2, TOKEN, &body(&asserted())));
    answer(&mut watch, 2, 500, "");
    assert_eq!(watch.breaches(), [""; 0]);
    watch.action(&token(3, TOKEN, &body(&asserted())));
    seen(&watch, "an assertion of the client goes out twice");
    for (url, audience) in [
        (TOKEN, json!("https://evil.example")),
        (TOKEN, json!(["https://as.example"])),
        ("https://evil.example/token", json!("https://as.example")),
    ] {
        let mut watch = self::watch();
        watch.action(&token(2, url, &body(&but(asserted(), "aud", audience))));
        seen(&watch, "an assertion of the client goes to another server");
    }
    // The identity provider has an issuer of its own.
    let provider = IdentityProvider::new("https://idp.example", "https://idp.example/token", "at-the-idp");
    let config = config().grant_type(GrantType::EnterpriseManaged(Box::new(provider)));
    for (audience, good) in [("https://idp.example", true), ("https://as.example", false)] {
        let mut watch = watch_of(config.clone());
        let body = Some(Secret::new(body(&but(asserted(), "aud", audience.into()))));
        let exchange = send(2, Purpose::TokenExchange, "https://idp.example/token");
        watch.action(&Action::Send(Send { body, ..exchange }));
        let elsewhere = watch.breaches().iter().any(|breach| breach.contains("goes to another server"));
        assert_eq!(!elsewhere, good, "{audience}");
    }
}

#[test]
fn what_is_signed_is_shown_nowhere_and_sent_where_it_belongs() {
    let text = |claims: &Value| jwt(claims);
    for (key, claims, sort) in
        [(client(), asserted(), "ClientAssertion"), (SigningKey::Proof, proof("POST", TOKEN, "one"), "Proof")]
    {
        let mut watch = watch();
        watch.action(&sign(2, key.clone(), &claims));
        signed(&mut watch, 2);
        assert_eq!(watch.breaches(), [""; 0]);
        let signed = Watch { breaches: Vec::new(), ..watch };
        // Neither with its signature nor without.
        let input = String::from_utf8(input(&claims).as_bytes().to_vec()).unwrap();
        for shown in [input, text(&claims)] {
            let mut watch = signed.clone();
            watch.shown("the trail", &shown);
            seen(&watch, &format!("the trail shows a secret ({sort})"));
        }
        let wrong = format!("carries a secret ({sort})");
        let mut in_field = send(3, Purpose::Token, TOKEN);
        in_field.fields.insert(header::AUTHORIZATION, format!("Bearer {}", text(&claims)).parse().unwrap());
        let body = Some(Secret::new(text(&claims)));
        let registration = Send { body, ..send(3, Purpose::Registration, "https://as.example/register") };
        for request in [in_field, registration] {
            let mut watch = signed.clone();
            watch.action(&Action::Send(request));
            seen(&watch, &wrong);
        }
        let mut watch = signed.clone();
        watch.action(&token(3, TOKEN, &format!("client_assertion={}", text(&claims))));
        assert_eq!(watch.breaches().iter().any(|it| it.contains(&wrong)), key == SigningKey::Proof);
    }
}

#[test]
fn a_proof_is_for_one_request() {
    let good = proof("POST", TOKEN, "one");
    for (url, claims, expected) in [
        (TOKEN, good.clone(), ""),
        ("https://as.example/token?tenant=1", good.clone(), ""),
        (TOKEN, but(good.clone(), "htm", json!("GET")), "another request"),
        (TOKEN, but(good.clone(), "htu", json!("https://as.example/par")), "another request"),
        ("https://evil.example/token", good.clone(), "another request"),
        (TOKEN, but(good.clone(), "ath", json!("hash")), "another token"),
        (TOKEN, but(good.clone(), "nonce", json!("never-given")), "a nonce that its server did not give"),
    ] {
        let mut watch = watch();
        watch.action(&proving(2, url, &claims));
        match expected {
            "" => assert_eq!(watch.breaches(), [""; 0], "{claims}"),
            expected => seen(&watch, expected),
        }
    }
    let mut watch = watch();
    watch.action(&proving(2, TOKEN, &good));
    answer(&mut watch, 2, 500, "");
    watch.action(&proving(3, TOKEN, &good));
    seen(&watch, "a proof goes out twice");
}

#[test]
fn a_nonce_goes_back_to_its_server() {
    for (event, from, carried, good) in [
        (false, TOKEN, "the-nonce", true),
        (false, TOKEN, "another-nonce", false),
        (false, "https://evil.example/token", "the-nonce", false),
        (true, "", "the-nonce", false),
    ] {
        let mut watch = watch();
        if event {
            watch.event(NOW, &Event::Nonce(Nonce::try_from("the-nonce".to_owned()).unwrap()));
        } else {
            watch.action(&token(2, from, ""));
            answer_with(&mut watch, 2, 400, nonce("the-nonce"), "{}");
        }
        watch.action(&proving(3, TOKEN, &but(proof("POST", TOKEN, "two"), "nonce", json!(carried))));
        let wrong = watch.breaches().iter().any(|breach| breach.contains("a nonce that its server did not"));
        assert_eq!(!wrong, good, "{from} {carried}: {:?}", watch.breaches());
    }
}

/// The token endpoint did not look at the code, because it wants its nonce in the proof.
#[test]
fn a_code_goes_out_again_only_for_a_nonce() {
    let form = "grant_type=authorization_code&code=a-good-code";
    for (body, good) in
        [(r#"{"error":"use_dpop_nonce"}"#, true), (r#"{"error":"invalid_dpop_proof"}"#, false)]
    {
        let mut watch = watch();
        open(&mut watch, ASKED);
        called(&mut watch, "?code=a-good-code&state=state-of-this-run&iss=https%3A%2F%2Fas.example");
        watch.action(&token(2, TOKEN, form));
        answer(&mut watch, 2, 400, body);
        watch.action(&token(3, TOKEN, form));
        assert_eq!(watch.breaches().is_empty(), good, "{body}");
    }
}

/// What a renewal beside the login is told says nothing of the code.
#[test]
fn a_nonce_for_a_renewal_sets_no_code_free() {
    let form = "grant_type=authorization_code&code=a-good-code";
    let mut watch = watch();
    open(&mut watch, ASKED);
    called(&mut watch, "?code=a-good-code&state=state-of-this-run&iss=https%3A%2F%2Fas.example");
    watch.action(&token(2, TOKEN, form));
    hold(&mut watch, 3);
    watch.action(&refresh(4, TOKEN, "grant_type=refresh_token&refresh_token=the-refresh-token"));
    answer(&mut watch, 4, 400, r#"{"error":"use_dpop_nonce"}"#);
    answer(&mut watch, 2, 200, "{}");
    assert_eq!(watch.breaches(), [""; 0]);
    watch.action(&token(5, TOKEN, form));
    seen(&watch, "a code is exchanged without the right state and issuer, or twice");
}

/// Something may be signed for a login, and something for the renewal beside it, which goes on after the login has ended.
#[test]
fn two_proofs_may_be_signed_at_once_for_a_login_and_for_a_renewal() {
    let endpoint = "https://as.example/token";
    let signs = |id, jti| sign(id, SigningKey::Proof, &proof("POST", endpoint, jti));
    let discovery = "https://as.example/.well-known/openid-configuration";
    let login = Action::Send(send(8, Purpose::ServerMetadata, discovery));
    let renewal = load(8, false);
    for ended in [false, true] {
        for next in [signs(8, "eight"), login.clone(), renewal.clone()] {
            let mut watch = watch();
            if ended {
                watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
            }
            watch.action(&signs(2, "two"));
            assert_eq!(watch.breaches(), [""; 0]);
            watch.action(&next);
            let wrong = ended && matches!(next, Action::Send(_));
            assert_eq!(!watch.breaches().is_empty(), wrong, "{ended}, {next:?}: {:?}", watch.breaches());
            watch.action(&signs(9, "nine"));
            seen(&watch, "two things are awaited at once");
        }
    }
}

pub(super) fn record() -> Credential {
    let endpoint = |path: &str| format!("https://as.example/{path}");
    Credential {
        version: VERSION,
        generation: Generation::default(),
        server: MCP.into(),
        resource: MCP.into(),
        resource_metadata: None,
        authorization_server: AuthorizationServer {
            issuer: "https://as.example".to_owned(),
            named: "https://as.example".to_owned(),
            authorization_endpoint: endpoint("authorize"),
            token_endpoint: endpoint("token"),
            revocation_endpoint: None,
            pushed_authorization_request_endpoint: None,
            device_authorization_endpoint: None,
            iss_parameter_supported: true,
            legacy: false,
        }
        .into(),
        client: Client::new("by-hand", Origin::Preregistered),
        asked: Scopes::new(),
        granted: Scopes::new(),
        access_token: Secret::new("the-access-token"),
        refresh_token: None,
        binding: Some(Binding { thumbprint: "print".to_owned(), algorithm: Algorithm::EdDsa }),
        obtained_at: NOW,
        expires_at: None,
    }
}

#[test]
fn a_bound_token_goes_out_with_a_proof_of_its_own() {
    let url = Url::parse("https://mcp.example/mcp?x=y").unwrap();
    // From an answer, or from a record.
    let mut given = watch();
    given.action(&token(2, TOKEN, ""));
    answer(&mut given, 2, 200, r#"{"access_token":"the-access-token","token_type":"dpop"}"#);
    let mut kept = watch();
    kept.action(&load(2, false));
    let found = Answer::Found(Some(Box::new(record())));
    kept.event(NOW, &Event::Replied(Reply { id: RequestId(2), answer: found }));
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(b"the-access-token"));
    let good = but(proof("POST", MCP, "one"), "ath", json!(hash));
    let request = |watch: &mut Watch, scheme: &str, proofs: &[Value]| {
        let mut fields = HeaderMap::new();
        let value = format!("{scheme} the-access-token");
        fields.insert(header::AUTHORIZATION, value.parse().unwrap());
        for claims in proofs {
            fields.append("dpop", jwt(claims).parse().unwrap());
        }
        watch.requested(&Method::POST, &url, &fields);
    };
    for bound in [given, kept] {
        assert_eq!(bound.breaches(), [""; 0]);
        for (scheme, proofs, expected) in [
            ("DPoP", vec![good.clone()], ""),
            ("Bearer", vec![good.clone()], "as if whoever has it might use it"),
            ("bearer", vec![], "as if whoever has it might use it"),
            ("DPoP", vec![], "without a proof"),
            ("DPoP", vec![good.clone(), good.clone()], "without a proof"),
            ("DPoP", vec![but(good.clone(), "ath", Value::Null)], "another token"),
            ("DPoP", vec![but(good.clone(), "ath", json!("hash"))], "another token"),
            ("DPoP", vec![but(good.clone(), "htm", json!("GET"))], "another request"),
            ("DPoP", vec![but(good.clone(), "htu", json!(url.as_str()))], "another request"),
            (
                "DPoP",
                vec![but(good.clone(), "nonce", json!("never-given"))],
                "a nonce that its server did not",
            ),
        ] {
            let mut watch = bound.clone();
            request(&mut watch, scheme, &proofs);
            match expected {
                "" => assert_eq!(watch.breaches(), [""; 0], "{proofs:?}"),
                expected => seen(&watch, expected),
            }
        }
        let mut watch = bound.clone();
        for _ in 0..2 {
            request(&mut watch, "DPoP", std::slice::from_ref(&good));
        }
        seen(&watch, "a proof goes out twice");
        // The MCP server's own nonce goes back to it, whether it came with a refusal or not.
        let challenge = Challenge::of(StatusCode::UNAUTHORIZED, &nonce("the-nonce"), None, 0).unwrap();
        let given = Nonce::try_from("the-nonce".to_owned()).unwrap();
        for event in [Event::Nonce(given), Event::Challenged(challenge)] {
            let mut watch = bound.clone();
            watch.event(NOW, &event);
            request(&mut watch, "DPoP", &[but(good.clone(), "nonce", json!("the-nonce"))]);
            assert_eq!(watch.breaches(), [""; 0]);
        }
    }
    // A token that is bound to nothing needs none.
    let mut watch = watch();
    request(&mut watch, "Bearer", &[]);
    assert_eq!(watch.breaches(), [""; 0]);
}
