//! What stores and clocks do, and what becomes of tokens that are on their way when a person logs out, as
//! `docs/renewal.md` tells it.

use mcp_auth::{Action, Ended, Event, Kind, Outcome, Purpose as Sent, Saving};
use mcp_auth_testbed::*;

use crate::begun::{expired, listed};
use crate::ended::{answered, ends, is_gone, logged_out, request};
use crate::stage::{Person, Stage, Store};
use crate::{Flow, flow};

/// A renewal whose answer is in hand and is to be stored.
fn to_be_stored(stage: &mut Stage) -> Action {
    stage.tell(Event::Restore);
    stage.until(|action| matches!(action, Action::Store(_)))
}

pub(crate) fn flows() -> Vec<Flow> {
    let mut flows = stores();
    flows.extend(cut_off());
    flows.extend(unreadable());
    flows.extend(clocks());
    flows.extend(logouts());
    flows
}

fn stores() -> Vec<Flow> {
    vec![
        flow(
            "store.conflict",
            "Two processes without leases have spent one refresh token, at a server that allows it: the store answers `conflict` to the loser, which takes the winner's tokens.",
            &["own-store"],
            &["logged_in", "kept"],
            || {
                let mut stage = expired(Dials { rotation: Rotation::TimeGrace(60), ..Dials::default() });
                let save = to_be_stored(&mut stage);
                stage.beside(|other| {
                    other.restore();
                });
                let theirs = stage.records.clone();
                let conflict = stage.answer(save).unwrap();
                stage.tell(conflict);
                let Ok(Outcome::Authorized(done)) = stage.ended() else { panic!("no token") };
                assert_eq!(stage.records, theirs);
                assert_eq!(theirs.values().next().unwrap().generation, done.generation);
                stage
            },
        ),
        flow(
            "store.conflict.older",
            "The store has lost the last write and answers `conflict` with an older record: the newer tokens are written over it.",
            &["own-store"],
            &["logged_in", "refreshed", "refreshed"],
            || {
                let mut stage = expired(Dials::default());
                let older = stage.records.clone();
                stage.restore();
                stage.now += 4000;
                let save = to_be_stored(&mut stage);
                stage.records = older;
                let conflict = stage.answer(save).unwrap();
                stage.tell(conflict);
                let Ok(Outcome::Authorized(done)) = stage.ended() else { panic!("no token") };
                assert_eq!(done.unsaved, None);
                let kept = stage.records.values().next().unwrap();
                let live = stage.world.live_refresh_tokens(stage.now);
                assert_eq!(
                    kept.refresh_token.as_ref().map(|it| it.expose()),
                    live.last().map(String::as_str)
                );
                stage
            },
        ),
        flow(
            "store.not-kept.refresh",
            "The store does not keep what a renewal brought: the tokens serve in memory, the outcome says why, and they are offered again without another exchange.",
            &["own-store"],
            &["logged_in", "refreshed", "kept"],
            || {
                let mut stage = expired(Dials::default());
                let Action::Store(save) = to_be_stored(&mut stage) else { unreachable!() };
                stage.tell(save.reply(Saving::Failed("the disk is full".to_owned())));
                let Ok(Outcome::Authorized(done)) = stage.ended() else { panic!("no token") };
                assert_eq!(done.unsaved.as_deref(), Some("the disk is full"));
                stage.now += 30;
                let Ok(Outcome::Authorized(done)) = ends(&mut stage, Event::Restore) else { panic!() };
                assert_eq!((done.unsaved, stage.world.count(Purpose::Refresh)), (None, 1));
                stage
            },
        ),
        flow(
            "store.busy.serves-on",
            "Somebody else holds the record while the token lives: it is waited for, and then the old token serves on.",
            &["own-store", "own-renewal"],
            &["logged_in", "kept"],
            || {
                let dials = Dials { access_lifetime: 4000, ..Dials::default() };
                let mut stage = Stage::at(Origins::default(), dials, |config, _| {
                    config.policy(mcp_auth::Policy::with(|it| {
                        it.expiry_margin = std::time::Duration::from_secs(300);
                    }))
                });
                stage.call("tools/list", None);
                stage.now += 3750;
                stage.store = Store::Busy;
                stage.person = Person::Ignores;
                stage.restore();
                assert_eq!((stage.world.count(Purpose::Refresh), stage.opened.len()), (0, 1));
                stage
            },
        ),
        flow(
            "store.vanished",
            "The store has lost the record: the tokens in hand are as good as before, and their successors are kept.",
            &["own-store"],
            &["logged_in", "refreshed"],
            || {
                let mut stage = expired(Dials::default());
                stage.records.clear();
                stage.restore();
                assert_eq!(stage.records.len(), 1);
                stage
            },
        ),
    ]
}

