//! What the tests share: a home directory, a person with a browser, and servers that do as they are told.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mcp_auth_testbed::{Browsed, Served};
use serde_json::Value;

use crate::recorded::{ran, recorded};

/// The program without anything of the environment that it would heed.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    for name in ["ID", "ISSUER", "SECRET", "METADATA_URL"] {
        command.env_remove(format!("MCP_CLIENT_{name}"));
    }
    for name in ["NO_PROXY", "no_proxy", "MCP_AUTH_STORE", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1");
    command
}

/// Everything that was said.
pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Standard output alone.
pub(crate) fn result(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The exit code; it must be this one.
#[track_caller]
pub(crate) fn ends_with(output: &Output, code: i32) -> String {
    let said = text(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// A home directory, which is deleted with the value.
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let place = std::env::temp_dir().join(format!("mcp-auth-cli-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).unwrap();
        let home = Self(place);
        // It only notes what it is to open; the test does what a person would.
        let script = format!("#!/bin/sh\nprintf '%s\\n' \"$1\" >> '{}'\n", home.path("opened").display());
        home.write("browser", &script);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(home.path("browser"), fs::Permissions::from_mode(0o700)).unwrap();
        }
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn program(&self) -> Command {
        let mut command = program();
        command
            .env("HOME", &self.0)
            .env("XDG_STATE_HOME", self.path("state"))
            .env("XDG_CONFIG_HOME", &self.0);
        command.env("XDG_DATA_HOME", &self.0).env("BROWSER", self.path("browser"));
        command.stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        ran(self.program().args(args))
    }

    /// The same, while a person is there who does what each browser is opened for.
    pub(crate) fn run_with_person(&self, served: &Served, args: &[&str]) -> Output {
        let mut command = self.program();
        command.args(args);
        self.attended(served, &mut command)
    }

    pub(crate) fn attended(&self, served: &Served, command: &mut Command) -> Output {
        recorded(command, |command| self.visited(served, command))
    }

    fn visited(&self, served: &Served, command: &mut Command) -> Output {
        let over = AtomicBool::new(false);
        let before = self.opened().len();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut done = before;
                while !over.load(Ordering::SeqCst) {
                    for url in self.opened().split_off(done) {
                        done += 1;
                        answer(served, &url);
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            let output = command.output();
            over.store(true, Ordering::SeqCst);
            output.unwrap()
        })
    }

    /// What the browser was opened with.
    pub(crate) fn opened(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("opened")).unwrap_or_default();
        text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
    }

    /// A home in which somebody has logged in.
    pub(crate) fn logged_in(served: &Served, options: &[&str]) -> Self {
        let home = Self::new();
        let url = served.server_url();
        let args: Vec<_> = ["login", &url].iter().chain(options).copied().collect();
        ends_with(&home.run_with_person(served, &args), 0);
        home
    }

    /// The files of one ending below `state`.
    pub(crate) fn files(&self, folder: &str, ending: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path("state/mcp-auth").join(folder)) else { return Vec::new() };
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.to_str().unwrap().ends_with(ending));
        files.sort();
        files
    }

    /// The one record.
    pub(crate) fn record(&self) -> PathBuf {
        let mut files = self.files("credentials", ".json");
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }

    /// What the record holds.
    pub(crate) fn credential(&self) -> Value {
        json_in(&self.record())["credential"].clone()
    }

    /// Changes the record behind the program's back.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Value)) {
        let file = self.record();
        let mut value = json_in(&file);
        change(&mut value["credential"]);
        fs::write(&file, value.to_string()).unwrap();
    }

    /// Lets the token run out, by its own word and the server's.
    pub(crate) fn expire(&self, served: &Served) {
        served.world().expire_access_tokens();
        self.change(|it| (it["obtained_at"], it["expires_at"]) = (1_000.into(), 2_000.into()));
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn json_in(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// Does what a person does with this URL: the servers answer at once, and the browser goes where they send it.
pub(crate) fn answer(served: &Served, url: &str) -> Option<String> {
    let browsed = served.world().browse(now(), url);
    let Browsed::Callback(callback) = browsed else { return None };
    Some(browse(&callback, None))
}

/// What the server at `url` answers to a GET, or to a POST of this form.
pub(crate) fn browse(url: &str, form: Option<&str>) -> String {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let (method, form) = form.map_or(("GET", ""), |form| ("POST", form));
    let mut stream = TcpStream::connect(host).unwrap();
    let kind = "application/x-www-form-urlencoded";
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: {kind}\r\n"
    )
    .unwrap();
    write!(stream, "Content-Length: {}\r\n\r\n{form}", form.len()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// What stands in `text` between the two.
pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Work that blocks, on a thread of a runtime that serves meanwhile.
pub(crate) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// A server that does this with each of its connections, once it was asked for something; and what it was asked.
pub(crate) fn server(
    serve: impl Fn(TcpStream) + Clone + Send + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let kept = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, serve, kept) = (stream.unwrap(), serve.clone(), kept.clone());
            std::thread::spawn(move || {
                let mut head = [0; 8192];
                let length = stream.read(&mut head).unwrap_or(0);
                kept.lock().unwrap().push(String::from_utf8_lossy(&head[..length]).into_owned());
                serve(stream);
            });
        }
    });
    (origin, asked)
}

/// What a child says and how it ends, which must come within this many seconds.
pub(crate) fn ended(mut child: Child, seconds: u64) -> Output {
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_secs(seconds) {
            child.kill().unwrap();
            panic!("it goes on for more than {seconds} s: {}", text(&child.wait_with_output().unwrap()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

/// The same of a command that is begun here.
pub(crate) fn ended_within(command: &mut Command, seconds: u64) -> Output {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    recorded(command, |command| ended(command.spawn().unwrap(), seconds))
}
