//! Our failure, wherever rmcp has wrapped it.

use mcp_auth_reqwest::mcp_auth::{Failure, Retry};
use mcp_auth_reqwest::{Error, reqwest};
use rmcp::service::ClientInitializeError;
use rmcp::transport::streamable_http_client::{AuthRequiredError, StreamableHttpError};

/// What a call of the transport fails with.
pub(crate) type Fails = StreamableHttpError<Error>;

/// Why authorization failed, if that is why rmcp's operation did: found in a `ServiceError`, a
/// `ClientInitializeError`, or whatever else holds one of ours. `{:#}` shows the whole way there.
///
/// ```
/// # use mcp_auth_rmcp::rmcp::service::ServiceError;
/// fn explain(error: &ServiceError) -> String {
///     match mcp_auth_rmcp::failure(error) {
///         Some(failure) => format!("{failure:#}"),
///         None => error.to_string(),
///     }
/// }
/// # assert_eq!(explain(&ServiceError::TransportClosed), "Transport closed");
/// ```
pub fn failure<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Failure> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(Error::Failure(failure)) = error.downcast_ref() {
            return Some(failure);
        }
        // These two do not give as their source what they hold.
        next = match (error.downcast_ref::<Fails>(), error.downcast_ref::<ClientInitializeError>()) {
            (Some(StreamableHttpError::Client(inner)), _) => Some(inner),
            (_, Some(ClientInitializeError::TransportError { error, .. })) => Some(error),
            (_, Some(ClientInitializeError::LegacyFallbackFailed { fallback, .. })) => {
                Some(fallback.as_ref())
            }
            _ => error.source(),
        };
    }
    None
}

/// The end of a request that nobody waits for, and that rmcp sends again until it hears that this is in vain.
pub(crate) fn of_background(error: Error) -> Fails {
    match error {
        Error::Failure(failure) if failure.retry() != Retry::Later => {
            StreamableHttpError::AuthRequired(AuthRequiredError::new(failure.to_string()))
        }
        error => StreamableHttpError::Client(error),
    }
}

/// A body that broke off. Its URL may hold a secret, and says nothing here.
pub(crate) fn broken(error: reqwest::Error) -> Error {
    Error::Transport(error.without_url())
}

/// What the server sent, or is to be sent to it, that cannot be used.
pub(crate) fn unusable(words: impl Into<String>) -> Fails {
    StreamableHttpError::UnexpectedServerResponse(words.into().into())
}
