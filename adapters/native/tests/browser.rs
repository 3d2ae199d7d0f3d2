//! Which browser is started, with what, and what a strange `BROWSER` can do. Each case is a process of its own, because
//! the variable belongs to the process.
#![cfg(all(feature = "browser", unix, not(target_os = "macos")))]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mcp_auth_native::browser::{self, OpenError};
use url::Url;

/// What is opened: with all that a shell could take for its own.
const URL: &str = "https://as.example/authorize?a=$(touch%20pwned)&b=`touch`;c|d&e='f'&g=%s%c#x";
const SLACK: Duration = Duration::from_secs(10);

/// An empty directory, in which a process runs and which is all of its `PATH`.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("browser-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A browser that writes down its arguments, one a line, and what its output is; then does this.
    fn browser(&self, name: &str, then: &str) {
        let path = self.0.join(name);
        let here = self.0.display();
        let script = format!(
            "#!/bin/sh\nfor it in \"$@\"; do echo \"$it\"; done >'{here}/{name}.draft'\n\
             /bin/mv '{here}/{name}.draft' '{here}/{name}.given'\necho spoilt; echo spoilt >&2\n{then}\n"
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What this browser was given, if it was started.
    fn given(&self, name: &str) -> Option<Vec<String>> {
        let path = self.0.join(format!("{name}.given"));
        let began = Instant::now();
        while !path.exists() {
            if began.elapsed() > Duration::from_secs(2) {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
        Some(fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect())
    }

    /// This program once more, which opens the URL.
    fn open(&self, browser: &str) -> Output {
        self.open_with(browser, "")
    }

    /// The same, with this as its input.
    fn open_with(&self, browser: &str, input: &str) -> Output {
        fs::write(self.0.join("input"), input).unwrap();
        Command::new(std::env::current_exe().unwrap())
            .args(["in_a_process_of_its_own", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env_clear()
            .env("BROWSER", browser)
            .env("PATH", &self.0)
            .env("HOME", &self.0)
            .env("XDG_DATA_DIRS", &self.0)
            .current_dir(&self.0)
            .stdin(fs::File::open(self.0.join("input")).unwrap())
            .output()
            .unwrap()
    }

    /// A desktop whose choice is this browser.
    fn desktop(&self, browser: &str, terminal: bool) {
        let applications = self.0.join("applications");
        fs::create_dir_all(&applications).unwrap();
        let program = self.0.join(browser).display().to_string();
        let entry = format!("[Desktop Entry]\nExec={program} %u\nTerminal={terminal}\n");
        fs::write(applications.join("chosen.desktop"), entry).unwrap();
        let asked = self.0.join("xdg-settings");
        fs::write(&asked, "#!/bin/sh\necho chosen.desktop\n").unwrap();
        fs::set_permissions(&asked, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Nothing was started that the test did not lay there.
    fn is_clean(&self) -> bool {
        fs::read_dir(&self.0).unwrap().all(|it| !it.unwrap().file_name().to_str().unwrap().contains("pwned"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
#[ignore = "the other tests run it"]
fn in_a_process_of_its_own() {
    let began = Instant::now();
    let opened = browser::open(&Url::parse(URL).unwrap());
    assert!(began.elapsed() < Duration::from_secs(5), "it blocks: {:?}", began.elapsed());
    match opened {
        Ok(()) => println!("opened"),
        Err(why @ OpenError::NoBrowser(_)) => println!("none: {why}"),
        Err(why @ OpenError::NoTerminal { .. }) => println!("no terminal: {why}"),
        Err(why) => panic!("{why}"),
    }
}

#[test]
fn the_url_is_one_argument_and_the_browser_s_output_goes_nowhere() {
    let place = Place::new();
    place.browser("firefox", "");
    let output = place.open("firefox");
    let said = said(&output);
    assert!(said.contains("opened") && !said.contains("spoilt"), "{said}");
    assert_eq!(place.given("firefox").unwrap(), [Url::parse(URL).unwrap().as_str()]);
    assert!(place.is_clean());
}

#[test]
fn a_list_of_commands_is_honoured() {
    let place = Place::new();
    place.browser("chromium", "");
    assert!(said(&place.open("nosuchbrowser:chromium --new-window %s --title=a%cb")).contains("opened"));
    let url = Url::parse(URL).unwrap().to_string();
    assert_eq!(place.given("chromium").unwrap(), ["--new-window", &url, "--title=a:b"]);
}

#[test]
fn shell_characters_in_it_run_no_shell() {
    for browser in [
        "firefox; touch pwned",
        "$(touch pwned)",
        "`touch pwned`",
        "firefox|touch pwned",
        "'firefox' ; touch pwned",
        "${IFS}touch pwned",
        "&touch pwned",
    ] {
        let place = Place::new();
        place.browser("firefox", "");
        std::os::unix::fs::symlink("/usr/bin/touch", place.0.join("touch")).unwrap();
        let output = place.open(browser);
        assert!(place.is_clean(), "{browser}");
        assert!(said(&output).contains("none: no browser could be opened"), "{browser}: {}", said(&output));
        assert!(said(&output).contains("Open the URL yourself") && !said(&output).contains("as.example"));
    }
    // What follows a program are its arguments, and no more than that.
    let place = Place::new();
    place.browser("firefox", "");
    std::os::unix::fs::symlink("/usr/bin/touch", place.0.join("touch")).unwrap();
    assert!(said(&place.open("firefox && touch pwned")).contains("opened"));
    assert_eq!(place.given("firefox").unwrap()[..3], ["&&", "touch", "pwned"]);
    assert!(place.is_clean());
}

#[test]
fn none_at_all_is_said() {
    let place = Place::new();
    for browser in ["", ":::", "nosuchbrowser", "/nowhere/firefox %s", " "] {
        let said = said(&place.open(browser));
        assert!(
            said.contains("none: no browser could be opened") && said.contains("yourself"),
            "{browser:?}: {said}"
        );
    }
}

#[test]
fn a_browser_in_the_terminal_needs_one() {
    let place = Place::new();
    place.browser("w3m", "");
    let began = Instant::now();
    let said = said(&place.open("w3m"));
    assert!(said.contains("no terminal: BROWSER names w3m") && !said.contains("spoilt"), "{said}");
    assert!(place.given("w3m").is_none() && began.elapsed() < SLACK);
}

#[test]
fn a_file_that_is_no_program_stands_for_no_browser_before_one_in_the_terminal() {
    let place = Place::new();
    place.browser("w3m", "");
    fs::write(place.0.join("firefox"), "not a program").unwrap();
    let said = said(&place.open("firefox:w3m"));
    assert!(said.contains("no terminal: BROWSER names w3m") && !said.contains("spoilt"), "{said}");
    assert!(place.given("w3m").is_none());
}

#[test]
fn a_browser_in_the_terminal_behind_another_keeps_none_from_opening() {
    let place = Place::new();
    place.browser("firefox", "");
    place.browser("w3m", "");
    assert!(said(&place.open("firefox:w3m")).contains("opened"));
    assert!(place.given("firefox").is_some() && place.given("w3m").is_none());
}

#[test]
fn the_desktop_s_choice_needs_a_terminal_if_it_says_so() {
    for browser in ["", "nosuchbrowser"] {
        let place = Place::new();
        // Were it started, it would take what another program has said to this one.
        place.browser("dillo", "read line; echo \"has taken $line\"");
        place.desktop("dillo", true);
        let said = said(&place.open_with(browser, "{\"jsonrpc\":\"2.0\"}\n"));
        assert!(said.contains("no terminal: the desktop names dillo"), "{said}");
        assert!(!said.contains("spoilt") && !said.contains("has taken"), "{said}");
        assert!(place.given("dillo").is_none());
    }
    // The same without its need is opened; and what `BROWSER` names goes before it.
    let place = Place::new();
    place.browser("dillo", "");
    place.desktop("dillo", false);
    assert!(said(&place.open("")).contains("opened") && place.given("dillo").is_some());
    let place = Place::new();
    place.browser("dillo", "");
    place.browser("firefox", "");
    place.desktop("dillo", true);
    assert!(said(&place.open("firefox")).contains("opened") && place.given("dillo").is_none());
}

#[test]
fn a_browser_that_stays_is_not_waited_for() {
    let place = Place::new();
    place.browser("firefox", "exec /bin/sleep 20");
    let began = Instant::now();
    assert!(said(&place.open("firefox")).contains("opened"));
    assert!(began.elapsed() < SLACK, "{:?}", began.elapsed());
}
