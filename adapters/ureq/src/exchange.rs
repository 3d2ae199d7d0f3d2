//! HTTP, within the limits that the machine sets to each of its exchanges.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mcp_auth::{Reach, SendFailure};
use mcp_auth_host::reach::{AddressRefused, check_literal};
use rustls::crypto::ring;
use ureq::config::ConfigBuilder;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::typestate::AgentScope;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, Timeout};
use url::Url;

use crate::connect::{Filter, Witness};
use crate::error::{Error, said};
use crate::payload::Payload;

/// How long a connection may take to come about, unless the host's own builder says otherwise. It is shared out among
/// the addresses of a name, so that one where nobody answers does not use up the time of the others.
const CONNECT: Duration = Duration::from_secs(10);

/// How the host wants HTTP clients to be built.
pub(crate) type Factory = dyn Fn() -> ConfigBuilder<AgentScope> + Send + Sync;

/// One HTTP client for the caller's requests, and one for each authorization exchange.
pub(crate) struct Http {
    factory: Box<Factory>,
    trust_proxy: bool,
    tls: TlsConfig,
    connector: Arc<DefaultConnector>,
    own: Agent,
    own_reach: Reach,
}

/// One authorization exchange, which can be broken off from outside.
pub(crate) struct Exchange {
    agent: Agent,
    reach: Reach,
    connected: Arc<AtomicBool>,
}

impl Http {
    /// `server`: the URL of the MCP server, to which the caller's requests go.
    pub(crate) fn new(factory: Option<Box<Factory>>, trust_proxy: bool, server: &str) -> Self {
        let factory =
            factory.unwrap_or_else(|| Box::new(|| Agent::config_builder().timeout_connect(Some(CONNECT))));
        let tls = trust(factory().build().tls_config());
        // The person named the server, which may be anywhere; but only on the machine itself may a token go in clear.
        let in_clear = Url::parse(server).is_ok_and(|server| server.scheme() == "http");
        let own_reach = if in_clear { Reach::Machine } else { Reach::Any };
        let own = unled(factory()).tls_config(tls.clone());
        let own = if in_clear {
            let filter = Filter { reach: own_reach };
            Agent::with_parts(own.proxy(None).build(), DefaultConnector::new(), filter)
        } else {
            Agent::new_with_config(own.build())
        };
        Self { factory, trust_proxy, tls, connector: Arc::default(), own, own_reach }
    }

    /// One request of the caller's own, up to the header of its answer.
    pub(crate) fn own(
        &self,
        head: &http::request::Parts,
        payload: &mut Payload,
    ) -> Result<http::Response<Body>, Error> {
        check_literal(head.uri.host(), self.own_reach).map_err(Error::AddressRefused)?;
        payload.sent_by(&self.own, head).map_err(|error| match refused_address(&error) {
            Some(refused) => Error::AddressRefused(refused.to_string()),
            None => Error::transport(&head.uri, error),
        })
    }

    /// Prepares one exchange, with a client of its own. So no connection is kept: what is sent twice may be a code or a
    /// rotating refresh token, which kills the grant, and a request on a connection that the server is just closing is
    /// lost in between.
    pub(crate) fn exchange(&self, reach: Reach, within: Duration) -> Exchange {
        // What the host set for its own requests is not for these, where it would change what is sent or counted.
        let config = unled((self.factory)()).tls_config(self.tls.clone()).accept_encoding("");
        let config = config.timeout_global(Some(within)).max_idle_connections(0);
        // To the machine itself goes what is in clear, and a proxy would take it elsewhere.
        let proxied = self.trust_proxy && reach != Reach::Machine;
        let config = if proxied { config } else { config.proxy(None) }.build();
        let connected = Arc::<AtomicBool>::default();
        let witness = Witness {
            inner: self.connector.clone(),
            proxy: config.proxy().map(|proxy| proxy.uri().clone()),
            connected: connected.clone(),
        };
        Exchange { agent: Agent::with_parts(config, witness, Filter { reach }), reach, connected }
    }
}

