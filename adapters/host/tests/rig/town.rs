//! An MCP server and its authorization server on one loopback port, on a thread of their own, so that no runtime of a
//! test takes them down; and a person who consents, whatever the runtime of the driver.
#![allow(dead_code, unreachable_pub, reason = "each test file uses what it needs")]

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use mcp_auth::{Callback, Config, Failure, Outcome, Timestamp};
use mcp_auth_host::{Answers, BoxFuture, Consent};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::{Url, form_urlencoded};

pub const REDIRECT: &str = "http://127.0.0.1:3000/callback";

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub fields: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Asked {
    fn form(&self) -> BTreeMap<String, String> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

/// An answer as it goes out.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub delay: Duration,
}

impl Reply {
    pub fn new(status: u16, body: &serde_json::Value) -> Self {
        let fields = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { status, fields, body: body.to_string().into_bytes(), delay: Duration::ZERO }
    }

    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Answers in place of the town, where it has an answer.
pub type Override = dyn Fn(&Asked) -> Option<Reply> + Send + Sync;

/// What has come to pass.
#[derive(Default)]
pub struct Records {
    pub asked: Vec<Asked>,
    /// The scopes of each code that can be redeemed.
    pub codes: BTreeMap<String, String>,
    /// The scopes of each access token that is good.
    pub tokens: BTreeMap<String, String>,
    pub refresh_tokens: BTreeMap<String, String>,
    /// Everything that nobody else may see.
    pub secrets: BTreeSet<String>,
    pub logins: usize,
    pub refreshes: usize,
    pub count: usize,
}

pub struct Town {
    pub origin: String,
    pub records: Mutex<Records>,
    pub lifetime: AtomicUsize,
    /// Whether tokens can be renewed.
    pub renews: AtomicBool,
    pub delay: Duration,
    instead: Box<Override>,
}

impl Town {
    pub fn new() -> Arc<Self> {
        Self::with(Duration::ZERO, |_| None)
    }

    pub fn with(
        delay: Duration,
        instead: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let town = Arc::new(Self {
            origin: format!("http://{}", listener.local_addr().unwrap()),
            records: Mutex::default(),
            lifetime: AtomicUsize::new(3600),
            renews: AtomicBool::new(true),
            delay,
            instead: Box::new(instead),
        });
        let served = town.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(served.clone(), stream));
                }
            });
        });
        town
    }

    pub fn server(&self) -> Url {
        format!("{}/mcp", self.origin).parse().unwrap()
    }

    pub fn config(&self) -> Config {
        Config::new(self.server(), "Visitor", REDIRECT)
    }

    pub fn logins(&self) -> usize {
        self.records.lock().unwrap().logins
    }

    pub fn refreshes(&self) -> usize {
        self.records.lock().unwrap().refreshes
    }

    pub fn asked(&self, path: &str) -> usize {
        self.records.lock().unwrap().asked.iter().filter(|asked| asked.path == path).count()
    }

    /// From now on no access token is good any more.
    pub fn forget_tokens(&self) {
        self.records.lock().unwrap().tokens.clear();
    }

    /// What the person's browser would come back with.
    pub fn consent(&self, url: &Url) -> Callback {
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let mut records = self.records.lock().unwrap();
        records.count += 1;
        let code = format!("code-{}-of-the-town", records.count);
        records.codes.insert(code.clone(), query.get("scope").cloned().unwrap_or_default());
        records.secrets.extend([code.clone(), query["state"].clone()]);
        let mut answer = Url::parse(REDIRECT).unwrap();
        answer.query_pairs_mut().extend_pairs([
            ("code", &code),
            ("state", &query["state"]),
            ("iss", &self.origin),
        ]);
        Callback::new(answer)
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let origin = &self.origin;
        match asked.path.split('?').next().unwrap_or_default() {
            "/mcp" | "/mcp/below" => self.resource(asked),
            "/.well-known/oauth-protected-resource/mcp" => Reply::new(
                200,
                &json!({"resource": format!("{origin}/mcp"), "authorization_servers": [origin]}),
            ),
            "/.well-known/oauth-authorization-server" => Reply::new(
                200,
                &json!({
                    "issuer": origin,
                    "authorization_endpoint": format!("{origin}/authorize"),
                    "token_endpoint": format!("{origin}/token"),
                    "registration_endpoint": format!("{origin}/register"),
                    "code_challenge_methods_supported": ["S256"],
                    "token_endpoint_auth_methods_supported": ["none"],
                    "authorization_response_iss_parameter_supported": true,
                }),
            ),
            "/register" => Reply::new(201, &json!({"client_id": "visitor-1"})),
            "/token" => self.token(asked),
            _ => Reply::new(404, &json!({"error": "no such place"})),
        }
    }

    fn resource(&self, asked: &Asked) -> Reply {
        let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", self.origin);
        let token = asked.fields.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let granted = token.and_then(|token| self.records.lock().unwrap().tokens.get(token).cloned());
        let Some(granted) = granted else {
            let challenge = format!("Bearer resource_metadata=\"{metadata}\", scope=\"read\"");
            return Reply::new(401, &json!({})).field("www-authenticate", &challenge);
        };
        match asked.fields.get("x-scope") {
            Some(scope) if !granted.split(' ').any(|has| has == scope) => {
                let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
                Reply::new(403, &json!({})).field("www-authenticate", &challenge)
            }
            _ => Reply::new(200, &json!({"welcome": true})),
        }
    }

    fn token(&self, asked: &Asked) -> Reply {
        let form = asked.form();
        let mut records = self.records.lock().unwrap();
        records.secrets.extend(form.get("code_verifier").cloned());
        let (scope, refreshed) = match form.get("grant_type").map(String::as_str) {
            Some("authorization_code") => (records.codes.remove(&form["code"]), false),
            Some("refresh_token") => (records.refresh_tokens.remove(&form["refresh_token"]), true),
            _ => (None, false),
        };
        let Some(scope) = scope else { return Reply::new(400, &json!({"error": "invalid_grant"})) };
        if refreshed {
            records.refreshes += 1
        } else {
            records.logins += 1
        }
        records.count += 1;
        let (access, refresh) =
            (format!("access-{}-secret", records.count), format!("refresh-{}-secret", records.count));
        records.tokens.insert(access.clone(), scope.clone());
        records.refresh_tokens.insert(refresh.clone(), scope.clone());
        records.secrets.extend([access.clone(), refresh.clone()]);
        let mut body = json!({"access_token": access, "token_type": "Bearer", "scope": scope});
        body["expires_in"] = self.lifetime.load(Ordering::SeqCst).into();
        if self.renews.load(Ordering::SeqCst) {
            body["refresh_token"] = refresh.into();
        }
        Reply::new(200, &body)
    }
}

