//! Who waits for what.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event_listener::{Event, Listener as _};
use mcp_auth::{Failure, Outcome};

/// How an attempt ended, for all that wait for it.
pub type Done = Arc<Result<Outcome, Box<Failure>>>;

/// Where callers leave word for whoever cranks the machine, and wait for what comes of it. It belongs to the crank:
/// when that is gone, so is the desk, and who waits is told.
pub struct Desk {
    /// Wakes the crank.
    bell: Box<dyn Fn() + Send + Sync>,
    attempts: Mutex<Waiting>,
    renewals: Mutex<Waiting>,
}

/// Each attempt or renewal that was begun and has not ended, oldest first.
type Waiting = VecDeque<Arc<Pending>>;

/// What a caller waits for, and whether it was begun for the one who asks.
#[derive(Debug)]
pub struct Ticket {
    /// Its end.
    pub done: Awaited,
    /// Whether it was begun for the one who asks.
    pub own: bool,
}

/// How an attempt ended, and whether it was begun for the one who asks.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it was begun for the one who asks.
    pub own: bool,
}

/// The end of an attempt, to be waited for by a task of any runtime or by a thread. Dropping it loses nothing.
pub struct Awaited(Arc<Pending>);

#[derive(Default)]
struct Pending {
    state: Mutex<State>,
    changed: Event,
}

#[derive(Default)]
enum State {
    #[default]
    Open,
    Ended(Done),
    /// Whoever cranked is gone.
    Lost,
}

impl Desk {
    /// `bell` wakes the crank, because the machine was told something and may have something to do. It is called with
    /// the machine locked: it must be quick, and must not call the host.
    pub fn new(bell: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { bell: Box::new(bell), attempts: Mutex::default(), renewals: Mutex::default() })
    }

    pub(crate) fn ring(&self) {
        (self.bell)();
    }

    /// The attempt is over ([`Action::Finish`](mcp_auth::Action::Finish)).
    pub fn attempt_ended(&self, outcome: Result<Outcome, Box<Failure>>) {
        ended(&self.attempts, outcome);
    }

    /// The renewal beside an attempt is over ([`Action::Renewed`](mcp_auth::Action::Renewed)).
    pub fn renewal_ended(&self, outcome: Result<Outcome, Box<Failure>>) {
        ended(&self.renewals, outcome);
    }

    pub(crate) fn begun_attempt(&self) -> Awaited {
        begun(&self.attempts)
    }

    pub(crate) fn latest_attempt(&self) -> Awaited {
        latest(&self.attempts).unwrap_or_else(|| begun(&self.attempts))
    }

    pub(crate) fn begun_renewal(&self) -> Awaited {
        begun(&self.renewals)
    }

    pub(crate) fn latest_renewal(&self) -> Awaited {
        latest(&self.renewals).unwrap_or_else(|| begun(&self.renewals))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        for waiting in [&self.attempts, &self.renewals] {
            std::mem::take(&mut *lock(waiting)).iter().for_each(|pending| pending.settle(State::Lost));
        }
    }
}

fn begun(waiting: &Mutex<Waiting>) -> Awaited {
    let pending = Arc::<Pending>::default();
    lock(waiting).push_back(pending.clone());
    Awaited(pending)
}

fn latest(waiting: &Mutex<Waiting>) -> Option<Awaited> {
    lock(waiting).back().cloned().map(Awaited)
}

fn ended(waiting: &Mutex<Waiting>, outcome: Result<Outcome, Box<Failure>>) {
    let first = lock(waiting).pop_front();
    if let Some(pending) = first {
        pending.settle(State::Ended(Arc::new(outcome)));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pending {
    fn settle(&self, state: State) {
        *lock(&self.state) = state;
        self.changed.notify(usize::MAX);
    }

    /// `None`: not yet. `Some(None)`: it will never end.
    fn look(&self) -> Option<Option<Done>> {
        match &*lock(&self.state) {
            State::Open => None,
            State::Ended(done) => Some(Some(done.clone())),
            State::Lost => Some(None),
        }
    }
}

impl Awaited {
    /// How it ended; `None` if whoever cranked the machine is gone.
    pub async fn ended(&self) -> Option<Done> {
        loop {
            let changed = self.0.changed.listen();
            if let Some(end) = self.0.look() {
                return end;
            }
            changed.await;
        }
    }

    /// The same, in a thread that blocks until then.
    pub fn block(&self) -> Option<Done> {
        loop {
            let changed = self.0.changed.listen();
            if let Some(end) = self.0.look() {
                return end;
            }
            changed.wait();
        }
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desk")
    }
}

impl fmt::Debug for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Awaited")
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn outcome() -> Result<Outcome, Box<Failure>> {
        Ok(Outcome::Anonymous)
    }

    #[test]
    fn who_waits_is_told_how_it_ended() {
        let desk = Desk::new(|| {});
        let (first, joined) = (desk.begun_attempt(), desk.latest_attempt());
        let waiting = thread::spawn(move || first.block().is_some());
        let renewal = desk.latest_renewal();
        thread::sleep(Duration::from_millis(20));
        desk.attempt_ended(outcome());
        assert!(waiting.join().unwrap());
        let mut ended = pin!(joined.ended());
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(ended.as_mut().poll(&mut context), Poll::Ready(Some(_))));
        // Another line; its end has not come.
        let mut ended = pin!(renewal.ended());
        assert!(ended.as_mut().poll(&mut context).is_pending());
        desk.renewal_ended(outcome());
        assert!(matches!(ended.as_mut().poll(&mut context), Poll::Ready(Some(_))));
    }

    #[test]
    fn who_waits_is_told_when_the_crank_is_gone() {
        let desk = Desk::new(|| {});
        let (attempt, renewal) = (desk.begun_attempt(), desk.begun_renewal());
        let waiting = thread::spawn(move || attempt.block());
        thread::sleep(Duration::from_millis(20));
        drop(desk);
        assert!(waiting.join().unwrap().is_none());
        assert!(renewal.block().is_none());
    }
}
