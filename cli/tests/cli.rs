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
        "4 exchanges by the client from the refusal to the token",
        "GET /callback?code=…&state=…&iss=http://127.0.0.1:",
        "files:read files:write",
        "No invariant was broken",
    ] {
        assert!(shown.contains(expected), "{expected:?} is missing in\n{shown}");
    }
    // What the servers hand out begins so; none of it is shown.
    for secret in ["access_", "refresh_", "code_verifier=", "state=", "code="] {
        let shown = shown.replace("code=…&state=…", "");
        assert!(!shown.contains(secret), "{secret:?} is shown in\n{shown}");
    }
    let browsers: Vec<_> = shown.lines().filter(|line| line.contains("browser → ")).collect();
    for (line, (asked, status)) in
        browsers.iter().zip([("/authorize", " 302 "), ("/callback", " 200 ")].iter().cycle())
    {
        assert!(line.contains(asked) && line.contains(status) && line.ends_with(" ms"), "{line}");
    }
    assert_eq!(browsers.len(), 4, "{shown}");
    assert!(!shown.contains('\u{1b}'), "colours where none are wanted");
}

/// What each demo says, in this order, besides how it ends.
const DEMOS: [(&str, &[&str]); 6] = [
    (
        "client-credentials",
        &[
            "nobody is asked: the client acts for itself, with a secret",
            "client  → MCP server           GET /.well-known/oauth-protected-resource/mcp",
            "→ ask for a token with client_credentials",
            "RFC 6749 §4.4.2",
            "client  → authorization server POST /token",
            "a Bearer token, without a refresh token",
            "Request: tools/list",
            "Request: tools/call:write_file",
            "3 exchanges by the client until it had a token",
        ],
    ),
    (
        "private-key-jwt",
        &[
            "signer                in this process",
            "client  → signer               sign an assertion of the client with ES256",
            "· demo-client, to http://127.0.0.1:",
            " alone, for 60 s",
            "RFC 7523 §3",
            "client  → authorization server POST /token",
            "Request: tools/list",
            "Request: tools/call:write_file",
            "3 exchanges by the client until it had a token",
        ],
    ),
    (
        "enterprise",
        &[
            "identity provider     http://127.0.0.1:",
            "client  → single sign-on       the person's ID token, for client-at-provider",
            "RFC 8693 §2.1",
            "client  → identity provider    POST /token",
            "an identity assertion grant for this server, client and resource",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "client  → authorization server POST /token",
            "Request: tools/list",
            "Request: tools/call:write_file",
            "4 exchanges by the client until it had a token",
        ],
    ),
    (
        "workload",
        &[
            "platform              in this process, as https://platform.example",
            "→ no client: the workload's JWT says who asks",
            "client  → platform             the workload's JWT, for http://127.0.0.1:",
            "✓ the workload's JWT is for this server and has not expired",
            "client  → authorization server POST /token",
            "Request: tools/list",
            "Request: tools/call:write_file",
            "3 exchanges by the client until it had a token",
        ],
    ),
    (
        "dpop",
        &[
            "→ the token is to be bound to the key, with ES256",
            "browser → client               GET /callback",
            "client  → signer               sign a proof of the key with ES256",
            "· POST http://127.0.0.1:",
            "/token",
            "RFC 9449 §4.2",
            "→ the server wants its nonce in the proof",
            "RFC 9449 §8",
            "/token, the server's nonce",
            "a token that is bound to the key, with a refresh token",
            "Request: tools/list",
            "/mcp, this token",
            "POST /mcp · Authorization: DPoP … and a proof",
            "401",
            "RFC 9449 §9",
            "/mcp, this token, the server's nonce",
            "POST /mcp · Authorization: DPoP … and a proof",
            "200",
            "Request: tools/call:write_file",
            "5 exchanges by the client from the refusal to the token",
        ],
    ),
    (
        "device",
        &[
            "client  → authorization server POST /device_authorization",
            "client  → person ",
            ", to be typed at http://127.0.0.1:",
            "→ the person has not decided yet: ask again after the interval",
            "browser → authorization server GET /device ",
            "browser → authorization server GET /device?user_code=…",
            "browser → authorization server POST /device ",
            "client  → authorization server POST /token",
            "a Bearer token, with a refresh token",
            "Request: tools/list",
            "Request: tools/call:write_file",
            "exchanges by the client from the refusal to the token",
        ],
    ),
];

#[test]
fn each_demo_shows_who_talks_to_whom_and_why() {
    // One begins when another rests.
    let shown = std::thread::scope(|scope| {
        let running = DEMOS.map(|(grant, expected)| {
            let run = scope.spawn(move || {
                let began = Instant::now();
                (program().args(["demo", "--grant", grant]).output().unwrap(), began.elapsed())
            });
            (grant, expected, run)
        });
        running.map(|(grant, expected, run)| (grant, expected, run.join().unwrap()))
    });
    for (grant, expected, (output, took)) in shown {
        let shown = text(&output);
        assert!(output.status.success(), "{grant}: {shown}");
        assert!(took < Duration::from_secs(5), "{grant}: {took:?}");
        let last = ["Granted: files:read files:write for ", "No invariant was broken"];
        let mut rest = shown.as_str();
        for expected in expected.iter().chain(&last) {
            let Some((_, after)) = rest.split_once(expected) else {
                panic!("{expected:?} is missing, or out of order, in the demo of {grant}:\n{shown}");
            };
            rest = after;
        }
        // What the servers hand out begins so, as do JWTs; and what the demo configures has these in it.
        for secret in ["access_", "refresh_", "eyJ", "device_code", "client-secret", "the-id-token"] {
            assert!(!shown.contains(secret), "{secret:?} is shown in\n{shown}");
        }
    }
}

