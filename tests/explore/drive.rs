//! What a driver does: everything local happens at once, and what crosses the border of the process becomes a flight.

use std::hash::Hash;
use std::rc::Rc;

use http::{HeaderMap, StatusCode};
use mcp_auth::{
    Access, Action, Challenge, Event, Failure, Generation, Kind, Outcome, Purpose, Scopes, Timestamp,
};
use url::Url;

use crate::lines::Line;
use crate::process::{Flight, Op, Request};
use crate::server::{RESOURCE, number};
use crate::state::{Property, State, Wrong};
use crate::store::refresh_of;

/// How often the requests of one process may turn to its machine.
const MAX_TURNS: u8 = 60;

/// What the machine lets a request carry.
enum Permit {
    Token(usize, Generation),
    Bare,
    Wait,
}

type End = Result<Outcome, Box<Failure>>;

impl State {
    fn resource() -> Url {
        Url::parse(RESOURCE).expect("a URL")
    }

    /// A caller comes with a request.
    pub(crate) fn arrive(&mut self, place: usize) {
        let expected = self.processes[place].requests.iter().position(|it| *it == Request::Expected);
        let Some(request) = expected else { return };
        self.process(place).requests[request] = Request::Waiting { refused: None, own: false };
        if self.setup.wrong == Wrong::LogsInFirst {
            let scopes = Scopes::from_tokens(["more"]).expect("a scope");
            self.tell(place, Event::LogIn { scopes }, &"a login");
        } else {
            self.look(place, request, false);
        }
    }

    /// Tells a machine what happened. `what` stands for it in the history.
    pub(crate) fn tell(&mut self, place: usize, event: Event, what: &impl Hash) {
        let now = self.now;
        let process = self.process(place);
        process.remember(&now);
        process.remember(what);
        process.watch.event(Timestamp::from_secs(now), &event);
        process.keep(|| Line::Told(Timestamp::from_secs(now), event.clone()));
        process.auth.handle(Timestamp::from_secs(now), event);
        self.pump(place);
    }

    /// Does what the machine wants, till it waits; then those that waited are told.
    fn pump(&mut self, place: usize) {
        let unwatched = self.setup.wrong == Wrong::Unwatched;
        let leaves_open = self.setup.wrong == Wrong::Impatient;
        let mut ends = Vec::new();
        let mut renewed = false;
        loop {
            let process = self.process(place);
            let action = process.auth.poll();
            process.keep(|| Line::Asked(action.clone()));
            if !(unwatched && matches!(action, Action::Store(_))) {
                process.watch.action(&action);
            }
            match action {
                Action::Wait(until) => {
                    process.wait = until.map(Timestamp::as_secs);
                    break;
                }
                Action::Finish(end) => {
                    if !leaves_open {
                        process.browsers.clear();
                    }
                    ends.push(end);
                }
                Action::Renewed(_) => renewed = true,
                other => self.perform(place, other),
            }
        }
        let breaches = self.processes[place].watch.breaches().join("; ");
        if !breaches.is_empty() {
            self.violated(Property::Watched, breaches);
        }
        for end in ends {
            self.wake(place, &end);
        }
        if renewed {
            self.renewed(place);
        }
    }

    fn perform(&mut self, place: usize, action: Action) {
        match action {
            Action::Load(load) => {
                let deadline = load.deadline().as_secs();
                self.depart(place, Op::Load(load), deadline);
            }
            Action::Store(save) => {
                let deadline = save.deadline().as_secs();
                self.depart(place, Op::Store(save), deadline);
            }
            Action::Forget(forget) => {
                let deadline = forget.deadline().as_secs();
                self.depart(place, Op::Forget(forget), deadline);
            }
            Action::Send(send) => {
                let deadline = send.deadline().as_secs();
                match send.purpose() {
                    Purpose::Refresh => self.spends(place, &send.request()),
                    Purpose::Token => {}
                    _ => {
                        // Documents change nothing and are the same for all, so nothing depends on when they are read.
                        let response = self.server.document(send.uri().path());
                        self.tell(place, send.reply(response), &"a document");
                        return;
                    }
                }
                self.depart(place, Op::Send(send), deadline);
            }
            Action::Open(open) => self.opens(place, open),
            Action::Ask(ask) => self.tell(place, ask.decline(), &"no client"),
            Action::Release(release) => {
                let holder = (place, self.processes[place].incarnation, release.load());
                self.store.release(holder);
            }
            Action::Show(_) | Action::Sign(_) | Action::Supply(_) => {
                unreachable!("these clients have no keys")
            }
            Action::Wait(_) | Action::Finish(_) | Action::Renewed(_) => unreachable!("these are no requests"),
        }
    }

