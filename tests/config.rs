//! What a machine is made with: judged before anything happens, and shown without what may be a key.

mod support;

use std::time::Duration;

use mcp_auth::wire::server_metadata::IssuerMatch;
use mcp_auth::{
    Authorizer, ClientMetadata, Config, GrantType, IssuerPolicy, Kind, Policy, Preregistered, Seed, Verdict,
};
use mcp_auth_testbed::{AuthorizationServers, ClientCredentials, Dials, PreRegistered};
use support::{REDIRECT, Rig};

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
        ("a reserved parameter", config().issuer("https://as.example", extra)),
        ("an initial token for no issuer", config().initial_access_token("as.example", "hush-hush")),
        ("a statement for no issuer", config().software_statement("as.example", "hush-hush")),
        ("a revision that no field may carry", config().protocol_version("2026\r\n")),
    ] {
        let refused = Authorizer::new(bad, Seed::new([1; 32])).map(|_| ()).unwrap_err();
        assert!(matches!(refused.kind, Kind::Configuration), "{name}: {refused}");
        assert!(!refused.to_string().contains("hush"), "{name}: {refused}");
    }
    Authorizer::new(config(), Seed::new([1; 32])).unwrap();
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
