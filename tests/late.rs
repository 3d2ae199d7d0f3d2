//! What comes late, or not at all: a record is held for so long and no longer, and what may have been spent is remembered.

mod support;

use http::{HeaderMap, StatusCode, header};
use mcp_auth::{
    Action, Challenge, Ended, Event, Generation, Kind, Load, Outcome, Saving, Send, SendFailure, Timestamp,
    TokenSource,
};
use mcp_auth_testbed::{Dials, Purpose, RefreshTokens};
use serde_json::json;
use support::{Rig, StoreMood, authorized, works};

/// A machine whose token has expired, on its way.
fn renewing() -> Rig {
    let mut rig = works(Dials::default());
    rig.now += 3600;
    rig.tell(Event::Restore);
    rig
}

/// The record as it is asked for, to be held.
fn load(rig: &mut Rig) -> Load {
    match rig.poll() {
        Action::Load(load) if load.exclusive().is_some() => load,
        other => panic!("the record is to be held: {other:?}"),
    }
}

/// The refresh, on its way out.
fn refresh(rig: &mut Rig) -> Send {
    let load = load(rig);
    let event = rig.answer(Action::Load(load)).unwrap();
    rig.tell(event);
    match rig.poll() {
        Action::Send(send) => send,
        other => panic!("the refresh token is to be sent: {other:?}"),
    }
}

/// The refresh went out, and its answer is there.
fn refresh_is_answered(rig: &mut Rig) {
    let send = refresh(rig);
    let answered = rig.answer(Action::Send(send)).unwrap();
    rig.tell(answered);
}

/// The same, and the answer is that nobody knows the client.
fn client_is_dead(rig: &mut Rig) {
    let unknown = |_: &str| (401, json!({"error": "invalid_client"}).to_string());
    rig.instead = Some(support::at("https://as.example/token", unknown));
    refresh_is_answered(rig);
}

/// Longer than anything is waited for.
fn sleep(rig: &mut Rig) {
    rig.now += 600;
    rig.tell(Event::Tick);
}

