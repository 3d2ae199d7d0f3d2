//! The command line as a person uses it: each run is a process of its own, in a home of its own, with Chromium as its
//! `BROWSER`. A subcommand that `mcp-auth --help` does not list is skipped.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::person::Desk;
use crate::rig::{Verdict, check, same};
use crate::servers::{Log, Servers};

type Scenario = fn(&Terminal<'_>) -> Verdict;

/// Each with its name and the subcommands, or options of them, that it needs.
pub(crate) const ALL: [(&str, &[&str], Scenario); 15] = [
    ("login", &["login"], login),
    ("login is refused", &["login"], login_refused),
    ("login with a client registered by hand", &["login --client-id"], login_known),
    ("login with a metadata document", &["login --client-metadata-url"], login_document),
    ("login --paste", &["login --paste"], login_paste),
    ("login --device", &["login --device"], login_device),
    ("login --redirect-uri", &["login --redirect-uri"], login_redirect_uri),
    ("call", &["login", "call"], call),
    ("call renews without a browser", &["login", "call"], call_renews),
    ("call steps up", &["login", "call"], call_steps_up),
    ("token", &["login", "token"], token),
    ("status", &["login", "status"], status),
    ("logout", &["login", "logout", "token"], logout),
    ("inspect", &["inspect --json"], inspect),
    ("completions", &["completions"], completions),
];

/// A person at a terminal.
pub(crate) struct Terminal<'a> {
    pub(crate) servers: &'a Servers,
    pub(crate) desk: &'a Desk,
    pub(crate) program: PathBuf,
    /// The home directory.
    pub(crate) home: PathBuf,
    pub(crate) name: String,
    pub(crate) since: usize,
}

