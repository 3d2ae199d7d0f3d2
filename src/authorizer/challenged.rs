//! What a refusal by the MCP server leads to.

use std::time::Duration;

use super::{Authorizer, authorized};
use crate::base::breach::{Breach, Kind};
use crate::base::scope::Scopes;
use crate::credential::Generation;
use crate::event::Challenge;
use crate::outcome::{Outcome, TokenSource};
use crate::step::Aim;
use crate::trail::{Trail, Verdict};
use crate::wire::challenge::Demand;

/// How often one request may be refused with 401 and still lead to another attempt: renewed, logged in, and once more
/// for a token that another process replaced meanwhile.
const MAX_RETRIES: u8 = 2;
/// A token of a login that is refused before this time is over was hardly ever accepted: it is the time of a few requests,
/// and far below the life of any token.
const HASTE: Duration = Duration::from_secs(10);

impl Authorizer {
    pub(super) fn challenged(&mut self, challenge: Challenge) {
        if let Some(nonce) = challenge.nonce.clone() {
            self.keep_nonce(nonce);
        }
        if self.step.is_some() {
            let note = "a refused request waits for this attempt";
            self.world.note(Verdict::Decided, note, "RFC 6750 §3");
            if !challenge.step_up {
                self.note_refusal(challenge.refused);
                self.renew_beside();
            }
            return;
        }
        let worn_out = !challenge.step_up && challenge.retries > MAX_RETRIES;
        if let Some(grant) = self.grant.as_ref().filter(|_| !worn_out) {
            let current = grant.generation();
            if challenge.refused != Some(current) && self.serves(grant, self.world.now) {
                // The request was sent before this grant was there; it can simply be sent again.
                self.world.trail = Trail::default();
                let outcome = authorized(grant, TokenSource::Kept);
                self.finish(Ok(Outcome::Authorized(Box::new(outcome))));
                return;
            }
        }
        self.world.trail = Trail::default();
        (self.world.seen, self.world.retry_at) = (false, None);
        let dpop_alone = challenge.demand.dpop && !challenge.demand.bearer;
        if dpop_alone && self.world.config.key_of_proofs().is_none() {
            // A Bearer token instead of a bound one would be a weaker one than the server wants.
            let expected = "a challenge that offers Bearer, as no key is configured for proofs";
            self.fail(Breach::new(Kind::Unsupported, "RFC 9449 §7.1", expected, "DPoP alone"));
            return;
        }
        if challenge.demand.dpop_nonce && !challenge.step_up && self.nonce_wanted(&challenge) {
            return;
        }
        if challenge.step_up { self.step_up(challenge) } else { self.unauthorized(challenge) }
    }

    /// The proof lacked the server's nonce, and nothing is wrong with the token. Whether that settles it.
    fn nonce_wanted(&mut self, challenge: &Challenge) -> bool {
        let grant = self.grant.as_ref().filter(|grant| grant.credential.binding.is_some());
        let Some(grant) = grant.filter(|grant| challenge.refused == Some(grant.generation())) else {
            return false;
        };
        if challenge.nonce.is_some() && challenge.retries < MAX_RETRIES && self.serves(grant, self.world.now)
        {
            let outcome = authorized(grant, TokenSource::Kept);
            self.finish(Ok(Outcome::Authorized(Box::new(outcome))));
        } else {
            let expected = "a proof with the nonce that the server gave to be accepted";
            let got =
                if challenge.nonce.is_some() { "a demand for another one" } else { "no nonce to put in" };
            self.finish_failed(Breach::new(Kind::NonceRequired, "RFC 9449 §9", expected, got));
        }
        true
    }

