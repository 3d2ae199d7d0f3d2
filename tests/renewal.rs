//! The life of a grant: what each kind of refusal leads to, and what goes on beside a login.

mod support;

use http::{HeaderMap, StatusCode, header};
use mcp_auth::{
    Access, Action, Challenge, Event, Failure, Generation, Kind, Load, Outcome, Preregistered, Retry, Saving,
    Scopes, Secret, TokenSource,
};
use mcp_auth_testbed::{Dials, Fault, PreRegistered, Purpose, Rotation, Trouble};
use support::{REDIRECT, Rig, StoreMood, authorized, works};
use url::Url;

/// A day's token at first use, so that a test can look around while it lives.
fn dials() -> Dials {
    Dials { rotation: Rotation::Strict, ..Dials::default() }
}

fn failing(what: Trouble) -> Vec<Fault> {
    vec![Fault { purpose: Purpose::Refresh, nth: 1, what }]
}

fn access(rig: &Rig) -> &'static str {
    let url = Url::parse(&rig.world.server_url()).unwrap();
    match rig.auth.access(&url, rig.now()) {
        Access::Ready(_) => "ready",
        Access::Anonymous => "anonymous",
        Access::Wait => "wait",
        Access::Refused => "refused",
    }
}

fn generation(rig: &Rig) -> Generation {
    rig.auth.authorized().unwrap().generation
}

fn refusal(refused: Generation) -> Event {
    let fields = HeaderMap::new();
    Event::Challenged(Challenge::of(StatusCode::UNAUTHORIZED, &fields, Some(refused), 0).unwrap())
}

fn insufficient(refused: Generation) -> Event {
    let mut fields = HeaderMap::new();
    let field = "Bearer error=\"insufficient_scope\", scope=\"files:write\"";
    fields.insert(header::WWW_AUTHENTICATE, field.parse().unwrap());
    Event::Challenged(Challenge::of(StatusCode::FORBIDDEN, &fields, Some(refused), 0).unwrap())
}

fn failure(mut rig: Rig) -> (Rig, Box<Failure>) {
    rig.now += 3600;
    let failure = rig.run(Event::Restore).unwrap_err();
    (rig, failure)
}

/// Nobody opened a browser for it, and what was in hand is in hand.
fn mends(mut rig: Rig) {
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(rig.opened.len(), 1);
    let live = rig.world.live_refresh_tokens(rig.now);
    let kept = rig.store.values().next().unwrap().refresh_token.as_ref().unwrap();
    assert_eq!(live.last().map(String::as_str), Some(kept.expose()));
}

#[test]
fn a_server_that_is_down_is_left_alone_for_a_while_and_keeps_the_token() {
    for what in [Trouble::Status(500), Trouble::Status(503), Trouble::Status(429), Trouble::Status(408)] {
        let (mut rig, failure) = failure(works(Dials { faults: failing(what.clone()), ..dials() }));
        assert_eq!((failure.kind(), failure.retry()), (Kind::UnexpectedStatus, Retry::Later), "{what:?}");
        // Till then nothing is sent, whatever comes.
        let held = generation(&rig);
        for begin in [Event::Restore, refusal(held)] {
            let again = rig.run(begin).unwrap_err();
            assert_eq!((again.kind(), again.retry_at), (failure.kind(), failure.retry_at));
        }
        assert_eq!(rig.count(Purpose::Refresh), 1);
        rig.now = failure.retry_at.unwrap().as_secs();
        mends(rig);
    }
}

#[test]
fn what_the_server_asks_for_is_waited_for() {
    for what in [Trouble::RetryAfter(429, 120), Trouble::RetryAfterDate(503, 120)] {
        let (mut rig, failure) = failure(works(Dials { faults: failing(what.clone()), ..dials() }));
        assert_eq!(failure.retry_at.unwrap().as_secs(), rig.now + 120, "{what:?}");
        rig.now += 119;
        rig.run(Event::Restore).unwrap_err();
        assert_eq!(rig.count(Purpose::Refresh), 1);
        rig.now += 1;
        mends(rig);
    }
}

