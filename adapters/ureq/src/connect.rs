//! Where an exchange may be connected to, and whether it was.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Uri;
use mcp_auth::Reach;
use mcp_auth_host::reach::permitted;
use ureq::Error;
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport};

/// The system's resolver, behind a filter. Addresses are judged here, at the time of connecting, because a name that is
/// judged earlier may be given another address in between (DNS rebinding).
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) reach: Reach,
}

impl Resolver for Filter {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        if is_proxy(uri, config) {
            return Ok(found);
        }
        let host = uri.host().unwrap_or_default();
        let permitted = permitted(self.reach, host, found.iter().copied());
        let permitted = permitted.map_err(|refused| Error::Other(Box::new(refused)))?;
        let mut addresses = self.empty();
        permitted.into_iter().for_each(|address: SocketAddr| addresses.push(address));
        if addresses.is_empty() { Err(Error::HostNotFound) } else { Ok(addresses) }
    }
}

/// Whether it is the proxy that is looked for, which the host itself has named, and not where the proxy leads.
fn is_proxy(uri: &Uri, config: &Config) -> bool {
    config.proxy().is_some_and(|proxy| proxy.uri() == uri && !proxy.is_no_proxy(uri))
}

/// Connects for one exchange, and remembers that it did: nothing of a request is sent before, whatever fails, and no
/// more can be said afterwards.
#[derive(Debug)]
pub(crate) struct Witness {
    /// Shared between exchanges: it keeps what was read of the system's trust. No connection is kept.
    pub(crate) inner: Arc<DefaultConnector>,
    /// The proxy that stands in between; a connection to it is not one to the server.
    pub(crate) proxy: Option<Uri>,
    pub(crate) connected: Arc<AtomicBool>,
}

impl Connector for Witness {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let transport = self.inner.connect(details, chained)?;
        if self.proxy.as_ref() != Some(details.uri) {
            self.connected.store(true, Ordering::SeqCst);
        }
        Ok(transport)
    }
}
