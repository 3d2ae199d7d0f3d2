//! The nonces that servers want in proofs of possession (RFC 9449 §8 and §9).

mod login;

use http::Request;
use login::bound::*;
use login::*;
use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{Dials, Dpop, Nonces};
use serde_json::json;

#[test]
fn nonces_are_wanted_from_the_start() {
    let nonces = Nonces::Required;
    let dpop = Dpop { server_nonces: nonces, resource_nonces: nonces, ..Dpop::default() };
    let mut session = Session::new(dials(dpop));
    let code = session.code(&[]);
    let proof = session.proof(TOKEN, None, &json!({}));
    let answer = session.redeem(&code, Some(&proof));
    assert_eq!((answer.status().as_u16(), error_of(&answer).as_str()), (400, "use_dpop_nonce"));
    let nonce = nonce_of(&answer).unwrap();
    // The proof with the nonce is another proof, or it is a replay.
    let same = json!({ "claims": { "jti": format!("proof {}", session.made), "nonce": nonce } });
    let proof = session.proof(TOKEN, None, &same);
    assert_eq!(error_of(&session.redeem(&code, Some(&proof))), "invalid_dpop_proof");
    let proof = session.proof(TOKEN, Some(&nonce), &json!({}));
    let answer = session.redeem(&code, Some(&proof));
    assert_eq!((answer.status().as_u16(), nonce_of(&answer)), (200, None));
    let token = text(&json_of(&answer), "access_token");

    let answer = session.call_with(&token, Some(&nonce), &json!({}));
    assert_eq!(answer.status(), 401, "a nonce of another server");
    assert!(challenges(&answer)[0].contains("error=\"use_dpop_nonce\""));
    let nonce = nonce_of(&answer).unwrap();
    for _ in 0..2 {
        let answer = session.call_with(&token, Some(&nonce), &json!({}));
        assert_eq!((answer.status().as_u16(), nonce_of(&answer)), (200, None));
    }
}

#[test]
fn nonces_rotate_with_good_answers_or_with_time() {
    let nonces = Nonces::Rotating;
    let dpop = Dpop { server_nonces: nonces, resource_nonces: nonces, ..Dpop::default() };
    let mut session = Session::new(dials(dpop));
    let code = session.code(&[]);
    let proof = session.proof(TOKEN, None, &json!({}));
    let first = nonce_of(&session.redeem(&code, Some(&proof))).unwrap();
    let proof = session.proof(TOKEN, Some(&first), &json!({}));
    let answer = session.redeem(&code, Some(&proof));
    let second = nonce_of(&answer).unwrap();
    assert_ne!(first, second);
    let refresh = text(&json_of(&answer), "refresh_token");
    let proof = session.proof(TOKEN, Some(&first), &json!({}));
    let answer_to_old = session.renew(&refresh, Some(&proof));
    assert_eq!(
        (error_of(&answer_to_old).as_str(), nonce_of(&answer_to_old)),
        ("use_dpop_nonce", Some(second.clone()))
    );
    let proof = session.proof(TOKEN, Some(&second), &json!({}));
    let token = text(&json_of(&session.renew(&refresh, Some(&proof))), "access_token");
    let mut nonce = nonce_of(&session.call_with(&token, None, &json!({})));
    for _ in 0..3 {
        let answer = session.call_with(&token, nonce.as_deref(), &json!({}));
        assert_eq!(answer.status(), 200);
        let next = nonce_of(&answer);
        assert!(next.is_some() && next != nonce);
        nonce = next;
    }

    session.memory.world.dials_mut().dpop =
        Some(Dpop { resource_nonces: Nonces::Timed(60), ..Dpop::default() });
    let nonce = nonce_of(&session.call_with(&token, None, &json!({})));
    assert_eq!(session.call_with(&token, nonce.as_deref(), &json!({})).status(), 200);
    session.memory.now += 60;
    assert_eq!(session.call_with(&token, nonce.as_deref(), &json!({})).status(), 401);
}

#[test]
fn no_nonce_is_ever_enough() {
    let nonces = Nonces::Unsatisfiable;
    let mut session = Session::new(dials(Dpop { resource_nonces: nonces, ..Dpop::default() }));
    let token = text(&session.logged_in(), "access_token");
    let mut seen = std::collections::BTreeSet::new();
    let mut nonce = None;
    for _ in 0..5 {
        let answer = session.call_with(&token, nonce.as_deref(), &json!({}));
        assert_eq!(answer.status(), 401);
        nonce = nonce_of(&answer);
        assert!(seen.insert(nonce.clone().unwrap()));
    }
    session.memory.world.dials_mut().dpop = Some(Dpop { server_nonces: nonces, ..Dpop::default() });
    let code = session.code(&[]);
    for _ in 0..3 {
        let proof = session.proof(TOKEN, nonce.as_deref(), &json!({}));
        let answer = session.redeem(&code, Some(&proof));
        assert_eq!(error_of(&answer), "use_dpop_nonce");
        nonce = nonce_of(&answer);
    }
}

#[test]
fn what_is_open_needs_no_proof_and_brings_no_nonce() {
    let dpop = Dpop { resource_nonces: Nonces::Rotating, ..Dpop::default() };
    let mut session = Session::new(Dials { unprotected: vec!["tools/list".to_owned()], ..dials(dpop) });
    let request: Request<Vec<u8>> = call::request(MCP, Wire::Stateless, "tools/list", json!({})).unwrap();
    let answer = session.memory.send(request);
    assert_eq!((answer.status().as_u16(), nonce_of(&answer)), (200, None));
}
