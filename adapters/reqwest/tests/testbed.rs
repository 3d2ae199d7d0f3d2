//! The same, against the testbed's servers: they check what a client must send.

mod served;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use mcp_auth::{Callback, Config, Scopes, Timestamp, TokenSource};
use mcp_auth_reqwest::{Answers, BoxFuture, Client, Consent};
use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{Browsed, Dials, Purpose, Served, World, serve};
use url::Url;

#[derive(Clone)]
struct Person(Arc<Mutex<World>>);

impl Consent for Person {
    fn open(&self, url: Url, _: Timestamp) -> Box<dyn Answers> {
        Box::new(Visit { person: self.clone(), url })
    }
}

struct Visit {
    person: Person,
    url: Url,
}

impl Answers for Visit {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let browsed = self.person.0.lock().unwrap().browse(now, self.url.as_str());
        Box::pin(std::future::ready(match browsed {
            Browsed::Callback(url) => Ok(Callback::new(url)),
            Browsed::Page { text, .. } => Err(text),
        }))
    }
}

fn client(served: &Served) -> Client {
    let config = Config::new(served.server_url(), "Testbed visitor", "http://127.0.0.1:3000/callback");
    served::builder(config).consent(Person(served.world.clone())).build().unwrap()
}

/// Calls a tool, and gives what it says.
async fn tool(client: &Client, served: &Served, name: &str) -> Option<String> {
    let request = call::tool(&served.server_url(), Wire::Stateless, name, "a text").unwrap();
    let request = reqwest::Request::try_from(request).unwrap();
    let response = client.send_as(&format!("tools/call:{name}"), request).await.unwrap();
    let answer = http::Response::from(response);
    let (parts, body) = answer.into_parts();
    let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
    call::tool_text(&http::Response::from_parts(parts, body))
}

#[tokio::test]
async fn a_login_a_step_up_and_a_renewal() {
    let served = serve(Dials::default()).await.unwrap();
    let client = client(&served);
    assert_eq!(tool(&client, &served, "echo").await.as_deref(), Some("a text"));
    assert_eq!(client.authorized().unwrap().source, TokenSource::LoggedIn);
    let granted = client.authorized().unwrap().granted;

    assert!(tool(&client, &served, "write_file").await.is_some());
    let stepped_up = client.authorized().unwrap().granted;
    assert!(granted.is_subset(&stepped_up) && granted != stepped_up, "{granted}, then {stepped_up}");
    // The registration names the scopes that were asked for then, so a step-up registers anew.
    assert_eq!(served.world().count(Purpose::Registration), 2);

    served.world().expire_access_tokens();
    assert!(tool(&client, &served, "echo").await.is_some());
    assert_eq!(client.authorized().unwrap().granted, stepped_up);
}

#[tokio::test]
async fn a_person_who_says_no_is_heard() {
    let served = serve(Dials { person: mcp_auth_testbed::Person::Denies, ..Dials::default() }).await.unwrap();
    let error = client(&served).log_in(Scopes::new()).await.unwrap_err();
    assert!(
        matches!(error, mcp_auth_reqwest::Error::Failure(failure) if failure.kind() == mcp_auth::Kind::AccessDenied)
    );
}

#[tokio::test]
async fn a_logout_revokes_what_there_is_and_the_next_request_begins_anew() {
    let served = serve(Dials::default()).await.unwrap();
    let client = client(&served);
    assert!(tool(&client, &served, "echo").await.is_some());
    let done = client.log_out().await.unwrap();
    assert!(done.is_complete(), "{done:?}");
    assert!(client.authorized().is_none());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(served.world().live_refresh_tokens(now).is_empty());
    assert!(tool(&client, &served, "echo").await.is_some());
    assert_eq!(served.world().count(Purpose::Authorize), 2);
    // Whoever is out already is out.
    let strangers = self::client(&served).log_out().await.unwrap();
    assert_eq!(strangers.refresh_token, mcp_auth::Ended::Absent);
}

/// While the person thinks, the token runs out and is renewed, and requests go on.
#[tokio::test]
async fn requests_go_on_while_a_person_consents_to_more() {
    let served = serve(Dials::default()).await.unwrap();
    let slow = Arc::new(tokio::sync::Notify::new());
    let config = Config::new(served.server_url(), "Testbed visitor", "http://127.0.0.1:3000/callback");
    let opened = Arc::<AtomicUsize>::default();
    let person = Thinker { world: served.world.clone(), think: slow.clone(), opened: opened.clone() };
    let client = served::builder(config).consent(person).build().unwrap();
    slow.notify_one();
    assert!(tool(&client, &served, "echo").await.is_some());

    let stepping_up = {
        let (client, url) = (client.clone(), served.server_url());
        tokio::spawn(async move {
            let request = call::tool(&url, Wire::Stateless, "write_file", "a text").unwrap();
            client.send_as("write", reqwest::Request::try_from(request).unwrap()).await.unwrap().status()
        })
    };
    // A refusal that comes while the attempt still reads the store waits for all of it, and so for the person.
    while opened.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    for _ in 0..3 {
        served.world().expire_access_tokens();
        assert!(tool(&client, &served, "echo").await.is_some());
    }
    assert_eq!(served.world().refreshes().len(), 3);
    assert!(!stepping_up.is_finished());
    slow.notify_one();
    assert_eq!(stepping_up.await.unwrap(), 200);
}

/// Somebody who consents only when told so.
struct Thinker {
    world: Arc<Mutex<World>>,
    think: Arc<tokio::sync::Notify>,
    opened: Arc<AtomicUsize>,
}

struct Thought {
    url: Url,
    world: Arc<Mutex<World>>,
    think: Arc<tokio::sync::Notify>,
}

impl Consent for Thinker {
    fn open(&self, url: Url, _: Timestamp) -> Box<dyn Answers> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        Box::new(Thought { url, world: self.world.clone(), think: self.think.clone() })
    }
}

impl Answers for Thought {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async {
            self.think.notified().await;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            match self.world.lock().unwrap().browse(now, self.url.as_str()) {
                Browsed::Callback(url) => Ok(Callback::new(url)),
                other => Err(format!("{other:?}")),
            }
        })
    }
}
