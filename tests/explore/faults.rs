//! What can go wrong, at every point where it can.

use mcp_auth::{Event, Purpose};

use crate::moves::{Move, Of};
use crate::process::{EXCHANGE, Op, Told};
use crate::server::{Answer, number as number_of};
use crate::state::State;
use crate::store::Said;

/// How long a process that stops is away: longer than a lease.
const AWAY: u64 = 4 * EXCHANGE + 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The request does not leave, and the store fails at once.
    Refused(usize, usize),
    /// The request is lost on the way there, and nobody says so.
    Lost(usize, usize),
    /// The server or the store acts only after the deadline.
    Late(usize, usize),
    /// The server is overloaded: 503.
    Unavailable(usize, usize),
    /// The server asks for patience: 429.
    TooMany(usize, usize),
    /// The server has forgotten all clients. Once in a run.
    Purged(usize, usize),
    /// The answer breaks off; a write that was done is said to have failed.
    BrokenOff(usize, usize),
    /// The answer is lost, and nobody says so.
    Unheard(usize, usize),
    /// The answer arrives after the deadline.
    Slow(usize, usize),
    /// The process dies and is started again.
    Crash(usize),
    /// The host calls the attempt off.
    Cancel(usize),
    /// Whoever drove the machine is gone.
    Abandon(usize),
    /// The whole process stops for longer than a lease.
    Sleep(usize),
}

impl State {
    pub(crate) fn possible_faults(&self) -> Vec<Move> {
        if self.faults_left == 0 {
            return Vec::new();
        }
        let mut faults = Vec::new();
        for (place, process) in self.processes.iter().enumerate() {
            for (number, flight) in
                process.flights.iter().enumerate().filter(|(_, flight)| flight.not_before == 0)
            {
                let sends = matches!(&*flight.op, Op::Send(_));
                let refreshes = matches!(&*flight.op, Op::Send(send) if send.purpose() == Purpose::Refresh);
                let writes = matches!(&*flight.op, Op::Store(_) | Op::Forget(_));
                if flight.back.is_some() {
                    faults.extend([Fault::Unheard(place, number), Fault::Slow(place, number)]);
                    faults.extend((sends || writes).then_some(Fault::BrokenOff(place, number)));
                    continue;
                }
                faults.extend([Fault::Refused(place, number), Fault::Late(place, number)]);
                if sends {
                    faults.extend([Fault::Lost(place, number), Fault::Unavailable(place, number)]);
                    faults.extend([Fault::TooMany(place, number)]);
                }
                let purges = refreshes && !self.server.has_purged();
                faults.extend(purges.then_some(Fault::Purged(place, number)));
            }
            if process.asleep <= self.now && process.is_busy() {
                faults.extend([Fault::Crash(place), Fault::Sleep(place)]);
                if process.auth.is_running() {
                    faults.extend([Fault::Cancel(place), Fault::Abandon(place)]);
                }
            }
        }
        faults.into_iter().map(Move::Fault).collect()
    }

