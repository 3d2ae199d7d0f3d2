//! `mcp-auth demo`.

use std::io::{BufRead as _, BufReader};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::{between, browse, program, text};

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
