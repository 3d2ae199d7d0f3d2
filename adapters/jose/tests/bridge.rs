//! A signer and the core: the loop whose arm for `Sign` is one call.

#[path = "../../host/tests/rig/replayed.rs"]
mod replayed;

use mcp_auth::trace::Recorder;
use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{
    Action, Authorizer, Config, Event, Failure, GrantType, Kind, Outcome, Preregistered, Saving, Scopes,
    Seed, SigningKey, Timestamp,
};
use mcp_auth_jose::{FnSigner, Key, Signer, answer, client_key, proof_key, signing};
use mcp_auth_testbed::{ClientCredentials, Dials, Dpop, Origins, PreRegistered, World};

const NOW: u64 = 1_800_000_000;

/// A client that acts for itself with the key that it has at the server, and binds its tokens to another. What it came
/// to, and how often each key was asked.
fn granted(
    own: &dyn Signer,
    proofs: &dyn Signer,
    at_server: &Key,
) -> (Result<Outcome, Box<Failure>>, [u32; 2]) {
    let mut jwk = at_server.public().value();
    jwk["kid"] = at_server.key_id().into();
    let known = PreRegistered::with_key("service", jwk, "http://127.0.0.1:3000/callback");
    let dials = Dials {
        auth_methods: Some(vec!["private_key_jwt".to_owned()]),
        clients: vec![known],
        client_credentials: Some(ClientCredentials::default()),
        dpop: Some(Dpop::default()),
        ..Dials::default()
    };
    let mut world = World::new(dials, Origins::default());
    let config = Config::new(world.server_url(), "Signer", "http://127.0.0.1:3000/callback")
        .preregistered(Preregistered::new(world.issuer(0), "service"))
        .grant_type(GrantType::ClientCredentials)
        .client_key(client_key(own))
        .proof_key(proof_key(proofs).always());
    let mut recorder = Recorder::new(&config, &Seed::new([7; 32]), replayed::lines());
    let mut auth = Authorizer::new(config, Seed::new([7; 32])).unwrap();
    let now = Timestamp::from_secs(NOW);
    let mut asked = [0; 2];
    let mut next = Some(Event::LogIn { scopes: Scopes::new() });
    loop {
        if let Some(event) = next.take() {
            recorder.event(now, &event);
            auth.handle(now, event);
        }
        let action = auth.poll();
        recorder.action(&action);
        next = Some(match action {
            Action::Load(load) => load.reply(None),
            Action::Store(save) => save.reply(Saving::Kept),
            Action::Send(send) => send.reply(world.handle(NOW, send.request().clone())),
            Action::Sign(sign) => match sign.key() {
                SigningKey::Client { key_id } => {
                    assert_eq!(key_id.as_deref(), own.key_id());
                    asked[0] += 1;
                    answer(&sign, own)
                }
                SigningKey::Proof => {
                    asked[1] += 1;
                    answer(&sign, proofs)
                }
                other => panic!("{other:?}"),
            },
            Action::Release(_) => continue,
            Action::Finish(outcome) => return (outcome, asked),
            other => panic!("{other:?}"),
        });
    }
}

fn key(algorithm: Algorithm) -> Key {
    Key::generate(algorithm).unwrap().0
}

#[test]
fn a_server_takes_what_a_signer_answers() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let (own, proofs) = (key(algorithm).with_key_id("the-key"), key(algorithm));
        let (outcome, asked) = granted(&own, &proofs, &own);
        assert!(matches!(outcome, Ok(Outcome::Authorized(_))), "{outcome:?}");
        assert_eq!(asked, [1, 1]);
    }
}

#[test]
fn a_signer_that_fails_is_heard() {
    let known = key(Algorithm::Es256);
    let refusing = |_: Algorithm, _: &[u8]| Err("the token was pulled out".to_owned());
    let own = FnSigner::new(known.public().clone(), &[Algorithm::Es256], refusing).unwrap();
    let (outcome, asked) = granted(&own, &key(Algorithm::Es256), &known);
    let failure = outcome.unwrap_err();
    assert_eq!((failure.kind(), asked), (Kind::SigningFailed, [1, 0]));
    assert!(failure.to_string().contains("pulled out"), "{failure}");
}

#[test]
fn the_configuration_is_told_all_of_a_signer() {
    let own = key(Algorithm::EdDsa).with_algorithm(Algorithm::Ed25519).unwrap();
    let told = client_key(&own);
    assert_eq!((&told.algorithms[..], &told.key_id), (&[Algorithm::Ed25519][..], &None));
    assert_eq!(told.public.as_ref(), Some(own.public()));
    assert_eq!(client_key(&own.with_key_id("a")).key_id.as_deref(), Some("a"));
}

#[test]
fn a_function_signs_as_its_signer() {
    let own = key(Algorithm::EdDsa);
    let expected = own.sign(Algorithm::EdDsa, b"a message").unwrap();
    let sign = signing(own);
    for key in [SigningKey::Proof, SigningKey::Client { key_id: None }] {
        assert_eq!(sign(&key, Algorithm::EdDsa, b"a message").unwrap(), expected);
        assert!(sign(&key, Algorithm::Es256, b"a message").is_err());
    }
}
