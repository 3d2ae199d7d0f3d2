use super::*;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

/// What a busy machine may take longer than it should.
const SLACK: Duration = Duration::from_secs(5);

fn listener() -> Listener {
    Loopback::new("Example").listen().unwrap()
}

fn say(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn get(port: u16, query: &str) -> String {
    format!("GET /callback?{query} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")
}

/// A browser that brings this and waits for its page.
fn browser(port: u16, query: &str) -> thread::JoinHandle<String> {
    let request = get(port, query);
    thread::spawn(move || say(port, &request))
}

#[test]
fn what_is_not_for_the_host_does_not_reach_it() {
    let mut listener = listener();
    let port = listener.port();
    let ours = format!("Host: 127.0.0.1:{port}\r\n");
    for (request, status) in [
        (format!("GET /favicon.ico HTTP/1.1\r\n{ours}\r\n"), "404"),
        (format!("GET / HTTP/1.1\r\n{ours}\r\n"), "404"),
        (format!("GET /callback/x?code=1&state=2 HTTP/1.1\r\n{ours}\r\n"), "404"),
        (format!("POST /callback?code=1&state=2 HTTP/1.1\r\n{ours}Content-Length: 3\r\n\r\na=b"), "405"),
        (format!("HEAD /callback?code=1&state=2 HTTP/1.1\r\n{ours}\r\n"), "405"),
        ("GET /callback?code=1&state=2 HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), "404"),
        (format!("GET /callback?code=1&state=2 HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n"), "404"),
        ("GET /callback?code=1&state=2 HTTP/1.1\r\n\r\n".to_owned(), "404"),
        (format!("GET /callback?code=1 HTTP/1.1\r\n{ours}\r\n"), "400"),
        (format!("GET /callback HTTP/1.1\r\n{ours}\r\n"), "400"),
        ("\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), "400"),
        (format!("GET /callback?state={} HTTP/1.1\r\n{ours}\r\n", "x".repeat(40_000)), "431"),
        (format!("GET /callback?state=1 HTTP/1.1\r\n{ours}X: {}", "x".repeat(1_000_000)), "431"),
    ] {
        let answer = say(port, &request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request:.60} {answer:.60}");
    }
    assert!(listener.wait(Duration::ZERO).is_none());
}

#[test]
fn an_answer_is_handed_on_and_its_page_is_the_host_s_choice() {
    let mut listener = listener();
    let port = listener.port();
    for (host, address) in
        [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("[::1]", "[::1]"), ("localhost", "[::1]")]
    {
        let Ok(mut stream) = TcpStream::connect(format!("{address}:{port}")) else {
            assert_eq!(address, "[::1]");
            continue;
        };
        let request = format!("GET /callback?code=1&state=2 HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let received = listener.wait(SLACK).expect("it is handed on");
        assert_eq!(received.callback(), "/callback?code=1&state=2");
        assert!(!format!("{received:?}").contains("code"));
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(stream.read(&mut [0]).is_err(), "the browser waits");
        stream.set_read_timeout(None).unwrap();
        received.finish(Page::Success);
        // A program that ends now cuts nothing short.
        stream.set_nonblocking(true).unwrap();
        assert!(stream.peek(&mut [0]).is_ok_and(|count| count == 1), "the browser has it");
        stream.set_nonblocking(false).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("You are logged in"),
            "{answer}"
        );
    }
}

#[test]
fn an_answer_says_what_a_browser_may_do_with_it() {
    let mut listener = listener();
    let browser = browser(listener.port(), "state=1&code=%3Cscript%3Eevil");
    listener.wait(SLACK).unwrap().finish(Page::Failed { reason: "<b>".to_owned(), next: String::new() });
    let answer = browser.join().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    for field in [
        "Content-Type: text/html; charset=utf-8",
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "Cache-Control: no-store",
        "Referrer-Policy: no-referrer",
        "X-Content-Type-Options: nosniff",
        "Cross-Origin-Opener-Policy: same-origin",
        &format!("Content-Length: {}", body.len()),
        "Connection: close",
    ] {
        assert!(head.lines().any(|line| line == field), "{field}\n{head}");
    }
    assert!(
        body.contains("&lt;b&gt;") && !answer.contains("evil") && !answer.contains("/callback"),
        "{answer}"
    );
}

#[test]
fn a_stranger_s_answer_ends_nothing() {
    let mut listener = listener();
    let port = listener.port();
    let first = browser(port, "state=foreign&error=access_denied");
    listener.wait(SLACK).unwrap().finish(Page::Stranger);
    assert!(first.join().unwrap().contains("Nobody waits for this login"));
    let second = browser(port, "state=ours&code=1");
    let received = listener.wait(SLACK).unwrap();
    assert_eq!(received.callback(), "/callback?state=ours&code=1");
    received.finish(Page::Refused { reason: String::new() });
    assert!(second.join().unwrap().contains("Access was not granted"));
}

#[test]
fn a_browser_that_nobody_answers_is_told_so_much() {
    let mut listener =
        Loopback::new("Example").listen_with(|served| served.within(Duration::from_millis(300))).unwrap();
    let port = listener.port();
    // Dropped without a word: at once.
    let (dropped, began) = (browser(port, "state=1"), Instant::now());
    drop(listener.wait(SLACK));
    assert!(dropped.join().unwrap().contains("The answer has arrived"));
    // Taken and kept, then not even taken: after a while, and each is still handed on.
    let kept = browser(port, "state=2");
    let received = listener.wait(SLACK).unwrap();
    assert!(kept.join().unwrap().contains("The answer has arrived"));
    received.finish(Page::Success);
    assert!(browser(port, "state=3").join().unwrap().contains("The answer has arrived"));
    assert_eq!(listener.wait(Duration::ZERO).unwrap().callback(), "/callback?state=3");
    assert!(began.elapsed() >= Duration::from_millis(600) && began.elapsed() < SLACK);
}

#[test]
fn silent_and_slow_connections_do_not_keep_a_good_one_waiting() {
    let mut listener = listener();
    let port = listener.port();
    let mut slow = Vec::new();
    // More than are served at once, some of which begin a request.
    for count in 0..100 {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        if count % 2 == 0 {
            stream.write_all(b"GET /callback?state=").unwrap();
        }
        slow.push(stream);
    }
    let began = Instant::now();
    let good = browser(port, "code=1&state=2");
    listener.wait(SLACK).expect("it comes").finish(Page::Success);
    assert!(good.join().unwrap().starts_with("HTTP/1.1 200"));
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
}

#[test]
fn a_request_that_trickles_is_cut_off() {
    let listener = listener();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, listener.port())).unwrap();
    let began = Instant::now();
    while stream.write_all(b"G").is_ok() {
        thread::sleep(Duration::from_millis(50));
        assert!(began.elapsed() < SLACK, "it may go on for ever");
    }
    assert!(began.elapsed() > Duration::from_secs(1), "it has some time");
}

#[test]
fn what_is_still_being_sent_is_heard_out() {
    let listener = listener();
    let port = listener.port();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    write!(stream, "POST /callback HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 300\r\n\r\n")
        .unwrap();
    for _ in 0..3 {
        // A connection that is closed before would be reset, and with some systems the answer would be gone.
        thread::sleep(Duration::from_millis(50));
        stream.write_all(&[b'x'; 100]).expect("it is not reset");
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nAllow: GET\r\n"), "{answer}");
}

#[test]
fn the_answer_is_not_lost_behind_others() {
    let mut listener = listener();
    let port = listener.port();
    let mut strangers: Vec<_> = (0..50).map(|count| browser(port, &format!("state={count}"))).collect();
    thread::sleep(Duration::from_millis(300));
    strangers.push(browser(port, "code=1&state=ours"));
    loop {
        let received = listener.wait(SLACK).expect("the answer comes");
        if received.callback() == "/callback?code=1&state=ours" {
            break received.finish(Page::Success);
        }
        received.finish(Page::Stranger);
    }
    let answers: Vec<_> = strangers.into_iter().map(|it| it.join().unwrap()).collect();
    assert_eq!(answers.iter().filter(|it| it.starts_with("HTTP/1.1 200")).count(), 1);
    assert_eq!(answers.iter().filter(|it| it.starts_with("HTTP/1.1 400")).count(), 50);
}

#[test]
fn who_finds_no_room_is_told_to_come_again() {
    let listener =
        Loopback::new("Example").listen_with(|served| served.within(Duration::from_millis(20))).unwrap();
    let port = listener.port();
    // Nobody takes what arrives.
    let answers: Vec<_> =
        (0..70).map(|count| browser(port, &format!("state={count}")).join().unwrap()).collect();
    let (arrived, busy): (Vec<_>, Vec<_>) =
        answers.iter().partition(|it| it.contains("The answer has arrived"));
    assert_eq!((arrived.len(), busy.len()), (64, 6));
    assert!(busy.iter().all(|it| it.starts_with("HTTP/1.1 503") && it.contains("Reload this page")));
}

/// Runs a future on this thread, which sleeps until it is woken.
fn block_on<T>(future: impl Future<Output = T>, timeout: Duration) -> Option<T> {
    struct Bell(thread::Thread);
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Bell(thread::current())));
    let mut future = pin!(future);
    let began = Instant::now();
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(value);
        }
        let left = timeout.checked_sub(began.elapsed())?;
        thread::park_timeout(left);
    }
}