fn cut_off() -> Vec<Flow> {
    vec![
        flow(
            "store.abandoned",
            "Whoever drove the machine is gone with the new tokens in hand and not stored: they stay in use, and are offered to the store again.",
            &["own-store", "own-calling-off"],
            &["logged_in", "refreshed", "kept"],
            || {
                let mut stage = expired(Dials::default());
                to_be_stored(&mut stage);
                stage.tell(Event::Abandoned);
                let Ok(Outcome::Authorized(done)) = stage.ended() else { panic!("no token") };
                assert!(done.unsaved.is_some());
                let Ok(Outcome::Authorized(done)) = ends(&mut stage, Event::Restore) else { panic!() };
                assert_eq!((done.unsaved, stage.world.count(Purpose::Refresh)), (None, 1));
                stage
            },
        ),
        flow(
            "store.cancelled",
            "An attempt is called off while the new tokens are being stored: that is brought to its end.",
            &["own-store", "own-calling-off"],
            &["logged_in", "refreshed"],
            || {
                let mut stage = expired(Dials::default());
                let save = to_be_stored(&mut stage);
                stage.tell(Event::Cancelled);
                let kept = stage.answer(save).unwrap();
                stage.tell(kept);
                let Ok(Outcome::Authorized(done)) = stage.ended() else { panic!("no token") };
                assert_eq!(done.unsaved, None);
                stage
            },
        ),
        flow(
            "code.cancelled",
            "A login is called off while its code is being exchanged: that is brought to its end, and the tokens are kept.",
            &["own-calling-off"],
            &["logged_in"],
            || {
                let mut stage = Stage::plain(Dials::default());
                stage.tell(Event::LogIn { scopes: mcp_auth::Scopes::new() });
                let send = request(&mut stage, Sent::Token);
                stage.tell(Event::Cancelled);
                answered(&mut stage, send);
                stage.ended().unwrap();
                assert_eq!(stage.records.len(), 1);
                stage
            },
        ),
        flow(
            "store.token-lost",
            "A process dies between the server's answer and the store's: nobody has the new token, the next process finds the old one dead, and a person logs in.",
            &["refresh-not-counted-on", "token-errors"],
            &["logged_in", "anonymous", "logged_in"],
            || {
                let mut stage = expired(Dials::default());
                stage.beside(|other| drop(to_be_stored(other)));
                stage.call("tools/list", None);
                assert_eq!((stage.world.count(Purpose::Refresh), stage.opened.len()), (2, 2));
                assert_eq!(stage.world.count(Purpose::Registration), 1);
                stage
            },
        ),
    ]
}

fn unreadable() -> Vec<Flow> {
    vec![
        flow(
            "store.unreadable.serves-on",
            "A store that cannot be read while the token lives: it serves, and is not renewed.",
            &["own-store", "own-renewal"],
            &["logged_in", "kept"],
            || {
                let mut stage = listed(Dials::default());
                stage.store = Store::FailsToRead;
                stage.now += 3575;
                stage.restore();
                assert_eq!(stage.world.count(Purpose::Refresh), 0);
                stage
            },
        ),
        flow(
            "store.unreadable.own-token",
            "A token that the store never took belongs to this machine alone: it is spent though the store cannot be read.",
            &["own-store"],
            &["logged_in", "refreshed"],
            || {
                let mut stage = Stage::plain(Dials::default());
                stage.store = Store::FailsToWrite;
                stage.call("tools/list", None);
                assert!(stage.records.is_empty());
                stage.store = Store::FailsToRead;
                stage.now += 4000;
                stage.restore();
                assert_eq!(stage.world.count(Purpose::Refresh), 1);
                stage
            },
        ),
    ]
}

