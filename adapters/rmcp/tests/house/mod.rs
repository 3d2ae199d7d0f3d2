//! A real server of rmcp, behind a door that is the testbed's MCP server: it looks at the token, says what scope a tool
//! needs, and lets pass what it does not refuse. And clients, with a person who consents.
#![allow(dead_code, unreachable_pub, reason = "each test file uses what it needs")]

use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mcp_auth_reqwest::mcp_auth::{Callback, Config, Timestamp};
use mcp_auth_reqwest::reqwest::Url;
use mcp_auth_reqwest::{Answers, BoxFuture, Client, Consent};
use mcp_auth_rmcp::AuthorizedClient;
use mcp_auth_testbed::{Browsed, Dials, Origins, Purpose, World};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, SubscriptionFilter, Tool,
};
use rmcp::service::{NotificationContext, RequestContext, RunningService, ServiceError, SubscriptionContext};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig as TransportConfig;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ClientHandler, RoleClient, RoleServer, ServerHandler};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Notify;

#[path = "../../../host/tests/rig/replayed.rs"]
mod replayed;
#[path = "../../../host/tests/rig/watched.rs"]
mod watched;

use watched::Watched;

type Body = BoxBody<Bytes, Infallible>;

/// The tools, of which the testbed says what they need: `write_file` a scope more than the login asks for.
struct Tools;

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_tool_list_changed().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({"type": "object"}).as_object().cloned().unwrap();
        let tool = |name: &'static str| Tool::new(name, "A tool.", schema.clone());
        Ok(ListToolsResult::with_all_items(["echo", "write_file", "announce"].map(tool).into()))
    }

    fn accepted_subscription_filter(&self, wanted: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(wanted.supported_by(&self.get_info().capabilities))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        while let Ok(()) = context.sink().notify_tool_list_changed().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        match request.name.as_ref() {
            "announce" => context.peer.notify_tool_list_changed().await.unwrap(),
            "wait" => context.ct.cancelled().await,
            _ => {}
        }
        Ok(CallToolResult::success(vec![ContentBlock::text(format!("{} was here", request.name))]).into())
    }
}

/// One request to the MCP server, and the status that the client saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub method: Method,
    pub session: bool,
    pub status: StatusCode,
}

pub struct House {
    pub world: Arc<Mutex<World>>,
    pub sessions: Arc<LocalSessionManager>,
    service: StreamableHttpService<Tools, LocalSessionManager>,
    seen: Mutex<Vec<Seen>>,
}

impl House {
    pub async fn new(dials: Dials) -> Arc<Self> {
        let (server, issuer) = (bind().await, bind().await);
        let origins = Origins {
            server: origin(&server),
            authorization_servers: vec![origin(&issuer)],
            ..Origins::default()
        };
        let world = Arc::new(Mutex::new(World::new(dials, origins)));
        let sessions = Arc::new(LocalSessionManager::default());
        let config = StreamableHttpServerConfig::default();
        let service = StreamableHttpService::new(|| Ok(Tools), sessions.clone(), config);
        let house = Arc::new(Self { world, sessions, service, seen: Mutex::default() });
        for listener in [server, issuer] {
            tokio::spawn(accept(house.clone(), listener));
        }
        house
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn count(&self, purpose: Purpose) -> usize {
        self.world().count(purpose)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How often the MCP server answered a request of this method so.
    pub fn answered(&self, method: &Method, status: u16) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.method == *method && seen.status.as_u16() == status).count()
    }

    /// A client of this house, with a person who does what the dial says, under the watch, written down and replayed.
    pub fn client(&self) -> Client {
        self.client_of(Person { world: self.world.clone(), thinks: None })
    }

    /// The same, with a person who consents each time that the host says so.
    pub fn client_of_thinker(&self, thinks: Arc<Notify>) -> Client {
        self.client_of(Person { world: self.world.clone(), thinks: Some(thinks) })
    }

    fn client_of(&self, person: Person) -> Client {
        let config = Config::new(self.world().server_url(), "Visitor", "http://127.0.0.1:3000/callback");
        let watch = Watched::new(&config);
        Client::builder(config).consent(person).tap(watch).record(replayed::lines()).build().unwrap()
    }

    pub fn config(&self) -> TransportConfig {
        TransportConfig::with_uri(self.world().server_url())
    }

    pub fn transport(&self, client: &Client) -> StreamableHttpClientTransport<AuthorizedClient> {
        StreamableHttpClientTransport::with_client(AuthorizedClient::new(client.clone()), self.config())
    }

    /// Ends the streams of all sessions, which the client is to open anew, after `retry`.
    pub async fn close_streams(&self, retry: Duration) {
        for session in self.sessions.sessions.read().await.values() {
            session.close_standalone_sse_stream(Some(retry)).await.unwrap();
        }
    }

    /// Forgets all sessions.
    pub async fn end_sessions(&self) {
        self.sessions.sessions.write().await.clear();
    }

    async fn answer(&self, origin: &str, request: Request<Incoming>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let is_mcp = parts.uri.path() == "/mcp";
        parts.uri = format!("{origin}{}", parts.uri).parse().unwrap();
        let (method, session) = (parts.method.clone(), parts.headers.contains_key("mcp-session-id"));
        let request = Request::from_parts(parts, body);
        let door = self.world().handle(now(), request.clone().map(|body| body.to_vec()));
        if !is_mcp {
            return whole(door);
        }
        let answer = match door.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => whole(door),
            _ => self.service.handle(request.map(Full::new)).await,
        };
        self.seen.lock().unwrap().push(Seen { method, session, status: answer.status() });
        answer
    }
}

fn whole(answer: Response<Vec<u8>>) -> Response<Body> {
    answer.map(|body| Full::new(Bytes::from(body)).boxed())
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn origin(listener: &TcpListener) -> String {
    format!("http://{}", listener.local_addr().unwrap())
}

async fn accept(house: Arc<House>, listener: TcpListener) {
    let origin = origin(&listener);
    while let Ok((stream, _)) = listener.accept().await {
        let (house, origin) = (house.clone(), origin.clone());
        tokio::spawn(async move {
            let service =
                service_fn(async |request| Ok::<_, Infallible>(house.answer(&origin, request).await));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Somebody who does whatever the testbed's dial says, at once or when told.
#[derive(Clone)]
struct Person {
    world: Arc<Mutex<World>>,
    thinks: Option<Arc<Notify>>,
}

impl Consent for Person {
    fn open(&self, url: Url, _: Timestamp) -> Box<dyn Answers> {
        Box::new(Visit { person: self.clone(), url })
    }
}

struct Visit {
    person: Person,
    url: Url,
}

impl Answers for Visit {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async {
            if let Some(told) = &self.person.thinks {
                told.notified().await;
            }
            match self.person.world.lock().unwrap().browse(now(), self.url.as_str()) {
                Browsed::Callback(url) => Ok(Callback::new(url)),
                Browsed::Page { text, .. } => Err(text),
            }
        })
    }
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A client's side of rmcp that counts what it is told.
#[derive(Clone, Default)]
pub struct Listener(pub Arc<AtomicUsize>);

impl ClientHandler for Listener {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// What a tool says.
pub async fn call<S: rmcp::Service<RoleClient>>(
    service: &RunningService<RoleClient, S>,
    tool: &'static str,
) -> Result<String, ServiceError> {
    let result = soon(service.call_tool(CallToolRequestParams::new(tool))).await?;
    Ok(result.content[0].as_text().unwrap().text.clone())
}

pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("this takes too long")
}

/// Waits until something is so.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not in ten seconds: {what}");
}