#[test]
fn a_future_needs_no_runtime_and_loses_nothing_when_dropped() {
    let mut listener = listener();
    let port = listener.port();
    assert!(block_on(listener.next(), Duration::from_millis(50)).is_none(), "it is dropped while it waits");
    let first = browser(port, "state=1");
    let received = block_on(listener.next(), SLACK).expect("it is woken");
    assert_eq!(received.callback(), "/callback?state=1");
    received.finish(Page::Success);
    assert!(first.join().unwrap().contains("You are logged in"));
    // One that came in between is there for the next.
    let second = browser(port, "state=2");
    thread::sleep(Duration::from_millis(200));
    let received = block_on(listener.next(), Duration::ZERO).expect("it is there");
    assert_eq!(received.callback(), "/callback?state=2");
    drop(received);
    second.join().unwrap();
}

#[test]
fn who_is_woken_may_look_at_once() {
    /// Looks again on the thread that wakes it.
    struct Eager(Arc<Served>, mpsc::Sender<Poll<String>>);
    impl Wake for Eager {
        fn wake(self: Arc<Self>) {
            let arrival = self.0.poll(&mut Context::from_waker(Waker::noop()));
            self.1.send(arrival.map(|arrival| arrival.callback)).unwrap();
        }
    }
    let listener = listener();
    let (sender, looked) = mpsc::channel();
    let waker = Waker::from(Arc::new(Eager(Arc::clone(&listener.served), sender)));
    assert!(listener.served.poll(&mut Context::from_waker(&waker)).is_pending());
    let browser = browser(listener.port(), "state=1");
    assert_eq!(looked.recv_timeout(SLACK), Ok(Poll::Ready("/callback?state=1".to_owned())));
    drop(listener);
    browser.join().unwrap();
}