#[test]
fn back_off_grows_and_is_bounded() {
    let faults =
        (1..=12).map(|nth| Fault { purpose: Purpose::Refresh, nth, what: Trouble::Status(503) }).collect();
    let mut rig = works(Dials { faults, ..dials() });
    rig.now += 3600;
    let mut waits = Vec::new();
    for _ in 0..12 {
        let until = rig.run(Event::Restore).unwrap_err().retry_at.unwrap().as_secs();
        waits.push(until - rig.now);
        rig.now = until;
    }
    for (place, wait) in waits.iter().enumerate() {
        let most = (2_u64 << place.min(8)).min(300);
        assert!((most / 2..=most).contains(wait), "{waits:?}");
    }
    mends(rig);
}

#[test]
fn two_machines_do_not_come_back_at_the_same_time() {
    let waits: std::collections::BTreeSet<u64> = (0..8)
        .map(|seed| {
            let faults =
                (1..=8).map(|nth| Fault { purpose: Purpose::Refresh, nth, what: Trouble::Status(503) });
            let mut rig = works(Dials { faults: faults.collect(), ..dials() });
            (0..seed).for_each(|_| rig.restart(|config| config));
            rig.now += 3600;
            (0..8).fold(0, |_, _| {
                let until = rig.run(Event::Restore).unwrap_err().retry_at.unwrap().as_secs();
                let wait = until - rig.now;
                rig.now = until;
                wait
            })
        })
        .collect();
    assert!(waits.len() > 4, "{waits:?}");
}

#[test]
fn a_request_that_never_arrived_and_one_whose_answer_is_lost_are_told_apart() {
    // Nobody answers once: the token is sent once more, and that is the end of it.
    for what in [Trouble::Drop, Trouble::Html, Trouble::Truncated] {
        let mut rig =
            works(Dials { faults: failing(what.clone()), rotation: Rotation::None, ..Dials::default() });
        rig.now += 3600;
        assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed, "{what:?}");
        assert_eq!(rig.count(Purpose::Refresh), 2);
    }
    // Twice: nobody knows, and it is not sent a third time just now.
    let faults = (1..=2).map(|nth| Fault { purpose: Purpose::Refresh, nth, what: Trouble::Drop }).collect();
    let (mut rig, failure) = failure(works(Dials { faults, ..dials() }));
    assert_eq!((failure.kind(), failure.retry()), (Kind::OutcomeUnknown, Retry::Later));
    rig.run(Event::Restore).unwrap_err();
    assert_eq!(rig.count(Purpose::Refresh), 2);
    rig.now = failure.retry_at.unwrap().as_secs();
    mends(rig);
}

/// The answer has arrived: the server has put another refresh token in the place of the one that was sent.
#[test]
fn a_refresh_token_that_has_a_successor_is_not_sent_again() {
    for body in [
        r#"{"access_token":"not visible","refresh_token":"its-successor","token_type":"Bearer"}"#,
        r#"{"access_token":"a-token","refresh_token":"its\nsuccessor","token_type":"Bearer"}"#,
        r#"{"refresh_token":"its-successor","token_type":"Bearer"}"#,
        r#"{"access_token":"a-token","refresh_token":"its-successor"}"#,
    ] {
        let broken = Trouble::Answer(200, "application/json", body.as_bytes().to_vec());
        let mut rig = works(Dials { faults: failing(broken), ..dials() });
        rig.now += 3600;
        rig.run(Event::Restore).unwrap_err();
        rig.now += 3600;
        let _ = rig.run(Event::Restore);
        assert_eq!(rig.count(Purpose::Refresh), 1, "{body}");
        rig.log_in().unwrap();
    }
}

#[test]
fn reuse_after_a_lost_answer_may_end_the_grant_and_is_said_so() {
    let mut rig = works(Dials { faults: failing(Trouble::DropAfter), ..dials() });
    rig.now += 3600;
    assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
    assert!(
        rig.auth.trail().to_string().contains("the server may take this for reuse"),
        "{}",
        rig.auth.trail()
    );
    // With a grace the second request gets what the first one lost.
    let rotation = Rotation::TimeGrace(60);
    let mut rig = works(Dials { faults: failing(Trouble::DropAfter), rotation, ..Dials::default() });
    rig.now += 3600;
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
}

