use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use mcp_auth::Config;
use mcp_auth_reqwest::Client;

use crate::mcp::Session;
use crate::{Authorized, REDIRECT};

/// Also where rmcp takes the answer for that of a server that knows no discovery.
#[tokio::test]
async fn rmcp_names_the_operation_and_the_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream
                .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhere");
        }
    });
    for version in ["2025-11-25", "2026-07-28"] {
        let client = Client::builder(Config::new(&url, "client", REDIRECT)).build().unwrap();
        let url = url.parse().unwrap();
        let run = crate::through_rmcp::run(client, &url, version);
        let ended = tokio::time::timeout(Duration::from_secs(20), run).await.expect("an end by itself");
        let why = ended.unwrap_err();
        assert!(why.starts_with("connect: ") && why.contains("404 Not Found: here"), "{why}");
    }
}

/// How a conversation ends with a server that does this with its first connection, once it was asked for something.
async fn told(serve: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        serve(stream);
    });
    let client = Client::builder(Config::new(&url, "client", REDIRECT)).build().unwrap();
    let transport = Authorized { client, limit: Duration::from_secs(1) };
    let conversation = Session::new(&transport, url.parse().unwrap(), "2026-07-28").run();
    let ended = tokio::time::timeout(Duration::from_secs(20), conversation).await;
    ended.expect("an end by itself").unwrap_err()
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = told(|mut stream| {
        let _ = stream.read(&mut [0; 1]);
    });
    assert_eq!(silent.await, "tools/list: no answer from the MCP server within 1 s");
}

#[tokio::test]
async fn a_stream_without_our_answer_is_given_up() {
    let chatty = told(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        while stream.write_all(b": alive\n\n").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(chatty.await, "tools/list: no answer from the MCP server within 1 s");
}

#[tokio::test]
async fn an_endless_stream_is_given_up() {
    let endless = told(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        while stream.write_all(&[b':'; 1 << 16]).is_ok() {}
    });
    assert_eq!(endless.await, "tools/list: the answer is larger than 4 MiB");
}

#[tokio::test]
async fn what_the_transport_says_is_told_with_its_cause() {
    let garbage = told(|mut stream| {
        let _ = stream.write_all(b"garbage\r\n\r\n");
    });
    let garbage = garbage.await;
    assert!(garbage.starts_with("tools/list: ") && garbage.contains("HTTP"), "{garbage}");
}
