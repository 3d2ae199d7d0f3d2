//! Browsers that run in the terminal, where there is none: they would take what comes on this program's input, and write
//! into what may be another program's.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::OpenError;

/// Browsers that run in the terminal: they need one, and write to it.
const IN_TERMINAL: [&str; 11] =
    ["lynx", "links", "links2", "elinks", "w3m", "eww", "netrik", "retawq", "curl", "browsh", "www-browser"];
/// More than the entry of any program has, in bytes.
const MAX_ENTRY: u64 = 1 << 20;

/// Refuses a browser in the terminal where there is none. Asks the desktop for its choice if that will be taken, which is a
/// program that is waited for.
pub(super) fn needed() -> Result<(), OpenError> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return Ok(());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let refused =
        |named_by, program: &str| Err(OpenError::NoTerminal { named_by, browser: name(program).to_owned() });
    match chosen(&env::var("BROWSER").unwrap_or_default(), &path) {
        Some(program) if IN_TERMINAL.contains(&name(program)) => return refused("BROWSER", program),
        Some(_) => return Ok(()),
        None => {}
    }
    let Some(id) = default_of_desktop(&path) else { return Ok(()) };
    // The first entry that can be started is taken, as the person's own goes before the system's.
    let texts = entries(&id).into_iter().filter_map(|path| read(&path));
    let entry = texts.filter_map(|text| Entry::of(&text)).find(|it| program_at(&it.program, &path).is_some());
    match entry {
        Some(entry) if entry.in_terminal => refused("the desktop", &entry.program),
        _ => Ok(()),
    }
}

/// The program of the first of these commands that can be started.
fn chosen<'a>(commands: &'a str, path: &OsStr) -> Option<&'a str> {
    let programs = commands.split(':').filter_map(|command| command.split_ascii_whitespace().next());
    programs.into_iter().find(|program| program_at(program, path).is_some())
}

/// Where this program is, if it may be executed: others are passed over when browsers are started.
fn program_at(program: &str, path: &OsStr) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(is_program);
    }
    env::split_paths(path).map(|directory| directory.join(program)).find(is_program)
}

fn name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or_default()
}

/// What the desktop calls its choice: the name of an entry.
fn default_of_desktop(path: &OsStr) -> Option<String> {
    let mut asked = Command::new(program_at("xdg-settings", path)?);
    asked.args(["get", "default-web-browser"]).stdin(Stdio::null()).stderr(Stdio::null());
    let id = String::from_utf8(asked.output().ok()?.stdout).ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// The files that may be this entry, the most important first (XDG Base Directory Specification; Desktop Entry
/// Specification, Desktop File ID).
fn entries(id: &str) -> Vec<PathBuf> {
    let home = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".local/share")));
    let others = env::var("XDG_DATA_DIRS").unwrap_or_else(|_| "/usr/local/share:/usr/share".to_owned());
    let directories = home.into_iter().chain(others.split(':').map(PathBuf::from));
    let file = |directory: PathBuf| {
        let directory = directory.join("applications");
        [directory.join(id), directory.join(id.replace('-', "/"))].into_iter().find(|path| path.exists())
    };
    directories.filter_map(file).collect()
}

fn read(path: &Path) -> Option<String> {
    let found = path.metadata().ok()?;
    (found.is_file() && found.len() <= MAX_ENTRY).then_some(())?;
    Some(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned())
}

/// The entry of a program (Desktop Entry Specification), as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    program: String,
    in_terminal: bool,
}

impl Entry {
    /// `None`: it is deleted, or starts nothing.
    fn of(text: &str) -> Option<Self> {
        let (mut within, mut program, mut in_terminal, mut hidden) = (false, None, false, false);
        for line in text.lines() {
            match line.split_once('=') {
                _ if line.starts_with('[') => within = line == "[Desktop Entry]",
                Some(("Exec", command)) if within => program = command.split_ascii_whitespace().next(),
                Some(("Terminal", value)) if within => in_terminal = value.trim() == "true",
                Some(("Hidden", value)) if within => hidden = value == "true",
                _ => {}
            }
        }
        let program = program.filter(|_| !hidden)?.to_owned();
        // Its program is started as what it is, whatever the entry says.
        Some(Self { in_terminal, program })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_browser_that_can_be_started_is_the_one() {
        let path = OsStr::new("/nowhere:/bin");
        assert_eq!(chosen("nosuchbrowser:sh -c x:w3m", path), Some("sh"));
        assert_eq!(chosen("/bin/sh --new-window %s", path), Some("/bin/sh"));
        assert_eq!(chosen("/etc/passwd:sh", path), Some("sh"), "a file that is no program");
        assert_eq!(chosen("/bin:sh", path), Some("sh"), "a directory");
        assert_eq!(chosen("", path), None);
        assert_eq!(name("/usr/bin/w3m"), "w3m");
    }

    #[test]
    fn an_entry_says_whether_it_needs_a_terminal() {
        let of = |text: &str| Entry::of(text).map(|it| (it.program, it.in_terminal));
        let w3m = Some(("w3m".to_owned(), true));
        assert_eq!(of("[Desktop Entry]\nExec=w3m %u\nTerminal=true\n"), w3m);
        assert_eq!(of("# a\n[Desktop Entry]\r\nTerminal=true\r\nExec=w3m\r\n[Other]\nTerminal=false"), w3m);
        let firefox = Some(("firefox".to_owned(), false));
        assert_eq!(of("[Desktop Entry]\nExec=firefox %u\n[Other]\nTerminal=true\nExec=w3m\n"), firefox);
        assert_eq!(of("[Desktop Entry]\nExec=firefox\nTerminal=false\n"), firefox);
        for text in ["", "[Desktop Entry]\nTerminal=true", "[Desktop Entry]\nExec=\n", "Exec=w3m\n"] {
            assert_eq!(of(text), None, "{text:?}");
        }
        assert_eq!(of("[Desktop Entry]\nExec=w3m\nTerminal=true\nHidden=true\n"), None);
    }
}
