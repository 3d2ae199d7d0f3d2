//! `mcp-auth login`, with the browser that it opens and without.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Ran, Terminal};
use crate::rig::{Verdict, check, same};

pub(super) fn light(terminal: &Terminal<'_>) -> Verdict {
    sees_the_page(terminal, &[])
}

/// The same with a browser that prefers dark pages, for the picture.
pub(super) fn dark(terminal: &Terminal<'_>) -> Verdict {
    sees_the_page(terminal, &[("INTEROP_DARK", "1")])
}

fn sees_the_page(terminal: &Terminal<'_>, browser: &[(&str, &str)]) -> Verdict {
    let url = terminal.servers.mcp("/mcp");
    let output = terminal.command(&["login", &url], "give").envs(browser.iter().copied()).output();
    let ran = Ran::of(&output.map_err(|error| error.to_string())?).succeeded("login")?;
    let seen = terminal.visit_is_over()?;
    check(seen["ok"] == true && seen["done"] == json!(["login", "consent", "redirect"]), || {
        format!("the browser's way went wrong: {seen}")
    })?;
    let said = ran.out + &ran.err;
    check(said.contains(&terminal.servers.issuer), || format!("the issuer is not named:\n{said}"))?;
    let log = terminal.log()?;
    same("registrations", &log.served("registration"), &1)?;
    same("codes exchanged", &log.granted("authorization_code"), &1)?;
    let page = seen["text"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(format!("the page says: {page:.60}"))
}

pub(super) fn refused(terminal: &Terminal<'_>) -> Verdict {
    let url = terminal.servers.mcp("/mcp");
    let ran = terminal.run_wishing(&["login", &url], "refuse")?.failed("login")?;
    terminal.visit_is_over()?;
    check(ran.err.contains("access_denied"), || format!("the reason is not told:\n{}", ran.err))?;
    same("token requests", &terminal.log()?.route("token").len(), &0)?;
    Ok("access_denied".to_owned())
}

/// The client is public, and its port does not count.
pub(super) fn known(terminal: &Terminal<'_>) -> Verdict {
    terminal.log_in("/mcp", &["--client-id", "public"])?;
    same("registrations", &terminal.log()?.route("registration").len(), &0)?;
    same("client", &terminal.log()?.route("token")[0]["client"], &json!("public"))?;
    Ok("no registration".to_owned())
}

pub(super) fn document(terminal: &Terminal<'_>) -> Verdict {
    let document = &terminal.servers.client_document;
    terminal.log_in("/mcp", &["--client-metadata-url", document])?;
    same("registrations", &terminal.log()?.route("registration").len(), &0)?;
    Ok("no registration".to_owned())
}

/// The browser is on another machine: its last URL is pasted.
pub(super) fn paste(terminal: &Terminal<'_>) -> Verdict {
    let url = terminal.servers.mcp("/mcp");
    let tell = |error: std::io::Error| error.to_string();
    let mut command = terminal.command(&["login", "--paste", &url], "give");
    let told = terminal.home.join("told");
    let out = std::fs::File::create(&told).map_err(tell)?;
    command.stdin(Stdio::piped()).stdout(out.try_clone().map_err(tell)?).stderr(out);
    let mut program = command.spawn().map_err(tell)?;
    let shown = shown_url(&told, &terminal.servers.issuer);
    let pasted = shown.and_then(|shown| {
        let ended = terminal.home.join("url");
        let mut browser = Command::new(&terminal.desk.browser);
        let browser = browser.arg(shown).env("INTEROP_URL", &ended).output().map_err(tell)?;
        let went = String::from_utf8_lossy(&browser.stdout);
        check(browser.status.success(), || format!("the browser's way went wrong: {went}"))?;
        std::fs::read(&ended).map_err(tell)
    });
    let pasted = match pasted {
        Ok(pasted) => pasted,
        Err(why) => {
            let _ = program.kill();
            return Err(why);
        }
    };
    if let Some(mut input) = program.stdin.take() {
        input.write_all(&pasted).map_err(tell)?;
    }
    let ok = program.wait().map_err(tell)?.success();
    check(ok, || format!("login failed:\n{}", std::fs::read_to_string(&told).unwrap_or_default()))?;
    same("codes exchanged", &terminal.log()?.granted("authorization_code"), &1)?;
    Ok("the browser's last URL is taken".to_owned())
}

/// The URL of this origin that the program shows, when it does.
fn shown_url(told: &Path, origin: &str) -> Result<String, String> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(15) {
        let text = std::fs::read_to_string(told).unwrap_or_default();
        // The line is whole when another has begun.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        if let Some(url) = whole.split_whitespace().find(|word| word.starts_with(origin)) {
            return Ok(url.to_owned());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("no URL was shown:\n{}", std::fs::read_to_string(told).unwrap_or_default()))
}

/// A URL and a code are shown; the person goes to the one, types the other if it is not in it, and confirms.
pub(super) fn device(terminal: &Terminal<'_>) -> Verdict {
    let url = terminal.servers.mcp("/mcp");
    let tell = |error: std::io::Error| error.to_string();
    let told = terminal.home.join("told");
    let out = std::fs::File::create(&told).map_err(tell)?;
    let mut command = terminal.command(&["login", "--device", &url], "give");
    let mut program = command.stdout(out.try_clone().map_err(tell)?).stderr(out).spawn().map_err(tell)?;
    let visited = shown_url(&told, &terminal.servers.issuer).and_then(|shown| {
        let text = std::fs::read_to_string(&told).map_err(tell)?;
        // Codes of this server are two groups of four letters.
        let is_code = |word: &&str| {
            word.len() == 9
                && word.as_bytes()[4] == b'-'
                && word.chars().all(|it| it == '-' || it.is_ascii_uppercase())
        };
        let code = text.split_whitespace().find(is_code).unwrap_or_default();
        let browser = Command::new(&terminal.desk.browser)
            .arg(shown)
            .env("INTEROP_USER_CODE", code)
            .env("INTEROP_SHOTS", &terminal.desk.shots)
            .env("INTEROP_SHOT", &terminal.name)
            .output()
            .map_err(tell)?;
        let went = String::from_utf8_lossy(&browser.stdout);
        check(browser.status.success(), || format!("the browser's way went wrong: {went}"))
    });
    if let Err(why) = visited {
        let _ = program.kill();
        return Err(why);
    }
    let ok = program.wait().map_err(tell)?.success();
    check(ok, || format!("login failed:\n{}", std::fs::read_to_string(&told).unwrap_or_default()))?;
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    same("device codes exchanged", &terminal.log()?.granted(grant), &1)?;
    Ok("code confirmed".to_owned())
}

/// The port and the path are the caller's.
pub(super) fn redirect_uri(terminal: &Terminal<'_>) -> Verdict {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = port.map_err(|error| error.to_string())?.port();
    let uri = format!("http://127.0.0.1:{port}/some/where");
    let url = terminal.servers.mcp("/mcp");
    terminal.run(&["login", "--redirect-uri", &uri, &url])?.succeeded("login")?;
    let seen = terminal.visit_is_over()?;
    same("where the browser ended", &seen["at"].as_str().unwrap_or_default().to_owned(), &uri)?;
    Ok(uri)
}
