//! What the server's answers mean to rmcp.

use std::sync::Arc;

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use mcp_auth_reqwest::mcp_auth::Challenge;
use mcp_auth_reqwest::reqwest::Response;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorData, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::streamable_http_client::{
    AuthRequiredError, HttpStatusError, InsufficientScopeError, StreamableHttpError,
    StreamableHttpPostResponse as Posted, StreamableHttpResponseLimits as Limits,
};

use crate::body::{self, Media, Shown};
use crate::error::{Fails, unusable};
use crate::events::{self, DeadEnds, Events, Place};

/// Where the server says which session it is (Streamable HTTP, Session Management).
pub(crate) const SESSION_ID: &str = "mcp-session-id";

/// What was posted, as far as the answer is read by it.
pub(crate) struct Sent<'a> {
    message: &'a ClientJsonRpcMessage,
    pub(crate) session: Option<Arc<str>>,
}

impl<'a> Sent<'a> {
    pub(crate) fn new(message: &'a ClientJsonRpcMessage, session: Option<Arc<str>>) -> Self {
        Self { message, session }
    }

    /// The id that an answer must have; `None` if none is awaited.
    fn awaits(&self) -> Option<&RequestId> {
        match self.message {
            JsonRpcMessage::Request(request) => Some(&request.id),
            _ => None,
        }
    }

    /// Whether this asks a server without a session how it can be talked to. A client error of whatever form tells that
    /// it is one of an earlier revision, unless it is about authorization.
    fn discovers(&self, status: StatusCode) -> bool {
        let asks = matches!(self.message, JsonRpcMessage::Request(request)
            if matches!(request.request, ClientRequest::DiscoverRequest(_)));
        asks && self.session.is_none() && status.is_client_error() && !concerns_authorization(status)
    }
}

/// The answer to a `POST`.
pub(crate) async fn posted(
    response: Response,
    sent: Sent<'_>,
    limits: Limits,
    dead_ends: DeadEnds,
) -> Result<Posted, Fails> {
    refused(&response)?;
    let status = response.status();
    if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
        return Ok(Posted::Accepted);
    }
    if status == StatusCode::NOT_FOUND && sent.session.is_some() {
        return Err(StreamableHttpError::SessionExpired);
    }
    if !status.is_success() {
        return failed(response, &sent, limits).await;
    }
    // A message that awaits no answer was taken, whatever else the answer says.
    let awaits = sent.awaits().is_some();
    let session_id = session_id(response.headers());
    match Media::of(response.headers()) {
        _ if !awaits && response.content_length() == Some(0) => Ok(Posted::Accepted),
        Media::EventStream => {
            let place = Place { session: sent.session, event: None };
            let events = events::of(response, limits.max_sse_event_size, place, dead_ends);
            Ok(Posted::Sse(events, session_id))
        }
        Media::Json => {
            let shown = Shown::of(&response);
            let body = body::whole(response, limits.max_json_response_size).await?;
            match serde_json::from_slice(&body) {
                Ok(message) => Ok(Posted::Json(message, session_id)),
                Err(_) if !awaits => Ok(Posted::Accepted),
                Err(error) => Err(unusable(format!(
                    "the body is no JSON-RPC message of a server: {}: {}",
                    // It may quote the body.
                    shown.text(error.to_string().as_bytes(), SHOWN),
                    shown.text(&body, SHOWN)
                ))),
            }
        }
        Media::Other if !awaits => Ok(Posted::Accepted),
        Media::Other => Err(StreamableHttpError::UnexpectedContentType(body::content_type(&response))),
    }
}

/// How much of one challenge is shown, in bytes.
const MAX_CHALLENGE: usize = 4000;
/// How much is shown of a body that was expected to be a message, and of what else is short if it is honest.
const SHOWN: usize = 256;

