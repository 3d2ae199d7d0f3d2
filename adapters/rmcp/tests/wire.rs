//! What each answer of a server means to rmcp, and what is asked of the server, byte for byte.

#[path = "../../host/tests/rig/replayed.rs"]
mod replayed;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use http::{HeaderName, HeaderValue};
use mcp_auth_reqwest::mcp_auth::{Config, Kind};
use mcp_auth_reqwest::{Client, Error};
use mcp_auth_rmcp::{AuthorizedClient, failure};
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, RequestId};
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient as _, StreamableHttpError as Fails, StreamableHttpPostResponse as Posted,
    StreamableHttpResponseLimits as Limits,
};
use serde_json::json;
use sse_stream::Sse;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Answers each request to `/mcp` with the same bytes, and everything else with 404.
struct Script {
    url: Arc<str>,
    asked: Arc<Mutex<Vec<String>>>,
    client: AuthorizedClient,
}

impl Script {
    async fn new(answer: impl Into<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Arc<str> = format!("http://{}/mcp", listener.local_addr().unwrap()).into();
        let (asked, answer) = (Arc::<Mutex<Vec<String>>>::default(), answer.into());
        let noted = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone(), noted.clone()));
            }
        });
        let client = Client::builder(Config::new(&*url, "Visitor", "http://127.0.0.1:3000/callback"));
        Self { url, asked, client: AuthorizedClient::new(client.record(replayed::lines()).build().unwrap()) }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    async fn post(
        &self,
        message: ClientJsonRpcMessage,
        session: Option<&str>,
    ) -> Result<Posted, Fails<Error>> {
        self.limited(message, session, Limits::default()).await
    }

    async fn limited(
        &self,
        message: ClientJsonRpcMessage,
        session: Option<&str>,
        limits: Limits,
    ) -> Result<Posted, Fails<Error>> {
        let (url, session) = (self.url.clone(), session.map(Arc::from));
        let fields = HashMap::new();
        let posted =
            self.client.post_message_with_response_limits(url, message, session, None, fields, limits);
        soon(posted).await
    }

    async fn get(&self, last: Option<&str>) -> Result<Vec<Result<Sse, String>>, Fails<Error>> {
        let (url, last) = (self.url.clone(), last.map(str::to_owned));
        let session = Some("s-1".into());
        let opened =
            self.client.get_stream_with_max_sse_event_size(url, session, last, None, HashMap::new(), 64);
        let events = soon(opened).await?;
        Ok(soon(events.map(|event| event.map_err(|error| error.to_string())).collect()).await)
    }

    async fn delete(&self) -> Result<(), Fails<Error>> {
        soon(self.client.delete_session(self.url.clone(), "s-1".into(), None, HashMap::new())).await
    }
}

async fn serve(mut stream: TcpStream, answer: String, asked: Arc<Mutex<Vec<String>>>) {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            break (head.len() + 4, length.map_or(0, |length| length.parse().unwrap()));
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    };
    while bytes.len() < head + length {
        stream.read_buf(&mut bytes).await.unwrap();
    }
    let request = String::from_utf8(bytes).unwrap();
    let is_mcp = request.split(' ').nth(1) == Some("/mcp");
    let answer =
        if is_mcp { answer } else { "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned() };
    if is_mcp {
        asked.lock().unwrap().push(request);
    }
    // A body that is longer than what it says never comes; the client is not to wait for it.
    let stays_open = answer.contains("content-length: 99999999");
    let _ = stream.write_all(answer.as_bytes()).await;
    if stays_open {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let _ = stream.shutdown().await;
}

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("this takes too long")
}

/// An answer with this status, these fields and this body, which ends with the connection.
fn answer(status: &str, fields: &str, body: &str) -> String {
    let fields: String =
        fields.split('|').filter(|it| !it.is_empty()).map(|it| format!("{it}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\n{fields}connection: close\r\n\r\n{body}")
}

const JSON: &str = "content-type: application/json";
const EVENTS: &str = "content-type: text/event-stream";

fn message(value: serde_json::Value) -> ClientJsonRpcMessage {
    serde_json::from_value(value).unwrap()
}

fn request() -> ClientJsonRpcMessage {
    message(json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "echo"}}))
}

