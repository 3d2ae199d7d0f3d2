//! As much of MCP as shows that a token works: `tools/list` and `tools/call`, on either wire.

mod extension;
mod failed;

use std::cell::Cell;
use std::error::Error as _;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use mcp_auth_reqwest::{Bearing, Client, Error};
use serde_json::{Value, json};
use url::Url;

use crate::show::words;
use crate::sse;
pub(crate) use extension::Declared;
use extension::capabilities;
pub(crate) use failed::Failed;

/// The revision of the stateless wire.
const STATELESS: &str = "2026-07-28";
/// The newest revision of the stateful wire.
const STATEFUL: &str = "2025-11-25";

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 4 << 20;
/// How long one exchange may take, from connecting to the last byte of the answer. A login in between does not count.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the end of a session may take, for which nobody waits.
const PARTING: Duration = Duration::from_secs(2);

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) result: Value,
    /// The message as the server sent it.
    pub(crate) text: String,
    fields: HeaderMap,
}

/// Sends one request, on the stateless wire or else on the stateful one. `attended`: somebody can be asked to log in, whom
/// nothing is to trouble that is only tidy; then the server is left to forget its session by itself.
pub(crate) async fn ask(
    client: &Client,
    url: &Url,
    extension: Declared,
    method: &str,
    params: Value,
    attended: bool,
) -> Result<Answer, Failed> {
    match Session::stateless(extension).request(client, url, method, params.clone()).await {
        Err(failed) if failed.may_be_the_wire(method) => {
            // What the first wire has said is what counts where there is no other.
            let Ok(session) = Session::initialize(client, url, extension).await else { return Err(failed) };
            let answer = session.request(client, url, method, params).await;
            if !attended {
                session.end(client, url).await;
            }
            answer
        }
        answer => answer,
    }
}

/// Which wire the server speaks, and what it wants to see again.
pub(crate) struct Session {
    fields: HeaderMap,
    stateless: bool,
    patience: Duration,
    extension: Declared,
    /// A session may see no identifier twice.
    last_id: Cell<u64>,
}

impl Session {
    /// The wire without sessions.
    pub(crate) fn stateless(extension: Declared) -> Self {
        let mut fields = HeaderMap::new();
        fields.insert("mcp-protocol-version", HeaderValue::from_static(STATELESS));
        Self { fields, stateless: true, patience: PATIENCE, extension, last_id: Cell::new(0) }
    }

    /// The wire that begins with `initialize`.
    pub(crate) async fn initialize(client: &Client, url: &Url, extension: Declared) -> Result<Self, Failed> {
        let mut session = Self { fields: HeaderMap::new(), stateless: false, ..Self::stateless(extension) };
        let who = json!({
            "protocolVersion": STATEFUL,
            "capabilities": capabilities(extension),
            "clientInfo": {"name": "mcp-auth", "version": env!("CARGO_PKG_VERSION")},
        });
        let Answer { result, fields, .. } = session.request(client, url, "initialize", who).await?;
        let revision = result["protocolVersion"].as_str().unwrap_or(STATEFUL);
        let revision = HeaderValue::from_str(revision)
            .map_err(|_| Failed::Foreign { method: "initialize".to_owned(), status: 200 })?;
        session.fields.insert("mcp-protocol-version", revision);
        if let Some(id) = fields.get("mcp-session-id") {
            session.fields.insert("mcp-session-id", id.clone());
        }
        let done = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        session.post(client, url, "notifications/initialized", "notifications/initialized", &done).await?;
        Ok(session)
    }

    /// Sends one request and gives its answer.
    pub(crate) async fn request(
        &self,
        client: &Client,
        url: &Url,
        method: &str,
        mut params: Value,
    ) -> Result<Answer, Failed> {
        if self.stateless {
            let meta = &mut params["_meta"];
            for (name, value) in [
                ("protocolVersion", json!(STATELESS)),
                ("clientCapabilities", capabilities(self.extension)),
                ("clientInfo", json!({"name": "mcp-auth", "version": env!("CARGO_PKG_VERSION")})),
            ] {
                // What the caller says of itself counts.
                let own = &mut meta[format!("io.modelcontextprotocol/{name}")];
                if own.is_null() {
                    *own = value;
                }
            }
        }
        let operation = params["name"].as_str().map_or(method.to_owned(), |name| format!("{method}:{name}"));
        let id = self.last_id.get() + 1;
        self.last_id.set(id);
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let response = self.post(client, url, &operation, method, &message).await?;
        let (status, fields) = (response.status(), response.headers().clone());
        let bore = response.extensions().get::<Bearing>().cloned();
        let answer = self.answer(response, id).await;
        let answer = answer.map_err(|why| Failed::Unanswered(format!("{method}: {why}")))?;
        let (method, status) = (method.to_owned(), status.as_u16());
        let Some((mut answer, text)) = answer else { return Err(Failed::Foreign { method, status }) };
        match answer.get("error") {
            None => Ok(Answer { result: answer["result"].take(), text, fields }),
            Some(error) => {
                // Some servers quote the token that they do not like.
                let cleared =
                    |text: &str| bore.as_ref().map_or_else(|| text.to_owned(), |bore| bore.cleared(text));
                let said = cleared(error["message"].as_str().unwrap_or("no message"));
                let code = error["code"].as_i64().unwrap_or_default();
                Err(Failed::Error { method, status, code, said, text: cleared(&text) })
            }
        }
    }

