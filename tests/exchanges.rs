//! How many exchanges a token costs.

mod support;

use mcp_auth::{Event, Preregistered, TokenSource};
use mcp_auth_testbed::{Dials, PreRegistered, Purpose};
use support::{REDIRECT, Rig, authorized};

/// The exchanges that the machine made: what the browser does and the MCP requests are not its own.
fn made(rig: &Rig) -> usize {
    [Purpose::ResourceMetadata, Purpose::ServerMetadata, Purpose::Registration, Purpose::Token]
        .into_iter()
        .map(|purpose| rig.count(purpose))
        .sum()
}

#[test]
fn four_with_dynamic_registration() {
    let mut rig = Rig::new(Dials::default());
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(made(&rig), 4);
    assert_eq!((rig.opened.len(), rig.count(Purpose::Mcp)), (1, 2));
}

#[test]
fn three_with_a_metadata_document() {
    let url = "https://app.example/client.json";
    let document = mcp_auth::ClientMetadata::new("Rig", REDIRECT).document(url, None, None).unwrap();
    let dials = Dials { client_documents: [(url.to_owned(), document)].into(), ..Dials::default() };
    let mut rig = Rig::with(dials, |config| config.metadata_document(url));
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(made(&rig), 3);
    assert_eq!(rig.asked("client_id").as_deref(), Some(url));
}

#[test]
fn three_with_a_configured_client() {
    let known = PreRegistered::public("by-hand", REDIRECT);
    let dials = Dials { clients: vec![known], ..Dials::default() };
    let mut rig =
        Rig::with(dials, |config| config.preregistered(Preregistered::new("https://as.example", "by-hand")));
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(made(&rig), 3);
}

#[test]
fn none_while_the_token_serves() {
    let mut rig = Rig::new(Dials::default());
    rig.call("tools/list", None).unwrap();
    let before = made(&rig);
    rig.call("tools/list", None).unwrap();
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Kept);
    assert_eq!(made(&rig), before);
}

#[test]
fn none_after_a_restart_with_a_live_token() {
    let mut rig = Rig::new(Dials::default());
    rig.call("tools/list", None).unwrap();
    let before = (made(&rig), rig.count(Purpose::Mcp));
    rig.restart(|config| config);
    rig.call("tools/list", None).unwrap();
    assert_eq!((made(&rig), rig.count(Purpose::Mcp)), (before.0, before.1 + 1));
}

#[test]
fn one_after_a_restart_with_an_expired_token() {
    let mut rig = Rig::new(Dials::default());
    rig.call("tools/list", None).unwrap();
    let before = made(&rig);
    rig.now += 3600;
    rig.restart(|config| config);
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!((made(&rig), rig.opened.len()), (before + 1, 1));
}

#[test]
fn one_for_a_step_up() {
    let known = PreRegistered::public("by-hand", REDIRECT);
    let dials = Dials { clients: vec![known], ..Dials::default() };
    let mut rig =
        Rig::with(dials, |config| config.preregistered(Preregistered::new("https://as.example", "by-hand")));
    rig.call("tools/list", None).unwrap();
    let before = made(&rig);
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
    assert_eq!((made(&rig), rig.opened.len()), (before + 1, 2));
    assert_eq!(rig.asked("scope").as_deref(), Some("files:read files:write"));
}

/// The server's answer to the registration names the scopes that the client may ask for, so it registers for more.
#[test]
fn four_for_a_step_up_beyond_the_registration() {
    let mut rig = Rig::new(Dials::default());
    rig.call("tools/list", None).unwrap();
    let before = made(&rig);
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
    assert_eq!((made(&rig), rig.opened.len()), (before + 4, 2));
}

#[test]
fn logging_in_before_the_first_request_costs_the_same() {
    let mut rig = Rig::new(Dials::default());
    assert_eq!(rig.log_in().unwrap().source, TokenSource::LoggedIn);
    assert_eq!(made(&rig), 4);
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!((made(&rig), rig.count(Purpose::Mcp)), (4, 1));
}
