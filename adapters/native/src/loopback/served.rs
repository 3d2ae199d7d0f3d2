//! What the host and the threads of the connections share: who is connected, what has arrived, and how it went.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::answer;
use super::request::{self, Address, Asked};
use crate::page::{Page, Shown};

/// How long a connection may take to say what it wants, which a browser says at once.
const HEAD: Duration = Duration::from_secs(2);
/// How long an answer then waits for the host to take it and to say how the login went. A code is exchanged in less, and
/// nobody looks at an empty window for longer.
const HAND_OVER: Duration = Duration::from_secs(7);
/// How many connections are served at once.
const CONNECTIONS: usize = 64;
/// How long one may be silent when others want its place.
const YOUNG: Duration = Duration::from_millis(100);
/// How many answers wait for the host.
const ARRIVALS: usize = 64;

pub(super) struct Served {
    address: Address,
    application: String,
    hand_over: Duration,
    state: Mutex<State>,
    /// Anything in `state` has changed that another thread may wait for.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    connections: BTreeMap<u64, Phase>,
    /// How many there have been.
    count: u64,
    arrivals: VecDeque<Arrival>,
    waker: Option<Waker>,
}

/// An answer, and the connection that brought it.
pub(super) struct Arrival {
    pub(super) callback: String,
    pub(super) connection: u64,
}

/// How far a connection is.
enum Phase {
    /// It has not said yet what it wants, or has nothing more to say. It can be cut to make room for another.
    Idle(TcpStream, Instant),
    /// It is told how the login went as soon as the host knows.
    Held,
    /// The host has said what it is to be shown; `None`: it never will.
    Told(Option<Page>),
    /// It is being answered.
    Answered,
}

impl Served {
    pub(super) fn new(address: Address, application: String) -> Self {
        Self { address, application, hand_over: HAND_OVER, state: Mutex::default(), changed: Condvar::new() }
    }

