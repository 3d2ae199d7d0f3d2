//! `--store keyring`, in a session with a real Secret Service (gnome-keyring) on a bus of its own.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::kept::{bearer, kept};
use super::{Ran, Terminal};
use crate::rig::{Verdict, check, same};

/// A bus that starts no service by itself: what answers is only what is started here. `{}` is where its socket goes.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir={}</listen>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
"#;

/// The daemon makes the login keyring with the password on its input, and ends with its bus. The bus ends with the input.
const BEGIN: &str = r#"
printf %s 'a throw-away password' | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1 || exit 1
printf '%s\n' "$DBUS_SESSION_BUS_ADDRESS"
exec cat
"#;

/// A session whose keyring is open. It ends when this is dropped.
struct Desktop {
    bus: Child,
    address: String,
    /// Not below the scratch directory, because the paths of sockets must be short.
    directory: PathBuf,
}

impl Desktop {
    fn begin(terminal: &Terminal<'_>) -> Result<Self, String> {
        let tell = |error: std::io::Error| format!("the session with a keyring: {error}");
        let directory = std::env::temp_dir().join(format!("mcp-auth-interop-{}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&directory).map_err(tell)?;
        let configuration = directory.join("bus.conf");
        std::fs::write(&configuration, BUS.replace("{}", &directory.display().to_string())).map_err(tell)?;
        let mut command = Command::new("dbus-run-session");
        command.arg("--config-file").arg(&configuration).args(["--", "sh", "-c", BEGIN]);
        let home = terminal.command(&[], "give");
        command.env_clear().envs(home.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("XDG_RUNTIME_DIR", &directory);
        let log = std::fs::File::create(terminal.home.join("session.log")).map_err(tell)?;
        let bus = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().map_err(tell)?;
        let mut begun = Self { bus, address: String::new(), directory };
        if let Some(out) = begun.bus.stdout.take() {
            BufReader::new(out).read_line(&mut begun.address).map_err(tell)?;
        }
        begun.address.truncate(begun.address.trim_end().len());
        let log = || std::fs::read_to_string(terminal.home.join("session.log")).unwrap_or_default();
        check(!begun.address.is_empty(), || format!("no session with a keyring has begun: {}", log()))?;
        Ok(begun)
    }

    fn run(&self, terminal: &Terminal<'_>, arguments: &[&str]) -> Result<Ran, String> {
        let mut command = terminal.command(arguments, "give");
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.address).env("XDG_RUNTIME_DIR", &self.directory);
        Ok(Ran::of(&command.output().map_err(|error| error.to_string())?))
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        drop(self.bus.stdin.take());
        let _ = self.bus.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Said once, at the login: what comes after it finds the keyring by itself, and nothing of it is in a file.
pub(super) fn keyring(terminal: &Terminal<'_>) -> Verdict {
    let desktop = Desktop::begin(terminal)?;
    let url = terminal.servers.mcp("/short/mcp");
    let run = |arguments: &[&str]| desktop.run(terminal, arguments);
    let ran = run(&["login", "--store", "keyring", &url])?.succeeded("login --store keyring")?;
    let seen = terminal.visit_is_over()?;
    check(seen["ok"] == true, || format!("the browser's way went wrong: {seen}"))?;
    check((ran.out + &ran.err).contains("keyring"), || "the keyring is not named".to_owned())?;

    std::thread::sleep(terminal.servers.lifetime + Duration::from_millis(200));
    let since = terminal.servers.entries()?;
    run(&["call", &url, "tools/list"])?.succeeded("call")?;
    let log = terminal.log_since(since)?;
    same("exchanges", &(log.granted("refresh_token"), log.route("token").len()), &(1, 1))?;
    same("browsers opened", &log.route("authorization").len(), &0)?;
    let shown = run(&["status", "--json"])?.succeeded("status")?.out;
    check(shown.contains(r#""store":"keyring""#), || format!("the keyring is not shown: {shown}"))?;

    let token = bearer(&run(&["token", &url])?.succeeded("token")?.out)?;
    same("what the server says to it", &terminal.servers.present("/short/mcp", &token)?, &400)?;
    same("records in files", &kept(&terminal.home)?.len(), &0)?;
    check(!holds(&terminal.home, &token)?, || "the token is in a file".to_owned())?;
    // Where there is no keyring, nothing else is taken for it.
    let without = terminal.run(&["token", &url])?.failed("token without a keyring")?;
    check(without.err.contains("keyring"), || format!("the keyring is not missed:\n{}", without.err))?;

    run(&["logout", &url])?.succeeded("logout")?;
    same("what the server says after the logout", &terminal.servers.present("/short/mcp", &token)?, &401)?;
    run(&["token", &url])?.failed("token after logout")?;
    Ok("kept, renewed, found by the next process, revoked; in no file".to_owned())
}

/// Whether a file below this folder has the text in it.
fn holds(folder: &Path, text: &str) -> Result<bool, String> {
    for entry in std::fs::read_dir(folder).map_err(|error| error.to_string())?.flatten() {
        let kind = entry.file_type().map_err(|error| error.to_string())?;
        let there = if kind.is_dir() {
            holds(&entry.path(), text)?
        } else {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            kind.is_file() && bytes.windows(text.len()).any(|part| part == text.as_bytes())
        };
        if there {
            return Ok(true);
        }
    }
    Ok(false)
}
