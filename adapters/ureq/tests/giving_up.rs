//! Callers who are gone, logins that are called off, hosts that fall over.

mod support;

use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use http::Request;
use mcp_auth::trace::Trace;
use mcp_auth::{Callback, Failure, Kind, Outcome, Scopes, Timestamp, TokenSource};
use mcp_auth_ureq::ureq::SendBody;
use mcp_auth_ureq::{Answers, BoxFuture, Client, Consent, Error, Tap};
use support::{Person, Town, joined, until};
use url::Url;

#[test]
fn a_login_goes_on_when_the_thread_that_began_it_is_gone() {
    let town = Town::with(Duration::from_millis(10), |_| None);
    let client = town.builder().build().unwrap();
    let (caller, server) = (client.clone(), town.server());
    // Its refusal is given back, and begins a login for the good of others.
    let gone = thread::spawn(move || {
        let body = SendBody::from_owned_reader(Cursor::new("once"));
        let request = Request::post(server.as_str()).header("content-length", "4").body(body).unwrap();
        caller.send(request).unwrap().status()
    });
    assert_eq!(joined(gone), 401);
    assert!(client.authorized().is_none());
    until("the login ends", || client.authorized().is_some());
    assert_eq!(client.authorized().unwrap().source, TokenSource::LoggedIn);
}

#[test]
fn a_login_goes_on_when_the_client_is_gone() {
    let town = Town::with(Duration::from_millis(10), |_| None);
    let store = mcp_auth_ureq::MemoryStore::default();
    let client = town.builder().store(store.clone()).build().unwrap();
    let body = SendBody::from_owned_reader(Cursor::new("once"));
    let request = Request::post(town.server().as_str()).header("content-length", "4").body(body).unwrap();
    assert_eq!(client.send(request).unwrap().status(), 401);
    drop(client);
    until("the login ends", || town.logins() == 1);
    let client = town.builder().store(store).build().unwrap();
    until("the token is stored", || client.restore().unwrap().is_some());
}

fn waiting(client: &Client, town: &Town) -> Vec<thread::JoinHandle<Result<(), Error>>> {
    let one = |_| {
        let (client, request) = (client.clone(), town.request("/mcp"));
        thread::spawn(move || client.send(request).map(drop))
    };
    (0..3).map(one).collect()
}

fn assert_cancelled(result: Result<(), Error>) {
    let error = result.unwrap_err();
    assert!(matches!(&error, Error::Failure(failure) if failure.kind() == Kind::Cancelled), "{error}");
}

#[test]
fn a_login_that_waits_can_be_called_off() {
    let town = Town::new();
    let person = Person { thinks: None, ..Person::new(&town) };
    let client = town.builder_for(person.clone()).build().unwrap();
    client.cancel();
    let waiting = waiting(&client, &town);
    until("the browser is opened", || person.opened.load(Ordering::SeqCst) > 0);
    client.cancel();
    waiting.into_iter().for_each(|waiting| assert_cancelled(joined(waiting)));
    assert_eq!((person.opened.load(Ordering::SeqCst), person.closed.load(Ordering::SeqCst)), (1, 1));
    assert_eq!(*person.finished.lock().unwrap(), ["Cancelled"]);
}

/// Whoever waits for the person by blocking is not told that nobody else does.
struct Deaf(Arc<Mutex<Vec<String>>>, Duration);

impl Consent for Deaf {
    fn open(&self, _: Url, _: Timestamp) -> Box<dyn Answers> {
        Box::new(Self(self.0.clone(), self.1))
    }
}

impl Answers for Deaf {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async {
            thread::sleep(self.1);
            Err("nobody came".to_owned())
        })
    }

    fn finished(&mut self, outcome: &Result<Outcome, Box<Failure>>) {
        self.0.lock().unwrap().push(format!("{:?}", outcome.as_ref().unwrap_err().kind()));
    }
}

#[test]
fn a_login_whose_listener_blocks_can_be_called_off_too() {
    let (town, told) = (Town::new(), Arc::<Mutex<Vec<String>>>::default());
    let client = town.builder_for(Deaf(told.clone(), Duration::from_secs(4))).build().unwrap();
    let waiting = waiting(&client, &town);
    until("the login is at the person", || client.trail().to_string().contains("authoriz"));
    thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    client.cancel();
    waiting.into_iter().for_each(|waiting| assert_cancelled(joined(waiting)));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    // It hears of it when it comes back.
    until("the listener is told", || *told.lock().unwrap() == ["Cancelled"]);
}

