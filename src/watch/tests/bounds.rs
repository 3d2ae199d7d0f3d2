//! How long anything may be waited for, and how much may come.

use serde_json::json;

use super::proofs::record;
use super::*;
use crate::action::{Ask, AssertionKind, Sign, SigningKey, Supply};

#[test]
fn bounds_of_requests() {
    let with = |max_bytes: usize, deadline: Timestamp| {
        let mut watch = watch();
        watch.action(&Action::Send(Send { max_bytes, deadline, ..send(2, Purpose::Registration, METADATA) }));
        watch
    };
    fine(&with(16 << 20, later(3600)));
    seen(&with((16 << 20) + 1, later(3600)), "no sensible limit");
    seen(&with(1 << 30, later(3600)), "no sensible limit");
    seen(&with(1, later(3601)), "no sensible deadline");
    seen(&with(1, later(86_400)), "no sensible deadline");
    // It is said once, for whomever it is sent.
    for purpose in [Purpose::Registration, Purpose::Refresh] {
        let mut watch = watch();
        hold(&mut watch, 2);
        watch.action(&Action::Send(Send { deadline: NOW, ..send(3, purpose, TOKEN) }));
        let breaches = watch.breaches().iter().filter(|breach| breach.contains("sensible deadline"));
        assert_eq!(breaches.count(), 1, "{:?}", watch.breaches());
    }
}

/// A person is waited for as long as it takes, and who fetches an assertion; a signature is not.
#[test]
fn bounds_of_what_is_no_request() {
    let ask = |until| {
        let (issuer, redirect_uri) = ("https://as.example".to_owned(), "http://127.0.0.1:3000/cb".to_owned());
        Action::Ask(Ask { id: RequestId(2), issuer, redirect_uri, until })
    };
    let supply = |until| {
        let (audience, resource) = ("https://as.example".to_owned(), "https://mcp.example/mcp".to_owned());
        let kind = AssertionKind::Workload;
        Action::Supply(Supply { id: RequestId(2), kind, audience, resource, until })
    };
    let sign = |deadline| {
        let Action::Sign(sign) = super::proofs::sign(2, SigningKey::Proof, &json!({})) else {
            panic!("it is none")
        };
        Action::Sign(Sign { deadline, ..sign })
    };
    let is_seen = |action: &Action| {
        let mut watch = watch();
        watch.action(action);
        watch.breaches().iter().any(|breach| breach.contains("sensible deadline"))
    };
    for patient in [ask as fn(Timestamp) -> Action, supply] {
        for (until, bad) in [(NOW, true), (later(1), false), (later(86_400), false)] {
            assert_eq!(is_seen(&patient(until)), bad, "{until:?}");
        }
    }
    for (deadline, bad) in [(NOW, true), (later(1), false), (later(3600), false), (later(3601), true)] {
        assert_eq!(is_seen(&sign(deadline)), bad, "{deadline:?}");
    }
    // At the end of time nothing is later.
    let mut watch = watch();
    watch.event(Timestamp::MAX, &Event::Tick);
    watch
        .action(&Action::Send(Send { deadline: Timestamp::MAX, ..send(2, Purpose::Registration, METADATA) }));
    assert!(!watch.breaches().iter().any(|breach| breach.contains("sensible deadline")));
}

/// The store is waited for no longer than a server is, and not in vain from the start.
#[test]
fn a_deadline_of_the_store_is_sensible() {
    for (deadline, sensible) in
        [(NOW, false), (later(1), true), (later(3600), true), (later(3601), false), (Timestamp::MAX, false)]
    {
        let Action::Store(store) = save(2, record()) else { panic!("it is none") };
        let Action::Forget(forget) = forget(2) else { panic!("it is none") };
        let exclusive = None;
        for action in [
            Action::Store(Save { deadline, ..store }),
            Action::Forget(Forget { deadline, ..forget }),
            Action::Load(Load { id: RequestId(2), key: key(), exclusive, deadline }),
        ] {
            let mut watch = watch();
            watch.event(NOW, &Event::LogOut);
            watch.action(&action);
            let seen = watch.breaches().iter().any(|breach| breach.contains("no sensible deadline"));
            assert_eq!(seen, !sensible, "{action:?}");
        }
    }
}
