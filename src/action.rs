//! What the machine asks of the world.
//!
//! An action that wants an answer knows how to make the event that answers it: `load.reply(…)`, `send.fail(…)`.
//! Each such action is answered once; an answer that comes twice, or too late, is ignored.

use std::time::Duration;

use http::{HeaderMap, Method, Request, Uri};
use url::Url;

use crate::base::guard::Reach;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::credential::{Credential, Generation, Key};
use crate::event::{Answer, Event, Reply, RequestId, Response, Saving, SendFailure, Told};
use crate::failure::Failure;
use crate::outcome::Outcome;

/// What to do next. Exhaustive on purpose: a driver that did not know an action would stall a login.
#[derive(Clone, Debug)]
pub enum Action {
    /// Read a credential from the store.
    Load(Load),
    /// Write a credential to the store.
    Store(Save),
    /// Delete a credential from the store.
    Forget(Forget),
    /// Let go of the record that an exclusive [`Load`] took. Wants no answer.
    Release(Release),
    /// Send an HTTP request.
    Send(Send),
    /// Open a URL in the person's browser. The answer comes from there, as [`Event::Called`]; only what keeps it from
    /// coming is said with [`Open::fail`].
    Open(Open),
    /// Ask the person for a client identifier.
    Ask(Ask),
    /// Nothing to do before the given time, or before something happens if there is none. Whatever happens first
    /// is handed in; when the time comes, [`Event::Tick`](crate::Event::Tick).
    Wait(Option<Timestamp>),
    /// A renewal beside a login that waits for a person is over; the login goes on. Whoever waits for a token can
    /// look again. Wants no answer.
    Renewed(Result<Outcome, Box<Failure>>),
    /// The attempt is over. Exactly one comes for each attempt.
    Finish(Result<Outcome, Box<Failure>>),
}

impl Action {
    /// The request that this action makes, if it wants an answer.
    pub(crate) fn id(&self) -> Option<RequestId> {
        match self {
            Self::Load(it) => Some(it.id),
            Self::Store(it) => Some(it.id),
            Self::Forget(it) => Some(it.id),
            Self::Send(it) => Some(it.id),
            Self::Open(it) => Some(it.id),
            Self::Ask(it) => Some(it.id),
            Self::Release(_) | Self::Wait(_) | Self::Renewed(_) | Self::Finish(_) => None,
        }
    }
}

/// Read a credential from the store.
///
/// One that [`exclusive`](Self::exclusive) asks for comes before a refresh token is spent. A store that several
/// processes share must give it to one of them at a time, until [`Action::Release`]: two that spend one rotating
/// token lose the grant. A store of one process has nothing to do.
#[derive(Clone, Debug)]
pub struct Load {
    pub(crate) id: RequestId,
    pub(crate) key: Key,
    pub(crate) exclusive: Option<Duration>,
    pub(crate) deadline: Timestamp,
}

impl Load {
    /// What the credential is kept under.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Names this request; [`Release::load`] names it again.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Whether the record is wanted exclusively, and for how long at most: whoever has not released it by then is dead
    /// or hangs, and the next may have it.
    pub fn exclusive(&self) -> Option<Duration> {
        self.exclusive
    }

    /// When the machine stops waiting for the answer.
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// The store answered: with a record, or with none. If the record was wanted exclusively, it is held now.
    pub fn reply(&self, found: Option<Credential>) -> Event {
        let answer = match self.exclusive {
            None => Answer::Found(found.map(Box::new)),
            Some(_) => Answer::Leased(found.map(Box::new)),
        };
        Event::Replied(Reply { id: self.id, answer })
    }

    /// Somebody else holds the record. The machine asks again a second later.
    pub fn busy(&self) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Busy })
    }

    /// The store failed. `why` goes into the failure and must hold no secret.
    pub fn fail(&self, why: impl Into<String>) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::LoadFailed(why.into()) })
    }
}

/// Write a credential to the store, if what stands there is what this one replaces.
#[derive(Clone, Debug)]
pub struct Save {
    pub(crate) id: RequestId,
    pub(crate) key: Key,
    pub(crate) credential: Box<Credential>,
    pub(crate) replaces: Option<Generation>,
}

