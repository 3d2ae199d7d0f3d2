//! Servers that do what no server should, and those between.

use std::io::Write as _;

use mcp_auth_testbed::{Dials, serve};

use crate::paste::log_in_with;
use crate::support::{Home, blocking, ended_within, ends_with, result, server, text};

#[test]
fn an_endless_answer_ends_the_program_and_not_the_memory() {
    let (origin, asked) = server(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
        while stream.write_all(&[b' '; 1 << 16]).is_ok() {}
    });
    let output =
        ended_within(Home::new().program().args(["login", "--no-browser", &format!("{origin}/mcp")]), 20);
    let said = text(&output);
    assert!(!output.status.success() && said.contains("larger than 4 MiB"), "{said}");
    // Another wire would be answered no better.
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loopback_server_is_reached_past_the_proxy_of_the_environment() {
    let served = serve(Dials::default()).await.unwrap();
    let (proxy, seen) = server(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    let environment =
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].map(|name| (name, proxy.as_str()));
    let output = blocking(|| log_in_with(&Home::new(), &served, &[], &environment));
    let seen = seen.lock().unwrap();
    assert!(seen.is_empty(), "the proxy was shown {seen:?}");
    assert!(output.status.success(), "{}", text(&output));
}

/// Whatever a server says is words, and moves no cursor.
#[test]
fn what_a_server_says_does_nothing_to_the_terminal() {
    let (origin, _) = server(|mut stream| {
        let body =
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"\u001b[2Jgone\u202e\r\nerror: x"}}"#;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
        let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    });
    let home = Home::new();
    let command = &mut home.program();
    // Colours would let escapes through.
    command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1");
    let output = ended_within(command.args(["login", "--no-browser", "-v", &format!("{origin}/mcp")]), 20);
    let said = text(&output);
    assert!(said.contains("[2Jgone"), "{said}");
    for hidden in ["\u{1b}[2J", "\u{202e}", "\r", "\nerror: x"] {
        assert!(!said.contains(hidden), "{hidden:?} is in {said:?}");
    }
}

/// What stands in a result is data, and moves no cursor either.
#[test]
fn a_result_is_printed_as_the_same_json_without_escapes() {
    let (origin, _) = server(|mut stream| {
        let body = r#"{"jsonrpc":"2.0","id":1,"result":{"b":"\u001b[2J\u009b\u202e","a":1}}"#;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
        let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    });
    let url = format!("{origin}/mcp");
    let home = Home::new();
    let output = home.run(&["call", &url, "tools/list"]);
    ends_with(&output, 0);
    assert_eq!(result(&output), "{\"a\":1,\"b\":\"\\u001b[2J\\u009b\\u202e\"}\n");
    let raw = home.run(&["call", "--raw", &url, "tools/list"]);
    let whole = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"b\":\"\\u001b[2J\\u009b\\u202e\",\"a\":1}}\n";
    assert_eq!(result(&raw), whole);
    assert!(!home.path("state").exists(), "nothing was kept, so nothing was created");
}

#[test]
fn a_server_that_is_down_or_silent_is_for_later() {
    let home = Home::new();
    let (gone, _) = server(drop);
    for (url, why) in
        [("http://127.0.0.1:9/mcp".to_owned(), "Is it running?"), (format!("{gone}/mcp"), "gave no answer")]
    {
        for args in [vec!["call", &url, "tools/list"], vec!["login", "--no-browser", &url]] {
            let said = ends_with(&ended_within(home.program().args(&args), 20), 6);
            assert!(said.contains(why), "{said}");
        }
    }
}

#[test]
fn a_page_is_no_mcp_endpoint() {
    let (origin, _) = server(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    let url = format!("{origin}/mcp");
    let said = ends_with(&Home::new().run(&["call", &url, "tools/list"]), 1);
    assert!(said.contains("status 404 and no JSON-RPC. Check that the URL"), "{said}");
}
