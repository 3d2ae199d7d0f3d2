//! How the MCP server is spoken to: on both wires, in both shapes of an answer, and without a token.

mod login;

use http::Request;
use login::*;
use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{Answers, Dials, Wires};
use serde_json::{Value, json};

/// A request on a wire, with a token.
fn rpc(memory: &mut Memory, token: &str, wire: Wire, method: &str, params: Value) -> Answer {
    let mut request = call::request(&memory.world.server_url(), wire, method, params).unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    memory.send(request)
}

#[test]
fn both_wires_and_both_shapes() {
    for answers in [Answers::Json, Answers::EventStream] {
        let mut memory = Memory::new(Dials { answers, ..Dials::default() });
        let url = memory.world.server_url();
        let (_, _, tokens) = login(&mut memory, &url, "");
        let token = tokens["access_token"].as_str().unwrap();
        let mut ask = |wire, method: &str, params| {
            let answer = rpc(&mut memory, token, wire, method, params);
            (answer.status().as_u16(), call::message(&answer).unwrap_or_default(), call::tool_text(&answer))
        };
        let hello = json!({ "name": "echo", "arguments": { "text": "hello" } });
        let (_, message, _) = ask(Wire::Stateful, "initialize", json!({ "protocolVersion": "2025-06-18" }));
        assert_eq!(message["result"]["protocolVersion"], "2025-06-18");
        assert_eq!(ask(Wire::Stateful, "notifications/initialized", json!({})).0, 202);
        let (_, message, _) = ask(Wire::Stateful, "tools/list", json!({}));
        assert_eq!(message["result"]["tools"].as_array().unwrap().len(), 3);
        assert_eq!(ask(Wire::Stateful, "tools/call", hello.clone()).2.as_deref(), Some("hello"));
        let (_, message, _) = ask(Wire::Stateless, "server/discover", json!({}));
        assert_eq!(message["result"]["resultType"], "complete");
        assert_eq!(ask(Wire::Stateless, "tools/call", hello).2.as_deref(), Some("hello"));
        let (status, message, _) = ask(Wire::Stateless, "no/such", json!({}));
        assert_eq!((status, &message["error"]["code"]), (404, &json!(-32601)));
    }
}

#[test]
fn stateless_requests_are_held_to_their_headers() {
    let mut memory = Memory::new(Dials::default());
    let url = memory.world.server_url();
    let (_, _, tokens) = login(&mut memory, &url, "");
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let mut ask = |change: &dyn Fn(&mut Request<Vec<u8>>)| {
        let mut request = call::tool(&url, Wire::Stateless, "echo", "hello").unwrap();
        request.headers_mut().insert("authorization", bearer.parse().unwrap());
        change(&mut request);
        let answer = memory.send(request);
        let code = call::message(&answer).and_then(|message| message["error"]["code"].as_i64()).unwrap_or(0);
        (answer.status().as_u16(), code)
    };
    let set = |name: &'static str, value: &'static str| {
        move |request: &mut Request<Vec<u8>>| drop(request.headers_mut().insert(name, value.parse().unwrap()))
    };
    assert_eq!(ask(&|_| {}), (200, 0));
    assert_eq!(ask(&|request| drop(request.headers_mut().remove("mcp-method"))), (400, -32020));
    assert_eq!(ask(&set("mcp-name", "other")), (400, -32020));
    assert_eq!(ask(&set("mcp-name", "=?base64?ZWNobw==?=")), (200, 0));
    assert_eq!(ask(&set("mcp-protocol-version", "1900-01-01")), (400, -32022));
    assert_eq!(ask(&|request| drop(request.headers_mut().remove("mcp-protocol-version"))), (400, -32020));
    assert_eq!(ask(&set("accept", "application/json")), (406, -32600));
    assert_eq!(ask(&set("origin", "https://evil.example")), (403, -32600));
    assert_eq!(ask(&set("origin", "https://mcp.example")), (200, 0));
    assert_eq!(ask(&|request| *request.body_mut() = b"{".to_vec()), (400, -32700));
    let no_meta = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
    assert_eq!(ask(&|request| *request.body_mut() = no_meta.to_vec()), (400, -32602));
    assert_eq!(ask(&|request| *request.method_mut() = http::Method::GET), (405, 0));
}

#[test]
fn a_server_of_one_wire() {
    for (wires, stateless, stateful) in [(Wires::Stateless, 200, 400), (Wires::Stateful, 400, 200)] {
        let mut memory = Memory::new(Dials { wires, ..Dials::default() });
        let url = memory.world.server_url();
        let (_, _, tokens) = login(&mut memory, &url, "");
        let token = tokens["access_token"].as_str().unwrap();
        for (wire, expected) in [(Wire::Stateless, stateless), (Wire::Stateful, stateful)] {
            let answer = rpc(&mut memory, token, wire, "tools/list", json!({}));
            assert_eq!(answer.status(), expected, "{wires:?} {wire:?}");
        }
    }
}

#[test]
fn methods_that_need_no_token() {
    let unprotected = vec!["initialize".to_owned(), "tools/list".to_owned()];
    let mut memory = Memory::new(Dials { unprotected, ..Dials::default() });
    assert_eq!(rpc(&mut memory, "", Wire::Stateful, "initialize", json!({})).status(), 200);
    assert_eq!(rpc(&mut memory, "", Wire::Stateful, "tools/list", json!({})).status(), 200);
    assert_eq!(rpc(&mut memory, "", Wire::Stateful, "tools/call", json!({ "name": "echo" })).status(), 401);
}
