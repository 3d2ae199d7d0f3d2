//! What goes without TLS stays on this machine: a token for a loopback server, and what its authorization server is told.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::AUTHORIZATION;
use mcp_auth::Config;
use mcp_auth_reqwest::Error;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use support::{REDIRECT, Town, builder};

/// A builder with a proxy that would be taken for everything.
fn proxied(proxy: &Town) -> impl Fn() -> reqwest::ClientBuilder + Send + Sync + 'static {
    let proxy = proxy.origin.clone();
    move || reqwest::Client::builder().proxy(reqwest::Proxy::all(&proxy).unwrap())
}

#[tokio::test]
async fn a_loopback_server_is_reached_through_no_proxy() {
    for trust in [false, true] {
        let (town, proxy) = (Town::new(), Town::new());
        let client = town.builder().http(proxied(&proxy)).trust_proxy(trust).build().unwrap();
        assert_eq!(client.send(town.request("/mcp")).await.unwrap().status(), 200);
        assert_eq!((town.asked("/mcp"), town.logins()), (2, 1));
        let seen = proxy.records.lock().unwrap().asked.len();
        assert_eq!(seen, 0, "the proxy was shown {seen} requests; trust: {trust}");
    }
}

#[tokio::test]
async fn a_server_with_tls_is_still_reached_through_the_proxy() {
    let proxy = Town::new();
    let config = Config::new("https://mcp.example/mcp", "Visitor", REDIRECT);
    let client = builder(config).http(proxied(&proxy)).build().unwrap();
    let mut request = reqwest::Request::new(http::Method::GET, "https://mcp.example/mcp".parse().unwrap());
    request.headers_mut().insert(AUTHORIZATION, "Bearer the-callers-own".parse().unwrap());
    // The town is no proxy, and says so; but it was asked for the tunnel, and shown no more.
    assert!(matches!(client.send(request).await, Err(Error::Transport(_))));
    assert_eq!(proxy.asked("mcp.example:443"), 1);
}

/// A resolver of the host's own, which says of every name that it is elsewhere.
struct Elsewhere(Arc<AtomicUsize>);

impl Resolve for Elsewhere {
    fn resolve(&self, _: Name) -> Resolving {
        self.0.fetch_add(1, Ordering::SeqCst);
        let found: Addrs = Box::new(std::iter::once("192.0.2.2:0".parse().unwrap()));
        Box::pin(std::future::ready(Ok(found)))
    }
}

#[tokio::test]
async fn where_a_name_of_the_machine_leads_is_not_for_others_to_say() {
    let town = Town::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let server = town.server().as_str().replace("127.0.0.1", "localhost");
    let client = builder(Config::new(&server, "Visitor", REDIRECT))
        .http(move || reqwest::Client::builder().dns_resolver(Elsewhere(counted.clone())))
        .build()
        .unwrap();
    let mut request = reqwest::Request::new(http::Method::GET, server.parse().unwrap());
    request.headers_mut().insert(AUTHORIZATION, "Bearer the-callers-own".parse().unwrap());
    let answer = tokio::time::timeout(std::time::Duration::from_secs(10), client.send(request)).await;
    assert_eq!(answer.expect("the town answers").unwrap().status(), 401);
    assert_eq!((town.asked("/mcp"), asked.load(Ordering::SeqCst)), (1, 0));
}

#[tokio::test]
async fn an_address_elsewhere_is_not_sent_to_in_clear() {
    let town = Town::new();
    let client = town.builder().build().unwrap();
    for url in ["http://192.0.2.2/mcp", "http://[2001:db8::2]/mcp", "http://0.0.0.0/mcp"] {
        let mut request = reqwest::Request::new(http::Method::GET, url.parse().unwrap());
        request.headers_mut().insert(AUTHORIZATION, "Bearer the-callers-own".parse().unwrap());
        let sent = tokio::time::timeout(std::time::Duration::from_secs(10), client.send(request)).await;
        let error = sent.expect("an address is judged at once").unwrap_err();
        assert!(matches!(&error, Error::AddressRefused(_)), "{url}: {error:?}");
        assert!(error.to_string().contains("https"), "{error}");
    }
}