/// How one run ended.
struct Ran {
    ok: bool,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { ok: output.status.success(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    fn succeeded(self, what: &str) -> Result<Self, String> {
        let Self { ok, out, err } = &self;
        check(*ok, || format!("{what} failed\n{out}\n{err}"))?;
        Ok(self)
    }

    fn failed(self, what: &str) -> Result<Self, String> {
        let Self { ok, out, err } = &self;
        check(!*ok, || format!("{what} succeeded\n{out}\n{err}"))?;
        Ok(self)
    }
}

impl Terminal<'_> {
    /// Which of these the program does not have: a subcommand, or `SUBCOMMAND --option`.
    pub(crate) fn lacks(program: &Path, needs: &[&str]) -> Result<Option<String>, String> {
        let help = |arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output();
            let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
            Ok::<_, String>(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let commands = help(&["--help"])?;
        for need in needs {
            let (command, option) = need.split_once(' ').unwrap_or((need, ""));
            let listed = |line: &str| line.split_whitespace().next() == Some(command);
            let optional =
                || Ok::<_, String>(option.is_empty() || help(&[command, "--help"])?.contains(option));
            if !commands.lines().any(listed) || !optional()? {
                return Ok(Some((*need).to_owned()));
            }
        }
        Ok(None)
    }

    fn command(&self, arguments: &[&str], wish: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env_clear().env("NO_COLOR", "1").stdin(Stdio::null());
        for name in ["PATH", "LANG", "CHROMIUM"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.env("HOME", &self.home);
        for (name, folder) in [("CONFIG", "config"), ("DATA", "data"), ("STATE", "state"), ("CACHE", "cache")]
        {
            command.env(format!("XDG_{name}_HOME"), self.home.join(folder));
        }
        command
            .env("BROWSER", &self.desk.browser)
            .env("INTEROP_SHOTS", &self.desk.shots)
            .env("INTEROP_SHOT", &self.name)
            .env("INTEROP_CONSENT", wish);
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<Ran, String> {
        self.run_wishing(arguments, "give")
    }

    fn run_wishing(&self, arguments: &[&str], wish: &str) -> Result<Ran, String> {
        let output = self.command(arguments, wish).output().map_err(|error| error.to_string())?;
        Ok(Ran::of(&output))
    }

    /// Logs in with these options before the URL.
    fn log_in(&self, path: &str, options: &[&str]) -> Result<Ran, String> {
        let url = self.servers.mcp(path);
        let arguments: Vec<_> = ["login"].iter().chain(options).copied().chain([url.as_str()]).collect();
        let ran = self.run(&arguments)?.succeeded("login")?;
        // The program does not wait for its browser; the next visit is to find none under way.
        self.visit_is_over()?;
        Ok(ran)
    }

    /// Waits until the browser has told how it went, and gives that.
    fn visit_is_over(&self) -> Result<Value, String> {
        let told = self.desk.shots.join(format!("{}.json", self.name));
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(15) {
            if let Ok(text) = std::fs::read(&told) {
                let seen: Value = serde_json::from_slice(&text).unwrap_or_default();
                if !seen.is_null() {
                    let _ = std::fs::remove_file(&told);
                    return Ok(seen);
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("the browser did not tell how it went".to_owned())
    }

    fn log(&self) -> Result<Log, String> {
        self.servers.log(self.since)
    }

    /// What the servers have done since `since`.
    fn log_since(&self, since: usize) -> Result<Log, String> {
        self.servers.log(since)
    }
}

/// What stands after `name:` in a header field, case aside.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (given, value) = line.split_once(':')?;
        given.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

fn login(terminal: &Terminal<'_>) -> Verdict {
    let url = terminal.servers.mcp("/mcp");
    let ran = terminal.run(&["login", &url])?.succeeded("login")?;
    let seen = terminal.visit_is_over()?;
    check(seen["ok"] == true && seen["done"] == serde_json::json!(["login", "consent", "redirect"]), || {
        format!("the browser's way went wrong: {seen}")
    })?;
    let said = ran.out + &ran.err;
    check(said.contains(&terminal.servers.issuer), || format!("the issuer is not named:\n{said}"))?;
    let log = terminal.log()?;
    same("registrations", &log.served("registration"), &1)?;
    same("codes exchanged", &log.granted("authorization_code"), &1)?;
    let page: String = seen["text"].as_str().unwrap_or_default().chars().take(50).collect();
    Ok(format!("the page says: {}", page.replace('\n', " ")))
}

fn login_refused(terminal: &Terminal<'_>) -> Verdict {
    let url = terminal.servers.mcp("/mcp");
    let ran = terminal.run_wishing(&["login", &url], "refuse")?.failed("login")?;
    terminal.visit_is_over()?;
    check(ran.err.contains("access_denied"), || format!("the reason is not told:\n{}", ran.err))?;
    same("token requests", &terminal.log()?.route("token").len(), &0)?;
    Ok("access_denied".to_owned())
}

/// The client is public, and its port does not count.
fn login_known(terminal: &Terminal<'_>) -> Verdict {
    terminal.log_in("/mcp", &["--client-id", "public"])?;
    same("registrations", &terminal.log()?.route("registration").len(), &0)?;
    same("client", &terminal.log()?.route("token")[0]["client"], &serde_json::json!("public"))?;
    Ok("no registration".to_owned())
}

fn login_document(terminal: &Terminal<'_>) -> Verdict {
    let document = &terminal.servers.client_document;
    terminal.log_in("/mcp", &["--client-metadata-url", document])?;
    same("registrations", &terminal.log()?.route("registration").len(), &0)?;
    Ok("no registration".to_owned())
}

/// The browser is on another machine: its last URL is pasted.
fn login_paste(terminal: &Terminal<'_>) -> Verdict {
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
fn login_device(terminal: &Terminal<'_>) -> Verdict {
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
fn login_redirect_uri(terminal: &Terminal<'_>) -> Verdict {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = port.map_err(|error| error.to_string())?.port();
    let uri = format!("http://127.0.0.1:{port}/some/where");
    let url = terminal.servers.mcp("/mcp");
    terminal.run(&["login", "--redirect-uri", &uri, &url])?.succeeded("login")?;
    let seen = terminal.visit_is_over()?;
    same("where the browser ended", &seen["at"].as_str().unwrap_or_default().to_owned(), &uri)?;
    Ok(uri)
}

fn call(terminal: &Terminal<'_>) -> Verdict {
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
fn call_renews(terminal: &Terminal<'_>) -> Verdict {
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

/// The tool needs another scope, and the person gives it.
fn call_steps_up(terminal: &Terminal<'_>) -> Verdict {
    terminal.log_in("/mcp", &[])?;
    let since = terminal.servers.entries()?;
    let url = terminal.servers.mcp("/mcp");
    let parameters = r#"{"name":"write_note","arguments":{"text":"hello"}}"#;
    let called = terminal.run(&["call", &url, "tools/call", parameters])?.succeeded("call")?;
    terminal.visit_is_over()?;
    check(called.out.contains("hello (ada)"), || format!("the answer is another: {}", called.out))?;
    same("consents", &terminal.log_since(since)?.submitted("consent"), &1)?;
    Ok("consent, and the result".to_owned())
}

/// One header field for curl, on standard output and nothing else there; renewed if need be.
fn token(terminal: &Terminal<'_>) -> Verdict {
    terminal.log_in("/short/mcp", &[])?;
    let url = terminal.servers.mcp("/short/mcp");
    let first = terminal.run(&["token", &url])?.succeeded("token")?;
    same("lines on standard output", &first.out.lines().count(), &1)?;
    let bearer = |out: &str| {
        let value =
            field(out, "authorization").ok_or_else(|| "no Authorization field was printed".to_owned())?;
        value.strip_prefix("Bearer ").map(str::to_owned).ok_or_else(|| "it is no Bearer token".to_owned())
    };
    let before = bearer(&first.out)?;
    same("what the server says to it", &terminal.servers.present("/short/mcp", &before)?, &400)?;
    std::thread::sleep(terminal.servers.lifetime + Duration::from_millis(200));
    let after = bearer(&terminal.run(&["token", &url])?.succeeded("token")?.out)?;
    check(before != after, || "an expired token was printed".to_owned())?;
    same("what the server says to the new one", &terminal.servers.present("/short/mcp", &after)?, &400)?;
    Ok("a header field; another after expiry".to_owned())
}

/// What is known is shown, and no token of it.
fn status(terminal: &Terminal<'_>) -> Verdict {
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
fn kept(folder: &Path) -> Result<Vec<Value>, String> {
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

fn logout(terminal: &Terminal<'_>) -> Verdict {
    terminal.log_in("/mcp", &[])?;
    let url = terminal.servers.mcp("/mcp");
    let printed = terminal.run(&["token", &url])?.succeeded("token")?.out;
    let token = field(&printed, "authorization").unwrap_or_default().replace("Bearer ", "");
    terminal.run(&["logout", &url])?.succeeded("logout")?;
    check(terminal.log()?.served("revocation") > 0, || "nothing was revoked".to_owned())?;
    same("what the server says to the token", &terminal.servers.present("/mcp", &token)?, &401)?;
    same("records that are left", &kept(&terminal.home)?.len(), &0)?;
    terminal.run(&["token", &url])?.failed("token after logout")?;
    Ok("revoked, refused, forgotten".to_owned())
}

/// Discovery without a login, in JSON, with clauses.
fn inspect(terminal: &Terminal<'_>) -> Verdict {
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

fn completions(terminal: &Terminal<'_>) -> Verdict {
    for shell in ["bash", "zsh", "fish"] {
        let ran = terminal.run(&["completions", shell])?.succeeded("completions")?;
        check(ran.out.contains("login"), || format!("the completions of {shell} know no login"))?;
    }
    Ok("bash, zsh, fish".to_owned())
}
