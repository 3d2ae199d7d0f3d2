//! Beyond what can be tried exhaustively: more processes, more callers, more faults, by chance.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use crate::moves::Move;
use crate::process::Process;
use crate::search::{Figures, Search, Way};
use crate::state::{Setup, State};

/// One walk of as many is written down, and replays.
const REPLAYED: u64 = 10;

/// A small generator, so that a seed is a walk.
struct Chance(u64);

impl Chance {
    fn below(&mut self, count: usize) -> usize {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        self.0 = hasher.finish();
        let count = u64::try_from(count).expect("a small number");
        usize::try_from(self.0 % count).expect("a small number")
    }
}

impl Search {
    /// Goes one way from the beginning to the end, by chance.
    pub(crate) fn walk(self, setup: Setup, seed: u64) -> Result<Figures, Box<Way>> {
        let mut chance = Chance(seed);
        let recorded = seed.is_multiple_of(REPLAYED);
        let mut state = if recorded { State::recorded(setup) } else { State::new(setup) };
        let mut moves: Vec<Move> = Vec::new();
        let mut figures = Figures::default();
        loop {
            let free = state.moves();
            if free.is_empty() {
                break;
            }
            let faults = state.possible_faults();
            let step = if !faults.is_empty() && chance.below(12) == 0 {
                faults[chance.below(faults.len())]
            } else {
                free[chance.below(free.len())]
            };
            moves.push(step);
            state.apply(step);
            figures.transitions += 1;
            if let Some(violation) = self.violation(&state.violations) {
                return Err(Box::new(Way { setup, violation, moves }));
            }
            state.violations.clear();
            if let Some(violation) = self.endless(moves.len()) {
                return Err(Box::new(Way { setup, violation, moves }));
            }
        }
        let lines = |(place, process): (usize, &Rc<Process>)| process.replays(place);
        let lines: usize = state.processes.iter().enumerate().map(lines).sum();
        assert_eq!(recorded, lines > 0, "what is to be written down is");
        figures.runs = 1;
        figures.deepest = moves.len();
        let (ended, steps) = state.judge_all();
        figures.after = steps;
        match self.violation(&ended) {
            Some(violation) => Err(Box::new(Way { setup, violation, moves })),
            None => Ok(figures),
        }
    }
}