impl Save {
    /// What the credential is kept under.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The record to write.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The generation of the record that this one replaces; `None` where there is none. A store that finds
    /// another generation writes nothing and answers [`Saving::Conflict`].
    pub fn replaces(&self) -> Option<Generation> {
        self.replaces
    }

    /// The store answered.
    pub fn reply(&self, saving: Saving) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Saved(saving) })
    }
}

/// Delete a credential from the store, if it is still the one that the machine knows.
#[derive(Clone, Debug)]
pub struct Forget {
    pub(crate) id: RequestId,
    pub(crate) key: Key,
    pub(crate) generation: Generation,
}

impl Forget {
    /// What the credential is kept under.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The generation of the record to delete. A store that finds another one leaves it alone.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The store answered: whether nothing stands there now.
    pub fn reply(&self, gone: bool) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Forgotten(Ok(gone)) })
    }

    /// The store failed. `why` goes into the outcome and must hold no secret.
    pub fn fail(&self, why: impl Into<String>) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::Forgotten(Err(why.into())) })
    }
}

/// Let go of the record that an exclusive [`Load`] took.
#[derive(Clone, Debug)]
pub struct Release {
    pub(crate) load: RequestId,
    pub(crate) key: Key,
}

impl Release {
    /// What the credential is kept under.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The [`Load`] that took it.
    pub fn load(&self) -> RequestId {
        self.load
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// Protected resource metadata (RFC 9728).
    ResourceMetadata,
    /// Authorization server metadata (RFC 8414, OpenID Connect Discovery).
    ServerMetadata,
    /// Client registration (RFC 7591).
    Registration,
    /// A token for what a person consented to (RFC 6749 §4.1.3).
    Token,
    /// A token for a refresh token (RFC 6749 §6).
    Refresh,
    /// The end of a token (RFC 7009).
    Revocation,
}

/// Send an HTTP request.
///
/// The driver must keep to what the action says: never follow a redirect, never read more than
/// [`max_bytes`](Self::max_bytes), give up at [`deadline`](Self::deadline), and connect to no address that
/// [`reach`](Self::reach) does not allow, judged after the name is resolved.
#[derive(Clone, Debug)]
pub struct Send {
    pub(crate) id: RequestId,
    pub(crate) purpose: Purpose,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Option<Secret>,
    pub(crate) max_bytes: usize,
    pub(crate) deadline: Timestamp,
    pub(crate) reach: Reach,
}

impl Send {
    /// What the request is for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The request. Its body may hold secrets, and `http::Request` shows its body in `Debug`: do not log it.
    pub fn request(&self) -> Request<Vec<u8>> {
        let body = self.body.as_ref().map(|body| body.expose().as_bytes().to_vec()).unwrap_or_default();
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.fields.clone();
        request
    }

    /// The method, for showing.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL. It holds no secret.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The most bytes of the body that may be read; an answer that is larger is
    /// [`SendFailure::TooLarge`].
    pub fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// When to give up, with [`SendFailure::TimedOut`].
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// Which addresses the host may resolve to.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// The answer came, whatever its status.
    pub fn reply<B: Into<Vec<u8>>>(&self, response: http::Response<B>) -> Event {
        let (parts, body) = response.into_parts();
        let response = Response { status: parts.status, fields: parts.headers, body: body.into() };
        Event::Replied(Reply { id: self.id, answer: Answer::Response(Box::new(response)) })
    }

    /// No answer came.
    pub fn fail(&self, failure: SendFailure) -> Event {
        Event::Replied(Reply { id: self.id, answer: Answer::SendFailed(failure) })
    }
}

/// Open a URL in the person's browser.
///
/// The URL is `https`, or `http` on a loopback host. It holds neither quotes nor spaces nor control characters, but
/// it does hold `&`: hand it to a browser as an argument, never through a shell. It carries `state` and the code challenge; both may be
/// seen by the person, neither belongs into a log.
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

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = crate::base::guard::without_query(self.url.as_str());
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
