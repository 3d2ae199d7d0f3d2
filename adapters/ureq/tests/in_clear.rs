//! What goes without TLS stays on this machine: a token for a loopback server, and what its authorization server is told.

mod support;

use std::time::{Duration, Instant};

use http::Request;
use http::header::AUTHORIZATION;
use mcp_auth::Config;
use mcp_auth_ureq::ureq::config::ConfigBuilder;
use mcp_auth_ureq::ureq::typestate::AgentScope;
use mcp_auth_ureq::{Error, ureq};
use support::{REDIRECT, Town, builder};

/// A configuration with a proxy that would be taken for everything.
fn proxied(proxy: &Town) -> impl Fn() -> ConfigBuilder<AgentScope> + Send + Sync + 'static {
    let proxy = proxy.origin.clone();
    move || ureq::Agent::config_builder().proxy(Some(ureq::Proxy::new(&proxy).unwrap()))
}

#[test]
fn a_loopback_server_is_reached_through_no_proxy() {
    for trust in [false, true] {
        let (town, proxy) = (Town::new(), Town::new());
        let client = town.builder().http(proxied(&proxy)).trust_proxy(trust).build().unwrap();
        assert_eq!(client.send(town.request("/mcp")).unwrap().status(), 200);
        assert_eq!((town.asked("/mcp"), town.logins()), (2, 1));
        let seen = proxy.records.lock().unwrap().asked.len();
        assert_eq!(seen, 0, "the proxy was shown {seen} requests; trust: {trust}");
    }
}

#[test]
fn a_server_with_tls_is_still_reached_through_the_proxy() {
    let proxy = Town::new();
    let config = Config::new("https://mcp.example/mcp", "Visitor", REDIRECT);
    let client = builder(config).http(proxied(&proxy)).build().unwrap();
    let request = own("https://mcp.example/mcp");
    // The town is no proxy, and says so; but it was asked for the tunnel, and shown no more.
    assert!(matches!(client.send(request), Err(Error::Transport { .. })));
    assert_eq!(proxy.asked("mcp.example:443"), 1);
}

#[test]
fn a_server_without_a_proxy_in_the_configuration_is_reached_through_the_environments() {
    // Set for this process before any other thread is there would be unsafe; so for one of its own.
    let Ok(server) = std::env::var("MCP_AUTH_TEST_SERVER") else {
        let (town, proxy) = (Town::new(), Town::new());
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "a_server_without_a_proxy_in_the_configuration_is_reached_through_the_environments",
            ])
            .env("MCP_AUTH_TEST_SERVER", town.server().as_str())
            .env("ALL_PROXY", &proxy.origin)
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .output()
            .unwrap();
        assert!(status.status.success(), "{status:?}");
        // What is in clear went to the town itself, and of what has TLS only the caller's own went to the proxy.
        assert_eq!(town.asked("/mcp"), 1);
        let asked = proxy.records.lock().unwrap().asked.clone();
        let asked: Vec<_> = asked.iter().map(|asked| asked.path.clone()).collect();
        assert_eq!(asked, ["127.0.0.1:1"]);
        return;
    };
    let client = builder(Config::new(&server, "Visitor", REDIRECT)).build().unwrap();
    assert_eq!(client.send(own(&server)).unwrap().status(), 401);
    let far = builder(Config::new("https://127.0.0.1:1/mcp", "Visitor", REDIRECT)).build().unwrap();
    assert!(far.send(own("https://127.0.0.1:1/mcp")).is_err());
    // Authorization exchanges.
    assert!(far.log_in(mcp_auth::Scopes::new()).is_err());
}

#[test]
fn an_address_elsewhere_is_not_sent_to_in_clear() {
    let town = Town::new();
    let client = town.builder().build().unwrap();
    for url in ["http://192.0.2.2/mcp", "http://[2001:db8::2]/mcp", "http://0.0.0.0/mcp"] {
        let begun = Instant::now();
        let error = client.send(own(url)).unwrap_err();
        assert!(matches!(&error, Error::AddressRefused(_)), "{url}: {error:?}");
        assert!(error.to_string().contains("https"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(5), "an address is judged at once");
    }
}

fn own(url: &str) -> Request<()> {
    Request::get(url).header(AUTHORIZATION, "Bearer the-callers-own").body(()).unwrap()
}
