use std::cell::RefCell;

use http::{HeaderMap, Request, Response, Uri};
use serde_json::{Value, json};

use super::{Session, Transport};
use crate::answer::tests::Chunks;

/// A server in memory: it records what it is sent, and answers each message as a function of its method and id.
struct Memory<F> {
    heard: RefCell<Vec<Heard>>,
    answer: F,
}

struct Heard {
    operation: String,
    headers: HeaderMap,
    message: Value,
}

impl Heard {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl<F: Fn(&str, &Value) -> Response<Vec<u8>>> Memory<F> {
    fn new(answer: F) -> Self {
        Self { heard: RefCell::default(), answer }
    }

    async fn run(&self, version: &str) -> Result<(), String> {
        Session::new(self, Uri::from_static("http://localhost:1/mcp"), version).run().await
    }

    fn operations(&self) -> Vec<String> {
        self.heard.borrow().iter().map(|heard| heard.operation.clone()).collect()
    }
}

impl<F: Fn(&str, &Value) -> Response<Vec<u8>>> Transport for Memory<F> {
    type Body = Chunks;

    async fn send(&self, request: Request<Vec<u8>>, operation: &str) -> Result<Response<Chunks>, String> {
        assert_eq!(
            (request.method().as_str(), request.uri().to_string().as_str()),
            ("POST", "http://localhost:1/mcp")
        );
        let message: Value = serde_json::from_slice(request.body()).unwrap();
        let headers = request.headers().clone();
        let answer = (self.answer)(message["method"].as_str().unwrap(), &message["id"]);
        self.heard.borrow_mut().push(Heard { operation: operation.to_owned(), headers, message });
        Ok(answer.map(Chunks::from))
    }
}

fn as_json(message: &Value) -> Response<Vec<u8>> {
    let body = message.to_string().into_bytes();
    Response::builder().header("content-type", "application/json").body(body).unwrap()
}

fn as_event(message: &Value) -> Response<Vec<u8>> {
    let body = format!("event: message\ndata: {message}\n\n").into_bytes();
    Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
}

fn status(code: u16) -> Response<Vec<u8>> {
    Response::builder().status(code).body(Vec::new()).unwrap()
}

fn result(method: &str, id: &Value) -> Value {
    let result = match method {
        "initialize" => json!({"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {}}),
        "tools/list" => json!({"tools": [{"name": "test-tool", "inputSchema":
            {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}}]}),
        _ => json!({"content": []}),
    };
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

/// Speaks the stateful wire as the suite does, and gives a session.
fn stateful(method: &str, id: &Value) -> Response<Vec<u8>> {
    if id.is_null() {
        return status(202);
    }
    let mut answer = as_event(&result(method, id));
    if method == "initialize" {
        answer.headers_mut().insert("mcp-session-id", http::HeaderValue::from_static("s-1"));
    }
    answer
}

#[tokio::test]
async fn the_stateful_wire_initializes_then_lists_and_calls() {
    let server = Memory::new(stateful);
    assert_eq!(server.run("2025-11-25").await, Ok(()));
    let operations = ["initialize", "notifications/initialized", "tools/list", "tools/call:test-tool"];
    assert_eq!(server.operations(), operations);
    let heard = server.heard.borrow();
    assert_eq!(heard[0].message["params"]["protocolVersion"], "2025-11-25");
    assert_eq!(heard[1].message, json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    assert_eq!(heard[3].message["params"], json!({"name": "test-tool", "arguments": {"n": 0}}));
    for (position, heard) in heard.iter().enumerate() {
        assert_eq!(heard.header("accept"), Some("application/json, text/event-stream"));
        assert_eq!(heard.header("content-type"), Some("application/json"));
        assert_eq!(heard.header("mcp-method"), None);
        let later = position > 0;
        assert_eq!(heard.header("mcp-protocol-version"), later.then_some("2025-06-18"), "what was agreed");
        assert_eq!(heard.header("mcp-session-id"), later.then_some("s-1"));
    }
}

#[tokio::test]
async fn the_stateless_wire_says_everything_with_each_request() {
    let server = Memory::new(|method: &str, id: &Value| {
        let mut answer = result(method, id);
        answer["result"]["resultType"] = json!("complete");
        as_json(&answer)
    });
    assert_eq!(server.run("2026-07-28").await, Ok(()));
    assert_eq!(server.operations(), ["tools/list", "tools/call:test-tool"]);
    let heard = server.heard.borrow();
    for (heard, method, name) in
        [(&heard[0], "tools/list", None), (&heard[1], "tools/call", Some("test-tool"))]
    {
        assert_eq!(heard.header("mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(heard.header("mcp-method"), Some(method));
        assert_eq!(heard.header("mcp-name"), name);
        assert_eq!(heard.header("mcp-session-id"), None);
        let meta = &heard.message["params"]["_meta"];
        assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], "2026-07-28");
        assert_eq!(meta["io.modelcontextprotocol/clientCapabilities"], json!({}));
        assert_eq!(meta["io.modelcontextprotocol/clientInfo"]["name"], "mcp-auth-conformance");
    }
    assert_eq!(heard[1].message["params"]["arguments"], json!({"n": 0}));
    assert_ne!(heard[0].message["id"], heard[1].message["id"]);
}

#[tokio::test]
async fn a_result_that_asks_for_more_is_no_result() {
    let server = Memory::new(|method: &str, id: &Value| {
        let mut answer = result(method, id);
        answer["result"]["resultType"] = json!("input_required");
        as_json(&answer)
    });
    assert!(server.run("2026-07-28").await.unwrap_err().contains("input_required"));
}

#[tokio::test]
async fn an_error_names_the_operation_it_ended() {
    let refuses = |refused: &'static str| {
        Memory::new(move |method: &str, id: &Value| {
            if method == refused {
                as_json(&json!({"jsonrpc": "2.0", "id": id, "error": {"code": -1, "message": "no"}}))
            } else {
                stateful(method, id)
            }
        })
    };
    for (method, operation) in
        [("initialize", "initialize"), ("tools/list", "tools/list"), ("tools/call", "tools/call:test-tool")]
    {
        let server = refuses(method);
        let error = server.run("2025-11-25").await.unwrap_err();
        assert_eq!(error, format!("{operation}: the server answered JSON-RPC error -1: no"));
        assert_eq!(server.operations().last().map(String::as_str), Some(operation));
    }
}

#[tokio::test]
async fn an_http_refusal_names_its_status() {
    let server = Memory::new(|_: &str, _: &Value| status(403));
    assert_eq!(server.run("2026-07-28").await, Err("tools/list: HTTP 403".to_owned()));
    assert_eq!(server.run("2025-11-25").await, Err("initialize: HTTP 403".to_owned()));
    let server =
        Memory::new(|method: &str, id: &Value| if id.is_null() { status(400) } else { stateful(method, id) });
    assert_eq!(server.run("2025-11-25").await, Err("notifications/initialized: HTTP 400".to_owned()));
}

#[tokio::test]
async fn a_server_of_an_unknown_revision_is_left() {
    let server = Memory::new(|_: &str, id: &Value| {
        as_json(&json!({"jsonrpc": "2.0", "id": id, "result": {"protocolVersion": "2024-11-05"}}))
    });
    assert!(server.run("2025-11-25").await.unwrap_err().contains("2024-11-05"));
    assert_eq!(server.operations(), ["initialize"]);
}

#[tokio::test]
async fn a_server_without_tools_is_an_error() {
    let server = Memory::new(|_: &str, id: &Value| {
        as_json(&json!({"jsonrpc": "2.0", "id": id, "result": {"tools": []}}))
    });
    assert_eq!(server.run("2026-07-28").await, Err("tools/list: the server offers no tool".to_owned()));
}
