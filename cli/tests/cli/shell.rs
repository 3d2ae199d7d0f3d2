//! The program beside others in a shell: help, completions, and what cannot be used.

use crate::support::{Home, ends_with, program, result, text};

const COMMANDS: [&str; 8] = ["login", "call", "token", "status", "logout", "inspect", "completions", "demo"];

#[test]
fn every_shell_gets_completions() {
    for (shell, mark) in [
        ("bash", "complete -F _mcp"),
        ("zsh", "#compdef mcp-auth"),
        ("fish", "complete -c mcp-auth"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let output = program().args(["completions", shell]).output().unwrap();
        ends_with(&output, 0);
        let script = result(&output);
        assert!(script.contains(mark), "{mark:?} is missing for {shell}");
        assert!(
            COMMANDS.iter().all(|command| script.contains(command)) && script.contains("client-secret-file")
        );
    }
    ends_with(&program().args(["completions", "tcl"]).output().unwrap(), 2);
}

/// The script is one that bash can read.
#[cfg(target_os = "linux")]
#[test]
fn bash_completes_with_it() {
    let home = Home::new();
    let script = result(&home.run(&["completions", "bash"]));
    let file = home.write("completions.bash", &script);
    let asks = format!(
        "source '{file}'; COMP_WORDS=(mcp-auth lo); COMP_CWORD=1; _mcp__auth mcp-auth lo mcp-auth; echo \"${{COMPREPLY[@]}}\""
    );
    let output = std::process::Command::new("bash").args(["--norc", "-c", &asks]).output().unwrap();
    assert_eq!(result(&output), "login logout\n", "{}", text(&output));
}

#[test]
fn help_names_the_commands_and_the_exit_codes() {
    let shown = ends_with(&program().arg("--help").output().unwrap(), 0);
    for expected in
        COMMANDS.iter().chain(&["Exit codes:", "  4    a person must log in", "  130  ended by Ctrl-C"])
    {
        assert!(shown.contains(expected), "{expected:?} is missing in\n{shown}");
    }
    // No option takes a secret itself.
    for command in COMMANDS {
        let shown = ends_with(&program().args([command, "--help"]).output().unwrap(), 0);
        let secret = ["--client-secret ", "--token ", "--password ", "--refresh-token "];
        assert!(!secret.iter().any(|option| shown.contains(option)), "{shown}");
    }
    // Nor does help print what the environment holds.
    let mut command = program();
    let command =
        command.env("MCP_CLIENT_ID", "of-mine").env("MCP_CLIENT_SECRET", "hush").args(["login", "--help"]);
    let shown = ends_with(&command.output().unwrap(), 0);
    assert!(
        shown.contains("MCP_CLIENT_ID") && !shown.contains("of-mine") && !shown.contains("hush"),
        "{shown}"
    );
}

#[test]
fn bad_input_is_told_as_such() {
    let home = Home::new();
    for (args, code, expected) in [
        (&["login", "mcp.example"][..], 2, "no absolute URL"),
        (&["login", "http://mcp.example/mcp"], 2, "is not https"),
        (&["call", "https://user:hush@mcp.example/mcp", "tools/list"], 2, "user info"),
        (&["login", "--scope", "a\"b", "https://mcp.example/mcp"], 2, "is no scope token"),
        (
            &["login", "--client-metadata-url", "http://app.example/c", "https://mcp.example/mcp"],
            2,
            "https URL",
        ),
        (&["login", "--redirect-uri", "https://app.example/x", "https://mcp.example/mcp"], 2, "use --paste"),
        (&["login", "--redirect-uri", "http://127.0.0.1:0/x", "https://mcp.example/mcp"], 2, "1 to 65535"),
        (&["login", "--client-id", "", "--key", "/nowhere", "https://mcp.example/mcp"], 2, "cannot be read"),
        (&["login", "--client-secret-file", "x", "https://mcp.example/mcp"], 2, "--client-id"),
        (&["status", "mcp.example"], 2, "no absolute URL"),
        (&["logout", "mcp.example"], 2, "no absolute URL"),
        (&["token", "mcp.example"], 2, "no absolute URL"),
        (&["call", "https://mcp.example/mcp"], 2, "METHOD"),
        (&["login"], 2, "Usage"),
        (&["login", "-q", "-v", "https://mcp.example/mcp"], 2, "cannot be used with"),
        (&["frobnicate"], 2, "unrecognized subcommand"),
    ] {
        let output = home.run(args);
        let said = ends_with(&output, code);
        assert!(said.contains(expected) && output.stdout.is_empty(), "{args:?}: {said}");
        assert!(!said.contains("hush"), "{said}");
    }
}

#[test]
fn without_a_home_it_says_what_is_missing() {
    let mut command = Home::new().program();
    let command = command.env_remove("HOME").env("XDG_STATE_HOME", "relative/path");
    let output = command.args(["status"]).output().unwrap();
    // A relative path is none by the XDG specification; the home is then what the system's user database says.
    assert!(output.status.code() == Some(4) || text(&output).contains("Set HOME"), "{}", text(&output));
    assert!(!std::path::Path::new("relative").exists());
}

#[test]
fn the_version_is_there_at_once() {
    let mut took: Vec<_> = (0..5)
        .map(|_| {
            let began = std::time::Instant::now();
            let output = program().arg("--version").output().unwrap();
            assert!(text(&output).starts_with("mcp-auth 0."), "{}", text(&output));
            began.elapsed()
        })
        .collect();
    took.sort();
    // Even when built without optimisation, on a machine that is busy.
    assert!(took[0] < std::time::Duration::from_millis(200), "{took:?}");
}
