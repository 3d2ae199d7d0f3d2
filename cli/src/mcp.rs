//! As much of MCP as shows that a token works: `tools/list` and `tools/call`, on either wire.

use http::{HeaderMap, HeaderValue};
use mcp_auth_reqwest::Client;
use serde_json::{Value, json};
use url::Url;

/// The revision of the stateless wire.
const STATELESS: &str = "2026-07-28";
/// The newest revision of the stateful wire.
const STATEFUL: &str = "2025-11-25";

/// Which wire the server speaks, and what it wants to see again.
pub(crate) struct Session {
    fields: HeaderMap,
    stateless: bool,
}

impl Session {
    /// The wire without sessions.
    pub(crate) fn stateless() -> Self {
        let mut fields = HeaderMap::new();
        fields.insert("mcp-protocol-version", HeaderValue::from_static(STATELESS));
        Self { fields, stateless: true }
    }

    /// The wire that begins with `initialize`.
    pub(crate) async fn initialize(client: &Client, url: &Url) -> Result<Self, String> {
        let mut session = Self { fields: HeaderMap::new(), stateless: false };
        let who = json!({
            "protocolVersion": STATEFUL,
            "capabilities": {},
            "clientInfo": {"name": "mcp-auth", "version": env!("CARGO_PKG_VERSION")},
        });
        let (answer, fields) = session.exchange(client, url, "initialize", who).await?;
        let revision = answer["result"]["protocolVersion"].as_str().unwrap_or(STATEFUL);
        let revision = HeaderValue::from_str(revision).map_err(|_| "the server names no revision")?;
        session.fields.insert("mcp-protocol-version", revision);
        if let Some(id) = fields.get("mcp-session-id") {
            session.fields.insert("mcp-session-id", id.clone());
        }
        let done = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        session.post(client, url, "notifications/initialized", "notifications/initialized", &done).await?;
        Ok(session)
    }

    /// Sends one request and gives its result.
    pub(crate) async fn request(
        &self,
        client: &Client,
        url: &Url,
        method: &str,
        params: Value,
    ) -> Result<Value, String> {
        let (mut answer, _) = self.exchange(client, url, method, params).await?;
        match answer.get("error") {
            None => Ok(answer["result"].take()),
            Some(error) => {
                let said = error["message"].as_str().unwrap_or("no message");
                Err(format!("{method}: the server answered with an error: {}", clean(said)))
            }
        }
    }

    async fn exchange(
        &self,
        client: &Client,
        url: &Url,
        method: &str,
        mut params: Value,
    ) -> Result<(Value, HeaderMap), String> {
        if self.stateless {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": STATELESS,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "mcp-auth", "version": env!("CARGO_PKG_VERSION")},
            });
        }
        let operation = params["name"].as_str().map_or(method.to_owned(), |name| format!("{method}:{name}"));
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let response = self.post(client, url, &operation, method, &message).await?;
        let (status, fields) = (response.status(), response.headers().clone());
        let body = response.text().await.map_err(|error| error.without_url().to_string())?;
        let answer = read(&body);
        match answer {
            Some(answer) => Ok((answer, fields)),
            None => {
                Err(format!("{method}: the server answered with status {} and no JSON-RPC", status.as_u16()))
            }
        }
    }

    async fn post(
        &self,
        client: &Client,
        url: &Url,
        operation: &str,
        method: &str,
        message: &Value,
    ) -> Result<reqwest::Response, String> {
        let mut request = reqwest::Request::new(http::Method::POST, url.clone());
        let fields = request.headers_mut();
        fields.extend(self.fields.clone());
        fields.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = HeaderValue::from_static("application/json, text/event-stream");
        fields.insert(http::header::ACCEPT, accept);
        if self.stateless {
            let name = message["params"]["name"].as_str();
            for (field, value) in [("mcp-method", Some(method)), ("mcp-name", name)] {
                if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                    fields.insert(field, value);
                }
            }
        }
        *request.body_mut() = Some(message.to_string().into());
        client.send_as(operation, request).await.map_err(|error| error.to_string())
    }
}

/// A JSON-RPC answer, from JSON or from the last event of a stream.
fn read(body: &str) -> Option<Value> {
    let answer = |text: &str| {
        let value: Value = serde_json::from_str(text).ok()?;
        (value.get("result").is_some() || value.get("error").is_some()).then_some(value)
    };
    answer(body).or_else(|| body.lines().rev().filter_map(|line| line.strip_prefix("data:")).find_map(answer))
}

fn clean(text: &str) -> String {
    mcp_auth::base::text::clean(text, 200)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn both_forms_of_answer_are_read() {
        assert_eq!(read("{\"id\":1,\"result\":{}}").unwrap()["id"], 1);
        let stream =
            "event: message\ndata: {\"method\":\"x\"}\n\nevent: message\ndata: {\"id\":1,\"error\":{}}\n\n";
        assert_eq!(read(stream).unwrap()["id"], 1);
        assert!(read("<html>").is_none());
        assert!(read("{\"error_description\":1}").is_none());
    }
}
