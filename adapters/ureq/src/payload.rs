//! What a request carries.

use std::fmt;

use http::{Method, Request, Response};
use ureq::{Agent, Body, SendBody};

/// The body of a request. What is given whole is sent again when the first request was refused; a
/// [`SendBody`] can be read once, so the refusal of its request is given back.
pub struct Payload(Kind);

enum Kind {
    Whole(Vec<u8>),
    Once(Option<SendBody<'static>>),
}

impl Payload {
    pub(crate) fn is_repeatable(&self) -> bool {
        matches!(self.0, Kind::Whole(_))
    }

    /// Sends it with `head`, less the extensions: they may hold a configuration of ureq's for one request, and that
    /// would undo what is set for good.
    pub(crate) fn sent_by(
        &mut self,
        agent: &Agent,
        head: &http::request::Parts,
    ) -> Result<Response<Body>, ureq::Error> {
        match &mut self.0 {
            // An empty body would be announced, also where none is expected.
            Kind::Whole(bytes) if bytes.is_empty() && !expects_body(&head.method) => {
                agent.run(headed(head, ()))
            }
            Kind::Whole(bytes) => agent.run(headed(head, bytes.as_slice())),
            Kind::Once(body) => agent.run(headed(head, body.take().unwrap_or_else(SendBody::none))),
        }
    }
}

fn expects_body(method: &Method) -> bool {
    [Method::PATCH, Method::POST, Method::PUT].contains(method)
}

fn headed<T>(head: &http::request::Parts, body: T) -> Request<T> {
    let mut request = Request::new(body);
    request.method_mut().clone_from(&head.method);
    request.uri_mut().clone_from(&head.uri);
    request.headers_mut().clone_from(&head.headers);
    *request.version_mut() = head.version;
    request
}

impl From<()> for Payload {
    fn from((): ()) -> Self {
        Self(Kind::Whole(Vec::new()))
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Kind::Whole(bytes))
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self(Kind::Whole(bytes.to_vec()))
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self(Kind::Whole(text.into_bytes()))
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self(Kind::Whole(text.as_bytes().to_vec()))
    }
}

impl From<SendBody<'static>> for Payload {
    fn from(body: SendBody<'static>) -> Self {
        Self(Kind::Once(Some(body)))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Whole(bytes) => f.debug_struct("Payload").field("bytes", &bytes.len()).finish(),
            Kind::Once(_) => f.debug_struct("Payload").finish_non_exhaustive(),
        }
    }
}
