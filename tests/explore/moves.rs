//! What can happen next: operations take effect, answers arrive, time passes, and things go wrong.

use mcp_auth::{Callback, Event};

use crate::process::{Flight, Op, Process, Request, Told};
use crate::server::Answer;
use crate::state::{Property, State, Wrong};
use crate::store::refresh_of;

/// Which flight: of a process, or one that a process left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Process(usize, usize),
    Nobody(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// A caller comes to this process.
    Arrive(usize),
    /// The store or the server acts.
    Effect(Of),
    /// The answer arrives.
    Deliver(usize, usize),
    /// The resource judges this request of this process.
    Resource(usize, usize),
    /// The person consents in the browser of this process.
    Consent(usize),
    /// This process looks at the clock.
    Tick(usize),
    /// It is this time now.
    Time(u64),
    Fault(crate::faults::Fault),
}

impl State {
    /// What may happen without any fault. Time passes only when nothing else can happen: whatever is slower is late,
    /// which is a fault.
    pub(crate) fn moves(&self) -> Vec<Move> {
        let mut moves = Vec::new();
        for (place, process) in self.processes.iter().enumerate() {
            let awake = process.asleep <= self.now;
            for (number, flight) in process.flights.iter().enumerate() {
                if flight.not_before > self.now {
                    continue;
                }
                match flight.back {
                    None => moves.push(Move::Effect(Of::Process(place, number))),
                    Some(_) if awake => moves.push(Move::Deliver(place, number)),
                    Some(_) => {}
                }
            }
            if !awake {
                continue;
            }
            if process.requests.contains(&Request::Expected) {
                moves.push(Move::Arrive(place));
            }
            let sent = |(number, request): (usize, &Request)| {
                matches!(request, Request::Sent { .. }).then_some(Move::Resource(place, number))
            };
            moves.extend(process.requests.iter().enumerate().filter_map(sent));
            if !process.browsers.is_empty() {
                moves.push(Move::Consent(place));
            }
            if self.is_due(process) {
                moves.push(Move::Tick(place));
            }
        }
        let left = self.orphans.iter().enumerate().filter(|(_, flight)| flight.not_before <= self.now);
        moves.extend(left.map(|(number, _)| Move::Effect(Of::Nobody(number))));
        if moves.is_empty() {
            moves.extend(self.next_time().map(Move::Time));
        }
        moves
    }

    fn is_due(&self, process: &Process) -> bool {
        self.setup.wrong != Wrong::NeverTicks && process.wait.is_some_and(|wait| wait <= self.now)
    }

    fn next_time(&self) -> Option<u64> {
        let ticks = self.setup.wrong != Wrong::NeverTicks;
        let times = self.processes.iter().flat_map(|process| {
            let wait = process.wait.filter(|_| ticks).map(|wait| wait.max(process.asleep));
            let flights = process.flights.iter().map(|flight| flight.not_before.max(process.asleep));
            let asleep = Some(process.asleep);
            wait.into_iter().chain(flights).chain(asleep)
        });
        let left = self.orphans.iter().map(|flight| flight.not_before);
        times.chain(left).filter(|time| *time > self.now).min()
    }

    pub(crate) fn apply(&mut self, step: Move) {
        match step {
            Move::Arrive(place) => self.arrive(place),
            Move::Effect(of) => self.effect(of),
            Move::Deliver(place, number) => self.deliver(place, number),
            Move::Resource(place, request) => self.judged(place, request),
            Move::Consent(place) => self.consent(place),
            Move::Tick(place) => self.tell(place, Event::Tick, &"a tick"),
            Move::Time(now) => self.now = now,
            Move::Fault(fault) => {
                self.faults_left -= 1;
                self.fail(fault);
            }
        }
        self.judge();
    }

    pub(crate) fn flight(&mut self, of: Of) -> &mut Flight {
        match of {
            Of::Process(place, number) => &mut self.process(place).flights[number],
            Of::Nobody(number) => &mut self.orphans[number],
        }
    }

    fn effect(&mut self, of: Of) {
        let Flight { op, process, incarnation, astray, not_before, .. } = self.flight(of).clone();
        let held = self.store.record.clone();
        let told = match &*op {
            Op::Load(load) => {
                let holder = (process, incarnation, load.id());
                let said = self.store.load(self.now, load, holder);
                if self.store.lease.as_ref().is_some_and(|lease| lease.holder == holder) {
                    self.lease_excused = matches!(of, Of::Nobody(_));
                }
                Told::Said(said)
            }
            Op::Store(save) => Told::Said(self.store.put(save)),
            Op::Forget(forget) => Told::Said(self.store.forget(forget)),
            Op::Send(send) => {
                let request = send.request();
                let form = url::form_urlencoded::parse(request.body());
                let form: Vec<_> =
                    form.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
                Told::Answer(self.token_endpoint(&form))
            }
        };
        if let Told::Answer(Answer::Tokens { refresh, .. }) = told {
            self.server.refresh[refresh].excused |= astray;
        }
        self.replaced(refresh_of(held.as_ref()), astray);
        match of {
            Of::Process(..) => {
                *self.flight(of) = Flight { back: Some(told), not_before, ..self.flight(of).clone() }
            }
            Of::Nobody(number) => {
                self.orphans.remove(number);
            }
        }
    }

    fn token_endpoint(&mut self, form: &[(String, String)]) -> Answer {
        match self.setup.wrong {
            Wrong::Outage => Answer::Unavailable,
            Wrong::OtherType => Answer::OtherType,
            _ => self.server.exchange(self.now, form),
        }
    }

    /// A record took the place of another. What a writer gave up before it took effect is nobody's mistake, and where one
    /// token was exchanged for two nobody can know which of them lives.
    fn replaced(&mut self, before: Option<usize>, astray: bool) {
        let after = refresh_of(self.store.record.as_ref());
        if let Some(after) = after {
            self.server.refresh[after].kept = true;
        }
        let lives = |token: Option<usize>| token.is_some_and(|token| self.server.accepts(self.now, token));
        let unknowable = astray || (self.server.is_forked() && !self.is_without_faults());
        if before != after && lives(before) && !lives(after) && !unknowable {
            self.violated(Property::NotOverwritten, "a live record gives way to a dead one");
        }
    }

    fn deliver(&mut self, place: usize, number: usize) {
        let flight = self.process(place).flights.remove(number);
        let mut told = flight.back.clone().expect("an answer");
        if self.setup.wrong == Wrong::DropsTokens && matches!(told, Told::Answer(Answer::Tokens { .. })) {
            told = Told::Interrupted;
        }
        let event = flight.op.event(&told);
        self.learns(place, &Flight { back: Some(told.clone()), ..flight.clone() });
        self.tell(place, event, &(flight.deadline, told));
    }

    fn consent(&mut self, place: usize) {
        let open = self.process(place).browsers.pop().expect("a browser");
        match self.server.consent(open.url()) {
            Some(query) => self.tell(place, Event::Called(Callback::new(query.clone())), &query),
            None => self.tell(place, Event::ClientDisowned, &"an error page"),
        }
    }
}
