//! The grant in use, ready for requests.

use std::borrow::Cow;
use std::sync::Arc;

use http::HeaderValue;
use url::Url;

use crate::base::breach::{Breach, Kind};
use crate::base::guard::Endpoint;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::config::Judged;
use crate::credential::{Credential, Generation};
use crate::outcome::TokenSource;
use crate::step::Unsaved;
use crate::wire::resource_metadata::{covering, within};

/// How the field of a token begins that is bound to no key.
const BEARER: &str = "Bearer ";

/// A credential whose token can be attached without any further work.
#[derive(Clone)]
pub(crate) struct Grant {
    /// The record. Its access token is taken out where it is a Bearer token: the only copy is in `value`, for there may
    /// be very many grants, and nothing of one is longer. A bound token stays, as every proof is over it.
    pub(crate) credential: Arc<Credential>,
    pub(crate) value: HeaderValue,
    /// What the token is for, where it is not the MCP server's own URL.
    resource: Option<Box<Url>>,
    pub(crate) source: TokenSource,
    pub(crate) unsaved: Option<Box<Unsaved>>,
}

impl Grant {
    /// `before` is what was in use till now, and `place` what is known of the MCP server.
    pub(crate) fn new(
        mut credential: Arc<Credential>,
        source: TokenSource,
        unsaved: Option<Box<Unsaved>>,
        before: Option<&Self>,
        place: &Judged,
    ) -> Result<Self, Breach> {
        let unfit = |clause, what: &str| Breach::new(Kind::Malformed, clause, what, "something else");
        // The same token found again is as it was come by the first time.
        let source = match before {
            Some(before) if before.credential.generation == credential.generation => before.source,
            _ => source,
        };
        let scheme = if credential.binding.is_some() { "DPoP " } else { BEARER };
        let mut value = HeaderValue::try_from([scheme, credential.access_token.expose()].concat())
            .map_err(|_| unfit("RFC 6750 §2.1", "a token that a header field may carry"))?;
        value.set_sensitive(true);
        let resource = covering(&credential.resource, &place.server)
            .ok_or_else(|| unfit("RFC 9728 §3.3", "a resource that covers the server's URL"))?;
        let resource = match resource {
            Cow::Borrowed(_) => None,
            Cow::Owned(resource) => Some(Box::new(resource)),
        };
        let record = Arc::make_mut(&mut credential);
        if record.binding.is_none() {
            record.access_token = Secret::from(String::new());
        }
        place.share(record);
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

    /// The whole record.
    pub(crate) fn record(&self) -> Arc<Credential> {
        let mut record = Arc::clone(&self.credential);
        let bearer = std::str::from_utf8(self.value.as_bytes()).ok().and_then(|it| it.strip_prefix(BEARER));
        if let Some(token) = bearer {
            Arc::make_mut(&mut record).access_token = Secret::from(token);
        }
        record
    }

    /// What the token is for; `server` is the MCP server's URL.
    pub(crate) fn resource<'a>(&'a self, server: &'a Endpoint) -> &'a Url {
        self.resource.as_deref().unwrap_or(server.url())
    }

    /// Whether a request to `url` may carry it.
    pub(crate) fn is_for(&self, url: &Url, server: &Endpoint) -> bool {
        within(self.resource(server), url)
    }
}