    pub(crate) fn fail(&mut self, fault: Fault) {
        match fault {
            Fault::Refused(place, number) => {
                self.unsure_of_store(place, number);
                let flight = self.flight(Of::Process(place, number));
                let sends = matches!(&*flight.op, Op::Send(_));
                flight.back = Some(if sends { Told::NotSent } else { Told::Said(Said::Failed) });
            }
            Fault::Lost(place, number) | Fault::Unheard(place, number) => {
                self.unsure(place, number);
                self.process(place).flights.remove(number);
            }
            Fault::Late(place, number) | Fault::Slow(place, number) => {
                self.unsure(place, number);
                let flight = self.flight(Of::Process(place, number));
                (flight.not_before, flight.astray) = (flight.deadline + 1, true);
            }
            Fault::Unavailable(place, number) => {
                self.flight(Of::Process(place, number)).back = Some(Told::Answer(Answer::Unavailable));
            }
            Fault::TooMany(place, number) => {
                self.flight(Of::Process(place, number)).back = Some(Told::Answer(Answer::TooMany));
            }
            Fault::Purged(place, number) => {
                self.server.purge();
                self.flight(Of::Process(place, number)).back = Some(Told::Answer(Answer::DeadClient));
            }
            Fault::BrokenOff(place, number) => {
                self.unsure(place, number);
                let flight = self.flight(Of::Process(place, number));
                let sends = matches!(&*flight.op, Op::Send(_));
                flight.back = Some(if sends { Told::Interrupted } else { Told::Said(Said::Failed) });
            }
            Fault::Crash(place) => {
                self.left_behind(place);
                for token in std::mem::take(&mut self.process(place).memory) {
                    self.server.refresh[token].excused |= !self.server.refresh[token].kept;
                }
                self.process(place).restart(place);
                while self.processes[place].requests.contains(&crate::process::Request::Expected) {
                    self.arrive(place);
                }
            }
            Fault::Cancel(place) => self.tell(place, Event::Cancelled, &"a cancellation"),
            Fault::Abandon(place) => {
                self.left_behind(place);
                self.process(place).browsers.clear();
                self.tell(place, Event::Abandoned, &"nobody drives");
            }
            Fault::Sleep(place) => {
                for number in 0..self.processes[place].flights.len() {
                    self.unsure(place, number);
                    self.flight(Of::Process(place, number)).astray = true;
                }
                self.doubt(place);
                self.lease_excused |= self.holds(place);
                self.process(place).asleep = self.now + AWAY;
            }
        }
    }

    fn holds(&self, place: usize) -> bool {
        self.store.lease.as_ref().is_some_and(|lease| lease.holder.0 == place)
    }

    /// Nobody will hear of what is under way for this process, but it takes its course.
    fn left_behind(&mut self, place: usize) {
        self.doubt(place);
        self.lease_excused |= self.holds(place);
        for number in 0..self.processes[place].flights.len() {
            self.unsure(place, number);
        }
        let flights = std::mem::take(&mut self.process(place).flights);
        let left = flights.into_iter().filter(|flight| flight.back.is_none());
        self.orphans.extend(left.map(|flight| crate::process::Flight { astray: true, ..flight }));
    }

    /// Nobody can know what came of the refresh token that this process sent last, if its successor is not kept.
    fn doubt(&mut self, place: usize) {
        let Some(token) = self.processes[place].spending else { return };
        let successor = self.server.refresh[token].successor;
        if successor.is_none_or(|successor| !self.server.refresh[successor].kept) {
            self.server.refresh[token].doubted = true;
        }
    }

    /// A fault on this flight leaves its process in doubt.
    fn unsure(&mut self, place: usize, number: usize) {
        let flight = self.flight(Of::Process(place, number)).clone();
        if let Some(Told::Answer(Answer::Tokens { refresh, .. })) = flight.back {
            self.server.refresh[refresh].excused = true;
        }
        if matches!(&*flight.op, Op::Send(_)) {
            self.doubt(place);
        }
        if matches!((&*flight.op, &flight.back), (Op::Load(_), Some(_))) {
            self.lease_excused |= self.holds(place);
        }
        self.unsure_of_store(place, number);
    }

    fn unsure_of_store(&mut self, place: usize, number: usize) {
        let op = self.flight(Of::Process(place, number)).op.clone();
        // What came of the token that was spent is in this process alone; and of the one that is written nobody knows
        // whether others can see it.
        let written = match &*op {
            Op::Load(_) | Op::Send(_) => return,
            Op::Store(save) => {
                save.credential().refresh_token.as_ref().map(|token| number_of(token.expose()))
            }
            Op::Forget(_) => None,
        };
        for token in written.into_iter().chain(self.processes[place].spending) {
            self.server.refresh[token].doubted = true;
        }
    }
}

impl Fault {
    /// The flight that it happens to.
    pub(crate) fn flight(self) -> Option<(usize, usize)> {
        match self {
            Self::Refused(place, number)
            | Self::Lost(place, number)
            | Self::Late(place, number)
            | Self::Unavailable(place, number)
            | Self::TooMany(place, number)
            | Self::Purged(place, number)
            | Self::BrokenOff(place, number)
            | Self::Unheard(place, number)
            | Self::Slow(place, number) => Some((place, number)),
            Self::Crash(_) | Self::Cancel(_) | Self::Abandon(_) | Self::Sleep(_) => None,
        }
    }
}
