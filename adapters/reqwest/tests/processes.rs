//! Eight processes with one store of files and one token that is of no use any more.

mod served;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mcp_auth::{Callback, Config, Scopes, Timestamp};
use mcp_auth_reqwest::{Answers, BoxFuture, Consent};
use mcp_auth_store::FileStore;
use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{Browsed, Dials, Purpose, Rotation, Served, serve};
use served::builder;
use url::Url;

const PROCESSES: usize = 8;
const REDIRECT: &str = "http://127.0.0.1:3000/callback";
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

struct Person(std::sync::Arc<std::sync::Mutex<mcp_auth_testbed::World>>);

impl Consent for Person {
    fn open(&self, url: Url, _: Timestamp) -> Box<dyn Answers> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let browsed = self.0.lock().unwrap().browse(now, url.as_str());
        let Browsed::Callback(url) = browsed else { panic!("nobody is sent back: {browsed:?}") };
        Box::new(Answer(Some(url)))
    }
}

struct Answer(Option<String>);

impl Answers for Answer {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        match self.0.take() {
            Some(url) => Box::pin(std::future::ready(Ok(Callback::new(url)))),
            None => Box::pin(std::future::pending()),
        }
    }
}

fn store(folder: &Path) -> FileStore {
    FileStore::new(folder.join("store")).unwrap()
}

async fn logged_in(dials: Dials, folder: &Path) -> Served {
    let served = serve(dials).await.unwrap();
    let config = Config::new(served.server_url(), "Processes", REDIRECT);
    let client = builder(config).consent(Person(served.world.clone())).store(store(folder)).build().unwrap();
    client.log_in(Scopes::new()).await.unwrap();
    served
}

/// Starts the processes, lets them go all at once, and waits for each to have had its answer.
async fn eight(served: &Served, folder: &Path) {
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
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    std::fs::write(folder.join("go"), "").unwrap();
    for child in &mut children {
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None => tokio::time::sleep(Duration::from_millis(10)).await,
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = Config::new(&server, "Processes", REDIRECT);
        let client = builder(config).store(store(&folder)).build().unwrap();
        std::fs::write(folder.join(format!("ready-{}", std::process::id())), "").unwrap();
        while !folder.join("go").exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let request = call::tool(&server, Wire::Stateless, "echo", "a text").unwrap();
        let response = client.send(reqwest::Request::try_from(request).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_token_is_refreshed_once() {
    let folder = Folder::new("expired");
    let dials = Dials { rotation: Rotation::Strict, access_lifetime: 1, ..Dials::default() };
    let served = logged_in(dials, &folder.0).await;
    served.world().dials_mut().access_lifetime = 3600;
    tokio::time::sleep(Duration::from_secs(2)).await;
    eight(&served, &folder.0).await;
    let refreshes = served.world().refreshes().len();
    println!("{PROCESSES} processes, one expired token: {refreshes} refresh");
    assert_eq!(refreshes, 1);
    assert_eq!(served.world().count(Purpose::Authorize), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_is_refreshed_once() {
    let folder = Folder::new("refused");
    let dials = Dials { rotation: Rotation::Strict, refresh_ends_access: true, ..Dials::default() };
    let served = logged_in(dials, &folder.0).await;
    for round in 1..=3 {
        served.world().expire_access_tokens();
        eight(&served, &folder.0).await;
        assert_eq!(served.world().refreshes().len(), round);
    }
    assert_eq!(served.world().count(Purpose::Authorize), 1);
}