    /// Lets the server forget the session, if it has one (MCP 2025-11-25, session management). It may refuse that.
    async fn end(&self, client: &Client, url: &Url) {
        if !self.fields.contains_key("mcp-session-id") {
            return;
        }
        let mut request = reqwest::Request::new(http::Method::DELETE, url.clone());
        request.headers_mut().extend(self.fields.clone());
        *request.timeout_mut() = Some(PARTING);
        let _ = client.send_as("end of the session", request).await;
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
        client.send_as(operation, request).await.map_err(|error| match error {
            Error::Transport(error) => Failed::Unanswered(format!("{method}: {}", self.unsent(error))),
            error => Failed::Client(error),
        })
    }

    /// The answer to the request `id`, within the limits of size and time; `None` if the response holds none.
    async fn answer(
        &self,
        mut response: reqwest::Response,
        id: u64,
    ) -> Result<Option<(Value, String)>, String> {
        let kind = response.headers().get(http::header::CONTENT_TYPE);
        let streamed =
            kind.is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"text/event-stream"));
        let (mut body, mut stream, mut left) = (Vec::new(), sse::Stream::default(), MAX_ANSWER);
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unfinished(error))? {
            left = left.checked_sub(chunk.len()).ok_or_else(|| {
                let most = MAX_ANSWER >> 20;
                format!("the server's answer is larger than {most} MiB and was given up. {CHECK_URL}")
            })?;
            if streamed {
                // The stream may stay open after the answer.
                let events = stream.take(&chunk);
                let mut messages = events.iter().filter(|event| event.kind == "message");
                if let Some(answer) = messages.find_map(|event| read(event.data.as_bytes(), id)) {
                    return Ok(Some(answer));
                }
            } else {
                body.extend_from_slice(&chunk);
            }
        }
        Ok(read(&body, id))
    }

    fn unfinished(&self, error: reqwest::Error) -> String {
        if error.is_timeout() {
            let patience = self.patience.as_secs_f32();
            format!("the server did not finish its answer within {patience} s. Try again later. {CHECK_URL}")
        } else {
            format!("the server's answer broke off: {}", chain(error))
        }
    }

    fn unsent(&self, error: reqwest::Error) -> String {
        let late = error.is_timeout();
        if error.is_connect() {
            let why = if late { "it did not take the connection in time".to_owned() } else { chain(error) };
            format!(
                "the server could not be reached: {why}. Is it running? Check the host and the port of its URL, and the \
                network."
            )
        } else if late {
            let patience = self.patience.as_secs_f32();
            format!("the server did not answer within {patience} s. Try again later. {CHECK_URL}")
        } else {
            format!("the server gave no answer: {}. {CHECK_URL}", chain(error))
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

/// A JSON-RPC answer to the request `id`. A server that could not read the request cannot name it in its error.
fn read(text: &[u8], id: u64) -> Option<(Value, String)> {
    let text = std::str::from_utf8(text).ok()?;
    let value: Value = serde_json::from_str(text).ok()?;
    let failed = value.get("error").is_some_and(Value::is_object);
    let named = value.get("id").filter(|named| !named.is_null());
    let ours = named.map_or(failed, |named| named.as_u64() == Some(id));
    (ours && (failed || value.get("result").is_some())).then(|| (value, text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use mcp_auth_reqwest::{MemoryStore, Store as _};

    use super::*;

    /// What comes of a request to a server that does this with its connection.
    async fn answered(serve: impl FnOnce(TcpStream) + Send + 'static) -> Result<Answer, Failed> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            serve(stream);
        });
        let config = mcp_auth::Config::new(&url, "Visitor", "http://127.0.0.1:3000/callback");
        let client = Client::builder(config).store(kept(&url)).build().unwrap();
        let session = Session { patience: Duration::from_secs(2), ..Session::stateless(None) };
        let url = url.parse().unwrap();
        let answer = session.request(&client, &url, "tools/list", json!({}));
        tokio::time::timeout(Duration::from_secs(20), answer).await.expect("an end")
    }

    const TOKEN: &str = "hush/hush+hush-hush";

    /// A store with a token for this server.
    fn kept(url: &str) -> MemoryStore {
        let server = json!({
            "issuer": "https://as.example", "named": "https://as.example", "revocation_endpoint": null, "legacy": false,
            "authorization_endpoint": "https://as.example/a", "token_endpoint": "https://as.example/t",
            "iss_parameter_supported": false,
        });
        let client = json!({
            "id": "c", "secret": null, "method": "none", "secret_expires_at": null, "redirect_uris": [],
            "registered_at": null, "origin": "dynamic",
        });
        let credential = json!({
            "version": 1, "generation": 1, "server": url, "resource": url, "authorization_server": server, "client": client,
            "asked": "", "granted": "", "access_token": TOKEN, "refresh_token": null, "obtained_at": 1, "expires_at": null,
        });
        let (store, key) = (MemoryStore::default(), mcp_auth::Key { server: url.to_owned(), account: None });
        store.put(&key, &serde_json::from_value(credential).unwrap(), None);
        store
    }

    /// Why there is no answer.
    async fn asked(serve: impl FnOnce(TcpStream) + Send + 'static) -> String {
        match answered(serve).await {
            Err(Failed::Unanswered(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n\r\n";
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";

    /// Some servers say which token it is that they do not like.
    #[tokio::test]
    async fn a_token_that_the_server_quotes_is_not_told() {
        let answer = answered(|mut stream| {
            stream.write_all(HEAD).unwrap();
            let body = r#"{"id":1,"error":{"code":-32001,"message":"no seat for hush\/hush+hush-hush","data":"hush%2Fhush%2Bhush-hush"}}"#;
            stream.write_all(body.as_bytes()).unwrap();
        });
        match answer.await {
            Err(failed @ Failed::Error { .. }) => {
                assert!(failed.to_string().contains("no seat for (secret)"), "{failed}");
                assert!(!format!("{failed:?}").contains("hush"), "{failed:?}");
            }
            other => panic!("{other:?}"),
        }
    }

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
            Session::stateless(None).request(&client, &url.parse().unwrap(), "tools/list", json!({})).await;
        let why = String::from(answer.unwrap_err());
        assert!(why.contains("refused") && why.contains("Is it running? Check the host"), "{why}");
    }

    /// The stream stays open until the client hangs up.
    #[tokio::test]
    async fn an_answer_is_taken_from_a_stream_that_stays_open() {
        let answer = answered(|mut stream| {
            let mut send = |text: &str| {
                stream.write_all(text.as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            };
            send(std::str::from_utf8(STREAM).unwrap());
            send("\u{feff}: hello\r\n\r\nevent: ping\ndata: 1\n\n");
            send("data: {\"method\":\"notifications/message\"}\r\n\r\ndata: {\"id\":7,\"result\":{}}\n\n");
            send("data: {\"id\":1,\r\ndata: \"res");
            send("ult\":{\"tools\":[]}}\r");
            send("\n\r\n");
            let _ = stream.read(&mut [0; 1]);
        });
        assert_eq!(answer.await.unwrap().result, json!({"tools": []}));
    }

    #[tokio::test]
    async fn a_stream_that_ends_without_an_answer_has_none() {
        let ended = answered(|mut stream| stream.write_all(STREAM).unwrap());
        match ended.await {
            Err(failed @ Failed::Foreign { .. }) => {
                assert_eq!(
                    failed.to_string(),
                    "tools/list: the server answered with status 200 and no JSON-RPC"
                );
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn an_endless_stream_is_given_up() {
        let why = asked(|mut stream| {
            stream.write_all(STREAM).unwrap();
            while stream.write_all(&[b':'; 1 << 16]).is_ok() {}
        });
        let why = why.await;
        assert!(why.starts_with("tools/list: the server's answer is larger than 4 MiB"), "{why}");
    }

    #[test]
    fn only_an_answer_to_the_request_is_one() {
        let is = |text: &str| read(text.as_bytes(), 2).is_some();
        assert!(is("{\"id\":2,\"result\":{}}") && is("{\"id\":2,\"error\":{}}"));
        assert!(is("{\"id\":null,\"error\":{}}") && is("{\"error\":{}}"));
        for other in [
            "<html>",
            "{\"error\":\"invalid_token\"}",
            "{\"id\":1,\"result\":{}}",
            "{\"id\":2,\"method\":\"x\"}",
        ] {
            assert!(!is(other), "{other}");
        }
        assert!(!is("{\"result\":{}}") && !is("{\"id\":\"2\",\"error\":{}}"));
    }
}
