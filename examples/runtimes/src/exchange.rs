//! Requests, in code that blocks.

use std::io::{self, Read as _};
use std::time::Duration;

use http::{Method, Request, Response, Uri, header};
use mcp_auth::{Reach, Send, SendFailure};
use mcp_auth_host::reach::{AddressRefused, permitted};
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body, Error};
use url::Url;

/// A request of the visitor's own. It carries a token in clear, so it stays on this machine.
pub(crate) fn own(request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Error> {
    let (head, mut body) = sent(request, Reach::Machine, Duration::from_secs(30))?.into_parts();
    Ok(Response::from_parts(head, body.read_to_vec()?))
}

/// Where a browser is sent from `url`.
pub(crate) fn browsed(url: &Url) -> Option<String> {
    let request = Request::get(url.as_str()).body(Vec::new()).ok()?;
    let answer = sent(request, Reach::Machine, Duration::from_secs(30)).ok()?;
    answer.headers().get(header::LOCATION)?.to_str().ok().map(str::to_owned)
}

/// One exchange of the machine's, within its limits.
pub(crate) fn limited(send: &Send, within: Duration) -> Result<Response<Vec<u8>>, SendFailure> {
    let answer = sent(send.request(), send.reach(), within).map_err(failure)?;
    let (head, body) = answer.into_parts();
    let mut kept = Vec::new();
    let limit = u64::try_from(send.max_bytes()).unwrap_or(u64::MAX);
    body.into_reader()
        .take(limit.saturating_add(1))
        .read_to_end(&mut kept)
        .map_err(|why| failure(why.into()))?;
    if kept.len() > send.max_bytes() {
        return Err(SendFailure::TooLarge);
    }
    Ok(Response::from_parts(head, kept))
}

/// No redirect, no proxy, no connection that is used again, and nothing sent twice.
fn sent(request: Request<Vec<u8>>, reach: Reach, within: Duration) -> Result<Response<Body>, Error> {
    if request.uri().scheme_str() != Some("http") {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "this example has no TLS").into());
    }
    let config = Agent::config_builder()
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(within))
        .build();
    let agent = Agent::with_parts(config, DefaultConnector::new(), Filter(reach));
    let bodiless = request.method() == Method::GET;
    if bodiless { agent.run(request.map(|_| ())) } else { agent.run(request) }
}

/// The system's resolver, less the addresses that may not be reached.
#[derive(Debug)]
struct Filter(Reach);

impl Resolver for Filter {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        let permitted = permitted(self.0, uri.host().unwrap_or_default(), found.iter().copied());
        let mut addresses = self.empty();
        let permitted = permitted.map_err(|refused| Error::Other(Box::new(refused)))?;
        permitted.into_iter().for_each(|address| addresses.push(address));
        Ok(addresses)
    }
}

/// What is not known to have failed before anything was sent may have arrived.
fn failure(error: Error) -> SendFailure {
    match error {
        Error::Timeout(_) => SendFailure::TimedOut,
        Error::Other(why) if why.is::<AddressRefused>() => SendFailure::AddressRefused(why.to_string()),
        Error::HostNotFound => SendFailure::NotSent("the host is not found".to_owned()),
        Error::Io(why)
            if matches!(why.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::Unsupported) =>
        {
            SendFailure::NotSent(why.to_string())
        }
        why => SendFailure::Interrupted(why.to_string()),
    }
}
