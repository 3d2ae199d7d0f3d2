//! Callers who give up, runtimes that end, logins that are called off.

mod support;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use mcp_auth::{Kind, Scopes, TokenSource};
use mcp_auth_reqwest::{Answers, BoxFuture, Client, Consent, Error};
use support::{Person, Town};
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// Polls a future a number of times, and then lets it go.
struct Impatient<F> {
    inner: Pin<Box<F>>,
    polls: usize,
}

impl<F: Future> Future for Impatient<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        match self.inner.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.polls == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

async fn soon<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future).await.expect("this takes too long")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[tokio::test]
async fn a_caller_may_give_up_at_any_point() {
    let mut finished = false;
    for polls in 1..200 {
        let town = Town::new();
        let client = town.builder().build().unwrap();
        let inner = Box::pin(client.send(town.request("/mcp")));
        let first = soon(Impatient { inner, polls }).await;
        // The next caller is served, and what was begun for the first is not begun again.
        assert_eq!(soon(client.send(town.request("/mcp"))).await.unwrap().status(), 200);
        assert_eq!((town.logins(), town.asked("/register")), (1, 1), "after {polls} polls");
        if let Some(response) = first {
            assert_eq!(response.unwrap().status(), 200);
            finished = true;
            break;
        }
    }
    assert!(finished, "the request never came to its end");
}

