//! What is done with a credential that `login` has kept, and what needs none.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::Terminal;
use crate::rig::{Verdict, check, same};

/// What stands after `name:` in a header field, case aside.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (given, value) = line.split_once(':')?;
        given.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// The token of what `mcp-auth token` has printed.
pub(super) fn bearer(out: &str) -> Result<String, String> {
    let value = field(out, "authorization").ok_or("no Authorization field was printed")?;
    value.strip_prefix("Bearer ").map(str::to_owned).ok_or_else(|| "it is no Bearer token".to_owned())
}

pub(super) fn call(terminal: &Terminal<'_>) -> Verdict {
    terminal.log_in("/mcp", &[])?;
    let since = terminal.servers.entries()?;
    let url = terminal.servers.mcp("/mcp");
    let listed = terminal.run(&["call", &url, "tools/list"])?.succeeded("call tools/list")?;
    let result: Value =
        serde_json::from_str(&listed.out).map_err(|error| format!("{error}: {}", listed.out))?;
    check(result.to_string().contains("write_note"), || format!("no tools are listed: {result}"))?;
    let parameters = r#"{"name":"echo","arguments":{"text":"hello"}}"#;
    let called = terminal.run(&["call", &url, "tools/call", parameters])?.succeeded("call tools/call")?;
    check(called.out.contains("hello (ada)"), || format!("the answer is another: {}", called.out))?;
    let log = terminal.log_since(since)?;
    let asked = log.0.iter().filter(|entry| entry["server"] == "issuer").count();
    same("requests to the authorization server", &asked, &0)?;
    Ok("tools/list, tools/call; what was kept serves".to_owned())
}

/// The token that `login` has got runs out.
pub(super) fn renews(terminal: &Terminal<'_>) -> Verdict {
    terminal.log_in("/short/mcp", &[])?;
    std::thread::sleep(terminal.servers.lifetime + Duration::from_millis(200));
    let since = terminal.servers.entries()?;
    let url = terminal.servers.mcp("/short/mcp");
    terminal.run(&["call", &url, "tools/list"])?.succeeded("call")?;
    let log = terminal.log_since(since)?;
    same("exchanges", &(log.granted("refresh_token"), log.route("token").len()), &(1, 1))?;
    same("browsers opened", &log.route("authorization").len(), &0)?;
    same("used twice", &log.reused(), &0)?;
    Ok("1 exchange, no browser".to_owned())
}

const WRITE: &str = r#"{"name":"write_note","arguments":{"text":"hello"}}"#;

/// The tool needs another scope. Nobody is asked for it unless the caller says so; then the person gives it.
pub(super) fn steps_up(terminal: &Terminal<'_>) -> Verdict {
    terminal.log_in("/mcp", &[])?;
    let since = terminal.servers.entries()?;
    let url = terminal.servers.mcp("/mcp");
    terminal.run(&["call", &url, "tools/call", WRITE])?.failed("call without --login")?;
    same("browsers opened", &terminal.log_since(since)?.route("authorization").len(), &0)?;
    let called = terminal.run(&["call", "--login", &url, "tools/call", WRITE])?.succeeded("call --login")?;
    terminal.visit_is_over()?;
    check(called.out.contains("hello (ada)"), || format!("the answer is another: {}", called.out))?;
    same("consents", &terminal.log_since(since)?.submitted("consent"), &1)?;
    Ok("no browser without --login; with it consent, and the result".to_owned())
}

/// What the failure says to do next is done, word for word, and then the call succeeds.
pub(super) fn advises(terminal: &Terminal<'_>) -> Verdict {
    terminal.log_in("/mcp", &[])?;
    let url = terminal.servers.mcp("/mcp");
    let refused = terminal.run(&["call", &url, "tools/call", WRITE])?.failed("call")?;
    let advice = refused.err.lines().find_map(|line| line.trim().strip_prefix("mcp-auth "));
    let advice = advice.ok_or_else(|| format!("no command is advised:\n{}", refused.err))?;
    terminal.run(&advice.split_whitespace().collect::<Vec<_>>())?.succeeded(advice)?;
    terminal.visit_is_over()?;
    let called = terminal.run(&["call", &url, "tools/call", WRITE])?.succeeded("the call after that")?;
    check(called.out.contains("hello (ada)"), || format!("the answer is another: {}", called.out))?;
    Ok(advice.replace(&url, "…"))
}

/// One header field for curl, on standard output and nothing else there; renewed if need be.
pub(super) fn token(terminal: &Terminal<'_>) -> Verdict {
    terminal.log_in("/short/mcp", &[])?;
    let url = terminal.servers.mcp("/short/mcp");
    let first = terminal.run(&["token", &url])?.succeeded("token")?;
    same("lines on standard output", &first.out.lines().count(), &1)?;
    let before = bearer(&first.out)?;
    same("what the server says to it", &terminal.servers.present("/short/mcp", &before)?, &400)?;
    std::thread::sleep(terminal.servers.lifetime + Duration::from_millis(200));
    let after = bearer(&terminal.run(&["token", &url])?.succeeded("token")?.out)?;
    check(before != after, || "an expired token was printed".to_owned())?;
    same("what the server says to the new one", &terminal.servers.present("/short/mcp", &after)?, &400)?;
    Ok("a header field; another after expiry".to_owned())
}

