//! rmcp's HTTP client, authorized.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};
use mcp_auth_reqwest::mcp_auth::{Breach, Kind};
use mcp_auth_reqwest::reqwest::{Request, Url};
use mcp_auth_reqwest::{Client, Error};
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
    StreamableHttpResponseLimits as Limits,
};

use crate::answer::{self, SESSION_ID, Sent};
use crate::error::{self, Fails, unusable};
use crate::events::{DeadEnds, Events, Place};
use crate::operation;

const LAST_EVENT_ID: &str = "last-event-id";
/// What a server may answer with (Streamable HTTP, Sending Messages to the Server).
const ACCEPTED: &str = "application/json, text/event-stream";
/// The fields that belong to the transport. rmcp hands in `MCP-Protocol-Version` as if it were the host's.
const RESERVED: [&str; 3] = ["accept", SESSION_ID, LAST_EVENT_ID];

type Fields = HashMap<HeaderName, HeaderValue>;

/// An HTTP client for rmcp's [`StreamableHttpClientTransport`] that is authorized by [`mcp_auth_reqwest::Client`].
///
/// Clones, and transports that are made of clones of one client, share its grant, its login and its store.
///
/// [`StreamableHttpClientTransport`]: rmcp::transport::StreamableHttpClientTransport
#[derive(Clone)]
pub struct AuthorizedClient {
    client: Client,
    dead_ends: DeadEnds,
}

impl AuthorizedClient {
    /// A client for one MCP server. The transport's `uri` must be within the resource for which `client` is configured
    /// ([`Error::OutsideResource`]).
    pub fn new(client: Client) -> Self {
        Self { client, dead_ends: DeadEnds::default() }
    }

    /// What authorizes the requests: to log in early, to log out, to see the grant or the trail.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// Without the sessions that it remembers: whoever knows one may take part in it.
impl fmt::Debug for AuthorizedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizedClient").field("client", &self.client).finish_non_exhaustive()
    }
}

impl StreamableHttpClient for AuthorizedClient {
    type Error = Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Fields,
    ) -> Result<StreamableHttpPostResponse, Fails> {
        let limits = Limits::default();
        self.post_message_with_response_limits(uri, message, session_id, auth_header, custom_headers, limits)
            .await
    }

    async fn post_message_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Fields,
        max_sse_event_size: usize,
    ) -> Result<StreamableHttpPostResponse, Fails> {
        let mut limits = Limits::default();
        limits.max_sse_event_size = max_sse_event_size;
        self.post_message_with_response_limits(uri, message, session_id, auth_header, custom_headers, limits)
            .await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Fields,
        limits: Limits,
    ) -> Result<StreamableHttpPostResponse, Fails> {
        let body = serde_json::to_vec(&message)?;
        let mut request = request(Method::POST, &uri, session_id.as_deref(), auth_header, custom_headers)?;
        request.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.into());
        let response = self.client.send_as(&operation::of(&message), request).await;
        let response = response.map_err(StreamableHttpError::Client)?;
        answer::posted(response, Sent::new(&message, session_id), limits, self.dead_ends.clone()).await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: Fields,
    ) -> Result<(), Fails> {
        let request = request(Method::DELETE, &uri, Some(&session_id), auth_header, custom_headers)?;
        // Whoever leaves is not to be asked to log in.
        let response = self.client.send_once("DELETE", request).await;
        answer::ended(response.map_err(StreamableHttpError::Client)?).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Fields,
    ) -> Result<Events, Fails> {
        let limit = Limits::default().max_sse_event_size;
        self.get_stream_with_max_sse_event_size(
            uri,
            session_id,
            last_event_id,
            auth_header,
            custom_headers,
            limit,
        )
        .await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Fields,
        max_sse_event_size: usize,
    ) -> Result<Events, Fails> {
        let mut request = request(Method::GET, &uri, session_id.as_deref(), auth_header, custom_headers)?;
        if let Some(id) = &last_event_id {
            request.headers_mut().insert(LAST_EVENT_ID, value(LAST_EVENT_ID, id)?);
        }
        let place = Place { session: session_id, event: last_event_id };
        if self.dead_ends.has(&place) {
            // The one answer to which rmcp leaves a stream alone.
            return Err(StreamableHttpError::ServerDoesNotSupportSse);
        }
        let response = self.client.send_as("GET", request).await.map_err(error::of_background)?;
        answer::opened(response, place, max_sse_event_size, self.dead_ends.clone()).await
    }
}

/// A request without a body.
fn request(
    method: Method,
    uri: &str,
    session_id: Option<&str>,
    token: Option<String>,
    custom: Fields,
) -> Result<Request, Fails> {
    let url = Url::parse(uri).map_err(|error| {
        let (expected, got) = ("an absolute URL", error.to_string());
        let breach = Breach::new(Kind::Configuration, "rmcp, uri of the transport", expected, got);
        StreamableHttpError::Client(Error::Configuration(breach))
    })?;
    let mut request = Request::new(method, url);
    let fields = request.headers_mut();
    for (name, value) in custom {
        if RESERVED.contains(&name.as_str()) {
            return Err(StreamableHttpError::ReservedHeaderConflict(name.to_string()));
        }
        fields.insert(name, value);
    }
    fields.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
    if let Some(id) = session_id {
        fields.insert(SESSION_ID, value(SESSION_ID, id)?);
    }
    if let Some(token) = token {
        let mut token = value("the fixed token", &format!("Bearer {token}"))?;
        token.set_sensitive(true);
        fields.insert(AUTHORIZATION, token);
    }
    Ok(request)
}

/// What is wrong with it is not shown: it may be secret.
fn value(what: &str, text: &str) -> Result<HeaderValue, Fails> {
    HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| unusable(format!("{what}: there are characters in it that no header field may have")))
}