/// An answer without success, which may be the JSON-RPC error that the request is to end with.
async fn failed(response: Response, sent: &Sent<'_>, limits: Limits) -> Result<Posted, Fails> {
    let status = response.status();
    let session_id = session_id(response.headers());
    let is_json = Media::of(response.headers()) == Media::Json;
    let (shown, unavailable) = (Shown::of(&response), unavailable(&response));
    let text = match &unavailable {
        Some(_) if !is_json || status == StatusCode::TOO_MANY_REQUESTS => String::new(),
        _ if is_json && !concerns_authorization(status) => {
            match body::whole(response, limits.max_json_response_size).await {
                Ok(body) => match serde_json::from_slice::<ServerJsonRpcMessage>(&body) {
                    Ok(JsonRpcMessage::Error(mut error)) => {
                        // This is the answer to the one request of the POST. Some servers cannot tell its id.
                        error.id = sent.awaits().cloned().or(error.id);
                        let kept = if sent.discovers(status) { None } else { session_id };
                        return Ok(Posted::Json(ServerJsonRpcMessage::Error(error), kept));
                    }
                    _ => shown.text(&body, limits.max_error_response_size),
                },
                Err(error @ StreamableHttpError::ResponseBodyTooLarge { .. }) => {
                    return Err(unavailable.map_or(error, Into::into));
                }
                Err(_) => "the body broke off".to_owned(),
            }
        }
        _ => body::beginning(response, limits.max_error_response_size).await,
    };
    if sent.discovers(status)
        && status != StatusCode::TOO_MANY_REQUESTS
        && let Some(id) = sent.awaits()
    {
        let words = format!("server/discover: HTTP {status}: {text}");
        let error = ErrorData::invalid_request(words, None);
        return Ok(Posted::Json(ServerJsonRpcMessage::error(error, Some(id.clone())), None));
    }
    Err(unavailable.map_or_else(|| status_error(status, &text), Into::into))
}

/// The answer to a `GET`. `place` is where the events are to begin.
pub(crate) async fn opened(
    response: Response,
    place: Place,
    limit: usize,
    dead_ends: DeadEnds,
) -> Result<Events, Fails> {
    refused(&response)?;
    let status = response.status();
    if status == StatusCode::METHOD_NOT_ALLOWED {
        return Err(StreamableHttpError::ServerDoesNotSupportSse);
    }
    if status == StatusCode::NOT_FOUND && place.session.is_some() {
        return Err(StreamableHttpError::SessionExpired);
    }
    if let Some(unavailable) = unavailable(&response) {
        return Err(unavailable.into());
    }
    if !status.is_success() {
        let text = body::beginning(response, Limits::default().max_error_response_size).await;
        return Err(status_error(status, &text));
    }
    match Media::of(response.headers()) {
        Media::EventStream => Ok(events::of(response, limit, place, dead_ends)),
        // Not what was asked for, but it can be read.
        Media::Json => {
            let body = body::whole(response, limit).await?;
            Ok(events::one(String::from_utf8_lossy(&body).into_owned()))
        }
        Media::Other => Err(StreamableHttpError::UnexpectedContentType(body::content_type(&response))),
    }
}

/// The answer to a `DELETE`. A server may not let sessions be ended, and one that is gone needs no end.
pub(crate) async fn ended(response: Response) -> Result<(), Fails> {
    let status = response.status();
    if status.is_success() || matches!(status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_FOUND) {
        return Ok(());
    }
    let text = body::beginning(response, SHOWN).await;
    Err(status_error(status, &text))
}

/// A refusal that came through: the request bore a token that was not the client's, or its patience has ended.
fn refused(response: &Response) -> Result<(), Fails> {
    let (status, fields) = (response.status(), response.headers());
    let Some(challenge) = Challenge::of(status, fields, None, 0) else { return Ok(()) };
    let (values, says) = (fields.get_all(WWW_AUTHENTICATE).into_iter(), Shown::of(response));
    let shown: Vec<_> = values.map(|value| says.text(value.as_bytes(), MAX_CHALLENGE)).collect();
    let shown = shown.join(", ");
    if status == StatusCode::FORBIDDEN {
        let scope = challenge.demand().scope.as_ref().map(ToString::to_string);
        // What is demanded is no use with something taken out of it.
        let scope = scope.filter(|scope| says.text(scope.as_bytes(), scope.len()) == *scope);
        return Err(StreamableHttpError::InsufficientScope(InsufficientScopeError::new(shown, scope)));
    }
    if shown.is_empty() {
        return Ok(());
    }
    Err(StreamableHttpError::AuthRequired(AuthRequiredError::new(shown)))
}

/// Too many requests, or a server in trouble: the status, and when it says to come again.
fn unavailable(response: &Response) -> Option<HttpStatusError> {
    let status = response.status();
    let applies = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
    let after = || {
        let value = response.headers().get(RETRY_AFTER)?;
        Some(Shown::of(response).text(value.to_str().ok()?.as_bytes(), SHOWN))
    };
    applies.then(|| HttpStatusError::new(status.as_u16(), after()))
}

fn status_error(status: StatusCode, text: &str) -> Fails {
    unusable(format!("HTTP {status}: {text}"))
}

fn concerns_authorization(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

fn session_id(fields: &HeaderMap) -> Option<String> {
    fields.get(SESSION_ID).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
