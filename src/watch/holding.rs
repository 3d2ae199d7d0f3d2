//! What is awaited, what is held, and how often a refresh token is spent.

use std::time::Duration;

use super::Watch;
use super::documents::{members, parameter};
use crate::base::time::Timestamp;
use crate::event::{Answer, RequestId};
use http::{Method, StatusCode};

use crate::action::{Action, Purpose};

/// The longest that anything is waited for but a person, and an assertion that the host fetches.
const LONGEST: Duration = Duration::from_secs(3600);

/// One thing that is awaited.
#[derive(Clone, Debug)]
pub(super) struct Awaited {
    pub(super) id: RequestId,
    pub(super) deadline: Timestamp,
    pub(super) lane: Lane,
    pub(super) sent: Option<(Purpose, Method, String)>,
    /// It reads the record, and changes nothing: a logout does not wait for it.
    pub(super) reads: bool,
}

/// Two things may be awaited at once: something of the grant in use, and something of a login that waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Grant,
    Login,
    /// Nothing that is signed says for which of the two it is.
    Either,
}

impl Lane {
    pub(super) fn of(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Refresh | Purpose::Revocation => Self::Grant,
            Purpose::ResourceMetadata
            | Purpose::ServerMetadata
            | Purpose::Registration
            | Purpose::PushedAuthorization
            | Purpose::DeviceAuthorization
            | Purpose::TokenExchange
            | Purpose::Token => Self::Login,
        }
    }
}

/// The record, and the refresh tokens that were spent.
#[derive(Clone, Debug, Default)]
pub(super) struct Holding {
    /// The exclusive loads that took the record: one, and those that were given up before they did.
    pub(super) leases: Vec<RequestId>,
    /// Those whose driver is gone: nothing is done by them any more, but to let them go.
    pub(super) left: Vec<RequestId>,
    /// The exclusive loads that have neither taken the record nor found it taken.
    asked: Vec<RequestId>,
    /// The latest load.
    load: Option<RequestId>,
    /// The latest load to which the store said what it was asked, while that was waited for.
    told: Option<RequestId>,
    /// The refresh token of the request that is under way.
    sent: Option<String>,
    /// Refresh tokens of which the server has said that they are dead, or that another takes their place.
    dead: Vec<String>,
    /// The person logs out, so that the record may be forgotten.
    pub(super) may_forget: bool,
    /// The server or the calendar has ended the client, and its record may be forgotten; not what is read after that.
    client_ended: bool,
    /// The person wants to be out.
    pub(super) logging_out: bool,
}

impl Holding {
    /// A server gives these. One that it took for dead, or replaced, lives again by that.
    pub(super) fn given(&mut self, tokens: &[String]) {
        self.dead.retain(|dead| !tokens.contains(dead));
    }
}

impl Watch {
    pub(super) fn asks(&mut self, awaited: Awaited) {
        // What is asked for the grant may be for a renewal beside, and go on after the attempt.
        self.perhaps &= awaited.lane != Lane::Login;
        if !self.running && awaited.lane == Lane::Login {
            self.breach("something is asked for while no attempt runs");
        }
        let same = |other: &Awaited| other.lane == awaited.lane && awaited.lane != Lane::Either;
        if self.awaited.len() > 1 || self.awaited.iter().any(same) {
            self.breach("two things are awaited at once");
        }
        let is_patient = awaited.lane == Lane::Login && awaited.sent.is_none();
        // At the end of time nothing is later.
        let is_over = awaited.deadline <= self.now && self.now < Timestamp::MAX;
        if is_over || !is_patient && awaited.deadline > self.now.after(LONGEST) {
            self.breach("a request has no sensible deadline");
        }
        if awaited.id.0 <= self.last_id {
            self.breach("a request has a number that was used before");
        }
        self.last_id = awaited.id.0;
        self.awaited.push(awaited);
    }

