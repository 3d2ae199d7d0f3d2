//! Keys, as `docs/grants.md` tells of them: a client that signs wherever an endpoint knows it, and tokens that are bound.

use mcp_auth::wire::client::AuthMethod;
use mcp_auth::{
    Action, ClientMetadata, Config, Event, GrantType, Outcome, Preregistered, ProofKey, Scopes, Sign,
};
use mcp_auth_testbed::*;

use crate::begun::key;
use crate::ended::{ends, fails, is_gone, logged_out};
use crate::stage::{CLIENT_KEY, PROOF_KEY, REDIRECT, Stage, public};
use crate::{Flow, flow};

const ISSUER: &str = "https://as.example";
const DOCUMENT: &str = "https://app.example/client.json";

fn dials() -> Dials {
    Dials {
        clients: vec![PreRegistered::with_key("app", CLIENT_KEY.public_jwk(), REDIRECT)],
        auth_methods: Some(vec!["private_key_jwt".to_owned()]),
        ..Dials::default()
    }
}

fn signs(config: Config) -> Config {
    config.preregistered(Preregistered::new(ISSUER, "app")).client_key(key())
}

fn keyed(dials: Dials) -> Stage {
    Stage::at(Origins::default(), dials, |config, _| signs(config))
}

/// How many requests of this kind carried an assertion of the client and nothing else that proves it.
fn signed(stage: &Stage, purpose: Purpose) -> usize {
    let all = stage.world.exchanges().iter().filter(|it| it.is_for(purpose));
    let mut assertions: Vec<_> = all
        .filter(|it| it.parameter("client_secret").is_none() && it.authorization.is_none())
        .filter_map(|it| it.parameter("client_assertion"))
        .collect();
    let count = assertions.len();
    assertions.sort_unstable();
    assertions.dedup();
    assert_eq!(assertions.len(), count, "an assertion was shown twice");
    count
}

pub(crate) fn flows() -> Vec<Flow> {
    let mut flows = clients();
    flows.extend(elsewhere());
    flows.extend(signers());
    flows.extend(bound());
    flows
}

fn clients() -> Vec<Flow> {
    vec![
        flow(
            "private-key",
            "A person's client has a key: it signs for the code, and for the renewal, each time anew.",
            &["assertion-form", "asymmetric", "client-authenticates"],
            &["logged_in", "refreshed"],
            || {
                let mut stage = keyed(dials());
                stage.call("tools/list", None);
                stage.now += 4000;
                stage.call("tools/list", None);
                assert_eq!(signed(&stage, Purpose::Token), 2);
                stage
            },
        ),
        flow(
            "private-key.logout",
            "The client signs where tokens are revoked, too.",
            &["assertion-form", "revoked"],
            &["logged_in", "logged_out"],
            || {
                let mut stage = keyed(dials());
                stage.call("tools/list", None);
                let done = logged_out(&mut stage, Event::LogOut);
                assert!(is_gone(&done.refresh_token));
                assert_eq!(signed(&stage, Purpose::Revoke), stage.world.count(Purpose::Revoke));
                stage
            },
        ),
        flow(
            "private-key.pushed",
            "The client signs for the request that it pushes ahead, and for the code.",
            &["assertion-form", "pushed-where-required"],
            &["logged_in"],
            || {
                let pushed = Some(Pushed { required: true, ..Pushed::default() });
                let mut stage = keyed(Dials { pushed, ..dials() });
                stage.call("tools/list", None);
                assert_eq!(
                    (signed(&stage, Purpose::PushedAuthorization), signed(&stage, Purpose::Token)),
                    (1, 1)
                );
                stage
            },
        ),
        flow(
            "private-key.device",
            "The client signs for the device's code, and each time that it asks for the decision.",
            &["assertion-form", "device-polls"],
            &["logged_in"],
            || {
                let device = Some(Device { confirmation: Confirmation::AtPoll(2), ..Device::default() });
                let mut stage = Stage::at(Origins::default(), Dials { device, ..dials() }, |config, _| {
                    signs(config).grant_type(GrantType::DeviceCode)
                });
                stage.log_in();
                assert_eq!(
                    (signed(&stage, Purpose::DeviceAuthorization), signed(&stage, Purpose::Token)),
                    (1, 2)
                );
                stage
            },
        ),
        flow(
            "private-key.document",
            "The public half of the key is in the client's metadata document, where the server finds it.",
            &["client-documents", "cimd-key", "assertion-form"],
            &["logged_in"],
            || {
                let with_key = key().public(public(&CLIENT_KEY));
                let document = ClientMetadata::new("Example client", REDIRECT);
                let document = document.document(DOCUMENT, None, Some(&with_key)).unwrap();
                let dials = Dials {
                    client_documents: [(DOCUMENT.to_owned(), document)].into(),
                    auth_methods: Some(vec!["none".to_owned(), "private_key_jwt".to_owned()]),
                    ..Dials::default()
                };
                let mut stage = Stage::at(Origins::default(), dials, |config, _| {
                    config.metadata_document(DOCUMENT).client_key(with_key)
                });
                stage.call("tools/list", None);
                let client = &stage.records.values().next().unwrap().client;
                assert_eq!((client.id.as_str(), client.method), (DOCUMENT, AuthMethod::PrivateKeyJwt));
                assert_eq!(signed(&stage, Purpose::Token), 1);
                stage
            },
        ),
    ]
}

