//! One machine for all clones of a client, and everything of the host that it needs but the network.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use mcp_auth::base::guard;
use mcp_auth::trace::Recorder;
use mcp_auth::wire::dpop::Nonce;
use mcp_auth::wire::jws::SigningInput;
use mcp_auth::{
    Access, Action, Authorized, Authorizer, Breach, Entry, Event, Failure, Generation, Kind, Timestamp, Trail,
};
use mcp_auth_store::Store;
use url::Url;

use crate::clock::Clock;
use crate::desk::{Desk, Ticket};
use crate::errand::Errand;
use crate::observe::{Observed, Observer, Tap};
use crate::offers::{Assertions, Consent, Keys};

/// The machine, behind one lock, and what the host offers. Made by [`Parts`](crate::Parts).
pub struct Host {
    pub(crate) machine: Mutex<Machine>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) consent: Option<Box<dyn Consent>>,
    pub(crate) keys: Option<Arc<dyn Keys>>,
    pub(crate) assertions: Option<Box<dyn Assertions>>,
    pub(crate) observer: Observer,
    pub(crate) clock: Clock,
    pub(crate) exchange_time: Duration,
    /// Whether a trace is written.
    pub(crate) records: bool,
}

pub(crate) struct Machine {
    auth: Authorizer,
    tap: Option<Box<dyn Tap>>,
    recorder: Option<Recorder>,
    /// Where callers leave word for the crank, while there is one.
    desk: Weak<Desk>,
    /// What of the trail has been shown.
    noted: Vec<Entry>,
}

/// A token for one request.
#[non_exhaustive]
pub struct Token {
    /// The value of its `Authorization` field.
    pub value: HeaderValue,
    /// Which grant it is of.
    pub generation: Generation,
    /// What is to be signed for this request, if the token is bound to a key: its `DPoP` field.
    pub proof: Option<SigningInput>,
}

/// What a request was sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Which grant its token was of.
    pub generation: Generation,
    /// Whether the token is bound to a key.
    pub bound: bool,
}

/// What a request may carry now. A driver that misses one would send what may not be sent, so it is exhaustive.
#[derive(Debug)]
pub enum Permit {
    /// This token.
    Token(Token),
    /// Nothing. So far the server has asked for nothing.
    Bare,
    /// It must wait for an attempt.
    Wait,
}

/// Why a request may not be sent.
#[derive(Debug)]
pub enum Refused {
    /// It is for a URL outside the MCP server's resource, here without its query.
    Outside(String),
    /// There is no proof for it.
    Failure(Box<Failure>),
}

impl Token {
    /// What a request that carries it was sent with.
    pub fn carried(&self) -> Carried {
        Carried { generation: self.generation, bound: self.proof.is_some() }
    }
}

impl Host {
    /// What time it is. It never runs backwards.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How long one exchange may take.
    pub fn exchange_time(&self) -> Duration {
        self.exchange_time
    }

    /// Tells the log and the host's observer.
    pub fn see(&self, observed: Observed<'_>) {
        self.observer.see(observed);
    }

    /// The grant in use, if there is one.
    pub fn authorized(&self) -> Option<Authorized> {
        self.lock().auth.authorized()
    }

    /// What the attempt that runs, or else the last one, did.
    pub fn trail(&self) -> Trail {
        self.lock().auth.trail().clone()
    }

    /// Whether an answer of the person is still of use.
    pub fn is_consenting(&self) -> bool {
        self.lock().auth.is_consenting()
    }

