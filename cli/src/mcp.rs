//! As much of MCP as shows that a token works: `tools/list` and `tools/call`, on either wire.

use std::error::Error as _;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use mcp_auth_reqwest::{Client, Error};
use serde_json::{Value, json};
use url::Url;

use crate::show::words;

/// The revision of the stateless wire.
const STATELESS: &str = "2026-07-28";
/// The newest revision of the stateful wire.
const STATEFUL: &str = "2025-11-25";

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 4 << 20;
/// How long one exchange may take, from connecting to the last byte of the answer. A login in between does not count.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a request has no result.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The server answered with something else; on another wire it may answer better.
    Answered(String),
    /// There was no whole answer.
    Unanswered(String),
}

impl From<Failed> for String {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Answered(why) | Failed::Unanswered(why) => why,
        }
    }
}

/// Which wire the server speaks, and what it wants to see again.
pub(crate) struct Session {
    fields: HeaderMap,
    stateless: bool,
    patience: Duration,
}

impl Session {
    /// The wire without sessions.
    pub(crate) fn stateless() -> Self {
        let mut fields = HeaderMap::new();
        fields.insert("mcp-protocol-version", HeaderValue::from_static(STATELESS));
        Self { fields, stateless: true, patience: PATIENCE }
    }

    /// The wire that begins with `initialize`.
    pub(crate) async fn initialize(client: &Client, url: &Url) -> Result<Self, Failed> {
        let mut session = Self { fields: HeaderMap::new(), stateless: false, patience: PATIENCE };
        let who = json!({
            "protocolVersion": STATEFUL,
            "capabilities": {},
            "clientInfo": {"name": "mcp-auth", "version": env!("CARGO_PKG_VERSION")},
        });
        let (answer, fields) = session.exchange(client, url, "initialize", who).await?;
        let revision = answer["result"]["protocolVersion"].as_str().unwrap_or(STATEFUL);
        let revision = HeaderValue::from_str(revision)
            .map_err(|_| Failed::Answered("the server names no revision".to_owned()))?;
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
    ) -> Result<Value, Failed> {
        let (mut answer, _) = self.exchange(client, url, method, params).await?;
        match answer.get("error") {
            None => Ok(answer["result"].take()),
            Some(error) => {
                let said = error["message"].as_str().unwrap_or("no message");
                Err(Failed::Answered(format!("{method}: the server answered with an error: {}", words(said))))
            }
        }
    }

    async fn exchange(
        &self,
        client: &Client,
        url: &Url,
        method: &str,
        mut params: Value,
    ) -> Result<(Value, HeaderMap), Failed> {
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
        let body = self.body(response).await.map_err(|why| Failed::Unanswered(format!("{method}: {why}")))?;
        read(&body).map(|answer| (answer, fields)).ok_or_else(|| {
            let status = status.as_u16();
            Failed::Answered(format!("{method}: the server answered with status {status} and no JSON-RPC"))
        })
    }

    async fn post(
        &self,
        client: &Client,
        url: &Url,
        operation: &str,
        method: &str,
        message: &Value,
    ) -> Result<reqwest::Response, Failed> {
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
        *request.timeout_mut() = Some(self.patience);
        client.send_as(operation, request).await.map_err(|error| {
            Failed::Unanswered(match error {
                Error::Transport(error) => format!("{method}: {}", self.unsent(error)),
                error => error.to_string(),
            })
        })
    }

    /// The body of an answer, within the limits of size and time.
    async fn body(&self, mut response: reqwest::Response) -> Result<String, String> {
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if chunk.len() > MAX_ANSWER.saturating_sub(body.len()) => {
                    return Err(format!(
                        "the server's answer is larger than {} MiB and was given up. {CHECK_URL}",
                        MAX_ANSWER >> 20
                    ));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(String::from_utf8_lossy(&body).into_owned()),
                Err(error) if error.is_timeout() => {
                    return Err(format!(
                        "the server did not finish its answer within {} s. Try again later. {CHECK_URL}",
                        self.patience.as_secs_f32()
                    ));
                }
                Err(error) => return Err(format!("the server's answer broke off: {}", chain(error))),
            }
        }
    }

    fn unsent(&self, error: reqwest::Error) -> String {
        let late = error.is_timeout();
        if error.is_connect() {
            let why = if late { "it did not take the connection in time".to_owned() } else { chain(error) };
            format!(
                "the server could not be reached: {why}. Check the host and the port of its URL, and the network."
            )
        } else if late {
            let patience = self.patience.as_secs_f32();
            format!("the server did not answer within {patience} s. Try again later. {CHECK_URL}")
        } else {
            format!("the server gave no answer: {}", chain(error))
        }
    }
}

const CHECK_URL: &str = "Check that the URL is the server's MCP endpoint.";

/// The error and what caused it, in one line. Some of it may be the server's words.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    words(&text)
}

/// A JSON-RPC answer, from JSON or from the last event of a stream.
fn read(body: &str) -> Option<Value> {
    let answer = |text: &str| {
        let value: Value = serde_json::from_str(text).ok()?;
        (value.get("result").is_some() || value.get("error").is_some()).then_some(value)
    };
    answer(body).or_else(|| body.lines().rev().filter_map(|line| line.strip_prefix("data:")).find_map(answer))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// What comes of a request to a server that does this with its connection.
    async fn asked(serve: impl FnOnce(TcpStream) + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            serve(stream);
        });
        let config = mcp_auth::Config::new(&url, "Visitor", "http://127.0.0.1:3000/callback");
        let client = Client::builder(config).build().unwrap();
        let session = Session { patience: Duration::from_secs(2), ..Session::stateless() };
        let url = url.parse().unwrap();
        let answer = session.request(&client, &url, "tools/list", json!({}));
        match tokio::time::timeout(Duration::from_secs(20), answer).await.expect("an end") {
            Err(Failed::Unanswered(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";

    #[tokio::test]
    async fn an_endless_answer_is_given_up() {
        let why = asked(|mut stream| {
            stream.write_all(HEAD).unwrap();
            while stream.write_all(&[b' '; 1 << 16]).is_ok() {}
        });
        let why = why.await;
        assert!(why.starts_with("tools/list: the server's answer is larger than 4 MiB"), "{why}");
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_given_up() {
        let why = asked(|mut stream| {
            let _ = stream.read(&mut [0; 1]);
        });
        let why = why.await;
        assert!(why.starts_with("tools/list: the server did not answer within 2 s."), "{why}");
    }

    #[tokio::test]
    async fn an_answer_that_stands_still_is_given_up() {
        let why = asked(|mut stream| {
            stream.write_all(HEAD).unwrap();
            let _ = stream.read(&mut [0; 1]);
        });
        let why = why.await;
        assert!(why.starts_with("tools/list: the server did not finish its answer within 2 s."), "{why}");
    }

    #[tokio::test]
    async fn what_the_transport_says_is_told_with_its_cause() {
        let why = asked(drop).await;
        assert!(why.starts_with("tools/list: the server gave no answer: "), "{why}");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}/mcp");
        let config = mcp_auth::Config::new(&url, "Visitor", "http://127.0.0.1:3000/callback");
        let client = Client::builder(config).build().unwrap();
        let answer =
            Session::stateless().request(&client, &url.parse().unwrap(), "tools/list", json!({})).await;
        let why = String::from(answer.unwrap_err());
        assert!(why.contains("could not be reached") && why.contains("Check the host"), "{why}");
    }

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
