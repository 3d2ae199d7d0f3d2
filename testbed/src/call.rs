//! What an MCP client sends besides authorization: requests on both wires, and their answers read.

use http::{Request, Response, header};
use serde_json::{Value, json};

use crate::rpc::{META_CAPABILITIES, META_CLIENT, META_VERSION, STATEFUL, STATELESS};

/// A wire of MCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// 2026-07-28: each request stands for itself.
    Stateless,
    /// Up to 2025-11-25: `initialize` comes first.
    Stateful,
}

/// A JSON-RPC request to an MCP server, without an access token: the headers and the body are complete.
///
/// Notifications (methods under `notifications/`) have no id. Fails if the URL or the parameters cannot be sent.
pub fn request(url: &str, wire: Wire, method: &str, params: Value) -> Result<Request<Vec<u8>>, http::Error> {
    let mut params = if params.is_object() { params } else { json!({}) };
    let name = params.get("name").and_then(Value::as_str).map(str::to_owned);
    let mut builder = Request::post(url)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream");
    match wire {
        Wire::Stateless => {
            builder = builder.header("mcp-protocol-version", STATELESS).header("mcp-method", method);
            if let Some(name) = name {
                builder = builder.header("mcp-name", name);
            }
            if let Some(members) = params.as_object_mut() {
                let client = json!({ "name": "mcp-auth-testbed", "version": env!("CARGO_PKG_VERSION") });
                let meta = json!({ META_VERSION: STATELESS, META_CAPABILITIES: {}, META_CLIENT: client });
                members.insert("_meta".to_owned(), meta);
            }
        }
        Wire::Stateful if method != "initialize" => {
            let [latest, ..] = STATEFUL;
            builder = builder.header("mcp-protocol-version", latest);
        }
        Wire::Stateful => {}
    }
    let mut body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    if let (true, Some(members)) = (method.starts_with("notifications/"), body.as_object_mut()) {
        members.remove("id");
    }
    builder.body(body.to_string().into_bytes())
}

/// A call of a tool with one text: `echo` takes `text`, `read_file` and `write_file` take `path`.
pub fn tool(url: &str, wire: Wire, name: &str, text: &str) -> Result<Request<Vec<u8>>, http::Error> {
    let argument = if name == "echo" { "text" } else { "path" };
    request(url, wire, "tools/call", json!({ "name": name, "arguments": { argument: text } }))
}

/// The JSON-RPC message in an answer, from JSON or from the last event of a stream.
pub fn message<B: AsRef<[u8]>>(answer: &Response<B>) -> Option<Value> {
    let body = std::str::from_utf8(answer.body().as_ref()).ok()?;
    let stream = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    if !stream {
        return serde_json::from_str(body).ok();
    }
    let data = body.lines().filter_map(|line| line.strip_prefix("data:")).next_back()?;
    serde_json::from_str(data.trim_start()).ok()
}

/// The text that a tool gave, if the answer has one.
pub fn tool_text<B: AsRef<[u8]>>(answer: &Response<B>) -> Option<String> {
    message(answer)?.pointer("/result/content/0/text")?.as_str().map(str::to_owned)
}