    fn depart(&mut self, place: usize, op: Op, deadline: u64) {
        let process = self.process(place);
        process.flights.push(Flight {
            op: Rc::new(op),
            process: place,
            incarnation: process.incarnation,
            deadline,
            not_before: 0,
            back: None,
            astray: false,
        });
    }

    /// A refresh token goes out.
    fn spends(&mut self, place: usize, request: &http::Request<Vec<u8>>) {
        let form = url::form_urlencoded::parse(request.body());
        let token = form.filter(|(name, _)| name == "refresh_token").map(|(_, token)| number(&token)).next();
        let token = token.expect("a refresh token");
        self.process(place).spending = Some(token);
    }

    fn opens(&mut self, place: usize, open: mcp_auth::Open) {
        self.opened += 1;
        let process = &self.processes[place];
        let in_use = match process.auth.access(&Self::resource(), Timestamp::from_secs(self.now)) {
            Access::Ready(ready) => Some(number(ready.value().to_str().expect("text"))),
            _ => None,
        };
        let seen = process.seen;
        self.process(place).browsers.push(Rc::new(open));
        if self.processes[place].browsers.len() > 1 {
            self.violated(Property::OneBrowser, "two browsers are open for one machine");
        }
        if in_use.is_some_and(|token| self.server.works(self.now, token)) {
            self.violated(Property::NoNeedlessBrowser, "a browser opens while the access token works");
        }
        // Where one token was exchanged for two, nobody can know which of them lives.
        let forked = self.server.is_forked();
        let mut known = self.processes[place].memory.iter().chain(&seen);
        if !forked && known.any(|token| self.server.accepts(self.now, *token)) {
            self.violated(Property::NoNeedlessBrowser, "a browser opens while the refresh token lives");
        }
    }

    /// The attempt is over, for all that waited.
    fn wake(&mut self, place: usize, end: &End) {
        if let Err(failure) = end {
            self.failed(failure.kind());
        }
        let requests = self.processes[place].requests.len();
        let waiting = |it: &Request| matches!(it, Request::Waiting { .. });
        let waiting: Vec<_> =
            (0..requests).filter(|it| waiting(&self.processes[place].requests[*it])).collect();
        let told = if self.setup.wrong == Wrong::ForgetsWaiters { 1 } else { requests };
        for request in waiting.into_iter().take(told) {
            let Request::Waiting { own, .. } = self.processes[place].requests[request] else { continue };
            match end {
                Ok(_) => self.look(place, request, own),
                Err(failure) => self.process(place).requests[request] = Request::Failed(failure.kind()),
            }
        }
        if end.is_err() && self.setup.wrong == Wrong::Impatient && self.opened < 3 {
            self.tell(place, Event::LogIn { scopes: Scopes::new() }, &"a login");
        }
    }

    /// A renewal beside a login is over: whoever can go on does.
    fn renewed(&mut self, place: usize) {
        for request in 0..self.processes[place].requests.len() {
            let Request::Waiting { refused, .. } = self.processes[place].requests[request] else { continue };
            if let Permit::Token(token, generation) = self.permit(place)
                && refused.is_none_or(|(refused, _)| refused != Some(generation))
            {
                let retries = refused.map_or(0, |(_, retries)| retries + 1);
                let sent = Request::Sent { token: Some(token), generation: Some(generation), retries };
                self.process(place).requests[request] = sent;
            }
        }
    }

