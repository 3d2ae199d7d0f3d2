//! Records on their way to the store.

use super::proofs::record;
use super::*;
use crate::event::Saving;
use crate::outcome::Authorized;
use crate::wire::client::Client;

fn renewed() -> Action {
    Action::Renewed(Ok(Outcome::Authorized(Box::new(Authorized {
        generation: record().generation,
        source: TokenSource::Refreshed,
        issuer: String::new(),
        resource: String::new(),
        client_id: String::new(),
        asked: crate::Scopes::new(),
        granted: crate::Scopes::new(),
        expires_at: None,
        legacy: false,
        bound: false,
        unsaved: None,
    }))))
}

/// The attempt beside it is called off; the renewal goes on.
#[test]
fn what_a_store_says_counts_though_an_attempt_is_called_off() {
    for answered in [true, false] {
        let mut watch = watch();
        watch.action(&save(2, record()));
        watch.event(NOW, &Event::Cancelled);
        watch.action(&Action::Finish(Ok(Outcome::Anonymous)));
        if answered {
            let answer = Answer::Saved(Saving::Kept);
            watch.event(NOW, &Event::Replied(Reply { id: RequestId(2), answer }));
        }
        watch.action(&renewed());
        let wrong = watch.breaches().iter().any(|breach| breach.contains("before the new tokens are stored"));
        assert_eq!(wrong, !answered, "{:?}", watch.breaches());
    }
}

#[test]
fn a_record_that_is_offered_may_be_of_a_client_that_has_ended() {
    for (ends, good) in [(NOW, true), (later(1), false)] {
        let mut watch = watch();
        let client = Client { secret_expires_at: Some(ends), ..record().client };
        watch.action(&save(2, Credential { client, ..record() }));
        let answer = Answer::Saved(Saving::Kept);
        watch.event(NOW, &Event::Replied(Reply { id: RequestId(2), answer }));
        watch.action(&forget(3));
        let wrong = watch.breaches().iter().any(|breach| breach.contains("forgotten that may be of use"));
        assert_eq!(wrong, !good, "{:?}", watch.breaches());
    }
}

/// The driver may come late for what was asked; the answer is awaited no longer for that.
#[test]
fn a_store_is_waited_for_until_the_moment_that_it_was_told() {
    let late = later(10);
    for asked in [save(2, record()), forget(2)] {
        for (then, good) in [(late, false), (later(15), true)] {
            let mut watch = watch();
            watch.event(NOW, &Event::LogOut);
            watch.event(late, &Event::Tick);
            watch.action(&asked);
            watch.event(then, &Event::Tick);
            watch.action(&load(3, false));
            let wrong = watch.breaches().iter().any(|breach| breach.contains("two things are awaited"));
            assert_eq!(wrong, !good, "{asked:?}: {:?}", watch.breaches());
        }
    }
}
