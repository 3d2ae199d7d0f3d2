//! The program as a person runs it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mcp_auth_testbed::{Browsed, Dials, Person, PreRegistered, Registration, Served, serve};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    for name in ["MCP_CLIENT_ID", "MCP_CLIENT_ISSUER", "MCP_CLIENT_SECRET", "MCP_CLIENT_METADATA_URL"] {
        command.env_remove(name);
    }
    for name in ["NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1");
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_demo_shows_a_whole_authorization() {
    let began = Instant::now();
    let output = program().arg("demo").output().unwrap();
    let shown = text(&output);
    assert!(output.status.success(), "{shown}");
    assert!(began.elapsed() < Duration::from_secs(5));
    for expected in [
        "oauth-protected-resource/mcp",
        "RFC 9728 §3.3",
        "RFC 8414 §3.3",
        "POST /register",
        "RFC 9207 §2.4",
        "tools/call:write_file",
        "403",
        "4 exchanges from the refusal to the token",
        "files:read files:write",
        "No invariant was broken",
    ] {
        assert!(shown.contains(expected), "{expected:?} is missing in\n{shown}");
    }
    // What the servers hand out begins so; none of it is shown.
    for secret in ["access_", "refresh_", "code_verifier=", "state=", "code="] {
        assert!(!shown.contains(secret), "{secret:?} is shown in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "colours where none are wanted");
}

/// Runs `login --paste`, with a person who opens the printed URL and pastes what the browser ends with.
fn log_in(served: &Served, options: &[&str]) -> Output {
    log_in_with(served, options, &[])
}

/// The same, with these variables in the environment.
fn log_in_with(served: &Served, options: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut child = program()
        .envs(environment.iter().copied())
        .args(["login", "--paste"])
        .args(options)
        .arg(served.server_url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    let mut line = String::new();
    while errors.read_line(&mut line).unwrap() > 0 {
        if line.trim_start().starts_with("http://") {
            let browsed = served.world().browse(now(), line.trim());
            let Browsed::Callback(callback) = browsed else { panic!("{browsed:?}") };
            // Something else is pasted first; it ends nothing.
            writeln!(stdin, "http://127.0.0.1:3334/callback?code=other&state=other").unwrap();
            writeln!(stdin, "{callback}").unwrap();
        }
        said.push_str(&line);
        line.clear();
    }
    drop(stdin);
    let mut output = child.wait_with_output().unwrap();
    output.stderr = said.into_bytes();
    output
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_pasting() {
    let served = serve(Dials::default()).await.unwrap();
    let output = tokio::task::block_in_place(|| log_in(&served, &["--verbose"]));
    let shown = text(&output);
    assert!(output.status.success(), "{shown}");
    for expected in ["Logged in.", "files:read", "tools", "nothing was kept on disk", "passed over"] {
        let found = shown.contains(expected) || expected == "passed over" && shown.contains('–');
        assert!(found, "{expected:?} is missing in\n{shown}");
    }
}

/// The way that a browser goes: its GET reaches the loopback listener.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_the_loopback_listener() {
    let served = serve(Dials::default()).await.unwrap();
    let shown = tokio::task::block_in_place(|| {
        let mut child = program()
            .args(["login", "--no-browser", &served.server_url()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.trim_start().starts_with("http://") {
            line.clear();
            assert!(errors.read_line(&mut line).unwrap() > 0, "no URL was printed");
        }
        let browsed = served.world().browse(now(), line.trim());
        let Browsed::Callback(callback) = browsed else { panic!("{browsed:?}") };
        let (host, target) = callback.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let mut browser = TcpStream::connect(host).unwrap();
        write!(browser, "GET /{target} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    });
    assert!(shown.contains("Logged in.") && shown.contains("files:read"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_one_clear_line_and_the_way_there() {
    let served = serve(Dials { person: Person::Denies, ..Dials::default() }).await.unwrap();
    let output = tokio::task::block_in_place(|| log_in(&served, &[]));
    let shown = text(&output);
    assert!(!output.status.success());
    assert!(shown.contains("error: access was denied"), "{shown}");
    assert!(shown.contains("Log in again and allow the access."), "{shown}");
    assert!(shown.contains("How it came to that:"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_registration_says_what_to_do() {
    let served = serve(Dials { registration: Registration::Absent, ..Dials::default() }).await.unwrap();
    let output = tokio::task::block_in_place(|| log_in(&served, &[]));
    let shown = text(&output);
    assert!(!output.status.success());
    assert!(shown.contains("there is no client identifier"), "{shown}");
    assert!(shown.contains("Register a client"), "{shown}");
}

/// The environment is the same for every server, and a server may name any authorization server.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_secret_goes_to_the_issuer_that_is_named_and_to_no_other() {
    let client =
        PreRegistered::confidential("corp", "hush", "client_secret_basic", "http://127.0.0.1:3334/callback");
    let served = serve(Dials { clients: vec![client], ..Dials::default() }).await.unwrap();
    let issuer = served.world().issuer(0);
    let environment =
        |issuer| [("MCP_CLIENT_ID", "corp"), ("MCP_CLIENT_SECRET", "hush"), ("MCP_CLIENT_ISSUER", issuer)];
    // `corp:hush`
    let basic = "Basic Y29ycDpodXNo";
    let shown_secret = || {
        let world = served.world();
        world.exchanges().iter().any(|exchange| exchange.authorization.as_deref() == Some(basic))
    };

    let output = tokio::task::block_in_place(|| log_in_with(&served, &[], &environment("")));
    let said = text(&output);
    assert!(!output.status.success() && said.contains("--issuer") && !said.contains("hush"), "{said}");
    assert!(served.world().exchanges().is_empty(), "nothing is sent");

    let elsewhere = environment("https://as.elsewhere.example");
    let output = tokio::task::block_in_place(|| log_in_with(&served, &[], &elsewhere));
    assert!(output.status.success() && !shown_secret(), "{}", text(&output));

    let output = tokio::task::block_in_place(|| log_in_with(&served, &[], &environment(&issuer)));
    assert!(output.status.success() && shown_secret(), "{}", text(&output));
}

/// A server that does this with each of its connections, once it was asked for something; and what it was asked.
fn server(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let kept = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, serve, kept) = (stream.unwrap(), serve.clone(), kept.clone());
            std::thread::spawn(move || {
                let mut head = [0; 8192];
                let length = stream.read(&mut head).unwrap_or(0);
                kept.lock().unwrap().push(String::from_utf8_lossy(&head[..length]).into_owned());
                serve(stream);
            });
        }
    });
    (origin, asked)
}

/// Runs the program to its end, which must come within this many seconds.
fn ended(command: &mut Command, seconds: u64) -> Output {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_secs(seconds) {
            child.kill().unwrap();
            panic!("it goes on for more than {seconds} s: {}", text(&child.wait_with_output().unwrap()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

#[test]
fn an_endless_answer_ends_the_program_and_not_the_memory() {
    let (origin, asked) = server(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
        while stream.write_all(&[b' '; 1 << 16]).is_ok() {}
    });
    let output = ended(program().args(["login", "--no-browser", &format!("{origin}/mcp")]), 20);
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
    let output = tokio::task::block_in_place(|| log_in_with(&served, &[], &environment));
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
    let command = &mut program();
    // Colours would let escapes through.
    command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1");
    let output = ended(command.args(["login", "--no-browser", "-v", &format!("{origin}/mcp")]), 20);
    let said = text(&output);
    assert!(said.contains("[2Jgone"), "{said}");
    for hidden in ["\u{1b}[2J", "\u{202e}", "\r", "\nerror: x"] {
        assert!(!said.contains(hidden), "{hidden:?} is in {said:?}");
    }
}

#[test]
fn bad_input_is_told_as_such() {
    for (args, expected) in [
        (&["login", "mcp.example"][..], "no absolute URL"),
        (&["login", "http://mcp.example/mcp"], "is not https"),
        (&["login", "--scope", "a\"b", "https://mcp.example/mcp"], "is no scope token"),
        (&["login", "--client-metadata-url", "http://app.example/c", "https://mcp.example/mcp"], "https URL"),
        (&["login"], "Usage"),
    ] {
        let output = program().args(args).stdin(Stdio::null()).output().unwrap();
        assert!(!output.status.success());
        assert!(text(&output).contains(expected), "{args:?}: {}", text(&output));
    }
}