#[test]
fn a_dead_grant_is_buried_for_all_processes() {
    for (status, error) in [
        (400, "invalid_grant"),
        (401, "invalid_grant"),
        (400, "invalid_request"),
        (400, "unauthorized_client"),
        (200, "bad_refresh_token"),
    ] {
        let dead = Dials { dead_refresh_status: status, dead_refresh_error: error.to_owned(), ..dials() };
        let mut rig = works(dead);
        rig.world.revoke_everything();
        rig.now += 3600;
        assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous, "{status} {error}");
        let record = rig.store.values().next().unwrap();
        assert!(record.refresh_token.is_none() && !record.client.id.is_empty());
        // Another process does not try the dead token, and needs no new client.
        rig.restart(|config| config);
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
        let counts = (rig.count(Purpose::Refresh), rig.count(Purpose::Registration), rig.opened.len());
        assert_eq!(counts, (1, 1, 2), "{status} {error}");
    }
}

#[test]
fn a_dead_client_is_forgotten_and_registers_anew_once() {
    let mut rig = works(dials());
    let old = rig.auth.authorized().unwrap().client_id;
    rig.world.purge_clients();
    rig.now += 3600;
    assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
    assert!(rig.store.is_empty());
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_ne!(rig.auth.authorized().unwrap().client_id, old);
    assert_eq!((rig.count(Purpose::Registration), rig.opened.len()), (2, 2));
}

/// Whenever a record is about to be forgotten, or to lose its refresh token, another stands there that is as dead.
fn is_overtaken(mut rig: Rig, begin: Event) -> (Rig, Result<Outcome, Box<Failure>>) {
    let overtakes = |rig: &mut Rig| {
        let there = rig.store.values_mut().next().unwrap();
        there.generation = Generation::new(there.generation.as_u64() + (1 << 32));
        there.refresh_token = Some(Secret::new(format!("of-{}", there.generation.as_u64())));
        Box::new(there.clone())
    };
    rig.now += 3600;
    rig.tell(begin);
    for _ in 0..100 {
        let event = match rig.poll() {
            Action::Finish(outcome) => return (rig, outcome),
            Action::Forget(forget) => {
                overtakes(&mut rig);
                forget.reply(false)
            }
            Action::Store(save) => save.reply(Saving::Conflict(Some(overtakes(&mut rig)))),
            action => match rig.answer(action) {
                Some(event) => event,
                None => continue,
            },
        };
        rig.tell(event);
    }
    panic!("there is no end to it\n{}", rig.auth.trail());
}

#[test]
fn whoever_keeps_writing_keeps_nobody_busy_without_end() {
    for dies in ["client", "grant", "secret"] {
        let made = || {
            let methods = Some(vec!["client_secret_post".to_owned()]);
            let expires = Dials { secret_lifetime: Some(3000), auth_methods: methods, ..dials() };
            let mut rig = works(if dies == "secret" { expires } else { dials() });
            match dies {
                "client" => rig.world.purge_clients(),
                "grant" => rig.world.revoke_everything(),
                _ => {}
            }
            rig
        };
        let refreshes = if dies == "secret" { 0 } else { 4 };
        // Who has not asked for it is not asked to consent over a record that may live.
        for begin in [|_: &Rig| Event::Restore, |rig: &Rig| refusal(generation(rig))] {
            let rig = made();
            let begin = begin(&rig);
            let (rig, ended) = is_overtaken(rig, begin);
            let failure = ended.unwrap_err();
            assert_eq!((failure.kind(), failure.retry()), (Kind::StoreBusy, Retry::Later), "{dies}");
            assert_eq!((rig.count(Purpose::Refresh), rig.opened.len()), (refreshes, 1), "{dies}");
        }
        let (rig, ended) = is_overtaken(made(), Event::LogIn { scopes: Scopes::new() });
        assert_eq!(
            (authorized(ended.unwrap()).source, rig.opened.len()),
            (TokenSource::LoggedIn, 2),
            "{dies}"
        );
    }
}

