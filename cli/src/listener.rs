//! The loopback listener (RFC 8252 §7.3): takes what a browser brings to the redirect URI, and nothing else.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use url::form_urlencoded;

/// The one path that is answered.
const PATH: &str = "/callback";
/// How long a connection may take in all.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to say what it wants, which a browser says at once.
const HEAD: Duration = Duration::from_secs(2);
/// How long it then waits for the login to take its answer; there is time left to say how that went.
const HAND_OVER: Duration = Duration::from_secs(7);
/// How many connections are served at once.
const CONNECTIONS: usize = 64;
/// How many ports are tried when any will do.
const TRIES: usize = 16;
/// The largest request head, in bytes.
const MAX_HEAD: usize = 16 << 10;

const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><meta name=color-scheme content=\"light dark\">\
<title>mcp-auth</title><style>body{font:1.1rem system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}\
</style><h1>Back to the terminal</h1><p>The answer has arrived. You can close this window.";

const STATELESS: &str =
    "<!doctype html><title>mcp-auth</title><p>This is no answer to a login: it has no state.";

/// Listens on loopback until it is dropped.
pub(crate) struct Listener {
    port: u16,
    answers: mpsc::Receiver<String>,
    tasks: Vec<tokio::task::AbortHandle>,
}

impl Listener {
    /// Binds the port on 127.0.0.1 and on `::1`; 0 takes one that is free on both. It is bound before any URL names
    /// it, so that nobody else can take the answer.
    pub(crate) async fn bind(port: u16) -> Result<Self, String> {
        Self::first_of(std::iter::repeat_n(port, if port == 0 { TRIES } else { 1 })).await
    }

    /// Binds the first of these ports that nobody else has on either address.
    async fn first_of(ports: impl Iterator<Item = u16>) -> Result<Self, String> {
        let mut failed = String::new();
        for port in ports {
            match pair(port).await {
                Ok((port, v4, v6)) => return Ok(Self::on(port, v4, v6)),
                Err(why) => failed = why,
            }
        }
        Err(failed)
    }

    fn on(port: u16, v4: TcpListener, v6: Option<TcpListener>) -> Self {
        let (sender, answers) = mpsc::channel(16);
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        let listen =
            |listener| tokio::spawn(accept(listener, port, sender.clone(), slots.clone())).abort_handle();
        let tasks = std::iter::once(v4).chain(v6).map(listen).collect();
        Self { port, answers, tasks }
    }

    /// The redirect URI, with this name for the machine.
    pub(crate) fn redirect_uri(&self, host: &str) -> String {
        format!("http://{host}:{}{PATH}", self.port)
    }

    /// The next answer: its path and query.
    pub(crate) async fn next(&mut self) -> Option<String> {
        self.answers.recv().await
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

/// The port on both addresses, or on 127.0.0.1 alone where the machine has no IPv6. A browser that is sent to
/// `localhost` may try `::1` first, so whoever else listens there would be given the answer.
async fn pair(port: u16) -> Result<(u16, TcpListener, Option<TcpListener>), String> {
    let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let v4 = TcpListener::bind(v4).await.map_err(|error| unbound(v4, &error))?;
    let port = v4.local_addr().map_err(|error| error.to_string())?.port();
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    match TcpListener::bind(v6).await {
        Ok(v6) => Ok((port, v4, Some(v6))),
        Err(error) if is_without_family(&error) => Ok((port, v4, None)),
        Err(error) => Err(unbound(v6, &error)),
    }
}

/// Whether the machine does not know the address at all, so that nobody can listen there.
fn is_without_family(error: &io::Error) -> bool {
    // EAFNOSUPPORT, which has no kind of its own.
    let unknown = if cfg!(windows) {
        10047
    } else if cfg!(any(target_os = "linux", target_os = "android")) {
        97
    } else {
        47
    };
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(unknown)
}

fn unbound(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "{address} is in use, and whoever listens there would be given the answer of the login. Stop that \
            program, or take another port with --port"
        ),
        _ => format!("{address} cannot be listened on: {error}"),
    }
}

async fn accept(listener: TcpListener, port: u16, answers: mpsc::Sender<String>, slots: Arc<Semaphore>) {
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let answers = answers.clone();
        // A slow connection must not keep a good one waiting.
        tokio::spawn(async move {
            let _ = tokio::time::timeout(PATIENCE, serve(stream, port, answers)).await;
            drop(slot);
        });
    }
}

