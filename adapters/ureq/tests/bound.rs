//! Tokens that are bound to a key (RFC 9449), against the testbed's servers.

mod served;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_auth::Kind;
use mcp_auth::wire::jws::Algorithm;
use mcp_auth_jose::{Key, proof_key, signing};
use mcp_auth_testbed::{Dials, Dpop, Nonces, Purpose, Served};
use mcp_auth_ureq::ureq::SendBody;
use mcp_auth_ureq::{Builder, Client, MemoryStore};
use serde_json::Value;
use served::{Person, Serving, config, count, echo, joined, key, refused, request, serve};

fn builder(served: &Served, key: &Key) -> Builder {
    let config = config(served).proof_key(proof_key(key));
    served::builder(config).consent(Person(served.world.clone()))
}

fn rig(dpop: Dpop) -> (Serving, Client) {
    let served = serve(Dials { dpop: Some(dpop), ..Dials::default() });
    let key = key(Algorithm::Es256);
    let client = builder(&served, &key).keys(signing(key)).build().unwrap();
    (served, client)
}

fn nonces(nonces: Nonces) -> Dpop {
    Dpop { server_nonces: nonces, resource_nonces: nonces, ..Dpop::default() }
}

fn claims(proof: &str) -> Value {
    let claims = proof.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

/// Every token request and every request with a token has one proof of its own, and no token goes as Bearer. How many
/// proofs there were.
fn judge(served: &Served) -> usize {
    let world = served.world();
    let mut seen = BTreeSet::new();
    for exchange in world.exchanges() {
        let shown = exchange.authorization.as_deref();
        assert!(shown.is_none_or(|shown| shown.starts_with("DPoP ")), "{exchange:?}");
        let needed = exchange.is_for(Purpose::Token) || shown.is_some();
        assert_eq!(exchange.proofs.len(), usize::from(needed), "{exchange:?}");
        for proof in &exchange.proofs {
            let claims = claims(proof);
            assert_eq!(claims.get("ath").is_some(), shown.is_some());
            assert!(seen.insert(claims["jti"].as_str().unwrap().to_owned()), "a jti came twice");
        }
    }
    seen.len()
}

#[test]
fn each_request_has_a_proof_of_its_own() {
    let (served, client) = rig(Dpop::default());
    for _ in 0..3 {
        assert_eq!(echo(&client, &served), 200);
    }
    served.world().expire_access_tokens();
    assert_eq!(echo(&client, &served), 200);
    let written = client.send_as("write", request(&served, "write_file")).unwrap();
    assert_eq!(written.status(), 200);
    assert!(client.authorized().unwrap().bound);
    // The code, three calls, one in vain, the renewal, the call again; one in vain, the step-up, the call again.
    assert_eq!(judge(&served), 10);
}

#[test]
fn a_demand_for_a_nonce_costs_one_request_at_each_end() {
    for demand in [Nonces::Required, Nonces::Rotating] {
        let (served, client) = rig(nonces(demand));
        assert_eq!(echo(&client, &served), 200);
        let counts = || (count(&served, Purpose::Token), count(&served, Purpose::Mcp));
        assert_eq!(counts(), (2, 3), "{demand:?}: without a token, without a nonce, with both");
        // What comes with good answers saves the demand.
        for _ in 0..3 {
            assert_eq!(echo(&client, &served), 200);
        }
        assert_eq!(counts(), (2, 6), "{demand:?}");
        served.world().expire_access_tokens();
        assert_eq!(echo(&client, &served), 200);
        assert_eq!(counts(), (3, 8), "{demand:?}");
        judge(&served);
    }
}

#[test]
fn a_server_that_no_nonce_satisfies_is_left() {
    let (served, client) = rig(Dpop { server_nonces: Nonces::Unsatisfiable, ..Dpop::default() });
    assert_eq!(refused(&client, &served), Kind::NonceRequired);
    assert_eq!(count(&served, Purpose::Token), 2);
    let (served, client) = rig(Dpop { resource_nonces: Nonces::Unsatisfiable, ..Dpop::default() });
    assert_eq!(refused(&client, &served), Kind::NonceRequired);
    assert_eq!((count(&served, Purpose::Token), count(&served, Purpose::Authorize)), (1, 1));
    assert!(count(&served, Purpose::Mcp) <= 8);
}

/// A nonce that each answer replaces suits one request at a time.
#[test]
fn many_at_once_are_answered_though_each_answer_brings_another_nonce() {
    many_at_once(false);
    many_at_once(true);
}

/// `run_out`: they also find that the token has.
fn many_at_once(run_out: bool) {
    const MANY: usize = 24;
    let (served, client) = rig(nonces(Nonces::Rotating));
    assert_eq!(echo(&client, &served), 200);
    if run_out {
        served.world().expire_access_tokens();
    }
    let before = count(&served, Purpose::Mcp);
    let sent: Vec<_> = (0..MANY)
        .map(|_| {
            let (client, request) = (client.clone(), request(&served, "echo"));
            thread::spawn(move || client.send(request))
        })
        .collect();
    for sent in sent {
        let response = joined(sent).unwrap_or_else(|error| panic!("{error:#}"));
        assert_eq!(response.status(), 200);
    }
    let (sends, renewals) = if run_out { (4, 1) } else { (3, 0) };
    assert!(count(&served, Purpose::Mcp) - before <= sends * MANY);
    // Nobody was asked for it, and nothing stays behind.
    assert_eq!((count(&served, Purpose::Authorize), count(&served, Purpose::Refresh)), (1, renewals));
    assert_eq!(echo(&client, &served), 200);
    judge(&served);
}

/// A request with a body that can be read once.
fn streamed(served: &Served) -> http::Request<SendBody<'static>> {
    let (head, body) = request(served, "echo").into_parts();
    http::Request::from_parts(head, SendBody::from_owned_reader(std::io::Cursor::new(body)))
}

