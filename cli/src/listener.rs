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

/// The one path that is answered.
const PATH: &str = "/callback";
/// How long a connection may take in all.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many connections are served at once.
const CONNECTIONS: usize = 32;
/// The largest request head, in bytes.
const MAX_HEAD: usize = 16 << 10;

const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><meta name=color-scheme content=\"light dark\">\
<title>mcp-auth</title><style>body{font:1.1rem system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}\
</style><h1>Back to the terminal</h1><p>The answer has arrived. You can close this window.";

/// Listens on loopback until it is dropped.
pub(crate) struct Listener {
    port: u16,
    answers: mpsc::Receiver<String>,
    tasks: Vec<tokio::task::AbortHandle>,
}

impl Listener {
    /// Binds the port on 127.0.0.1, and on `::1` where that is to be had; 0 takes a free one. It is bound before
    /// any URL names it, so that nobody else can take the answer.
    pub(crate) async fn bind(port: u16) -> io::Result<Self> {
        let v4 = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let port = v4.local_addr()?.port();
        let v6 = TcpListener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).await.ok();
        let (sender, answers) = mpsc::channel(16);
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        let listen =
            |listener| tokio::spawn(accept(listener, port, sender.clone(), slots.clone())).abort_handle();
        let tasks = std::iter::once(v4).chain(v6).map(listen).collect();
        Ok(Self { port, answers, tasks })
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
        async move { Ok::<_, Infallible>(answer(&request, port, &answers)) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(false).max_buf_size(MAX_HEAD);
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

fn answer(request: &Request<Incoming>, port: u16, answers: &mpsc::Sender<String>) -> Response<Full<Bytes>> {
    // A page of another site that has made its name resolve to this machine sends that name (DNS rebinding).
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let ours = ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| host == format!("{name}:{port}"));
    if !ours || request.uri().path() != PATH {
        return page(StatusCode::NOT_FOUND, "");
    }
    if request.method() != Method::GET {
        return page(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    let given = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    // Whether it is the right answer is not known here, and the page does not say so.
    match answers.try_send(given) {
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
            (
                format!(
                    "GET /callback?code={} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
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

    #[tokio::test]
    async fn a_silent_connection_does_not_keep_a_good_one_waiting() {
        let mut listener = Listener::bind(0).await.unwrap();
        let port = listener.port;
        let _silent = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let request = format!("GET /callback?a HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
        let good = tokio::time::timeout(Duration::from_secs(5), say(port, &request)).await.unwrap();
        assert!(good.starts_with("HTTP/1.1 200"));
        assert_eq!(listener.next().await.unwrap(), "/callback?a");
    }
}
