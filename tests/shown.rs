//! What a log shows of the values that go in and out: what they are, so that it is of use, and none of what they hold in secret.
//! (That no secret is shown, the watch sees in every other test.)

mod support;

use mcp_auth::trace::{Names, Recorder, Trace};
use mcp_auth::wire::device::DeviceAuthorization;
use mcp_auth::{Action, Config, Event, GrantType, Guard, ProofKey, Reach, Scopes, Secret, Seed};
use mcp_auth_testbed::{Confirmation, Device, Dials, Dpop};
use support::{PROOF_KEY, REDIRECT, Rig, public, signer};

/// The `Debug` of every action and every event of a login, one to a line.
fn log(mut rig: Rig) -> (Rig, String) {
    let mut log = String::new();
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    for _ in 0..200 {
        let action = rig.poll();
        log.push_str(&format!("{action:?}\n{:?}\n", rig.auth));
        let event = match action {
            Action::Finish(outcome) => {
                outcome.unwrap();
                return (rig, log);
            }
            Action::Wait(_) if !rig.opened.is_empty() => Some(rig.consent()),
            Action::Wait(until) => {
                rig.now = until.unwrap().as_secs();
                Some(Event::Tick)
            }
            action => rig.answer(action),
        };
        if let Some(event) = event {
            log.push_str(&format!("{event:?}\n"));
            rig.tell(event);
        }
    }
    panic!("the login does not end\n{log}");
}

fn shows(log: &str, what: &[&str]) {
    for what in what {
        assert!(log.contains(what), "{what} is not in\n{log}");
    }
}

#[test]
fn a_login_says_what_it_does() {
    let dials = Dials { dpop: Some(Dpop::default()), ..Dials::default() };
    let mut rig = Rig::with(dials, |config| config.proof_key(ProofKey::new(public(&PROOF_KEY)).always()));
    rig.signer = signer();
    let (rig, log) = log(rig);
    shows(
        &log,
        &[
            "Load(Load { ",
            "key: Key { server: \"https://mcp.example/mcp\", account: None }",
            "Replied(Reply { id: 1, answer: \"no credential\" })",
            "answer: \"a response\"",
            "Send(Send { id: RequestId(2), purpose: ResourceMetadata, method: GET, uri: \"https://mcp.example/",
            "FindingResource { fetch: Fetch { purpose: ResourceMetadata, url: \"https://mcp.example/.well-known/oauth-protected-resource/mcp\"",
            "Sign(Sign { key: Proof, algorithm: EdDsa, .. })",
            "answer: \"a signature\"",
            "Open(Open { url: \"https://as.example/authorize\", until: ",
            "Called(Callback(…))",
            "Terms { server: AuthorizationServer {",
            "Letter { purpose: Token, to: \"https://as.example/token\"",
            "Resource { identifier: \"https://mcp.example/mcp\", metadata: Some(",
            "Credential { version: ",
            "Finish(Ok(Authorized(Authorized { generation: ",
            "source: LoggedIn, issuer: \"https://as.example\"",
        ],
    );
    let key = rig.store.keys().next().unwrap();
    assert_eq!(format!("{key:?}"), "Key { server: \"https://mcp.example/mcp\", account: None }");
}

#[test]
fn a_login_by_device_says_what_is_shown_but_not_the_code() {
    let dials = Dials {
        device: Some(Device { confirmation: Confirmation::AtPoll(2), ..Device::default() }),
        ..Dials::default()
    };
    let (rig, log) = log(Rig::with(dials, |config| config.grant_type(GrantType::DeviceCode)));
    shows(&log, &["Show(Show { url: \"https://as.example/"]);
    assert!(!log.contains(&rig.shown[0].0));
    let body = br#"{"device_code":"d","user_code":"u","verification_uri":"https://as.example/device","expires_in":600}"#;
    let codes = DeviceAuthorization::read(200, body, rig.now(), &Guard::new(Reach::Public)).unwrap();
    let shown = format!("{codes:?}");
    assert!(
        shown.starts_with(
            "DeviceAuthorization { verification_uri: \"https://as.example/device\", expires_at: "
        )
    );
    assert!(!shown.contains("code"), "{shown}");
}

