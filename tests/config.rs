//! What a machine is made with: judged before anything happens, and shown without what may be a key.

mod support;

use std::time::Duration;

use mcp_auth::wire::jws::Algorithm;
use mcp_auth::wire::server_metadata::IssuerMatch;
use mcp_auth::{
    AuthMethod, Authorizer, ClientKey, ClientMetadata, Config, GrantType, IdentityProvider, IssuerPolicy,
    Kind, Policy, Preregistered, Seed, ServerChoice, Verdict,
};
use mcp_auth_testbed::{
    AuthorizationServers, ClientCredentials, Dials, PreRegistered, Purpose, Workload, WorkloadToken,
};
use support::{CLIENT_KEY, REDIRECT, Rig, public, signer};

fn config() -> Config {
    Config::new("https://mcp.example/mcp", "Test", REDIRECT)
}

#[test]
fn what_cannot_be_used_is_refused_at_once() {
    let client = |issuer: &str, id: &str| Preregistered::new(issuer, id);
    let policy = |change: fn(&mut Policy)| {
        let mut policy = Policy::default();
        change(&mut policy);
        config().policy(policy)
    };
    let extra = IssuerPolicy::with(|it| it.extra = vec![("state".to_owned(), "mine".to_owned())]);
    let mut metadata = ClientMetadata::new("Test", REDIRECT);
    metadata.redirect_uris.push("http://app.example/callback".to_owned());
    for (name, bad) in [
        ("a server that is no URL", Config::new("mcp.example", "Test", REDIRECT)),
        ("a redirect URI in the clear", Config::new("https://a.example", "Test", "http://b.example/cb")),
        ("another redirect URI in the clear", config().client_metadata(metadata)),
        (
            "no redirect URI in use",
            config().client_metadata(ClientMetadata::new("Test", "https://c.example")),
        ),
        ("a document without path", config().metadata_document("https://app.example")),
        ("hours for an exchange", policy(|it| it.exchange_time = Duration::from_secs(3601))),
        ("gigabytes of metadata", policy(|it| it.metadata_bytes = 1 << 30)),
        ("gigabytes of tokens", policy(|it| it.answer_bytes = 1 << 30)),
        ("no time for an exchange", policy(|it| it.exchange_time = Duration::ZERO)),
        ("no time for a person", policy(|it| it.consent_time = Duration::ZERO)),
        ("no bytes for metadata", policy(|it| it.metadata_bytes = 0)),
        ("no bytes for answers", policy(|it| it.answer_bytes = 0)),
        ("an issuer that is no URL", config().preregistered(client("as.example", "id"))),
        ("a secret and no issuer", config().preregistered(Preregistered::unbound("id").secret("hush-hush"))),
        ("no identifier", config().preregistered(client("https://as.example", ""))),
        ("an identifier with a control", config().preregistered(client("https://as.example", "a\nb"))),
        (
            "two clients for one issuer",
            config()
                .preregistered(client("https://as.example", "a"))
                .preregistered(client("https://as.example", "b")),
        ),
        (
            "two policies for one issuer",
            config().issuer("https://as.example", IssuerPolicy::default()).issuer(
                "https://as.example",
                IssuerPolicy::with(|it| it.issuer_match = IssuerMatch::IgnoreLoneSlash),
            ),
        ),
        ("a policy for no issuer", config().issuer("as.example", IssuerPolicy::default())),
        (
            "an issuer in the metadata that is no URL",
            config().issuer(
                "https://as.example",
                IssuerPolicy::with(|it| it.metadata_issuer = Some("auth.example".to_owned())),
            ),
        ),
        (
            "a signature by policy, without a key",
            config().issuer(
                "https://as.example",
                IssuerPolicy::with(|it| it.auth_method = Some(AuthMethod::PrivateKeyJwt)),
            ),
        ),
        ("a reserved parameter", config().issuer("https://as.example", extra)),
        ("an initial token for no issuer", config().initial_access_token("as.example", "hush-hush")),
        ("a statement for no issuer", config().software_statement("as.example", "hush-hush")),
        (
            "two initial tokens for one issuer",
            config()
                .initial_access_token("https://as.example", "hush-hush")
                .initial_access_token("https://as.example", "hush-more"),
        ),
        (
            "two statements for one issuer",
            config()
                .software_statement("https://as.example", "hush-hush")
                .software_statement("https://as.example", "hush-more"),
        ),
        (
            "an initial token that no field may carry",
            config().initial_access_token("https://as.example", "hush hush"),
        ),
        (
            "an issuer to be used that is no URL",
            policy(|it| it.authorization_server = ServerChoice::Pinned("as.example".to_owned())),
        ),
        (
            "Basic without a secret",
            config().preregistered(client("https://as.example", "id").method(AuthMethod::ClientSecretBasic)),
        ),
        (
            "a signature without a key",
            config().preregistered(client("https://as.example", "id").method(AuthMethod::PrivateKeyJwt)),
        ),
        ("a revision that no field may carry", config().protocol_version("2026\r\n")),
    ] {
        let refused = Authorizer::new(bad, Seed::new([1; 32])).map(|_| ()).unwrap_err();
        assert!(matches!(refused.kind, Kind::Configuration), "{name}: {refused}");
        assert!(!refused.to_string().contains("hush"), "{name}: {refused}");
    }
    Authorizer::new(config(), Seed::new([1; 32])).unwrap();
}

