//! What is asked of the person.

use std::fmt;

use url::Url;

use crate::base::guard::without_query;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::event::{Answer, Event, Reply, RequestId, Told};

/// Open a URL in the person's browser.
///
/// The URL is `https`, or `http` on a loopback host. It holds neither quotes nor spaces nor control characters, but
/// it does hold `&`: hand it to a browser as an argument, never through a shell. It carries `state` and the code
/// challenge; both may be seen by the person, neither belongs into a log.
#[derive(Clone)]
pub struct Open {
    pub(crate) id: RequestId,
    pub(crate) url: Url,
    pub(crate) until: Timestamp,
}

impl Open {
    /// The authorization request.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// When the machine stops waiting for the callback.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// The person cannot be asked: no browser opens, or nobody listens for the answer. `why` goes into the failure and
    /// must hold no secret.
    pub fn fail(&self, why: impl Into<String>) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Unasked(why.into()) })
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = without_query(self.url.as_str());
        f.debug_struct("Open").field("url", &shown).field("until", &self.until).finish()
    }
}

/// Ask the person for a client identifier, because no other way to one is left.
#[derive(Clone, Debug)]
pub struct Ask {
    pub(crate) id: RequestId,
    pub(crate) issuer: String,
    pub(crate) redirect_uri: String,
    pub(crate) until: Timestamp,
}

impl Ask {
    /// The authorization server with which the person must have registered a client.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The redirect URI that the client must be registered with.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// When the machine stops waiting for the answer.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// The person gave an identifier and, for a confidential client, a secret.
    pub fn reply(&self, client_id: impl Into<String>, client_secret: Option<Secret>) -> Event {
        let told = Told { client_id: client_id.into(), client_secret };
        Event::Replied(Reply { id: self.id, answer: Answer::Told(Some(told)) })
    }

    /// The person has none.
    pub fn decline(&self) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Told(None) })
    }
}

/// Show the person a code, and where to enter it (RFC 8628 §3.3).
///
/// The answer comes by itself; only what keeps the code from being shown is said with [`Show::fail`]. Whoever sees the
/// code can consent in the person's place, or have the person consent in theirs: it belongs before the person, and
/// into no log. The URL is opened by the person, not by the host, who is to show its host.
#[derive(Clone)]
pub struct Show {
    pub(crate) id: RequestId,
    pub(crate) user_code: String,
    pub(crate) verification_uri: Url,
    pub(crate) verification_uri_complete: Option<Url>,
    pub(crate) until: Timestamp,
}

impl Show {
    /// The code, as it is to be typed.
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// Where it is to be typed.
    pub fn verification_uri(&self) -> &Url {
        &self.verification_uri
    }

    /// A URL that has the code in it, for a picture that a phone can read.
    pub fn verification_uri_complete(&self) -> Option<&Url> {
        self.verification_uri_complete.as_ref()
    }

    /// When the code expires.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// The code cannot be shown. `why` goes into the failure and must hold no secret.
    pub fn fail(&self, why: impl Into<String>) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Unasked(why.into()) })
    }
}

impl fmt::Debug for Show {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = without_query(self.verification_uri.as_str());
        f.debug_struct("Show").field("url", &shown).field("until", &self.until).finish_non_exhaustive()
    }
}
