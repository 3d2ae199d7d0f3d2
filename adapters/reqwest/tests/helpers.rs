//! Whoever holds keys or asserts something, and does not do it: fails, panics, never answers, or is not there.

mod served;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{
    Config, GrantType, IdentityProvider, Kind, Policy, Preregistered, Secret, SigningKey, Timestamp,
};
use mcp_auth_jose::{Key, Signer as _, client_key, proof_key};
use mcp_auth_reqwest::{Answers, Assertions, BoxFuture, Client, Consent, Error, Keys, WantedAssertion};
use mcp_auth_testbed::{
    ClientCredentials, Dials, Dpop, PreRegistered, Purpose, Registration, Served, Workload, World, serve,
};
use served::{Person, REDIRECT, config, count, echo, jwk, key, kind, now, request, soon};
use url::Url;

const SIGNS: u8 = 0;
const FAILS: u8 = 1;
const PANICS: u8 = 2;
const SLEEPS: u8 = 3;

/// How long one that never answers takes here: longer than anybody waits, but not than the test's runtime, which waits
/// for its threads.
const EVER: Duration = Duration::from_secs(4);

fn in_haste(config: Config) -> Config {
    config.policy(Policy::with(|it| {
        it.exchange_time = Duration::from_secs(2);
        it.consent_time = Duration::from_secs(1);
        it.quiet_time = Duration::from_secs(1);
    }))
}