#[test]
fn who_waits_in_vain_is_told_in_time() {
    let mut listener = listener();
    let began = Instant::now();
    assert!(listener.wait(Duration::from_millis(100)).is_none());
    assert!(began.elapsed() >= Duration::from_millis(100) && began.elapsed() < SLACK);
    let late = browser(listener.port(), "state=1");
    assert!(listener.wait(Duration::MAX).is_some());
    late.join().unwrap();
}

#[test]
fn dropping_it_frees_the_port_and_ends_its_threads() {
    let mut listener = listener();
    let port = listener.port();
    let name = format!("loopback-{port}");
    let held = browser(port, "state=1");
    let received = listener.wait(SLACK).unwrap();
    let silent = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let waiting = browser(port, "state=2");
    thread::sleep(Duration::from_millis(100));
    if cfg!(target_os = "linux") {
        assert!(threads(&name) >= 3, "{}", threads(&name));
    }
    let began = Instant::now();
    drop(listener);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    // At once, on both.
    let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
    let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port));
    assert!(v6.is_ok() || !matches!(&v6, Err(error) if error.kind() == io::ErrorKind::AddrInUse));
    for browser in [held, waiting] {
        assert!(browser.join().unwrap().contains("The answer has arrived"));
    }
    // Too late, and no harm.
    received.finish(Page::Success);
    let began = Instant::now();
    while threads(&name) > 0 {
        assert!(began.elapsed() < SLACK, "{} threads are left", threads(&name));
        thread::sleep(Duration::from_millis(10));
    }
    drop((silent, v4));
}