/// The store has said that somebody else's record stands there, and then it cannot be read.
#[test]
fn a_record_of_somebody_else_that_cannot_be_read_is_no_reason_to_ask_a_person() {
    let mut rig = works(dials());
    rig.world.purge_clients();
    rig.now += 3600;
    let refused = refusal(generation(&rig));
    rig.tell(refused);
    let Action::Forget(forget) = rig.until(|action| matches!(action, Action::Forget(_))) else { panic!() };
    rig.tell(forget.reply(false));
    let Action::Load(load) = rig.until(|action| matches!(action, Action::Load(_))) else { panic!() };
    rig.tell(load.fail("the disk is gone"));
    let Action::Finish(Err(failure)) = rig.until(|action| matches!(action, Action::Finish(_))) else {
        panic!()
    };
    assert_eq!((failure.kind(), rig.opened.len()), (Kind::StoreFailed, 1));
}

/// What is called off ends well, where the token at hand serves.
#[test]
fn a_client_that_ends_takes_no_living_token_with_it() {
    for forgotten in [true, false] {
        let mut rig = works(dials());
        rig.world.purge_clients();
        rig.now += 3570;
        rig.tell(Event::Restore);
        let Action::Forget(forget) = rig.until(|action| matches!(action, Action::Forget(_))) else {
            panic!()
        };
        rig.tell(Event::Cancelled);
        rig.tell(forget.reply(forgotten));
        let ended = rig.settle();
        assert!(
            matches!(&ended[..], [Ok(Outcome::Authorized(done))] if done.source == TokenSource::Kept),
            "{ended:?}"
        );
    }
}

#[test]
fn a_client_secret_that_has_expired_is_not_sent() {
    let methods = Some(vec!["client_secret_post".to_owned()]);
    let mut rig = works(Dials { secret_lifetime: Some(3000), auth_methods: methods, ..dials() });
    rig.now += 3600;
    assert_eq!(rig.run(Event::Restore).unwrap(), Outcome::Anonymous);
    assert_eq!((rig.count(Purpose::Refresh), rig.store.len()), (0, 0));
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(rig.count(Purpose::Registration), 2);
}

#[test]
fn a_configured_client_that_is_refused_changes_nothing() {
    let clients = vec![PreRegistered::public("by-hand", REDIRECT)];
    let known = Preregistered::new("https://as.example", "by-hand");
    let mut rig = Rig::with(Dials { clients, ..dials() }, |config| config.preregistered(known.clone()));
    rig.log_in().unwrap();
    let before = rig.store.clone();
    rig.world.dials_mut().clients.clear();
    rig.world.purge_clients();
    rig.now += 3600;
    let failure = rig.run(Event::Restore).unwrap_err();
    assert_eq!((failure.kind(), failure.retry()), (Kind::Configuration, Retry::AfterChange));
    assert_eq!(rig.store, before);
}

#[test]
fn what_only_a_change_can_mend_is_said_and_changes_nothing() {
    for error in ["invalid_scope", "invalid_target", "unsupported_grant_type"] {
        let answer = format!("{{\"error\":\"{error}\"}}");
        let what = Trouble::Answer(400, "application/json", answer.into_bytes());
        let faults =
            (1..=2).map(|nth| Fault { purpose: Purpose::Refresh, nth, what: what.clone() }).collect();
        let mut rig = works(Dials { faults, ..dials() });
        let before = rig.store.clone();
        rig.now += 3600;
        let failure = rig.run(refusal(generation(&rig))).unwrap_err();
        assert_eq!((failure.kind(), failure.retry()), (Kind::TokenEndpointError, Retry::AfterChange));
        assert_eq!(failure.breach.error.as_deref(), Some(error));
        assert_eq!((&rig.store, rig.opened.len()), (&before, 1));
        // A person who asks for it may consent anew.
        rig.log_in().unwrap();
        assert_eq!(rig.opened.len(), 2);
    }
}