#[test]
fn calling_off_does_not_break_off_an_exchange_of_tokens() {
    let town = Town::with(Duration::from_millis(50), |_| None);
    let client = town.builder().build().unwrap();
    let waiting = thread::spawn({
        let client = client.clone();
        move || client.log_in(Scopes::new())
    });
    until("the code is redeemed", || town.asked("/token") > 0);
    client.cancel();
    joined(waiting).unwrap();
    assert_eq!((town.logins(), client.authorized().is_some()), (1, true));
}

#[test]
fn calling_off_breaks_off_what_is_of_no_use_any_more() {
    let town = Town::with(Duration::ZERO, |asked| {
        let slow = support::Reply { delay: Duration::from_secs(3600), ..support::Reply::default() };
        asked.path.contains("oauth-authorization-server").then_some(slow)
    });
    let client = town.builder().build().unwrap();
    let waiting = waiting(&client, &town);
    until("the metadata is asked for", || town.asked("/.well-known/oauth-authorization-server") > 0);
    client.cancel();
    waiting.into_iter().for_each(|waiting| assert_cancelled(joined(waiting)));
}

#[test]
fn a_host_that_panics_is_no_reason_to_hang_or_to_ask_again() {
    struct Panicking(bool, Arc<AtomicUsize>);
    impl Consent for Panicking {
        fn open(&self, _: Url, _: Timestamp) -> Box<dyn Answers> {
            self.1.fetch_add(1, Ordering::SeqCst);
            assert!(self.0, "no browser");
            Box::new(Self(true, self.1.clone()))
        }
    }
    impl Answers for Panicking {
        fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
            Box::pin(async { panic!("nobody listens") })
        }
        fn finished(&mut self, _: &Result<Outcome, Box<Failure>>) {
            panic!("nobody is told");
        }
    }
    impl Drop for Panicking {
        fn drop(&mut self) {
            assert!(thread::panicking() || thread::current().name() != Some("mcp-auth-listen"), "gone badly");
        }
    }
    for opens in [false, true] {
        let (town, opened) = (Town::new(), Arc::default());
        let client = town.builder_for(Panicking(opens, Arc::clone(&opened))).build().unwrap();
        let error = client.log_in(Scopes::new()).unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
        assert_eq!(opened.load(Ordering::SeqCst), 1);
        assert!(client.restore().unwrap().is_none());
    }
}

/// Takes the thread that cranks down with it.
struct Bomb;

impl Tap for Bomb {
    fn event(&mut self, _: Timestamp, _: &mcp_auth::Event) {}

    fn action(&mut self, action: &mcp_auth::Action) {
        assert!(!matches!(action, mcp_auth::Action::Open(_)), "the tap fell over");
    }
}

#[test]
fn a_thread_that_falls_over_is_followed_but_so_often() {
    let town = Town::new();
    let text = Arc::new(Mutex::new(String::new()));
    let kept = text.clone();
    let record = move |line: &str| *kept.lock().unwrap() += &format!("{line}\n");
    let client = town.builder().tap(Bomb).record(record).build().unwrap();
    assert!(matches!(client.log_in(Scopes::new()), Err(Error::Stopped)));
    assert!(matches!(client.log_in(Scopes::new()), Err(Error::Stopped)));
    // What it fell over is the last that a reader of the trace wants to miss.
    let text = text.lock().unwrap();
    assert!(text.contains("{\"open\":"), "{text}");
    Trace::read(&text).unwrap().replay().unwrap();
}

/// Were the answer lost with it, a request that was sent would pass for one that was not.
#[test]
fn an_observer_that_panics_at_an_answer_loses_none() {
    let town = Town::new();
    let client = town.builder().observe(|observed| {
        assert!(!matches!(observed, mcp_auth_ureq::Observed::Answered { .. }), "nobody looks");
    });
    let client = client.build().unwrap();
    client.log_in(Scopes::new()).unwrap();
    assert_eq!((town.logins(), town.asked("/register"), town.asked("/token")), (1, 1, 1));
}
