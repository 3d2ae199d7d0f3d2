//! Grants without a person, against the testbed's servers: the client's own credentials, the word of an identity
//! provider, the word of a platform.

mod served;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{
    AssertionKind, Config, GrantType, IdentityProvider, Kind, Preregistered, Secret, TokenSource,
};
use mcp_auth_jose::{Key, client_key, signing};
use mcp_auth_testbed::{
    ClientCredentials, Dials, Enterprise, EnterpriseClient, PreRegistered, Purpose, Served, Workload, World,
};
use mcp_auth_ureq::{Assertions, BoxFuture, Builder, Client, WantedAssertion};
use served::{REDIRECT, Serving, config, count, echo, joined, jwk, key, now, refused, serve};

const ID_TOKEN: &str = "an-id-token-of-the-person";

fn acts_for_itself(client: PreRegistered) -> Dials {
    Dials {
        auth_methods: Some(vec![client.auth_method.clone()]),
        clients: vec![client],
        client_credentials: Some(ClientCredentials::default()),
        ..Dials::default()
    }
}

fn service(served: &Served) -> Preregistered {
    Preregistered::new(served.world().issuer(0), "service")
}

fn by_secret(method: &str, lifetime: u64) -> (Serving, Client) {
    let known = PreRegistered::confidential("service", "service-secret", method, REDIRECT);
    let served = serve(Dials { access_lifetime: lifetime, ..acts_for_itself(known) });
    let client = service(&served).secret("service-secret");
    let config = config(&served).preregistered(client).grant_type(GrantType::ClientCredentials);
    let client = served::builder(config).build().unwrap();
    (served, client)
}

fn by_key(key: &Key) -> (Serving, Config) {
    let known = PreRegistered::with_key("service", jwk(key), REDIRECT);
    let served = serve(acts_for_itself(known));
    let config = config(&served).preregistered(service(&served)).client_key(client_key(key));
    (served, config.grant_type(GrantType::ClientCredentials))
}

/// The token has run out: one token request more, and neither discovery nor a person.
fn again(client: &Client, served: &Served) {
    served.world().expire_access_tokens();
    served.world().clear_exchanges();
    assert_eq!(echo(client, served), 200);
    let purposes: Vec<_> = served.world().exchanges().iter().map(|it| it.purpose).collect();
    assert_eq!(purposes, [Purpose::Mcp, Purpose::Token, Purpose::Mcp]);
}

#[test]
fn a_client_with_a_secret_acts_for_itself_and_does_so_again() {
    for method in ["client_secret_basic", "client_secret_post"] {
        let (served, client) = by_secret(method, 3600);
        assert_eq!(echo(&client, &served), 200);
        assert_eq!(client.authorized().unwrap().source, TokenSource::Granted);
        assert_eq!((count(&served, Purpose::ClientCredentials), count(&served, Purpose::Authorize)), (1, 0));
        again(&client, &served);
    }
}

#[test]
fn a_token_that_is_known_to_have_run_out_is_not_shown() {
    let (served, client) = by_secret("client_secret_basic", 1);
    assert_eq!(echo(&client, &served), 200);
    thread::sleep(std::time::Duration::from_millis(2100));
    let before = count(&served, Purpose::Mcp);
    let many = (0..8).map(|_| {
        let (client, request) = (client.clone(), served::request(&served, "echo"));
        thread::spawn(move || client.send(request).unwrap().status())
    });
    for one in many.collect::<Vec<_>>() {
        assert_eq!(joined(one), 200);
    }
    assert_eq!(count(&served, Purpose::Mcp) - before, 8, "one of them was refused");
}

#[test]
fn a_client_with_a_key_acts_for_itself_and_does_so_again() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let key = key(algorithm);
        let (served, config) = by_key(&key);
        let client = served::builder(config).keys(signing(key)).build().unwrap();
        assert_eq!(echo(&client, &served), 200);
        again(&client, &served);
        let world = served.world();
        let token = world.exchanges().iter().find(|it| it.is_for(Purpose::ClientCredentials)).unwrap();
        assert!(token.parameter("client_assertion").is_some() && token.authorization.is_none());
    }
}

