//! What is never done: a token elsewhere, a redirect followed, a limit passed.

mod support;

use std::io::{Cursor, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use http::Request;
use http::header::{AUTHORIZATION, LOCATION};
use mcp_auth::{Kind, Policy, Scopes};
use mcp_auth_ureq::Error;
use mcp_auth_ureq::ureq::{self, SendBody};
use serde_json::json;
use support::{Reply, Town};

fn failure(result: Result<mcp_auth::Authorized, Error>) -> (Kind, String) {
    match result {
        Err(Error::Failure(failure)) => (failure.kind(), format!("{failure:#}")),
        other => panic!("a failure was expected, not {other:?}"),
    }
}

#[test]
fn a_request_outside_the_resource_is_not_sent() {
    let town = Town::new();
    let elsewhere = Town::new();
    let client = town.builder().build().unwrap();
    client.log_in(Scopes::new()).unwrap();
    for request in [town.request("/mcpx?token=q"), town.request("/"), elsewhere.request("/mcp")] {
        let error = client.send(request).unwrap_err();
        assert!(matches!(error, Error::OutsideResource { .. }), "{error}");
        assert!(!error.to_string().contains("token=q"), "{error}");
    }
    assert_eq!((town.asked("/mcpx?token=q"), town.asked("/"), elsewhere.asked("/mcp")), (0, 0, 0));
}

#[test]
fn a_redirect_is_given_back() {
    let elsewhere = Town::new();
    let target = format!("{}/mcp", elsewhere.origin);
    let location = target.clone();
    let town = Town::with(Duration::ZERO, move |asked| {
        let authorized = asked.path == "/mcp" && asked.fields.contains_key("authorization");
        authorized.then(|| Reply::new(307, &json!({})).field("location", &location))
    });
    let client = town.builder().build().unwrap();
    let response = client.send(town.request("/mcp")).unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()[LOCATION].to_str().unwrap()),
        (307, target.as_str())
    );
    assert_eq!(elsewhere.asked("/mcp"), 0);
}

#[test]
fn an_authorization_exchange_follows_no_redirect() {
    let town = Town::with(Duration::ZERO, |asked| {
        (asked.path == "/token").then(|| Reply::new(307, &json!({})).field("location", "/elsewhere"))
    });
    let client = town.builder().build().unwrap();
    let (kind, _) = failure(client.log_in(Scopes::new()));
    assert_eq!((kind, town.asked("/elsewhere")), (Kind::Redirected, 0));
}

#[test]
fn a_header_of_the_callers_own_is_left_alone() {
    let town = Town::new();
    let client = town.builder().build().unwrap();
    client.log_in(Scopes::new()).unwrap();
    let mut request = town.request("/mcp");
    request.headers_mut().insert(AUTHORIZATION, "Bearer the-callers-own".parse().unwrap());
    assert_eq!(client.send(request).unwrap().status(), 401);
    let records = town.records.lock().unwrap();
    let sent: Vec<_> =
        records.asked.iter().filter_map(|asked| asked.fields.get("authorization")).cloned().collect();
    assert_eq!((sent, records.logins), (vec!["Bearer the-callers-own".to_owned()], 1));
}

#[test]
fn an_answer_that_is_too_large_is_not_read() {
    let town = Town::with(Duration::ZERO, |asked| {
        let metadata = asked.path.starts_with("/.well-known/oauth-authorization-server");
        metadata.then(|| Reply::new(200, &json!({"filler": "x".repeat(4 << 20)})))
    });
    let client = town.builder().build().unwrap();
    let (kind, text) = failure(client.log_in(Scopes::new()));
    assert_eq!(kind, Kind::TooLarge, "{text}");
}

#[test]
fn an_answer_at_the_limit_is_read() {
    // The limit is set to the length of the real document, and then to one byte less.
    for (spare, expected) in [(0, None), (1, Some(Kind::TooLarge))] {
        let town = Town::new();
        let document = text(&format!("{}/.well-known/oauth-authorization-server", town.origin));
        let policy = Policy::with(|it| it.metadata_bytes = document.len() - spare);
        let client = town.builder_with(town.config().policy(policy), support::Person::new(&town)).build();
        let result = client.unwrap().log_in(Scopes::new());
        assert_eq!(result.err().map(|error| failure(Err(error)).0), expected);
    }
}

