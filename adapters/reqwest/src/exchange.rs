//! HTTP, within the limits that the machine sets to each of its exchanges.

use std::error::Error as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mcp_auth::{Reach, SendFailure};
use mcp_auth_host::reach::{AddressRefused, check_literal};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use url::Url;

use crate::error::{Error, chain};
use crate::resolve::{Hosts, Resolver};

/// How long a connection may take to come about, unless the host's own builder says otherwise. It is shared out among
/// the addresses of a name, so that one where nobody answers does not use up the time of the others.
const CONNECT: Duration = Duration::from_secs(10);

/// How the host wants HTTP clients to be built.
pub(crate) type Factory = dyn Fn() -> ClientBuilder + Send + Sync;

/// One HTTP client for the caller's requests, and one for each reach of the authorization exchanges.
pub(crate) struct Http {
    factory: Arc<Factory>,
    own: Client,
    own_reach: Reach,
    /// The hosts of the exchanges, where a proxy is trusted: of all names that are looked up, these are judged.
    judged: Option<Hosts>,
    machine: OnceLock<Client>,
    public: OnceLock<Client>,
    loopback: OnceLock<Client>,
    any: OnceLock<Client>,
}

impl Http {
    /// `server`: the URL of the MCP server, to which the caller's requests go.
    pub(crate) fn new(factory: Option<Arc<Factory>>, trust_proxy: bool, server: &str) -> Result<Self, Error> {
        // Without a provider for the process reqwest panics, unless a builder brings its own; the host's may not, nor the
        // clients that it makes of the reqwest that is given out here.
        if CryptoProvider::get_default().is_none() {
            let _ = ring::default_provider().install_default();
        }
        let factory = match factory {
            Some(factory) => factory,
            None => default_factory()?,
        };
        // The person named the server, which may be anywhere; but only on the machine itself may a token go in clear.
        let in_clear = Url::parse(server).is_ok_and(|server| server.scheme() == "http");
        let own_reach = if in_clear { Reach::Machine } else { Reach::Any };
        // A redirect would carry the token along to wherever the server says.
        let own = factory().redirect(Policy::none());
        let own = if in_clear {
            own.no_proxy().dns_resolver(Resolver { reach: own_reach, judged: None })
        } else {
            own
        };
        let own = own.build().map_err(unusable)?;
        let (machine, public, loopback, any) = Default::default();
        let judged = trust_proxy.then(Hosts::default);
        Ok(Self { factory, own, own_reach, judged, machine, public, loopback, any })
    }

    /// One request of the caller's own, up to the header of its answer.
    pub(crate) async fn own(&self, request: reqwest::Request) -> Result<reqwest::Response, Error> {
        check_literal(request.url().host_str(), self.own_reach).map_err(Error::AddressRefused)?;
        self.own.execute(request).await.map_err(|error| match refused_address(&error) {
            Some(refused) => Error::AddressRefused(refused.to_string()),
            None => Error::transport(error),
        })
    }

    /// One exchange, from the name to the last byte.
    pub(crate) async fn exchange(
        &self,
        request: http::Request<Vec<u8>>,
        reach: Reach,
        max_bytes: usize,
        within: Duration,
    ) -> Result<http::Response<Vec<u8>>, SendFailure> {
        let work = async { read(self.answered(request, reach).await?, max_bytes).await };
        tokio::time::timeout(within, work).await.unwrap_or(Err(SendFailure::TimedOut))
    }

    /// One exchange, up to the header of its answer.
    pub(crate) async fn head(
        &self,
        request: http::Request<Vec<u8>>,
        reach: Reach,
        within: Duration,
    ) -> Result<http::Response<()>, SendFailure> {
        let work = async {
            let mut answer = self.answered(request, reach).await?;
            let mut response = http::Response::new(());
            *response.status_mut() = answer.status();
            *response.headers_mut() = std::mem::take(answer.headers_mut());
            Ok(response)
        };
        tokio::time::timeout(within, work).await.unwrap_or(Err(SendFailure::TimedOut))
    }

    async fn answered(
        &self,
        request: http::Request<Vec<u8>>,
        reach: Reach,
    ) -> Result<reqwest::Response, SendFailure> {
        let client = self.client(reach)?;
        let request = reqwest::Request::try_from(request).map_err(failure)?;
        // The host that is connected to, which this parser may spell otherwise than it came.
        check_literal(request.url().host_str(), reach).map_err(SendFailure::AddressRefused)?;
        if let Some((judged, host)) = self.judged.as_ref().zip(request.url().host_str()) {
            judged.add(host);
        }
        client.execute(request).await.map_err(failure)
    }

    fn client(&self, reach: Reach) -> Result<&Client, SendFailure> {
        let kept = match reach {
            Reach::Machine => &self.machine,
            Reach::Public => &self.public,
            Reach::Loopback => &self.loopback,
            Reach::Any => &self.any,
        };
        if let Some(client) = kept.get() {
            return Ok(client);
        }
        let client = self.limited(reach).build().map_err(|error| SendFailure::NotSent(chain(error)))?;
        Ok(kept.get_or_init(|| client))
    }

    fn limited(&self, reach: Reach) -> ClientBuilder {
        // To the machine itself goes what is in clear, and a proxy would take it elsewhere.
        let judged = self.judged.clone().filter(|_| reach != Reach::Machine);
        let proxied = judged.is_some();
        let builder = (self.factory)()
            .redirect(Policy::none())
            .dns_resolver(Resolver { reach, judged })
            // What is sent twice may be a code or a rotating refresh token, which kills the grant. For the same
            // reason no connection is kept: a request on one that the server is just closing is lost in between.
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            // The byte limit is to count what came over the wire, and a verbose connection shows it in the log.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .connection_verbose(false);
        if proxied { builder } else { builder.no_proxy() }
    }
}