    /// The status is 401. A token that was issued by a login for this very request, and is refused all the same, is the end.
    /// So is the second in a row that is refused as soon as it is there, whichever request it is that carried it; the first may be
    /// chance, for a resource may move.
    fn unauthorized(&mut self, challenge: Challenge) {
        self.note_refusal(challenge.refused);
        let refused = self.grant.as_ref().filter(|grant| Some(grant.generation()) == challenge.refused);
        let source = refused.map(|grant| grant.source).filter(|_| challenge.retries > 0);
        // Where no person is needed a renewal is no better than what it renews, and says nothing new.
        let alone = !self.world.config.flow().needs_person();
        let telling = refused.filter(|grant| !alone || is_new(grant.source));
        let haste = telling.map(|grant| {
            let until = grant.credential.obtained_at.after(HASTE);
            is_new(grant.source) && self.world.now < until
        });
        let renewable =
            !alone && refused.is_some_and(|grant| self.world.may_renew(&grant.credential, self.world.now));
        // Nor is it tried twice, even if nobody says how often the request was refused.
        let renewed = refused.is_some_and(|grant| {
            let young = alone && self.world.now < grant.credential.obtained_at.after(HASTE);
            grant.source == TokenSource::Refreshed && (challenge.retries > 0 || young)
        });
        let again = haste.is_some_and(|haste| std::mem::replace(&mut self.hasty, haste) && haste);
        let error = challenge.demand.error.as_deref().unwrap_or("no error code");
        let got = format!("status 401 ({error}) for a new token");
        let breach = Breach::new(Kind::TokenRejected, "RFC 6750 §3.1", "the token to be accepted", got);
        let ends = source.is_some_and(is_new) || challenge.retries > MAX_RETRIES;
        if ends || (again && !renewable) {
            self.world.seen = true;
            self.fail(breach);
            return;
        }
        self.begin(Aim {
            demand: challenge.demand,
            interactive: true,
            renewed,
            // A renewal troubles nobody.
            quiet: again.then_some(breach),
            ..Aim::default()
        });
    }

    /// A refusal may be late; what a newer one said stands, unless this one is of the grant in use.
    fn note_refusal(&mut self, refused: Option<Generation>) {
        let is_in_use = self.grant.as_ref().is_some_and(|grant| Some(grant.generation()) == refused);
        self.refused = if is_in_use { refused } else { self.refused.max(refused) };
    }

    /// 403 with `insufficient_scope`. Asking a person again for what was granted already, or time and again for
    /// one operation, is no way to get it.
    fn step_up(&mut self, challenge: Challenge) {
        let grant = self.grant.as_ref().map(|grant| &grant.credential);
        let granted = grant.map(|credential| credential.granted.clone());
        let current = grant.is_some_and(|credential| challenge.refused == Some(credential.generation));
        let challenged = challenge.demand.scope.as_ref().filter(|scope| !scope.is_empty());
        let in_vain = challenged
            .zip(granted.as_ref())
            .is_some_and(|(challenged, granted)| current && challenged.is_subset(granted));
        let limit = self.world.config.policies().step_ups;
        if in_vain || self.step_ups.in_vain(&challenge.operation) >= limit {
            let wanted = challenged.map_or("no scope that it names".to_owned(), Scopes::to_string);
            let has = granted.as_ref().map_or("none".to_owned(), Scopes::to_string);
            let expected = format!("the granted scopes ({has}) to suffice after at most {limit} step-ups");
            let got = format!("a demand for {wanted}");
            let breach = Breach::new(
                Kind::InsufficientScope,
                "MCP 2026-07-28, step-up authorization flow",
                expected,
                got,
            );
            self.finish_failed(breach);
            return;
        }
        self.step_ups.begin(&challenge.operation, challenged);
        let refused = challenge.refused;
        self.begin_refused(
            Aim { demand: challenge.demand, interactive: true, step_up: true, ..Aim::default() },
            refused,
        );
    }

    /// What the refusal said begins the trail of what it led to.
    pub(super) fn note_demand(&mut self, aim: &Aim) {
        let demand = &aim.demand;
        if *demand == Demand::default() {
            return;
        }
        let error = demand.error.as_deref().unwrap_or("no token");
        let scope = demand.scope.as_ref().map_or(String::new(), |scope| format!(", scope {scope}"));
        let place = if demand.resource_metadata.is_empty() { "" } else { ", and where its metadata is" };
        let note = format!("the server's challenge: {error}{scope}{place}");
        let clause = if aim.step_up { "RFC 6750 §3.1" } else { "RFC 9728 §5.1" };
        self.world.note(Verdict::Taken, note, clause);
    }
}

/// Whether a token was obtained anew, and not renewed or found.
fn is_new(source: TokenSource) -> bool {
    matches!(source, TokenSource::LoggedIn | TokenSource::Granted)
}