/// What is known is shown, and no token of it.
pub(super) fn status(terminal: &Terminal<'_>) -> Verdict {
    let url = terminal.servers.mcp("/mcp");
    terminal.log_in("/mcp", &[])?;
    let shown = terminal.run(&["status"])?.succeeded("status")?;
    let said = shown.out + &shown.err;
    for expected in [&url, &terminal.servers.issuer] {
        check(said.contains(expected), || format!("{expected} is not shown:\n{said}"))?;
    }
    let kept = kept(&terminal.home)?;
    check(!kept.is_empty(), || "no record is kept below the XDG directories".to_owned())?;
    for record in &kept {
        let tokens = ["access_token", "refresh_token"].map(|name| record["credential"][name].as_str());
        let shown = tokens.into_iter().flatten().any(|token| said.contains(token));
        check(!shown, || "a token is shown".to_owned())?;
    }
    Ok("server and issuer, no token".to_owned())
}

/// The records below the home, of which none may be readable by others.
pub(super) fn kept(folder: &Path) -> Result<Vec<Value>, String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut records = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| error.to_string())?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            records.extend(kept(&path)?);
            continue;
        }
        let record: Value =
            std::fs::read(&path).ok().and_then(|it| serde_json::from_slice(&it).ok()).unwrap_or_default();
        if record["credential"].is_object() {
            let mode = entry.metadata().map_err(|error| error.to_string())?.permissions().mode() & 0o777;
            same(&format!("mode of {}", path.display()), &format!("{mode:o}"), &"600".to_owned())?;
            records.push(record);
        }
    }
    Ok(records)
}

pub(super) fn logout(terminal: &Terminal<'_>) -> Verdict {
    terminal.log_in("/mcp", &[])?;
    let url = terminal.servers.mcp("/mcp");
    let token = bearer(&terminal.run(&["token", &url])?.succeeded("token")?.out)?;
    terminal.run(&["logout", &url])?.succeeded("logout")?;
    check(terminal.log()?.served("revocation") > 0, || "nothing was revoked".to_owned())?;
    same("what the server says to the token", &terminal.servers.present("/mcp", &token)?, &401)?;
    same("records that are left", &kept(&terminal.home)?.len(), &0)?;
    terminal.run(&["token", &url])?.failed("token after logout")?;
    Ok("revoked, refused, forgotten".to_owned())
}

/// Discovery without a login, in JSON, with clauses.
pub(super) fn inspect(terminal: &Terminal<'_>) -> Verdict {
    let url = terminal.servers.mcp("/mcp");
    let ran = terminal.run(&["inspect", "--json", &url])?.succeeded("inspect")?;
    let report: Value = serde_json::from_str(&ran.out).map_err(|error| format!("{error}: {}", ran.out))?;
    for expected in [terminal.servers.issuer.as_str(), "RFC 9728", "RFC 8414"] {
        check(report.to_string().contains(expected), || format!("{expected} is not in {report}"))?;
    }
    let log = terminal.log()?;
    same("registrations", &log.route("registration").len(), &0)?;
    same("browsers opened", &log.route("authorization").len(), &0)?;
    let nothing = format!("{}/nothing", terminal.servers.mcp(""));
    terminal.run(&["inspect", "--json", &nothing])?.failed("inspect of no MCP server")?;
    Ok("clauses, issuer; nothing was registered".to_owned())
}

/// Each shell gets its own, and bash can use them.
pub(super) fn completions(terminal: &Terminal<'_>) -> Verdict {
    const MARKS: [(&str, &str); 5] = [
        ("bash", "complete -F"),
        ("zsh", "#compdef mcp-auth"),
        ("fish", "complete -c mcp-auth"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ];
    for (shell, mark) in MARKS {
        let ran = terminal.run(&["completions", shell])?.succeeded("completions")?;
        let ours = ran.out.contains(mark) && ran.out.contains("login");
        check(ours, || format!("these are no completions of {shell}:\n{:.300}", ran.out))?;
        std::fs::write(terminal.home.join(shell), ran.out).map_err(|error| error.to_string())?;
    }
    let asks = r#"source ./bash; of=$(complete -p mcp-auth); of=${of#*-F }; COMP_WORDS=(mcp-auth lo); COMP_CWORD=1
        "${of%% *}" mcp-auth lo mcp-auth; echo "${COMPREPLY[*]}""#;
    let mut bash = std::process::Command::new("bash");
    let output = bash.args(["--norc", "-c", asks]).current_dir(&terminal.home).output();
    let offered = super::Ran::of(&output.map_err(|error| error.to_string())?).succeeded("bash")?;
    same("what bash offers for \"lo\"", &offered.out.trim(), &"login logout")?;
    terminal.run(&["completions", "tcl"])?.failed("completions of a shell that is not known")?;
    Ok("five shells; bash offers login, logout".to_owned())
}
