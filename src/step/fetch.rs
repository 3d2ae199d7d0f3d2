//! Getting a metadata document: one GET, and the redirects within its own origin.

use std::fmt;

use http::{StatusCode, header};
use url::Url;

use super::{Pending, World};
use crate::action::Purpose;
use crate::base::breach::{Breach, Kind};
use crate::base::guard::{self, Shown};
use crate::event::{Answer, Response, SendFailure};
use crate::step::world::Order;
use crate::wire::refusal::passes;

/// How many redirects are followed for one document.
const MAX_REDIRECTS: u8 = 3;

#[derive(Clone)]
pub(crate) struct Fetch {
    pub(crate) pending: Pending,
    url: String,
    purpose: Purpose,
    clause: &'static str,
    redirects: u8,
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch")
            .field("purpose", &self.purpose)
            .field("url", &Shown(&self.url))
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

/// What came of it.
pub(crate) enum Fetched {
    /// A redirect is being followed.
    Again(Fetch),
    /// A 200, and its body.
    Body { url: String, body: Vec<u8> },
    /// No document. `clean` where the server plainly has none here; anything else may be a fault, or an
    /// attack, and must not open the way to a weaker fallback.
    Missed { url: String, status: Option<u16>, breach: Breach, clean: bool },
}

impl Fetch {
    pub(crate) fn begin(
        world: &mut World,
        purpose: Purpose,
        url: &str,
        clause: &'static str,
    ) -> Result<Self, Breach> {
        let order = Order {
            purpose,
            to: &world.judge(url, clause)?,
            clause,
            authorization: None,
            proof: None,
            content: None,
            secrets: Vec::new(),
        };
        let pending = world.send(order)?.pending;
        Ok(Self { pending, url: url.to_owned(), purpose, clause, redirects: 0 })
    }

    pub(crate) fn on(self, world: &mut World, answer: Answer) -> Fetched {
        let response = match answer.response() {
            Ok(response) => response,
            Err(failure) => {
                let breach = unanswered(&failure, self.clause);
                return Fetched::Missed { url: self.url, status: None, breach, clean: false };
            }
        };
        let status = response.status;
        if status == StatusCode::OK {
            return Fetched::Body { url: self.url, body: response.body };
        }
        if status.is_redirection() {
            return self.redirected(world, &response);
        }
        // A server that is asked to wait may have the document after all.
        let clean = status.is_client_error() && !passes(status.as_u16());
        let kind = if clean { Kind::NotFound } else { Kind::UnexpectedStatus };
        let breach = Breach::new(kind, self.clause, "status 200", format!("status {}", status.as_u16()));
        Fetched::Missed { url: self.url, status: Some(status.as_u16()), breach, clean }
    }

    /// A redirect within the origin is followed a few times: it leads to the same server, and the document is held
    /// against its identifier all the same. Another origin could be anyone's.
    fn redirected(self, world: &mut World, response: &Response) -> Fetched {
        let status = response.status.as_u16();
        let target = response.fields.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let base = Url::parse(&self.url).ok();
        let next = base.as_ref().zip(target).and_then(|(base, target)| base.join(target).ok());
        let near = base.zip(next.as_ref()).is_some_and(|(base, next)| guard::same_origin(&base, next));
        let shown = next.as_ref().map_or("a redirect to nowhere".to_owned(), |next| {
            format!("a redirect to {}", guard::without_query(next.as_str()))
        });
        let expected = "status 200, or a redirect within the origin";
        let breach = Breach::new(Kind::Redirected, self.clause, expected, &shown);
        if let Some(next) = next.filter(|_| near && self.redirects < MAX_REDIRECTS) {
            world.passed_over(&self.url, Some(status), &breach);
            let redirects = self.redirects.saturating_add(1);
            if let Ok(again) = Self::begin(world, self.purpose, next.as_str(), self.clause) {
                return Fetched::Again(Self { redirects, ..again });
            }
        }
        Fetched::Missed { url: self.url, status: Some(status), breach, clean: false }
    }
}

/// Why a request has no answer, as a breach of what the clause promises.
pub(crate) fn unanswered(failure: &SendFailure, clause: &'static str) -> Breach {
    let (kind, got) = match failure {
        SendFailure::NotSent(why) => (Kind::Unreachable, why.as_str()),
        SendFailure::Interrupted(why) => (Kind::Unreachable, why.as_str()),
        SendFailure::TimedOut => (Kind::TimedOut, "none in time"),
        SendFailure::TooLarge => (Kind::TooLarge, "more bytes than allowed"),
        SendFailure::AddressRefused(why) => (Kind::AddressRefused, why.as_str()),
    };
    Breach::new(kind, clause, "an answer", got)
}
