//! Answers, by what was asked for. An answer to something else counts as none.

use http::StatusCode;

use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::credential::Credential;
use crate::event::{Answer, Response, Saving, SendFailure};

const OTHER: &str = "another kind of answer";

impl Answer {
    /// The response to a request that was sent.
    pub(super) fn response(self) -> Result<Box<Response>, SendFailure> {
        if let Self::Response(response) = self {
            return Ok(response);
        }
        Err(if let Self::SendFailed(failure) = self {
            failure
        } else {
            SendFailure::NotSent(OTHER.to_owned())
        })
    }

    /// The response, if this is one.
    pub(super) fn as_response(&self) -> Option<&Response> {
        if let Self::Response(response) = self { Some(response) } else { None }
    }

    /// Its status, if this is one.
    pub(super) fn status(&self) -> Option<StatusCode> {
        self.as_response().map(|response| response.status)
    }

    /// Before when the server does not want to be asked again, if it says so.
    pub(super) fn retry_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.as_response().and_then(|response| response.retry_at(now))
    }

    /// The record, and whether it is held now; `None` if somebody else holds it.
    pub(super) fn found(self) -> Option<Result<(Option<Credential>, bool), String>> {
        let held = matches!(self, Self::Leased(_));
        if let Self::Found(found) | Self::Leased(found) = self {
            return Some(Ok((found.map(|found| *found), held)));
        }
        if matches!(self, Self::Busy) {
            return None;
        }
        Some(Err(if let Self::LoadFailed(why) = self { why } else { OTHER.to_owned() }))
    }

    /// What the store says to a write.
    pub(super) fn saved(self) -> Saving {
        if let Self::Saved(saving) = self { saving } else { Saving::Failed(OTHER.to_owned()) }
    }

    /// Whether nothing stands in the store now.
    pub(super) fn forgotten(self) -> Result<bool, String> {
        if let Self::Forgotten(forgotten) = self { forgotten } else { Err(OTHER.to_owned()) }
    }

    /// Why the person cannot be asked.
    pub(super) fn unasked(self) -> Option<String> {
        if let Self::Unasked(why) = self { Some(why) } else { None }
    }

    /// A signature, or why there is none.
    pub(super) fn signature(self) -> Result<Vec<u8>, String> {
        if let Self::Signed(signed) = self {
            return signed;
        }
        Err(if matches!(self, Self::SendFailed(_)) { "none in time" } else { OTHER }.to_owned())
    }

    /// An assertion, or why there is none.
    pub(super) fn supplied(self) -> Result<Secret, String> {
        if let Self::Supplied(supplied) = self { supplied } else { Err(OTHER.to_owned()) }
    }
}
