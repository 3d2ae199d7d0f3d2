use super::*;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use mcp_auth::{Breach, Kind, Trail};

use crate::Loopback;

struct Bell(thread::Thread);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Bell(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        thread::park_timeout(Duration::from_secs(5));
    }
}

fn brought(port: u16, query: &str) -> thread::JoinHandle<String> {
    let request = format!("GET /callback?{query} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    thread::spawn(move || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    })
}

/// A person whose browser is the test, and its port.
fn person() -> (Browser, u16) {
    let listener = Loopback::new("Example").listen().unwrap();
    let port = listener.port();
    (Browser::new(listener, |_, _| {}).left_to_the_person(), port)
}

fn begin(person: &Browser) -> Box<dyn Answers> {
    person.open(Url::parse("https://as.example/authorize?state=1").unwrap(), Timestamp::from_secs(0))
}

fn failed(kind: Kind, got: &str) -> Result<Outcome, Box<Failure>> {
    Err(Box::new(Failure::new(Breach::new(kind, "RFC 9207 §2.4", "a code", got), Trail::default())))
}

#[test]
fn the_browser_is_told_how_the_login_ended() {
    let (person, port) = person();
    for (outcome, expected) in [
        (failed(Kind::AccessDenied, "access_denied <b>no</b>"), "access_denied &lt;b&gt;no&lt;/b&gt;"),
        (failed(Kind::AccessDenied, "access_denied"), "Access was not granted"),
        (failed(Kind::IssuerMissing, "none"), "expected a code, got none (RFC 9207 §2.4)"),
        (failed(Kind::IssuerMissing, "none"), "Log in again; if it recurs"),
        (Ok(Outcome::Anonymous), "The answer has arrived"),
    ] {
        let mut answers = begin(&person);
        let browser = brought(port, "state=1&code=2");
        wait(answers.next()).unwrap();
        answers.finished(&outcome);
        drop(answers);
        let answer = browser.join().unwrap();
        assert!(answer.contains(expected), "{expected}: {answer}");
    }
}

#[test]
fn an_answer_that_is_passed_over_is_a_stranger_s() {
    let (person, port) = person();
    let mut answers = begin(&person);
    let stranger = brought(port, "state=foreign");
    wait(answers.next()).unwrap();
    let ours = brought(port, "state=1");
    assert_eq!(wait(answers.next()).unwrap().state().as_deref(), Some("1"));
    assert!(stranger.join().unwrap().contains("Nobody waits for this login"));
    drop(answers);
    assert!(ours.join().unwrap().contains("The answer has arrived"), "nobody said how it went");
}

#[test]
fn logins_take_turns_and_the_listener_stays() {
    let (person, port) = person();
    let mut first = begin(&person);
    let browser = brought(port, "state=1");
    wait(first.next()).unwrap();
    let mut second = begin(&person);
    let refused = wait(second.next()).unwrap_err();
    assert!(refused.contains("another login"), "{refused}");
    // One that takes the place of the other is opened before that is gone.
    let mut third = begin(&person);
    drop((first, second));
    browser.join().unwrap();
    let browser = brought(port, "state=3");
    assert_eq!(wait(third.next()).unwrap().state().as_deref(), Some("3"));
    drop(third);
    browser.join().unwrap();
    drop(person);
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(), "nobody listens any more");
}

#[test]
fn the_person_is_shown_what_to_open_and_the_host_hears_what_came() {
    let (sender, told) = mpsc::channel();
    let heard = sender.clone();
    let listener = Loopback::new("Example").listen().unwrap();
    let port = listener.port();
    let show = move |url: &Url, opening: Opening| sender.send(format!("{opening:?} {url}")).unwrap();
    let person = Browser::new(listener, show).left_to_the_person();
    let person = person.heard(move |callback| heard.send(callback.to_owned()).unwrap());
    let mut answers = begin(&person);
    assert_eq!(told.recv().unwrap(), "Left https://as.example/authorize?state=1");
    let browser = brought(port, "state=1");
    wait(answers.next()).unwrap();
    assert_eq!(told.recv().unwrap(), "/callback?state=1");
    drop(answers);
    browser.join().unwrap();
}

#[cfg(feature = "browser")]
#[test]
fn a_browser_that_cannot_be_opened_is_said_to_the_person() {
    let (sender, told) = mpsc::channel();
    let show = move |_: &Url, opening: Opening| sender.send(format!("{opening:?}")).unwrap();
    let person = Browser::new(Loopback::new("Example").listen().unwrap(), show);
    // It passes no guard, so nothing is started.
    let _answers = person.open(Url::parse("file:///etc/passwd").unwrap(), Timestamp::from_secs(0));
    let wait = Duration::from_secs(5);
    assert_eq!(told.recv_timeout(wait).unwrap(), "Begun");
    assert!(told.recv_timeout(wait).unwrap().starts_with("Failed(Refused"));
}
