//! All that can happen, depth first; each state once.

use std::collections::HashSet;
use std::fmt;

use crate::moves::Move;
use crate::state::{Property, Setup, State, Violation};

/// How much there was.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
    /// States in which nothing more can happen.
    pub(crate) runs: usize,
    /// Steps of the requests that follow a run.
    pub(crate) after: usize,
    pub(crate) deepest: usize,
}

impl Figures {
    pub(crate) fn add(&mut self, other: Self) {
        self.states += other.states;
        self.transitions += other.transitions;
        self.runs += other.runs;
        self.after += other.after;
        self.deepest = self.deepest.max(other.deepest);
    }
}

/// A way to something that must never be.
pub(crate) struct Way {
    pub(crate) setup: Setup,
    pub(crate) violation: Violation,
    pub(crate) moves: Vec<Move>,
}

impl fmt::Debug for Way {
    /// The way is gone once more, and told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}: {}\n{:?}", self.violation.property, self.violation.what, self.setup)?;
        let mut state = State::new(self.setup);
        for step in &self.moves {
            writeln!(f, "  {}", state.told(*step))?;
            state.apply(*step);
        }
        for (place, process) in state.processes.iter().enumerate() {
            writeln!(f, "process {place}: {:?}", process.requests)?;
            writeln!(f, "{}", process.auth.trail())?;
        }
        let record = state.store.record.as_ref().map(|it| it.generation);
        writeln!(f, "{:?}\nrecord {record:?}, {:?}", state.server, state.store.lease)
    }
}

struct Frame {
    state: State,
    moves: Vec<Move>,
}

/// What is judged, and how far to go.
#[derive(Clone, Copy)]
pub(crate) struct Search {
    pub(crate) limit: usize,
    /// Only this property, if one is named.
    pub(crate) only: Option<Property>,
}

/// Longer ways than this do not come to an end.
const ENDLESS: usize = 1500;

impl Search {
    pub(crate) fn violation(self, violations: &[Violation]) -> Option<Violation> {
        violations.iter().find(|it| self.only.is_none_or(|only| it.property == only)).cloned()
    }

    pub(crate) fn endless(self, steps: usize) -> Option<Violation> {
        let violation = Violation { property: Property::Quiesces, what: "a run without end".to_owned() };
        Some(violation).filter(|_| steps > ENDLESS)
    }

    pub(crate) fn explore(self, setup: Setup) -> Result<Figures, Box<Way>> {
        let mut figures = Figures::default();
        let mut seen = HashSet::new();
        let mut way = Vec::new();
        let mut first = State::new(setup);
        first.judge();
        let mut frames = Vec::new();
        seen.insert(first.fingerprint());
        self.enter(first, &mut frames, &mut figures, &way)?;
        while let Some(frame) = frames.last_mut() {
            let Some(step) = frame.moves.pop() else {
                frames.pop();
                way.pop();
                continue;
            };
            let mut state = frame.state.clone();
            state.apply(step);
            way.push(step);
            figures.transitions += 1;
            figures.deepest = figures.deepest.max(way.len());
            if let Some(violation) = self.violation(&state.violations) {
                return Err(Box::new(Way { setup, violation, moves: way }));
            }
            if !seen.insert(state.fingerprint()) {
                way.pop();
                continue;
            }
            assert!(seen.len() < self.limit, "more states than were thought");
            self.enter(state, &mut frames, &mut figures, &way)?;
        }
        figures.states = seen.len();
        Ok(figures)
    }

    fn enter(
        self,
        mut state: State,
        frames: &mut Vec<Frame>,
        figures: &mut Figures,
        way: &[Move],
    ) -> Result<(), Box<Way>> {
        // What is not judged is not carried along.
        state.violations.clear();
        let free = state.moves();
        let mut ended = Vec::new();
        if free.is_empty() {
            figures.runs += 1;
            let steps;
            (ended, steps) = state.judge_all();
            figures.after += steps;
        }
        ended.extend(self.endless(way.len()));
        if let Some(violation) = self.violation(&ended) {
            return Err(Box::new(Way { setup: state.setup, violation, moves: way.to_vec() }));
        }
        let mut moves = state.possible_faults();
        moves.extend(free);
        frames.push(Frame { state, moves });
        Ok(())
    }
}
