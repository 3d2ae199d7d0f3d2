//! `mcp-auth login --paste`, and what a client says of itself.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Output, Stdio};

use mcp_auth_testbed::{Browsed, Dials, Person, PreRegistered, Registration, Served, serve};

use crate::recorded::recorded;
use crate::support::{Home, blocking, now, text};

/// Runs `login --paste`, with a person who opens the printed URL and pastes what the browser ends with.
fn log_in(home: &Home, served: &Served, options: &[&str]) -> Output {
    log_in_with(home, served, options, &[])
}

/// The same, with these variables in the environment.
pub(crate) fn log_in_with(
    home: &Home,
    served: &Served,
    options: &[&str],
    environment: &[(&str, &str)],
) -> Output {
    let mut command = home.program();
    command
        .envs(environment.iter().copied())
        .args(["login", "--paste"])
        .args(options)
        .arg(served.server_url());
    recorded(&mut command, |command| {
        let mut child = begun(command);
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
    })
}

fn begun(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_by_pasting() {
    let served = serve(Dials::default()).await.unwrap();
    let output = blocking(|| log_in(&Home::new(), &served, &["--verbose"]));
    let shown = text(&output);
    assert!(output.status.success(), "{shown}");
    let why = "This URL belongs to another login; paste again:";
    let tools = "tools      echo, read_file, write_file";
    for expected in ["Logged in.", "files:read", tools, "kept in    files in /", "passed over", why] {
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
        let output = blocking(|| {
            let home = Home::new();
            recorded(home.program().args(["login", "--paste", &served.server_url()]), |command| {
                let mut child = begun(command);
                let mut stdin = child.stdin.take().unwrap();
                stdin.write_all(pasted.as_bytes()).unwrap();
                drop(stdin);
                child.wait_with_output().unwrap()
            })
        });
        let shown = text(&output);
        let last = shown.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert!(!output.status.success() && last.contains(why), "{why:?} is not in {shown}");
        assert!(!shown.ends_with("\n\n"), "an empty line ends {shown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_one_clear_line_and_the_way_there() {
    let served = serve(Dials { person: Person::Denies, ..Dials::default() }).await.unwrap();
    let output = blocking(|| log_in(&Home::new(), &served, &[]));
    let shown = text(&output);
    assert!(!output.status.success());
    assert!(shown.contains("error: access was denied"), "{shown}");
    assert!(shown.contains("Log in again and allow the access."), "{shown}");
    assert!(shown.contains("How it came to that:"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_registration_says_what_to_do() {
    let served = serve(Dials { registration: Registration::Absent, ..Dials::default() }).await.unwrap();
    let output = blocking(|| log_in(&Home::new(), &served, &[]));
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

    let output = blocking(|| log_in_with(&Home::new(), &served, &[], &environment("")));
    let said = text(&output);
    assert!(!output.status.success() && said.contains("--issuer") && !said.contains("hush"), "{said}");
    assert!(served.world().exchanges().is_empty(), "nothing is sent");

    let elsewhere = environment("https://as.elsewhere.example");
    let output = blocking(|| log_in_with(&Home::new(), &served, &[], &elsewhere));
    assert!(output.status.success() && !shown_secret(), "{}", text(&output));

    let output = blocking(|| log_in_with(&Home::new(), &served, &[], &environment(&issuer)));
    assert!(output.status.success() && shown_secret(), "{}", text(&output));
}
