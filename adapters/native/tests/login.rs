//! Whole logins over sockets, with the testbed's servers and a browser that follows where it is sent.

#[path = "../../host/tests/rig/replayed.rs"]
mod replayed;

use std::sync::mpsc;
use std::time::Duration;

use mcp_auth::{Config, Kind, Scopes};
use mcp_auth_native::{Browser, Listener, Loopback, Name};
use mcp_auth_reqwest::{Client, Error};
use mcp_auth_testbed::{Dials, Person, Served, serve};

const PATIENCE: Duration = Duration::from_secs(20);

/// A browser without a window: goes where it is sent, and tells what page it ends with.
fn browser(listener: Listener) -> (Browser, mpsc::Receiver<String>) {
    let (sender, pages) = mpsc::channel();
    let show = move |url: &url::Url, _| {
        let (sender, url) = (sender.clone(), url.clone());
        tokio::spawn(async move {
            let page = reqwest::get(url).await.unwrap().text().await.unwrap();
            sender.send(page).unwrap();
        });
    };
    (Browser::new(listener, show).left_to_the_person(), pages)
}

fn client(served: &Served, name: Name) -> (Client, mpsc::Receiver<String>) {
    let listener = Loopback::new("Example").name(name).listen().unwrap();
    let config = Config::new(served.server_url(), "Example", listener.redirect_uri());
    let (browser, pages) = browser(listener);
    (Client::builder(config).consent(browser).record(replayed::lines()).build().unwrap(), pages)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_ends_where_the_login_does() {
    let served = serve(Dials::default()).await.unwrap();
    for name in [Name::Ipv4, Name::Localhost] {
        let (client, pages) = client(&served, name);
        // Twice, as for a step-up: on the same redirect URI.
        for scope in ["", "files:write"] {
            client.log_in(scope.parse().unwrap()).await.unwrap();
            let page = pages.recv_timeout(PATIENCE).unwrap();
            assert!(
                page.contains("You are logged in") && page.contains("<strong>Example</strong>"),
                "{page}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_is_told_of_a_refusal() {
    let served = serve(Dials { person: Person::Denies, ..Dials::default() }).await.unwrap();
    let (client, pages) = client(&served, Name::default());
    let refused = client.log_in(Scopes::new()).await.unwrap_err();
    assert!(matches!(refused, Error::Failure(failure) if failure.kind() == Kind::AccessDenied));
    let page = pages.recv_timeout(PATIENCE).unwrap();
    assert!(page.contains("Access was not granted") && page.contains("access_denied"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_another_login_does_not_end_this_one() {
    let served = serve(Dials::default()).await.unwrap();
    let listener = Loopback::new("Example").listen().unwrap();
    let (redirect_uri, (sender, pages)) = (listener.redirect_uri(), mpsc::channel());
    let config = Config::new(served.server_url(), "Example", &redirect_uri);
    let show = move |url: &url::Url, _| {
        let (sender, url, foreign) =
            (sender.clone(), url.clone(), format!("{redirect_uri}?state=x&error=access_denied"));
        tokio::spawn(async move {
            // The attacker is first.
            let stranger = tokio::spawn(async { reqwest::get(foreign).await.unwrap().text().await.unwrap() });
            tokio::time::sleep(Duration::from_millis(200)).await;
            let page = reqwest::get(url).await.unwrap().text().await.unwrap();
            sender.send((stranger.await.unwrap(), page)).unwrap();
        });
    };
    let browser = Browser::new(listener, show).left_to_the_person();
    let client = Client::builder(config).consent(browser).record(replayed::lines()).build().unwrap();
    client.log_in(Scopes::new()).await.unwrap();
    let (stranger, page) = pages.recv_timeout(PATIENCE).unwrap();
    assert!(stranger.contains("Nobody waits for this login"), "{stranger}");
    assert!(page.contains("You are logged in"), "{page}");
}