fn refused(name: &str, bad: Config) {
    let refused = Authorizer::new(bad, Seed::new([1; 32])).map(|_| ()).expect_err(name);
    assert!(matches!(refused.kind, Kind::Configuration) && !refused.clause.is_empty(), "{name}: {refused}");
    assert!(!refused.to_string().contains("hush"), "{name}: {refused}");
}

fn taken(name: &str, good: Config) {
    Authorizer::new(good, Seed::new([1; 32])).unwrap_or_else(|refused| panic!("{name}: {refused}"));
}

fn provider() -> IdentityProvider {
    IdentityProvider::new("https://idp.example", "https://idp.example/token", "at-the-idp")
}

fn managed(provider: IdentityProvider) -> Config {
    config().grant_type(GrantType::EnterpriseManaged(Box::new(provider)))
}

#[test]
fn an_identity_provider_that_cannot_be_asked_is_refused_at_once() {
    let key = || ClientKey::new([Algorithm::EdDsa]);
    let other = |issuer: &str, endpoint: &str, id: &str| managed(IdentityProvider::new(issuer, endpoint, id));
    let endpoint = "https://idp.example/token";
    for (name, bad) in [
        ("an issuer that is no URL", other("idp.example", endpoint, "id")),
        ("an issuer in the clear", other("http://idp.example", endpoint, "id")),
        ("an endpoint that is no URL", other("https://idp.example", "/token", "id")),
        ("an endpoint in the clear", other("https://idp.example", "http://idp.example/token", "id")),
        ("an endpoint with a password", other("https://idp.example", "https://a:hush@idp.example/", "id")),
        ("no identifier", other("https://idp.example", endpoint, "")),
        ("an identifier with a control", other("https://idp.example", endpoint, "a\nb")),
        ("Basic without a secret", managed(provider().method(AuthMethod::ClientSecretBasic))),
        ("post without a secret", managed(provider().method(AuthMethod::ClientSecretPost))),
        ("a signature without a key", managed(provider().method(AuthMethod::PrivateKeyJwt))),
    ] {
        refused(name, bad);
    }
    taken("a public client", managed(provider()));
    taken("a loopback host", other("http://127.0.0.1:1", "http://127.0.0.1:1/token", "id"));
    taken("a secret", managed(provider().secret("hush-hush")));
    taken("a key", managed(provider().method(AuthMethod::PrivateKeyJwt)).client_key(key()));
}

#[test]
fn a_secret_does_not_undo_the_method_that_was_named() {
    let method = |provider: IdentityProvider| provider.method;
    assert_eq!(method(provider().secret("hush-hush")), AuthMethod::ClientSecretBasic);
    let post = AuthMethod::ClientSecretPost;
    assert_eq!(method(provider().method(post).secret("hush-hush")), post);
    assert_eq!(method(provider().secret("hush-hush").method(post)), post);
}

#[test]
fn a_key_that_cannot_sign_is_refused_at_once() {
    let keyed = |key| config().client_key(key);
    let half = || public(&CLIENT_KEY);
    refused("no algorithm", keyed(ClientKey::new([])));
    refused("another algorithm", keyed(ClientKey::new([Algorithm::Es256]).public(half())));
    let both = ClientKey::new([Algorithm::EdDsa, Algorithm::Rs256]);
    refused("one algorithm that fits and one that does not", keyed(both.public(half())));
    refused("no name", keyed(ClientKey::new([Algorithm::EdDsa]).key_id("")));
    refused("a name with a control", keyed(ClientKey::new([Algorithm::EdDsa]).key_id("a\r\nb")));
    taken(
        "a key",
        keyed(ClientKey::new([Algorithm::EdDsa, Algorithm::Ed25519]).key_id("k 1").public(half())),
    );
}

