//! How the program ends when it is told to.

#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mcp_auth_testbed::{Dials, Purpose, serve};

use crate::recorded::recorded;
use crate::support::{Home, blocking, ended, ends_with, server};

fn signal(child: &Child, name: &str) {
    let told = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(told.success());
}

fn begun(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_while_the_browser_is_waited_for_ends_at_once_and_frees_the_port() {
    let served = serve(Dials::default()).await.unwrap();
    let (home, url) = (Home::new(), served.server_url());
    for name in ["INT", "TERM"] {
        let output = blocking(|| {
            recorded(home.program().args(["login", "--no-browser", &url]), |command| {
                let mut child = begun(command);
                let errors = child.stderr.take().unwrap();
                let mut lines = BufReader::new(errors).lines().map(Result::unwrap);
                assert!(lines.any(|it| it.contains("http://")));
                signal(&child, name);
                let began = Instant::now();
                let output = ended(child, 10);
                assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
                output
            })
        });
        ends_with(&output, 130);
    }
    assert!(home.files("credentials", ".json").is_empty());
    assert_eq!(served.world().count(Purpose::Token), 0);
}

#[test]
fn ctrl_c_while_a_server_says_nothing_ends_at_once() {
    let (origin, asked) = server(|_| std::thread::sleep(Duration::from_secs(20)));
    let home = Home::new();
    recorded(home.program().args(["call", &format!("{origin}/mcp"), "tools/list"]), |command| {
        let child = begun(command);
        let began = Instant::now();
        while asked.lock().unwrap().is_empty() && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(10));
        }
        signal(&child, "INT");
        let began = Instant::now();
        ends_with(&ended(child, 10), 130);
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    });
}

/// The answer of a refresh is the only copy of the next token.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_under_way_is_brought_to_its_end_and_kept() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    home.expire(&served);
    // The token endpoint is behind somebody who takes a while to pass things on.
    let endpoint = home.credential()["authorization_server"]["token_endpoint"].as_str().unwrap().to_owned();
    let behind = endpoint.strip_prefix("http://").unwrap().split_once('/').unwrap().0.to_owned();
    let (front, asked) = slow(behind);
    let before = home.credential();
    home.change(|it| it["authorization_server"]["token_endpoint"] = front.clone().into());
    blocking(|| {
        let output = recorded(home.program().args(["call", &url, "tools/list"]), |command| {
            let child = begun(command);
            asked.recv_timeout(Duration::from_secs(10)).unwrap();
            signal(&child, "INT");
            ended(child, 10)
        });
        let said = ends_with(&output, 130);
        assert!(said.contains("is brought to its end first"), "{said}");
    });
    assert_eq!(served.world().count(Purpose::Refresh), 1);
    let kept = home.credential();
    assert_ne!(kept["refresh_token"], before["refresh_token"], "what came was lost");
    let live = served.world().live_refresh_tokens(crate::support::now());
    assert_eq!(kept["refresh_token"], live[0].as_str());
    // And so the next run needs nothing.
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 0);
    assert_eq!(served.world().count(Purpose::Refresh), 1);
}

/// Passes one request on to `behind`, and its answer back after a second.
fn slow(behind: String) -> (String, std::sync::mpsc::Receiver<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().to_string();
    let url = format!("http://{own}/token");
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = std::net::TcpStream::connect(&behind).unwrap();
        let mut bytes = vec![0; 65536];
        let mut request = String::new();
        while !request.contains("resource=") {
            let length = client.read(&mut bytes).unwrap();
            request.push_str(std::str::from_utf8(&bytes[..length]).unwrap());
        }
        // The server knows itself by its own name only.
        server.write_all(request.replace(&own, &behind).as_bytes()).unwrap();
        let length = server.read(&mut bytes).unwrap();
        sender.send(()).unwrap();
        std::thread::sleep(Duration::from_secs(1));
        let _ = client.write_all(&bytes[..length]);
    });
    (url, asked)
}
