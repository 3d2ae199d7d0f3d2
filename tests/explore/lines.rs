//! What some machines were told and asked for is kept, and replays. It is kept as values and written down at the end, because a state
//! is copied at every fork of the way.

use mcp_auth::{Action, Event, Seed, Timestamp};

use crate::process::{Process, config};

#[path = "../support/recording.rs"]
#[allow(dead_code, reason = "what else a recording can do is for other tests")]
mod recording;

use recording::Recording;

/// One line of a run.
#[derive(Clone)]
pub(crate) enum Line {
    Told(Timestamp, Event),
    Asked(Action),
}

impl Process {
    /// From here, which is the beginning, all is kept.
    pub(crate) fn record(&mut self) {
        self.lines = Some(Vec::new());
    }

    pub(crate) fn keep(&mut self, line: impl FnOnce() -> Line) {
        if let Some(lines) = &mut self.lines {
            lines.push(line());
        }
    }

    /// What was kept comes again, also without its secrets. Gives how many lines there are.
    pub(crate) fn replays(&self, place: usize) -> usize {
        let Some(lines) = &self.lines else { return 0 };
        let mut recording = Recording::new(&config(), &Seed::new(Self::seed(place, self.incarnation)));
        for line in lines {
            match line {
                Line::Told(now, event) => recording.recorder.event(*now, event),
                Line::Asked(action) => recording.recorder.action(action),
            }
        }
        recording.check(&mut self.watch.clone());
        lines.len()
    }
}