#[test]
fn no_browser_opens_while_the_access_token_works() {
    for what in [Trouble::Status(503), Trouble::Drop, Trouble::Html] {
        let faults =
            (1..=2).map(|nth| Fault { purpose: Purpose::Refresh, nth, what: what.clone() }).collect();
        let mut rig = works(Dials { faults, ..dials() });
        // Within the margin, in which a token is renewed beforehand.
        rig.now += 3580;
        assert_eq!(access(&rig), "wait");
        assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Kept, "{what:?}");
        assert_eq!(access(&rig), "ready");
        assert_eq!(rig.opened.len(), 1);
    }
    // Not even if the grant is dead.
    let mut rig = works(dials());
    let lives = rig.store.clone();
    rig.world.revoke_everything();
    rig.now += 3580;
    authorized(rig.run(Event::Restore).unwrap());
    assert_eq!((access(&rig), rig.opened.len()), ("ready", 1));
    assert_ne!(rig.store, lives);
}

#[test]
fn tokens_that_the_store_did_not_keep_serve_and_are_offered_again() {
    let mut rig = works(dials());
    rig.mood = StoreMood::FailsToWrite;
    rig.now += 3600;
    let done = authorized(rig.run(Event::Restore).unwrap());
    assert_eq!((done.source, done.unsaved.as_deref()), (TokenSource::Refreshed, Some("the disk is full")));
    assert_eq!(access(&rig), "ready");
    assert_eq!(rig.auth.authorized().unwrap().unsaved.as_deref(), Some("the disk is full"));
    // A while later whoever asks for access is told to wait, and the store gets another chance.
    rig.now += 30;
    assert_eq!(access(&rig), "wait");
    let again = authorized(rig.run(Event::Restore).unwrap());
    assert!(again.unsaved.is_some());
    rig.mood = StoreMood::Works;
    rig.now += 30;
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).unsaved, None);
    assert_eq!(rig.auth.authorized().unwrap().unsaved, None);
    assert_eq!(rig.count(Purpose::Refresh), 1);
    rig.restart(|config| config);
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).generation, done.generation);
    mends(rig);
}

#[test]
fn a_driver_that_is_gone_takes_no_tokens_with_it() {
    let mut rig = works(dials());
    rig.now += 3600;
    rig.tell(Event::Restore);
    loop {
        match rig.poll() {
            // The answer came, and then the driver died before it could store it.
            Action::Store(_) => break,
            action => {
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    }
    rig.tell(Event::Abandoned);
    let ended = rig.settle();
    assert!(matches!(&ended[..], [Ok(Outcome::Authorized(done))] if done.unsaved.is_some()), "{ended:?}");
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).unsaved, None);
    mends(rig);
}

