//! Why a request got no answer.

use std::{fmt, io};

use http::Uri;
use mcp_auth::base::guard;
use mcp_auth::{Breach, Failure};
use mcp_auth_host::Refused;

/// Why a request got no answer. No variant shows a secret, or the query of a URL.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// There is no token that serves, and none could be had. `{:#}` shows the whole way there.
    Failure(Box<Failure>),
    /// The request is for a URL outside the MCP server's resource, where its token may not go. Nothing was sent.
    OutsideResource {
        /// The URL without its query.
        url: String,
    },
    /// The caller's own request would have left this machine in clear. An `http` server is one on the machine itself,
    /// and this one's name, or an address in the request's URL, leads elsewhere. Nothing was sent.
    AddressRefused(String),
    /// The caller's own request failed on its way.
    Transport {
        /// Where it went, without its query.
        url: String,
        /// What came in between. It is shown with the URL, so [`source`] does not give it.
        ///
        /// [`source`]: std::error::Error::source
        error: ureq::Error,
    },
    /// The URL of the caller's own request cannot be used. Nothing was sent.
    Url {
        /// The URL without its query.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The configuration cannot be used.
    Configuration(Breach),
    /// The operating system gave no thread to drive the attempt. Nothing was begun.
    NoThread(io::Error),
    /// The thread that drove the attempt is gone, because the host's own code panicked in it. The next call begins anew.
    Stopped,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(failure) => failure.fmt(f),
            Self::OutsideResource { url } => {
                write!(f, "{url} is not within the MCP server's resource, so its token may not go there")
            }
            Self::AddressRefused(whose) => write!(
                f,
                "{whose}: without TLS a request stays on this machine; a server elsewhere must be named with https"
            ),
            Self::Transport { url, error } => write!(f, "{url}: {error}"),
            Self::Url { url, why } => write!(f, "{url} is no absolute URL that a request can go to: {why}"),
            Self::Configuration(breach) => breach.fmt(f),
            Self::NoThread(error) => write!(f, "there is no thread for the login to run on: {error}"),
            Self::Stopped => f.write_str("the thread that drives the login is gone"),
        }
    }
}

/// What is shown is the whole of it: what lies below is shown with it.
impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failure(failure) => failure.source(),
            Self::Configuration(breach) => breach.source(),
            _ => None,
        }
    }
}

impl Error {
    pub(crate) fn transport(uri: &Uri, error: ureq::Error) -> Self {
        // These two quote the URL with its query.
        let error = match error {
            ureq::Error::RequireHttpsOnly(url) => ureq::Error::RequireHttpsOnly(guard::without_query(&url)),
            ureq::Error::BadUri(text) => ureq::Error::BadUri(guard::without_query(&text)),
            other => other,
        };
        Self::Transport { url: guard::without_query(&uri.to_string()), error }
    }

    pub(crate) fn unusable(uri: &Uri, why: &dyn std::error::Error) -> Self {
        Self::Url { url: guard::without_query(&uri.to_string()), why: why.to_string() }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Outside(url) => Self::OutsideResource { url },
            Refused::Failure(failure) => Self::Failure(failure),
        }
    }
}

/// The error in one line, without a URL: its query may hold a secret.
pub(crate) fn said(error: &ureq::Error) -> String {
    match error {
        ureq::Error::RequireHttpsOnly(_) => "the host's HTTP configuration is for https only".to_owned(),
        ureq::Error::BadUri(_) => "no usable URL".to_owned(),
        other => other.to_string(),
    }
}