    /// Never held across a wait, or a call into the host's code other than its tap and the sink of its trace. The machine
    /// is whole after each call, so a panic in either leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request to `url` may carry now.
    pub fn permit(&self, method: &Method, url: &Url) -> Result<Permit, Refused> {
        let now = self.now();
        let mut machine = self.lock();
        let Machine { auth, tap, recorder, .. } = &mut *machine;
        match auth.access(url, now) {
            Access::Ready(ready) => {
                if let Some((tap, grant)) = tap.as_mut().zip(auth.authorized()) {
                    tap.attached(url, &grant.resource);
                }
                let (value, generation) = (ready.value().clone(), ready.generation());
                if !ready.is_bound() {
                    return Ok(Permit::Token(Token { value, generation, proof: None }));
                }
                if let Some(recorder) = recorder {
                    recorder.prove(now, method.as_str(), url);
                }
                let proof = auth.prove(now, method.as_str(), url);
                let proof = proof.map_err(|breach| Refused::Failure(failed(breach)))?;
                Ok(Permit::Token(Token { value, generation, proof }))
            }
            Access::Anonymous => Ok(Permit::Bare),
            Access::Wait => Ok(Permit::Wait),
            Access::Refused => Err(Refused::Outside(guard::without_query(url.as_str()))),
        }
    }

    /// The value of the `DPoP` field, once its input is signed, or what speaks against the signature.
    pub fn proof(
        &self,
        input: SigningInput,
        signed: Result<Vec<u8>, String>,
    ) -> Result<HeaderValue, Box<Failure>> {
        const CLAUSE: &str = "RFC 9449 §7.1";
        let refuse = |why: String| failed(Breach::new(Kind::SigningFailed, CLAUSE, "a signature", why));
        let proof = input.complete(&signed.map_err(refuse)?).map_err(failed)?;
        let unfit = |_| refuse("one that no header field may carry".to_owned());
        let mut value = HeaderValue::from_str(proof.expose()).map_err(unfit)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// A request of the caller goes out, with what it carries.
    pub fn requested(&self, errand: &Errand, carried: Option<Carried>) {
        let (operation, url) = (errand.operation(), guard::without_query(errand.url().as_str()));
        let bound = carried.is_some_and(|carried| carried.bound);
        self.see(Observed::Requested { operation, url: &url, authorized: carried.is_some(), bound });
        self.note(|recorder, now| {
            let method = errand.method().as_str();
            recorder.request(now, method, errand.url(), operation, carried.is_some());
        });
    }

    /// Something for the trace that the machine knows nothing of. Where there is no trace, nobody waits for the machine.
    fn note(&self, note: impl FnOnce(&mut Recorder, Timestamp)) {
        if !self.records {
            return;
        }
        let now = self.now();
        if let Some(recorder) = &mut self.lock().recorder {
            note(recorder, now);
        }
    }

    /// It was answered, with this header. The nonce that comes with an answer to a request whose token is bound to a key is
    /// kept, whatever the status (RFC 9449 §8.2).
    pub fn responded(
        &self,
        errand: &Errand,
        carried: Option<Carried>,
        status: StatusCode,
        fields: &HeaderMap,
        took: Duration,
    ) {
        self.note(|recorder, now| recorder.response(now, status, fields));
        let nonces = fields.get_all("dpop-nonce").iter().map(HeaderValue::as_bytes);
        if carried.is_some_and(|carried| carried.bound)
            && let Ok(Some(nonce)) = Nonce::read(nonces)
        {
            self.tell(Event::Nonce(nonce));
        }
        self.see(Observed::Responded { operation: errand.operation(), status: status.as_u16(), took });
    }

    /// What is said when each token of several in a row had run out before it could be used.
    pub fn short_lived(&self, tokens: u8) -> Box<Failure> {
        let expected = "a token that lives until it is used";
        let got = format!("{tokens} in a row that had run out at once");
        let breach = Breach::new(Kind::Unsupported, "RFC 6749 §5.1", expected, got);
        Box::new(Failure::new(breach, self.trail()))
    }

    /// What is said when a logout came between a login and its end.
    pub fn logged_out_meanwhile(&self) -> Box<Failure> {
        let breach =
            Breach::new(Kind::Cancelled, "mcp-auth, events", "a login to its end", "a logout meanwhile");
        Box::new(Failure::new(breach, self.trail()))
    }

    /// Hands in what begins an attempt. If nobody cranks the machine, `begin` must see to it that somebody does, and give
    /// their desk; it is called with the machine locked, and must not call the host.
    pub fn hand_in<E>(
        &self,
        event: &Event,
        begin: impl FnOnce() -> Result<Arc<Desk>, E>,
    ) -> Result<Ticket, E> {
        let now = self.now();
        let mut machine = self.lock();
        let desk = match machine.desk.upgrade() {
            Some(desk) => desk,
            None => {
                machine.abandon(now);
                let desk = begin()?;
                machine.desk = Arc::downgrade(&desk);
                desk
            }
        };
        let (ran, renewed) = (machine.auth.is_running(), machine.auth.is_renewing());
        machine.tell(now, event.clone());
        desk.ring();
        // Whatever begins ends once; what joins waits for the same end. A renewal beside a login is all that those who
        // want a token need to wait for.
        let joins = machine.auth.is_renewing() && matches!(event, Event::Restore | Event::Challenged(_));
        let done = match (ran, joins) {
            (false, _) => desk.begun_attempt(),
            (true, true) if !renewed => desk.begun_renewal(),
            (true, true) => desk.latest_renewal(),
            (true, false) => desk.latest_attempt(),
        };
        Ok(Ticket { done, own: !ran })
    }

    /// Tells the machine something that begins nothing, and whoever cranks it.
    pub fn tell(&self, event: Event) {
        let now = self.now();
        let mut machine = self.lock();
        machine.tell(now, event);
        if let Some(desk) = machine.desk.upgrade() {
            desk.ring();
        }
    }

    /// For the crank: the next action; `None` once there is nothing to do, and then the crank must end, because the next
    /// attempt begins another. What the trail has gained is shown after the lock is let go.
    pub fn poll(&self) -> Option<Action> {
        let (action, fresh) = {
            let mut machine = self.lock();
            let fresh = machine.fresh();
            let action = machine.poll();
            if matches!(action, Action::Wait(None)) {
                // Under the same lock, so that nobody leaves word for a crank that has ended.
                machine.desk = Weak::new();
                machine.noted.clear();
            }
            (action, fresh)
        };
        fresh.iter().for_each(|entry| self.see(Observed::Noted(entry)));
        Some(action).filter(|action| !matches!(action, Action::Wait(None)))
    }

    /// For the crank: tells the machine what came of an action.
    pub fn handle(&self, event: Event) {
        let now = self.now();
        self.lock().tell(now, event);
    }
}

fn failed(breach: Breach) -> Box<Failure> {
    Box::new(Failure::new(breach, Trail::default()))
}

impl Machine {
    pub(crate) fn new(auth: Authorizer, tap: Option<Box<dyn Tap>>, recorder: Option<Recorder>) -> Self {
        Self { auth, tap, recorder, desk: Weak::new(), noted: Vec::new() }
    }