    fn failed(&mut self, kind: Kind) {
        // What passes, what was called off, and what nobody knows the outcome of. Nothing else is the matter.
        let fits = matches!(
            kind,
            Kind::Unreachable
                | Kind::TimedOut
                | Kind::UnexpectedStatus
                | Kind::OutcomeUnknown
                | Kind::StoreFailed
                | Kind::StoreBusy
                | Kind::Cancelled
                | Kind::ClientRejected
                | Kind::GrantRejected
        );
        let purged = kind == Kind::TokenRejected && self.server.has_purged();
        if !(fits || purged) || self.is_without_faults() {
            self.violated(Property::TypedEnd, format!("an attempt ends with {kind}"));
        }
    }

    fn permit(&mut self, place: usize) -> Permit {
        let url = Self::resource();
        let now = Timestamp::from_secs(self.now);
        let process = self.process(place);
        match process.auth.access(&url, now) {
            Access::Ready(ready) => {
                let token = number(ready.value().to_str().expect("text"));
                let generation = ready.generation();
                process.watch.attached(&url, RESOURCE);
                Permit::Token(token, generation)
            }
            Access::Anonymous => Permit::Bare,
            Access::Wait => Permit::Wait,
            Access::Refused => panic!("the server's own URL is refused"),
        }
    }

    /// A request that waits sees whether it can go on. `own`: the attempt that has just ended was begun by it.
    fn look(&mut self, place: usize, request: usize, own: bool) {
        let Request::Waiting { refused, .. } = self.processes[place].requests[request] else { return };
        let process = self.process(place);
        process.turns += 1;
        if process.turns > MAX_TURNS {
            return self.violated(Property::Quiesces, "a request turns to its machine again and again");
        }
        let retries = refused.map_or(0, |(_, retries)| retries + 1);
        let (token, generation) = match (self.permit(place), refused) {
            (Permit::Token(token, generation), _) => (Some(token), Some(generation)),
            (Permit::Bare, Some(refused)) if !own => return self.challenge(place, request, refused),
            (Permit::Bare, _) => (None, None),
            (Permit::Wait, Some(refused)) => return self.challenge(place, request, refused),
            (Permit::Wait, None) => return self.tell(place, Event::Restore, &"a restore"),
        };
        self.process(place).requests[request] = Request::Sent { token, generation, retries };
    }

    /// The resource judges a request.
    pub(crate) fn judged(&mut self, place: usize, request: usize) {
        let Request::Sent { token, generation, retries } = self.processes[place].requests[request] else {
            return;
        };
        if self.server.works_for(self.now, token) {
            self.process(place).requests[request] = Request::Done;
        } else {
            self.challenge(place, request, (generation, retries));
        }
    }

    fn challenge(&mut self, place: usize, request: usize, refused: (Option<Generation>, u8)) {
        let own = !self.processes[place].auth.is_running();
        self.process(place).requests[request] = Request::Waiting { refused: Some(refused), own };
        let fields: HeaderMap = self.server.refusal(refused.0.is_some());
        let challenge = Challenge::of(StatusCode::UNAUTHORIZED, &fields, refused.0, refused.1);
        let challenge = challenge.expect("a challenge");
        self.tell(place, Event::Challenged(challenge), &(refused, "a challenge"));
    }

    /// What a machine learns from an answer that reaches it.
    pub(crate) fn learns(&mut self, place: usize, flight: &Flight) {
        use crate::process::Told;
        use crate::server::Answer;
        use crate::store::Said;
        let process = self.process(place);
        match &flight.back {
            // Tokens that come when nobody waits for them any more are dropped.
            Some(Told::Answer(Answer::Tokens { refresh, .. })) if !flight.astray => {
                process.memory.push(*refresh);
            }
            Some(Told::Said(Said::Found(record))) => process.seen = refresh_of(record.as_ref()),
            Some(Told::Said(Said::Conflict(other))) => process.seen = refresh_of(other.as_ref()),
            Some(Told::Said(Said::Kept)) => {
                if let Op::Store(save) = &*flight.op {
                    let token = save.credential().refresh_token.as_ref();
                    process.seen = token.map(|token| number(token.expose()));
                }
            }
            Some(Told::Said(Said::Forgotten(true))) => process.seen = None,
            _ => {}
        }
    }
}
