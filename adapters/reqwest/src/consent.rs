//! The person's side, as the host offers it.

use std::future::Future;
use std::pin::Pin;

use mcp_auth::{Callback, Secret, Timestamp};
use url::Url;

/// A future in a box, so that the traits here can be used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How a person is asked.
pub trait Consent: Send + Sync + 'static {
    /// Shows the authorization request, and returns at once. `url` belongs into a browser, as an argument and never
    /// through a shell; `until` is when nobody listens any more.
    fn open(&self, url: Url, until: Timestamp) -> Box<dyn Answers>;

    /// Asks for an identifier, and for the secret of a confidential client, that is registered with `issuer` for
    /// `redirect_uri`. Asked only where the policy `ask_for_client` says that a person can be. Default: there is none.
    fn client(
        &self,
        issuer: String,
        redirect_uri: String,
    ) -> BoxFuture<'_, Option<(String, Option<Secret>)>> {
        let _ = (issuer, redirect_uri);
        Box::pin(std::future::ready(None))
    }
}

/// What reaches the redirect URI, for one authorization request. Dropped when the attempt is over: whatever listens
/// stops listening then.
pub trait Answers: Send {
    /// The next answer. Called again after an answer that belongs to another request, which must not end the login;
    /// the future may be dropped at any time. An error ends the attempt; its text goes into the failure and must
    /// hold no secret.
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>>;
}
