//! What an attempt of a flow comes to, beyond what the index tells: so that a flow fails where it is played, and not only
//! where it is compared.

use std::time::Duration;

use mcp_auth::{Action, Ended, Event, Failure, LoggedOut, Outcome, Purpose, Send};

use crate::stage::Stage;

/// How an attempt ends that is begun so.
pub(crate) fn ends(stage: &mut Stage, begin: Event) -> Result<Outcome, Box<Failure>> {
    stage.tell(begin);
    stage.ended()
}

/// The failure of an attempt that is begun so.
pub(crate) fn fails(stage: &mut Stage, begin: Event) -> Box<Failure> {
    ends(stage, begin).unwrap_err()
}

/// How long after now the failure says to come back.
pub(crate) fn waits(stage: &Stage, failure: &Failure) -> u64 {
    let at = failure.retry_at.unwrap_or_else(|| panic!("it does not say when: {failure:#}"));
    at.as_secs() - stage.now
}

/// What a logout came to.
pub(crate) fn logged_out(stage: &mut Stage, begin: Event) -> Box<LoggedOut> {
    match ends(stage, begin) {
        Ok(Outcome::LoggedOut(done)) => done,
        other => panic!("no logout: {other:?}"),
    }
}

/// Whether this is gone.
pub(crate) fn is_gone(ended: &Ended) -> bool {
    matches!(ended, Ended::Ended)
}

/// The next request of this kind, which is not answered yet.
pub(crate) fn request(stage: &mut Stage, purpose: Purpose) -> Send {
    let found = stage.until(|action| matches!(action, Action::Send(send) if send.purpose() == purpose));
    let Action::Send(send) = found else { unreachable!() };
    send
}

/// Answers a request as the servers do.
pub(crate) fn answered(stage: &mut Stage, send: Send) {
    let answer = stage.answer(Action::Send(send)).unwrap();
    stage.tell(answer);
}

/// How many seconds something takes.
pub(crate) fn takes(stage: &mut Stage, does: impl FnOnce(&mut Stage)) -> Duration {
    let begun = stage.now;
    does(stage);
    Duration::from_secs(stage.now - begun)
}
