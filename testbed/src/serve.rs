//! The same servers over HTTP, each origin on a port of its own on loopback.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::dials::{Dials, LoopbackHost};
use crate::message::{self, Answer};
use crate::world::{Dropped, Origins, World};

/// How large a request body may be.
const MAX_BODY: usize = 1024 * 1024;

/// Servers that answer on loopback until this is dropped.
#[derive(Debug)]
pub struct Served {
    /// The world behind the sockets: to turn its dials, and to look at what was asked.
    pub world: Arc<Mutex<World>>,
    listening: Vec<AbortHandle>,
}

impl Served {
    /// The URL of the MCP server.
    pub fn server_url(&self) -> String {
        self.world().server_url()
    }

    /// The origins that are served.
    pub fn origins(&self) -> Origins {
        self.world().origins().clone()
    }

    /// The world, locked. Let go of it before anything is awaited.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.listening.iter().for_each(AbortHandle::abort);
    }
}

/// Serves the MCP server, two authorization servers, the identity provider and the other origins on ephemeral ports of 127.0.0.1.
///
/// With [`LoopbackHost::Name`] URLs say `localhost`, and `::1` is listened on as well where it can be. It must be
/// called in a runtime of tokio with I/O enabled, on which the servers then run.
///
/// # Errors
///
/// When a port cannot be bound.
pub async fn serve(dials: Dials) -> io::Result<Served> {
    let mut bound = Vec::new();
    for _ in 0..6 {
        bound.push(Bound::new(dials.host).await?);
    }
    let urls: Vec<String> = bound.iter().map(|bound| bound.origin.clone()).collect();
    let [server, first, second, identity_provider, elsewhere, dead] = urls.as_slice() else {
        return Err(io::Error::other("a listener is missing"));
    };
    let origins = Origins {
        server: server.clone(),
        authorization_servers: vec![first.clone(), second.clone()],
        identity_provider: identity_provider.clone(),
        elsewhere: elsewhere.clone(),
        dead: dead.clone(),
    };
    let world = Arc::new(Mutex::new(World::new(dials, origins)));
    let mut served = Served { world, listening: Vec::new() };
    for Bound { origin, listeners } in bound {
        for listener in listeners {
            let site = Listening { origin: origin.clone(), world: Arc::clone(&served.world) };
            served.listening.push(tokio::spawn(accept(listener, site)).abort_handle());
        }
    }
    Ok(served)
}

/// The listeners of one origin.
struct Bound {
    origin: String,
    listeners: Vec<TcpListener>,
}

impl Bound {
    async fn new(host: LoopbackHost) -> io::Result<Self> {
        let first = TcpListener::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await?;
        let port = first.local_addr()?.port();
        let mut listeners = vec![first];
        let name = match host {
            LoopbackHost::Address => "127.0.0.1",
            LoopbackHost::Name => {
                // A machine without IPv6 does without.
                let second = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port);
                listeners.extend(TcpListener::bind(second).await.ok());
                "localhost"
            }
        };
        Ok(Self { origin: format!("http://{name}:{port}"), listeners })
    }
}

/// What a listener knows.
#[derive(Clone)]
struct Listening {
    origin: String,
    world: Arc<Mutex<World>>,
}

async fn accept(listener: TcpListener, site: Listening) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, site.clone()));
            }
            // Such as too many open files: others may be closed meanwhile.
            Err(_) => tokio::task::yield_now().await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, site: Listening) {
    let service = service_fn(|request| exchange(&site, request));
    // An error of one connection is the business of whoever is at its other end.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// An error closes the connection without an answer.
async fn exchange(
    site: &Listening,
    request: http::Request<Incoming>,
) -> Result<http::Response<Either<Full<Bytes>, CutOff>>, io::Error> {
    let answer = match read(site, request).await {
        Ok(request) => lock(&site.world).answer(now(), request),
        Err(refusal) => Some(refusal),
    };
    match answer {
        Some(answer) => {
            let whole = answer.extensions().get::<Dropped>().is_none();
            Ok(answer.map(Bytes::from).map(|body| {
                if whole { Either::Left(Full::new(body)) } else { Either::Right(CutOff::after(body)) }
            }))
        }
        None => Err(io::Error::other("the connection is closed without an answer")),
    }
}

/// A body that fails where it should go on.
struct CutOff {
    sent: Option<Bytes>,
    flushed: bool,
}

impl CutOff {
    fn after(sent: Bytes) -> Self {
        Self { sent: Some(sent), flushed: false }
    }
}

impl Body for CutOff {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(sent) = self.sent.take() {
            return Poll::Ready(Some(Ok(Frame::data(sent))));
        }
        if !self.flushed {
            // What was sent is to arrive before the connection is closed.
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(io::Error::other("the connection is closed within the answer"))))
    }
}

/// The request with its body and an absolute URI.
async fn read(site: &Listening, request: http::Request<Incoming>) -> Result<http::Request<Vec<u8>>, Answer> {
    let (mut parts, body) = request.into_parts();
    let host = parts.headers.get(http::header::HOST).map(|host| host.as_bytes().to_ascii_lowercase());
    // A name that only resolves to this address is somebody else's page (DNS rebinding).
    if !host.is_some_and(|host| addressed(&site.origin, &host)) {
        return Err(message::text(421, "The Host header is not this server's."));
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = format!("{}{path}", site.origin)
        .parse()
        .map_err(|_| message::text(400, "The request target cannot be read."))?;
    let body = Limited::new(body, MAX_BODY).collect().await;
    let body = body.map_err(|_| message::text(413, "The body is too large or was cut off."))?;
    Ok(http::Request::from_parts(parts, body.to_bytes().to_vec()))
}

fn addressed(origin: &str, host: &[u8]) -> bool {
    let Some((_, port)) = origin.rsplit_once(':') else { return false };
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| format!("{name}:{port}").as_bytes() == host)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    // A test that failed with the lock held leaves the world whole: no change of it is done halfway.
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
