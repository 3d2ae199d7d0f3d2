//! What hostile servers, strangers and planted records try, in whole runs under the watch.

mod support;

use mcp_auth::{Callback, Event, Scopes};
use mcp_auth_testbed::Dials;
use serde_json::json;
use support::{Rig, at};

const SERVER: &str = "https://mcp.example/mcp";
const RESOURCE_METADATA: &str = "https://mcp.example/.well-known/oauth-protected-resource";

fn log_in() -> Event {
    Event::LogIn { scopes: Scopes::new() }
}

/// Drives a login until the browser is open.
fn until_open(rig: &mut Rig) {
    rig.tell(log_in());
    while rig.opened.is_empty() {
        let action = rig.poll();
        if let Some(event) = rig.answer(action) {
            rig.tell(event);
        }
    }
}

#[test]
fn resource_metadata_writes_nothing_of_its_own_into_the_trail() {
    let forged = "https://as.example\u{1b}]52;c;cm0gLXJmIH4=\u{7}\u{1b}[2J\n  checked: all is well";
    let servers = [forged.to_owned(), "x".repeat(100_000), "https://named.example".to_owned()];
    let document = json!({"resource": SERVER, "authorization_servers": servers}).to_string();
    let mut rig = Rig::new(Dials::default());
    rig.instead = Some(at(RESOURCE_METADATA, move |_| (200, document.clone())));
    let failure = rig.log_in().unwrap_err();
    let shown = format!("{failure:#}");
    assert!(!shown.contains('\u{1b}') && !shown.contains("\n  checked: all is well"), "{shown}");
    assert!(shown.contains("it names https://named.example and 2 that may not be used"), "{shown}");
    assert!(failure.trail.entries().iter().all(|entry| entry.to_string().chars().count() < 700));
}

#[test]
fn strangers_do_not_push_the_way_out_of_the_trail() {
    let mut rig = Rig::new(Dials::default());
    until_open(&mut rig);
    for count in 0..300 {
        let stranger = if count % 2 == 0 { "?code=x" } else { "?code=x&state=y" };
        rig.tell(Event::Called(Callback::new(stranger)));
    }
    rig.drive().unwrap();
    let trail = rig.auth.trail().to_string();
    for told in ["ask for consent", "`iss` is https://as.example", "a Bearer token"] {
        assert!(trail.contains(told), "{told} is not in\n{trail}");
    }
}