#[test]
fn a_body_that_is_gone_is_not_sent_again_but_the_next_has_the_nonce() {
    let (served, client) = rig(nonces(Nonces::Required));
    client.log_in(mcp_auth::Scopes::new()).unwrap();
    // As with any refusal: it is given back.
    let response = client.send(streamed(&served)).unwrap();
    assert_eq!((response.status().as_u16(), count(&served, Purpose::Mcp)), (401, 1));
    let response = client.send(streamed(&served)).unwrap();
    assert_eq!((response.status().as_u16(), count(&served, Purpose::Mcp)), (200, 2));
    assert_eq!(count(&served, Purpose::Authorize), 1);
    judge(&served);
}

/// What is kept is of use to the holder of the key alone.
#[test]
fn without_its_key_a_bound_token_goes_nowhere() {
    let served = serve(Dials { dpop: Some(Dpop::default()), ..Dials::default() });
    let (own, store) = (key(Algorithm::EdDsa), Arc::new(MemoryStore::default()));
    let client = builder(&served, &own).keys(signing(own.clone())).store(store.clone()).build().unwrap();
    assert_eq!(echo(&client, &served), 200);
    let keyless = served::builder(config(&served)).consent(Person(served.world.clone()));
    let keyless = keyless.store(store.clone()).build().unwrap();
    assert!(keyless.restore().unwrap().is_none());
    assert_eq!(refused(&keyless, &served), Kind::Unsupported);
    let other = key(Algorithm::EdDsa);
    let stranger = builder(&served, &other).keys(signing(other)).store(store.clone()).build().unwrap();
    assert!(stranger.restore().unwrap().is_none());
    // Whoever has it goes on without a person.
    let again = builder(&served, &own).keys(signing(own)).store(store).build().unwrap();
    assert_eq!(echo(&again, &served), 200);
    assert_eq!(count(&served, Purpose::Authorize), 1);
    judge(&served);
}