#[test]
fn what_is_configured_and_written_down_says_what_it_is() {
    let config = Config::new("https://mcp.example/mcp", "Rig", REDIRECT);
    assert!(
        format!("{config:?}").starts_with("Config { server: \"https://mcp.example/mcp\", account: None, ")
    );
    assert_eq!(format!("{:?} {:?}", Seed::new([1; 32]), Secret::new("x")), "Seed(…) Secret(…)");
    assert_eq!(format!("{:?}", Recorder::new(&config, &Seed::new([1; 32]), |_| {})), "Recorder");
    let mut rig = Rig::new(Dials::default());
    rig.log_in().unwrap();
    let text = rig.trace();
    let trace = Trace::read(&text).unwrap();
    assert!(format!("{trace:?}").starts_with("Trace { config: "), "{trace:?}");
    let scrubbed = trace.scrub(Names::Kept).unwrap().to_string();
    assert_ne!(text, scrubbed);
    // A line that goes missing is named, in `Debug` as in words.
    let lines: Vec<_> = text.lines().collect();
    let short = [&lines[..2], &lines[3..]].concat().join("\n");
    let divergence = Trace::read(&short).unwrap().replay().unwrap_err();
    assert_eq!(format!("{divergence:?}"), divergence.to_string());
    assert!(divergence.to_string().starts_with("line "), "{divergence}");
}

#[test]
fn a_snapshot_says_whose_it_is() {
    let mut rig = Rig::new(Dials::default());
    rig.tell(Event::LogIn { scopes: Scopes::new() });
    assert!(rig.settle().is_empty());
    let shown = format!("{:?}", rig.auth.snapshot().unwrap());
    assert!(shown.starts_with("Snapshot { key: Key { server: \"https://mcp.example/mcp\""), "{shown}");
    assert!(shown.contains("consent: "), "{shown}");
}

/// The query of the server's URL may hold a key, and so may that of its metadata (RFC 9728 §3.1).
#[test]
fn no_query_of_the_resource_or_of_its_metadata_is_shown() {
    const METADATA: &str = "https://mcp.example/.well-known/oauth-protected-resource/mcp?api_key=an-api-k3y";
    let mut rig = Rig::new(Dials::default());
    // The testbed knows the resource by another name.
    let known = mcp_auth::ResourceIndicator::Override("https://mcp.example/mcp".to_owned());
    let policy = mcp_auth::IssuerPolicy::with(|it| it.resource = known);
    let config = Config::new("https://mcp.example/mcp?api_key=an-api-k3y", "Rig", REDIRECT);
    rig.restart_with(config.issuer("https://as.example", policy));
    rig.instead = Some(support::at(METADATA, |_| {
        let resource = "https://mcp.example/mcp?api_key=an-api-k3y";
        let servers = ["https://as.example"];
        (200, serde_json::json!({"resource": resource, "authorization_servers": servers}).to_string())
    }));
    let field = format!("Bearer resource_metadata=\"{METADATA}\"").parse().unwrap();
    let fields = http::HeaderMap::from_iter([(http::header::WWW_AUTHENTICATE, field)]);
    let challenge = mcp_auth::Challenge::of(http::StatusCode::UNAUTHORIZED, &fields, None, 0).unwrap();
    rig.tell(Event::Challenged(challenge));
    let mut steps = 0;
    loop {
        let action = rig.poll();
        let shown = format!("{:?} {}", rig.auth, rig.auth.trail());
        assert!(!shown.contains("an-api-k3y"), "{shown}");
        steps += 1;
        let event = match action {
            Action::Finish(outcome) => break drop(outcome.unwrap()),
            Action::Wait(_) => Some(rig.consent()),
            action => rig.answer(action),
        };
        if let Some(event) = event {
            rig.tell(event);
        }
    }
    assert!(steps > 5 && !format!("{:?}", rig.store.values().next().unwrap()).contains("an-api-k3y"));
}
