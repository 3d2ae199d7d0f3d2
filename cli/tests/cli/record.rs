//! `--record`.

use std::fs;

use mcp_auth::trace::Trace;
use mcp_auth_testbed::{Consent, Dials, Person, Purpose, serve};

use crate::support::{Home, blocking, ends_with};

fn replays(home: &Home, name: &str) -> String {
    let text = fs::read_to_string(home.path(name)).unwrap();
    Trace::read(&text).unwrap().replay().unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(home.path(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_a_call_and_a_logout_are_written_down() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = Home::new();
    let path = |name: &str| home.path(name).to_str().unwrap().to_owned();
    let (login, call, logout) = (path("login.jsonl"), path("call.jsonl"), path("logout.jsonl"));
    ends_with(&blocking(|| home.run_with_person(&served, &["login", &url, "--record", &login])), 0);
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list", "--record", &call])), 0);
    ends_with(&blocking(|| home.run(&["logout", &url, "--record", &logout])), 0);
    let texts = ["login.jsonl", "call.jsonl", "logout.jsonl"].map(|name| replays(&home, name));
    for (text, holds) in texts.iter().zip(["\"open\"", "\"authorized\":true", "\"logged_out\""]) {
        assert!(text.contains(holds), "{holds} is not in {text}");
    }
    let told = ends_with(&blocking(|| home.run(&["replay", &login])), 0);
    assert!(told.contains("Authorized") && told.contains("replays: "), "{told}");
    assert!(told.starts_with("Login · "), "{told}");
    // Nothing was asked of the machine: what was called is what there is to say.
    let told = ends_with(&blocking(|| home.run(&["replay", &call])), 0);
    assert!(told.starts_with("Request: tools/list · "), "{told}");

    // Nothing is written over, and nobody is asked before that is known.
    let said = ends_with(&blocking(|| home.run(&["login", &url, "--record", &login])), 2);
    assert!(said.contains("is there already"), "{said}");
    assert_eq!(fs::read_to_string(&login).unwrap(), texts[0]);
    // Standard output is no place for secrets.
    let said = ends_with(&blocking(|| home.run(&["login", &url, "--record", "-"])), 2);
    assert!(said.contains("name a file for it"), "{said}");
    assert!(!std::path::Path::new("-").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_fails_is_written_down_too() {
    let served = serve(Dials { person: Person::Denies, ..Dials::default() }).await.unwrap();
    let home = Home::new();
    let path = home.path("flow.jsonl").to_str().unwrap().to_owned();
    let args = ["login", &served.server_url(), "--record", &path];
    ends_with(&blocking(|| home.run_with_person(&served, &args)), 1);
    assert!(replays(&home, "flow.jsonl").contains("access_denied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inspection_is_written_down_and_goes_no_further() {
    let served = serve(Dials { consent: Consent::Page, ..Dials::default() }).await.unwrap();
    let home = Home::new();
    let path = home.path("flow.jsonl").to_str().unwrap().to_owned();
    ends_with(&blocking(|| home.run(&["inspect", &served.server_url(), "--record", &path])), 0);
    let text = replays(&home, "flow.jsonl");
    assert!(text.contains("resource_metadata") && text.contains("an inspection registers nothing"), "{text}");
    for purpose in [Purpose::Registration, Purpose::Token, Purpose::Authorize] {
        assert_eq!(served.world().count(purpose), 0, "{purpose:?}");
    }
    // What the host said may be scrubbed or not.
    for more in [&[][..], &["--names"]] {
        let told = ends_with(&blocking(|| home.run(&[&["replay", &path], more].concat())), 0);
        assert!(told.starts_with("Inspection · "), "{told}");
        for said in ["← not sent by the host: an inspection registers nothing", "The inspection ends here"]
        {
            assert!(told.contains(said), "{said}: {told}");
        }
        for untrue in ["Failed", "no answer", "network", "scrubbed"] {
            assert!(!told.contains(untrue), "{untrue}: {told}");
        }
    }
}

#[test]
fn a_server_that_is_down_is_not_told_as_if_nothing_was_asked_for() {
    let home = Home::new();
    let path = home.path("flow.jsonl").to_str().unwrap().to_owned();
    ends_with(&home.run(&["login", "http://127.0.0.1:1/mcp", "--record", &path]), 6);
    let told = ends_with(&home.run(&["replay", &path]), 0);
    assert!(told.starts_with("Request: ") && told.contains("not answered in this trace"), "{told}");
    assert!(!told.contains("Nothing asked for"), "{told}");
}

/// It would be in the way of the next try.
#[test]
fn an_inspection_without_an_answer_leaves_no_file() {
    let home = Home::new();
    let path = home.path("flow.jsonl").to_str().unwrap().to_owned();
    for _ in 0..2 {
        let said = ends_with(&home.run(&["inspect", "http://127.0.0.1:1/mcp", "--record", &path]), 2);
        assert!(said.contains("did not answer") && !said.contains("is there already"), "{said}");
        assert!(!home.path("flow.jsonl").exists());
    }
    home.write("flow.jsonl", "mine");
    let said = ends_with(&home.run(&["inspect", "http://127.0.0.1:1/mcp", "--record", &path]), 2);
    assert!(said.contains("is there already"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

/// A disk that is full, as a file that grows beyond the limit meets it.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_breaks_off_has_whole_lines() {
    let served = serve(Dials { consent: Consent::Page, ..Dials::default() }).await.unwrap();
    let home = Home::new();
    let path = home.path("flow.jsonl").to_str().unwrap().to_owned();
    let mut command = std::process::Command::new("bash");
    let script = "trap '' XFSZ; ulimit -f 3; exec \"$0\" inspect \"$@\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_mcp-auth"), &served.server_url(), "--record", &path]);
    let said = ends_with(&blocking(|| command.output().unwrap()), 0);
    assert!(said.contains("cannot be written, and ends here"), "{said}");
    let text = replays(&home, "flow.jsonl");
    assert!(text.ends_with("}\n") && text.lines().count() > 2, "{text}");
}