    #[cfg(test)]
    pub(super) fn within(mut self, hand_over: Duration) -> Self {
        self.hand_over = hand_over;
        self
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// No step leaves half of its work behind a panic, so what a poisoned lock guards is sound.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, till `until` at most; `None`: for ever.
    fn change<'a>(&'a self, state: MutexGuard<'a, State>, until: Option<Instant>) -> MutexGuard<'a, State> {
        match until {
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// The next answer. `None`: none came in this time.
    pub(super) fn wait(&self, timeout: Duration) -> Option<Arrival> {
        // A moment that the clock cannot express does not come.
        let until = Instant::now().checked_add(timeout);
        let mut state = self.state();
        loop {
            if let Some(arrival) = state.arrivals.pop_front() {
                // There is room for another.
                self.changed.notify_all();
                return Some(arrival);
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return None;
            }
            state = self.change(state, until);
        }
    }

    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<Arrival> {
        let mut state = self.state();
        if let Some(arrival) = state.arrivals.pop_front() {
            self.changed.notify_all();
            return Poll::Ready(arrival);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// What this connection is to be shown; `None`: the host will not say. If it is still there, waits up to `patience`
    /// until it has been given the page, so that a host that ends now does not cut it short.
    pub(super) fn tell(&self, connection: u64, page: Option<Page>, patience: Duration) {
        let mut state = self.state();
        let Some(phase @ Phase::Held) = state.connections.get_mut(&connection) else { return };
        *phase = Phase::Told(page);
        self.changed.notify_all();
        let until = Instant::now().checked_add(patience);
        while state.is_pending(connection) && until.is_some_and(|until| Instant::now() < until) {
            state = self.change(state, until);
        }
    }

    /// Ends all threads: those that wait for the host with a page that says no more than that the answer came. Waits up
    /// to `patience` till those are shown.
    pub(super) fn close(&self, patience: Duration) {
        let mut state = self.state();
        state.closed = true;
        state.arrivals.clear();
        state.connections.values().for_each(Phase::cut);
        self.changed.notify_all();
        let until = Instant::now().checked_add(patience);
        while state.connections.keys().any(|it| state.is_pending(*it))
            && until.is_some_and(|until| Instant::now() < until)
        {
            state = self.change(state, until);
        }
    }

    /// Takes connections till the end.
    pub(super) fn accept(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            let accepted = listener.accept();
            if self.state().closed {
                return;
            }
            match accepted {
                Ok((stream, _)) => self.admit(stream),
                // There are too many open files, or the like: it may pass.
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Serves a connection on a thread of its own, because a slow one must not keep a good one waiting. If all places
    /// are taken, the one that has been silent for longest makes room.
    fn admit(self: &Arc<Self>, stream: TcpStream) {
        let Ok(handle) = stream.try_clone() else { return };
        let mut state = self.state();
        while state.connections.len() >= CONNECTIONS && !state.closed {
            if let Some(silent) = state.connections.values().find(|phase| phase.is_silent()) {
                silent.cut();
            }
            // A silent one is cut, or may come of age.
            state = self.change(state, Instant::now().checked_add(YOUNG));
        }
        if state.closed {
            return;
        }
        state.count += 1;
        let id = state.count;
        state.connections.insert(id, Phase::Idle(handle, Instant::now()));
        drop(state);
        let place = Place { served: Arc::clone(self), id };
        // Without a thread the place is given back, and the connection ends.
        let _ = self.thread().spawn(move || place.serve(stream));
    }

    /// A thread that says whose it is.
    pub(super) fn thread(&self) -> thread::Builder {
        thread::Builder::new().name(format!("loopback-{}", self.address.port)).stack_size(256 << 10)
    }
}

impl State {
    /// Whether this connection waits for its page.
    fn is_pending(&self, connection: u64) -> bool {
        self.connections.get(&connection).is_some_and(|phase| !matches!(phase, Phase::Idle(..)))
    }
}

impl Phase {
    fn is_silent(&self) -> bool {
        matches!(self, Self::Idle(_, since) if since.elapsed() >= YOUNG)
    }

    fn cut(&self) {
        if let Self::Idle(stream, _) = self {
            // Its thread is told by the end of what it reads.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// The place of one connection, which is free again when this is dropped.
struct Place {
    served: Arc<Served>,
    id: u64,
}

impl Place {
    fn serve(self, mut stream: TcpStream) {
        let asked = Instant::now()
            .checked_add(HEAD)
            .and_then(|deadline| request::read(&mut stream, deadline, &self.served.address));
        let Some(asked) = asked else { return };
        let answer = match asked {
            Asked::Callback(callback) => match self.hand_over(callback) {
                Some(page) => answer::page(&page, &self.served.application),
                None => answer::shown(503, &Shown::Busy, &self.served.application),
            },
            Asked::Stateless => answer::shown(400, &Shown::Stateless, &self.served.application),
            Asked::Elsewhere => answer::empty(404),
            Asked::NotGet => answer::empty(405),
            Asked::Malformed => answer::empty(400),
            Asked::TooLarge => answer::empty(431),
        };
        self.enter(Phase::Answered);
        if answer::write(&mut stream, answer.as_bytes()).is_err() {
            return;
        }
        if let Ok(handle) = stream.try_clone() {
            self.enter(Phase::Idle(handle, Instant::now()));
        }
        answer::linger(&mut stream);
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.served.state();
        state.connections.insert(self.id, phase);
        self.served.changed.notify_all();
    }

    /// Gives the host an answer, and waits till it has said how that went. `None`: there was no room for it.
    fn hand_over(&self, callback: String) -> Option<Shown> {
        let served = &*self.served;
        let until = Instant::now().checked_add(served.hand_over);
        let late = || until.is_none_or(|until| until <= Instant::now());
        let mut state = served.state();
        state.connections.insert(self.id, Phase::Held);
        while state.arrivals.len() >= ARRIVALS {
            if late() || state.closed {
                return None;
            }
            state = served.change(state, until);
        }
        if state.closed {
            return None;
        }
        state.arrivals.push_back(Arrival { callback, connection: self.id });
        served.changed.notify_all();
        if let Some(waker) = state.waker.take() {
            // Whoever is woken may look at once, on this thread.
            drop(state);
            waker.wake();
            state = served.state();
        }
        loop {
            if let Some(Phase::Told(page)) = state.connections.get_mut(&self.id) {
                return Some(page.take().map_or(Shown::Arrived, Shown::Page));
            }
            // Whether it was the right answer is not known here, and the page does not say so.
            if late() || state.closed {
                state.connections.insert(self.id, Phase::Answered);
                return Some(Shown::Arrived);
            }
            state = served.change(state, until);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.served.state().connections.remove(&self.id);
        self.served.changed.notify_all();
    }
}

/// Whether an address takes a connection: it wakes a thread that waits for one.
pub(super) fn knock(listener: std::net::SocketAddr) -> io::Result<()> {
    TcpStream::connect_timeout(&listener, Duration::from_millis(200)).map(drop)
}
