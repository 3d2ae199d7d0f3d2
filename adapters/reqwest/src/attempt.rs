//! One machine for all clones of a client, and one attempt at a time, which belongs to no caller.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderValue;
use mcp_auth::{Access, Action, Authorizer, Event, Failure, Generation, Kind, Outcome, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use url::Url;

use crate::clock::Clock;
use crate::consent::Consent;
use crate::drive::drive;
use crate::error::Error;
use crate::exchange::Http;
use crate::observe::{Observer, Tap};
use crate::store::Store;

/// How many tasks may die under one caller before it gives up. The first may have been on another runtime.
const TASKS: usize = 3;

/// What all clones of a client share.
pub(crate) struct Shared {
    pub(crate) machine: Mutex<Machine>,
    pub(crate) http: Http,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) consent: Option<Box<dyn Consent>>,
    pub(crate) observer: Observer,
    pub(crate) clock: Clock,
}

pub(crate) struct Machine {
    pub(crate) auth: Authorizer,
    pub(crate) tap: Option<Box<dyn Tap>>,
    /// The attempt that runs, or the last one.
    pub(crate) attempt: Option<Attempt>,
}

pub(crate) struct Attempt {
    done: watch::Receiver<Option<Done>>,
    called_off: Arc<Notify>,
}

/// How an attempt ended, for all that wait for it.
pub(crate) type Done = Arc<Result<Outcome, Box<Failure>>>;

/// What a request may carry.
pub(crate) enum Permit {
    Token(HeaderValue, Generation),
    Bare,
    Wait,
}

/// How an attempt ended, and whether it was begun for the one who asks.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) own: bool,
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Never held across an await, or a call into the host's code other than its tap. The machine is whole after each
    /// call, so a panic in a tap leaves nothing half done.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn permit(&self, url: &Url) -> Result<Permit, Error> {
        let now = self.now();
        let mut machine = self.lock();
        let Machine { auth, tap, .. } = &mut *machine;
        match auth.access(url, now) {
            Access::Ready(ready) => {
                if let Some((tap, grant)) = tap.as_mut().zip(auth.authorized()) {
                    tap.attached(url, &grant.resource);
                }
                Ok(Permit::Token(ready.value().clone(), ready.generation()))
            }
            Access::Anonymous => Ok(Permit::Bare),
            Access::Wait => Ok(Permit::Wait),
            Access::Refused => Err(Error::outside(url)),
        }
    }

    /// Waits for the attempt that runs, or begins one with `event`. Whoever stops waiting loses nothing: the attempt
    /// goes on.
    pub(crate) async fn attempt(self: &Arc<Self>, event: Event) -> Result<Ended, Error> {
        for _ in 0..TASKS {
            let (mut done, own) = self.join_or_begin(&event)?;
            let done = done.wait_for(Option::is_some).await.ok().and_then(|done| done.clone());
            if let Some(done) = done {
                return self.judge(&done).map(|outcome| Ended { outcome, own });
            }
        }
        Err(Error::Stopped)
    }

    pub(crate) fn call_off(&self) {
        if let Some(attempt) = self.lock().attempt.as_ref().filter(|attempt| attempt.is_alive()) {
            attempt.called_off.notify_one();
        }
    }

    fn join_or_begin(
        self: &Arc<Self>,
        event: &Event,
    ) -> Result<(watch::Receiver<Option<Done>>, bool), Error> {
        let runtime = Handle::try_current().map_err(|_| Error::Stopped)?;
        let now = self.now();
        let mut machine = self.lock();
        if let Some(attempt) = machine.attempt.as_ref().filter(|attempt| attempt.is_alive()) {
            return Ok((attempt.done.clone(), false));
        }
        machine.abandon(now);
        machine.tell(now, event.clone());
        let (sender, done) = watch::channel(None);
        let called_off = Arc::new(Notify::new());
        machine.attempt = Some(Attempt { done: done.clone(), called_off: called_off.clone() });
        drop(machine);
        let shared = self.clone();
        runtime.spawn(async move {
            if let Some(done) = drive(&shared, &called_off).await {
                sender.send_replace(Some(done));
            }
        });
        Ok((done, true))
    }

    fn judge(&self, done: &Result<Outcome, Box<Failure>>) -> Result<Outcome, Error> {
        match done.as_ref() {
            Ok(outcome) => Ok(outcome.clone()),
            Err(failure) if failure.kind() == Kind::Unasked && self.consent.is_none() => {
                Err(Error::NoConsent)
            }
            Err(failure) => Err(Error::Failure(failure.clone())),
        }
    }
}

impl Attempt {
    /// Whether a task still drives it. A task that is gone, with its runtime or by a panic, has dropped its sender.
    fn is_alive(&self) -> bool {
        self.done.borrow().is_none() && self.done.has_changed().is_ok()
    }
}

impl Machine {
    pub(crate) fn tell(&mut self, now: Timestamp, event: Event) {
        if let Some(tap) = &mut self.tap {
            tap.event(now, &event);
        }
        self.auth.handle(now, event);
    }

    pub(crate) fn poll(&mut self) -> Action {
        let action = self.auth.poll();
        if let Some(tap) = &mut self.tap {
            tap.action(&action);
        }
        action
    }

    /// Ends an attempt whose task is gone, so that a new one can begin.
    fn abandon(&mut self, now: Timestamp) {
        if self.auth.is_running() {
            self.tell(now, Event::Abandoned);
        }
        while !matches!(self.poll(), Action::Wait(_)) {}
    }
}
