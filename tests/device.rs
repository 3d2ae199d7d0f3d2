//! A person with another device (RFC 8628).

mod support;

use std::time::Duration;

use http::StatusCode;
use mcp_auth::wire::device::DeviceAuthorization;
use mcp_auth::{
    Action, Challenge, Config, Ended, Event, Failure, Generation, GrantType, Guard, IssuerPolicy, Kind,
    Outcome, Policy, Preregistered, Reach, ResourceIndicator, Retry, Timestamp, TokenSource, Verdict,
};
use mcp_auth_testbed::{
    Confirmation, Device, Dials, Fault, Origins, Person as Scripted, PreRegistered, Purpose, RefreshTokens,
    Trouble,
};
use support::{REDIRECT, Rig};

fn device(config: Config) -> Config {
    config.grant_type(GrantType::DeviceCode)
}

fn rig(dials: Device) -> Rig {
    Rig::with(Dials { device: Some(dials), ..Dials::default() }, device)
}

/// A login in which the person decides once the machine has asked so often.
fn logs_in(rig: &mut Rig) -> Result<Outcome, Box<Failure>> {
    runs(rig, Event::LogIn { scopes: Default::default() })
}

fn runs(rig: &mut Rig, begin: Event) -> Result<Outcome, Box<Failure>> {
    rig.tell(begin);
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

/// A login in which the first question fails so: how long it took.
fn takes(dials: Device, consent_time: u64, what: Trouble) -> u64 {
    let policy = Policy::with(|it| it.consent_time = Duration::from_secs(consent_time));
    let dials = Dials { device: Some(dials), ..Dials::default() };
    let mut rig = Rig::with(dials, |config| device(config).policy(policy));
    rig.world.dials_mut().faults = vec![Fault { purpose: Purpose::Token, nth: 1, what: what.clone() }];
    let begun = rig.now;
    logs_in(&mut rig).unwrap_or_else(|failure| panic!("{what:?}: {failure:#}"));
    assert_eq!(rig.shown.len(), 1);
    rig.now - begun
}

#[test]
fn what_passes_by_itself_is_asked_again_more_slowly() {
    for what in [Trouble::Drop, Trouble::Status(503), Trouble::Status(429), Trouble::Html] {
        // Five seconds, and then ten.
        assert_eq!(takes(at_poll(1), 600, what.clone()), 15, "{what:?}");
        // Up to a minute, but never more often than the server said.
        let (forty, long) = (Device { interval: 40, ..at_poll(1) }, Device { interval: 300, ..at_poll(1) });
        assert_eq!(takes(forty, 600, what.clone()), 100, "{what:?}");
        let long = Device { expires_in: 1800, ..long };
        assert_eq!(takes(long, 1800, what.clone()), 600, "{what:?}");
    }
}

#[test]
fn a_server_that_says_when_to_ask_again_is_not_asked_before() {
    assert_eq!(takes(at_poll(1), 600, Trouble::RetryAfter(503, 100)), 105);
    // What it says does not make the questions come faster.
    assert_eq!(takes(at_poll(1), 600, Trouble::RetryAfter(429, 1)), 15);
}

#[test]
fn a_person_has_as_long_as_policy_says_and_no_longer() {
    for (expires_in, consent_time, seconds) in [(60, 600, 60), (1800, 90, 90), (86_400, 3600, 3600)] {
        let policy = Policy::with(|it| it.consent_time = Duration::from_secs(consent_time));
        let never =
            Device { confirmation: Confirmation::Never, expires_in, interval: 7, ..Device::default() };
        let dials = Dials { device: Some(never), ..Dials::default() };
        let mut rig = Rig::with(dials, |config| device(config).policy(policy));
        let begun = rig.now;
        rig.tell(Event::LogIn { scopes: Default::default() });
        let failure = loop {
            match rig.poll() {
                Action::Show(show) => assert_eq!(show.until().as_secs(), begun + seconds),
                Action::Wait(until) => {
                    rig.now = until.unwrap().as_secs();
                    rig.tell(Event::Tick);
                }
                Action::Finish(outcome) => break outcome.unwrap_err(),
                action => {
                    if let Some(event) = rig.answer(action) {
                        rig.tell(event);
                    }
                }
            }
        };
        assert_eq!((failure.kind(), rig.now - begun), (Kind::ConsentTimedOut, seconds));
    }
    // However long the server wants to be left alone.
    let mut rig = rig(Device { expires_in: 60, ..at_poll(1) });
    let what = Trouble::RetryAfter(503, 3000);
    rig.world.dials_mut().faults = vec![Fault { purpose: Purpose::Token, nth: 1, what }];
    let begun = rig.now;
    assert_eq!(logs_in(&mut rig).unwrap_err().kind(), Kind::ConsentTimedOut);
    assert_eq!(rig.now - begun, 60);
}

#[test]
fn a_resource_that_policy_leaves_out_is_said_once() {
    let policy = IssuerPolicy::with(|it| it.resource = ResourceIndicator::Omit);
    let resource_parameter = mcp_auth_testbed::ResourceParameter::Ignored;
    let dials = Dials { device: Some(at_poll(1)), resource_parameter, ..Dials::default() };
    let mut rig = Rig::with(dials, |config| device(config).issuer("https://as.example", policy));
    logs_in(&mut rig).unwrap();
    assert_eq!(
        rig.auth.trail().to_string().matches("by `resource: omit`").count(),
        1,
        "{}",
        rig.auth.trail()
    );
}

/// Whoever polls late shows nobody a code that has ended.
#[test]
fn a_code_that_has_ended_is_not_shown() {
    for (late, shown) in [(3, true), (4, false), (9, false)] {
        let dials =
            Device { confirmation: Confirmation::Never, expires_in: 5, interval: 1, ..Device::default() };
        let mut rig = rig(dials);
        rig.tell(Event::LogIn { scopes: Default::default() });
        let asked = rig.until(|action| {
            matches!(action, Action::Send(send) if send.purpose() == mcp_auth::Purpose::DeviceAuthorization)
        });
        let event = rig.answer(asked).unwrap();
        rig.tell(event);
        rig.now += 1;
        rig.tell(Event::Tick);
        rig.now += late;
        rig.tell(Event::Tick);
        assert_eq!(matches!(rig.poll(), Action::Show(_)), shown, "{late}");
        assert_eq!(rig.watch.breaches(), [""; 0]);
    }
}

#[test]
fn no_server_shows_codes_without_end() {
    let policy = Policy::with(|it| it.logins_per_hour = 2);
    let dials = Dials { device: Some(at_poll(1)), refresh_tokens: RefreshTokens::Never, ..Dials::default() };
    let mut rig = Rig::with(dials, |config| device(config).policy(policy));
    let challenged = |refused: Option<Generation>| {
        let fields = http::HeaderMap::from_iter([(
            http::header::WWW_AUTHENTICATE,
            "Bearer error=\"invalid_token\"".parse().unwrap(),
        )]);
        Event::Challenged(Challenge::of(StatusCode::UNAUTHORIZED, &fields, refused, 0).unwrap())
    };
    let mut refused = 0;
    for _ in 0..10 {
        rig.now += 60;
        let generation = rig.auth.authorized().map(|it| it.generation);
        match runs(&mut rig, challenged(generation)) {
            Ok(_) => {}
            Err(failure) => {
                assert_eq!((failure.kind(), failure.retry()), (Kind::TooManyLogins, Retry::LogIn));
                refused += 1;
            }
        }
    }
    assert_eq!((rig.shown.len(), refused), (2, 8));
    // A person who wants to may.
    logs_in(&mut rig).unwrap();
}

/// Only a client that registered itself can do so anew.
#[test]
fn a_client_that_is_not_known_is_mended_by_whoever_made_it() {
    let unknown = || (401, r#"{"error":"invalid_client"}"#.to_owned());
    for place in ["https://as.example/device_authorization", "https://as.example/token"] {
        let clients = vec![PreRegistered::public("by-hand", REDIRECT)];
        let dials = Dials { device: Some(at_poll(1)), clients, ..Dials::default() };
        let configured = |config: Config| {
            device(config).preregistered(Preregistered::new("https://as.example", "by-hand"))
        };
        let mut rig = Rig::with(dials.clone(), configured);
        rig.instead = Some(support::at(place, move |_| unknown()));
        let failure = logs_in(&mut rig).unwrap_err();
        assert_eq!(
            (failure.kind(), failure.retry()),
            (Kind::Configuration, Retry::AfterChange),
            "{failure:#}"
        );
        assert_eq!(failure.breach.error.as_deref(), Some("invalid_client"));
        assert!(failure.breach.to_string().contains("by-hand"), "{failure:#}");
        // Nothing is held against it when it is known again.
        rig.instead = None;
        logs_in(&mut rig).unwrap();
        assert_eq!(rig.count(Purpose::Registration), 0);

        let mut rig = Rig::with(dials, device);
        rig.instead = Some(support::at(place, move |_| unknown()));
        assert_eq!(logs_in(&mut rig).unwrap_err().kind(), Kind::ClientRejected);
        rig.instead = None;
        logs_in(&mut rig).unwrap();
        assert_eq!(rig.count(Purpose::Registration), 2);
    }
}

#[test]
fn the_codes_are_not_in_what_is_made_for_showing() {
    let body = br#"{"device_code":"a-device-code-1","user_code":"WDJB-MJHT","expires_in":600,
        "verification_uri":"https://as.example/device",
        "verification_uri_complete":"https://as.example/device?user_code=WDJB-MJHT"}"#;
    let read = DeviceAuthorization::read(200, body, Timestamp::from_secs(1), &Guard::new(Reach::Public));
    let shown = format!("{:?}", read.unwrap());
    assert!(shown.contains("as.example") && !shown.contains("WDJB") && !shown.contains("code-1"), "{shown}");
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

/// The question that is under way may be answered with tokens, which are nobody's if nobody waits for them.
#[test]
fn tokens_that_come_while_the_person_logs_out_are_revoked() {
    for (poll, ended) in [(1, Ended::Ended), (2, Ended::Absent)] {
        let mut rig = rig(at_poll(poll));
        rig.tell(Event::LogIn { scopes: Default::default() });
        let asked = loop {
            match rig.poll() {
                Action::Wait(until) => {
                    rig.now = until.unwrap().as_secs();
                    rig.tell(Event::Tick);
                }
                Action::Send(send) if send.purpose() == mcp_auth::Purpose::Token => break Action::Send(send),
                action => {
                    if let Some(event) = rig.answer(action) {
                        rig.tell(event);
                    }
                }
            }
        };
        rig.tell(Event::LogOut);
        let answer = rig.answer(asked).unwrap();
        rig.tell(answer);
        let Outcome::LoggedOut(done) = rig.drive().unwrap() else { panic!("{}", rig.auth.trail()) };
        assert_eq!((&done.refresh_token, &done.access_token, rig.store.len()), (&ended, &ended, 0));
    }
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

#[test]
fn a_page_that_only_policy_lets_pass_is_shown_and_said() {
    let page = "https://10.1.2.3/device";
    let complete = "https://10.1.2.4/device";
    let answer = serde_json::json!({
        "device_code": "a-device-code-1", "user_code": "ABCD", "verification_uri": page,
        "verification_uri_complete": format!("{complete}?user_code=ABCD"), "expires_in": 600,
    });
    for (reach, shown) in [(None, 0), (Some(Reach::Any), 1)] {
        let anywhere = |config: Config| device(config).policy(Policy::with(|it| it.reach = reach));
        let mut rig = Rig::with(Dials { device: Some(at_poll(1)), ..Dials::default() }, anywhere);
        let answer = answer.to_string();
        rig.instead =
            Some(support::at("https://as.example/device_authorization", move |_| (200, answer.clone())));
        assert!(logs_in(&mut rig).is_err());
        let trail = rig.auth.trail();
        let said = trail.entries().iter().filter(|it| it.verdict == Verdict::Deviation);
        let said: Vec<_> = said.map(|it| it.url.as_deref()).collect();
        assert_eq!((rig.shown.len(), said), (shown, [Some(page), Some(complete)][..2 * shown].to_vec()));
    }
}

/// However often it is asked.
#[test]
fn an_address_that_only_policy_lets_pass_is_said_once() {
    let origins =
        Origins { authorization_servers: vec!["https://10.1.2.3".to_owned()], ..Origins::default() };
    let anywhere = |config: Config| device(config).policy(Policy::with(|it| it.reach = Some(Reach::Any)));
    let mut rig = Rig::among(origins, Dials { device: Some(at_poll(4)), ..Dials::default() }, anywhere);
    logs_in(&mut rig).unwrap();
    assert_eq!(rig.count(Purpose::Token), 4);
    let trail = rig.auth.trail();
    let said = trail.entries().iter().filter(|it| it.verdict == Verdict::Deviation);
    let mut urls: Vec<_> = said.map(|it| it.url.clone().unwrap()).collect();
    assert_eq!(urls.iter().filter(|url| url.ends_with("/token")).count(), 1, "{trail}");
    urls.sort();
    let all = urls.len();
    urls.dedup();
    assert_eq!(urls.len(), all, "{trail}");
}

#[test]
fn a_server_that_is_busy_says_when_to_come_back_for_a_code() {
    let mut rig = rig(at_poll(1));
    let what = Trouble::RetryAfter(429, 30);
    rig.world.dials_mut().faults = vec![Fault { purpose: Purpose::DeviceAuthorization, nth: 1, what }];
    let failure = logs_in(&mut rig).unwrap_err();
    assert_eq!(failure.retry_at.map(|at| at.as_secs() - rig.now), Some(30), "{failure}");
    assert!(failure.trail.entries().iter().any(|it| it.status == Some(429)), "{failure:#}");
    logs_in(&mut rig).unwrap();
}
