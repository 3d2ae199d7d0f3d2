//! Eight processes with one store of files and one token that is of no use any more.

mod served;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mcp_auth::{Callback, Config, Scopes, Timestamp, TokenSource};
use mcp_auth_store::FileStore;
use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{Dials, Purpose, Rotation, Served};
use mcp_auth_ureq::{Answers, BoxFuture, Consent};
use served::{Person, REDIRECT, Serving, builder, serve};
use url::Url;

const PROCESSES: usize = 8;
const SERVER: &str = "MCP_AUTH_TEST_SERVER";
const FOLDER: &str = "MCP_AUTH_TEST_FOLDER";

/// A folder that goes when the test does.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mcp-auth-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn store(folder: &Path) -> FileStore {
    FileStore::new(folder.join("store")).unwrap()
}

fn logged_in(dials: Dials, folder: &Path) -> Serving {
    let served = serve(dials);
    let config = Config::new(served.server_url(), "Processes", REDIRECT);
    let client = builder(config).consent(Person(served.world.clone())).store(store(folder)).build().unwrap();
    client.log_in(Scopes::new()).unwrap();
    served
}

/// Starts the processes, lets them go all at once, and waits for each to have had its answer.
fn eight(served: &Served, folder: &Path) {
    let start = |_| -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "one_of_the_processes", "--ignored", "--nocapture"])
            .env(SERVER, served.server_url())
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap()
    };
    let mut children: Vec<_> = (0..PROCESSES).map(start).collect();
    let ready = |number: &usize| folder.join(format!("ready-{}", children[*number].id())).exists();
    let begun = Instant::now();
    while (0..PROCESSES).filter(ready).count() < PROCESSES {
        assert!(begun.elapsed() < Duration::from_secs(60), "the processes do not start");
        thread::sleep(Duration::from_millis(10));
    }
    std::fs::write(folder.join("go"), "").unwrap();
    for child in &mut children {
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None => thread::sleep(Duration::from_millis(10)),
            }
            assert!(begun.elapsed() < Duration::from_secs(120), "a process does not end");
        };
        assert!(status.success());
    }
    std::fs::remove_file(folder.join("go")).unwrap();
}

#[test]
#[ignore = "the others start it"]
fn one_of_the_processes() {
    let (Ok(server), Ok(folder)) = (std::env::var(SERVER), std::env::var(FOLDER)) else { return };
    let folder = PathBuf::from(folder);
    let config = Config::new(&server, "Processes", REDIRECT);
    let client = builder(config).store(store(&folder)).build().unwrap();
    std::fs::write(folder.join(format!("ready-{}", std::process::id())), "").unwrap();
    while !folder.join("go").exists() {
        thread::sleep(Duration::from_millis(1));
    }
    let request = call::tool(&server, Wire::Stateless, "echo", "a text").unwrap();
    assert_eq!(client.send(request).unwrap().status(), 200);
}

#[test]
fn an_expired_token_is_refreshed_once() {
    let folder = Folder::new("expired");
    let dials = Dials { rotation: Rotation::Strict, access_lifetime: 1, ..Dials::default() };
    let served = logged_in(dials, &folder.0);
    served.world().dials_mut().access_lifetime = 3600;
    thread::sleep(Duration::from_secs(2));
    eight(&served, &folder.0);
    let refreshes = served.world().refreshes().len();
    println!("{PROCESSES} processes, one expired token: {refreshes} refresh");
    assert_eq!(refreshes, 1);
    assert_eq!(served.world().count(Purpose::Authorize), 1);
}

#[test]
fn a_refused_token_is_refreshed_once() {
    let folder = Folder::new("refused");
    let dials = Dials { rotation: Rotation::Strict, refresh_ends_access: true, ..Dials::default() };
    let served = logged_in(dials, &folder.0);
    for round in 1..=3 {
        served.world().expire_access_tokens();
        eight(&served, &folder.0);
        assert_eq!(served.world().refreshes().len(), round);
    }
    assert_eq!(served.world().count(Purpose::Authorize), 1);
}

/// A person who never answers: the process ends when it has opened the browser.
struct Absent;

impl Consent for Absent {
    fn open(&self, _: Url, _: Timestamp) -> Box<dyn Answers> {
        println!("the browser is open");
        Box::new(Self)
    }
}

impl Answers for Absent {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        // As blocking code would.
        Box::pin(async {
            loop {
                thread::park();
            }
        })
    }
}

#[test]
#[ignore = "the others start it"]
fn one_that_is_left_in_the_middle_of_a_login() {
    let (Ok(server), Ok(folder)) = (std::env::var(SERVER), std::env::var(FOLDER)) else { return };
    let config = Config::new(&server, "Processes", REDIRECT);
    let client = builder(config).store(store(&PathBuf::from(folder))).consent(Absent).build().unwrap();
    client.restore().unwrap().unwrap();
    thread::spawn(move || client.log_in("more".parse().unwrap()));
    thread::sleep(Duration::from_secs(1));
    // The login waits for the person, the thread for the login, and nobody for either.
    std::process::exit(7);
}

#[test]
fn a_process_that_exits_amid_a_login_loses_nothing() {
    let folder = Folder::new("exits");
    let served = logged_in(Dials::default(), &folder.0);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "one_that_is_left_in_the_middle_of_a_login", "--ignored", "--nocapture"])
        .env(SERVER, served.server_url())
        .env(FOLDER, &folder.0)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("the browser is open"), "{output:?}");
    // What it had is there, and not held by it.
    let config = Config::new(served.server_url(), "Processes", REDIRECT);
    let client = builder(config).store(store(&folder.0)).build().unwrap();
    assert_eq!(client.restore().unwrap().unwrap().source, TokenSource::Kept);
    served.world().expire_access_tokens();
    let request = call::tool(&served.server_url(), Wire::Stateless, "echo", "a text").unwrap();
    assert_eq!(client.send(request).unwrap().status(), 200);
    assert_eq!(served.world().refreshes().len(), 1);
    assert_eq!(served.world().count(Purpose::Authorize), 1);
}
