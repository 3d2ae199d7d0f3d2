//! Servers that mean harm, or are broken beyond what a dial does.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::{found, inspect, json, text};

/// A server that answers each request, given by its first line, with these bytes; then it waits that long.
fn hostile(answer: impl Fn(&str, &str) -> (Vec<u8>, Duration) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (own, answer) = (origin.clone(), std::sync::Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (own, answer) = (own.clone(), answer.clone());
            std::thread::spawn(move || answered(stream.unwrap(), |line| answer(line, &own)));
        }
    });
    format!("{origin}/mcp")
}

fn answered(mut stream: TcpStream, answer: impl Fn(&str) -> (Vec<u8>, Duration)) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let (bytes, wait) = answer(head.lines().next().unwrap_or_default());
    let _ = stream.write_all(&bytes);
    std::thread::sleep(wait);
}

fn answer(status: &str, fields: &str, body: &[u8]) -> (Vec<u8>, Duration) {
    let head =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{fields}\r\n", body.len());
    ([head.as_bytes(), body].concat(), Duration::ZERO)
}

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn a_slow_server_is_given_up() {
    let url = hostile(|_, _| (b"HTTP/1.1 401 Unauth".to_vec(), Duration::from_secs(30)));
    let began = Instant::now();
    let output = inspect(&url, &["--timeout", "1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("no whole answer in time"), "{}", text(&output));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_slow_document_is_given_up() {
    let url = hostile(|line, _| match line.starts_with("POST") {
        true => answer("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", b""),
        false => (b"HTTP/1.1 200 OK\r\n\r\n{".to_vec(), Duration::from_secs(30)),
    });
    let output = inspect(&url, &["--timeout", "1", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report = json(&output);
    assert!(found(&report, &["wrong"]).contains("prm-found wrong"));
    assert_eq!(report["documents"][1]["exchanges"][0]["failure"], "no whole answer in time");
}

#[test]
fn an_endless_document_is_given_up() {
    let url = hostile(|line, _| match line.starts_with("POST") {
        true => answer("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", b""),
        false => answer("200 OK", JSON, &[b' '; 2 << 20]),
    });
    let report = json(&inspect(&url, &["--json"]));
    assert_eq!(report["documents"][1]["exchanges"][0]["failure"], "an answer that is too large");
}

/// An answer to the first request that never ends says all that is wanted in its header.
#[test]
fn a_stream_without_end_is_not_waited_for() {
    let url = hostile(|line, _| match line.starts_with("POST") {
        true => (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hi\n\n".to_vec(),
            Duration::from_secs(20),
        ),
        false => answer("404 Not Found", "", b""),
    });
    let began = Instant::now();
    let output = inspect(&url, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(json(&output)["client"]["outcome"], "no_login");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn garbage_does_nothing_to_the_terminal() {
    let long = "x".repeat(5000);
    let url = hostile(move |line, origin| {
        if line.starts_with("POST") {
            let bad = format!(
                "WWW-Authenticate: Bearer scope=\"a\t\u{9b}31m\", x=\"{long}\", error=\"\u{202e}\"\r\n"
            );
            return answer("401 Unauthorized", &bad, b"");
        }
        if line.contains("oauth-protected-resource/mcp") {
            let document = format!(
                "{{\"resource\":\"{origin}/mcp\",\"authorization_servers\":[\"{origin}/\\u001b[2J\\u202e\", \"{origin}\"],\
                 \"scopes_supported\":[\"\\u001b[31m\"],\"resource_name\":\"{}\"}}",
                "y".repeat(2000)
            );
            return answer("200 OK", JSON, document.as_bytes());
        }
        if line.contains("oauth-authorization-server") {
            let document = "{\"issuer\":\"\\u001b]0;hi\\u0007\",\"token_endpoint\":\"javascript:\\u001b[2J\",\
                            \"grant_types_supported\":[\"\\u202e\\r\\n\"]}";
            return answer("200 OK", "Content-Type: \u{9b}2J\u{202e}\r\n", document.as_bytes());
        }
        answer("302 Found", "Location: http://169.254.169.254/\u{9b}2J\u{202e}\r\n", b"")
    });
    for arguments in [&["-v"][..], &[], &["--json"]] {
        let output = inspect(&url, arguments);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let text = text(&output);
        for hidden in ["\u{1b}", "\u{202e}", "\u{9b}", "\r", "\u{7}"] {
            assert!(!text.contains(hidden), "{hidden:?} is in {text}");
        }
        assert!(text.lines().all(|line| line.chars().count() < 1200), "{text}");
    }
}

#[test]
fn a_redirect_to_a_private_address_is_not_followed() {
    let url = hostile(|line, _| match line.starts_with("POST") {
        true => answer("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", b""),
        false => answer("302 Found", "Location: http://169.254.169.254/latest?token=hush\r\n", b""),
    });
    let output = inspect(&url, &["--json"]);
    let report = json(&output);
    assert_eq!(report["documents"][1]["exchanges"].as_array().unwrap().len(), 2);
    let got = report["documents"][1]["checks"][0]["got"].as_str().unwrap();
    assert!(got.starts_with("302 to http://169.254.169.254/latest at http://127.0.0.1:"), "{got}");
    assert!(!text(&output).contains("hush"));
}

/// A server may send a client in circles.
#[test]
fn circles_are_left() {
    let url = hostile(|line, _| match line.starts_with("POST") {
        true => answer("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", b""),
        false => answer("302 Found", "Location: /again\r\n", b""),
    });
    let report = json(&inspect(&url, &["--json"]));
    assert_eq!(report["documents"][1]["exchanges"].as_array().unwrap().len(), 8);
}
