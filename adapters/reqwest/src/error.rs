//! What can go wrong with a request, apart from the server's answer to it.

use mcp_auth::{Breach, Failure};

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The login, the renewal or the step-up that the request needed has failed. `{:#}` of the failure shows the
    /// way there.
    #[error("{0}")]
    Failure(Box<Failure>),
    /// The URL is not within the resource, so that nothing was sent: the token would go elsewhere.
    #[error("{url} is not within the MCP server's resource; no token goes there, and nothing was sent")]
    OutsideResource {
        /// The URL without its query.
        url: String,
    },
    /// The caller's own request did not get through.
    #[error("the request to the MCP server failed: {0}")]
    Transport(String),
    /// The server goes on refusing the request.
    #[error("the MCP server refused the request {0} times, whatever it was given")]
    Refused(u8),
    /// The configuration cannot be used.
    #[error("{0}")]
    Configuration(Breach),
    /// An HTTP client cannot be made, or the operating system has no randomness.
    #[error("the client cannot be set up: {0}")]
    Setup(String),
    /// The runtime on which the attempt ran is gone.
    #[error("the attempt was stopped with its runtime; try again")]
    Stopped,
}

impl From<Box<Failure>> for Error {
    fn from(failure: Box<Failure>) -> Self {
        Self::Failure(failure)
    }
}