#[test]
fn a_public_client_does_not_act_for_itself() {
    let alone =
        |client: Preregistered| config().preregistered(client).grant_type(GrantType::ClientCredentials);
    let client = || Preregistered::new("https://as.example", "service");
    refused("neither secret nor key", alone(client()));
    refused("a secret that is not shown", alone(client().secret("hush-hush").method(AuthMethod::None)));
    taken("a secret", alone(client().secret("hush-hush")));
    taken("a key", alone(client()).client_key(ClientKey::new([Algorithm::EdDsa])));
    // Where the policy for the issuer makes it one, that is seen when the client is chosen.
    let clients =
        vec![PreRegistered::confidential("service", "service-secret", "client_secret_basic", REDIRECT)];
    let dials = Dials { clients, client_credentials: Some(ClientCredentials::default()), ..Dials::default() };
    let mut rig = Rig::with(dials, |config| {
        config
            .preregistered(client().secret("service-secret"))
            .issuer("https://as.example", IssuerPolicy::with(|it| it.auth_method = Some(AuthMethod::None)))
            .grant_type(GrantType::ClientCredentials)
    });
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!((failure.kind(), failure.breach.clause.as_ref()), (Kind::Configuration, "RFC 6749 §4.4"));
    assert_eq!(rig.count(Purpose::Token), 0);
}

#[test]
fn what_a_client_signs_is_not_shown_to_whom_the_server_names() {
    let key = || ClientKey::new([Algorithm::EdDsa]);
    let unbound = || config().preregistered(Preregistered::unbound("id"));
    refused("a key and no issuer", unbound().client_key(key()));
    refused("a workload's client and no issuer", unbound().grant_type(GrantType::WorkloadIdentity));
    let managed = GrantType::EnterpriseManaged(Box::new(provider()));
    refused("an organisation's client and no issuer", unbound().grant_type(managed));
    taken("a person's client", unbound());
    taken("a person's client elsewhere", unbound().grant_type(GrantType::DeviceCode));
    let public = Preregistered::unbound("id").method(AuthMethod::None);
    taken("a client that does not use the key", config().preregistered(public).client_key(key()));
    let trusting =
        || config().preregistered(Preregistered::unbound("id").trusting_the_server_to_name_the_issuer());
    taken("a key", trusting().client_key(key()).grant_type(GrantType::ClientCredentials));
    taken("a workload", trusting().grant_type(GrantType::WorkloadIdentity));
}

/// The first authorization server that is shown a signature is the only one.
#[test]
fn a_server_that_is_trusted_with_them_names_who_is_shown_signatures_once() {
    let dials = Dials {
        clients: vec![PreRegistered::with_key("service", CLIENT_KEY.public_jwk(), REDIRECT)],
        client_credentials: Some(ClientCredentials::default()),
        auth_methods: Some(vec!["private_key_jwt".to_owned()]),
        ..Dials::default()
    };
    let mut rig = Rig::with(dials, |config| {
        let key = ClientKey::new([Algorithm::EdDsa]).key_id(public(&CLIENT_KEY).thumbprint());
        config
            .preregistered(Preregistered::unbound("service").trusting_the_server_to_name_the_issuer())
            .client_key(key)
            .grant_type(GrantType::ClientCredentials)
    });
    rig.signer = Some(Box::new(|sign| sign.fail("not now")));
    assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::SigningFailed);
    let said = |verdict| rig.auth.trail().entries().iter().any(|entry| entry.verdict == verdict);
    assert!(said(Verdict::Deviation), "{}", rig.auth.trail());
    rig.signer = signer();
    rig.world.dials_mut().authorization_servers = AuthorizationServers::SecondOnly;
    assert_eq!(rig.log_in().unwrap_err().kind(), Kind::ClientBoundElsewhere);
    rig.world.dials_mut().authorization_servers = AuthorizationServers::One;
    rig.log_in().unwrap();
}

/// There is nobody whom an assertion would be about.
#[test]
fn a_workload_without_a_client_authenticates_with_nothing() {
    for policy in [None, Some(AuthMethod::PrivateKeyJwt)] {
        let workload = Workload { token: WorkloadToken::ByTheBook, ..Workload::default() };
        let methods = ["none", "private_key_jwt"].map(str::to_owned).to_vec();
        let dials = Dials { workload: Some(workload), auth_methods: Some(methods), ..Dials::default() };
        let mut rig = Rig::with(dials, |config| {
            config
                .client_key(ClientKey::new([Algorithm::EdDsa]))
                .issuer("https://as.example", IssuerPolicy::with(|it| it.auth_method = policy))
                .grant_type(GrantType::WorkloadIdentity)
        });
        rig.assertions = vec![rig.world.workload_token(rig.now).unwrap(); 4];
        rig.signer = Some(Box::new(|_| panic!("there is nothing to sign")));
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200, "{}", rig.auth.trail());
        rig.now += 3600;
        rig.assertions = vec![rig.world.workload_token(rig.now).unwrap(); 4];
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200, "{}", rig.auth.trail());
    }
}

