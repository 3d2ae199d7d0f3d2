//! The HTTP client for everything that is not the authorization itself.

use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};

/// How long one request may take, to the last byte of its answer: longer than any of the suite's, shorter than the life
/// of the process.
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// A client that follows no redirect and uses no proxy. The suite is plain HTTP on loopback, so no certificate
/// is trusted. The TLS configuration is given nonetheless: without one, reqwest panics when no process-wide
/// provider of cryptography is installed.
pub(crate) fn build() -> Result<reqwest::Client, String> {
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(REQUEST_LIMIT)
        .build()
        .map_err(|error| chain(&error))
}

/// The error and its causes in one line, without the URL: its query may hold a code or a state.
pub(crate) fn describe(error: reqwest::Error) -> String {
    chain(&error.without_url())
}

fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
