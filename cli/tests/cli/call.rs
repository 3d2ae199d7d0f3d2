//! `mcp-auth call`.

use mcp_auth_testbed::{Dials, Fault, Purpose, Refusal, StepUp, Trouble, Wires, serve};
use serde_json::{Value, json};

use crate::recorded::ran;
use crate::support::{Home, blocking, ends_with, result};

const ECHO: &str = r#"{"name":"echo","arguments":{"text":"hello"}}"#;

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_prints_the_result_on_either_wire() {
    for wires in [Wires::Both, Wires::Stateless, Wires::Stateful] {
        let served = serve(Dials { wires, ..Dials::default() }).await.unwrap();
        let url = served.server_url();
        let home = blocking(|| Home::logged_in(&served, &[]));
        let output = blocking(|| home.run(&["call", &url, "tools/call", ECHO]));
        ends_with(&output, 0);
        let text = result(&output);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert_eq!(parsed(&text)["content"][0]["text"], "hello");
        assert_eq!((home.opened().len(), served.world().count(Purpose::Token)), (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_come_from_a_file_or_from_standard_input_too() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    let file = home.write("params.json", ECHO);
    let output = blocking(|| home.run(&["call", &url, "tools/call", &format!("@{file}")]));
    ends_with(&output, 0);
    let mut command = home.program();
    command.stdin(std::fs::File::open(&file).unwrap()).args(["call", &url, "tools/call", "-"]);
    let piped = blocking(|| ran(&mut command));
    ends_with(&piped, 0);
    assert_eq!(result(&piped), result(&output));
    for (params, why) in [("[]", "a JSON object"), ("{\"name\":", "no JSON"), ("@/nowhere", "cannot be read")]
    {
        let said = ends_with(&blocking(|| home.run(&["call", &url, "tools/call", params])), 2);
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_run_out_is_renewed_with_one_exchange_and_no_browser() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    home.expire(&served);
    served.world().clear_exchanges();
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 0);
    {
        let world = served.world();
        let asked: Vec<_> = world.exchanges().iter().filter(|it| !it.is_for(Purpose::Mcp)).collect();
        assert!(asked.len() == 1 && asked[0].is_for(Purpose::Refresh), "{asked:?}");
        assert_eq!(world.count(Purpose::Mcp), 1, "it was not refused first");
    }
    assert_eq!(home.opened().len(), 1);
    // The successor is kept.
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 0);
    assert_eq!(served.world().count(Purpose::Refresh), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_before_its_time_is_renewed_too() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    served.world().expire_access_tokens();
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 0);
    assert_eq!((served.world().count(Purpose::Refresh), home.opened().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_calls_at_once_renew_once() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    home.expire(&served);
    blocking(|| {
        std::thread::scope(|scope| {
            let runs: Vec<_> =
                (0..4).map(|_| scope.spawn(|| home.run(&["call", &url, "tools/list"]))).collect();
            runs.into_iter().for_each(|run| drop(ends_with(&run.join().unwrap(), 0)));
        });
    });
    assert_eq!(served.world().count(Purpose::Refresh), 1);
    assert!(served.world().refreshes().iter().all(mcp_auth_testbed::Refresh::accepted));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_has_logged_in_it_says_how_and_asks_for_nothing() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = Home::new();
    let output = blocking(|| home.run(&["call", &url, "tools/list"]));
    let said = ends_with(&output, 4);
    let expected =
        format!("error: you are not logged in at {url}. Log in first:\n\n  mcp-auth login {url}\n");
    assert_eq!(said, expected);
    // No metadata was read, no client registered.
    assert_eq!(served.world().exchanges().len(), 1);
    assert!(!home.path("state").exists());
    let said = ends_with(&blocking(|| home.run(&["call", &url, "tools/list", "--account", "a b"])), 4);
    assert!(said.contains(&format!("mcp-auth login {url} --account 'a b'\n")), "{said}");
    // It may ask if it is told to.
    let args = ["call", "--login", &url, "tools/list"];
    ends_with(&blocking(|| home.run_with_person(&served, &args)), 0);
    assert_eq!(home.opened().len(), 1);
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_dead_leads_to_a_login_in_words() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    served.world().revoke_everything();
    for _ in 0..2 {
        let said = ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 4);
        assert!(said.contains("is over, and cannot be renewed without you"), "{said}");
        assert!(said.contains(&format!("\n  mcp-auth login {url}\n")), "{said}");
    }
    // The dead token was tried once.
    assert_eq!((served.world().count(Purpose::Refresh), home.opened().len()), (1, 1));
    let shown = ends_with(&blocking(|| home.run_with_person(&served, &["login", &url])), 0);
    assert!(shown.contains("Logged in."), "{shown}");
    assert_eq!(served.world().count(Purpose::Registration), 2, "ephemeral ports are registered each");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_by_itself_opens_nothing_and_is_for_later() {
    let faults = vec![Fault { purpose: Purpose::Refresh, nth: 1, what: Trouble::Status(503) }];
    let served = serve(Dials { faults, ..Dials::default() }).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    home.expire(&served);
    let said = ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 6);
    assert!(said.contains("try again later"), "{said}");
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_scope_is_named_with_the_login_that_asks_for_it() {
    for step_up in [StepUp::Needed, StepUp::Missing, StepUp::Union] {
        let served = serve(Dials { step_up, ..Dials::default() }).await.unwrap();
        let url = served.server_url();
        let home = blocking(|| Home::logged_in(&served, &[]));
        let write = ["call", &url, "tools/call", r#"{"name":"write_file","arguments":{"path":"x"}}"#];
        let said = ends_with(&blocking(|| home.run(&write)), 4);
        assert!(said.contains("wants more scope than you have granted: files:write."), "{said}");
        let next = format!("mcp-auth login {url} --scope files:read --scope files:write");
        assert!(said.contains(&next), "{said}");
        assert_eq!(home.opened().len(), 1);
        let args: Vec<_> = next.split(' ').skip(1).collect();
        ends_with(&blocking(|| home.run_with_person(&served, &args)), 0);
        ends_with(&blocking(|| home.run(&write)), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_server_and_of_tools_have_codes_of_their_own() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    let output = blocking(|| home.run(&["call", &url, "no/such"]));
    let said = ends_with(&output, 3);
    assert!(result(&output).is_empty() && said.contains("no/such") && said.contains("(-32601)"), "{said}");
    let output = blocking(|| home.run(&["call", "--raw", &url, "no/such"]));
    ends_with(&output, 3);
    assert_eq!(parsed(&result(&output))["error"]["code"], -32601);
}

#[test]
fn a_tool_that_fails_is_printed_and_told() {
    use std::io::Write as _;
    let (origin, asked) = crate::support::server(|mut stream| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "result": {"isError": true, "content": []}}).to_string();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
        let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    });
    let output = Home::new().run(&["call", &format!("{origin}/mcp"), "tools/call", ECHO]);
    ends_with(&output, 5);
    assert_eq!(parsed(&result(&output))["isError"], true);
    assert_eq!(asked.lock().unwrap().len(), 1);
}

/// What may have done something is not done again on the other wire.
#[test]
fn a_call_that_the_server_has_tried_is_not_repeated() {
    use std::io::Write as _;
    for (status, code, times) in
        [("200 OK", -32000, 1), ("500 Oops", -32603, 1), ("400 Bad Request", -32000, 2)]
    {
        let (origin, asked) = crate::support::server(move |mut stream| {
            let body =
                json!({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": "x"}}).to_string();
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close");
            let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        });
        ends_with(&Home::new().run(&["call", &format!("{origin}/mcp"), "tools/call", ECHO]), 3);
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), times, "{asked:?}");
        assert_eq!(asked.iter().filter(|it| it.contains("tools/call")).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_every_token_is_told_as_such() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    served.world().dials_mut().refusal = Refusal::Unauthorized;
    // Whether it takes one that is newer only a person can find out.
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 4);
    assert_eq!((served.world().count(Purpose::Refresh), home.opened().len()), (1, 1));
    let said = ends_with(&blocking(|| home.run_with_person(&served, &["login", &url])), 1);
    assert!(said.contains("refuses a token that was just issued"), "{said}");
    assert_eq!(home.opened().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_corrupt_is_set_aside_and_said_once() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    let record = home.record();
    let whole = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, &whole[..whole.len() / 2]).unwrap();
    let said = ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 1);
    assert!(
        said.contains("was corrupt") && said.contains("corrupt-1") && said.contains("log in again"),
        "{said}"
    );
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 4);
    // A login is not kept from it.
    std::fs::write(&record, "{").unwrap();
    let shown = ends_with(&blocking(|| home.run_with_person(&served, &["login", &url])), 0);
    assert!(
        shown.contains("warning: ") && shown.contains("corrupt-2") && shown.contains("Logged in."),
        "{shown}"
    );
    assert!(home.record().exists());
}

/// A directory that cannot be written in is no reason not to use what can be read.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_token_serves_where_nothing_can_be_written() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    // Whoever runs as root may write anywhere, but not put a lock where a directory stands.
    for file in home.files("credentials", ".lock").into_iter().chain(home.files("credentials", ".lease")) {
        std::fs::remove_file(file).unwrap();
    }
    let lock = home.record().with_extension("lock");
    std::fs::create_dir(&lock).unwrap();
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 0);
    home.expire(&served);
    let said = ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 6);
    assert!(said.contains("lock") && said.contains("Check the credential store"), "{said}");
    assert_eq!(served.world().count(Purpose::Refresh), 0, "what could not be kept was not spent");
}