/// The watch looks at the `Debug` of everything that this run makes.
#[test]
fn the_query_of_the_servers_url_is_shown_nowhere() {
    let url = "https://mcp.example/mcp?api_key=k3y-of-a-person";
    let mut rig = Rig::new(Dials::default());
    rig.restart_with(Config::new(url, "Rig", REDIRECT));
    rig.log_in().unwrap();
    let shown = format!("{:?} {:?} {:?}", rig.store, rig.auth.authorized(), rig.auth);
    assert!(shown.contains("mcp.example") && !shown.contains("k3y"), "{shown}");
}

/// A client whose secret may go to whom the server names, which its first authorization server knows or does not.
fn trusting(secret: &str) -> Rig {
    let clients = vec![PreRegistered::confidential("service", secret, "client_secret_basic", REDIRECT)];
    let dials = Dials { clients, client_credentials: Some(ClientCredentials::default()), ..Dials::default() };
    Rig::with(dials, |config| {
        let client = Preregistered::unbound("service").secret("service-secret");
        config
            .preregistered(client.trusting_the_server_to_name_the_issuer())
            .grant_type(GrantType::ClientCredentials)
    })
}

/// `service:service-secret`
const BASIC: &str = "Basic c2VydmljZTpzZXJ2aWNlLXNlY3JldA==";

#[test]
fn a_server_that_is_trusted_with_it_names_who_is_shown_the_secret_once() {
    let shown = |rig: &Rig, origin: &str| {
        let shown = rig.world.exchanges().iter().filter(|it| it.authorization.as_deref() == Some(BASIC));
        shown.filter(|it| it.origin == origin).count()
    };
    for secret in ["service-secret", "another-secret"] {
        let mut rig = trusting(secret);
        let granted = rig.call("tools/list", None).is_ok_and(|answer| answer.status() == 200);
        assert_eq!(granted, secret == "service-secret", "{}", rig.auth.trail());
        let said = |verdict| rig.auth.trail().entries().iter().any(|entry| entry.verdict == verdict);
        assert!(said(Verdict::Deviation), "{}", rig.auth.trail());
        assert_eq!(shown(&rig, "https://as.example"), 1);
        // Whoever was shown it, and took it or not, is the only one.
        rig.world.dials_mut().authorization_servers = AuthorizationServers::SecondOnly;
        let failure = if granted { rig.call("tools/list", None).map(drop) } else { rig.log_in().map(drop) };
        let failure = failure.unwrap_err();
        assert_eq!(failure.kind(), Kind::ClientBoundElsewhere, "{failure:#}");
        assert_eq!(shown(&rig, "https://as2.example"), 0);
    }
}

/// Whoever drives the machine asks beforehand what it is to offer, and how long it has.
#[test]
fn a_configuration_says_what_its_driver_is_to_offer() {
    for (flow, assertions) in [
        (GrantType::AuthorizationCode, false),
        (GrantType::DeviceCode, false),
        (GrantType::ClientCredentials, false),
        (GrantType::EnterpriseManaged(Box::new(provider())), true),
        (GrantType::WorkloadIdentity, true),
    ] {
        assert_eq!(config().grant_type(flow.clone()).needs_assertions(), assertions, "{flow:?}");
    }
    let key = ClientKey::new([Algorithm::EdDsa]);
    assert!(!config().needs_signer() && config().client_key(key).needs_signer());
    let most_patient = Policy::with(|it| it.exchange_time = Duration::from_secs(3600));
    assert!(Authorizer::new(config().policy(most_patient), Seed::new([1; 32])).is_ok());
    let patient = Policy::with(|it| it.exchange_time = Duration::from_secs(41));
    assert_eq!(config().policy(patient).exchange_time(), Duration::from_secs(41));
}

/// A key is for those who say so: a client that has a secret goes on with it.
#[test]
fn a_key_does_not_take_the_place_of_a_clients_secret() {
    let key = ClientKey::new([Algorithm::EdDsa]);
    let clients = vec![PreRegistered::confidential("by-hand", "a-secret", "client_secret_basic", REDIRECT)];
    let methods = ["client_secret_basic", "private_key_jwt"].map(str::to_owned).to_vec();
    let dials = Dials { clients, auth_methods: Some(methods), ..Dials::default() };
    let mut rig = Rig::with(dials, |config| {
        config
            .preregistered(Preregistered::new("https://as.example", "by-hand").secret("a-secret"))
            .client_key(key)
    });
    rig.signer = signer();
    rig.log_in().unwrap();
    let kept = rig.store.values().next().unwrap();
    assert_eq!((kept.client.method, kept.client.algorithm), (AuthMethod::ClientSecretBasic, None));
}
