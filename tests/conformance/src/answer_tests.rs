use std::collections::VecDeque;
use std::time::Duration;

use http::Response;
use serde_json::json;

use super::{Answer, Body, accepted, read};

/// A body in chunks, and what comes after them.
pub(crate) struct Chunks {
    chunks: VecDeque<Vec<u8>>,
    then: Then,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Ends,
    StaysOpen,
    Repeats,
}

impl Chunks {
    fn new(chunks: impl IntoIterator<Item = impl Into<Vec<u8>>>, then: Then) -> Self {
        Self { chunks: chunks.into_iter().map(Into::into).collect(), then }
    }
}

/// A body that comes whole.
impl From<Vec<u8>> for Chunks {
    fn from(body: Vec<u8>) -> Self {
        Self::new([body], Then::Ends)
    }
}

impl Body for Chunks {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, String> {
        let chunk = self.chunks.pop_front();
        match self.then {
            Then::StaysOpen if chunk.is_none() => std::future::pending().await,
            Then::Repeats => self.chunks.extend(chunk.clone()),
            Then::Ends | Then::StaysOpen => {}
        }
        Ok(chunk)
    }
}

fn response(status: u16, kind: &str, body: &str) -> Response<Chunks> {
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(body.as_bytes().to_vec().into())
        .unwrap()
}

/// The answer, which must come at once: a body that stays open is no reason to wait.
async fn of(response: Response<Chunks>, id: u64) -> Result<Answer, String> {
    let (head, mut body) = response.into_parts();
    let answer = tokio::time::timeout(Duration::from_secs(5), read(&head, &mut body, id));
    answer.await.expect("the answer is there")
}

async fn taken(response: Response<Chunks>) -> Result<(), String> {
    let (head, mut body) = response.into_parts();
    accepted(&head, &mut body).await
}

fn stream(chunks: impl IntoIterator<Item = impl Into<Vec<u8>>>, then: Then) -> Response<Chunks> {
    response(200, "text/event-stream", "").map(|_| Chunks::new(chunks, then))
}

#[tokio::test]
async fn a_json_body_is_the_answer() {
    let body = r#"{"jsonrpc":"2.0","id":3,"result":{"a":1}}"#;
    let found = of(response(200, "Application/JSON; charset=utf-8", body), 3).await;
    assert_eq!(found, Ok(Answer::Result(json!({"a": 1}))));
}

const STREAM: &str = "\u{feff}: hello\r\n\r\n\
    data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n\
    event: other\ndata: not json\n\n\
    data: {\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}\n\n\
    data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"a\":2}}\r\n\r\n\
    data: {\"jsonrpc\":\"2.0\",\"id\":3,\r\ndata: \"result\":{\"a\":3}}\r\n\r\n";

#[tokio::test]
async fn the_event_with_our_id_is_the_answer() {
    let answer = Ok(Answer::Result(json!({"a": 3})));
    assert_eq!(of(response(200, "text/event-stream", STREAM), 3).await, answer);
    let why = of(response(200, "text/event-stream", STREAM), 4).await.unwrap_err();
    assert!(why.contains("without an answer"), "{why}");
}

#[tokio::test]
async fn an_answer_is_taken_from_a_stream_that_stays_open() {
    let answer = Ok(Answer::Result(json!({"a": 3})));
    assert_eq!(of(stream([STREAM], Then::StaysOpen), 3).await, answer);
    for place in 0..STREAM.len() {
        let (first, second) = STREAM.as_bytes().split_at(place);
        assert_eq!(of(stream([first, second], Then::StaysOpen), 3).await, answer, "cut at {place}");
    }
}

#[tokio::test]
async fn an_answer_that_never_ends_is_given_up() {
    let endless = |kind| response(200, kind, "").map(|_| Chunks::new([[b' '; 1 << 16]], Then::Repeats));
    for kind in ["application/json", "text/event-stream"] {
        assert_eq!(of(endless(kind), 1).await, Err("the answer is larger than 4 MiB".to_owned()), "{kind}");
    }
    let mut refused = endless("application/json");
    *refused.status_mut() = http::StatusCode::IM_A_TEAPOT;
    assert_eq!(taken(refused).await, Err("HTTP 418".to_owned()));
    assert_eq!(taken(endless("application/json")).await, Ok(()), "a notification's answer is not read");
}

#[tokio::test]
async fn an_error_names_its_code_and_message() {
    let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}"#;
    let expected = "JSON-RPC error -32601: Method not found";
    let told = of(response(200, "application/json", body), 1).await;
    assert_eq!(told, Ok(Answer::Error(expected.to_owned())));
    let refused = of(response(404, "application/json", body), 1).await.unwrap_err();
    assert_eq!(refused, format!("HTTP 404, {expected}"));
}

#[tokio::test]
async fn a_challenge_at_the_end_says_that_the_server_went_on_asking() {
    let refused = |status, challenge: &str| {
        let mut refused = response(status, "application/json", r#"{"error":"invalid_token"}"#);
        refused.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
        refused
    };
    let bare = || response(401, "application/json", "");
    let expected = Err("HTTP 401: the server went on asking for a token, whatever it was given".to_owned());
    assert_eq!(taken(bare()).await, expected);
    assert_eq!(of(bare(), 1).await.map(|_| ()), expected);
    let more = refused(403, "Bearer error=\"insufficient_scope\", scope=\"a b\"");
    let why = of(more, 1).await.unwrap_err();
    assert_eq!(why, "HTTP 403: the server went on asking for the scopes a b, whatever it was given");
    assert_eq!(taken(refused(403, "Bearer error=\"invalid_token\"")).await, Err("HTTP 403".to_owned()));
    assert_eq!(taken(response(202, "", "")).await, Ok(()));
}

#[tokio::test]
async fn a_malformed_answer_is_an_error() {
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
        assert!(of(response(200, kind, body), 1).await.is_err(), "{kind} {body}");
    }
    let right = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    assert!(of(response(202, "application/json", right), 1).await.is_err());
    assert!(of(Response::new(b"{}".to_vec().into()), 1).await.is_err());
}