fn text(url: &str) -> String {
    let url: url::Url = url.parse().unwrap();
    let mut stream = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).unwrap();
    stream.write_all(format!("GET {} HTTP/1.1\r\n\r\n", url.path()).as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn an_exchange_that_hangs_is_given_up_at_its_deadline() {
    let town = Town::with(Duration::ZERO, |asked| {
        (asked.path == "/token")
            .then(|| Reply { delay: Duration::from_secs(3600), ..Reply::new(200, &json!({})) })
    });
    let policy = Policy::with(|it| it.exchange_time = Duration::from_secs(1));
    let client =
        town.builder_with(town.config().policy(policy), support::Person::new(&town)).build().unwrap();
    let begun = Instant::now();
    let (kind, text) = failure(client.log_in(Scopes::new()));
    assert_eq!(kind, Kind::TimedOut, "{text}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_port_where_nobody_listens_is_unreachable() {
    let town = Town::with(Duration::ZERO, |asked| {
        let document = json!({"resource": format!("http://{}/mcp", asked.fields["host"]),
            "authorization_servers": ["http://127.0.0.1:1"]});
        asked.path.starts_with("/.well-known/oauth-protected").then(|| Reply::new(200, &document))
    });
    let client = town.builder().build().unwrap();
    let (kind, text) = failure(client.log_in(Scopes::new()));
    assert_eq!(kind, Kind::Unreachable, "{text}");
}

#[test]
fn the_callers_own_request_fails_without_its_query() {
    let client =
        support::builder(mcp_auth::Config::new("http://127.0.0.1:1/mcp", "Visitor", support::REDIRECT));
    let client = client.build().unwrap();
    let error = client.send(Request::get("http://127.0.0.1:1/mcp?key=hush").body(()).unwrap()).unwrap_err();
    assert!(matches!(error, Error::Transport { .. }));
    assert!(error.to_string().starts_with("http://127.0.0.1:1/mcp: io: Connection refused"), "{error}");
    let relative = client.send(Request::get("/mcp?key=hush").body(()).unwrap()).unwrap_err();
    assert!(matches!(relative, Error::Url { .. }));
    for error in [error, relative] {
        assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    }
}

#[test]
fn a_builder_of_the_hosts_own_is_used_but_not_its_redirects() {
    let town = Town::with(Duration::ZERO, |asked| {
        (asked.path == "/mcp/away").then(|| Reply::new(302, &json!({})).field("location", "/mcp"))
    });
    // As strict as can be, and with roots that are not in this build.
    let factory = || {
        let builder = ureq::Agent::config_builder().user_agent("the-hosts-own").http_status_as_error(true);
        builder.max_redirects(5).max_redirects_will_error(true)
    };
    let client = town.builder().http(factory).build().unwrap();
    client.log_in(Scopes::new()).unwrap();
    assert_eq!(client.send(town.request("/mcp/away")).unwrap().status(), 302);
    let records = town.records.lock().unwrap();
    assert!(records.asked.iter().all(|asked| asked.fields["user-agent"] == "the-hosts-own"));
}

#[test]
fn a_configuration_that_cannot_be_used_is_refused() {
    let config = mcp_auth::Config::new("ftp://mcp.example", "Visitor", support::REDIRECT);
    assert!(matches!(support::builder(config).build(), Err(Error::Configuration(_))));
}

#[test]
fn a_body_that_can_be_read_once_is_sent_once() {
    let town = Town::new();
    let client = town.builder().build().unwrap();
    let once = || {
        let body = SendBody::from_owned_reader(Cursor::new("whole"));
        Request::post(town.server().as_str()).body(body).unwrap()
    };
    // A stream has no length, and the town knows no chunks.
    let sent = |mut request: Request<SendBody<'static>>| {
        request.headers_mut().insert("content-length", "5".parse().unwrap());
        client.send(request).unwrap().status()
    };
    assert_eq!(sent(once()), 401);
    assert_eq!((town.asked("/mcp"), town.logins()), (1, 0));
    client.log_in(Scopes::new()).unwrap();
    assert_eq!(sent(once()), 200);
    let records = town.records.lock().unwrap();
    assert!(records.asked.iter().filter(|asked| asked.path == "/mcp").all(|asked| asked.body == b"whole"));
}

#[test]
fn a_body_that_is_given_whole_is_sent_again() {
    let town = Town::new();
    let client = town.builder().build().unwrap();
    let request = Request::post(town.server().as_str()).body("whole").unwrap();
    assert_eq!(client.send(request).unwrap().status(), 200);
    let records = town.records.lock().unwrap();
    let bodies: Vec<_> =
        records.asked.iter().filter(|asked| asked.path == "/mcp").map(|it| &it.body).collect();
    assert_eq!(bodies, [b"whole", b"whole"]);
}

/// Dots lead elsewhere once they are resolved, and it is the server that resolves them.
#[test]
fn what_is_sent_is_what_was_judged() {
    let town = Town::new();
    let client = town.builder().build().unwrap();
    client.log_in(Scopes::new()).unwrap();
    let error = client.send(town.request("/mcp/../private")).unwrap_err();
    assert!(matches!(error, Error::OutsideResource { .. }), "{error}");
    assert_eq!(client.send(town.request("/private/../mcp")).unwrap().status(), 200);
    assert_eq!((town.asked("/mcp"), town.asked("/private/../mcp")), (1, 0));
}

/// A configuration for one request alone would undo what is set for all.
#[test]
fn a_request_brings_no_configuration_of_its_own() {
    let (town, elsewhere) = (Town::new(), Town::new());
    let client = town.builder().build().unwrap();
    client.log_in(Scopes::new()).unwrap();
    let agent = ureq::Agent::new_with_defaults();
    let request = agent.configure_request(town.request("/mcp"));
    let proxy = ureq::Proxy::new(&elsewhere.origin).unwrap();
    let request = request.proxy(Some(proxy)).http_status_as_error(true).build();
    assert_eq!(client.send(request).unwrap().status(), 200);
    assert_eq!(elsewhere.records.lock().unwrap().asked.len(), 0);
}
