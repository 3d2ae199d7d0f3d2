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