fn notification() -> ClientJsonRpcMessage {
    message(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
}

fn discover() -> ClientJsonRpcMessage {
    message(json!({"jsonrpc": "2.0", "id": 7, "method": "server/discover", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "visitor", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }}}))
}

fn shown(result: &Result<Posted, Fails<Error>>) -> String {
    match result {
        Ok(Posted::Accepted) => "accepted".to_owned(),
        Ok(Posted::Json(JsonRpcMessage::Response(response), session)) => {
            format!("result of {} in {session:?}", response.id)
        }
        Ok(Posted::Json(JsonRpcMessage::Error(error), session)) => {
            let id = error.id.as_ref().map(RequestId::to_string);
            format!("error {} of {id:?} in {session:?}: {}", error.error.code.0, error.error.message)
        }
        Ok(Posted::Sse(_, session)) => format!("events in {session:?}"),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn each_answer_to_a_request_means_something() {
    let result = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[]}}"#;
    let error = |id: &str| format!(r#"{{"jsonrpc":"2.0",{id}"error":{{"code":-32001,"message":"no"}}}}"#);
    let cases = [
        (answer("202 Accepted", "", ""), "accepted"),
        (answer("204 No Content", "", ""), "accepted"),
        (answer("200 OK", JSON, result), "result of 7 in None"),
        (answer("200 OK", "content-type: Application/JSON; charset=utf-8", result), "result of 7 in None"),
        (answer("200 OK", &format!("{JSON}|Mcp-Session-Id: s-2"), result), "result of 7 in Some(\"s-2\")"),
        (answer("200 OK", &format!("{EVENTS}|Mcp-Session-Id: s-2"), ""), "events in Some(\"s-2\")"),
        (answer("200 OK", "content-type: text/html", "hi"), "Unexpected content type: Some(\"text/html\")"),
        (answer("200 OK", "", result), "Unexpected content type: None"),
        (
            answer("200 OK", JSON, "{}"),
            "unexpected server response: the body is no JSON-RPC message of a server: unrecognized JSON-RPC message: {}",
        ),
        (answer("400 Bad", JSON, &error("\"id\":7,")), "error -32001 of Some(\"7\") in None: no"),
        (answer("400 Bad", JSON, &error("")), "error -32001 of Some(\"7\") in None: no"),
        (
            answer("400 Bad", JSON, &error("\"id\":\"server-error\",")),
            "error -32001 of Some(\"7\") in None: no",
        ),
        (answer("500 Oops", JSON, &error("\"id\":7,")), "error -32001 of Some(\"7\") in None: no"),
        (
            answer("400 Bad", JSON, r#"{"a":1}"#),
            "unexpected server response: HTTP 400 Bad Request: {\"a\":1}",
        ),
        (
            answer("400 Bad", "content-type: text/plain", "what?"),
            "unexpected server response: HTTP 400 Bad Request: what?",
        ),
        (answer("404 Not", "", ""), "unexpected server response: HTTP 404 Not Found: "),
        (answer("500 Oops", JSON, "{}"), "HTTP 500"),
        (answer("503 Busy", "content-type: text/html|retry-after: 7", "hi"), "HTTP 503"),
        (answer("429 Slow", &format!("{JSON}|content-length: 99999999"), "{"), "HTTP 429"),
        (
            answer("307 There", "location: /elsewhere", ""),
            "unexpected server response: HTTP 307 Temporary Redirect: ",
        ),
        (
            answer("403 No", "www-authenticate: Bearer error=\"access_denied\"", "not you"),
            "unexpected server response: HTTP 403 Forbidden: not you",
        ),
        (
            answer("403 No", JSON, &error("\"id\":7,")),
            &format!("unexpected server response: HTTP 403 Forbidden: {}", error("\"id\":7,")),
        ),
    ];
    for (given, expected) in cases {
        let script = Script::new(given.clone()).await;
        assert_eq!(shown(&script.post(request(), None).await), expected, "{given}");
        assert_eq!(script.asked().len(), 1, "{given}");
    }
}

#[tokio::test]
async fn what_awaits_no_answer_was_taken_whatever_came() {
    let cases = [
        answer("202 Accepted", "", ""),
        answer("200 OK", "content-length: 0", ""),
        answer("200 OK", "", ""),
        answer("200 OK", "content-type: text/html", "<p>Thank you"),
        answer("200 OK", JSON, "thank you"),
    ];
    for given in cases {
        let script = Script::new(given.clone()).await;
        assert_eq!(shown(&script.post(notification(), Some("s-1")).await), "accepted", "{given}");
    }
    let script = Script::new(answer("400 Bad", "", "no")).await;
    let result = script.post(notification(), None).await;
    assert_eq!(shown(&result), "unexpected server response: HTTP 400 Bad Request: no");
}

#[tokio::test]
async fn a_session_that_is_gone_is_told_apart() {
    let script = Script::new(answer("404 Not Found", JSON, "{}")).await;
    assert!(matches!(script.post(request(), Some("s-1")).await, Err(Fails::SessionExpired)));
    assert!(matches!(script.post(request(), None).await, Err(Fails::UnexpectedServerResponse(_))));
    assert!(matches!(script.get(None).await, Err(Fails::SessionExpired)));
}

#[tokio::test]
async fn a_server_that_knows_no_discovery_is_said_to_be_of_old() {
    let old =
        r#"{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"a session, please"}}"#;
    for (given, expected) in [
        (answer("400 Bad", JSON, old), "error -32600 of Some(\"7\") in None: a session, please"),
        (
            answer("404 Not", "content-type: text/plain", "what?"),
            "error -32600 of Some(\"7\") in None: server/discover: HTTP 404 Not Found: what?",
        ),
        (
            answer("405 Not", "", ""),
            "error -32600 of Some(\"7\") in None: server/discover: HTTP 405 Method Not Allowed: ",
        ),
        (answer("403 No", "", "no"), "unexpected server response: HTTP 403 Forbidden: no"),
        (answer("500 Oops", "", "no"), "HTTP 500"),
    ] {
        let script = Script::new(given.clone()).await;
        assert_eq!(shown(&script.post(discover(), None).await), expected, "{given}");
    }
}

#[tokio::test]
async fn when_to_come_again_is_kept() {
    let script = Script::new(answer("503 Busy", "retry-after: 7", "")).await;
    for error in [script.post(request(), None).await.map(drop), script.get(None).await.map(drop)] {
        let Err(Fails::HttpStatus(status)) = error else { panic!("{error:?}") };
        assert_eq!((status.status, status.retry_after.as_deref()), (503, Some("7")));
    }
}

#[tokio::test]
async fn bodies_have_limits() {
    let mut limits = Limits::default();
    (limits.max_json_response_size, limits.max_error_response_size) = (40, 10);
    let long = format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{"content":[],"a":"{}"}}}}"#, "a".repeat(100));
    let cases = [
        (answer("200 OK", JSON, &long), "HTTP response body exceeded the maximum size of 40 bytes"),
        (
            answer("200 OK", &format!("{JSON}|content-length: 99999999"), "{"),
            "HTTP response body exceeded the maximum size of 40 bytes",
        ),
        (answer("400 Bad", JSON, &long), "HTTP response body exceeded the maximum size of 40 bytes"),
        (answer("500 Oops", JSON, &long), "HTTP 500"),
        (
            answer("400 Bad", "content-length: 99999999", &"é".repeat(50)),
            "unexpected server response: HTTP 400 Bad Request: ééééé…",
        ),
        (
            answer("400 Bad", JSON, "[1234567890123]"),
            "unexpected server response: HTTP 400 Bad Request: [123456789…",
        ),
    ];
    for (given, expected) in cases {
        let script = Script::new(given.clone()).await;
        assert_eq!(shown(&script.limited(request(), None, limits).await), expected, "{given}");
    }
}

