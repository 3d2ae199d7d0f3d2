//! How the process ends.

use std::process::{Command, Stdio};

#[test]
fn an_end_is_one_line_and_a_failure() {
    let cases: [(&[&str], &str); 3] = [
        (&[], "no URL of an MCP server was given"),
        (&["somebody", "http://127.0.0.1:1/mcp"], "expected a URL, or rmcp and a URL"),
        (&["rmcp", "not a URL"], "the last argument is not a URL"),
    ];
    for (arguments, why) in cases {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth-conformance"));
        let output = command.args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(said, format!("mcp-auth-conformance: {why}\n"));
    }
}

/// The suite may close the pipe or fill the disk. A panic would end the thread that says it, which may be the watchdog.
#[cfg(target_os = "linux")]
#[test]
fn it_ends_where_nothing_can_be_said() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth-conformance"));
    let status = command.stdin(Stdio::null()).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(1), "a panic would be 101");
}
