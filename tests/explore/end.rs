//! What must hold at the end of a run, and what must come of requests after it.

use crate::process::Request;
use crate::state::{Property, State, Violation};

impl State {
    /// What is wrong at the end, or after it, and how many steps were taken after it.
    pub(crate) fn judge_all(&self) -> (Vec<Violation>, usize) {
        let mut state = self.clone();
        state.violations.clear();
        state.judge_the_end();
        let (future, steps) = self.judge_the_future();
        state.violations.extend(future);
        (state.violations, steps)
    }

    /// What must hold when nothing more can happen.
    fn judge_the_end(&mut self) {
        for process in self.processes.clone() {
            let open = process.requests.iter().any(|it| !matches!(it, Request::Done | Request::Failed(_)));
            if open || process.wait.is_some() || process.auth.is_running() {
                self.violated(Property::Quiesces, "somebody waits, and nothing more can happen");
            }
            if self.is_without_faults() && process.requests.iter().any(|it| *it != Request::Done) {
                self.violated(Property::TypedEnd, "a request fails without any fault");
            }
        }
        let now = self.now;
        if self.store.lease.as_ref().is_some_and(|lease| now < lease.until) && !self.lease_excused {
            self.violated(Property::Released, "a lease is held at the end");
        }
        if self.is_without_faults() && (self.server.refreshes != 1 || self.opened > 0) {
            let what = format!("{} refreshes and {} browsers", self.server.refreshes, self.opened);
            self.violated(Property::OneRefresh, what);
        }
    }

    /// After the end, and after all patience: one more request in each process, one after another, and an access
    /// token's life later once more in all of them at once. Gives how many steps that took.
    fn judge_the_future(&self) -> (Vec<Violation>, usize) {
        let mut state = self.clone();
        (state.faults_left, state.violations) = (0, Vec::new());
        let mut steps = 0;
        (0..state.processes.len()).for_each(|place| state.process(place).requests.clear());
        state.now += 400;
        let mut opened = state.opened;
        for place in 0..state.processes.len() {
            state.expect(place);
            steps += state.settle();
        }
        if state.opened > opened + 1 {
            state.violated(Property::Recovers, "each process logs in for itself");
        }
        state.now += 4000;
        (opened, state.server.refreshes) = (state.opened, 0);
        for place in 0..state.processes.len() {
            state.expect(place);
        }
        steps += state.settle();
        if state.opened > opened || state.server.refreshes != 1 {
            let what =
                format!("{} refreshes, {} logins later", state.server.refreshes, state.opened - opened);
            state.violated(Property::Recovers, what);
        }
        for (place, process) in state.processes.iter().enumerate() {
            process.replays(place);
        }
        (state.violations, steps)
    }

    fn expect(&mut self, place: usize) {
        let process = self.process(place);
        process.turns = 0;
        process.requests = vec![Request::Expected];
        self.arrive(place);
    }

    /// The first thing that can happen happens, till nothing can.
    fn settle(&mut self) -> usize {
        for steps in 0..3000 {
            let Some(first) = self.moves().first().copied() else {
                let mut requests = self.processes.iter().flat_map(|it| &it.requests);
                if let Some(open) = requests.find(|it| **it != Request::Done).cloned() {
                    self.violated(Property::Recovers, format!("after all faults a request is {open:?}"));
                }
                return steps;
            };
            self.apply(first);
        }
        self.violated(Property::Quiesces, "it does not settle");
        3000
    }
}