#[tokio::test]
async fn a_request_says_what_it_must() {
    let script = Script::new(answer("202 Accepted", "", "")).await;
    let custom = HashMap::from([
        (HeaderName::from_static("x-own"), HeaderValue::from_static("own")),
        (HeaderName::from_static("mcp-protocol-version"), HeaderValue::from_static("2025-11-25")),
    ]);
    let (url, session) = (script.url.clone(), Some(Arc::from("s-1")));
    let posted = script.client.post_message(url.clone(), request(), session.clone(), None, custom.clone());
    assert!(matches!(soon(posted).await, Ok(Posted::Accepted)));
    let got = script.client.get_stream(url.clone(), session, Some("e-1".to_owned()), None, custom);
    assert!(matches!(soon(got).await.map(drop), Err(Fails::UnexpectedContentType(None))));
    let [post, get] = script.asked().try_into().unwrap();
    let common = ["accept: application/json, text/event-stream", "mcp-session-id: s-1", "x-own: own"];
    for line in common.into_iter().chain(["mcp-protocol-version: 2025-11-25"]) {
        assert!(post.contains(&format!("{line}\r\n")) && get.contains(&format!("{line}\r\n")), "{post}{get}");
    }
    assert!(post.starts_with("POST /mcp ") && get.starts_with("GET /mcp "));
    assert!(post.contains(&format!("{JSON}\r\n")) && get.contains("last-event-id: e-1\r\n"), "{post}{get}");
    let (_, body) = post.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body, json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "echo"}}));
    assert!(!post.contains("authorization"), "{post}");
}

