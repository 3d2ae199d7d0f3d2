//! A small MCP client over Streamable HTTP, for both wires: with a session up to 2025-11-25, without one since
//! 2026-07-28. It knows nothing about authorization. Parameters that a tool wants mirrored into headers
//! (`x-mcp-header`) are not.

use http::{HeaderMap, Request, Response, Uri};
use serde_json::{Value, json};

use crate::answer::{Answer, Body, accepted, read};
use crate::{arguments, header_text};

pub(crate) const STATELESS_SINCE: &str = "2026-07-28";
/// The revisions that Streamable HTTP with a session has been written for.
const STATEFUL: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

/// Sends one HTTP request, authorized by whoever implements this, and gives the answer.
pub(crate) trait Transport {
    /// What comes after the header of an answer.
    type Body: Body;

    /// `operation` names what the request is for: `tools/list`, or `tools/call:` and the tool.
    async fn send(&self, request: Request<Vec<u8>>, operation: &str) -> Result<Response<Self::Body>, String>;
}

/// A conversation with one MCP server.
pub(crate) struct Session<'a, T> {
    transport: &'a T,
    url: Uri,
    wire: Wire,
    last_id: u64,
}

enum Wire {
    Stateless {
        version: String,
    },
    /// `agreed` is what both sides speak, once `initialize` has said so.
    Stateful {
        asked: String,
        agreed: Option<String>,
        session_id: Option<http::HeaderValue>,
    },
}

impl<'a, T: Transport> Session<'a, T> {
    /// `protocol_version` is the revision to speak, and so decides the wire. Revisions are dates: they compare
    /// as text.
    pub(crate) fn new(transport: &'a T, url: Uri, protocol_version: &str) -> Self {
        let version = protocol_version.to_owned();
        let wire = if protocol_version >= STATELESS_SINCE {
            Wire::Stateless { version }
        } else {
            Wire::Stateful { asked: version, agreed: None, session_id: None }
        };
        Self { transport, url, wire, last_id: 0 }
    }

    /// Lists the tools and calls the first. `Ok` only when both were answered with a result.
    pub(crate) async fn run(mut self) -> Result<(), String> {
        if let Wire::Stateful { asked, .. } = &self.wire {
            let asked = asked.clone();
            self.initialize(&asked).await?;
        }
        let listed = self.request("tools/list", None, json!({})).await?;
        let first = listed.pointer("/tools/0").ok_or("tools/list: the server offers no tool")?;
        let name =
            first.get("name").and_then(Value::as_str).ok_or("tools/list: the first tool has no name")?;
        let given = arguments::minimal(first.get("inputSchema").unwrap_or(&Value::Null))?;
        self.request("tools/call", Some(name), json!({"name": name, "arguments": given})).await?;
        Ok(())
    }

    async fn initialize(&mut self, version: &str) -> Result<(), String> {
        let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client_info()});
        let result = self.request("initialize", None, params).await?;
        let spoken = result.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
        if !STATEFUL.contains(&spoken) {
            return Err(format!("initialize: the server speaks {spoken:?}, which this client does not"));
        }
        if let Wire::Stateful { agreed, .. } = &mut self.wire {
            *agreed = Some(spoken.to_owned());
        }
        self.notify("notifications/initialized").await
    }

    async fn notify(&self, method: &str) -> Result<(), String> {
        let message = json!({"jsonrpc": "2.0", "method": method});
        let answer = self.transport.send(self.post(&message, method, None)?, method).await?;
        let (head, mut body) = answer.into_parts();
        accepted(&head, &mut body).await.map_err(|why| format!("{method}: {why}"))
    }

    /// The result of one request. `name` is what is called, where the method calls something by name.
    async fn request(
        &mut self,
        method: &str,
        name: Option<&str>,
        mut params: Value,
    ) -> Result<Value, String> {
        self.last_id += 1;
        if let Wire::Stateless { version } = &self.wire {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": version,
                "io.modelcontextprotocol/clientInfo": client_info(),
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        let message = json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        let operation = name.map_or_else(|| method.to_owned(), |name| format!("{method}:{name}"));
        let answer = self.transport.send(self.post(&message, method, name)?, &operation).await?;
        let (head, mut body) = answer.into_parts();
        let answer = read(&head, &mut body, self.last_id).await;
        let result = match answer.map_err(|why| format!("{operation}: {why}"))? {
            Answer::Result(result) => result,
            Answer::Error(why) => return Err(format!("{operation}: the server answered {why}")),
        };
        self.accept(&head.headers, &result).map_err(|why| format!("{operation}: {why}"))?;
        Ok(result)
    }

    /// What a result means beyond its content: a session to keep, or that it is not the last word.
    fn accept(&mut self, headers: &HeaderMap, result: &Value) -> Result<(), String> {
        match &mut self.wire {
            Wire::Stateful { session_id, .. } => {
                if let Some(id) = headers.get("mcp-session-id") {
                    *session_id = Some(id.clone());
                }
                Ok(())
            }
            Wire::Stateless { .. } => match result.get("resultType").map(Value::as_str) {
                // A server of an earlier revision does not say it.
                None | Some(Some("complete")) => Ok(()),
                Some(kind) => {
                    Err(format!("the result is of the type {:?}, not complete", kind.unwrap_or("?")))
                }
            },
        }
    }

    fn post(&self, message: &Value, method: &str, name: Option<&str>) -> Result<Request<Vec<u8>>, String> {
        let mut request = Request::post(self.url.clone())
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        match &self.wire {
            Wire::Stateless { version } => {
                request = request.header("mcp-protocol-version", version).header("mcp-method", method);
                if let Some(name) = name {
                    request = request.header("mcp-name", header_text::encode(name));
                }
            }
            Wire::Stateful { agreed, session_id, .. } => {
                if let Some(version) = agreed {
                    request = request.header("mcp-protocol-version", version);
                }
                if let Some(id) = session_id {
                    request = request.header("mcp-session-id", id);
                }
            }
        }
        request.body(message.to_string().into_bytes()).map_err(|error| format!("{method}: {error}"))
    }
}

fn client_info() -> Value {
    json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")})
}

#[cfg(test)]
#[path = "mcp_tests.rs"]
mod tests;
