//! Many at once.

use std::thread;

use mcp_auth::Saving;

use super::{Clause, Finding, LONG, given, hold, keep, load, plain, record};
use crate::Store;

const THREADS: u64 = 8;

/// How often each thread writes.
const ROUNDS: u64 = 25;

pub(super) fn clauses<S: Store>() -> impl Iterator<Item = Clause<S>> {
    let clauses: [Clause<S>; 3] = [
        ("of many who put the first record, one succeeds", first),
        ("of many writes at once, none is lost", counted),
        ("who holds the lease meets no other who renews", ordered),
    ];
    clauses.into_iter()
}

/// Runs this on as many threads, on one handle and the other in turn; the sum of what they give.
fn at_once<S: Store>(
    (one, other): (&S, &S),
    run: impl Fn(&S, u64) -> Result<u64, String> + Sync,
) -> Result<u64, String> {
    let run = &run;
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let store = if number % 2 == 0 { one } else { other };
                scope.spawn(move || run(store, number))
            })
            .collect();
        let mut sum = 0;
        for thread in threads {
            sum += thread.join().map_err(|_| "a thread panicked".to_owned())??;
        }
        Ok(sum)
    })
}

fn first<S: Store>(one: &S, other: &S) -> Finding {
    let key = plain();
    let kept = at_once((one, other), |store, number| {
        match store.put(&key, &record(&key, number, &format!("token {number}"))?, None) {
            Saving::Kept => Ok(1),
            Saving::Conflict(Some(_)) => Ok(0),
            other => Err(format!("expected Kept, or Conflict with the winner's record; got {other:?}")),
        }
    })?;
    hold(kept == 1, || format!("{kept} of {THREADS} puts were kept, each as the first"))
}

fn counted<S: Store>(one: &S, other: &S) -> Finding {
    let key = plain();
    keep(one, &key, &record(&key, 0, "token 0")?, None)?;
    at_once((one, other), |store, _| {
        let mut standing = load(store, &key)?;
        let mut written = 0;
        while written < ROUNDS {
            let Some(found) = standing else { return Err("the record is gone".to_owned()) };
            let next = found.generation.as_u64() + 1;
            let fresh = record(&key, next, &format!("token {next}"))?;
            standing = match store.put(&key, &fresh, Some(found.generation)) {
                Saving::Kept => {
                    written += 1;
                    Some(fresh)
                }
                Saving::Conflict(winner) => winner.map(|winner| *winner),
                other => return Err(format!("expected Kept or Conflict, got {other:?}")),
            };
        }
        Ok(written)
    })?;
    let found = load(other, &key)?.map(|found| found.generation.as_u64());
    let expected = THREADS * ROUNDS;
    hold(found == Some(expected), || {
        format!("{expected} writes raised the generation by one each, and it is {found:?}")
    })
}

fn ordered<S: Store>(one: &S, other: &S) -> Finding {
    let key = plain();
    keep(one, &key, &record(&key, 0, "token 0")?, None)?;
    at_once((one, other), |store, _| {
        for _ in 0..5 {
            let lease = given(store, &key, LONG, LONG / 10)?;
            let Some(found) = load(store, &key)? else { return Err("the record is gone".to_owned()) };
            let next = found.generation.as_u64() + 1;
            keep(store, &key, &record(&key, next, &format!("token {next}"))?, Some(found.generation))?;
            drop(lease);
        }
        Ok(0)
    })?;
    let found = load(other, &key)?.map(|found| found.generation.as_u64());
    hold(found == Some(THREADS * 5), || format!("the generation is {found:?}, expected {}", THREADS * 5))
}
