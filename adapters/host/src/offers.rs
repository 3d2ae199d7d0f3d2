//! What the host offers: the person, the keys, the assertions.
//!
//! The futures here need no runtime, so that one implementation serves every driver. One that does need a runtime, for a
//! timer or a socket, serves the drivers of that runtime only.

use std::future::Future;
use std::pin::Pin;

use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{AssertionKind, Callback, Failure, Outcome, Secret, Show, SigningKey, Supply, Timestamp};
use url::Url;

/// A future in a box, so that the traits here can be used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How a person is asked.
pub trait Consent: Send + Sync + 'static {
    /// Shows the authorization request, and returns at once. `url` belongs into a browser, as an argument and never
    /// through a shell; `until` is when nobody listens any more. One that takes the place of another is opened after what
    /// the other gave is dropped, so that both may listen on one port.
    fn open(&self, url: Url, until: Timestamp) -> Box<dyn Answers>;

    /// Shows the person a code, and where to type it (RFC 8628 §3.3), and returns at once. It stays shown till what is
    /// given back is dropped. Only for [`GrantType::DeviceCode`](mcp_auth::GrantType). An error ends the
    /// attempt; its text goes into the failure and must hold no secret. Default: there is no way to show it.
    fn show(&self, code: DeviceCode) -> Result<Shown, String> {
        let _ = code;
        Err("no way to show a code is configured".to_owned())
    }

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

/// A code that is shown. Dropped when the attempt is over: the person has decided, the code has expired, or the login was
/// called off. A window closes in its `Drop`; where there is nothing to take away, it is `Box::new(())`.
pub type Shown = Box<dyn Send>;

/// A code that the person types on another device. Whoever sees it can decide in the person's place: it belongs before
/// the person, and into no log.
#[derive(Clone)]
#[non_exhaustive]
pub struct DeviceCode {
    /// The code.
    pub user_code: String,
    /// Where it is typed. To be opened by the person, who should be shown its host.
    pub verification_uri: Url,
    /// A URL that has the code in it, for a picture that a phone can read.
    pub verification_uri_complete: Option<Url>,
    /// When it expires.
    pub until: Timestamp,
}

/// Signs in place of the core, which holds no private key. Called on a thread where blocking is allowed: a key may be
/// in a device, or far away. At most 32 signatures are made at a time. One that takes longer than the policy's
/// `exchange_time` is waited for no more, but its thread cannot be broken off: a call that never returns also keeps the
/// runtime from being dropped.
///
/// A function is one, and `mcp-auth-jose` makes such a function from a key.
pub trait Keys: Send + Sync + 'static {
    /// The signature of `message` with `key`, as RFC 7518 §3 and RFC 8037 §3.1 have it: for ES256 64 bytes, not DER.
    /// The text of an error goes into the failure and must hold no secret.
    fn sign(&self, key: &SigningKey, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String>;
}

impl<F> Keys for F
where
    F: Fn(&SigningKey, Algorithm, &[u8]) -> Result<Vec<u8>, String> + Send + Sync + 'static,
{
    fn sign(&self, key: &SigningKey, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        self(key, algorithm, message)
    }
}

/// Asserts who the person or the workload is, each time a token is wanted.
pub trait Assertions: Send + Sync + 'static {
    /// The assertion. The future is dropped when nobody waits for it any more. The text of an error goes into the
    /// failure and must hold no secret.
    fn supply(&self, wanted: WantedAssertion) -> BoxFuture<'_, Result<Secret, String>>;
}

impl From<&Show> for DeviceCode {
    fn from(show: &Show) -> Self {
        Self {
            user_code: show.user_code().to_owned(),
            verification_uri: show.verification_uri().clone(),
            verification_uri_complete: show.verification_uri_complete().cloned(),
            until: show.until(),
        }
    }
}

/// What is to be asserted, to whom and what for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WantedAssertion {
    /// What is to be asserted.
    pub kind: AssertionKind,
    /// Whom it is for: the issuer of the MCP server's authorization server for a workload, the identity provider's
    /// client for a person.
    pub audience: String,
    /// The resource that a token is wanted for.
    pub resource: String,
    /// When the answer is waited for no more.
    pub until: Timestamp,
}

impl From<&Supply> for WantedAssertion {
    fn from(supply: &Supply) -> Self {
        Self {
            kind: supply.kind(),
            audience: supply.audience().to_owned(),
            resource: supply.resource().to_owned(),
            until: supply.until(),
        }
    }
}

/// What reaches the redirect URI, for one authorization request. Dropped when the attempt is over: whatever listens
/// stops listening then.
pub trait Answers: Send {
    /// The next answer. Called again after an answer that belongs to another request, which must not end the login;
    /// the future may be dropped at any time. An error ends the attempt; its text goes into the failure and must
    /// hold no secret.
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>>;

    /// The attempt is over, and this is how it ended; told once, just before the value is dropped. It is the time to
    /// answer a browser that still waits, and must not block. Not told where another authorization request has taken
    /// this one's place, or where the driver itself goes first. Default: nothing is done.
    fn finished(&mut self, outcome: &Result<Outcome, Box<Failure>>) {
        let _ = outcome;
    }
}