#[test]
fn a_demo_in_which_nobody_is_asked_opens_no_browser() {
    for grant in ["client-credentials", "private-key-jwt", "enterprise", "workload"] {
        let output = program().args(["demo", "--browser", "--grant", grant]).output().unwrap();
        let shown = text(&output);
        assert!(!output.status.success() && output.stdout.is_empty(), "{shown}");
        assert_eq!(shown, "error: --browser: with this grant nobody is asked for consent\n");
    }
}

/// What the server at `url` answers to a GET, or to a POST of this form.
fn browse(url: &str, form: Option<&str>) -> String {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let (method, form) = form.map_or(("GET", ""), |form| ("POST", form));
    let mut stream = TcpStream::connect(host).unwrap();
    let kind = "application/x-www-form-urlencoded";
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {kind}\r\n"
    )
    .unwrap();
    write!(stream, "Content-Length: {}\r\n\r\n{form}", form.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// What stands in `text` between the two.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

/// Runs `demo --browser` with a person who has a browser of their own and decides this.
#[cfg(target_os = "linux")]
fn demo_by_hand(grant: &str, decision: &str) -> Output {
    let mut child = program()
        .args(["demo", "--browser", "--grant", grant])
        .env("BROWSER", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let (mut said, mut line) = (String::new(), String::new());
    while errors.read_line(&mut line).unwrap() > 0 {
        if line.trim_start().starts_with("http://") {
            let page = browse(line.trim(), None);
            let ticket = between(&page, "name=\"request\" value=\"", "\"");
            let action = between(&page, "<form method=\"post\" action=\"", "\"");
            let sent = browse(action, Some(&format!("request={ticket}&decision={decision}")));
            if grant != "device" {
                let back = browse(between(&sent, "location: ", "\r\n"), None);
                assert!(back.starts_with("HTTP/1.1 200"), "{back}");
            }
        }
        said.push_str(&line);
        line.clear();
    }
    let mut output = child.wait_with_output().unwrap();
    output.stderr = said.into_bytes();
    output
}

#[cfg(target_os = "linux")]
#[test]
fn the_demo_shows_what_a_persons_browser_asks() {
    let on_this_machine: &[_] =
        &[("GET /authorize", " 200"), ("POST /consent", " 30"), ("GET /callback?code=…&state=…", " 200")];
    let on_another: &[_] = &[("GET /device", " 200"), ("POST /device", " 200")];
    for (grant, expected) in
        [("authorization-code", on_this_machine), ("dpop", on_this_machine), ("device", on_another)]
    {
        let output = demo_by_hand(grant, "allow");
        let shown = text(&output);
        assert!(output.status.success(), "{shown}");
        let browsers: Vec<_> = shown.lines().filter(|line| line.contains("browser → ")).collect();
        assert_eq!(browsers.len(), 2 * expected.len(), "{shown}");
        for (line, (asked, status)) in browsers.iter().zip(expected.iter().cycle()) {
            assert!(line.contains(asked) && line.contains(status), "{line}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_demo_that_fails_adds_no_trail_to_its_error() {
    let output = demo_by_hand("authorization-code", "deny");
    let shown = text(&output);
    assert!(!output.status.success() && shown.contains("error: access was denied"), "{shown}");
    assert!(!shown.contains("How it came to that") && !shown.ends_with("\n\n"), "{shown}");
    let browser = "GET /callback?error=access_denied&error_description=";
    assert!(shown.contains(browser) && shown.contains("&state=…"), "{shown}");
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
    let why = "This URL belongs to another login; paste again:";
    let tools = "tools      echo, read_file, write_file";
    for expected in ["Logged in.", "files:read", tools, "nothing was kept on disk", "passed over", why] {
        let found = shown.contains(expected) || expected == "passed over" && shown.contains('–');
        assert!(found, "{expected:?} is missing in\n{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_input_says_what_was_wrong_with_it() {
    let served = serve(Dials::default()).await.unwrap();
    for (pasted, why) in [
        ("", "the input ended. No URL was pasted"),
        ("http://127.0.0.1:3334/callback?code=1&state=2", "This URL belongs to another login"),
        ("http://127.0.0.1:3334/callback?state=2\ncode", "it has no `state`"),
    ] {
        let output = tokio::task::block_in_place(|| {
            let mut child = program()
                .args(["login", "--paste", &served.server_url()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(pasted.as_bytes()).unwrap();
            drop(stdin);
            child.wait_with_output().unwrap()
        });
        let shown = text(&output);
        let last = shown.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert!(!output.status.success() && last.contains(why), "{why:?} is not in {shown}");
        assert!(!shown.ends_with("\n\n"), "an empty line ends {shown:?}");
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