async fn serve(stream: TcpStream, port: u16, answers: mpsc::Sender<String>) {
    let service = service_fn(move |request| {
        let answers = answers.clone();
        async move { Ok::<_, Infallible>(answer(&request, port, &answers).await) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD).keep_alive(false).max_buf_size(MAX_HEAD);
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: &Request<Incoming>,
    port: u16,
    answers: &mpsc::Sender<String>,
) -> Response<Full<Bytes>> {
    // A page of another site that has made its name resolve to this machine sends that name (DNS rebinding).
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let ours = ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| host == format!("{name}:{port}"));
    if !ours || request.uri().path() != PATH {
        return page(StatusCode::NOT_FOUND, "");
    }
    if request.method() != Method::GET {
        return page(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    // Every answer to a request that had a `state` has it too (RFC 6749 §4.1.2), and what has none is not one.
    let query = request.uri().query().unwrap_or_default();
    if !form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "state") {
        return page(StatusCode::BAD_REQUEST, STATELESS);
    }
    let given = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    // Whether it is the right answer is not known here, and the page does not say so.
    match answers.send_timeout(given, HAND_OVER).await {
        Ok(()) => page(StatusCode::OK, PAGE),
        Err(_) => page(StatusCode::SERVICE_UNAVAILABLE, ""),
    }
}

fn page(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ] {
        response.headers_mut().insert(name, http::HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn say(port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn only_a_get_of_the_path_counts() {
        let mut listener = Listener::bind(0).await.unwrap();
        let port = listener.port;
        for (request, status) in [
            (format!("GET /favicon.ico HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"), "404"),
            (format!("GET /callback/x?code=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"), "404"),
            (
                format!(
                    "POST /callback?code=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\n\r\n"
                ),
                "405",
            ),
            ("GET /callback?code=1 HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), "404"),
            (format!("GET /callback?code=1 HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n"), "404"),
            ("GET /callback?code=1 HTTP/1.1\r\n\r\n".to_owned(), "404"),
            (format!("GET /callback?code=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"), "400"),
            (format!("GET /callback?xstate=1&x=state HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"), "400"),
            (format!("GET /callback HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"), "400"),
            (
                format!(
                    "GET /callback?state={} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
                    "x".repeat(40_000)
                ),
                "4",
            ),
        ] {
            let answer = say(port, &request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request:.60} {answer:.60}");
        }
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            let request = format!("GET /callback?code=1&state=2 HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
            let answer = say(port, &request).await;
            assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("close this window"));
            assert!(!answer.contains("<script") && !answer.contains("src="));
            assert_eq!(listener.next().await.unwrap(), "/callback?code=1&state=2");
        }
    }

    fn get(port: u16, query: &str) -> String {
        format!("GET /callback?{query} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")
    }

    #[tokio::test]
    async fn silent_connections_do_not_keep_a_good_one_waiting() {
        let mut listener = Listener::bind(0).await.unwrap();
        let port = listener.port;
        let mut silent = Vec::new();
        // More than are served at once.
        for _ in 0..CONNECTIONS + 16 {
            silent.push(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap());
        }
        let request = get(port, "code=1&state=2");
        let good =
            tokio::time::timeout(Duration::from_secs(6), say(port, &request)).await.expect("no long wait");
        assert!(good.starts_with("HTTP/1.1 200"), "{good}");
        assert_eq!(listener.next().await.unwrap(), "/callback?code=1&state=2");
    }

    #[tokio::test]
    async fn the_answer_is_not_lost_behind_others() {
        let mut listener = Listener::bind(0).await.unwrap();
        let port = listener.port;
        // More than the channel holds, and nobody takes them yet.
        let mut strangers: Vec<_> = (0..24)
            .map(|count| tokio::spawn(async move { say(port, &get(port, &format!("state={count}"))).await }))
            .collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let good = tokio::spawn(async move { say(port, &get(port, "code=1&state=ours")).await });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let taken = async { while listener.next().await.unwrap() != "/callback?code=1&state=ours" {} };
        tokio::time::timeout(Duration::from_secs(5), taken).await.expect("the answer comes");
        strangers.push(good);
        for answered in strangers {
            let answered = answered.await.unwrap();
            assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
        }
    }

    /// A listener of someone else's on `::1`, if the machine has that.
    fn squatter() -> Option<(std::net::TcpListener, u16)> {
        let squatter = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0));
        match squatter {
            Ok(squatter) => {
                let port = squatter.local_addr().unwrap().port();
                Some((squatter, port))
            }
            Err(error) => {
                assert!(is_without_family(&error), "{error}");
                None
            }
        }
    }

    #[tokio::test]
    async fn a_port_that_another_has_on_the_other_address_is_not_used() {
        let Some((_squatter, port)) = squatter() else { return };
        let refused = Listener::bind(port).await.err().expect("the port is not ours alone");
        assert!(
            refused.starts_with(&format!("[::1]:{port} is in use")) && refused.contains("--port"),
            "{refused}"
        );
        // Where any port will do, the next one is tried.
        let listener = Listener::first_of([port, 0].into_iter()).await.unwrap();
        assert_ne!(listener.port, port);
        let v6 = TcpStream::connect((Ipv6Addr::LOCALHOST, listener.port)).await;
        assert!(v6.is_ok(), "it listens on both");
    }

    #[tokio::test]
    async fn a_port_that_another_has_is_not_used() {
        let held = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        let refused = Listener::bind(port).await.err().expect("the port is not ours");
        assert!(refused.starts_with(&format!("127.0.0.1:{port} is in use")), "{refused}");
    }

    #[test]
    fn only_a_machine_without_the_family_goes_without() {
        use io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied, Unsupported};
        let of = |kind| is_without_family(&io::Error::from(kind));
        assert!(of(AddrNotAvailable) && of(Unsupported));
        assert!(!of(AddrInUse) && !of(PermissionDenied));
    }
}
