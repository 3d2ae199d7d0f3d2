//! Who may renew, and for how long.

use std::thread;
use std::time::{Duration, Instant};

use super::{
    COARSE, Clause, Finding, LONG, SHORT, SLACK, conflict, forget, given, hold, keep, key, plain, record,
    refused, stands,
};
use crate::Store;

pub(super) fn clauses<S: Store>() -> impl Iterator<Item = Clause<S>> {
    let clauses: [Clause<S>; 6] = [
        ("a lease excludes every other until it is dropped", exclusive),
        ("a lease is on one record", one_record),
        ("a lease ends when its span has passed", ends),
        ("who waits gets the lease when it is given back", waits),
        ("who waits in vain is told so when the patience is at its end", in_vain),
        ("a lease keeps nobody from load, put and forget", open),
    ];
    clauses.into_iter()
}

fn exclusive<S: Store>(one: &S, other: &S) -> Finding {
    let key = plain();
    // Twice: there is no record under the key, then there is one.
    for round in 0..2 {
        let first = given(one, &key, LONG, Duration::ZERO)?;
        refused(other, &key, Duration::ZERO)?;
        refused(one, &key, Duration::ZERO)?;
        drop(first);
        let second = given(other, &key, LONG, SLACK)?;
        refused(one, &key, Duration::ZERO)?;
        refused(other, &key, Duration::ZERO)?;
        drop(second);
        if round == 0 {
            keep(one, &key, &record(&key, 1, "token")?, None)?;
        }
    }
    Ok(())
}

fn one_record<S: Store>(one: &S, other: &S) -> Finding {
    let server = "https://mcp.example/mcp";
    let _first = given(one, &plain(), LONG, Duration::ZERO)?;
    let _second = given(other, &key(server, Some("")), LONG, Duration::ZERO)?;
    let _third = given(one, &key(server, Some("alice")), LONG, Duration::ZERO)?;
    let _fourth = given(other, &key("https://mcp.example/other", None), LONG, Duration::ZERO)?;
    refused(other, &plain(), Duration::ZERO)
}

fn ends<S: Store>(one: &S, other: &S) -> Finding {
    let key = plain();
    let began = Instant::now();
    let first = given(one, &key, SHORT, Duration::ZERO)?;
    let second = given(other, &key, LONG, SHORT + SLACK)?;
    let waited = began.elapsed();
    hold(waited + COARSE >= SHORT, || {
        format!("a lease of {SHORT:?} was given to another after {waited:?}, while it was held")
    })?;
    drop(first);
    refused(one, &key, Duration::ZERO)
        .map_err(|why| format!("the first holder dropped its lease late: {why}"))?;
    drop(second);
    given(one, &key, LONG, SLACK).map(drop)
}

fn waits<S: Store>(one: &S, other: &S) -> Finding {
    let key = plain();
    let first = given(one, &key, LONG, Duration::ZERO)?;
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let lease = given(other, &key, LONG, LONG / 10);
            lease.map(|lease| (lease, Instant::now()))
        });
        thread::sleep(SHORT);
        let early = waiter.is_finished();
        let dropped = Instant::now();
        drop(first);
        let (lease, at) = waiter.join().map_err(|_| "the waiter panicked".to_owned())??;
        hold(!early, || "the lease was given while another was held".to_owned())?;
        let waited = at.saturating_duration_since(dropped);
        hold(waited < SLACK, || {
            format!("the lease was free, and who waited for it got it after {waited:?}")
        })?;
        refused(one, &key, Duration::ZERO)?;
        drop(lease);
        Ok(())
    })
}

fn in_vain<S: Store>(one: &S, other: &S) -> Finding {
    let key = plain();
    let _first = given(one, &key, LONG, Duration::ZERO)?;
    let began = Instant::now();
    refused(other, &key, SHORT)?;
    let waited = began.elapsed();
    hold(waited + COARSE >= SHORT && waited < SHORT + SLACK, || {
        format!("a patience of {SHORT:?} was at its end after {waited:?}")
    })
}

fn open<S: Store>(one: &S, other: &S) -> Finding {
    let key = plain();
    let _lease = given(one, &key, LONG, Duration::ZERO)?;
    for store in [one, other] {
        let (first, second) = (record(&key, 1, "first")?, record(&key, 2, "second")?);
        keep(store, &key, &first, None)?;
        keep(store, &key, &second, Some(first.generation))?;
        conflict(store, &key, &first, Some(first.generation), Some(&second))?;
        stands(store, &key, Some(&second))?;
        forget(store, &key, first.generation, false)?;
        forget(store, &key, second.generation, true)?;
        stands(store, &key, None)?;
    }
    refused(other, &key, Duration::ZERO)
}