/// No redirect is followed: it would carry a token along to wherever the server says. And an answer is an answer,
/// whatever its status.
fn unled(builder: ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope> {
    builder.max_redirects(0).max_redirects_will_error(false).http_status_as_error(false)
}

/// The host's TLS, with what it left open: ring, and the operating system's trust. ureq's own default is a list of roots
/// that is linked in, and not part of this build.
fn trust(host: &TlsConfig) -> TlsConfig {
    let roots = match host.root_certs() {
        RootCerts::WebPki => RootCerts::PlatformVerifier,
        other => other.clone(),
    };
    let mut tls = TlsConfig::builder()
        .provider(host.provider())
        .client_cert(host.client_cert().cloned())
        .root_certs(roots)
        .use_sni(host.use_sni())
        .disable_verification(host.disable_verification());
    if host.provider() == TlsProvider::Rustls {
        let given = host.unversioned_rustls_crypto_provider().clone();
        let provider = given.unwrap_or_else(|| Arc::new(ring::default_provider()));
        tls = tls.unversioned_rustls_crypto_provider(provider);
    }
    tls.build()
}

impl Exchange {
    /// What breaks it off: whoever waits for its answer gets an error at once.
    pub(crate) fn stop(&self) -> impl FnOnce() + Send + use<> {
        let agent = self.agent.clone();
        move || agent.shutdown()
    }

    /// From the name to the last byte.
    pub(crate) fn run(
        &self,
        request: http::Request<Vec<u8>>,
        max_bytes: usize,
    ) -> Result<http::Response<Vec<u8>>, SendFailure> {
        check_literal(request.uri().host(), self.reach).map_err(SendFailure::AddressRefused)?;
        let (head, body) = request.into_parts();
        let answer = Payload::from(body).sent_by(&self.agent, &head);
        let (head, body) = answer.map_err(|error| self.failure(&error))?.into_parts();
        Ok(http::Response::from_parts(head, self.read(body, max_bytes)?))
    }

    /// The limit counts what is kept. A host that turns on ureq's decompression for itself has it here too, where a
    /// server compresses without being asked, and then it is what comes of it that is counted.
    fn read(&self, body: Body, max_bytes: usize) -> Result<Vec<u8>, SendFailure> {
        let mut reader = body.into_with_config().limit(u64::MAX).reader();
        let (mut kept, mut chunk) = (Vec::new(), [0; 8192]);
        loop {
            let read = reader.read(&mut chunk).map_err(|error| self.failure(&error.into()))?;
            let Some(fresh) = chunk.get(..read).filter(|fresh| !fresh.is_empty()) else { return Ok(kept) };
            if fresh.len() > max_bytes.saturating_sub(kept.len()) {
                return Err(SendFailure::TooLarge);
            }
            kept.extend_from_slice(fresh);
        }
    }

    fn failure(&self, error: &ureq::Error) -> SendFailure {
        if let Some(refused) = refused_address(error) {
            return SendFailure::AddressRefused(refused.to_string());
        }
        match error {
            ureq::Error::Timeout(Timeout::Global) => SendFailure::TimedOut,
            _ if !self.connected.load(Ordering::SeqCst) => SendFailure::NotSent(said(error)),
            ureq::Error::Timeout(_) => SendFailure::TimedOut,
            ureq::Error::LargeResponseHeader(..) => SendFailure::TooLarge,
            _ => SendFailure::Interrupted(said(error)),
        }
    }
}

fn refused_address(error: &ureq::Error) -> Option<&AddressRefused> {
    match error {
        ureq::Error::Other(other) => other.downcast_ref(),
        _ => None,
    }
}

#[cfg(test)]
#[path = "../../host/tests/rig/addresses.rs"]
mod addresses;

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::thread::{self, JoinHandle};
    use std::time::Instant;

    use super::*;

    fn answered(url: &str, reach: Reach, within: Duration) -> Result<Vec<u8>, SendFailure> {
        let http = Http::new(None, false, "https://mcp.example/mcp");
        let request = http::Request::post(url).body(b"code=hush".to_vec()).unwrap();
        let answer = http.exchange(reach, within).run(request, 1024);
        if let Err(failure) = &answer {
            assert!(!format!("{failure:?}").contains("hush"), "{failure:?}");
        }
        answer.map(http::Response::into_body)
    }

    fn failed(url: &str, reach: Reach) -> SendFailure {
        answered(url, reach, Duration::from_secs(10)).unwrap_err()
    }

    /// Somebody who does `with` each connection what a server must not, and how many there were.
    fn server(with: impl Fn(TcpStream) + Send + 'static) -> (String, JoinHandle<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = listener.local_addr().unwrap().to_string();
        let serving = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            with(stream);
            listener.set_nonblocking(true).unwrap();
            thread::sleep(Duration::from_millis(100));
            1 + std::iter::from_fn(|| listener.accept().ok()).count()
        });
        (origin, serving)
    }

    /// What comes of a request to somebody who reads it and gives `bytes`. It is sent once, whatever comes of it.
    fn given(bytes: &'static [u8]) -> Result<Vec<u8>, SendFailure> {
        let (origin, serving) = server(move |mut stream| {
            let mut asked = Vec::new();
            while !asked.ends_with(b"code=hush") {
                let mut chunk = [0; 512];
                let read = stream.read(&mut chunk).unwrap();
                asked.extend_from_slice(&chunk[..read]);
            }
            let _ = stream.write_all(bytes);
            let _ = stream.shutdown(Shutdown::Write);
        });
        let url = format!("http://{origin}/token?code=hush");
        let answer = answered(&url, Reach::Loopback, Duration::from_secs(10));
        assert_eq!(serving.join().unwrap(), 1, "it was sent again");
        answer
    }

    #[test]
    fn a_name_of_the_machine_itself_is_not_public() {
        let failure = failed("http://localhost:1/x?code=hush", Reach::Public);
        assert!(matches!(&failure, SendFailure::AddressRefused(_)), "{failure:?}");
        // The same name is connected to, in vain, where it may be reached.
        let failure = failed("http://localhost:1/x?code=hush", Reach::Loopback);
        assert!(matches!(&failure, SendFailure::NotSent(_)), "{failure:?}");
    }

    #[test]
    fn an_address_in_the_url_is_judged_too() {
        for host in super::addresses::NOT_PUBLIC {
            let failure = failed(&format!("http://{host}:1/"), Reach::Public);
            assert!(matches!(&failure, SendFailure::AddressRefused(_)), "{host}: {failure:?}");
        }
    }

    #[test]
    fn an_answer_that_breaks_off_may_have_arrived() {
        for bytes in [
            &b""[..],
            b"HTTP/1.1 200 OK\r\ncontent-le",
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{}",
            b"SSH-2.0-OpenSSH\r\n",
        ] {
            let failure = given(bytes).unwrap_err();
            assert!(matches!(&failure, SendFailure::Interrupted(_)), "{bytes:?}: {failure:?}");
        }
        assert_eq!(given(b"HTTP/1.1 404 No\r\ncontent-length: 2\r\n\r\n{}").unwrap(), b"{}");
    }

    #[test]
    fn what_is_larger_than_allowed_is_said_to_be() {
        const LENGTH: usize = 80 * 1024;
        let head = "HTTP/1.1 200 OK\r\nx: ".to_owned() + &"x".repeat(LENGTH);
        let failure = given(head.leak().as_bytes()).unwrap_err();
        assert_eq!(failure, SendFailure::TooLarge);
        let chunk = "HTTP/1.1 200 OK\r\n\r\n".to_owned() + &"x".repeat(1025);
        assert_eq!(given(chunk.leak().as_bytes()).unwrap_err(), SendFailure::TooLarge);
    }

    #[test]
    fn without_tls_nothing_was_sent() {
        let (origin, serving) = server(|mut stream| {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            let _ = stream.read(&mut [0; 4096]);
        });
        let failure = failed(&format!("https://{origin}/token"), Reach::Loopback);
        assert!(matches!(&failure, SendFailure::NotSent(_)), "{failure:?}");
        serving.join().unwrap();
    }

    #[test]
    fn one_who_says_little_by_little_is_given_up_at_the_deadline() {
        let (origin, serving) = server(|mut stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        let begun = Instant::now();
        let url = format!("http://{origin}/token");
        let answer = answered(&url, Reach::Loopback, Duration::from_millis(500));
        assert_eq!(answer.unwrap_err(), SendFailure::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        serving.join().unwrap();
    }

    #[test]
    fn one_that_is_broken_off_from_outside_ends_at_once() {
        let (origin, serving) =
            server(|mut stream| while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {});
        let http = Http::new(None, false, "https://mcp.example/mcp");
        let exchange = http.exchange(Reach::Loopback, Duration::from_secs(60));
        let stop = exchange.stop();
        let begun = Instant::now();
        let stopping = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            stop();
        });
        let request = http::Request::get(format!("http://{origin}/")).body(Vec::new()).unwrap();
        let failure = exchange.run(request, 1024).unwrap_err();
        assert!(matches!(&failure, SendFailure::Interrupted(_)), "{failure:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        stopping.join().unwrap();
        serving.join().unwrap();
    }

    #[test]
    fn a_trusted_proxy_is_reached_and_what_it_does_not_connect_was_not_sent() {
        let (origin, serving) = server(|mut stream| {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut chunk = [0; 512];
                let read = stream.read(&mut chunk).unwrap();
                asked.extend_from_slice(&chunk[..read]);
            }
            assert!(asked.starts_with(b"CONNECT as.example:443 "));
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n");
        });
        // By name: it is for the host to say where its proxy is.
        let proxy = origin.replace("127.0.0.1", "localhost");
        let factory = move || {
            let proxy = ureq::Proxy::new(&format!("http://{proxy}")).unwrap();
            Agent::config_builder().proxy(Some(proxy))
        };
        let http = Http::new(Some(Box::new(factory)), true, "https://mcp.example/mcp");
        let request = http::Request::post("https://as.example/token").body(b"code=hush".to_vec()).unwrap();
        let failure = http.exchange(Reach::Public, Duration::from_secs(10)).run(request, 1024).unwrap_err();
        assert!(matches!(&failure, SendFailure::NotSent(why) if why.contains("403")), "{failure:?}");
        assert_eq!(serving.join().unwrap(), 1);
        // What is in clear goes through no proxy, and not away.
        let request = http::Request::post("http://192.0.2.2/token").body(Vec::new()).unwrap();
        let failure = http.exchange(Reach::Machine, Duration::from_secs(1)).run(request, 1024).unwrap_err();
        assert!(matches!(&failure, SendFailure::AddressRefused(_)), "{failure:?}");
    }

    #[test]
    fn the_hosts_own_configuration_is_taken_as_far_as_it_may_be() {
        let factory = || Agent::config_builder().https_only(true).timeout_global(Some(Duration::ZERO));
        let http = Http::new(Some(Box::new(factory)), false, "https://mcp.example/mcp");
        let request = http::Request::get("http://127.0.0.1:1/x?code=hush").body(Vec::new()).unwrap();
        let failure = http.exchange(Reach::Loopback, Duration::from_secs(1)).run(request, 1024).unwrap_err();
        assert!(matches!(&failure, SendFailure::NotSent(why) if !why.contains("hush")), "{failure:?}");
    }
}
