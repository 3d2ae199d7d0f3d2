//! JSON-RPC on both wires of MCP: stateless (2026-07-28) and with `initialize` (up to 2025-11-25).

use http::header;
use serde_json::{Value, json};

use crate::dials::{Answers, Wires};
use crate::documents::Site;
use crate::mcp::TOOLS;
use crate::message::{self, Answer, Asked};

pub(crate) const STATELESS: &str = "2026-07-28";
pub(crate) const STATEFUL: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
pub(crate) const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
pub(crate) const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
pub(crate) const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const HEADER_MISMATCH: i64 = -32020;
const UNSUPPORTED_VERSION: i64 = -32022;

/// An error: the status, the code and the words.
struct Fails(u16, i64, String);

/// Answers a request that is allowed.
pub(crate) fn answer(site: Site<'_>, request: &Asked, body: Option<&Value>) -> Answer {
    let Some(body) = body else {
        return message::json(400, &error(None, PARSE_ERROR, "The body is no JSON."));
    };
    let id = body.get("id");
    let Some(method) = body.get("method").and_then(Value::as_str) else {
        return message::json(400, &error(id, INVALID_REQUEST, "The body is no single request."));
    };
    let accept = message::header_text(request, "accept").unwrap_or_default();
    let accepts = |media_type| message::names_media_type(accept, media_type);
    if !accepts("application/json") || !accepts("text/event-stream") {
        let words = "Accept is to name application/json and text/event-stream.";
        return message::json(406, &error(id, INVALID_REQUEST, words));
    }
    let version = message::header_text(request, "mcp-protocol-version");
    let params = body.get("params").unwrap_or(&Value::Null);
    let stateless = match (site.dials.wires, version) {
        (Wires::Stateless, Some(STATELESS)) | (Wires::Both, Some(STATELESS)) => true,
        (Wires::Stateful | Wires::Both, None) => {
            params.pointer("/_meta").is_some_and(|meta| meta.get(META_VERSION).is_some())
        }
        (Wires::Stateful | Wires::Both, Some(version)) if STATEFUL.contains(&version) => false,
        (Wires::Stateless, None) => true,
        (Wires::Stateless | Wires::Stateful | Wires::Both, Some(version)) => {
            return message::json(400, &unsupported(site, id, version));
        }
    };
    let result = if stateless {
        checked_metadata(site, request, method, params).and_then(|()| stateless_result(method, params))
    } else {
        stateful_result(method, params)
    };
    match (id, result) {
        (None, Ok(_)) => message::body(202, "application/json", Vec::new()),
        (Some(id), Ok(result)) => success(site, &json!({ "jsonrpc": "2.0", "id": id, "result": result })),
        (_, Err(Fails(status, code, words))) => message::json(status, &error(id, code, &words)),
    }
}

pub(crate) fn error(id: Option<&Value>, code: i64, words: &str) -> Value {
    let mut answer = json!({ "jsonrpc": "2.0", "error": { "code": code, "message": words } });
    if let (Some(id), Some(members)) = (id, answer.as_object_mut()) {
        members.insert("id".to_owned(), id.clone());
    }
    answer
}

fn unsupported(site: Site<'_>, id: Option<&Value>, requested: &str) -> Value {
    let mut answer = error(id, UNSUPPORTED_VERSION, "Unsupported protocol version");
    if let Some(error) = answer.get_mut("error").and_then(Value::as_object_mut) {
        let data = json!({ "supported": versions(site.dials.wires), "requested": requested });
        error.insert("data".to_owned(), data);
    }
    answer
}

fn versions(wires: Wires) -> Vec<&'static str> {
    let stateless = [STATELESS].into_iter().filter(|_| wires != Wires::Stateful);
    stateless.chain(STATEFUL.into_iter().filter(|_| wires != Wires::Stateless)).collect()
}

fn success(site: Site<'_>, response: &Value) -> Answer {
    match site.dials.answers {
        Answers::Json => message::json(200, response),
        Answers::EventStream => {
            let event = format!("event: message\ndata: {response}\n\n");
            let mut answer = message::body(200, "text/event-stream", event.into_bytes());
            message::set(&mut answer, header::HeaderName::from_static("x-accel-buffering"), "no");
            answer
        }
    }
}

