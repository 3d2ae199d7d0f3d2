//! The way out: what is revoked, what is forgotten, and what is said of the rest.

mod support;

use mcp_auth::{
    Access, Action, Ended, Event, Generation, Kind, LoggedOut, Outcome, Secret, Send, SendFailure,
};
use mcp_auth_testbed::{Dials, Fault, Purpose, Revokes, Trouble};
use support::{Rig, StoreMood, works};
use url::Url;

fn log_out(rig: &mut Rig) -> LoggedOut {
    match rig.run(Event::LogOut).unwrap() {
        Outcome::LoggedOut(done) => *done,
        other => panic!("{other:?}"),
    }
}

/// Nothing of the grant is left in the machine.
fn is_out(rig: &Rig) {
    let url = Url::parse(&rig.world.server_url()).unwrap();
    assert!(matches!(rig.auth.access(&url, rig.now()), Access::Anonymous));
    assert_eq!(rig.auth.authorized(), None);
}

fn why(ended: &Ended) -> Kind {
    match ended {
        Ended::Not(breach) => breach.kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_refresh_token_is_revoked_first_and_then_the_record_goes() {
    for revokes in [Revokes::RefreshTokenWithGrant, Revokes::Named, Revokes::Grant] {
        let mut rig = works(Dials { revokes, ..Dials::default() });
        let done = log_out(&mut rig);
        assert_eq!(done.refresh_token, Ended::Ended);
        assert_eq!((&done.access_token, &done.record), (&Ended::Ended, &Ended::Ended));
        assert!(done.is_complete() && rig.store.is_empty());
        let hints: Vec<_> = rig.world.exchanges().iter().filter(|it| it.is_for(Purpose::Revoke)).collect();
        let hint = |place: usize| {
            let named = |(name, _): &&(String, String)| name == "token_type_hint";
            hints[place].parameters.iter().find(named).map(|(_, value)| value.clone())
        };
        assert_eq!((hint(0).as_deref(), hint(1).as_deref()), (Some("refresh_token"), Some("access_token")));
        is_out(&rig);
        // And whoever was let in with the tokens is not any more.
        assert_eq!(rig.call("tools/list", None).unwrap().status(), 200);
        assert_eq!(rig.opened.len(), 2);
    }
}

#[test]
fn a_machine_that_has_just_started_logs_out_with_the_record_alone() {
    let mut rig = works(Dials::default());
    rig.restart(|config| config);
    assert!(log_out(&mut rig).is_complete());
    assert_eq!((rig.count(Purpose::Revoke), rig.count(Purpose::ServerMetadata)), (2, 1));
    assert!(rig.store.is_empty());
}

#[test]
fn a_server_that_cannot_be_reached_keeps_nobody_in() {
    for (what, kind) in [(Trouble::Drop, Kind::Unreachable), (Trouble::Status(503), Kind::UnexpectedStatus)] {
        let faults = (1..=2).map(|nth| Fault { purpose: Purpose::Revoke, nth, what: what.clone() }).collect();
        let mut rig = works(Dials { faults, ..Dials::default() });
        let done = log_out(&mut rig);
        assert_eq!((why(&done.refresh_token), why(&done.access_token)), (kind, kind));
        assert_eq!(done.record, Ended::Ended);
        assert!(!done.is_complete() && rig.store.is_empty());
        is_out(&rig);
    }
}

#[test]
fn what_the_server_does_not_offer_is_said() {
    let mut rig = works(Dials { revocation: false, ..Dials::default() });
    let done = log_out(&mut rig);
    assert_eq!((why(&done.refresh_token), rig.count(Purpose::Revoke)), (Kind::Unsupported, 0));
    assert!(rig.store.is_empty());
    let mut rig =
        works(Dials { revocation_refuses_access: true, revokes: Revokes::Named, ..Dials::default() });
    let done = log_out(&mut rig);
    assert_eq!(done.refresh_token, Ended::Ended);
    let Ended::Not(breach) = &done.access_token else { panic!("{done:?}") };
    assert_eq!(breach.error.as_deref(), Some("unsupported_token_type"));
}

#[test]
fn an_expired_access_token_is_not_sent_anywhere() {
    let mut rig = works(Dials::default());
    rig.now += 3600;
    let done = log_out(&mut rig);
    assert_eq!((done.refresh_token, done.access_token), (Ended::Ended, Ended::Absent));
    assert_eq!(rig.count(Purpose::Revoke), 1);
}

#[test]
fn a_store_that_fails_is_said_and_the_machine_is_out_all_the_same() {
    let mut rig = works(Dials::default());
    rig.mood = StoreMood::FailsToWrite;
    let done = log_out(&mut rig);
    assert_eq!((&done.refresh_token, why(&done.record)), (&Ended::Ended, Kind::StoreFailed));
    is_out(&rig);
    // What cannot be read is known from before; what was never read cannot be.
    let mut rig = works(Dials::default());
    rig.mood = StoreMood::FailsToRead;
    assert!(log_out(&mut rig).is_complete() && rig.store.is_empty());
    let mut rig = works(Dials::default());
    rig.restart(|config| config);
    rig.mood = StoreMood::FailsToRead;
    assert_eq!(why(&log_out(&mut rig).record), Kind::StoreFailed);
}

#[test]
fn nobody_who_is_not_in_is_asked_anything() {
    let mut rig = Rig::new(Dials::default());
    let done = log_out(&mut rig);
    assert!(done.is_complete());
    assert_eq!(
        (done.refresh_token, done.access_token, done.record),
        (Ended::Absent, Ended::Absent, Ended::Absent)
    );
    assert_eq!(rig.world.exchanges().len(), 0);
}

#[test]
fn a_login_that_waits_for_a_person_becomes_the_logout() {
    let mut rig = Rig::new(Dials::default());
    rig.tell(Event::LogIn { scopes: Default::default() });
    assert!(rig.settle().is_empty());
    rig.tell(Event::LogOut);
    let ended = rig.settle();
    assert!(matches!(&ended[..], [Ok(Outcome::LoggedOut(_))]), "{ended:?}");
    // The answer that comes afterwards is of no interest.
    let called = rig.consent();
    rig.tell(called);
    assert!(rig.settle().is_empty());
    assert_eq!(rig.count(Purpose::Token), 0);
}

/// The next request of what is under way.
fn request(rig: &mut Rig) -> Send {
    let Action::Send(send) = rig.until(|action| matches!(action, Action::Send(_))) else { unreachable!() };
    send
}

/// The tokens that were on their way are revoked too.
#[test]
fn a_logout_during_a_refresh_waits_for_its_answer() {
    let mut rig = works(Dials::default());
    rig.now += 3600;
    rig.tell(Event::Restore);
    let send = request(&mut rig);
    rig.tell(Event::LogOut);
    assert!(rig.settle().is_empty());
    let event = rig.answer(Action::Send(send)).unwrap();
    rig.tell(event);
    let ended = rig.settle();
    let [Ok(Outcome::LoggedOut(done))] = &ended[..] else { panic!("{ended:?}") };
    assert!(done.is_complete(), "{done:?}");
    assert!(rig.world.live_refresh_tokens(rig.now).is_empty() && rig.store.is_empty());
}

#[test]
fn a_record_that_somebody_else_holds_is_not_waited_for_long() {
    let mut rig = works(Dials::default());
    rig.tell(Event::LogOut);
    let begun = rig.now;
    let done = loop {
        match rig.poll() {
            Action::Load(load) => rig.tell(load.busy()),
            Action::Send(send) => {
                let event = match rig.world.answer(rig.now, send.request()) {
                    Some(response) => send.reply(response),
                    None => send.fail(SendFailure::TimedOut),
                };
                rig.tell(event);
            }
            Action::Wait(until) => {
                rig.now = until.unwrap().as_secs();
                rig.tell(Event::Tick);
            }
            Action::Finish(Ok(Outcome::LoggedOut(done))) => break done,
            action => {
                if let Some(event) = rig.answer(action) {
                    rig.tell(event);
                }
            }
        }
    };
    assert!(done.is_complete() && rig.store.is_empty());
    assert_eq!(rig.now - begun, 15, "as long as an exchange may take");
}

/// What is revoked is what is newest: the record, if another process has renewed it meanwhile, or what the machine holds, if the
/// store has fallen back.
#[test]
fn the_newer_of_the_record_and_the_grant_in_use_is_revoked() {
    for (moved, revoked) in [(1, "of-the-record"), (0, "held"), (-1, "held")] {
        let mut rig = works(Dials::default());
        let held = rig.store.values().next().unwrap().refresh_token.clone().unwrap();
        let record = rig.store.values_mut().next().unwrap();
        let number = record.generation.as_u64().checked_add_signed(moved).unwrap();
        record.generation = Generation::new(number);
        record.refresh_token = Some(Secret::new("of-the-record"));
        assert_eq!(log_out(&mut rig).refresh_token, Ended::Ended);
        let sent = rig.world.exchanges().iter().find(|it| it.is_for(Purpose::Revoke)).unwrap();
        let token = sent.parameters.iter().find(|(name, _)| name == "token").map(|(_, value)| value.as_str());
        let expected = if revoked == "held" { held.expose() } else { revoked };
        assert_eq!(token, Some(expected), "{moved}");
    }
}

/// Whatever becomes of the refresh, who wants to be out is out.
#[test]
fn a_logout_during_a_refresh_that_fails_is_a_logout() {
    for what in [Trouble::Status(503), Trouble::Status(400)] {
        let mut rig = works(Dials::default());
        rig.now += 3600;
        rig.world.dials_mut().faults = vec![Fault { purpose: Purpose::Refresh, nth: 1, what }];
        rig.tell(Event::Restore);
        let send = request(&mut rig);
        rig.tell(Event::LogOut);
        let event = rig.answer(Action::Send(send)).unwrap();
        rig.tell(event);
        let ended = rig.settle();
        assert!(matches!(&ended[..], [Ok(Outcome::LoggedOut(_))]), "{ended:?}");
        is_out(&rig);
    }
}

/// What was never read may well be there, and whoever holds it goes on with it.
#[test]
fn a_record_that_nobody_could_read_is_not_said_to_be_absent() {
    let mut rig = works(Dials::default());
    rig.restart(|config| config);
    rig.tell(Event::LogOut);
    let done = loop {
        match rig.poll() {
            Action::Load(load) => rig.tell(load.busy()),
            Action::Wait(until) => {
                rig.now = until.unwrap().as_secs();
                rig.tell(Event::Tick);
            }
            Action::Finish(Ok(Outcome::LoggedOut(done))) => break done,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((why(&done.record), done.is_complete(), rig.store.len()), (Kind::StoreBusy, false, 1));
}
