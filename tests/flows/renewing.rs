//! How a renewal goes, step by step, and what may come in answer to it, as `docs/renewal.md` tells it.

use mcp_auth::{Action, Event, Outcome, TokenSource};
use mcp_auth_testbed::*;

use crate::begun::{listed, meets};
use crate::ended::{ends, fails, waits};
use crate::stage::Person;
use crate::{Flow, flow};

fn source(outcome: Outcome) -> TokenSource {
    let Outcome::Authorized(done) = outcome else { panic!("no token: {outcome:?}") };
    done.source
}

pub(crate) fn flows() -> Vec<Flow> {
    let mut flows = steps();
    flows.extend(answers());
    flows
}

fn steps() -> Vec<Flow> {
    vec![
        flow(
            "refresh.short-lived",
            "A token that lives for a minute is renewed a tenth of it before its end, and no sooner.",
            &["own-renewal"],
            &["logged_in", "kept", "refreshed"],
            || {
                let mut stage = listed(Dials { access_lifetime: 60, ..Dials::default() });
                stage.now += 53;
                assert_eq!(source(ends(&mut stage, Event::Restore).unwrap()), TokenSource::Kept);
                stage.now += 1;
                assert_eq!(source(ends(&mut stage, Event::Restore).unwrap()), TokenSource::Refreshed);
                stage
            },
        ),
        flow(
            "refresh.one-for-many",
            "Many requests are refused at once: the refresh token is sent once for all of them.",
            &["own-store", "lifetime-not-counted-on"],
            &["logged_in", "refreshed"],
            || {
                let mut stage = listed(Dials::default());
                stage.world.expire_access_tokens();
                let refused: Vec<_> = (0..5).map(|_| stage.refused()).collect();
                refused.into_iter().for_each(|refused| stage.tell(refused));
                stage.ended().unwrap();
                assert_eq!(stage.world.count(Purpose::Refresh), 1);
                stage
            },
        ),
        flow(
            "store.waited-for",
            "Another process holds the record and renews the token: it is waited for, its token is taken, and nothing is sent.",
            &["own-store"],
            &["logged_in", "kept"],
            || {
                let mut stage = listed(Dials::default());
                stage.now += 4000;
                stage.person = Person::Ignores;
                stage.tell(Event::Restore);
                let held = |action: &Action| matches!(action, Action::Load(it) if it.exclusive().is_some());
                let Action::Load(load) = stage.until(held) else { unreachable!() };
                stage.tell(load.busy());
                stage.beside(|other| {
                    other.restore();
                });
                stage.ended().unwrap();
                assert_eq!(stage.world.count(Purpose::Refresh), 1);
                stage
            },
        ),
        flow(
            "step-up.abandoned",
            "A tool needs more, and nobody answers in the browser: the present grant is left as it was.",
            &["step-up", "authorization-errors"],
            &["logged_in", "consent_timed_out"],
            || {
                let mut stage = listed(Dials::default());
                let before = stage.records.clone();
                stage.person = Person::Ignores;
                stage.call("tools/call", Some("write_file"));
                stage.call("tools/call", Some("echo"));
                assert_eq!((&stage.records, stage.opened.len()), (&before, 2));
                stage
            },
        ),
    ]
}

fn answers() -> Vec<Flow> {
    vec![
        flow(
            "refresh.temporarily-unavailable",
            "`temporarily_unavailable`, though with 400: it passes by itself, and the token is kept.",
            &["own-renewal", "refresh-kept"],
            &["logged_in", "unexpected_status", "refreshed"],
            || {
                let mut stage = meets(coded(400, "temporarily_unavailable"));
                let failure = fails(&mut stage, Event::Restore);
                stage.now += waits(&stage, &failure);
                stage.restore();
                stage
            },
        ),
        flow(
            "refresh.other-error",
            "An error that means nothing in particular (`invalid_request`) says that the grant is dead, as many servers mean by it.",
            &["token-errors"],
            &["logged_in", "anonymous", "logged_in"],
            || {
                let mut stage = meets(coded(400, "invalid_request"));
                stage.call("tools/list", None);
                assert_eq!(stage.world.count(Purpose::Registration), 1);
                stage
            },
        ),
        flow(
            "refresh.plain-401",
            "401 without an error: the client is dead, and is registered anew, once.",
            &["token-errors", "own-disowned"],
            &["logged_in", "anonymous", "logged_in"],
            || {
                let mut stage = meets(Trouble::Status(401));
                stage.call("tools/list", None);
                assert_eq!(stage.world.count(Purpose::Registration), 2);
                stage
            },
        ),
        flow(
            "refresh.redirected",
            "A redirect: the refresh token is not sent after it, and nothing is changed.",
            &["own-limits", "refresh-kept"],
            &["logged_in", "redirected"],
            || {
                let mut stage = meets(Trouble::RedirectTo("https://elsewhere.example/token".to_owned()));
                let before = stage.records.clone();
                fails(&mut stage, Event::Restore);
                assert_eq!(stage.records, before);
                stage
            },
        ),
        flow(
            "refresh.other-type",
            "A token of another type comes for the refresh token: it is of no use, and nothing is changed.",
            &["token-type"],
            &["logged_in", "token_type"],
            || {
                let mut stage = listed(Dials::default());
                let before = stage.records.clone();
                stage.dials().token_type = TokenType::Other("mac".to_owned());
                stage.now += 4000;
                fails(&mut stage, Event::Restore);
                assert_eq!((&stage.records, stage.opened.len()), (&before, 1));
                stage
            },
        ),
    ]
}

/// An OAuth error.
fn coded(status: u16, error: &str) -> Trouble {
    let body = serde_json::json!({"error": error}).to_string();
    Trouble::Answer(status, "application/json", body.into_bytes())
}