/// How many threads of this program have this name, where that can be told.
fn threads(name: &str) -> usize {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return 0 };
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|it| it.trim() == name).count()
}

#[test]
fn dropping_many_is_quick() {
    let (sender, done) = mpsc::channel();
    thread::spawn(move || {
        (0..50).for_each(|_| drop(listener()));
        sender.send(()).unwrap();
    });
    done.recv_timeout(SLACK).expect("no thread hangs");
}

#[test]
fn the_redirect_uri_is_as_the_caller_says() {
    for name in Name::ALL {
        let Ok(listener) = Loopback::new("x").name(name).path("/a/b-c").listen() else {
            assert_eq!(name, Name::Ipv6);
            continue;
        };
        assert_eq!(listener.redirect_uri(), format!("http://{}:{}/a/b-c", name.as_str(), listener.port()));
    }
    for uri in ["http://localhost:PORT/callback", "http://127.0.0.1:PORT/", "http://localhost:PORT/%7Eme/x"] {
        // Another test may take the port that was just free.
        let listening = (0..20).find_map(|_| {
            let uri = uri.replace("PORT", &listener().port().to_string());
            let listener = Loopback::for_redirect_uri("x", &uri).unwrap().listen();
            listener.ok().map(|listener| (listener, uri))
        });
        let (listener, uri) = listening.expect("one is free");
        assert_eq!(listener.redirect_uri(), uri);
    }
    let portless = Loopback::for_redirect_uri("x", "http://127.0.0.1/callback").unwrap().listen().unwrap();
    assert!(portless.port() > 1023);
}

#[test]
fn what_cannot_be_listened_on_is_refused() {
    for uri in [
        "https://127.0.0.1:3000/callback",
        "http://127.0.0.1.evil.example:3000/callback",
        "http://evil.example/callback",
        "http://user@127.0.0.1:3000/callback",
        "http://127.0.0.1:3000@evil.example/",
        "http://localhost:0/callback",
        "http://localhost:65536/callback",
        "http://localhost:+80/callback",
        "http://localhost:0080/callback",
        "http://localhost:/callback",
        "http://LOCALHOST:3000/callback",
        "http://0.0.0.0:3000/callback",
        "http://localhost:3000",
        "com.example.app:/callback",
        "",
    ] {
        let refused = Loopback::for_redirect_uri("x", uri).expect_err(uri);
        assert!(refused.to_string().contains("RFC 8252"), "{refused}");
    }
    for path in [
        "",
        "callback",
        "/a?b=c",
        "/a#b",
        "/a b",
        "/a/../b",
        "/./a",
        "/ä",
        "/a\r\nb",
        "/a\\b",
        "/\"",
        "/a/%2e%2e/b",
    ] {
        let refused = Loopback::new("x").path(path).listen().expect_err(path);
        assert!(matches!(refused, ListenError::Path { .. }), "{refused}");
    }
}
