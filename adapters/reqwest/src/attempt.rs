//! One machine for all clones of a client. One task cranks it while there is anything to do; it belongs to no caller.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use http::{HeaderValue, Method};
use mcp_auth::wire::jws::SigningInput;
use mcp_auth::{
    Access, Action, Authorizer, Breach, Event, Failure, Generation, Kind, Outcome, SigningKey, Timestamp,
};
use mcp_auth_store::Store;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use url::Url;

use crate::clock::Clock;
use crate::consent::{Assertions, Consent};
use crate::drive::drive;
use crate::error::Error;
use crate::exchange::Http;
use crate::observe::{Observer, Tap};
use crate::signing::Signing;

/// How many tasks may die under one caller before it gives up. The first may have been on another runtime.
const TASKS: usize = 3;

/// What all clones of a client share.
pub(crate) struct Shared {
    pub(crate) machine: Mutex<Machine>,
    pub(crate) http: Http,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) consent: Option<Box<dyn Consent>>,
    pub(crate) signing: Option<Signing>,
    pub(crate) assertions: Option<Box<dyn Assertions>>,
    pub(crate) observer: Observer,
    pub(crate) clock: Clock,
    /// Of the requests that are sent again for want of a nonce, whose turn it is. Nobody depends on it.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

pub(crate) struct Machine {
    pub(crate) auth: Authorizer,
    pub(crate) tap: Option<Box<dyn Tap>>,
    /// Where callers leave word for the task that cranks, while there is one.
    pub(crate) desk: Weak<Desk>,
}

/// Who waits for what. It belongs to the task that cranks: when that is gone, so are the senders, and who waits is told.
#[derive(Default)]
pub(crate) struct Desk {
    /// The machine was told something, and may have something to do.
    pub(crate) told: Notify,
    attempts: Mutex<Waiting>,
    renewals: Mutex<Waiting>,
}

/// Each attempt or renewal that was begun and has not ended, oldest first.
type Waiting = VecDeque<watch::Sender<Option<Done>>>;

/// How an attempt ended, for all that wait for it.
pub(crate) type Done = Arc<Result<Outcome, Box<Failure>>>;

/// A token for one request.
pub(crate) struct Token {
    pub(crate) value: HeaderValue,
    pub(crate) generation: Generation,
    /// What is to be signed for this request, if the token is bound to a key.
    pub(crate) proof: Option<SigningInput>,
}

/// What a request may carry.
pub(crate) enum Permit {
    Token(Token),
    Bare,
    Wait,
}

/// How an attempt ended, and whether it was begun for the one who asks.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) own: bool,
}

/// What a caller waits for.
struct Ticket {
    done: watch::Receiver<Option<Done>>,
    own: bool,
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

    pub(crate) fn permit(&self, method: &Method, url: &Url) -> Result<Permit, Error> {
        let now = self.now();
        let mut machine = self.lock();
        let Machine { auth, tap, .. } = &mut *machine;
        match auth.access(url, now) {
            Access::Ready(ready) => {
                if let Some((tap, grant)) = tap.as_mut().zip(auth.authorized()) {
                    tap.attached(url, &grant.resource);
                }
                let (value, generation) = (ready.value().clone(), ready.generation());
                let proof = auth.prove(now, method.as_str(), url);
                let proof = proof.map_err(|breach| self.failed(breach))?;
                Ok(Permit::Token(Token { value, generation, proof }))
            }
            Access::Anonymous => Ok(Permit::Bare),
            Access::Wait => Ok(Permit::Wait),
            Access::Refused => Err(Error::outside(url)),
        }
    }

