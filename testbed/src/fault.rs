//! What goes wrong at which request.

use http::{Response, header};

use crate::message;

/// What a request is for. Requests are counted by it, and faults chosen by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A GET of protected resource metadata, found or not.
    ResourceMetadata,
    /// A GET of authorization server metadata, found or not.
    ServerMetadata,
    /// A client registration.
    Registration,
    /// An authorization request, in the browser.
    Authorize,
    /// A token request.
    Token,
    /// A token revocation.
    Revoke,
    /// A request to the MCP endpoint.
    Mcp,
    /// Anything else: the consent form, a path where nothing lives.
    Other,
}

/// One fault: what happens to the requests of a purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The purpose of the requests it is about.
    pub purpose: Purpose,
    /// Which of them, counted from 1 over the life of the world; 0 is every one.
    pub nth: u32,
    /// What happens.
    pub what: Trouble,
}

/// What may happen to a request instead of, or besides, its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Only this status and a short text. The request has no effect.
    Status(u16),
    /// This status with `Retry-After` in seconds. The request has no effect.
    RetryAfter(u16, u64),
    /// 200 and a page of HTML, as a catch-all route gives. The request has no effect.
    Html,
    /// 200 and no body. The request has no effect.
    Empty,
    /// This status, content type and body. The request has no effect.
    Answer(u16, &'static str, Vec<u8>),
    /// 307 to this URL. The request has no effect.
    RedirectTo(String),
    /// The connection is closed before the request has any effect.
    Drop,
    /// The request takes effect and the connection is closed without an answer: its outcome is unknown to the client.
    DropAfter,
    /// The request takes effect and this status is answered instead: its outcome is unknown to the client.
    StatusAfter(u16),
    /// The right answer, of which the second half is missing.
    Truncated,
    /// The right answer, filled with spaces to this many bytes.
    Oversized(usize),
}

impl Trouble {
    /// Whether the request is to be carried out.
    pub(crate) fn takes_effect(&self) -> bool {
        matches!(self, Self::DropAfter | Self::StatusAfter(_) | Self::Truncated | Self::Oversized(_))
    }

    /// What is answered, where `answer` is the right answer of a request that took effect. `None` closes the
    /// connection.
    pub(crate) fn spoil(&self, answer: Option<Response<Vec<u8>>>) -> Option<Response<Vec<u8>>> {
        match self {
            Self::Drop | Self::DropAfter => None,
            Self::Status(status) | Self::StatusAfter(status) => {
                Some(message::text(*status, "This answer is a fault."))
            }
            Self::RetryAfter(status, seconds) => {
                let mut answer = message::text(*status, "Try again later.");
                answer.headers_mut().insert(header::RETRY_AFTER, (*seconds).into());
                Some(answer)
            }
            Self::Html => {
                Some(message::html(200, "<!DOCTYPE html><title>Welcome</title><p>Welcome.".to_owned()))
            }
            Self::Empty => Some(message::body(200, "application/json", Vec::new())),
            Self::Answer(status, content_type, body) => {
                Some(message::body(*status, content_type, body.clone()))
            }
            Self::RedirectTo(url) => Some(message::redirect(307, url)),
            Self::Truncated => answer.map(|mut answer| {
                let half = answer.body().len() / 2;
                answer.body_mut().truncate(half);
                answer
            }),
            Self::Oversized(size) => answer.map(|mut answer| {
                let size = (*size).max(answer.body().len());
                answer.body_mut().resize(size, b' ');
                answer
            }),
        }
    }
}