/// The headers and the `_meta` of a stateless request (2026-07-28, Streamable HTTP, Request Metadata).
fn checked_metadata(site: Site<'_>, request: &Asked, method: &str, params: &Value) -> Result<(), Fails> {
    let mismatch = |words: String| Fails(400, HEADER_MISMATCH, words);
    let meta = params.get("_meta").unwrap_or(&Value::Null);
    let version = meta.get(META_VERSION).and_then(Value::as_str);
    if version.is_none() || !meta.get(META_CAPABILITIES).is_some_and(Value::is_object) {
        let words = format!("_meta is to hold {META_VERSION} and {META_CAPABILITIES}.");
        return Err(Fails(400, INVALID_PARAMS, words));
    }
    let name = match method {
        "tools/call" | "prompts/get" => params.get("name").and_then(Value::as_str),
        "resources/read" => params.get("uri").and_then(Value::as_str),
        _ => None,
    };
    let required = site.dials.require_standard_headers;
    let checks = [
        ("MCP-Protocol-Version", version, true),
        ("Mcp-Method", Some(method), required),
        ("Mcp-Name", name, required && name.is_some()),
    ];
    for (header, expected, required) in checks {
        match message::header_text(request, header).map(decoded) {
            None if required => return Err(mismatch(format!("The header {header} is missing."))),
            Some(given) if given.as_deref() != expected => {
                return Err(mismatch(format!("The header {header} and the body differ.")));
            }
            None | Some(_) => {}
        }
    }
    Ok(())
}

/// A header value that may stand in base64 between its marks.
fn decoded(value: &str) -> Option<String> {
    use base64::Engine as _;
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        None => Some(value.to_owned()),
        Some(encoded) => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
            String::from_utf8(bytes).ok()
        }
    }
}

fn stateless_result(method: &str, params: &Value) -> Result<Value, Fails> {
    let mut result = match method {
        "server/discover" => json!({
            "supportedVersions": [STATELESS],
            "capabilities": { "tools": {} },
            "ttlMs": 0,
            "cacheScope": "private",
        }),
        "tools/list" => json!({ "tools": tools(), "ttlMs": 0, "cacheScope": "private" }),
        "tools/call" => called(params)?,
        _ => return Err(Fails(404, METHOD_NOT_FOUND, "Method not found".to_owned())),
    };
    if let Some(members) = result.as_object_mut() {
        members.insert("resultType".to_owned(), "complete".into());
        members.insert("_meta".to_owned(), json!({ "io.modelcontextprotocol/serverInfo": server_info() }));
    }
    Ok(result)
}

fn stateful_result(method: &str, params: &Value) -> Result<Value, Fails> {
    match method {
        "initialize" => {
            let asked = params.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
            let [latest, ..] = STATEFUL;
            let version = STATEFUL.into_iter().find(|version| *version == asked).unwrap_or(latest);
            Ok(json!({
                "protocolVersion": version,
                "capabilities": { "tools": {} },
                "serverInfo": server_info(),
            }))
        }
        "ping" => Ok(json!({})),
        "tools/list" => Ok(json!({ "tools": tools() })),
        "tools/call" => called(params),
        _ if method.starts_with("notifications/") => Ok(Value::Null),
        _ => Err(Fails(200, METHOD_NOT_FOUND, "Method not found".to_owned())),
    }
}

fn tools() -> Vec<Value> {
    let described = TOOLS.iter().map(|tool| {
        let argument = tool.argument;
        json!({
            "name": tool.name,
            "description": tool.description,
            "inputSchema": { "type": "object", "properties": { argument: { "type": "string" } } },
        })
    });
    described.collect()
}

fn called(params: &Value) -> Result<Value, Fails> {
    let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
    let Some(tool) = TOOLS.iter().find(|tool| tool.name == name) else {
        return Err(Fails(200, INVALID_PARAMS, "There is no such tool.".to_owned()));
    };
    let argument = params.pointer("/arguments").and_then(|arguments| arguments.get(tool.argument));
    let argument = argument.and_then(Value::as_str).unwrap_or_default();
    let text = match tool.name {
        "read_file" => format!("The content of {argument}."),
        "write_file" => format!("Wrote {argument}."),
        _ => argument.to_owned(),
    };
    Ok(json!({ "content": [{ "type": "text", "text": text }], "isError": false }))
}

fn server_info() -> Value {
    json!({ "name": "mcp-auth-testbed", "version": env!("CARGO_PKG_VERSION") })
}