/// rustls with ring and the operating system's trust. A system without any root certificate is no reason to fail
/// here: a server on loopback needs none, and every other one is refused when it shows its certificate.
fn default_factory() -> Result<Arc<Factory>, Error> {
    let provider = Arc::new(ring::default_provider());
    let versions = || {
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions();
        builder.map_err(|error| Error::configuration("TLS", "TLS 1.2 or 1.3", &error.to_string()))
    };
    let trusting = match versions()?.with_platform_verifier() {
        Ok(builder) => builder,
        Err(error) => {
            tracing::warn!(target: "mcp_auth", %error, "no TLS server will be trusted");
            versions()?.with_root_certificates(RootCertStore::empty())
        }
    };
    let tls = trusting.with_no_client_auth();
    Ok(Arc::new(move || Client::builder().connect_timeout(CONNECT).tls_backend_preconfigured(tls.clone())))
}

fn unusable(error: reqwest::Error) -> Error {
    Error::configuration("HTTP client", "a builder that makes one", &chain(error))
}

async fn read(
    mut answer: reqwest::Response,
    max_bytes: usize,
) -> Result<http::Response<Vec<u8>>, SendFailure> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failure)? {
        if chunk.len() > max_bytes.saturating_sub(body.len()) {
            return Err(SendFailure::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = http::Response::new(body);
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

fn failure(error: reqwest::Error) -> SendFailure {
    if let Some(refused) = refused_address(&error) {
        SendFailure::AddressRefused(refused.to_string())
    } else if error.is_builder() || error.is_connect() {
        SendFailure::NotSent(chain(error))
    } else if error.is_timeout() {
        SendFailure::TimedOut
    } else {
        SendFailure::Interrupted(chain(error))
    }
}

fn refused_address(error: &reqwest::Error) -> Option<&AddressRefused> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref() {
            return Some(refused);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
#[path = "../../host/tests/rig/addresses.rs"]
mod addresses;

#[cfg(test)]
mod tests {
    use super::*;

    async fn failed(url: &str, reach: Reach) -> SendFailure {
        let http = Http::new(None, false, "https://mcp.example/mcp").unwrap();
        let request = http::Request::get(url).body(Vec::new()).unwrap();
        http.exchange(request, reach, 1024, Duration::from_secs(10)).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_name_of_the_machine_itself_is_not_public() {
        let failure = failed("http://localhost:1/x?code=hush", Reach::Public).await;
        assert!(matches!(&failure, SendFailure::AddressRefused(_)), "{failure:?}");
        // The same name is connected to, in vain, where it may be reached.
        let failure = failed("http://localhost:1/x?code=hush", Reach::Loopback).await;
        assert!(matches!(&failure, SendFailure::NotSent(text) if !text.contains("hush")), "{failure:?}");
    }

    #[tokio::test]
    async fn an_address_in_the_url_is_judged_too() {
        for host in super::addresses::NOT_PUBLIC {
            let failure = failed(&format!("http://{host}:1/"), Reach::Public).await;
            assert!(matches!(&failure, SendFailure::AddressRefused(_)), "{host}: {failure:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_may_have_arrived() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token?code=hush", listener.local_addr().unwrap());
        let (failure, _) = tokio::join!(failed(&url, Reach::Loopback), async {
            let (stream, _) = listener.accept().await.unwrap();
            stream.readable().await.unwrap();
        });
        assert!(matches!(&failure, SendFailure::Interrupted(text) if !text.contains("hush")), "{failure:?}");
    }

    fn proxied(host: &str, port: u16, past: Option<reqwest::NoProxy>) -> Http {
        let proxy = format!("http://{host}:{port}");
        let proxy = move || reqwest::Proxy::all(&proxy).unwrap().no_proxy(past.clone());
        let factory = move || Client::builder().proxy(proxy());
        Http::new(Some(Arc::new(factory)), true, "https://mcp.example/mcp").unwrap()
    }

    async fn asked(http: &Http, url: &str) -> SendFailure {
        let request = http::Request::get(url).body(Vec::new()).unwrap();
        http.exchange(request, Reach::Public, 1024, Duration::from_secs(10)).await.unwrap_err()
    }

    /// It is usually in a private network, and has a name there.
    #[tokio::test]
    async fn a_trusted_proxy_may_be_at_any_address() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = proxied("localhost", listener.local_addr().unwrap().port(), None);
        let serving = async {
            let accepted = tokio::time::timeout(Duration::from_secs(5), listener.accept()).await;
            let (mut stream, _) = accepted.expect("the proxy is not asked").unwrap();
            let mut head = [0; 1024];
            let length = tokio::io::AsyncReadExt::read(&mut stream, &mut head).await.unwrap();
            String::from_utf8_lossy(&head[..length]).into_owned()
        };
        let (_, head) = tokio::join!(asked(&http, "https://as.example/token"), serving);
        assert!(head.starts_with("CONNECT as.example:443"), "{head}");
    }

    #[tokio::test]
    async fn what_goes_past_a_trusted_proxy_is_judged() {
        let http = proxied("127.0.0.1", 1, reqwest::NoProxy::from_string("localhost"));
        let failure = asked(&http, "https://localhost:1/token").await;
        assert!(matches!(&failure, SendFailure::AddressRefused(_)), "{failure:?}");
    }
}
