//! What is asked of whoever holds keys and assertions.

use std::fmt;

use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::event::{Answer, Event, Reply, RequestId};
use crate::wire::jws::{Algorithm, SigningInput};

/// Which key signs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningKey {
    /// The client's ([`Config::client_key`](crate::Config::client_key)).
    Client {
        /// Its name.
        key_id: Option<String>,
    },
    /// The one that tokens are bound to ([`Config::proof_key`](crate::Config::proof_key)).
    Proof,
}

/// Sign something with a key that is not here.
#[derive(Clone)]
pub struct Sign {
    pub(crate) id: RequestId,
    pub(crate) key: SigningKey,
    pub(crate) input: SigningInput,
    pub(crate) deadline: Timestamp,
}

impl Sign {
    /// Which key signs.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.input.algorithm()
    }

    /// The bytes to sign: header and claims of a JWS (RFC 7515 §5.1).
    pub fn message(&self) -> &[u8] {
        self.input.as_bytes()
    }

    /// When the machine stops waiting for the answer.
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// The signature, as RFC 7518 §3 and RFC 8037 §3.1 have it: for ES256 64 bytes, not DER.
    pub fn reply(&self, signature: impl Into<Vec<u8>>) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Signed(Ok(signature.into())) })
    }

    /// There is none. `why` goes into the failure and must hold no secret.
    pub fn fail(&self, why: impl Into<String>) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Signed(Err(why.into())) })
    }
}

impl fmt::Debug for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sign")
            .field("key", &self.key)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

/// What is asserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AssertionKind {
    /// Who the person is: an ID token of the configured identity provider.
    IdToken,
    /// Who the person is: a SAML 2.0 assertion, in base64url (RFC 8693 §3).
    Saml2,
    /// What the workload is: a JWT of its platform.
    Workload,
}

/// Supply an assertion about the person or the workload. It is asked for each time, and not kept.
#[derive(Clone, Debug)]
pub struct Supply {
    pub(crate) id: RequestId,
    pub(crate) kind: AssertionKind,
    pub(crate) audience: String,
    pub(crate) resource: String,
    pub(crate) until: Timestamp,
}

impl Supply {
    /// What is to be asserted.
    pub fn kind(&self) -> AssertionKind {
        self.kind
    }

    /// Whom it is for: the issuer of the MCP server's authorization server for a workload, the identity provider's
    /// client for a person.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The resource that a token is wanted for.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// When the machine stops waiting for the answer.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// The assertion.
    pub fn reply(&self, assertion: impl Into<Secret>) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Supplied(Ok(assertion.into())) })
    }

    /// There is none. `why` goes into the failure and must hold no secret.
    pub fn fail(&self, why: impl Into<String>) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Supplied(Err(why.into())) })
    }
}
