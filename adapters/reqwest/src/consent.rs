//! The person's side of a login.

use std::future::Future;
use std::pin::Pin;

use mcp_auth::{Callback, Secret, Timestamp};
use url::Url;

/// A boxed future, so that the traits here can be used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Puts an authorization request before a person.
pub trait Consent: Send + Sync + 'static {
    /// Shows the authorization request, as a rule by opening a browser: as an argument, never through a shell. The
    /// answers are waited for until the given time, and dropped when the login is over.
    fn open(&self, url: Url, until: Timestamp) -> Box<dyn Answers>;

    /// Asks the person for a client identifier, and a secret if there is one, registered with this issuer for this
    /// redirect URI. As provided, there is none.
    fn client(
        &self,
        issuer: String,
        redirect_uri: String,
    ) -> BoxFuture<'_, Option<(String, Option<Secret>)>> {
        let _ = (issuer, redirect_uri);
        Box::pin(std::future::ready(None))
    }
}

/// What reaches the redirect URI.
pub trait Answers: Send {
    /// The next answer. It is called again after an answer that was none to this login, because anyone can send a
    /// browser to the redirect URI. An error calls the login off and is its reason; it must hold no secret.
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>>;
}
