//! What an HTTP response to a JSON-RPC message says.

use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use serde_json::Value;

use crate::sse;

/// The answer to one request. An error is told as a person would read it.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    Result(Value),
    Error(String),
}

/// Whether a notification was taken.
pub(crate) fn accepted(response: &Response<Vec<u8>>) -> Result<(), String> {
    if response.status().is_success() { Ok(()) } else { Err(refusal(response)) }
}

/// The answer to the request `id`, wherever in the response it stands.
pub(crate) fn read(response: &Response<Vec<u8>>, id: u64) -> Result<Answer, String> {
    if response.status() != StatusCode::OK {
        return Err(refusal(response));
    }
    match media_type(response).as_deref() {
        Some("application/json") => {
            let message = json(response.body()).ok_or("the body is not JSON")?;
            answer(&message, id)?.ok_or_else(|| format!("the body is no answer to the request {id}"))
        }
        Some("text/event-stream") => streamed(response.body(), id),
        Some(other) => Err(format!("the body is {other}, neither JSON nor an event stream")),
        None => Err("the response has no Content-Type".to_owned()),
    }
}

/// Notifications and requests of the server may come first. What follows the answer is no concern of this request.
fn streamed(body: &[u8], id: u64) -> Result<Answer, String> {
    for event in sse::events(body)?.iter().filter(|event| event.kind == "message") {
        let message = json(event.data.as_bytes()).ok_or("an event of the stream is not JSON")?;
        if let Some(answer) = answer(&message, id)? {
            return Ok(answer);
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

/// Any other status, with the JSON-RPC error if the body is one: its `id` may be absent.
fn refusal(response: &Response<Vec<u8>>) -> String {
    let status = response.status().as_u16();
    match json(response.body()).as_ref().and_then(|body| body.get("error")).filter(|error| error.is_object())
    {
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

fn media_type(response: &Response<Vec<u8>>) -> Option<String> {
    let whole = response.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    Some(whole.split(';').next()?.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{Answer, accepted, read};
    use http::Response;
    use serde_json::json;

    fn response(status: u16, kind: &str, body: &str) -> Response<Vec<u8>> {
        Response::builder()
            .status(status)
            .header("content-type", kind)
            .body(body.as_bytes().to_vec())
            .unwrap()
    }

    #[test]
    fn a_json_body_is_the_answer() {
        let body = r#"{"jsonrpc":"2.0","id":3,"result":{"a":1}}"#;
        let found = read(&response(200, "Application/JSON; charset=utf-8", body), 3);
        assert_eq!(found, Ok(Answer::Result(json!({"a": 1}))));
    }

    #[test]
    fn the_event_with_our_id_is_the_answer() {
        let body = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n\
                    event: other\ndata: not json\n\n\
                    data: {\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}\n\n\
                    data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"a\":2}}\n\n\
                    data: {\"jsonrpc\":\"2.0\",\"id\":3,\ndata: \"result\":{\"a\":3}}\n\n";
        assert_eq!(read(&response(200, "text/event-stream", body), 3), Ok(Answer::Result(json!({"a": 3}))));
        assert!(
            read(&response(200, "text/event-stream", body), 4).unwrap_err().contains("without an answer")
        );
    }

    #[test]
    fn an_error_names_its_code_and_message() {
        let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}"#;
        let expected = "JSON-RPC error -32601: Method not found";
        assert_eq!(read(&response(200, "application/json", body), 1), Ok(Answer::Error(expected.to_owned())));
        let refused = read(&response(404, "application/json", body), 1).unwrap_err();
        assert_eq!(refused, format!("HTTP 404, {expected}"));
    }

    #[test]
    fn an_authorization_error_is_told_by_its_status_alone() {
        let refused = response(401, "application/json", r#"{"error":"invalid_token"}"#);
        assert_eq!(read(&refused, 1), Err("HTTP 401".to_owned()));
        assert_eq!(accepted(&refused), Err("HTTP 401".to_owned()));
        assert_eq!(accepted(&response(202, "", "")), Ok(()));
    }

    #[test]
    fn a_malformed_answer_is_an_error() {
        for (kind, body) in [
            ("application/json", "{"),
            ("application/json", r#"{"id":1,"result":{}}"#),
            ("application/json", r#"{"jsonrpc":"2.0","id":2,"result":{}}"#),
            ("application/json", r#"{"jsonrpc":"2.0","id":"1","result":{}}"#),
            ("application/json", r#"{"jsonrpc":"2.0","id":1,"result":[]}"#),
            ("application/json", r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#),
            ("application/json", r#"{"jsonrpc":"2.0","id":1}"#),
            ("text/event-stream", "data: {\n\n"),
            ("text/plain", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
        ] {
            assert!(read(&response(200, kind, body), 1).is_err(), "{kind} {body}");
        }
        assert!(
            read(&response(202, "application/json", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), 1).is_err()
        );
        assert!(read(&Response::new(b"{}".to_vec()), 1).is_err());
    }
}
