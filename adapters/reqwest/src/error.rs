//! Why a request got no answer.

use std::error::Error as _;

use mcp_auth::base::guard;
use mcp_auth::{Breach, Failure, Kind};

/// Why a request got no answer. No variant shows a secret, or the query of a URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no token that serves, and none could be had. `{:#}` shows the whole way there.
    #[error(transparent)]
    Failure(Box<Failure>),
    /// The request is for a URL outside the MCP server's resource, where its token may not go. Nothing was sent.
    #[error("{url} is not within the MCP server's resource, so its token may not go there")]
    OutsideResource {
        /// The URL without its query.
        url: String,
    },
    /// The caller's own request would have left this machine in clear. An `http` server is one on the machine itself,
    /// and this one's name, or an address in the request's URL, leads elsewhere. Nothing was sent.
    #[error("{0}: without TLS a request stays on this machine; a server elsewhere must be named with https")]
    AddressRefused(String),
    /// The caller's own request failed on its way.
    #[error(transparent)]
    Transport(reqwest::Error),
    /// The configuration cannot be used.
    #[error(transparent)]
    Configuration(Breach),
    /// The task that drove the attempt is gone: there is no tokio runtime, or it shut down, or the host's own code
    /// panicked in it. The next call begins anew.
    #[error("the task that drives the login is gone")]
    Stopped,
}

impl Error {
    pub(crate) fn transport(mut error: reqwest::Error) -> Self {
        if let Some(url) = error.url_mut() {
            url.set_query(None);
            url.set_fragment(None);
        }
        Self::Transport(error)
    }

    pub(crate) fn outside(url: &url::Url) -> Self {
        Self::OutsideResource { url: guard::without_query(url.as_str()) }
    }

    pub(crate) fn configuration(clause: &'static str, expected: &str, got: &str) -> Self {
        Self::Configuration(Breach::new(Kind::Configuration, clause, expected, got))
    }
}

/// The error and what caused it, in one line, without the URL: its query may hold a secret.
pub(crate) fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
