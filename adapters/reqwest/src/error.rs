//! Why a request got no answer.

use std::error::Error as _;

use mcp_auth::{Breach, Failure, Kind};
use mcp_auth_host::Refused;

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
    /// The caller's own request failed on its way. What is shown are all its causes, so [`source`] gives none of them.
    /// Its URL has lost query, fragment and user info.
    ///
    /// [`source`]: std::error::Error::source
    #[error("{}", causes(.0))]
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
            // A URL that cannot have user info has none to take away.
            let _ = (url.set_username(""), url.set_password(None));
            url.set_query(None);
            url.set_fragment(None);
        }
        Self::Transport(error)
    }

    pub(crate) fn configuration(clause: &'static str, expected: &str, got: &str) -> Self {
        Self::Configuration(Breach::new(Kind::Configuration, clause, expected, got))
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

/// The error and what caused it, in one line, without the URL: its query may hold a secret.
pub(crate) fn chain(error: reqwest::Error) -> String {
    causes(&error.without_url())
}

/// The error and what caused it, in one line. That a request failed says nothing; that its connection was refused does.
fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Error;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    async fn shown(url: &str) -> String {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let error = Error::transport(client.get(url).send().await.unwrap_err());
        assert!(std::error::Error::source(&error).is_none(), "a chain that is shown twice");
        error.to_string()
    }

    #[tokio::test]
    async fn a_transport_error_shows_its_causes_and_nothing_of_the_url_that_may_be_secret() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"SSH-2.0-OpenSSH\r\n");
        });
        let with_secrets = format!("{}?token=hush#hush", url.replacen("//", "//hush:hush@", 1));
        let garbage = shown(&with_secrets).await;
        serving.join().unwrap();
        let refused = shown(&with_secrets).await;
        for (error, why) in [(&garbage, "invalid HTTP"), (&refused, "refused")] {
            assert!(error.contains(why) && !error.contains("hush"), "{why:?} is not in {error}");
        }
        assert!(refused.contains(&url), "{refused}");
    }
}
