//! Pushed authorization requests (RFC 9126).

mod login;

use login::*;
use mcp_auth_testbed::{Browsed, Dials, PreRegistered, Purpose, Pushed};
use serde_json::json;

struct Session {
    memory: Memory,
    found: Found,
    client: Client,
}

impl Session {
    fn new(pushed: Pushed) -> Self {
        Self::with(Dials { pushed: Some(pushed), ..Dials::default() })
    }

    fn with(dials: Dials) -> Self {
        let mut memory = Memory::new(dials);
        let url = memory.world.server_url();
        let found = discover(&mut memory, &url);
        let client = register(&mut memory, &found, "none");
        Self { memory, found, client }
    }

    fn push(&mut self, change: &[(&str, Option<&str>)]) -> Answer {
        let url = authorization_url(&self.found, &self.client, "files:read", change);
        let pairs: Vec<(String, String)> =
            url::Url::parse(&url).unwrap().query_pairs().into_owned().collect();
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .filter(|(name, _)| name != "client_id")
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let endpoint = self.found.endpoint("pushed_authorization_request_endpoint");
        post_form(&mut self.memory, &endpoint, &self.client, &pairs)
    }

    fn pushed(&mut self) -> String {
        let answer = self.push(&[]);
        assert_eq!(answer.status(), 201, "{}", json_of(&answer));
        json_of(&answer)["request_uri"].as_str().unwrap().to_owned()
    }

    fn open(&mut self, request_uri: &str, more: &[(&str, &str)]) -> Browsed {
        let mut pairs = vec![("client_id", self.client.id.as_str()), ("request_uri", request_uri)];
        pairs.extend(more);
        let url = url::Url::parse_with_params(&self.found.endpoint("authorization_endpoint"), pairs).unwrap();
        self.memory.browse(url.as_str())
    }
}

fn is_page(browsed: &Browsed) -> bool {
    matches!(browsed, Browsed::Page { status: 400, .. })
}

#[test]
fn a_login_by_a_pushed_request() {
    for required in [false, true] {
        let mut session = Session::new(Pushed { required, ..Pushed::default() });
        let says = session.found.server.get("require_pushed_authorization_requests");
        assert_eq!(says, required.then_some(&json!(true)));
        let request_uri = session.pushed();
        assert!(request_uri.starts_with("urn:ietf:params:oauth:request_uri:"));
        let pairs = callback(&session.open(&request_uri, &[]));
        assert_eq!(value(&pairs, "state"), Some("the state"));
        let code = value(&pairs, "code").unwrap();
        let answer = redeem(&mut session.memory, &session.found, &session.client, code, &[]);
        assert_eq!(answer.status(), 200);
        assert_eq!(session.memory.world.count(Purpose::PushedAuthorization), 1);
        assert!(is_page(&session.open(&request_uri, &[])), "used twice");
    }
}

#[test]
fn a_plain_request_where_they_must_be_pushed() {
    let mut session = Session::new(Pushed { required: true, ..Pushed::default() });
    let url = authorization_url(&session.found, &session.client, "", &[]);
    let pairs = callback(&session.memory.browse(&url));
    assert_eq!((value(&pairs, "error"), value(&pairs, "code")), (Some("invalid_request"), None));
    let mut session = Session::new(Pushed::default());
    code(&mut session.memory, &session.found, &session.client, "");
}

#[test]
fn a_request_uri_is_for_its_client_and_its_minute_and_stands_alone() {
    let mut session = Session::new(Pushed::default());
    let first = session.pushed();
    assert!(is_page(&session.open(&first, &[("state", "x")])));
    // That did not use it up.
    assert!(!is_page(&session.open(&first, &[])));
    let second = session.pushed();
    let own = session.client.clone();
    session.client = register(&mut session.memory, &session.found, "none");
    assert!(is_page(&session.open(&second, &[])));
    session.client = own;
    let third = session.pushed();
    session.memory.now += 60;
    assert!(is_page(&session.open(&third, &[])));
    assert!(is_page(&session.open("urn:ietf:params:oauth:request_uri:unknown", &[])));
}

#[test]
fn what_is_pushed_is_judged_at_once() {
    let mut session = Session::new(Pushed::default());
    for (change, error) in [
        (("redirect_uri", Some("https://evil.example/")), "invalid_request"),
        (("redirect_uri", None), "invalid_request"),
        (("response_type", Some("token")), "unsupported_response_type"),
        (("code_challenge", None), "invalid_request"),
        (("resource", Some("https://evil.example")), "invalid_target"),
        (("scope", Some("unknown")), "invalid_scope"),
        (("request_uri", Some("urn:x")), "invalid_request"),
    ] {
        let answer = session.push(&[change]);
        assert_eq!((answer.status().as_u16(), error_of(&answer).as_str()), (400, error), "{change:?}");
    }
    session.client = Client { id: "unknown".to_owned(), ..session.client };
    assert_eq!(error_of(&session.push(&[])), "invalid_client");
}

#[test]
fn a_confidential_client_authenticates() {
    let clients = vec![PreRegistered::confidential("known", "secret", "client_secret_post", REDIRECT)];
    let mut session = Session::with(Dials { pushed: Some(Pushed::default()), clients, ..Dials::default() });
    let client = |secret: &str, method: &str| Client {
        id: "known".to_owned(),
        secret: Some(secret.to_owned()),
        method: method.to_owned(),
    };
    for wrong in
        [client("x", "client_secret_post"), client("secret", "client_secret_basic"), client("", "none")]
    {
        session.client = wrong;
        assert_eq!(error_of(&session.push(&[])), "invalid_client");
    }
    session.client = client("secret", "client_secret_post");
    let request_uri = session.pushed();
    let pairs = callback(&session.open(&request_uri, &[]));
    assert!(value(&pairs, "code").is_some());
}

#[test]
fn servers_differ() {
    let mut session = Session::new(Pushed { status: 200, forgotten: true, ..Pushed::default() });
    let answer = session.push(&[]);
    assert_eq!((answer.status().as_u16(), &json_of(&answer)["expires_in"]), (200, &json!(60)));
    let request_uri = json_of(&answer)["request_uri"].as_str().unwrap().to_owned();
    assert!(is_page(&session.open(&request_uri, &[])));

    let mut memory = Memory::new(Dials::default());
    assert_eq!(post_plain(&mut memory, "https://as.example/par", &[], &[]).status(), 404);
}

#[test]
fn the_query_of_the_endpoint_goes_with_it() {
    let mut session = Session::with(Dials {
        pushed: Some(Pushed::default()),
        authorization_query: "p=policy".to_owned(),
        ..Dials::default()
    });
    let request_uri = session.pushed();
    assert!(!is_page(&session.open(&request_uri, &[])));
    let lost = session.pushed();
    let url = format!("https://as.example/authorize?client_id={}&request_uri={lost}", session.client.id);
    assert!(is_page(&session.memory.browse(&url)));
}