#[tokio::test]
async fn a_login_goes_on_when_nobody_waits_for_it() {
    let town = Town::with(Duration::from_millis(10), |_| None);
    let client = town.builder().build().unwrap();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.log_in(Scopes::new()).await }
    });
    soon(async {
        while town.records.lock().unwrap().asked.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    soon(async {
        while client.authorized().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(client.authorized().unwrap().source, TokenSource::LoggedIn);
}

#[tokio::test]
async fn a_login_that_waits_can_be_called_off() {
    let town = Town::new();
    let person = Person { thinks: None, ..Person::new(&town) };
    let client = town.builder_for(person.clone()).build().unwrap();
    client.cancel();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let (client, request) = (client.clone(), town.request("/mcp"));
            tokio::spawn(async move { client.send(request).await })
        })
        .collect();
    soon(async {
        while person.opened.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    client.cancel();
    for waiting in waiting {
        let error = soon(waiting).await.unwrap().unwrap_err();
        assert!(matches!(&error, Error::Failure(failure) if failure.kind() == Kind::Cancelled), "{error}");
    }
    assert_eq!((person.opened.load(Ordering::SeqCst), person.closed.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test]
async fn calling_off_does_not_break_off_an_exchange_of_tokens() {
    let town = Town::with(Duration::from_millis(50), |_| None);
    let client = town.builder().build().unwrap();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.log_in(Scopes::new()).await }
    });
    soon(async {
        while town.asked("/token") == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    client.cancel();
    soon(waiting).await.unwrap().unwrap();
    assert_eq!((town.logins(), client.authorized().is_some()), (1, true));
}

#[test]
fn another_runtime_takes_over() {
    let town = Town::new();
    let client = town.builder().build().unwrap();
    let first = runtime();
    first.block_on(client.send(town.request("/mcp"))).unwrap();
    drop(first);
    // Connections that died with the runtime are in nobody's way.
    let second = runtime();
    assert_eq!(second.block_on(soon(client.send(town.request("/mcp")))).unwrap().status(), 200);
    assert_eq!(town.logins(), 1);
}

#[test]
fn a_login_that_died_with_its_runtime_is_begun_anew() {
    let town = Town::new();
    let person = Person { thinks: None, ..Person::new(&town) };
    let client = town.builder_for(Undecided(person.clone())).build().unwrap();
    let (first, second) = (runtime(), runtime());
    let send = |client: Client| {
        let request = town.request("/mcp");
        async move { client.send(request).await }
    };
    first.spawn(send(client.clone()));
    let opened = |count| {
        let begun = std::time::Instant::now();
        while person.opened.load(Ordering::SeqCst) < count {
            assert!(begun.elapsed() < Duration::from_secs(10), "the browser is not opened");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    opened(1);
    // One waits on the second runtime already, one comes later.
    let waiting = second.spawn(soon(send(client.clone())));
    std::thread::sleep(Duration::from_millis(50));
    drop(first);
    opened(2);
    assert_eq!(second.block_on(soon(send(client.clone()))).unwrap().status(), 200);
    assert_eq!(second.block_on(waiting).unwrap().unwrap().status(), 200);
    assert_eq!((town.logins(), person.opened.load(Ordering::SeqCst)), (1, 2));
    assert_eq!(person.closed.load(Ordering::SeqCst), 2);
}

/// Never answers the first time, and at once the second.
struct Undecided(Person);

impl Consent for Undecided {
    fn open(&self, url: url::Url, until: mcp_auth::Timestamp) -> Box<dyn Answers> {
        let again = self.0.opened.load(Ordering::SeqCst) > 0;
        let thinks = again.then_some(Duration::ZERO);
        Person { thinks, ..self.0.clone() }.open(url, until)
    }
}

#[tokio::test]
async fn a_host_that_panics_is_no_reason_to_hang_or_to_ask_again() {
    struct Panicking(bool, Arc<AtomicUsize>);
    impl Consent for Panicking {
        fn open(&self, _: url::Url, _: mcp_auth::Timestamp) -> Box<dyn Answers> {
            self.1.fetch_add(1, Ordering::SeqCst);
            assert!(self.0, "no browser");
            Box::new(Self(true, self.1.clone()))
        }
    }
    impl Answers for Panicking {
        fn next(&mut self) -> BoxFuture<'_, Result<mcp_auth::Callback, String>> {
            Box::pin(async { panic!("nobody listens") })
        }
    }
    for opens in [false, true] {
        let (town, opened) = (Town::new(), Arc::default());
        let client = town.builder_for(Panicking(opens, Arc::clone(&opened))).build().unwrap();
        let error = soon(client.log_in(Scopes::new())).await.unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
        assert_eq!(opened.load(Ordering::SeqCst), 1);
        assert!(client.restore().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_observer_that_panics_at_an_exchange_is_not_waited_for() {
    let town = Town::new();
    let client = town.builder().observe(|observed| {
        assert!(!matches!(observed, mcp_auth_reqwest::Observed::Answered { .. }), "nobody looks");
    });
    let error = soon(client.build().unwrap().log_in(Scopes::new())).await.unwrap_err();
    let Error::Failure(failure) = error else { panic!("{error}") };
    assert!(format!("{failure:#}").contains("panicked"), "{failure:#}");
}

/// Tells how many that listened are still there when another is to.
struct Crowd(Person, Arc<AtomicUsize>);

impl Consent for Crowd {
    fn open(&self, url: url::Url, until: mcp_auth::Timestamp) -> Box<dyn Answers> {
        let left = self.0.opened.load(Ordering::SeqCst) - self.0.closed.load(Ordering::SeqCst);
        self.1.fetch_max(left, Ordering::SeqCst);
        Undecided(self.0.clone()).open(url, until)
    }
}

#[tokio::test]
async fn one_that_takes_the_place_of_another_is_opened_after_that_is_gone() {
    let (town, left) = (Town::new(), Arc::<AtomicUsize>::default());
    let person = Person { thinks: None, ..Person::new(&town) };
    let client = town.builder_for(Crowd(person.clone(), left.clone())).build().unwrap();
    let login = tokio::spawn(soon({
        let client = client.clone();
        async move { client.log_in(Scopes::new()).await }
    }));
    while person.opened.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.client_disowned();
    login.await.unwrap().unwrap();
    assert_eq!((person.opened.load(Ordering::SeqCst), left.load(Ordering::SeqCst)), (2, 0));
}

#[test]
fn without_a_runtime_there_is_an_error() {
    let town = Town::new();
    let client = town.builder().build().unwrap();
    let mut login = pin!(client.log_in(Scopes::new()));
    let polled = login.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(Error::Stopped))));
}