    /// The proof of the key to which the token is bound, signed.
    pub(crate) async fn signed(&self, input: SigningInput) -> Result<HeaderValue, Error> {
        const CLAUSE: &str = "RFC 9449 §7.1";
        let refuse = |why: String| self.failed(Breach::new(Kind::SigningFailed, CLAUSE, "a signature", why));
        let signing = self.signing.as_ref().ok_or_else(|| refuse("no keys are configured".to_owned()))?;
        let (algorithm, message) = (input.algorithm(), input.as_bytes().to_vec());
        let signed = signing.sign(SigningKey::Proof, algorithm, message, signing.patience).await;
        let signature = signed.map_err(refuse)?;
        let proof = input.complete(&signature).map_err(|breach| self.failed(breach))?;
        let unfit = |_| refuse("one that no header field may carry".to_owned());
        let mut value = HeaderValue::from_str(proof.expose()).map_err(unfit)?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn failed(&self, breach: Breach) -> Error {
        Error::Failure(Box::new(Failure::new(breach, mcp_auth::Trail::default())))
    }

    /// Hands in what begins an attempt, and waits for the end of what it began or joined. Whoever stops waiting loses
    /// nothing: the attempt goes on.
    pub(crate) async fn attempt(self: &Arc<Self>, event: Event) -> Result<Ended, Error> {
        for _ in 0..TASKS {
            let Ticket { mut done, own } = self.hand_in(&event)?;
            let done = done.wait_for(Option::is_some).await.ok().and_then(|done| done.clone());
            if let Some(done) = done {
                let outcome = done.as_ref().clone().map_err(Error::Failure)?;
                return Ok(Ended { outcome, own });
            }
        }
        Err(Error::Stopped)
    }

    /// Hands in what begins an attempt, for the good of requests to come. Nobody waits for it.
    pub(crate) fn begin(self: &Arc<Self>, event: &Event) {
        let _ = self.hand_in(event);
    }

    /// Tells the machine something that begins nothing.
    pub(crate) fn tell(&self, event: Event) {
        let now = self.now();
        let mut machine = self.lock();
        machine.tell(now, event);
        if let Some(desk) = machine.desk.upgrade() {
            desk.told.notify_one();
        }
    }

    fn hand_in(self: &Arc<Self>, event: &Event) -> Result<Ticket, Error> {
        let runtime = Handle::try_current().map_err(|_| Error::Stopped)?;
        let now = self.now();
        let mut machine = self.lock();
        let desk = match machine.desk.upgrade() {
            Some(desk) => desk,
            None => {
                machine.abandon(now);
                let desk = Arc::new(Desk::default());
                machine.desk = Arc::downgrade(&desk);
                let (shared, own) = (self.clone(), desk.clone());
                runtime.spawn(async move { drive(&shared, &own).await });
                desk
            }
        };
        let (ran, renewed) = (machine.auth.is_running(), machine.auth.is_renewing());
        machine.tell(now, event.clone());
        desk.told.notify_one();
        // Whatever begins ends once; what joins waits for the same end. A renewal beside a login is all that those who
        // want a token need to wait for.
        let joins = machine.auth.is_renewing() && matches!(event, Event::Restore | Event::Challenged(_));
        let own = !ran;
        let done = match (ran, joins) {
            (false, _) => Desk::begun(&desk.attempts),
            (true, true) if !renewed => Desk::begun(&desk.renewals),
            (true, true) => Desk::latest(&desk.renewals).unwrap_or_else(|| Desk::begun(&desk.renewals)),
            (true, false) => Desk::latest(&desk.attempts).unwrap_or_else(|| Desk::begun(&desk.attempts)),
        };
        Ok(Ticket { done, own })
    }
}

impl Desk {
    pub(crate) fn attempt_ended(&self, outcome: Result<Outcome, Box<Failure>>) {
        Self::ended(&self.attempts, outcome);
    }

    pub(crate) fn renewal_ended(&self, outcome: Result<Outcome, Box<Failure>>) {
        Self::ended(&self.renewals, outcome);
    }

    fn begun(waiting: &Mutex<Waiting>) -> watch::Receiver<Option<Done>> {
        let (sender, done) = watch::channel(None);
        lock(waiting).push_back(sender);
        done
    }

    fn latest(waiting: &Mutex<Waiting>) -> Option<watch::Receiver<Option<Done>>> {
        lock(waiting).back().map(watch::Sender::subscribe)
    }

    fn ended(waiting: &Mutex<Waiting>, outcome: Result<Outcome, Box<Failure>>) {
        if let Some(sender) = lock(waiting).pop_front() {
            sender.send_replace(Some(Arc::new(outcome)));
        }
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Ends what a task left behind that is gone, so that something new can begin.
    fn abandon(&mut self, now: Timestamp) {
        if self.auth.is_running() || self.auth.is_renewing() {
            self.tell(now, Event::Abandoned);
        }
        while !matches!(self.poll(), Action::Wait(_)) {}
    }
}
