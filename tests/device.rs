//! A person with another device (RFC 8628).

mod support;

use mcp_auth::{Action, Config, Event, GrantType, Kind, TokenSource};
use mcp_auth_testbed::{Confirmation, Device, Dials, Fault, Person as Scripted, Purpose, Trouble};
use support::Rig;

fn device(config: Config) -> Config {
    config.grant_type(GrantType::DeviceCode)
}

fn rig(dials: Device) -> Rig {
    Rig::with(Dials { device: Some(dials), ..Dials::default() }, device)
}

/// A login in which the person decides once the machine has asked so often.
fn logs_in(rig: &mut Rig) -> Result<mcp_auth::Outcome, Box<mcp_auth::Failure>> {
    rig.tell(Event::LogIn { scopes: Default::default() });
    for _ in 0..400 {
        match rig.poll() {
            Action::Wait(until) => {
                rig.now = until.expect("an attempt does not wait for ever").as_secs();
                rig.tell(Event::Tick);
            }
            Action::Finish(outcome) => return outcome,
            action => {
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    }
    panic!("the login does not end\n{}", rig.auth.trail());
}

fn at_poll(number: u64) -> Device {
    Device { confirmation: Confirmation::AtPoll(number), ..Device::default() }
}

#[test]
fn a_code_is_shown_and_asked_about_until_the_person_has_decided() {
    let mut rig = rig(at_poll(3));
    let begun = rig.now;
    let done = support::authorized(logs_in(&mut rig).unwrap());
    assert_eq!(done.source, TokenSource::LoggedIn);
    assert_eq!((rig.shown.len(), rig.opened.len(), rig.count(Purpose::Token)), (1, 0, 3));
    assert_eq!(rig.now - begun, 15);
    let trail = rig.auth.trail().to_string();
    for said in ["the person has not decided yet", "a Bearer token, with a refresh token"] {
        assert_eq!(trail.matches(said).count(), 1, "{said}:\n{trail}");
    }
    let (code, url) = &rig.shown[0];
    assert!(!code.is_empty() && url.as_str().starts_with("https://as.example/"));
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    // What it got is renewed as any grant.
    rig.now += 3600;
    assert_eq!(support::authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
}

#[test]
fn the_machine_asks_as_often_as_it_is_told() {
    for (dials, seconds) in
        [(Device { interval: 11, ..at_poll(2) }, 22), (Device { tells_interval: false, ..at_poll(2) }, 10)]
    {
        let mut rig = rig(dials);
        let begun = rig.now;
        logs_in(&mut rig).unwrap();
        assert_eq!(rig.now - begun, seconds);
    }
    // A server that wants more time than it said.
    let mut rig = rig(Device { interval: 7, tells_interval: false, ..at_poll(3) });
    logs_in(&mut rig).unwrap();
    assert!(rig.auth.trail().to_string().contains("asked less often"), "{}", rig.auth.trail());
}

#[test]
fn each_end_is_a_typed_failure() {
    let mut denied = rig(at_poll(2));
    denied.world.dials_mut().person = Scripted::Denies;
    assert_eq!(logs_in(&mut denied).unwrap_err().kind(), Kind::AccessDenied);
    let mut never = rig(Device { confirmation: Confirmation::Never, expires_in: 60, ..Device::default() });
    let begun = never.now;
    let failure = logs_in(&mut never).unwrap_err();
    assert_eq!((failure.kind(), failure.breach.clause.as_ref()), (Kind::ConsentTimedOut, "RFC 8628 §3.5"));
    assert!(never.now - begun <= 66);
    let mut none = Rig::with(Dials::default(), device);
    let failure = none.log_in().unwrap_err();
    assert_eq!(failure.kind(), Kind::Unsupported);
}

#[test]
fn what_passes_by_itself_is_asked_again_more_slowly() {
    for what in [Trouble::Drop, Trouble::Status(503), Trouble::Status(429), Trouble::Html] {
        let mut rig = rig(at_poll(2));
        rig.world.dials_mut().faults = vec![Fault { purpose: Purpose::Token, nth: 1, what: what.clone() }];
        logs_in(&mut rig).unwrap_or_else(|failure| panic!("{what:?}: {failure:#}"));
        assert_eq!(rig.shown.len(), 1);
    }
}

#[test]
fn a_code_that_cannot_be_shown_ends_it() {
    let mut rig = rig(at_poll(1));
    rig.tell(Event::LogIn { scopes: Default::default() });
    let outcome = loop {
        match rig.poll() {
            Action::Show(show) => {
                let shown = format!("{show:?}");
                assert!(!shown.contains(show.user_code()));
                rig.tell(show.fail("there is no screen"));
            }
            Action::Finish(outcome) => break outcome,
            action => {
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    };
    assert_eq!(outcome.unwrap_err().kind(), Kind::Unasked);
}

#[test]
fn a_page_that_may_not_be_opened_is_not_shown() {
    let mut rig = rig(at_poll(1));
    rig.instead = Some(support::at("https://as.example/device_authorization", |_| {
        let answer = serde_json::json!({
            "device_code": "a-device-code-1", "user_code": "ABCD", "verification_uri": "javascript:alert(1)",
            "expires_in": 600,
        });
        (200, answer.to_string())
    }));
    let ended = logs_in(&mut rig);
    assert_eq!(ended.unwrap_err().kind(), Kind::UrlRefused);
    assert!(rig.shown.is_empty());
}
