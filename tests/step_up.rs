//! More scope: once, with what was asked before, and no more often than it can help.

mod support;

use mcp_auth::{Event, Kind, Policy, Scopes};
use mcp_auth_testbed::{Dials, Person as Scripted, Purpose, Refusal, ScopeUnknown, StepUp};
use support::{Rig, authorized};

#[test]
fn what_was_asked_before_is_asked_again() {
    for step_up in [StepUp::Needed, StepUp::Union] {
        let mut rig = Rig::new(Dials { step_up, ..Dials::default() });
        assert_eq!(rig.call("tools/call", Some("echo")).unwrap().status(), 200);
        assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
        assert_eq!(rig.asked("scope").as_deref(), Some("files:read files:write"));
        // The wider grant serves both.
        assert_eq!(rig.call("tools/call", Some("echo")).unwrap().status(), 200);
        assert_eq!((rig.opened.len(), rig.count(Purpose::Registration)), (2, 1));
    }
}

#[test]
fn a_challenge_that_names_no_scope_leads_nowhere_for_ever() {
    let mut rig = Rig::new(Dials { step_up: StepUp::Unnamed, ..Dials::default() });
    rig.call("tools/list", None).unwrap();
    let failure = rig.call("tools/call", Some("write_file")).unwrap_err();
    assert_eq!(failure.kind(), Kind::InsufficientScope);
    assert!(rig.opened.len() <= 3);
}

#[test]
fn a_server_that_is_never_content_is_left() {
    let mut rig = Rig::new(Dials {
        refusal: Refusal::InsufficientScope,
        scope_unknown: ScopeUnknown::Dropped,
        ..Dials::default()
    });
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!(failure.kind(), Kind::InsufficientScope, "{failure:#}");
    assert!(rig.opened.len() <= 3);
    let before = rig.opened.len();
    for _ in 0..10 {
        rig.call("tools/list", None).unwrap_err();
    }
    assert!(rig.opened.len() <= before + 2, "{} browsers", rig.opened.len());
}

#[test]
fn a_server_that_refuses_every_token_is_left() {
    let mut rig = Rig::new(Dials { refusal: Refusal::Unauthorized, ..Dials::default() });
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!(failure.kind(), Kind::TokenRejected);
    assert_eq!(rig.opened.len(), 1);
    for _ in 0..10 {
        assert_eq!(rig.call("tools/list", None).unwrap_err().kind(), Kind::TokenRejected);
    }
    assert_eq!(rig.opened.len(), 1);
    // The server comes round; a new login serves.
    rig.world.dials_mut().refusal = Refusal::None;
    rig.log_in().unwrap();
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
}

#[test]
fn a_plain_403_is_the_callers() {
    let mut rig = Rig::new(Dials { refusal: Refusal::Forbidden, ..Dials::default() });
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 403);
    assert_eq!(rig.opened.len(), 1);
}

#[test]
fn a_declined_step_up_leaves_everything_as_it_was() {
    let mut rig = Rig::new(Dials::default());
    rig.call("tools/list", None).unwrap();
    let before = rig.auth.authorized();
    rig.world.dials_mut().person = Scripted::Denies;
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap_err().kind(), Kind::AccessDenied);
    assert_eq!(rig.auth.authorized(), before);
    assert_eq!(rig.call("tools/call", Some("echo")).unwrap().status(), 200);
    assert_eq!(rig.opened.len(), 2);
}

#[test]
fn step_ups_are_counted_for_each_operation() {
    let policy = Policy { step_ups: 0, ..Policy::default() };
    let mut rig = Rig::with(Dials::default(), |config| config.policy(policy));
    rig.call("tools/list", None).unwrap();
    let failure = rig.call("tools/call", Some("write_file")).unwrap_err();
    assert_eq!((failure.kind(), rig.opened.len()), (Kind::InsufficientScope, 1));
}

#[test]
fn the_host_can_ask_for_more_scope_beforehand() {
    let mut rig = Rig::new(Dials::default());
    rig.log_in().unwrap();
    let scopes = Scopes::parse("files:write").unwrap();
    let wider = authorized(rig.run(Event::LogIn { scopes: scopes.clone() }).unwrap());
    assert_eq!(wider.granted.to_string(), "files:read files:write");
    // What is granted already needs nobody.
    rig.run(Event::LogIn { scopes }).unwrap();
    assert_eq!(rig.opened.len(), 2);
    assert_eq!(rig.call("tools/call", Some("write_file")).unwrap().status(), 200);
    assert_eq!(rig.opened.len(), 2);
}