/// A server that speaks the wire with sessions is told when the session is over.
#[test]
fn a_session_is_ended_after_the_call() {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let mut asked = Vec::new();
        while asked.len() < 5 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 8192];
            let mut request = String::new();
            loop {
                let length = stream.read(&mut bytes).unwrap();
                request.push_str(&String::from_utf8_lossy(&bytes[..length]));
                if request.ends_with('}') || request.starts_with("DELETE") || length == 0 {
                    break;
                }
            }
            let (status, fields, body) = match asked.len() {
                0 => ("400 Bad Request", "", "{}".to_owned()),
                1 => {
                    let result =
                        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {}});
                    ("200 OK", "Mcp-Session-Id: of-one\r\n", json!({"id": 1, "result": result}).to_string())
                }
                2 => ("202 Accepted", "", String::new()),
                _ => ("200 OK", "", json!({"id": 2, "result": {}}).to_string()),
            };
            let head = "Content-Type: application/json\r\nConnection: close";
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\n{fields}{head}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            asked.push(request.to_ascii_lowercase());
        }
        asked
    });
    let output = Home::new().run(&["call", &url, "tools/call", ECHO]);
    ends_with(&output, 0);
    let asked = serving.join().unwrap();
    for (request, expected) in asked.iter().zip([
        "2026-07-28",
        "initialize",
        "notifications/initialized",
        "tools/call",
        "delete /mcp",
    ]) {
        assert!(request.contains(expected), "{expected} is not in {request}");
    }
    assert!(asked[2..].iter().all(|it| it.contains("mcp-session-id: of-one") && it.contains("2025-06-18")));
}