    fn tell(&mut self, now: Timestamp, event: Event) {
        if let Some(tap) = &mut self.tap {
            tap.event(now, &event);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.event(now, &event);
        }
        self.auth.handle(now, event);
    }

    fn poll(&mut self) -> Action {
        let action = self.auth.poll();
        // Before the tap: what the machine has let go of is in the trace, even where the tap panics.
        if let Some(recorder) = &mut self.recorder {
            recorder.action(&action);
        }
        if let Some(tap) = &mut self.tap {
            tap.action(&action);
        }
        action
    }

    /// What the trail has gained.
    fn fresh(&mut self) -> Vec<Entry> {
        let entries = self.auth.trail().entries();
        // Another attempt has a trail of its own; the one that is over keeps its trail until then.
        if !entries.starts_with(&self.noted) {
            self.noted.clear();
        }
        let fresh = entries.get(self.noted.len()..).unwrap_or_default().to_vec();
        self.noted.extend_from_slice(&fresh);
        fresh
    }

    /// Ends what a crank left behind that is gone, so that something new can begin.
    fn abandon(&mut self, now: Timestamp) {
        if self.auth.is_running() || self.auth.is_renewing() {
            self.tell(now, Event::Abandoned);
        }
        while !matches!(self.poll(), Action::Wait(_)) {}
        self.noted.clear();
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("machine", &self.lock().auth).finish_non_exhaustive()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("generation", &self.generation).finish_non_exhaustive()
    }
}