async fn serve(town: Arc<Town>, mut stream: TcpStream) {
    let mut bytes = Vec::new();
    while let Some(asked) = read(&mut stream, &mut bytes).await {
        town.records.lock().unwrap().asked.push(asked.clone());
        let reply = (town.instead)(&asked).unwrap_or_else(|| town.answer(&asked));
        tokio::time::sleep(town.delay + reply.delay).await;
        let mut head =
            format!("HTTP/1.1 {} Whatever\r\ncontent-length: {}\r\n", reply.status, reply.body.len());
        for (name, value) in &reply.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        if stream.write_all(&[head.as_bytes(), &reply.body].concat()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Asked> {
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        more(stream, bytes).await?;
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let fields: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = fields.get("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + length {
        more(stream, bytes).await?;
    }
    let body = bytes[end..end + length].to_vec();
    bytes.drain(..end + length);
    Some(Asked { method, path, fields, body })
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
    bytes.extend_from_slice(&chunk[..count]);
    Some(())
}

/// Somebody in front of a browser.
#[derive(Clone)]
pub struct Person {
    pub town: Arc<Town>,
    /// How often the browser was opened.
    pub opened: Arc<AtomicUsize>,
    /// How many that listened for an answer are gone again.
    pub closed: Arc<AtomicUsize>,
    /// How the logins ended, as those that listened were told.
    pub finished: Arc<Mutex<Vec<String>>>,
    /// How long the person thinks; `None` for ever.
    pub thinks: Option<Duration>,
    /// What reaches the redirect URI before the person's own answer.
    pub before: Vec<Result<String, String>>,
}

impl Person {
    pub fn new(town: &Arc<Town>) -> Self {
        Self {
            town: town.clone(),
            opened: Arc::default(),
            closed: Arc::default(),
            finished: Arc::default(),
            thinks: Some(Duration::ZERO),
            before: Vec::new(),
        }
    }
}

impl Consent for Person {
    fn open(&self, url: Url, _: Timestamp) -> Box<dyn Answers> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let answers = self.before.iter().map(|answer| answer.clone().map(Callback::new)).collect();
        Box::new(Desk { person: self.clone(), url, answers })
    }
}

struct Desk {
    person: Person,
    url: Url,
    answers: Vec<Result<Callback, String>>,
}

impl Answers for Desk {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        if let Some(answer) = self.answers.pop() {
            return Box::pin(std::future::ready(answer));
        }
        Box::pin(async {
            match self.person.thinks {
                Some(thinks) => nap(thinks).await,
                None => std::future::pending().await,
            }
            Ok(self.person.town.consent(&self.url))
        })
    }

    fn finished(&mut self, outcome: &Result<Outcome, Box<Failure>>) {
        let told =
            outcome.as_ref().map_or_else(|failure| format!("{:?}", failure.kind()), |_| "well".to_owned());
        self.person.finished.lock().unwrap().push(told);
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.person.closed.fetch_add(1, Ordering::SeqCst);
    }
}

/// Sleeps, whatever the runtime.
async fn nap(length: Duration) {
    let waiting = Arc::<Mutex<Option<Waker>>>::default();
    let (until, sleeper) = (Instant::now() + length, waiting.clone());
    if !length.is_zero() {
        std::thread::spawn(move || {
            std::thread::sleep(length);
            if let Some(waker) = sleeper.lock().unwrap().take() {
                waker.wake();
            }
        });
    }
    let asleep = |context: &mut Context<'_>| {
        *waiting.lock().unwrap() = Some(context.waker().clone());
        if Instant::now() < until { Poll::Pending } else { Poll::Ready(()) }
    };
    poll_fn(asleep).await;
}