    pub(super) fn holds(&mut self, action: &Action) {
        if self.holding.logging_out && begins(action) {
            self.breach("something is begun though the person wants to be out");
        }
        match action {
            Action::Load(load) => {
                self.holding.load = Some(load.id);
                if load.exclusive().is_some() {
                    self.holding.asked.push(load.id);
                }
            }
            Action::Release(release) => {
                let Holding { leases, left, .. } = &mut self.holding;
                let held = leases.len().saturating_add(left.len());
                leases.retain(|lease| *lease != release.load);
                left.retain(|lease| *lease != release.load);
                if leases.len().saturating_add(left.len()) == held {
                    self.breach("a record is released that is not held");
                }
            }
            Action::Wait(None) => {
                if !self.holding.leases.is_empty() {
                    self.breach("a record is held for ever");
                }
                (self.holding.may_forget, self.holding.client_ended) = (false, false);
            }
            Action::Forget(_) if !(self.holding.may_forget || self.holding.client_ended) => {
                self.breach("a record is forgotten that may be of use");
            }
            // It is offered, though the calendar has ended its client.
            Action::Store(save) => {
                self.holding.client_ended |= !save.credential().client.is_fresh(self.now);
            }
            Action::Forget(_)
            | Action::Send(_)
            | Action::Open(_)
            | Action::Show(_)
            | Action::Ask(_)
            | Action::Sign(_)
            | Action::Supply(_)
            | Action::Wait(_)
            | Action::Renewed(_)
            | Action::Finish(_) => {}
        }
    }

    /// What a store said. Late or not: a record that was asked for and given is held.
    pub(super) fn held(&mut self, id: RequestId, answer: &Answer) {
        if matches!(answer, Answer::Forgotten(_)) && self.awaits(id) {
            self.holding.client_ended = false;
        }
        let asked = self.holding.asked.iter().position(|asked| *asked == id);
        // Each takes the record once, or finds it taken.
        let settles = matches!(answer, Answer::Leased(_) | Answer::Busy);
        let says = if asked.is_some() { settles } else { matches!(answer, Answer::Found(_) | Answer::Busy) };
        if says && self.holding.load == Some(id) && self.awaits(id) {
            self.holding.told = Some(id);
        }
        let Some(place) = asked.filter(|_| settles) else { return };
        self.holding.asked.remove(place);
        if let Answer::Leased(found) = answer {
            self.holding.leases.push(id);
            let client = found.as_ref().map(|found| &found.client);
            self.holding.client_ended |= client.is_some_and(|client| !client.is_fresh(self.now));
        }
    }

    /// What comes after its deadline is no answer any more.
    pub(super) fn lapses(&mut self) {
        let awaited = std::mem::take(&mut self.awaited).into_iter();
        let (late, awaited): (Vec<_>, Vec<_>) = awaited.partition(|it| it.deadline <= self.now);
        self.awaited = awaited;
        for (purpose, ..) in late.into_iter().filter_map(|it| it.sent) {
            self.documents.looks(purpose, None);
        }
    }

    fn awaits(&self, id: RequestId) -> bool {
        self.awaited.iter().any(|awaited| awaited.id == id)
    }

    /// A refresh token goes out.
    pub(super) fn spends(&mut self, form: &[(String, String)]) {
        // Where the store gives nothing there is nothing to hold, whatever comes of it later.
        let Holding { load, told, .. } = &self.holding;
        let given_up = load.is_some_and(|id| *told != Some(id) && !self.awaits(id));
        if self.holding.leases.is_empty() && !given_up {
            self.breach("a refresh token is spent while the record is not held");
        }
        let token = parameter(form, "refresh_token").unwrap_or_default().to_owned();
        if self.holding.dead.contains(&token) {
            self.breach("a refresh token is sent again after the server has answered it");
        }
        self.holding.sent = Some(token);
    }

    pub(super) fn spent(&mut self, status: StatusCode, body: &[u8]) {
        let Some(token) = self.holding.sent.take() else { return };
        // An empty one is none.
        let mut next = members(body, "refresh_token").into_iter().filter(|next| !next.is_empty());
        let error = members(body, "error");
        let dead = error.iter().any(|error| error == "invalid_grant");
        if status.as_u16() < 500 && (dead || next.any(|next| next != token)) {
            self.holding.dead.push(token);
        }
        self.holding.client_ended |=
            status == StatusCode::UNAUTHORIZED || error.iter().any(|it| it == "invalid_client");
    }
}

/// Whether it is a step towards a new grant.
fn begins(action: &Action) -> bool {
    match action {
        Action::Open(_) | Action::Show(_) | Action::Ask(_) | Action::Supply(_) => true,
        Action::Send(send) => Lane::of(send.purpose()) == Lane::Login && send.purpose() != Purpose::Token,
        Action::Load(_)
        | Action::Store(_)
        | Action::Forget(_)
        | Action::Release(_)
        | Action::Sign(_)
        | Action::Wait(_)
        | Action::Renewed(_)
        | Action::Finish(_) => false,
    }
}
