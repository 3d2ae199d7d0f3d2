//! Authorization exchanges over HTTP: no redirects, limits and deadlines kept, addresses judged.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mcp_auth::{Reach, Send, SendFailure, Timestamp};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::error::Error;

/// Makes the builder that every HTTP client starts from.
pub(crate) type Factory = Arc<dyn Fn() -> reqwest::ClientBuilder + std::marker::Send + Sync>;

/// One HTTP client for each reach, because a resolver belongs to a client. Made when first used.
pub(crate) struct Transport {
    factory: Factory,
    trust_proxy: bool,
    public: OnceLock<reqwest::Client>,
    loopback: OnceLock<reqwest::Client>,
    any: OnceLock<reqwest::Client>,
    caller: reqwest::Client,
}

impl Transport {
    pub(crate) fn new(factory: Factory, trust_proxy: bool) -> Result<Self, Error> {
        // The caller's own requests go to the server that the caller named, by whatever proxy the caller set.
        let caller = factory().redirect(reqwest::redirect::Policy::none());
        let caller = caller.build().map_err(|error| Error::Setup(describe(&error)))?;
        let (public, loopback, any) = Default::default();
        Ok(Self { factory, trust_proxy, public, loopback, any, caller })
    }

    /// For the caller's own requests.
    pub(crate) fn caller(&self) -> &reqwest::Client {
        &self.caller
    }

    fn within(&self, reach: Reach) -> Result<reqwest::Client, String> {
        let slot = match reach {
            Reach::Public => &self.public,
            Reach::Loopback => &self.loopback,
            Reach::Any => &self.any,
        };
        if let Some(client) = slot.get() {
            return Ok(client.clone());
        }
        let mut builder = (self.factory)()
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(Judging { reach }));
        if !self.trust_proxy {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| describe(&error))?;
        Ok(slot.get_or_init(|| client).clone())
    }

    /// One exchange, from the connection to the last byte of the body.
    pub(crate) async fn exchange(
        &self,
        send: &Send,
        now: Timestamp,
    ) -> Result<http::Response<Vec<u8>>, SendFailure> {
        let client = self.within(send.reach()).map_err(SendFailure::NotSent)?;
        let request = reqwest::Request::try_from(send.request());
        let request = request.map_err(|error| SendFailure::NotSent(describe(&error.without_url())))?;
        // A deadline that has come gives a moment all the same, so that it is the machine that judges it.
        let span = send.deadline().since(now).max(Duration::from_secs(1));
        match tokio::time::timeout(span, answer(&client, request, send.max_bytes())).await {
            Ok(answer) => answer,
            Err(_) => Err(SendFailure::TimedOut),
        }
    }
}

async fn answer(
    client: &reqwest::Client,
    request: reqwest::Request,
    max_bytes: usize,
) -> Result<http::Response<Vec<u8>>, SendFailure> {
    let mut response = client.execute(request).await.map_err(failure)?;
    let mut answer = http::Response::new(Vec::new());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = response.headers().clone();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if answer.body().len().saturating_add(chunk.len()) > max_bytes {
            return Err(SendFailure::TooLarge);
        }
        answer.body_mut().extend_from_slice(&chunk);
    }
    Ok(answer)
}

fn failure(error: reqwest::Error) -> SendFailure {
    let error = error.without_url();
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(at) = cause {
        if let Some(refused) = at.downcast_ref::<NoAddress>() {
            return SendFailure::AddressRefused(refused.to_string());
        }
        cause = at.source();
    }
    if error.is_connect() || error.is_builder() {
        SendFailure::NotSent(describe(&error))
    } else {
        SendFailure::Interrupted(describe(&error))
    }
}

/// The error and its causes in one line, without any URL: a query may hold a secret.
pub(crate) fn describe(error: &reqwest::Error) -> String {
    let mut text = if error.url().is_some() { "an exchange failed".to_owned() } else { error.to_string() };
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Resolves names, and drops the addresses that may not be reached: at the time of connecting, so that a name that
/// changes its address is judged by the address that is used.
struct Judging {
    reach: Reach,
}

/// A name has no address that may be reached.
#[derive(Debug, thiserror::Error)]
#[error("{name} resolves only to addresses that may not be reached")]
struct NoAddress {
    name: String,
}

impl Resolve for Judging {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(judged(reach, name, found.into_iter())?)
        })
    }
}

fn judged(reach: Reach, name: String, found: impl Iterator<Item = SocketAddr>) -> Result<Addrs, NoAddress> {
    let allowed: Vec<_> = found.filter(|address| reach.allows(address.ip())).collect();
    if allowed.is_empty() { Err(NoAddress { name }) } else { Ok(Box::new(allowed.into_iter())) }
}

/// The builder when the caller gives none: TLS by rustls with ring, and the certificates that the operating system
/// trusts, because that is where companies put theirs.
pub(crate) fn default_factory() -> Result<Factory, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = versions.map_err(|error| Error::Setup(error.to_string()))?;
    let tls = match tls.clone().with_platform_verifier() {
        Ok(tls) => tls.with_no_client_auth(),
        Err(error) => {
            // A machine without any certificates can still speak to itself.
            tracing::warn!(target: "mcp_auth", %error, "no certificates are trusted; https will fail");
            tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
        }
    };
    Ok(Arc::new(move || reqwest::Client::builder().tls_backend_preconfigured(tls.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_out_of_reach_are_dropped() {
        let found = ["10.0.0.1:0", "1.1.1.1:0", "127.0.0.1:0"].map(|it| it.parse().unwrap());
        let kept =
            |reach| judged(reach, "x".into(), found.into_iter()).unwrap().map(|it| it.to_string()).collect();
        let public: Vec<String> = kept(Reach::Public);
        assert_eq!(public, ["1.1.1.1:0"]);
        let loopback: Vec<String> = kept(Reach::Loopback);
        assert_eq!(loopback, ["1.1.1.1:0", "127.0.0.1:0"]);
        let private = found.into_iter().filter(|it: &SocketAddr| it.ip().to_string().starts_with("10."));
        assert!(judged(Reach::Public, "x".into(), private).is_err());
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_refused() {
        let transport = Transport::new(default_factory().unwrap(), false).unwrap();
        let client = transport.within(Reach::Public).unwrap();
        let request = client.get("http://localhost:9/").build().unwrap();
        let refused = answer(&client, request, 10).await.unwrap_err();
        assert!(matches!(refused, SendFailure::AddressRefused(_)), "{refused:?}");
    }
}