#[tokio::test]
async fn fields_of_the_transport_are_not_the_hosts() {
    let script = Script::new(answer("202 Accepted", "", "")).await;
    for name in ["accept", "mcp-session-id", "last-event-id"] {
        let custom = || HashMap::from([(name.parse().unwrap(), HeaderValue::from_static("mine"))]);
        let url = || script.url.clone();
        let posted = script.client.post_message(url(), request(), None, None, custom()).await.map(drop);
        let got = script.client.get_stream(url(), None, None, None, custom()).await.map(drop);
        let deleted = script.client.delete_session(url(), "s-1".into(), None, custom()).await;
        for result in [posted, got, deleted] {
            assert!(
                matches!(&result, Err(Fails::ReservedHeaderConflict(field)) if field == name),
                "{result:?}"
            );
        }
    }
    assert!(script.asked().is_empty());
}

#[tokio::test]
async fn a_refusal_is_rmcps_only_where_the_token_was() {
    let challenge = "www-authenticate: Bearer error=\"invalid_token\", scope=\"a\"";
    let script = Script::new(answer("401 No", challenge, "")).await;
    let result = script.post(request(), None).await;
    let Err(error @ Fails::Client(_)) = &result else { panic!("{result:?}") };
    let found = failure(error).unwrap();
    assert_eq!(found.kind(), Kind::RegistrationRejected, "{found:#}");

    let fixed = |token: &str| {
        let (url, token) = (script.url.clone(), Some(token.to_owned()));
        script.client.post_message(url, request(), None, token, HashMap::new())
    };
    let result = soon(fixed("hush")).await;
    let Err(Fails::AuthRequired(required)) = &result else { panic!("{result:?}") };
    assert_eq!(required.www_authenticate_header, "Bearer error=\"invalid_token\", scope=\"a\"");
    assert!(script.asked().last().unwrap().contains("authorization: Bearer hush\r\n"));
    let error = soon(fixed("hu\nsh")).await.unwrap_err().to_string();
    assert!(error.contains("no header field") && !error.contains("hu"), "{error}");

    let challenge = "www-authenticate: Bearer error=\"insufficient_scope\", scope=\"a b\"";
    let script = Script::new(answer("403 No", challenge, "")).await;
    let (url, token) = (script.url.clone(), Some("hush".to_owned()));
    let result = soon(script.client.post_message(url, request(), None, token, HashMap::new())).await;
    let Err(Fails::InsufficientScope(insufficient)) = &result else { panic!("{result:?}") };
    assert_eq!(insufficient.required_scope.as_deref(), Some("a b"));
}

