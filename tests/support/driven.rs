//! A machine that is written down, while a test answers in the place of the world.

use std::ops::ControlFlow;

use mcp_auth::{Action, Authorizer, Config, Event, Seed, Timestamp};

use super::recording::Recording;

/// Tells a machine how it begins and then what `answer` makes of each action, until that ends it. What was written, and the
/// machine.
pub(crate) fn driven(
    config: Config,
    begin: Event,
    mut answer: impl FnMut(Action) -> ControlFlow<(), Option<Event>>,
) -> (String, Authorizer) {
    let (seed, now) = (|| Seed::new([5; 32]), Timestamp::from_secs(1_800_000_000));
    let mut recording = Recording::new(&config, &seed());
    let mut machine = Authorizer::new(config, seed()).unwrap();
    let mut next = Some(begin);
    loop {
        if let Some(event) = next.take() {
            recording.recorder.event(now, &event);
            machine.handle(now, event);
        }
        let action = machine.poll();
        recording.recorder.action(&action);
        match answer(action) {
            ControlFlow::Continue(event) => next = event,
            ControlFlow::Break(()) => return (recording.text(), machine),
        }
    }
}
