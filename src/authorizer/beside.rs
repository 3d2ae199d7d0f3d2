//! The renewal of the grant in use, beside an attempt that waits for a person.

use super::Authorizer;
use crate::action::Action;
use crate::outcome::Outcome;
use crate::step::{self, Aim, Step, Turn, World};
use crate::trail::Trail;

/// A renewal beside an attempt, and what it did so far.
#[derive(Clone)]
pub(super) struct Beside {
    pub(super) step: Step,
    trail: Trail,
}

impl Authorizer {
    /// While a person is awaited the grant in use goes on: if it does not serve just now, and a renewal may mend that,
    /// it is renewed beside the attempt.
    pub(super) fn renew_beside(&mut self) {
        // Where there is no person, nothing takes long.
        let waits = self.world.config.flow().needs_person();
        let free =
            waits && self.step.as_ref().is_some_and(Step::leaves_the_grant_alone) && self.renewal.is_none();
        let Some(grant) = self.grant.as_ref().filter(|_| free) else { return };
        let now = self.world.now;
        let mendable = self.world.may_renew(&grant.credential, now) || grant.is_to_be_offered(now);
        if self.serves(grant, now) || !mendable {
            return;
        }
        let aim = self.filled(Aim::default(), self.refused);
        self.beside(|world, _| step::begin(world, aim));
    }

    /// Lets the renewal beside take a turn: the first, or the next. It has a trail of its own.
    pub(super) fn beside(&mut self, take: impl FnOnce(&mut World, Option<Step>) -> Turn) {
        let (step, trail) = match self.renewal.take() {
            Some(Beside { step, trail }) => (Some(step), trail),
            None => (None, Trail::default()),
        };
        let before = (std::mem::replace(&mut self.world.trail, trail), self.world.retry_at.take());
        let turn = take(&mut self.world, step);
        let outcome = match turn {
            Turn::Await(step) => {
                let trail = std::mem::take(&mut self.world.trail);
                (self.world.trail, self.world.retry_at) = before;
                self.renewal = Some(Beside { step, trail });
                return;
            }
            Turn::Granted { credential, source, unsaved } => self.install(credential, source, unsaved),
            Turn::Failed(breach) => Err(breach),
            // The grant is dead. The attempt that runs is on its way to another.
            Turn::Anonymous | Turn::Obtained(..) | Turn::LoggedOut(_) => Ok(Outcome::Anonymous),
        };
        let outcome = outcome.map_err(|breach| self.failure(breach));
        (self.world.trail, self.world.retry_at) = before;
        self.world.out.push_back(Action::Renewed(outcome));
        if let Some(Step::Holding(held)) = self.step.take_if(|step| matches!(step, Step::Holding(_))) {
            self.begin_held(held);
        }
    }
}
