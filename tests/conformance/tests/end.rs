//! How the process ends.

use std::process::{Command, Stdio};

#[test]
fn an_end_is_one_line_and_a_failure() {
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-auth-conformance")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(said, "mcp-auth-conformance: no URL of an MCP server was given\n");
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