/// A machine that slept over the answer may have lost the record to another. There is time for the message and for the write
/// after it, or the record is taken anew.
#[test]
fn a_record_is_held_for_a_message_and_a_write_or_taken_anew() {
    for (slept, in_time) in [(30, true), (31, false)] {
        let mut rig = renewing();
        let load = load(&mut rig);
        let found = rig.store.get(load.key()).cloned();
        rig.now += slept;
        rig.tell(load.reply(found));
        match rig.poll() {
            Action::Send(_) => assert!(in_time, "{slept}"),
            Action::Release(release) => {
                assert!(!in_time && release.load() == load.id(), "{slept}");
                assert!(matches!(rig.poll(), Action::Load(again) if again.exclusive().is_some()));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A machine that slept before anybody polled it has asked its store for nothing, and does nothing without the record.
#[test]
fn a_store_that_was_not_asked_has_not_failed() {
    let mut rig = renewing();
    for _ in 0..2 {
        sleep(&mut rig);
    }
    let found = load(&mut rig);
    assert!(found.deadline().as_secs() > rig.now);
    let event = rig.answer(Action::Load(found)).unwrap();
    rig.tell(event);
    let ended = rig.settle().pop().unwrap();
    assert_eq!(authorized(ended.unwrap()).source, TokenSource::Refreshed);
    // One that was asked and did not say anything has.
    let mut rig = renewing();
    load(&mut rig);
    sleep(&mut rig);
    let ended = rig.settle().pop().unwrap();
    assert_eq!(ended.map_err(|failure| failure.kind()), Err(Kind::StoreFailed));
}

/// The store gets the new tokens at last, though the machine slept before anybody polled it.
#[test]
fn a_store_that_was_not_asked_to_keep_a_record_is_asked_again() {
    let mut rig = renewing();
    refresh_is_answered(&mut rig);
    for _ in 0..2 {
        sleep(&mut rig);
    }
    let outcome = authorized(rig.drive().unwrap());
    assert_eq!((outcome.source, outcome.unsaved), (TokenSource::Refreshed, None));
    let held = rig.auth.authorized().unwrap().generation;
    assert!(rig.store.values().all(|it| it.generation == held));
}

fn waits_until(rig: &mut Rig, deadline: Timestamp) {
    let next = rig.poll();
    assert!(matches!(next, Action::Wait(Some(until)) if until == deadline), "{next:?}, not {deadline:?}");
}

/// A store that was asked and does not answer has failed, and is waited for no more.
#[test]
fn a_store_that_says_nothing_has_failed() {
    let mut rig = renewing();
    refresh_is_answered(&mut rig);
    let Action::Store(save) = rig.poll() else { panic!("the record is to be kept") };
    waits_until(&mut rig, save.deadline());
    sleep(&mut rig);
    let outcome = authorized(rig.drive().unwrap());
    assert_eq!(outcome.unsaved.as_deref(), Some("no answer in time"));

    let mut rig = renewing();
    client_is_dead(&mut rig);
    let Action::Forget(forget) = rig.poll() else { panic!("the record is to be forgotten") };
    waits_until(&mut rig, forget.deadline());
    sleep(&mut rig);
    rig.drive().unwrap();
    assert!(rig.auth.trail().to_string().contains("the record is not forgotten: no answer in time"));
}

/// Nor is it by whoever logs out: what can be ended without it is.
#[test]
fn a_logout_does_not_wait_for_a_store_that_says_nothing() {
    let mut rig = works(Dials::default());
    rig.tell(Event::LogOut);
    let Action::Load(_) = rig.poll() else { panic!("the record is read first") };
    sleep(&mut rig);
    let next = rig.poll();
    assert!(matches!(next, Action::Send(_)), "{next:?}");

    let mut rig = works(Dials::default());
    rig.tell(Event::LogOut);
    rig.until(|action| matches!(action, Action::Forget(_)));
    sleep(&mut rig);
    let Outcome::LoggedOut(done) = rig.drive().unwrap() else { panic!("it is a logout") };
    assert!(matches!(&done.record, Ended::Not(breach) if breach.got == "no answer in time"), "{done:?}");
    assert!(matches!(done.refresh_token, Ended::Ended));
}

/// The same of a record that is to go: one whose client is dead, and one that is logged out of.
#[test]
fn a_store_that_was_not_asked_to_forget_a_record_is_asked_again() {
    let mut rig = renewing();
    client_is_dead(&mut rig);
    sleep(&mut rig);
    let Action::Forget(forget) = rig.poll() else { panic!("the record is to be forgotten") };
    let forgotten = rig.answer(Action::Forget(forget)).unwrap();
    rig.tell(forgotten);
    assert!(rig.store.is_empty());

    let mut rig = works(Dials::default());
    rig.tell(Event::LogOut);
    let done = loop {
        sleep(&mut rig);
        match rig.poll() {
            Action::Finish(outcome) => break outcome.unwrap(),
            action => {
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    };
    let Outcome::LoggedOut(done) = done else { panic!("{done:?}") };
    assert!(matches!(done.record, Ended::Ended) && rig.store.is_empty());
    // No message got out, and that is said.
    assert!(matches!(&done.refresh_token, Ended::Not(breach) if breach.kind == Kind::Unreachable));
}

/// What nobody waits for is asked for all the same, however late: whoever holds a record lets it go.
#[test]
fn a_record_is_let_go_however_late() {
    let mut rig = renewing();
    let load = load(&mut rig);
    sleep(&mut rig);
    rig.tell(load.reply(rig.store.get(load.key()).cloned()));
    rig.tell(Event::LogIn { scopes: Default::default() });
    sleep(&mut rig);
    let mut polled = Vec::new();
    for _ in 0..3 {
        polled.push(rig.poll());
    }
    let [Action::Finish(Err(_)), Action::Release(release), Action::Load(_)] = &polled[..] else {
        panic!("{polled:?}")
    };
    assert_eq!(release.load(), load.id());
}

/// What nobody took to send it has not been sent: the refresh token is as good as before, and nobody doubts it.
#[test]
fn a_message_that_nobody_took_is_not_sent() {
    let mut rig = renewing();
    let load = load(&mut rig);
    let found = rig.answer(Action::Load(load)).unwrap();
    rig.tell(found);
    sleep(&mut rig);
    let failure = rig.drive().unwrap_err();
    assert_eq!(failure.kind(), Kind::Unreachable);
    rig.now += 600;
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
    assert_eq!(rig.count(Purpose::Refresh), 1);
}

/// The store has the old record only, and what took its place is lost: the old refresh token was spent, and is not sent again.
#[test]
fn a_token_that_was_replaced_is_not_sent_again_by_a_record_that_stayed() {
    let mut rig = renewing();
    let old = rig.store.clone();
    rig.mood = StoreMood::FailsToWrite;
    assert!(authorized(rig.drive().unwrap()).unsaved.is_some());
    rig.now += 3600;
    rig.instead = Some(support::at("https://as.example/token", |_| (404, "gone".to_owned())));
    let _ = rig.run(Event::Restore);
    assert_eq!(rig.store, old);
    rig.mood = StoreMood::Works;
    rig.instead = None;
    rig.now += 3600;
    let outcome = rig.log_in().unwrap();
    assert_eq!((outcome.source, rig.count(Purpose::Refresh)), (TokenSource::LoggedIn, 1));
}

/// The same where a logout ended what took its place, and could not remove the record.
#[test]
fn a_token_that_was_replaced_is_not_sent_again_after_a_logout() {
    let mut rig = renewing();
    rig.mood = StoreMood::FailsToWrite;
    assert!(authorized(rig.drive().unwrap()).unsaved.is_some());
    rig.run(Event::LogOut).unwrap();
    rig.mood = StoreMood::Works;
    assert_eq!(rig.store.len(), 1);
    rig.now += 10;
    let outcome = rig.log_in().unwrap();
    assert_eq!((outcome.source, rig.count(Purpose::Refresh)), (TokenSource::LoggedIn, 1));
}

/// A refresh token goes out once more only while nobody else may take the record: two uses at one time look like theft
/// (RFC 9700 §4.14.2).
#[test]
fn a_refresh_token_is_sent_again_only_while_the_record_is_held() {
    for (slept, again) in [(30, true), (31, false)] {
        let mut rig = renewing();
        let send = refresh(&mut rig);
        rig.now += slept;
        rig.tell(send.fail(SendFailure::Interrupted("gone".to_owned())));
        if again {
            assert!(matches!(rig.poll(), Action::Send(_)), "{slept}");
        } else {
            assert_eq!(rig.drive().unwrap_err().kind(), Kind::OutcomeUnknown, "{slept}");
        }
        assert_eq!(rig.count(Purpose::Refresh), 0);
    }
}

/// Whether a refusal of the refresh token may be for a use that nobody knows the end of, the trail says; not otherwise.
#[test]
fn a_refusal_after_a_lost_answer_may_be_for_reuse() {
    for lost in [false, true] {
        let mut rig = renewing();
        if lost {
            let send = refresh(&mut rig);
            rig.world.answer(rig.now, send.request());
            rig.tell(Event::Abandoned);
            assert_eq!(rig.drive().unwrap_err().kind(), Kind::Cancelled);
            rig.tell(Event::Restore);
        }
        rig.instead = Some(support::at("https://as.example/token", |body| {
            assert!(body.contains("grant_type=refresh_token"));
            (400, json!({"error": "invalid_grant"}).to_string())
        }));
        let _ = rig.settle();
        let trail = rig.auth.trail().to_string();
        assert_eq!(trail.contains("may take this for reuse"), lost, "{trail}");
        assert!(rig.store.values().all(|it| it.refresh_token.is_none()), "{trail}");
    }
}

/// Nothing was sent yet when the driver went, so the token is as good as before, and nobody says otherwise.
#[test]
fn what_was_abandoned_before_anything_was_sent_is_not_in_doubt() {
    let mut rig = renewing();
    let _ = load(&mut rig);
    rig.tell(Event::Abandoned);
    rig.drive().unwrap_err();
    let outcome = authorized(rig.run(Event::Restore).unwrap());
    assert_eq!((outcome.source, rig.count(Purpose::Refresh)), (TokenSource::Refreshed, 1));
}

/// The store has lost the record between two reads; what was read is used all the same.
#[test]
fn a_record_that_vanishes_while_it_is_being_taken_is_not_missed() {
    for warm in [true, false] {
        let mut rig = works(Dials::default());
        rig.now += 3600;
        if !warm {
            rig.restart(|config| config);
        }
        rig.tell(Event::Restore);
        let Action::Load(first) = rig.poll() else { panic!("the record is read first") };
        assert_eq!(first.exclusive().is_some(), warm);
        if warm {
            // And it is too late to send anything.
            rig.now += 31;
            rig.tell(first.reply(None));
        } else {
            rig.tell(first.reply(rig.store.get(first.key()).cloned()));
        }
        rig.store.clear();
        assert_eq!(authorized(rig.drive().unwrap()).source, TokenSource::Refreshed, "{warm}");
        assert_eq!((rig.opened.len(), rig.store.len()), (1, 1));
    }
}

fn refusal(refused: Option<Generation>, retries: u8) -> Event {
    Event::Challenged(Challenge::of(StatusCode::UNAUTHORIZED, &HeaderMap::new(), refused, retries).unwrap())
}

/// A store that cannot be read cannot be held either. What it may have is not spent; a token that lives serves on, unless it is
/// the one that was refused.
#[test]
fn without_its_store_a_machine_has_what_still_lives() {
    for (left, refused, served) in [(10, false, true), (10, true, false), (0, false, false)] {
        let mut rig = works(Dials::default());
        let held = rig.auth.authorized().unwrap();
        rig.now = held.expires_at.unwrap().as_secs() - left;
        rig.mood = StoreMood::FailsToRead;
        let begin = if refused { refusal(Some(held.generation), 0) } else { Event::Restore };
        let source = rig.run(begin).map(|it| authorized(it).source).map_err(|failure| failure.kind());
        assert_eq!(source, if served { Ok(TokenSource::Kept) } else { Err(Kind::StoreFailed) }, "{left}");
        assert_eq!((rig.count(Purpose::Refresh), rig.opened.len()), (0, 1));
    }
}

/// What the store never had nobody else can spend, so it is renewed without the store; but not while somebody else holds the
/// record, who is there to write.
#[test]
fn what_the_store_never_had_is_renewed_without_it() {
    let mut rig = Rig::new(Dials::default());
    rig.mood = StoreMood::FailsToWrite;
    rig.log_in().unwrap();
    rig.now += 3600;
    rig.mood = StoreMood::FailsToRead;
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
    rig.now += 3600;
    rig.tell(Event::Restore);
    let failure = loop {
        match rig.poll() {
            Action::Load(load) => rig.tell(load.busy()),
            Action::Wait(until) => {
                rig.now = until.unwrap().as_secs();
                rig.tell(Event::Tick);
            }
            Action::Finish(outcome) => break outcome.unwrap_err(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((failure.kind(), rig.count(Purpose::Refresh)), (Kind::StoreBusy, 1));
}

/// A token that was renewed for this request and refused again: somebody else may have a better one, which cannot be seen, so no
/// person is asked. Where there is nothing to renew, a person is the way.
#[test]
fn a_store_that_fails_sends_nobody_to_a_browser_who_may_have_a_token() {
    let mut rig = works(Dials::default());
    rig.now += 3600;
    let renewed = authorized(rig.run(Event::Restore).unwrap());
    assert_eq!(renewed.source, TokenSource::Refreshed);
    rig.mood = StoreMood::FailsToRead;
    let failure = rig.run(refusal(Some(renewed.generation), 1)).unwrap_err();
    assert_eq!((failure.kind(), rig.opened.len()), (Kind::StoreFailed, 1));

    let mut rig = works(Dials { refresh_tokens: RefreshTokens::Never, ..Dials::default() });
    let held = rig.auth.authorized().unwrap().generation;
    rig.now += 3600;
    rig.mood = StoreMood::FailsToRead;
    assert_eq!(authorized(rig.run(refusal(Some(held), 0)).unwrap()).source, TokenSource::LoggedIn);
    assert_eq!(rig.opened.len(), 2);
}

/// A driver that is gone leaves nothing to be done for nobody: a refresh token that went out now would be spent.
#[test]
fn what_was_to_be_sent_is_not_sent_for_a_driver_that_is_gone() {
    for login in [true, false] {
        let mut rig = works(Dials::default());
        let generation = rig.auth.authorized().unwrap().generation;
        rig.now += 3500;
        let demand = r#"Bearer error="insufficient_scope", scope="files:write""#;
        let fields = HeaderMap::from_iter([(header::WWW_AUTHENTICATE, demand.parse().unwrap())]);
        let challenge = Challenge::of(StatusCode::FORBIDDEN, &fields, Some(generation), 0).unwrap();
        rig.tell(Event::Challenged(challenge));
        assert!(rig.settle().is_empty());
        // The token runs out while the person reads, and is renewed beside.
        rig.now += 80;
        rig.tell(Event::Restore);
        let Action::Load(load) = rig.poll() else { panic!("the record is read first") };
        if !login {
            rig.tell(Event::Cancelled);
        }
        rig.tell(load.reply(rig.store.get(load.key()).cloned()));
        assert!(rig.auth.is_renewing());
        rig.tell(Event::Abandoned);
        let mut left = Vec::new();
        loop {
            match rig.poll() {
                Action::Wait(until) => break assert_eq!(until, None),
                Action::Renewed(_) => left.push("renewed"),
                Action::Finish(_) => left.push("finish"),
                Action::Release(_) => left.push("release"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(left.iter().filter(|it| **it == "renewed").count(), 1);
        assert_eq!(authorized(rig.run(Event::Restore).unwrap()).source, TokenSource::Refreshed);
    }
}

/// A logout that waits for tokens to be stored is as little begun, once nobody drives it, as one that is under way goes on.
#[test]
fn a_logout_that_was_to_follow_is_not_begun_for_a_driver_that_is_gone() {
    let mut rig = renewing();
    refresh_is_answered(&mut rig);
    let Action::Store(_) = rig.poll() else { panic!("the tokens are stored") };
    rig.tell(Event::LogOut);
    rig.tell(Event::Abandoned);
    let ended = rig.settle();
    assert!(matches!(&ended[..], [Err(failure)] if failure.kind() == Kind::Cancelled), "{ended:?}");
    assert!(!rig.auth.is_running());
    // The tokens that were obtained stay in use.
    assert!(rig.auth.authorized().unwrap().unsaved.is_some());
    assert_eq!(authorized(rig.run(Event::Restore).unwrap()).unsaved, None);
    assert_eq!(rig.count(Purpose::Refresh), 1);
}

/// The write was done, though nobody said so: what stands there is the grant itself, and not written again.
#[test]
fn a_record_that_was_kept_after_all_is_not_offered_again() {
    let mut rig = Rig::new(Dials::default());
    rig.tell(Event::LogIn { scopes: Default::default() });
    assert!(rig.settle().is_empty());
    let called = rig.consent();
    rig.tell(called);
    let outcome = loop {
        match rig.poll() {
            Action::Store(save) => {
                rig.store.insert(save.key().clone(), save.credential().clone());
                rig.tell(save.reply(Saving::Failed("the connection was closed".to_owned())));
            }
            Action::Finish(outcome) => break authorized(outcome.unwrap()),
            action => {
                let event = rig.answer(action).unwrap();
                rig.tell(event);
            }
        }
    };
    assert!(outcome.unsaved.is_some());
    let kept = rig.store.clone();
    rig.mood = StoreMood::FailsToWrite;
    for later in [1, 60] {
        rig.now += later;
        let outcome = authorized(rig.run(Event::Restore).unwrap());
        assert_eq!((outcome.unsaved, &rig.store), (None, &kept));
    }
}

/// Whoever names a token that nobody can have given does not keep the tokens to come from being told apart.
#[test]
fn a_generation_that_cannot_be_raised_is_no_measure() {
    let mut rig = works(Dials::default());
    rig.now += 3600;
    rig.run(refusal(Some(Generation::new(u64::MAX)), 0)).unwrap();
    for _ in 0..2 {
        let before = rig.auth.authorized().unwrap().generation;
        rig.run(refusal(Some(before), 0)).unwrap();
        let after = rig.auth.authorized().unwrap().generation;
        assert!(after > before && after.as_u64() < u64::MAX / 2, "{before:?} {after:?}");
    }
}
