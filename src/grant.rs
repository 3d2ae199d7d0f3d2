//! The grant in use, ready for requests.

use std::sync::Arc;

use http::HeaderValue;
use url::Url;

use crate::base::breach::{Breach, Kind};
use crate::base::guard::Endpoint;
use crate::base::time::Timestamp;
use crate::credential::{Credential, Generation};
use crate::outcome::TokenSource;
use crate::step::Unsaved;
use crate::wire::resource_metadata::{covering, within};

/// A credential whose token can be attached without any further work.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) credential: Arc<Credential>,
    pub(crate) value: HeaderValue,
    resource: Url,
    pub(crate) source: TokenSource,
    pub(crate) unsaved: Option<Unsaved>,
}

impl Grant {
    /// `before` is what was in use till now, and `server` the MCP server's URL.
    pub(crate) fn new(
        credential: Arc<Credential>,
        source: TokenSource,
        unsaved: Option<Unsaved>,
        before: Option<&Self>,
        server: &Endpoint,
    ) -> Result<Self, Breach> {
        let unfit = |clause, what: &str| Breach::new(Kind::Malformed, clause, what, "something else");
        // The same token found again is as it was come by the first time.
        let source = match before {
            Some(before) if before.credential.generation == credential.generation => before.source,
            _ => source,
        };
        let scheme = if credential.binding.is_some() { "DPoP" } else { "Bearer" };
        let mut value = HeaderValue::try_from(format!("{scheme} {}", credential.access_token.expose()))
            .map_err(|_| unfit("RFC 6750 §2.1", "a token that a header field may carry"))?;
        value.set_sensitive(true);
        let resource = covering(&credential.resource, server)
            .ok_or_else(|| unfit("RFC 9728 §3.3", "a resource that covers the server's URL"))?;
        Ok(Self { credential, value, resource, source, unsaved })
    }

    /// Which token it is.
    pub(crate) fn generation(&self) -> Generation {
        self.credential.generation
    }

    /// Whether the store did not keep it, and is to be asked again by now.
    pub(crate) fn is_to_be_offered(&self, now: Timestamp) -> bool {
        self.unsaved.as_ref().and_then(|it| it.again_at).is_some_and(|at| at <= now)
    }

    /// What the token is for.
    pub(crate) fn resource(&self) -> &Url {
        &self.resource
    }

    /// Whether a request to `url` may carry it.
    pub(crate) fn is_for(&self, url: &Url) -> bool {
        within(&self.resource, url)
    }
}