/// A key whose holder has moods.
#[derive(Clone)]
struct Moody {
    key: Arc<Key>,
    mood: Arc<AtomicU8>,
    at_once: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Moody {
    fn new() -> Self {
        let key = key(Algorithm::Es256);
        Self { key, mood: Arc::default(), at_once: Arc::default(), most: Arc::default() }
    }

    fn set(&self, mood: u8) {
        self.mood.store(mood, Ordering::SeqCst);
    }
}

impl Keys for Moody {
    fn sign(&self, _: &SigningKey, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        match self.mood.load(Ordering::SeqCst) {
            FAILS => Err("the token was pulled out".to_owned()),
            PANICS => panic!("the token exploded"),
            SLEEPS => {
                let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
                self.most.fetch_max(at_once, Ordering::SeqCst);
                std::thread::sleep(EVER);
                self.at_once.fetch_sub(1, Ordering::SeqCst);
                Err("late".to_owned())
            }
            _ => self.key.sign(algorithm, message),
        }
    }
}

async fn bound(keys: &Moody) -> (Served, Client) {
    let served = serve(Dials { dpop: Some(Dpop::default()), ..Dials::default() }).await.unwrap();
    let key = proof_key(&keys.key);
    let config = in_haste(config(&served).proof_key(key));
    let person = Person(served.world.clone());
    let client = served::builder(config).consent(person).keys(keys.clone()).build().unwrap();
    (served, client)
}

async fn with_key() -> (Served, Config, Moody) {
    let keys = Moody::new();
    let known = PreRegistered::with_key("service", jwk(&keys.key), REDIRECT);
    let dials = Dials {
        auth_methods: Some(vec!["private_key_jwt".to_owned()]),
        clients: vec![known],
        client_credentials: Some(ClientCredentials::default()),
        ..Dials::default()
    };
    let served = serve(dials).await.unwrap();
    let client = Preregistered::new(served.world().issuer(0), "service");
    let config = config(&served).preregistered(client).client_key(client_key(&keys.key));
    let config = in_haste(config.grant_type(GrantType::ClientCredentials));
    (served, config, keys)
}

#[tokio::test]
async fn a_client_that_cannot_prove_who_it_is_says_so_in_time() {
    for (mood, said) in [(FAILS, "pulled out"), (PANICS, "panicked"), (SLEEPS, "in time")] {
        let (served, config, keys) = with_key().await;
        let client = served::builder(config).keys(keys.clone()).build().unwrap();
        keys.set(mood);
        let begun = Instant::now();
        let error = soon(client.send(request(&served, "echo"))).await.unwrap_err();
        assert_eq!(kind(&error), Kind::SigningFailed);
        assert!(error.to_string().contains(said), "{error}");
        assert!(begun.elapsed() < EVER, "{mood}: {:?}", begun.elapsed());
        assert_eq!(count(&served, Purpose::Token), 0);
        // Whoever comes to reason is asked again.
        keys.set(SIGNS);
        soon(async {
            while client.send(request(&served, "echo")).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_request_whose_proof_is_not_signed_is_not_sent() {
    for (mood, said) in [(FAILS, "pulled out"), (PANICS, "panicked"), (SLEEPS, "in time")] {
        let keys = Moody::new();
        let (served, client) = bound(&keys).await;
        assert_eq!(echo(&client, &served).await, 200);
        let before = count(&served, Purpose::Mcp);
        keys.set(mood);
        let begun = Instant::now();
        let error = soon(client.send(request(&served, "echo"))).await.unwrap_err();
        assert_eq!(kind(&error), Kind::SigningFailed);
        assert!(error.to_string().contains(said), "{error}");
        assert!(begun.elapsed() < EVER, "{mood}: {:?}", begun.elapsed());
        assert_eq!(count(&served, Purpose::Mcp), before);
        keys.set(SIGNS);
        assert_eq!(echo(&client, &served).await, 200);
    }
}

/// A thread for each that waits would leave none for the store, or for the names of hosts.
#[tokio::test]
async fn a_key_that_never_answers_takes_but_so_many_threads() {
    let keys = Moody::new();
    let (served, client) = bound(&keys).await;
    assert_eq!(echo(&client, &served).await, 200);
    keys.set(SLEEPS);
    let begun = Instant::now();
    let sent: Vec<_> = (0..200)
        .map(|_| {
            let (client, request) = (client.clone(), request(&served, "echo"));
            tokio::spawn(async move { client.send(request).await.map(|_| ()) })
        })
        .collect();
    for sent in sent {
        assert_eq!(kind(&soon(sent).await.unwrap().unwrap_err()), Kind::SigningFailed);
    }
    assert!(begun.elapsed() < EVER, "{:?}", begun.elapsed());
    assert!((1..=32).contains(&keys.most.load(Ordering::SeqCst)));
    // What needs no signature goes on.
    assert!(soon(client.restore()).await.unwrap().is_some());
}

/// A platform with moods.
struct Platform(Arc<std::sync::Mutex<World>>, Arc<AtomicU8>);

impl Assertions for Platform {
    fn supply(&self, _: WantedAssertion) -> BoxFuture<'_, Result<Secret, String>> {
        Box::pin(async {
            match self.1.load(Ordering::SeqCst) {
                FAILS => Err("the platform is away".to_owned()),
                PANICS => panic!("the platform fell over"),
                SLEEPS => std::future::pending().await,
                _ => Ok(Secret::new(self.0.lock().unwrap().workload_token(now()).unwrap())),
            }
        })
    }
}

#[tokio::test]
async fn a_platform_that_does_not_vouch_ends_the_attempt_in_time() {
    for (mood, said) in [(FAILS, "is away"), (PANICS, "panicked"), (SLEEPS, "in time")] {
        let dials = Dials { workload: Some(Workload::default()), ..Dials::default() };
        let served = serve(dials).await.unwrap();
        let config = config(&served).grant_type(GrantType::WorkloadIdentity);
        // A panic is seen as such, and not by the time that it takes.
        let config = if mood == PANICS { config } else { in_haste(config) };
        let platform = Platform(served.world.clone(), Arc::new(AtomicU8::new(mood)));
        let client = served::builder(config).assertions(platform).build().unwrap();
        let begun = Instant::now();
        let many: Vec<_> = (0..4)
            .map(|_| {
                let (client, request) = (client.clone(), request(&served, "echo"));
                tokio::spawn(async move { client.send(request).await.map(|_| ()) })
            })
            .collect();
        for one in many {
            let error = soon(one).await.unwrap().unwrap_err();
            assert_eq!(kind(&error), Kind::Unsupplied);
            assert!(error.to_string().contains(said), "{error}");
        }
        assert!(begun.elapsed() < Duration::from_secs(6), "{mood}: {:?}", begun.elapsed());
        assert_eq!(count(&served, Purpose::Token), 0);
    }
}

/// Somebody who knows no client, and says so by falling over.
struct Clumsy;

impl Consent for Clumsy {
    fn open(&self, _: Url, _: Timestamp) -> Box<dyn Answers> {
        unreachable!("there is no client to ask for")
    }

    fn client(&self, _: String, _: String) -> BoxFuture<'_, Option<(String, Option<Secret>)>> {
        Box::pin(async { panic!("the dialog fell over") })
    }
}

#[tokio::test]
async fn a_dialog_that_panics_has_no_client() {
    let served = serve(Dials { registration: Registration::Absent, ..Dials::default() }).await.unwrap();
    let config = config(&served).policy(Policy::with(|it| it.ask_for_client = true));
    let client = served::builder(config).consent(Clumsy).build().unwrap();
    let error = soon(client.send(request(&served, "echo"))).await.unwrap_err();
    assert_eq!(kind(&error), Kind::NoClient);
}

#[tokio::test]
async fn who_is_missing_is_missed_when_the_client_is_made() {
    let unusable = |config: Config| match served::builder(config).build() {
        Err(Error::Configuration(breach)) => assert_eq!(breach.kind, Kind::Configuration),
        other => panic!("{other:?}"),
    };
    let (served, with_client_key, keys) = with_key().await;
    unusable(with_client_key);
    unusable(config(&served).proof_key(proof_key(&keys.key)));
    unusable(config(&served).grant_type(GrantType::WorkloadIdentity));
    let provider = IdentityProvider::new("https://idp.example", "https://idp.example/token", "id");
    unusable(config(&served).grant_type(GrantType::EnterpriseManaged(Box::new(provider))));
    served::builder(config(&served)).build().unwrap();
}