/// A login at a server whose token endpoint is on another origin, and a new process.
fn elsewhere_restarted() -> Stage {
    let mut stage = keyed(Dials { endpoints_elsewhere: true, ..dials() });
    stage.call("tools/list", None);
    stage.restart();
    stage
}

fn elsewhere() -> Vec<Flow> {
    vec![
        flow(
            "private-key.endpoints-elsewhere",
            "The token endpoint is on another origin, and only the record says so after a restart: nothing is signed for it; a person logs in again.",
            &["credentials-elsewhere", "token-endpoint-of-issuer"],
            &["logged_in"],
            || {
                let mut stage = elsewhere_restarted();
                stage.now += 4000;
                assert_eq!(ends(&mut stage, Event::Restore).unwrap(), Outcome::Anonymous);
                assert_eq!(signed(&stage, Purpose::Refresh), 0);
                stage.log_in();
                stage
            },
        ),
        flow(
            "private-key.endpoints-elsewhere.logout",
            "The same, and a logout: it cannot revoke there, says so, and forgets the record.",
            &["credentials-elsewhere", "revoked"],
            &["logged_out"],
            || {
                let mut stage = elsewhere_restarted();
                let done = logged_out(&mut stage, Event::LogOut);
                assert!(!done.is_complete() && is_gone(&done.record));
                assert_eq!(stage.world.count(Purpose::Revoke), 0);
                stage
            },
        ),
    ]
}

fn to_be_signed(stage: &mut Stage) -> Sign {
    let Action::Sign(sign) = stage.until(|it| matches!(it, Action::Sign(_))) else { unreachable!() };
    sign
}

fn signers() -> Vec<Flow> {
    vec![
        flow(
            "private-key.not-signed",
            "Whoever holds the key does not sign (`not_signed`): nothing is sent, and a refresh token that waited for it is not spent.",
            &["own-unsupplied", "assertion-form"],
            &["logged_in", "signing_failed", "refreshed"],
            || {
                let mut stage = keyed(dials());
                stage.call("tools/list", None);
                stage.now += 4000;
                stage.tell(Event::Restore);
                let sign = to_be_signed(&mut stage);
                stage.tell(sign.fail("the token is locked"));
                let failure = stage.ended().unwrap_err();
                assert_eq!(stage.world.count(Purpose::Refresh), 0);
                stage.now += failure.retry_at.map_or(60, |at| at.as_secs() - stage.now);
                stage.restore();
                stage
            },
        ),
        flow(
            "private-key.no-signature",
            "What comes from whoever holds the key is no signature of the algorithm: a failure, and nothing is sent.",
            &["own-unsupplied"],
            &["configuration"],
            || {
                let mut stage = keyed(dials());
                stage.tell(Event::LogIn { scopes: Scopes::new() });
                let sign = to_be_signed(&mut stage);
                stage.tell(sign.reply(vec![0x30; 70]));
                stage.ended().unwrap_err();
                assert_eq!(stage.world.count(Purpose::Token), 0);
                stage
            },
        ),
        flow(
            "private-key.other-algorithms",
            "The server takes none of the key's algorithms: said before anything is signed or shown.",
            &["own-unsupplied"],
            &["unsupported"],
            || {
                let client_assertions =
                    ClientAssertions { algorithms: vec!["RS256".to_owned()], ..ClientAssertions::default() };
                let mut stage = keyed(Dials { client_assertions, ..dials() });
                fails(&mut stage, Event::LogIn { scopes: Scopes::new() });
                assert!(stage.opened.is_empty());
                stage
            },
        ),
    ]
}

