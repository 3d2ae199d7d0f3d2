//! What ends an attempt, or turns it into another, from outside.

use super::{Authorizer, called_off};
use crate::action::Action;
use crate::base::breach::{Breach, Kind};
use crate::step::{Held, Step, Turn};
use crate::trail::Trail;

impl Authorizer {
    /// What may not be broken off is brought to its end first; if that is the end of the attempt, it ends well. A logout is
    /// not called off, nor what it waits for.
    pub(super) fn cancel(&mut self) {
        match &self.step {
            Some(step) if step.is_shielded() || self.logging_out => self.called_off = true,
            Some(_) => {
                self.step = None;
                self.fail(called_off("a cancellation"));
            }
            None => {}
        }
    }

    /// Nothing that is under way will be answered, and nothing that is asked for is to be done any more: a refresh token that
    /// went out now would be spent for nobody.
    pub(super) fn abandon(&mut self) {
        if self.renewal.is_some() {
            self.beside(|world, step| step.map_or(Turn::Anonymous, |step| step.abandon(world)));
        }
        self.drop_actions();
        let Some(step) = self.step.take() else { return };
        // A logout that was to follow does not begin either.
        let logging_out = std::mem::take(&mut self.logging_out);
        let turn = step.abandon(&mut self.world);
        let keeps = matches!(turn, Turn::Granted { .. });
        if keeps && !logging_out {
            return self.turn(turn);
        }
        if let Turn::Granted { credential, source, unsaved } = turn
            && let Err(breach) = self.install(credential, source, unsaved)
        {
            return self.finish_failed(breach);
        }
        self.finish_failed(called_off("nobody who drives it"));
    }

    pub(super) fn disowned(&mut self) {
        if self.world.out.iter().any(|action| matches!(action, Action::Open(_))) {
            // Said twice, or of another page: the one that is asked for now nobody has seen.
            return;
        }
        const PAGE: &str = "RFC 6749 §4.1.2.1";
        let breach = Breach::new(
            Kind::ClientRejected,
            PAGE,
            "an authorization server that knows the client",
            "one that shows an error page, as the host says",
        );
        if let Some(grant) = self.grant.as_ref().filter(|_| self.step.is_none()) {
            let credential = &grant.credential;
            self.world.learnt.disown(&credential.authorization_server.issuer, &credential.client);
        }
        self.consenting(|step, world| {
            // Nothing of the request that led to the page is of use any more.
            step.disowned(world, breach)
        });
    }

    pub(super) fn log_out(&mut self) {
        match &self.step {
            Some(Step::LoggingOut(_)) => {}
            Some(step) if step.delays_logout() => self.logging_out = true,
            Some(_) => self.become_logout(),
            None => {
                self.world.trail = Trail::default();
                self.become_logout();
            }
        }
    }

    /// What the attempt still wanted is not done any more.
    pub(super) fn become_logout(&mut self) {
        self.step = None;
        (self.called_off, self.logging_out) = (false, false);
        self.world.retry_at = None;
        self.drop_actions();
        self.begin_held(Held::LogOut);
    }
}
