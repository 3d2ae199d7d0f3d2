//! Where nobody is there to be asked, nothing is begun that only a person can end.

mod support;

use mcp_auth::{Config, Event, Kind, Outcome, Policy, Retry, Scopes};
use mcp_auth_testbed::{Dials, Purpose};
use support::{Rig, works};

fn unattended(config: Config) -> Config {
    config.policy(Policy::with(|it| it.unattended = true))
}

/// What the rig has asked of anybody but the MCP server.
fn asked(rig: &Rig) -> usize {
    rig.world.exchanges().len() - rig.count(Purpose::Mcp)
}

#[test]
fn a_refusal_without_a_grant_ends_before_anything_is_sent() {
    let mut rig = Rig::with(Dials::default(), unattended);
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!((failure.kind(), failure.retry()), (Kind::Unasked, Retry::LogIn), "{failure}");
    assert!(failure.to_string().contains("`unattended`"), "{failure}");
    assert_eq!((asked(&rig), rig.opened.len()), (0, 0));
    let failure = rig.run(Event::LogIn { scopes: Scopes::new() }).unwrap_err();
    assert_eq!((failure.kind(), asked(&rig)), (Kind::Unasked, 0), "{failure}");
    assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
}

#[test]
fn a_grant_is_used_and_renewed_and_a_step_up_is_not_begun() {
    let mut rig = works(Dials::default());
    rig.restart(unattended);
    rig.world.expire_access_tokens();
    let before = asked(&rig);
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!((asked(&rig) - before, rig.count(Purpose::Refresh)), (1, 1));
    let failure = rig.call("tools/call", Some("write_file")).unwrap_err();
    assert_eq!((failure.kind(), asked(&rig) - before, rig.opened.len()), (Kind::Unasked, 1, 1), "{failure}");
    // The grant is as it was.
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
}

#[test]
fn a_dead_grant_says_that_a_person_is_needed() {
    let mut rig = works(Dials::default());
    rig.restart(unattended);
    rig.world.revoke_everything();
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!((failure.kind(), rig.count(Purpose::Registration)), (Kind::Unasked, 1), "{failure}");
    assert!(format!("{failure:#}").contains("invalid_grant"), "{failure:#}");
}

/// A bound on what is shown unasked does not bind a person who asks.
#[test]
fn where_no_login_is_shown_unasked_a_person_may_still_ask_for_one() {
    let mut rig =
        Rig::with(Dials::default(), |config| config.policy(Policy::with(|it| it.logins_per_hour = 0)));
    let failure = rig.call("tools/list", None).unwrap_err();
    assert_eq!((failure.kind(), rig.opened.len()), (Kind::TooManyLogins, 0));
    rig.log_in().unwrap();
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
}