fn clocks() -> Vec<Flow> {
    vec![flow(
        "clock.forwards",
        "The clock jumps forwards, and a token is renewed too early; then back, and the machine goes on with the latest time it was told: nothing is sent.",
        &["own-renewal"],
        &["logged_in", "refreshed", "kept"],
        || {
            let mut stage = listed(Dials::default());
            stage.now += 86_400;
            stage.restore();
            stage.now -= 86_400;
            stage.restore();
            assert_eq!((stage.world.count(Purpose::Refresh), stage.opened.len()), (1, 1));
            stage
        },
    )]
}

fn logouts() -> Vec<Flow> {
    vec![
        flow(
            "logout.while-renewing",
            "A person logs out while a refresh token is on its way: its answer is waited for, and what it brings is revoked too.",
            &["revoked", "own-calling-off"],
            &["logged_in", "logged_out"],
            || {
                let mut stage = expired(Dials::default());
                stage.tell(Event::Restore);
                let send = request(&mut stage, Sent::Refresh);
                stage.tell(Event::LogOut);
                stage.settle();
                answered(&mut stage, send);
                let Ok(Outcome::LoggedOut(done)) = stage.ended() else { panic!("no logout") };
                assert!(is_gone(&done.refresh_token) && done.is_complete());
                assert_eq!(stage.world.live_refresh_tokens(stage.now), [""; 0]);
                stage
            },
        ),
        flow(
            "logout.while-exchanging",
            "A person logs out while a code is being exchanged: the tokens that come for it are revoked, and nothing is stored.",
            &["revoked", "own-calling-off"],
            &["logged_out"],
            || {
                let mut stage = Stage::plain(Dials::default());
                stage.tell(Event::LogIn { scopes: mcp_auth::Scopes::new() });
                let send = request(&mut stage, Sent::Token);
                stage.tell(Event::LogOut);
                stage.settle();
                answered(&mut stage, send);
                let Ok(Outcome::LoggedOut(done)) = stage.ended() else { panic!("no logout") };
                assert!(is_gone(&done.refresh_token) && stage.records.is_empty());
                assert_eq!(stage.world.live_refresh_tokens(stage.now), [""; 0]);
                stage
            },
        ),
        flow(
            "logout.not-forgotten",
            "The store cannot forget the record (`not_forgotten`): the outcome says so, the tokens are revoked, and nothing of the grant is left in the machine.",
            &["own-store", "revoked"],
            &["logged_in", "logged_out"],
            || {
                let mut stage = listed(Dials::default());
                stage.tell(Event::LogOut);
                let forget = stage.until(|action| matches!(action, Action::Forget(_)));
                let Action::Forget(forget) = forget else { unreachable!() };
                stage.tell(forget.fail("the disk is full"));
                let Ok(Outcome::LoggedOut(done)) = stage.ended() else { panic!("no logout") };
                assert!(is_gone(&done.refresh_token));
                assert!(matches!(&done.record, Ended::Not(why) if why.kind == Kind::StoreFailed));
                assert_eq!(stage.machine.authorized(), None);
                stage
            },
        ),
        flow(
            "logout.expired",
            "The access token has run out: only the refresh token is revoked.",
            &["revoked"],
            &["logged_in", "logged_out"],
            || {
                let mut stage = expired(Dials::default());
                let done = logged_out(&mut stage, Event::LogOut);
                assert_eq!((is_gone(&done.refresh_token), &done.access_token), (true, &Ended::Absent));
                assert_eq!(stage.world.count(Purpose::Revoke), 1);
                stage
            },
        ),
        flow(
            "logout.store-unreadable",
            "A new process logs out, and cannot read the store: it says so, and does not say that there was nothing.",
            &["own-store"],
            &["logged_out"],
            || {
                let mut stage = listed(Dials::default());
                stage.restart();
                stage.store = Store::FailsToRead;
                let done = logged_out(&mut stage, Event::LogOut);
                assert!(matches!(&done.record, Ended::Not(why) if why.kind == Kind::StoreFailed));
                stage
            },
        ),
    ]
}