fn binds(dials: Dials, key: ProofKey) -> Stage {
    Stage::at(Origins::default(), dials, |config, _| config.proof_key(key))
}

fn bound() -> Vec<Flow> {
    vec![
        flow(
            "dpop.not-asked",
            "The resource takes both, and asks for nothing: the token is bound to no key.",
            &["token-type"],
            &["logged_in"],
            || {
                let mut stage = binds(Dials::default(), ProofKey::new(public(&PROOF_KEY)));
                stage.call("tools/list", None);
                assert!(!stage.machine.authorized().unwrap().bound);
                stage
            },
        ),
        flow(
            "dpop.always",
            "`ProofKey::always`: the token is bound though nobody asks for it, and the record names the key.",
            &["proof", "proof-with-token"],
            &["logged_in", "refreshed"],
            || {
                let dpop = Dpop { required: false, ..Dpop::default() };
                let dials = Dials { dpop: Some(dpop), ..Dials::default() };
                let mut stage = binds(dials, ProofKey::new(public(&PROOF_KEY)).always());
                stage.log_in();
                assert!(stage.machine.authorized().unwrap().bound);
                let binding = stage.records.values().next().unwrap().binding.as_ref().unwrap();
                assert_eq!(binding.thumbprint, public(&PROOF_KEY).thumbprint());
                stage.now += 4000;
                stage.call("tools/list", None);
                stage
            },
        ),
        flow(
            "dpop.always.downgrade",
            "`ProofKey::always`, and a server that knows no proofs and answers `Bearer`: refused.",
            &["proof-downgrade"],
            &["token_type"],
            || {
                let mut stage = binds(Dials::default(), ProofKey::new(public(&PROOF_KEY)).always());
                stage.log_in();
                stage
            },
        ),
        flow(
            "dpop.nonce-rotating",
            "Each good answer of the MCP server gives another nonce: the next request has it, and none is refused.",
            &["proof-nonce"],
            &["logged_in"],
            || {
                let dpop = Dpop { resource_nonces: Nonces::Rotating, ..Dpop::default() };
                let dials = Dials { dpop: Some(dpop), ..Dials::default() };
                let mut stage = binds(dials, ProofKey::new(public(&PROOF_KEY)));
                stage.call("tools/list", None);
                let before = stage.world.count(Purpose::Mcp);
                stage.call("tools/list", None).call("tools/list", None);
                assert_eq!(stage.world.count(Purpose::Mcp) - before, 2);
                stage
            },
        ),
        flow(
            "dpop.other-key",
            "The record names another key than the one at hand: it is not used, and not touched.",
            &["proof-with-token"],
            &["anonymous"],
            || {
                let dials = Dials { dpop: Some(Dpop::default()), ..Dials::default() };
                let mut stage = binds(dials, ProofKey::new(public(&PROOF_KEY)));
                stage.call("tools/list", None);
                let before = stage.records.clone();
                let other = ProofKey::new(public(&SigningKey::numbered(77)));
                stage.restart_with(|config| config.proof_key(other));
                stage.restore();
                assert_eq!(stage.records, before);
                stage
            },
        ),
        flow(
            "pushed.refused",
            "A request that is not taken ahead opens no browser.",
            &["pushed-where-required", "token-errors"],
            &["authorization_failed"],
            || {
                let pushed = Some(Pushed { required: true, ..Pushed::default() });
                let body = br#"{"error":"invalid_request"}"#.to_vec();
                let what = Trouble::Answer(400, "application/json", body);
                let faults = vec![Fault { purpose: Purpose::PushedAuthorization, nth: 0, what }];
                let mut stage = Stage::plain(Dials { pushed, faults, ..Dials::default() });
                stage.log_in();
                assert!(stage.opened.is_empty());
                stage
            },
        ),
    ]
}
