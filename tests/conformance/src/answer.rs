//! What an HTTP response to a JSON-RPC message says.

use http::header::CONTENT_TYPE;
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use mcp_auth::Challenge;
use serde_json::Value;

use crate::sse;

/// The most bytes that are read of one answer: one that never ends would fill the memory long before the time is up.
const MAX_ANSWER: usize = 4 << 20;

/// The body of a response, as it comes.
pub(crate) trait Body {
    /// The next chunk; `None` at the end. An error is told as a person would read it.
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, String>;
}

/// The answer to one request. An error is told as a person would read it.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Result(Value),
    Error(String),
}

/// Whether a notification was taken.
pub(crate) async fn accepted(head: &Parts, body: &mut impl Body) -> Result<(), String> {
    if head.status.is_success() { Ok(()) } else { Err(refusal(head, body).await) }
}

/// The answer to the request `id`, wherever in the response it stands.
pub(crate) async fn read(head: &Parts, body: &mut impl Body, id: u64) -> Result<Answer, String> {
    if head.status != StatusCode::OK {
        return Err(refusal(head, body).await);
    }
    match media_type(&head.headers).as_deref() {
        Some("application/json") => {
            let message = json(&whole(body).await?).ok_or("the body is not JSON")?;
            answer(&message, id)?.ok_or_else(|| format!("the body is no answer to the request {id}"))
        }
        Some("text/event-stream") => streamed(body, id).await,
        Some(other) => Err(format!("the body is {other}, neither JSON nor an event stream")),
        None => Err("the response has no Content-Type".to_owned()),
    }
}

/// A body that is given up once it is too large.
struct Bounded<'a, B> {
    body: &'a mut B,
    left: usize,
}

impl<'a, B: Body> Bounded<'a, B> {
    fn new(body: &'a mut B) -> Self {
        Self { body, left: MAX_ANSWER }
    }

    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, String> {
        let Some(chunk) = self.body.chunk().await? else { return Ok(None) };
        let left = self.left.checked_sub(chunk.len());
        self.left = left.ok_or_else(|| format!("the answer is larger than {} MiB", MAX_ANSWER >> 20))?;
        Ok(Some(chunk))
    }
}

async fn whole(body: &mut impl Body) -> Result<Vec<u8>, String> {
    let (mut body, mut whole) = (Bounded::new(body), Vec::new());
    while let Some(chunk) = body.chunk().await? {
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
}

/// Notifications and requests of the server may come first. What follows the answer is no concern of this request, and
/// may never end.
async fn streamed(body: &mut impl Body, id: u64) -> Result<Answer, String> {
    let (mut body, mut stream) = (Bounded::new(body), sse::Stream::default());
    while let Some(chunk) = body.chunk().await? {
        for event in stream.take(&chunk).iter().filter(|event| event.kind == "message") {
            let message = json(event.data.as_bytes()).ok_or("an event of the stream is not JSON")?;
            if let Some(answer) = answer(&message, id)? {
                return Ok(answer);
            }
        }
    }
    Err(format!("the event stream ended without an answer to the request {id}"))
}

/// `None` for a message that is meant for something else.
fn answer(message: &Value, id: u64) -> Result<Option<Answer>, String> {
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err("a message is not JSON-RPC 2.0".to_owned());
    }
    if message.get("method").is_some() || message.get("id").and_then(Value::as_u64) != Some(id) {
        return Ok(None);
    }
    match (message.get("result"), message.get("error")) {
        (Some(result), None) if result.is_object() => Ok(Some(Answer::Result(result.clone()))),
        (Some(_), None) => Err("the result is not an object".to_owned()),
        (None, Some(error)) => Ok(Some(Answer::Error(describe(error)))),
        (Some(_), Some(_)) => Err("the answer has both a result and an error".to_owned()),
        (None, None) => Err("the answer has neither a result nor an error".to_owned()),
    }
}

/// Any other status, with the JSON-RPC error if the body is one: its `id` may be absent. A body that does not come takes
/// nothing from what the status says.
async fn refusal(head: &Parts, body: &mut impl Body) -> String {
    let status = head.status.as_u16();
    // Only the end of a client's patience leaves a challenge unanswered.
    if let Some(challenge) = Challenge::of(head.status, &head.headers, None, 0) {
        let wanted = match &challenge.demand().scope {
            Some(scopes) => format!("the scopes {scopes}"),
            None => "a token".to_owned(),
        };
        return format!("HTTP {status}: the server went on asking for {wanted}, whatever it was given");
    }
    let body = whole(body).await.ok().and_then(|body| json(&body));
    match body.as_ref().and_then(|body| body.get("error")).filter(|error| error.is_object()) {
        Some(error) => format!("HTTP {status}, {}", describe(error)),
        None => format!("HTTP {status}"),
    }
}

fn describe(error: &Value) -> String {
    let code = error.get("code").map_or_else(|| "without a code".to_owned(), Value::to_string);
    let message = error.get("message").and_then(Value::as_str).unwrap_or("without a message");
    format!("JSON-RPC error {code}: {message}")
}

fn json(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

fn media_type(fields: &HeaderMap) -> Option<String> {
    let whole = fields.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(whole.split(';').next()?.trim().to_ascii_lowercase())
}

#[cfg(test)]
#[path = "answer_tests.rs"]
pub(crate) mod tests;
