//! As much of MCP as the scenarios need, for adapters that send the requests of their host. One that has an MCP client of
//! its own does not use it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::adapter::Refused;

const STATELESS: &str = "2026-07-28";
const STATEFUL: &str = "2025-11-25";

/// Which form of MCP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Each request stands for itself (2026-07-28).
    Stateless,
    /// `initialize` begins a session (2025-11-25).
    Sessions,
}

/// A request to the MCP endpoint: always a POST.
pub(crate) struct Message {
    /// The caller's name for it, by which step-ups are counted.
    pub(crate) operation: String,
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// Its answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) session: Option<String>,
    pub(crate) body: String,
}

/// A client's side of the wire.
pub(crate) struct Conversation {
    wire: Wire,
    session: Mutex<Option<String>>,
    last: AtomicU64,
}

impl Conversation {
    pub(crate) fn new(wire: Wire) -> Self {
        Self { wire, session: Mutex::default(), last: AtomicU64::new(0) }
    }

    /// The result of one request. `exchange` sends a message and gives its answer.
    pub(crate) fn request(
        &self,
        method: &str,
        params: Value,
        exchange: impl Fn(Message) -> Result<Reply, Refused>,
    ) -> Result<Value, Refused> {
        if self.wire == Wire::Sessions && self.session().is_none() {
            let who = json!({
                "protocolVersion": STATEFUL,
                "capabilities": {},
                "clientInfo": {"name": "interop", "version": "1"},
            });
            let (initialize, id) = self.message("initialize", who);
            let reply = exchange(initialize)?;
            let session = reply.session.clone();
            result(reply, id)?;
            *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
            let done = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
            exchange(self.fielded("notifications/initialized", &done))?;
        }
        let (message, id) = self.message(method, params);
        result(exchange(message)?, id)
    }

    fn session(&self) -> Option<String> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn message(&self, method: &str, mut params: Value) -> (Message, u64) {
        if self.wire == Wire::Stateless {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": STATELESS,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "interop", "version": "1"},
            });
        }
        let id = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        (self.fielded(method, &message), id)
    }

    fn fielded(&self, method: &str, message: &Value) -> Message {
        let name = message["params"]["name"].as_str();
        let mut fields = vec![
            ("content-type", "application/json".to_owned()),
            ("accept", "application/json, text/event-stream".to_owned()),
        ];
        match self.wire {
            Wire::Stateless => {
                fields.push(("mcp-protocol-version", STATELESS.to_owned()));
                fields.push(("mcp-method", method.to_owned()));
                fields.extend(name.map(|name| ("mcp-name", name.to_owned())));
            }
            Wire::Sessions => {
                fields.push(("mcp-protocol-version", STATEFUL.to_owned()));
                fields.extend(self.session().map(|id| ("mcp-session-id", id)));
            }
        }
        let operation = name.map_or(method.to_owned(), |name| format!("{method}:{name}"));
        Message { operation, fields, body: message.to_string() }
    }
}

/// The result in the answer to the request `id`: in JSON, or in a stream of events whose answer is on one line.
fn result(reply: Reply, id: u64) -> Result<Value, Refused> {
    let unread = |why: &str| Refused::Status(reply.status, format!("{why}: {:.300}", reply.body));
    let streamed = reply.body.lines().filter_map(|line| line.strip_prefix("data:"));
    let texts = std::iter::once(reply.body.as_str()).chain(streamed);
    let answers = texts.filter_map(|text| serde_json::from_str::<Value>(text).ok());
    let answer = answers.into_iter().find(|answer| answer["id"] == id).ok_or_else(|| unread("no answer"))?;
    answer.get("result").cloned().ok_or_else(|| unread("an error"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, session: None, body: body.to_owned() }
    }

    #[test]
    fn an_answer_is_found_in_json_and_in_a_stream() {
        let answer = r#"{"jsonrpc":"2.0","id":3,"result":{"a":1}}"#;
        for body in [answer.to_owned(), format!("event: message\ndata: {answer}\n\n")] {
            assert_eq!(result(reply(200, &body), 3).unwrap(), json!({"a": 1}));
            assert!(result(reply(200, &body), 4).is_err());
        }
        let failed = reply(200, r#"{"jsonrpc":"2.0","id":3,"error":{"code":1,"message":"no"}}"#);
        assert!(matches!(result(failed, 3), Err(Refused::Status(200, why)) if why.contains("no")));
    }
}
