//! Pushed authorization requests (RFC 9126): the parameters go to the server first, and the browser carries a
//! reference to them.

use std::time::Duration;

use url::Url;

use super::answer::{Members, Wanted};
use super::authentication::Message;
use super::authorization::{AuthorizationRequest, opened};
use super::client::Client;
use crate::base::breach::{Breach, Kind};
use crate::base::guard::Endpoint;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;

const ANSWER: &str = "RFC 9126 §2.2";
/// The longest `request_uri` that is taken, in bytes.
pub const MAX_REQUEST_URI: usize = 2048;
/// The longest lifetime that is believed, in seconds: a day.
pub const MAX_LIFETIME: u64 = 24 * 3600;

/// An authorization request that is pushed. It is posted to the pushed authorization request endpoint; the authorization
/// endpoint in it is not used.
#[derive(Clone, Copy, Debug)]
pub struct PushedRequest<'a> {
    /// The request.
    pub request: AuthorizationRequest<'a>,
    /// Who asks: the client that the request names.
    pub client: &'a Client,
    /// The client's assertion, where it authenticates with one.
    pub assertion: Option<&'a Secret>,
}

impl PushedRequest<'_> {
    /// Builds the message: the parameters as the browser would carry them, and the client as at the token endpoint
    /// (RFC 9126 §2.1). `client_id` is among the parameters however the client authenticates.
    ///
    /// # Errors
    ///
    /// Those of [`AuthorizationRequest::url`] for extra parameters, and that of [`Message::of`].
    pub fn build(&self) -> Result<Message, Breach> {
        let parameters = self.request.parameters()?;
        let pairs = parameters.iter().map(|(name, value)| (*name, value.as_ref())).collect();
        Message::of(pairs, self.client, self.assertion)
    }
}

/// A request that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The reference to it, used once. It is no URL to be fetched.
    pub request_uri: String,
    /// Until when the reference is good.
    pub expires_at: Timestamp,
}

impl Pushed {
    /// Judges an answer. 201 is good, and so is 200, which some servers send.
    ///
    /// # Errors
    ///
    /// [`Kind::AuthorizationFailed`]: the server refuses the request. [`Kind::ClientRejected`],
    /// [`Kind::NonceRequired`]: as at the token endpoint. [`Kind::Malformed`]: no `request_uri` of visible ASCII up to
    /// [`MAX_REQUEST_URI`], or no lifetime.
    pub fn read(status: u16, body: &[u8], now: Timestamp) -> Result<Self, Breach> {
        let wanted = Wanted { what: "a request_uri", clause: ANSWER, error: Kind::AuthorizationFailed };
        let members = Members::good(&wanted, status, None, body)?;
        let lifetime = members.seconds("expires_in").filter(|seconds| *seconds > 0).ok_or_else(|| {
            let expected = "a number of seconds above zero in \"expires_in\"";
            Breach::new(Kind::Malformed, ANSWER, expected, "none")
        })?;
        Ok(Self {
            request_uri: members.token("request_uri", MAX_REQUEST_URI, ANSWER, ANSWER)?.to_owned(),
            expires_at: now.after(Duration::from_secs(lifetime.min(MAX_LIFETIME))),
        })
    }

    /// The URL to open, with nothing but the client and the reference (RFC 9126 §4). The query of the endpoint is judged
    /// as in [`AuthorizationRequest::url`].
    ///
    /// # Errors
    ///
    /// [`Kind::UrlRefused`].
    pub fn url(&self, endpoint: &Endpoint, client_id: &str) -> Result<Url, Breach> {
        opened(
            endpoint,
            &[("client_id", client_id.into()), ("request_uri", self.request_uri.as_str().into())],
        )
    }
}