#[tokio::test]
async fn a_token_goes_nowhere_else() {
    let (script, other) = (Script::new("").await, Script::new("").await);
    for url in [other.url.as_ref(), "no url"] {
        let posted = script.client.post_message(url.into(), request(), None, None, HashMap::new());
        let result = soon(posted).await;
        let Err(Fails::Client(error)) = result else { panic!("{result:?}") };
        assert!(matches!(error, Error::OutsideResource { .. } | Error::Configuration(_)), "{error:?}");
    }
    assert!(script.asked().is_empty() && other.asked().is_empty());
}

#[tokio::test]
async fn streams_are_read_event_by_event() {
    let body = ": hello\n\nid: e-1\nretry: 20\ndata: one\n\nevent: ping\ndata: two\n\n";
    let script = Script::new(answer("200 OK", EVENTS, body)).await;
    let events = script.get(None).await.unwrap();
    let events: Vec<_> =
        events.into_iter().map(Result::unwrap).filter(|event| event.data.is_some()).collect();
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(
        (events[0].id.as_deref(), events[0].retry, events[0].data.as_deref()),
        (Some("e-1"), Some(20), Some("one"))
    );
    assert_eq!((events[1].event.as_deref(), events[1].data.as_deref()), (Some("ping"), Some("two")));

    let script = Script::new(answer("200 OK", JSON, r#"{"a":1}"#)).await;
    let events = script.get(None).await.unwrap();
    assert_eq!(events[0].as_ref().unwrap().data.as_deref(), Some(r#"{"a":1}"#));

    for (given, expected) in [
        (answer("405 Not", "", ""), "Server does not support SSE"),
        (answer("200 OK", "content-type: text/html", ""), "Unexpected content type: Some(\"text/html\")"),
        (answer("400 Bad", "", "what?"), "unexpected server response: HTTP 400 Bad Request: what?"),
    ] {
        let script = Script::new(given).await;
        assert_eq!(script.get(None).await.unwrap_err().to_string(), expected);
    }
}

#[tokio::test]
async fn a_stream_ends_at_an_event_that_is_too_large_and_is_not_taken_up_there() {
    let body = format!("id: e-1\ndata: one\n\nid: e-2\ndata: {}\n\n", "a".repeat(64));
    let script = Script::new(answer("200 OK", EVENTS, &body)).await;
    let events = script.get(None).await.unwrap();
    let [first, second] = events.try_into().unwrap();
    assert_eq!(first.unwrap().data.as_deref(), Some("one"));
    let error = second.unwrap_err();
    assert!(error.contains("larger than the 64 bytes"), "{error}");
    // rmcp would go on for ever.
    assert!(matches!(script.get(Some("e-1")).await, Err(Fails::ServerDoesNotSupportSse)));
    assert_eq!(script.asked().len(), 1);
    assert!(script.get(Some("e-0")).await.is_ok(), "elsewhere it can");
}

#[tokio::test]
async fn a_session_is_ended_where_it_can_be() {
    for (status, ended) in [("202 Accepted", true), ("405 Not", true), ("404 Gone", true), ("400 Bad", false)]
    {
        let script = Script::new(answer(status, "", "why")).await;
        let result = script.delete().await;
        assert_eq!(result.is_ok(), ended, "{status}: {result:?}");
        assert!(
            script.asked()[0].starts_with("DELETE /mcp ")
                && script.asked()[0].contains("mcp-session-id: s-1")
        );
    }
}
