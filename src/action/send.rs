//! What is asked of the network.

use std::fmt;

use http::{HeaderMap, Method, Request, Uri};

use crate::base::guard::{Reach, without_query};
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::event::{Answer, Event, Reply, RequestId, Response, SendFailure};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Protected resource metadata (RFC 9728).
    ResourceMetadata,
    /// Authorization server metadata (RFC 8414, OpenID Connect Discovery).
    ServerMetadata,
    /// Client registration (RFC 7591).
    Registration,
    /// A token for what a person consented to (RFC 6749 §4.1.3).
    Token,
    /// A token for a refresh token (RFC 6749 §6).
    Refresh,
    /// The end of a token (RFC 7009).
    Revocation,
    /// An identity assertion grant, from the identity provider (RFC 8693).
    TokenExchange,
    /// The codes of a device authorization (RFC 8628 §3.1).
    DeviceAuthorization,
    /// A reference to an authorization request (RFC 9126).
    PushedAuthorization,
}

impl Purpose {
    /// Whether a document is fetched that says what is where.
    pub(crate) const fn is_metadata(self) -> bool {
        matches!(self, Self::ResourceMetadata | Self::ServerMetadata)
    }
}

/// Send an HTTP request.
///
/// The driver must keep to what the action says: never follow a redirect, never read more than
/// [`max_bytes`](Self::max_bytes), give up at [`deadline`](Self::deadline), and connect to no address that
/// [`reach`](Self::reach) does not allow, judged after the name is resolved.
#[derive(Clone)]
pub struct Send {
    pub(crate) id: RequestId,
    pub(crate) purpose: Purpose,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Option<Secret>,
    pub(crate) max_bytes: usize,
    pub(crate) deadline: Timestamp,
    pub(crate) reach: Reach,
}

/// Without the body, and without the query: that of metadata may be the resource's (RFC 9728 §3.1), which may hold a key.
impl fmt::Debug for Send {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send")
            .field("id", &self.id)
            .field("purpose", &self.purpose)
            .field("method", &self.method)
            .field("uri", &without_query(&self.uri.to_string()))
            .field("fields", &self.fields)
            .field("max_bytes", &self.max_bytes)
            .field("deadline", &self.deadline)
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

impl Send {
    /// What the request is for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The request. Its body may hold secrets, and `http::Request` shows its body in `Debug`: do not log it.
    pub fn request(&self) -> Request<Vec<u8>> {
        let body = self.body.as_ref().map(|body| body.expose().as_bytes().to_vec()).unwrap_or_default();
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.fields.clone();
        request
    }

    /// The method, for showing.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL. Nothing of the machine's own in it is secret, but its query may be that of the server's URL, which is not
    /// shown.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The most bytes of the body that may be read; an answer that is larger is
    /// [`SendFailure::TooLarge`].
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// When to give up, with [`SendFailure::TimedOut`].
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// Which addresses the host may resolve to.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// The answer came, whatever its status.
    pub fn reply<B: Into<Vec<u8>>>(&self, response: http::Response<B>) -> Event {
        let (parts, body) = response.into_parts();
        let response = Response { status: parts.status, fields: parts.headers, body: body.into() };
        Event::Replied(Reply { id: self.id, answer: Answer::Response(Box::new(response)) })
    }

    /// No answer came.
    pub fn fail(&self, failure: SendFailure) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::SendFailed(failure) })
    }
}