#[test]
fn a_key_that_the_server_does_not_know_is_refused_by_it() {
    let (served, config) = by_key(&key(Algorithm::Es256));
    let client = served::builder(config).keys(signing(key(Algorithm::Es256))).build().unwrap();
    assert_eq!(refused(&client, &served), Kind::Configuration);
    assert_eq!(count(&served, Purpose::ClientCredentials), 1);
}

/// Asserts what it is told to, and counts.
#[derive(Clone)]
struct Voucher {
    world: Arc<Mutex<World>>,
    resource: String,
    asked: Arc<AtomicUsize>,
}

impl Voucher {
    fn of(served: &Served) -> Self {
        Self { world: served.world.clone(), resource: served.server_url(), asked: Arc::default() }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Assertions for Voucher {
    fn supply(&self, wanted: WantedAssertion) -> BoxFuture<'_, Result<Secret, String>> {
        let WantedAssertion { kind, audience, resource, until, .. } = wanted;
        self.asked.fetch_add(1, Ordering::SeqCst);
        let world = self.world.lock().unwrap();
        assert_eq!(resource, self.resource);
        assert!((now()..now() + 3600).contains(&(until.as_secs() - 1)), "{until:?}");
        let assertion = match kind {
            AssertionKind::IdToken => (audience == "at-the-idp").then(|| ID_TOKEN.to_owned()),
            AssertionKind::Workload if audience == world.issuer(0) => world.workload_token(now()),
            _ => None,
        };
        let assertion = assertion.map(Secret::new).ok_or_else(|| format!("{kind:?} for {audience}"));
        Box::pin(std::future::ready(assertion))
    }
}

fn enterprise() -> (Serving, Builder) {
    let at_the_idp = EnterpriseClient {
        client_id: "at-the-idp".to_owned(),
        client_secret: Some("idp-client-secret".to_owned()),
        resource_client_id: "service".to_owned(),
    };
    let known = PreRegistered::confidential("service", "service-secret", "client_secret_basic", REDIRECT);
    let dials = Dials {
        enterprise: Some(Enterprise::new(at_the_idp, ID_TOKEN)),
        client_credentials: None,
        ..acts_for_itself(known)
    };
    let served = serve(dials);
    let issuer = served.origins().identity_provider;
    let endpoint = format!("{issuer}/token");
    let provider = IdentityProvider::new(issuer, endpoint, "at-the-idp").secret("idp-client-secret");
    let client = service(&served).secret("service-secret");
    let grant_type = GrantType::EnterpriseManaged(Box::new(provider));
    let builder = served::builder(config(&served).preregistered(client).grant_type(grant_type));
    (served, builder)
}

fn workload() -> (Serving, Builder) {
    let dials = Dials { workload: Some(Workload::default()), ..Dials::default() };
    let served = serve(dials);
    let builder = served::builder(config(&served).grant_type(GrantType::WorkloadIdentity));
    (served, builder)
}

#[test]
fn an_identity_provider_decides_in_the_persons_place() {
    let (served, builder) = enterprise();
    let voucher = Voucher::of(&served);
    let client = builder.assertions(voucher.clone()).build().unwrap();
    for grants in 1..4 {
        assert_eq!(echo(&client, &served), 200);
        assert_eq!((voucher.asked(), count(&served, Purpose::AssertionGrant)), (grants, grants));
        served.world().expire_access_tokens();
    }
    assert_eq!(count(&served, Purpose::Authorize), 0);
}

#[test]
fn a_platform_vouches_for_its_workload() {
    let (served, builder) = workload();
    let voucher = Voucher::of(&served);
    let client = builder.assertions(voucher.clone()).build().unwrap();
    for grants in 1..4 {
        assert_eq!(echo(&client, &served), 200);
        assert_eq!((voucher.asked(), count(&served, Purpose::AssertionGrant)), (grants, grants));
        served.world().expire_access_tokens();
    }
    assert_eq!((count(&served, Purpose::Authorize), count(&served, Purpose::Registration)), (0, 0));
}
