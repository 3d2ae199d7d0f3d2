//! The record that is held, and the refresh token in it.

use serde_json::json;

use super::*;

#[test]
fn a_refresh_token_that_is_spent_wrongly() {
    let spend = |id: u64| refresh(id, TOKEN, "refresh_token=the-refresh-token");
    let mut watch = watch();
    watch.action(&spend(2));
    seen(&watch, "while the record is not held");
    for (body, seen_again) in [
        (r#"{"access_token":"another-token","refresh_token":"its-successor"}"#, true),
        (r#"{"access_token":1,"refresh_token":"its-successor"}"#, true),
        (r#"{"access_token":1,"refresh_token":"the-refresh-token"}"#, false),
        (r#"{"access_token":1,"refresh_token":""}"#, false),
        (r#"{"error":"invalid_grant"}"#, true),
        (r#"{"error":"invalid_scope"}"#, false),
    ] {
        let mut watch = self::watch();
        hold(&mut watch, 2);
        watch.action(&spend(3));
        answer(&mut watch, 3, 400, body);
        watch.action(&spend(4));
        let again = watch.breaches().iter().any(|breach| breach.contains("sent again"));
        assert_eq!(again, seen_again, "{body}");
    }
    // A server may give again what it replaced.
    for (next, seen_again) in [("the-refresh-token", false), ("another-successor", true)] {
        let mut watch = self::watch();
        hold(&mut watch, 2);
        watch.action(&spend(3));
        answer(&mut watch, 3, 200, r#"{"access_token":"a","refresh_token":"its-successor"}"#);
        watch.action(&refresh(4, TOKEN, "refresh_token=its-successor"));
        answer(&mut watch, 4, 200, &format!(r#"{{"access_token":"b","refresh_token":"{next}"}}"#));
        watch.action(&spend(5));
        let again = watch.breaches().iter().any(|breach| breach.contains("sent again"));
        assert_eq!(again, seen_again, "{next}");
    }
}

/// A store that is silent about what it has is none, and there is nothing to hold; one that is only slow is waited for.
#[test]
fn a_refresh_token_that_is_spent_without_a_store() {
    for (at, silent) in [(0, false), (3_600, true)] {
        let mut watch = watch();
        watch.action(&load(2, false));
        watch.event(later(at), &Event::Tick);
        watch.action(&refresh(3, TOKEN, "refresh_token=the-refresh-token"));
        let seen = watch.breaches().iter().any(|breach| breach.contains("while the record is not held"));
        assert_eq!(seen, !silent, "{:?}", watch.breaches());
    }
}

/// A lease of what nobody asked for is none.
#[test]
fn a_record_that_is_given_unasked() {
    let leased = |id| Event::Replied(Reply { id: RequestId(id), answer: Answer::Leased(None) });
    let mut watch = watch();
    watch.action(&load(2, false));
    watch.event(NOW, &leased(2));
    watch.event(NOW, &leased(7));
    // Somebody else has it, as the store has said already.
    watch.action(&load(8, true));
    watch.event(NOW, &Event::Replied(Reply { id: RequestId(8), answer: Answer::Busy }));
    watch.event(NOW, &leased(8));
    watch.action(&Action::Wait(None));
    assert!(
        !watch.breaches().iter().any(|breach| breach.contains("held for ever")),
        "{:?}",
        watch.breaches()
    );
}

#[test]
fn a_record_that_is_held_or_forgotten_wrongly() {
    let mut watch = watch();
    hold(&mut watch, 2);
    watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
    watch.action(&Action::Wait(None));
    seen(&watch, "held for ever");
    watch.action(&release(2));
    watch.action(&release(2));
    seen(&watch, "released that is not held");
    // Where the driver is gone it may still be let go.
    let mut watch = self::watch();
    hold(&mut watch, 2);
    watch.event(NOW, &Event::Abandoned);
    watch.action(&release(2));
    fine(&watch);
    watch.action(&release(2));
    seen(&watch, "released that is not held");
    let mut watch = self::watch();
    watch.action(&forget(7));
    seen(&watch, "forgotten that may be of use");
    let mut watch = self::watch();
    watch.event(NOW, &Event::LogOut);
    watch.action(&forget(7));
    fine(&watch);
}

/// The record is asked for, and has not come yet.
#[test]
fn a_refresh_token_that_is_spent_before_the_record_is_there() {
    let mut watch = watch();
    watch.action(&load(2, true));
    watch.action(&refresh(3, TOKEN, "refresh_token=the-refresh-token"));
    seen(&watch, "while the record is not held");
}

/// Something else came in its place: a store that fails is no reason to do without the server.
#[test]
fn a_refresh_token_may_be_spent_once_the_record_is_waited_for_no_more() {
    let mut watch = watch();
    watch.action(&load(2, true));
    watch.event(NOW, &Event::Replied(Reply { id: RequestId(2), answer: Answer::Forgotten(Ok(true)) }));
    watch.action(&refresh(3, TOKEN, "refresh_token=the-refresh-token"));
    fine(&watch);
    // What comes after all is let go, and changes nothing.
    watch.event(NOW, &Event::Replied(Reply { id: RequestId(2), answer: Answer::Leased(None) }));
    watch.action(&release(2));
    watch.event(
        NOW,
        &Event::Replied(Reply { id: RequestId(3), answer: Answer::SendFailed(SendFailure::TimedOut) }),
    );
    watch.action(&refresh(4, TOKEN, "refresh_token=the-refresh-token"));
    fine(&watch);
}

/// It was there, and was let go, so that somebody else may spend the token meanwhile.
#[test]
fn a_refresh_token_that_is_spent_after_the_record_is_let_go() {
    let mut watch = watch();
    hold(&mut watch, 2);
    watch.action(&release(2));
    fine(&watch);
    watch.action(&refresh(3, TOKEN, "refresh_token=the-refresh-token"));
    seen(&watch, "while the record is not held");
}

/// What a server says while it fails is not its word on the token.
#[test]
fn a_refresh_token_is_not_dead_by_the_word_of_a_server_that_fails() {
    for (status, good) in [(500, true), (499, false)] {
        let mut watch = watch();
        hold(&mut watch, 2);
        for id in [3, 4] {
            watch.action(&refresh(id, TOKEN, "refresh_token=the-refresh-token"));
            answer(&mut watch, id, status, r#"{"error":"invalid_grant"}"#);
        }
        assert_eq!(watch.breaches().is_empty(), good, "{status}: {:?}", watch.breaches());
    }
}

/// What is read after that is the work of somebody else.
#[test]
fn a_record_is_not_forgotten_for_a_client_of_which_the_store_had_forgotten_another() {
    for (begin, good) in [(Event::Restore, false), (Event::LogOut, true)] {
        let mut watch = watch();
        watch.event(NOW, &begin);
        hold(&mut watch, 2);
        watch.action(&refresh(3, TOKEN, "refresh_token=the-refresh-token"));
        answer(&mut watch, 3, 401, r#"{"error":"invalid_client"}"#);
        watch.action(&forget(4));
        watch.event(NOW, &Event::Replied(Reply { id: RequestId(4), answer: Answer::Forgotten(Ok(false)) }));
        fine(&watch);
        watch.action(&forget(5));
        let wrong = watch.breaches().iter().any(|breach| breach.contains("forgotten that may be of use"));
        assert_eq!(wrong, !good, "{:?}", watch.breaches());
    }
}

/// A client that the server does not know takes its record with it (RFC 6749 §5.2); a dead grant does not.
#[test]
fn a_record_is_forgotten_if_the_server_has_ended_its_client() {
    for (status, error, good) in
        [(400, "invalid_client", true), (401, "other", true), (400, "invalid_grant", false)]
    {
        let mut watch = watch();
        hold(&mut watch, 2);
        watch.action(&refresh(3, TOKEN, "refresh_token=the-refresh-token"));
        answer(&mut watch, 3, status, &json!({"error": error}).to_string());
        // What nobody asked of the store changes nothing.
        watch.event(NOW, &Event::Replied(Reply { id: RequestId(9), answer: Answer::Forgotten(Ok(false)) }));
        watch.action(&forget(4));
        assert_eq!(watch.breaches().is_empty(), good, "{error}: {:?}", watch.breaches());
    }
}
