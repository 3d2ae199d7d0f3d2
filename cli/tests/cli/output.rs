//! Standard output that cannot be written, and one whose reader has gone.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

use mcp_auth_testbed::{Dials, serve};

use crate::support::{Home, blocking, ended, text};

/// A flow that is told on more than a pipe holds.
const FLOW: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/flows/device.jsonl");

/// Runs it with standard output on a device that is always full.
fn full(command: &mut Command) -> Output {
    command.stdout(File::create("/dev/full").unwrap()).stderr(Stdio::piped());
    command.spawn().unwrap().wait_with_output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_says_that_standard_output_cannot_be_written() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    let commands: [(&[&str], i32); 11] = [
        (&["token", &url], 1),
        (&["call", &url, "tools/list"], 1),
        (&["status"], 1),
        (&["completions", "bash"], 1),
        (&["login", &url], 1),
        (&["replay", FLOW], 1),
        (&["replay", FLOW, "--quiet"], 1),
        (&["replay", FLOW, "--svg", "-"], 1),
        (&["demo"], 1),
        // The other codes say something of the server.
        (&["inspect", &url], 2),
        (&["inspect", &url, "--json"], 2),
    ];
    for (args, code) in commands {
        let output = blocking(|| full(home.program().args(args)));
        let said = text(&output);
        assert!(said.contains("error: standard output: No space left on device"), "{args:?}: {said}");
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let long = fs::read_to_string(FLOW).unwrap();
    let home = Home::new();
    let request = r#"{"at":1800000000,"note":{"request":{"method":"POST","url":"https://mcp.example/mcp","operation":"OPERATION","authorized":false}}}"#;
    let notes: Vec<_> =
        (0..350).map(|n| request.replace("OPERATION", &format!("{n}{}", "x".repeat(70)))).collect();
    let flow = home.write("long.jsonl", &format!("{long}{}\n", notes.join("\n")));
    for args in [&["replay", &flow][..], &["completions", "bash"], &["demo"]] {
        let mut command = home.program();
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        let output = ended(child, 20);
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {}", text(&output));
    }
}
