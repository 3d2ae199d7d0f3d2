//! The same, against the testbed's servers: they check what a client must send.

mod served;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use mcp_auth::{Callback, Scopes, Timestamp, TokenSource};
use mcp_auth_testbed::call;
use mcp_auth_testbed::{Dials, Purpose, Served};
use mcp_auth_ureq::{Answers, BoxFuture, Client, Consent};
use served::{Person, config, joined, now, request, serve, until};
use url::Url;

fn client(served: &Served) -> Client {
    served::builder(config(served)).consent(Person(served.world.clone())).build().unwrap()
}

/// Calls a tool, and gives what it says.
fn tool(client: &Client, served: &Served, name: &str) -> Option<String> {
    let response = client.send_as(&format!("tools/call:{name}"), request(served, name)).unwrap();
    let (parts, mut body) = response.into_parts();
    call::tool_text(&http::Response::from_parts(parts, body.read_to_vec().unwrap()))
}

#[test]
fn a_login_a_step_up_and_a_renewal() {
    let served = serve(Dials::default());
    let client = client(&served);
    assert_eq!(tool(&client, &served, "echo").as_deref(), Some("a text"));
    assert_eq!(client.authorized().unwrap().source, TokenSource::LoggedIn);
    let granted = client.authorized().unwrap().granted;

    assert!(tool(&client, &served, "write_file").is_some());
    let stepped_up = client.authorized().unwrap().granted;
    assert!(granted.is_subset(&stepped_up) && granted != stepped_up, "{granted}, then {stepped_up}");
    // The registration names the scopes that were asked for then, so a step-up registers anew.
    assert_eq!(served.world().count(Purpose::Registration), 2);

    served.world().expire_access_tokens();
    assert!(tool(&client, &served, "echo").is_some());
    assert_eq!(client.authorized().unwrap().granted, stepped_up);
}

#[test]
fn a_person_who_says_no_is_heard() {
    let served = serve(Dials { person: mcp_auth_testbed::Person::Denies, ..Dials::default() });
    let error = client(&served).log_in(Scopes::new()).unwrap_err();
    assert!(
        matches!(error, mcp_auth_ureq::Error::Failure(failure) if failure.kind() == mcp_auth::Kind::AccessDenied)
    );
}

#[test]
fn a_logout_revokes_what_there_is_and_the_next_request_begins_anew() {
    let served = serve(Dials::default());
    let client = client(&served);
    assert!(tool(&client, &served, "echo").is_some());
    let done = client.log_out().unwrap();
    assert!(done.is_complete(), "{done:?}");
    assert!(client.authorized().is_none());
    assert!(served.world().live_refresh_tokens(now()).is_empty());
    assert!(tool(&client, &served, "echo").is_some());
    assert_eq!(served.world().count(Purpose::Authorize), 2);
    // Whoever is out already is out.
    let strangers = self::client(&served).log_out().unwrap();
    assert_eq!(strangers.refresh_token, mcp_auth::Ended::Absent);
}

/// While the person thinks, the token runs out and is renewed, and requests go on.
#[test]
fn requests_go_on_while_a_person_consents_to_more() {
    let served = serve(Dials::default());
    let (think, thoughts) = mpsc::channel();
    let (person, opened) = (Person(served.world.clone()), Arc::<AtomicUsize>::default());
    let person = Thinker { person, opened: opened.clone(), thoughts: Arc::new(Mutex::new(thoughts)) };
    let client = served::builder(config(&served)).consent(person).build().unwrap();
    think.send(()).unwrap();
    assert!(tool(&client, &served, "echo").is_some());

    let stepping_up = {
        let (client, request) = (client.clone(), request(&served, "write_file"));
        thread::spawn(move || client.send_as("write", request).unwrap().status())
    };
    // A refusal that comes while the attempt still reads the store waits for all of it, and so for the person.
    until("the person is asked for more", || opened.load(Ordering::SeqCst) == 2);
    for _ in 0..3 {
        served.world().expire_access_tokens();
        assert!(tool(&client, &served, "echo").is_some());
    }
    assert_eq!(served.world().refreshes().len(), 3);
    assert!(!stepping_up.is_finished());
    think.send(()).unwrap();
    assert_eq!(joined(stepping_up), 200);
}

/// Somebody who consents only when told so, and whose code blocks until then.
struct Thinker {
    person: Person,
    opened: Arc<AtomicUsize>,
    thoughts: Arc<Mutex<mpsc::Receiver<()>>>,
}

struct Thought {
    visit: Box<dyn Answers>,
    thoughts: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Consent for Thinker {
    fn open(&self, url: Url, until: Timestamp) -> Box<dyn Answers> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        Box::new(Thought { visit: self.person.open(url, until), thoughts: self.thoughts.clone() })
    }
}

impl Answers for Thought {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async {
            self.thoughts.lock().unwrap().recv().map_err(|error| error.to_string())?;
            self.visit.next().await
        })
    }
}