#[test]
fn a_refresh_is_not_called_off() {
    let mut rig = works(dials());
    rig.now += 3600;
    rig.tell(Event::Restore);
    loop {
        match rig.poll() {
            Action::Send(send) => {
                rig.tell(Event::Cancelled);
                assert!(rig.settle().is_empty(), "the answer may be the only copy of a token");
                let event = rig.answer(Action::Send(send)).unwrap();
                rig.tell(event);
                break;
            }
            action => {
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    }
    assert!(matches!(&rig.settle()[..], [Ok(Outcome::Authorized(_))]));
    mends(rig);
}

#[test]
fn the_grant_serves_and_is_renewed_while_a_person_consents_to_more() {
    let mut rig = works(dials());
    rig.now += 3500;
    rig.tell(insufficient(generation(&rig)));
    assert!(rig.settle().is_empty());
    assert!(rig.auth.is_consenting());
    assert_eq!(access(&rig), "ready");
    // It runs out while the person reads.
    rig.now += 80;
    assert_eq!(access(&rig), "wait");
    rig.tell(Event::Restore);
    assert!(rig.auth.is_renewing());
    assert!(rig.settle().is_empty());
    assert!(
        matches!(&rig.renewed[..], [Ok(Outcome::Authorized(done))] if done.source == TokenSource::Refreshed)
    );
    assert_eq!((access(&rig), rig.auth.is_consenting()), ("ready", true));
    // A refusal of the renewed token is renewed once more beside it.
    rig.tell(refusal(generation(&rig)));
    rig.settle();
    assert_eq!((rig.renewed.len(), rig.count(Purpose::Refresh), access(&rig)), (2, 2, "ready"));
    // Then the person consents.
    let called = rig.consent();
    rig.tell(called);
    let ended = rig.settle();
    assert!(
        matches!(&ended[..], [Ok(Outcome::Authorized(done))] if done.source == TokenSource::LoggedIn),
        "{ended:?}"
    );
    assert!(rig.auth.authorized().unwrap().granted.to_string().contains("files:write"));
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!(rig.opened.len(), 2);
}

#[test]
fn a_step_up_that_is_declined_or_abandoned_leaves_everything_as_it_was() {
    let ends: [fn(&mut Rig); 3] = [
        |rig| rig.tell(Event::Cancelled),
        |rig| rig.tell(Event::Abandoned),
        |rig| {
            rig.world.dials_mut().person = mcp_auth_testbed::Person::Denies;
            let called = rig.consent();
            rig.tell(called);
        },
    ];
    for end in ends {
        let mut rig = works(dials());
        let (before, held) = (rig.store.clone(), rig.auth.authorized());
        rig.tell(insufficient(generation(&rig)));
        rig.settle();
        end(&mut rig);
        assert!(matches!(&rig.settle()[..], [Err(_)]));
        assert_eq!((&rig.store, rig.auth.authorized(), access(&rig)), (&before, held, "ready"));
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    }
}

#[test]
fn a_login_that_ends_during_a_renewal_waits_for_it_and_wins() {
    let mut rig = works(dials());
    rig.now += 3500;
    rig.tell(insufficient(generation(&rig)));
    rig.settle();
    rig.now += 80;
    rig.tell(Event::Restore);
    // The refresh is under way when the person's answer comes.
    let mut held = None;
    for _ in 0..20 {
        match rig.poll() {
            Action::Send(send) => {
                held = Some(send);
                break;
            }
            Action::Wait(_) => break,
            action => {
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    }
    let send = held.expect("the refresh token is spent");
    let called = rig.consent();
    rig.tell(called);
    assert!(rig.settle().is_empty(), "the record is held by the renewal");
    let event = rig.answer(Action::Send(send)).unwrap();
    rig.tell(event);
    let ended = rig.settle();
    assert_eq!(rig.renewed.len(), 1);
    assert!(
        matches!(&ended[..], [Ok(Outcome::Authorized(done))] if done.source == TokenSource::LoggedIn),
        "{ended:?}"
    );
    let kept = rig.store.values().next().unwrap();
    assert_eq!(kept.generation, generation(&rig));
    assert!(kept.granted.to_string().contains("files:write"));
}

#[test]
fn a_clock_that_jumps_costs_a_renewal_at_most() {
    // Forwards, and back after a restart: the record seems to come from the future.
    let mut rig = works(dials());
    rig.now += 365 * 86_400;
    rig.run(Event::Restore).unwrap();
    rig.now -= 365 * 86_400;
    rig.restart(|config| config);
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
    assert_eq!(rig.store.values().next().unwrap().obtained_at, rig.now());
    mends(rig);
    // Back: the machine goes on with the latest time it was told.
    let mut rig = works(dials());
    rig.now -= 86_400;
    assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
    assert_eq!((rig.count(Purpose::Refresh), rig.opened.len()), (0, 1));
}

/// Goes on until the attempt fails, while the store has nothing but this to say.
fn waits_in_vain(rig: &mut Rig, mut asked: impl FnMut(&mut Rig, Load)) -> Box<Failure> {
    loop {
        match rig.poll() {
            Action::Load(load) => asked(rig, load),
            Action::Wait(until) => {
                rig.now = until.unwrap().as_secs();
                rig.tell(Event::Tick);
            }
            Action::Finish(outcome) => return outcome.unwrap_err(),
            other => panic!("{other:?}"),
        }
    }
}

/// A renewal that is called off while it takes the record.
fn given_up() -> (Rig, Load) {
    let mut rig = works(dials());
    rig.now += 3600;
    rig.tell(Event::Restore);
    let Action::Load(load) = rig.poll() else { panic!("the record is taken") };
    rig.tell(Event::Cancelled);
    assert!(matches!(&rig.settle()[..], [Err(_)]));
    (rig, load)
}

#[test]
fn a_record_that_somebody_else_holds_is_waited_for_and_then_given_up() {
    // Whoever asks for a login waits too: what somebody else is doing may be the login.
    for begin in [Event::Restore, Event::LogIn { scopes: Scopes::new() }] {
        let mut rig = works(dials());
        rig.now += 3600;
        rig.tell(begin);
        let begun = rig.now;
        let failure = waits_in_vain(&mut rig, |rig, load| {
            assert!(load.exclusive().is_some());
            rig.tell(load.busy());
        });
        assert_eq!((failure.kind(), failure.retry()), (Kind::StoreBusy, Retry::Later));
        // Long enough for a lease that began just then to end.
        assert!(rig.now - begun >= 60, "{}", rig.now - begun);
        mends(rig);
    }
}

/// No other has written, as far as anybody knows.
#[test]
fn a_person_is_asked_for_more_though_the_store_cannot_be_read() {
    let mut rig = works(dials());
    rig.mood = StoreMood::FailsToRead;
    let more = insufficient(generation(&rig));
    assert_eq!(authorized(rig.run(more).unwrap()).source, TokenSource::LoggedIn);
    assert_eq!(rig.opened.len(), 2);
}

#[test]
fn a_lease_that_comes_too_late_is_given_back() {
    let (mut rig, load) = given_up();
    let found = rig.store.values().next().cloned();
    rig.tell(load.reply(found.clone()));
    assert!(matches!(rig.poll(), Action::Release(release) if release.load() == load.id()));
    // Twice told is not twice held.
    rig.tell(load.reply(found));
    assert!(matches!(rig.poll(), Action::Wait(None)));
    mends(rig);
}

/// It may come after many others have found the record taken.
#[test]
fn a_lease_that_comes_after_other_loads_is_given_back() {
    let (mut rig, late) = given_up();
    rig.tell(Event::Restore);
    let mut taken = 0;
    let failure = waits_in_vain(&mut rig, |rig, load| {
        taken += 1;
        rig.tell(load.busy());
        // It was answered, and took nothing.
        rig.tell(load.reply(None));
    });
    assert_eq!(failure.kind(), Kind::StoreBusy);
    assert!(taken > 16, "{taken}");
    rig.tell(late.reply(None));
    assert!(matches!(rig.poll(), Action::Release(release) if release.load() == late.id()));
    mends(rig);
}

/// Nor does it matter how many others nobody was asked for.
#[test]
fn a_lease_that_comes_after_loads_that_nobody_made_is_given_back() {
    for ticks in [false, true] {
        let (mut rig, late) = given_up();
        for _ in 0..20 {
            rig.tell(Event::Restore);
            if ticks {
                rig.now += 15;
                rig.tell(Event::Tick);
            }
            rig.tell(Event::Cancelled);
            rig.settle();
        }
        rig.tell(late.reply(None));
        assert!(matches!(rig.poll(), Action::Release(release) if release.load() == late.id()), "{ticks}");
    }
}

#[test]
fn an_older_refusal_starts_nothing() {
    let mut rig = works(dials());
    let old = generation(&rig);
    rig.now += 3600;
    rig.run(Event::Restore).unwrap();
    for _ in 0..100 {
        assert_eq!(authorized(rig.run(refusal(old)).unwrap()).source, TokenSource::Kept);
    }
    assert_eq!(rig.count(Purpose::Refresh), 1);
}

#[test]
fn a_machine_asked_for_scopes_that_it_has_asks_nobody() {
    let mut rig = works(dials());
    let granted = rig.auth.authorized().unwrap().granted;
    assert_eq!(authorized(rig.run(Event::LogIn { scopes: granted }).unwrap()).source, TokenSource::Kept);
    assert_eq!(rig.opened.len(), 1);
    rig.run(Event::LogIn { scopes: Scopes::parse("files:write").unwrap() }).unwrap();
    assert_eq!(rig.opened.len(), 2);
}

/// A login may fail just when the renewal beside it is kept; each is told of its own.
#[test]
fn a_renewal_and_a_login_that_end_together_are_told_apart() {
    let mut rig = Rig::new(Dials::default());
    rig.log_in().unwrap();
    rig.now += 3600;
    rig.tell(Event::LogIn { scopes: Scopes::parse("files:write").unwrap() });
    let (mut saved, mut told) = (None, Vec::new());
    while told.len() < 2 {
        match rig.poll() {
            Action::Finish(end) => told.push(end.is_ok()),
            Action::Renewed(end) => told.push(end.is_ok()),
            Action::Store(save) => saved = rig.answer(Action::Store(save)),
            Action::Wait(_) => {
                let saved = saved.take().unwrap();
                rig.tell(Event::Cancelled);
                rig.tell(saved);
            }
            Action::Open(_) => rig.tell(Event::Restore),
            action => {
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    }
    assert_eq!(told, [false, true], "{}", rig.auth.trail());
}

/// A refusal that comes while the token is renewed is one more that waits for it.
#[test]
fn a_refusal_during_a_renewal_begins_no_other() {
    let mut rig = works(dials());
    rig.now += 3600;
    rig.tell(Event::Restore);
    for _ in 0..10 {
        let action = rig.poll();
        let refused = refusal(generation(&rig));
        rig.tell(refused);
        assert!(!rig.auth.is_renewing(), "after {action:?}");
        match action {
            Action::Finish(outcome) => {
                assert_eq!(authorized(outcome.unwrap()).source, TokenSource::Refreshed);
                assert_eq!(rig.count(Purpose::Refresh), 1);
                return;
            }
            action => {
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    }
    panic!("there is no end to it");
}

/// While a person thinks, a token that serves is left as it is.
#[test]
fn a_grant_that_serves_is_not_renewed_beside_a_login() {
    let mut rig = works(dials());
    rig.tell(insufficient(generation(&rig)));
    rig.settle();
    rig.tell(Event::Restore);
    assert!(!rig.auth.is_renewing());
    rig.settle();
    assert_eq!((rig.count(Purpose::Refresh), access(&rig)), (0, "ready"));
}

/// Two tokens in a row that are refused as soon as they are there are the end, whoever sent the requests; after ten seconds a
/// token has served. At the end nothing is asked, and for a while every refusal ends so.
#[test]
fn a_token_that_is_refused_within_ten_seconds_was_never_good() {
    for (served, ends) in [(9, true), (10, false)] {
        let mut rig =
            works(Dials { refresh_tokens: mcp_auth_testbed::RefreshTokens::Never, ..Dials::default() });
        rig.now += 5;
        let first = refusal(generation(&rig));
        assert_eq!(authorized(rig.run(first).unwrap()).source, TokenSource::LoggedIn);
        rig.now += served;
        rig.tell(refusal(generation(&rig)));
        if ends {
            let Action::Finish(Err(failure)) = rig.poll() else { panic!("{}", rig.auth.trail()) };
            assert_eq!((failure.kind(), rig.opened.len()), (Kind::TokenRejected, 2));
        } else {
            assert_eq!(authorized(rig.drive().unwrap()).source, TokenSource::LoggedIn);
        }
    }
}

/// A person who insists ends the machine's own patience, and not what the server asked for.
#[test]
fn a_login_does_not_wait_for_a_back_off_but_for_what_the_server_asked() {
    for (what, sent) in [(Trouble::Status(503), 2), (Trouble::RetryAfter(503, 600), 1)] {
        let (mut rig, _) = failure(works(Dials { faults: failing(what.clone()), ..dials() }));
        rig.run(Event::LogIn { scopes: Scopes::new() }).unwrap();
        assert_eq!(rig.count(Purpose::Refresh), sent, "{what:?}");
    }
}
