//! The program as a person runs it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use mcp_auth_testbed::{Browsed, Dials, Person, PreRegistered, Registration, Served, serve};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    for name in ["MCP_CLIENT_ID", "MCP_CLIENT_ISSUER", "MCP_CLIENT_SECRET", "MCP_CLIENT_METADATA_URL"] {
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
        let mut browser = std::net::TcpStream::connect(host).unwrap();
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
