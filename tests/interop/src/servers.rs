//! The servers under test, and what they have seen (`serve.mjs`).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mcp_auth_jose::Key;
use serde_json::Value;

/// What `serve.mjs` has written.
#[derive(Clone)]
pub(crate) struct Servers {
    /// The directory that it was read from.
    pub(crate) directory: PathBuf,
    pub(crate) issuer: String,
    origin: String,
    /// The identifier of the client that is known by its document.
    pub(crate) client_document: String,
    client_key: String,
    /// How long a token for `/short/mcp` lives.
    pub(crate) lifetime: Duration,
}

impl Servers {
    /// What it has written of the servers of this lane.
    pub(crate) fn read(directory: &Path, lane: &str) -> Result<Self, String> {
        let file = directory.join(format!("{lane}.json"));
        let text = std::fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let known: Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        let text = |name: &str| {
            known[name]
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| format!("{} names no {name}", file.display()))
        };
        Ok(Self {
            directory: directory.to_owned(),
            issuer: text("issuer")?,
            origin: text("origin")?,
            client_document: text("client_document")?,
            client_key: known["client_key"].to_string(),
            lifetime: Duration::from_secs(known["lifetime"].as_u64().unwrap_or_default()),
        })
    }

    /// The URL of the MCP endpoint at this path.
    pub(crate) fn mcp(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The private key of the clients that were registered with one.
    pub(crate) fn client_key(&self) -> Result<Arc<Key>, String> {
        Key::from_jwk(&self.client_key).map(Arc::new).map_err(|error| error.to_string())
    }

    /// All that the servers have done since the entry `since`.
    pub(crate) fn log(&self, since: usize) -> Result<Log, String> {
        let (status, body) = exchange(&self.origin, "GET", &format!("/admin/log?since={since}"), &[], "")?;
        match serde_json::from_str(&body) {
            Ok(Value::Array(entries)) if status == 200 => Ok(Log(entries)),
            _ => Err(format!("the log is not to be had: {status} {body}")),
        }
    }

    /// How many entries there are.
    pub(crate) fn entries(&self) -> Result<usize, String> {
        self.log(0).map(|log| log.0.len())
    }

    /// Tokens that were seen at `path` so far are taken there no more.
    pub(crate) fn refuse_tokens(&self, path: &str) -> Result<(), String> {
        exchange(&self.origin, "POST", &format!("/admin/refuse?path={path}"), &[], "").map(|_| ())
    }

    /// The authorization server does not know the client any more.
    pub(crate) fn forget_client(&self, id: &str) -> Result<(), String> {
        exchange(&self.origin, "POST", &format!("/admin/forget-client?id={id}"), &[], "").map(|_| ())
    }

    /// The status with which a token is met at `path`, from whomever it comes: 401, or 400 where it is taken, for it comes
    /// with nothing that could be answered.
    pub(crate) fn present(&self, path: &str, token: &str) -> Result<u16, String> {
        let bearer = format!("Bearer {token}");
        let fields = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        exchange(&self.origin, "POST", path, &fields, "no JSON").map(|(status, _)| status)
    }

    /// What the token endpoint says to a refresh token that somebody else presents in the name of a public client.
    pub(crate) fn replay(
        &self,
        client: &str,
        refresh_token: &str,
        resource: &str,
    ) -> Result<(u16, String), String> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("client_id", client)
            .append_pair("refresh_token", refresh_token)
            .append_pair("resource", resource)
            .finish();
        exchange(
            &self.issuer,
            "POST",
            "/token",
            &[("content-type", "application/x-www-form-urlencoded")],
            &form,
        )
    }
}

/// What the servers have done, in their order.
pub(crate) struct Log(pub(crate) Vec<Value>);

impl Log {
    /// The requests to this route of the authorization server.
    pub(crate) fn route(&self, route: &str) -> Vec<&Value> {
        self.0.iter().filter(|entry| entry["route"] == route).collect()
    }

    /// How many requests to this route were answered well.
    pub(crate) fn served(&self, route: &str) -> usize {
        self.route(route).iter().filter(|entry| is_good(entry)).count()
    }

    /// How many tokens were given for this grant.
    pub(crate) fn granted(&self, grant: &str) -> usize {
        let of = |entry: &&&Value| entry["grant"] == grant && is_good(entry);
        self.route("token").iter().filter(of).count()
    }

    /// How many requests to the authorization server failed, and how.
    pub(crate) fn errors(&self) -> Vec<String> {
        let failed = |entry: &&Value| entry["server"] == "issuer" && entry["status"].as_u64() >= Some(400);
        let noise = |entry: &&Value| entry["route"] == "/favicon.ico";
        let shown = |entry: &Value| {
            format!("{} {}: {} {}", entry["route"], entry["status"], entry["error"], entry["why"])
        };
        self.0.iter().filter(failed).filter(|it| !noise(it)).map(shown).collect()
    }

    /// How often this was seen at the pages: `login` or `consent`.
    pub(crate) fn submitted(&self, page: &str) -> usize {
        self.route("submit").iter().filter(|entry| entry["prompt"] == page).count()
    }

    /// How often a refresh token was presented that had been used already.
    pub(crate) fn reused(&self) -> usize {
        let reused = |entry: &&Value| {
            entry["event"] == "grant.error" && entry["why"].to_string().contains("already used")
        };
        self.0.iter().filter(reused).count()
    }

    /// How many families of tokens were ended.
    pub(crate) fn families_ended(&self) -> usize {
        self.0.iter().filter(|entry| entry["event"] == "grant.revoked").count()
    }

    /// The messages to the MCP server. A client may look for a stream besides, which is no message.
    pub(crate) fn calls(&self) -> Vec<&Value> {
        self.0.iter().filter(|entry| entry["server"] == "mcp" && entry["method"] == "POST").collect()
    }

    /// The statuses of the answers to them that are not good.
    pub(crate) fn refused_calls(&self) -> Vec<u64> {
        let statuses = self.calls().into_iter().filter_map(|call| call["status"].as_u64());
        statuses.filter(|status| *status >= 400).collect()
    }

    /// How many requests went to the authorization server, and how often metadata of the resource was asked for.
    pub(crate) fn beside_calls(&self) -> (usize, usize) {
        let at_the_issuer = |entry: &&Value| entry["server"] == "issuer" && entry.get("route").is_some();
        let described = |entry: &&Value| entry["document"] == true;
        (self.0.iter().filter(at_the_issuer).count(), self.0.iter().filter(described).count())
    }
}

/// Whether it was answered, and well.
fn is_good(entry: &Value) -> bool {
    entry["status"].as_u64().is_some_and(|status| status < 400)
}

/// One exchange in the plainest HTTP: none of the clients under test is involved.
fn exchange(
    origin: &str,
    method: &str,
    target: &str,
    fields: &[(&str, &str)],
    body: &str,
) -> Result<(u16, String), String> {
    let tell = |error: std::io::Error| {
        format!("{method} {origin}{}: {error}", target.split('?').next().unwrap_or_default())
    };
    let host = origin.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).map_err(tell)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(tell)?;
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head =
        format!("{method} {target} HTTP/1.0\r\nhost: {host}\r\n{fields}content-length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).map_err(tell)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(tell)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    status.map(|status| (status, body.to_owned())).ok_or_else(|| format!("no HTTP from {origin}"))
}
