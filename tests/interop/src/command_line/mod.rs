//! The command line as a person uses it: each run is a process of its own, in a home of its own, with Chromium as its
//! `BROWSER`. What needs a subcommand that `mcp-auth --help` does not list, or a program that is not there, is skipped.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::person::Desk;
use crate::rig::{Verdict, check};
use crate::servers::{Log, Servers};

mod kept;
mod keyring;
mod login;

type Scenario = fn(&Terminal<'_>) -> Verdict;

/// Each with its name and the subcommands, or options of them, that it needs; with `$`, other programs.
pub(crate) const ALL: [(&str, &[&str], Scenario); 18] = [
    ("login", &["login"], login::light),
    ("login, dark", &["login"], login::dark),
    ("login is refused", &["login"], login::refused),
    ("login with a client registered by hand", &["login --client-id"], login::known),
    ("login with a metadata document", &["login --client-metadata-url"], login::document),
    ("login --paste", &["login --paste"], login::paste),
    ("login --device", &["login --device"], login::device),
    ("login --redirect-uri", &["login --redirect-uri"], login::redirect_uri),
    ("call", &["login", "call"], kept::call),
    ("call renews without a browser", &["login", "call"], kept::renews),
    ("call --login steps up", &["login", "call --login"], kept::steps_up),
    ("call says how to step up", &["login", "call"], kept::advises),
    ("token", &["login", "token"], kept::token),
    ("status", &["login", "status"], kept::status),
    ("logout", &["login", "logout", "token"], kept::logout),
    (
        "login --store keyring",
        &["login --store", "$dbus-run-session", "$gnome-keyring-daemon"],
        keyring::keyring,
    ),
    ("inspect", &["inspect --json"], kept::inspect),
    ("completions", &["completions"], kept::completions),
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
    /// Which of these there is not: a subcommand, `SUBCOMMAND --option`, or `$PROGRAM`.
    pub(crate) fn lacks(program: &Path, needs: &[&str]) -> Result<Option<String>, String> {
        let help = |arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output();
            let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
            Ok::<_, String>(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let commands = help(&["--help"])?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        for need in needs {
            if let Some(other) = need.strip_prefix('$') {
                if !std::env::split_paths(&path).any(|folder| folder.join(other).is_file()) {
                    return Ok(Some(other.to_owned()));
                }
                continue;
            }
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
