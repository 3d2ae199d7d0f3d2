//! An attempt from its beginning to its end.

use std::sync::Arc;

use super::{Authorizer, authorized, called_off};
use crate::action::Action;
use crate::base::breach::Breach;
use crate::credential::{Credential, Generation};
use crate::failure::Failure;
use crate::grant::Grant;
use crate::outcome::{Outcome, TokenSource};
use crate::step::{self, After, Aim, Held, Step, Turn, Unsaved};
use crate::trail::{Trail, Verdict};

impl Authorizer {
    pub(super) fn begin(&mut self, aim: Aim) {
        let refused = self.refused;
        self.begin_refused(aim, refused);
    }

    pub(super) fn begin_refused(&mut self, aim: Aim, refused: Option<Generation>) {
        self.world.trail = Trail::default();
        (self.world.seen, self.world.retry_at) = (false, None);
        (self.called_off, self.logging_out) = (false, false);
        self.note_demand(&aim);
        let aim = Aim { refused, ..aim };
        self.begin_held(Held::Aim(Box::new(aim)));
    }

    /// Begins, or waits for the renewal beside.
    pub(super) fn begin_held(&mut self, held: Held) {
        if self.renewal.is_some() {
            self.step = Some(Step::Holding(held));
            return;
        }
        let turn = match held {
            Held::Aim(aim) => {
                let refused = aim.refused;
                let aim = self.filled(*aim, refused);
                step::begin(&mut self.world, aim)
            }
            Held::Tokens(credential, source) => {
                step::save(&mut self.world, credential, After::Obtained(source), None)
            }
            Held::LogOut => {
                let held = self.grant.as_ref().map(Grant::record);
                step::log_out(&mut self.world, held)
            }
        };
        self.turn(turn);
    }

    /// An aim with what is in use now.
    pub(super) fn filled(&mut self, aim: Aim, refused: Option<Generation>) -> Aim {
        let held = self.grant.as_ref().map(Grant::record);
        for generation in [refused, held.as_ref().map(|held| held.generation)].into_iter().flatten() {
            self.world.saw(generation);
        }
        let unsaved = self.grant.as_ref().and_then(|grant| grant.unsaved.clone());
        let standing = self.quiet.as_deref().filter(|(until, _)| self.world.now < *until);
        let quiet = standing.map(|(_, breach)| breach.clone()).or(aim.quiet);
        Aim { refused, held, unsaved, quiet, ..aim }
    }

    pub(super) fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Await(step) => {
                // What begins after a logout was asked for is not done, whatever it is for.
                let broken_off = !step.is_shielded();
                self.step = Some(step);
                if self.logging_out && broken_off {
                    self.become_logout();
                } else if self.called_off && broken_off {
                    self.step = None;
                    self.fail(called_off("a cancellation"));
                }
            }
            Turn::Obtained(credential, source) => self.begin_held(Held::Tokens(credential, source)),
            Turn::Granted { credential, source, unsaved } => {
                self.step_ups.granted(&credential.granted);
                let installed = self.install(credential, source, unsaved);
                match installed {
                    _ if self.logging_out => self.become_logout(),
                    Ok(outcome) => self.finish(Ok(outcome)),
                    Err(breach) => self.fail(breach),
                }
            }
            Turn::Anonymous | Turn::Failed(_) if self.logging_out => self.become_logout(),
            Turn::Anonymous => {
                self.restored = true;
                self.grant = None;
                self.finish(Ok(Outcome::Anonymous));
            }
            Turn::LoggedOut(done) => {
                self.restored = true;
                self.grant = None;
                self.quiet = None;
                self.world.learnt.unbind();
                self.finish(Ok(Outcome::LoggedOut(done)));
            }
            Turn::Failed(breach) => self.fail(breach),
        }
    }

    /// The grant in use from now on.
    pub(super) fn install(
        &mut self,
        credential: Arc<Credential>,
        source: TokenSource,
        unsaved: Option<Box<Unsaved>>,
    ) -> Result<Outcome, Breach> {
        let grant = Grant::new(credential, source, unsaved, self.grant.as_ref(), &self.world.place)?;
        self.restored = true;
        if grant.source == TokenSource::LoggedIn {
            self.quiet = None;
        }
        let outcome = Outcome::Authorized(Box::new(authorized(&grant, source)));
        self.grant = Some(grant);
        Ok(outcome)
    }

    /// The attempt failed. If a person has seen it, further refusals do not bring it up again at once.
    pub(super) fn fail(&mut self, breach: Breach) {
        if self.world.seen {
            let until = self.world.now.after(self.world.config.policies().quiet_time);
            self.quiet = Some(Box::new((until, breach.clone())));
        }
        self.finish_failed(breach);
    }

    pub(super) fn finish_failed(&mut self, breach: Breach) {
        let failure = self.failure(breach);
        self.finish(Err(failure));
    }

    /// Notes a breach as the end of the way that led to it.
    pub(super) fn failure(&mut self, breach: Breach) -> Box<Failure> {
        self.world.trail.breach(self.world.now, Verdict::Failed, None, None, &breach);
        let retry_at = self.world.retry_at;
        Box::new(Failure { retry_at, ..Failure::new(breach, self.world.trail.clone()) })
    }

    pub(super) fn finish(&mut self, outcome: Result<Outcome, Box<Failure>>) {
        self.step_ups.end();
        self.world.trail.shrink();
        self.drop_actions();
        self.world.out.push_back(Action::Finish(outcome));
    }

    /// Nothing that the attempt still wanted is done after its end, but what it held is let go, and the renewal beside
    /// goes on.
    pub(super) fn drop_actions(&mut self) {
        let beside = self.renewal.as_ref().and_then(|it| it.step.pending()).map(|pending| pending.id);
        self.world.retract(|action| action.id().is_some_and(|id| Some(id) != beside));
    }
}
