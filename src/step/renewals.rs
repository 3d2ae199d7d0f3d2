//! What is known of a refresh token besides what its record says: whether it is dead, and before when it is not to
//! be sent again.

use std::time::Duration;

use crate::base::breach::Breach;
use crate::base::time::Timestamp;
use crate::credential::{Credential, Generation};

/// The first back-off, and the longest, in seconds.
const FIRST: u64 = 2;
const LONGEST: u64 = 300;
/// After how many failures in a row another one shows that a record is not to be relied on.
const STUBBORN: u8 = 3;

/// Kept between attempts, for the grant in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Renewals {
    /// The latest grant whose refresh token the authorization server refused or replaced. Neither it nor an older one is used
    /// again by its record, should the store not have its successor.
    spent: Option<Generation>,
    /// The grant whose refresh token was sent, and nobody knows what came of it.
    uncertain: Option<Generation>,
    backing_off: Option<Box<BackOff>>,
}

/// A refresh token is not sent before a certain time.
#[derive(Clone, Debug)]
pub(crate) struct BackOff {
    generation: Generation,
    failures: u8,
    pub(crate) until: Timestamp,
    /// Whether the server asked for that time.
    asked: bool,
    /// What went wrong.
    pub(crate) breach: Breach,
}

impl Renewals {
    /// Whether the refresh token of this grant may be sent now.
    pub(crate) fn allow(&self, credential: &Credential, now: Timestamp) -> bool {
        credential.refresh_token.is_some() && self.allow_again(credential.generation, now)
    }

    /// Whether a grant that needs no person may be asked for again now, by its record.
    pub(crate) fn allow_again(&self, generation: Generation, now: Timestamp) -> bool {
        self.spent < Some(generation) && self.backing_off(generation, now).is_none()
    }

    /// Whether this grant could not be renewed for a while, though nothing but silence and failures came back.
    pub(crate) fn is_stubborn(&self, generation: Generation) -> bool {
        let failed = self.backing_off.as_ref().filter(|it| it.generation == generation);
        failed.is_some_and(|it| it.failures.saturating_add(1) >= STUBBORN)
    }

    /// Why the refresh token of this grant is not sent just now, though it may be good.
    pub(crate) fn backing_off(&self, generation: Generation, now: Timestamp) -> Option<&BackOff> {
        self.backing_off.as_deref().filter(|it| it.generation == generation && now < it.until)
    }

    /// Whether a request that carried the refresh token of this grant has gone without an answer.
    pub(crate) fn is_uncertain(&self, generation: Generation) -> bool {
        self.uncertain == Some(generation)
    }

    pub(crate) fn spend(&mut self, generation: Generation) {
        self.spent = self.spent.max(Some(generation));
        self.backing_off = None;
    }

    pub(crate) fn doubt(&mut self, generation: Generation) {
        self.uncertain = Some(generation);
    }

    /// Waits twice as long each time, less up to a half by chance, so that many machines do not come back at once;
    /// and at least as long as the server asked.
    pub(super) fn back_off(
        &mut self,
        generation: Generation,
        breach: &Breach,
        asked: Option<Timestamp>,
        now: Timestamp,
        jitter: u8,
    ) {
        let before = self.backing_off.as_ref().filter(|it| it.generation == generation);
        let failures = before.map_or(0, |it| it.failures.saturating_add(1));
        let span = FIRST.saturating_mul(1 << failures.min(8)).min(LONGEST);
        let half = span / 2;
        let chosen = half.saturating_add(half.saturating_mul(jitter.into()) / 255);
        let own = now.after(Duration::from_secs(chosen.max(1)));
        let until = asked.map_or(own, |asked| own.max(asked));
        let breach = breach.clone();
        self.backing_off =
            Some(Box::new(BackOff { generation, failures, until, asked: asked.is_some(), breach }));
    }

    /// A person insists: the machine's own patience ends, but not what the server asked for.
    pub(crate) fn insist(&mut self) {
        if let Some(it) = self.backing_off.as_mut().filter(|it| !it.asked) {
            it.until = Timestamp::default();
        }
    }
}
