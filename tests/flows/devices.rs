//! A device without a browser, as `docs/grants.md` tells it: how often the server is asked, and what ends it.

use std::time::Duration;

use mcp_auth::{Action, Event, GrantType, Policy, Scopes};
use mcp_auth_testbed::*;

use crate::ended::{fails, takes};
use crate::stage::Stage;
use crate::{Flow, flow};

fn device(device: Device, faults: Vec<Fault>, policy: Policy) -> Stage {
    let dials = Dials { device: Some(device), faults, ..Dials::default() };
    Stage::at(Origins::default(), dials, |config, _| config.grant_type(GrantType::DeviceCode).policy(policy))
}

fn at_poll(number: u64) -> Device {
    Device { confirmation: Confirmation::AtPoll(number), ..Device::default() }
}

/// A login that takes so many seconds.
fn logs_in(mut stage: Stage, seconds: u64) -> Stage {
    let taken = takes(&mut stage, |stage| {
        stage.log_in();
    });
    assert_eq!(taken, Duration::from_secs(seconds), "{}", stage.machine.trail());
    stage
}

/// The first question meets this.
fn asked(what: Trouble) -> Stage {
    let faults = vec![Fault { purpose: Purpose::DevicePoll, nth: 1, what }];
    device(at_poll(1), faults, Policy::default())
}

pub(crate) fn flows() -> Vec<Flow> {
    let mut flows = questions();
    flows.extend(ends());
    flows
}

fn questions() -> Vec<Flow> {
    vec![
        flow(
            "device.interval",
            "The server says how often it may be asked, and is asked as often.",
            &["device-polls"],
            &["logged_in"],
            || logs_in(device(Device { interval: 11, ..at_poll(2) }, Vec::new(), Policy::default()), 22),
        ),
        flow(
            "device.no-interval",
            "The server does not say how often it may be asked: every five seconds.",
            &["device-interval", "device-polls"],
            &["logged_in"],
            || {
                let silent = Device { tells_interval: false, ..at_poll(2) };
                logs_in(device(silent, Vec::new(), Policy::default()), 10)
            },
        ),
        flow(
            "device.interval-0",
            "The server says 0 seconds: every five, as if it had said nothing.",
            &["device-interval", "device-polls"],
            &["logged_in"],
            || logs_in(device(Device { interval: 0, ..at_poll(2) }, Vec::new(), Policy::default()), 10),
        ),
        flow(
            "device.lost-poll",
            "No answer comes to a question: it is asked again, half as often.",
            &["device-polls"],
            &["logged_in"],
            || logs_in(asked(Trouble::Drop), 15),
        ),
        flow(
            "device.lost-polls",
            "No answer comes for long: half as often each time, down to once a minute.",
            &["device-polls"],
            &["logged_in"],
            || {
                let lost = |nth| Fault { purpose: Purpose::DevicePoll, nth, what: Trouble::Drop };
                let faults = (1..=5).map(lost).collect();
                logs_in(device(at_poll(1), faults, Policy::default()), 5 + 10 + 20 + 40 + 60 + 60)
            },
        ),
        flow(
            "device.lost-poll.slow-server",
            "No answer comes from a server that wants to be asked every five minutes: it is not asked more often than that.",
            &["device-polls"],
            &["logged_in"],
            || {
                let lost = Fault { purpose: Purpose::DevicePoll, nth: 1, what: Trouble::Drop };
                let slow = Device { interval: 300, expires_in: 1800, ..at_poll(1) };
                let policy = Policy::with(|it| it.consent_time = Duration::from_secs(1800));
                logs_in(device(slow, vec![lost], policy), 600)
            },
        ),
        flow(
            "device.retry-after",
            "`Retry-After` puts the next question off.",
            &["retry-after", "device-polls"],
            &["logged_in"],
            || logs_in(asked(Trouble::RetryAfter(503, 100)), 105),
        ),
    ]
}

fn ends() -> Vec<Flow> {
    vec![
        flow(
            "device.consent-time",
            "Nobody decides for as long as policy gives a person, which is less than the code lives.",
            &["device-polls"],
            &["consent_timed_out"],
            || {
                let policy = Policy::with(|it| it.consent_time = Duration::from_secs(90));
                let never = Device { confirmation: Confirmation::Never, interval: 30, ..Device::default() };
                let mut stage = device(never, Vec::new(), policy);
                let taken = takes(&mut stage, |stage| {
                    fails(stage, Event::LogIn { scopes: Scopes::new() });
                });
                assert_eq!(taken, Duration::from_secs(90));
                stage
            },
        ),
        flow(
            "device.not-shown",
            "There is nothing to show the code on (`unasked`): the login ends, and nothing is asked.",
            &["device-shown"],
            &["unasked"],
            || {
                let mut stage = device(at_poll(1), Vec::new(), Policy::default());
                stage.tell(Event::LogIn { scopes: Scopes::new() });
                let Action::Show(show) = stage.until(|it| matches!(it, Action::Show(_))) else {
                    unreachable!()
                };
                stage.tell(show.fail("there is no screen"));
                stage.ended().unwrap_err();
                assert_eq!(stage.world.count(Purpose::DevicePoll), 0);
                stage
            },
        ),
        flow(
            "device.not-offered",
            "The server offers no codes for devices: nobody is asked anything.",
            &["own-unsupplied"],
            &["unsupported"],
            || {
                let mut stage = Stage::at(Origins::default(), Dials::default(), |it, _| {
                    it.grant_type(GrantType::DeviceCode)
                });
                stage.log_in();
                stage
            },
        ),
        flow(
            "device.too-many",
            "A code that is shown counts as a login: no more are shown than policy says.",
            &["own-quiet"],
            &["logged_in", "too_many_logins"],
            || {
                let policy = Policy::with(|it| it.logins_per_hour = 1);
                let dials = Dials {
                    device: Some(at_poll(1)),
                    refresh_tokens: RefreshTokens::Never,
                    ..Dials::default()
                };
                let mut stage = Stage::at(Origins::default(), dials, |config, _| {
                    config.grant_type(GrantType::DeviceCode).policy(policy)
                });
                for _ in 0..2 {
                    stage.now += 60;
                    stage.world.expire_access_tokens();
                    let refused = stage.refused();
                    stage.run(refused);
                }
                stage
            },
        ),
    ]
}
