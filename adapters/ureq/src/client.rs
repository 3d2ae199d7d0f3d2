//! The caller's side: send a request, and let whatever it takes happen.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use http::{Request, Response};
use mcp_auth::{Authorized, Challenge, Config, Event, LoggedOut, Outcome, Scopes, Trail};
use mcp_auth_host::{Carried, Errand, Next, Observed, Permit, Token};
use ureq::Body;
use url::Url;

use crate::attempt::Shared;
use crate::builder::Builder;
use crate::error::Error;
use crate::payload::Payload;

/// How long a request that lacked a nonce waits for others that did, at most: theirs may be slow to be answered.
const TURN: Duration = Duration::from_secs(1);
/// How many attempts one request waits for before it is sent.
const WAITS: u8 = 8;

/// An authorized HTTP client for one MCP server. Cheap to clone; clones share one machine, one attempt, one grant.
///
/// Its methods block. The attempt is driven on a thread of its own, which no caller keeps: it ends with the attempt. A
/// process that exits meanwhile breaks the attempt off, and whatever was stored by then is whole.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

impl Client {
    /// Begins a client with this configuration. It is judged by [`Builder::build`].
    pub fn builder(config: Config) -> Builder {
        Builder::new(config)
    }

    /// Sends the caller's own request to the MCP server. Attaches the token, turns a refusal into a login, a renewal
    /// or a step-up, waits for the one attempt that runs, and sends the request again, within the machine's bounds.
    ///
    /// The response, of whatever status, is the server's last word; its body is not read here. A redirect is not
    /// followed. A request whose body can be read but once ([`Payload`]) is sent once, and its refusal is given back.
    /// A request that brings its own `Authorization` is sent as it is. Extensions of the request are not handed on, a
    /// configuration of ureq's for this one request among them: what concerns all requests is set by
    /// [`Builder::http`].
    pub fn send(&self, request: Request<impl Into<Payload>>) -> Result<Response<Body>, Error> {
        self.send_as("", request)
    }

    /// The same, with the caller's name for what is requested, such as `tools/call:write_file`: step-ups are counted
    /// for each. The name is shown to the observer and in logs.
    pub fn send_as(
        &self,
        operation: &str,
        request: Request<impl Into<Payload>>,
    ) -> Result<Response<Body>, Error> {
        let (mut head, payload) = request.into_parts();
        let mut payload = payload.into();
        let mut errand = errand(operation, &mut head)?;
        if head.headers.contains_key(AUTHORIZATION) {
            return self.execute(&errand, &head, &mut payload, None);
        }
        loop {
            let turn = if errand.lacked_nonce() { self.shared.turn.take(TURN) } else { None };
            let token = self.token(&errand)?;
            let carried = token.as_ref().map(Token::carried);
            let response = self.execute(&errand, &head, &mut payload, token)?;
            drop(turn);
            let repeatable = payload.is_repeatable();
            match errand.answered(response.status(), response.headers(), carried, repeatable) {
                Next::Again => {
                    self.shared.host.see(Observed::NonceWanted { operation: errand.operation() });
                }
                Next::Mend(challenge) => {
                    // The connection is not to be held while a person thinks.
                    drop(response);
                    self.mend(&errand, carried, challenge)?;
                }
                Next::Begin(challenge) => {
                    self.shared.begin(&Event::Challenged(challenge));
                    return Ok(response);
                }
                Next::Done => return Ok(response),
            }
        }
    }

    /// The same, but the request is sent only once, and a refusal is given back and begins nothing: for what nobody is
    /// to be asked for, such as the end of a session. A token that has run out is renewed first.
    pub fn send_once(
        &self,
        operation: &str,
        request: Request<impl Into<Payload>>,
    ) -> Result<Response<Body>, Error> {
        let (mut head, payload) = request.into_parts();
        let errand = errand(operation, &mut head)?;
        let token = if head.headers.contains_key(AUTHORIZATION) { None } else { self.token(&errand)? };
        self.execute(&errand, &head, &mut payload.into(), token)
    }

    /// Logs in before the first request, with `scopes` wanted besides those that the server names. Asks a person only
    /// if the present grant does not do.
    pub fn log_in(&self, scopes: Scopes) -> Result<Authorized, Error> {
        // Another's attempt that ends well, but with less than is wanted here, is followed by one of our own.
        loop {
            let ended = self.shared.attempt(Event::LogIn { scopes: scopes.clone() })?;
            match ended.outcome {
                Outcome::Authorized(authorized) if ended.own || scopes.is_subset(&authorized.granted) => {
                    return Ok(*authorized);
                }
                Outcome::Anonymous if ended.own => return Err(Error::Stopped),
                Outcome::LoggedOut(_) => {
                    return Err(Error::Failure(self.shared.host.logged_out_meanwhile()));
                }
                Outcome::Authorized(_) | Outcome::Anonymous => {}
            }
        }
    }

    /// Reads the store, and renews what is there if need be; no person is asked. `None`: there is nothing usable.
    pub fn restore(&self) -> Result<Option<Authorized>, Error> {
        match self.shared.attempt(Event::Restore)?.outcome {
            Outcome::Authorized(authorized) => Ok(Some(*authorized)),
            Outcome::Anonymous | Outcome::LoggedOut(_) => Ok(None),
        }
    }

    /// Revokes the tokens and forgets the record. A login that runs is called off. What could not be done is said in
    /// the outcome; nothing of the grant is left in this client in any case.
    pub fn log_out(&self) -> Result<LoggedOut, Error> {
        loop {
            if let Outcome::LoggedOut(done) = self.shared.attempt(Event::LogOut)?.outcome {
                return Ok(*done);
            }
        }
    }

    /// The person saw an error page that says that the authorization server does not know the client. A login that
    /// waits for that person begins again with another client; one that begins later does so too.
    pub fn client_disowned(&self) {
        self.shared.host.tell(Event::ClientDisowned);
    }

    /// Calls off the attempt that runs, if there is one. All that wait for it are told so. An exchange of tokens that
    /// is under way is brought to its end first, and if it was the last step, the attempt ends well.
    pub fn cancel(&self) {
        self.shared.host.tell(Event::Cancelled);
    }

    /// The grant in use, if there is one.
    pub fn authorized(&self) -> Option<Authorized> {
        self.shared.host.authorized()
    }

    /// What the attempt that runs, or else the last one, did.
    pub fn trail(&self) -> Trail {
        self.shared.host.trail()
    }

    /// What a request may carry now, after the attempts that must come first.
    fn token(&self, errand: &Errand) -> Result<Option<Token>, Error> {
        for _ in 0..WAITS {
            match self.shared.host.permit(errand.method(), errand.url())? {
                Permit::Token(token) => return Ok(Some(token)),
                Permit::Bare => return Ok(None),
                Permit::Wait => self.shared.attempt(Event::Restore)?,
            };
        }
        Err(Error::Failure(self.shared.host.short_lived(WAITS)))
    }

    /// Waits until there is another token than the refused one. An attempt that was under way already may have been
    /// for something else; then the refusal is handed in after it.
    fn mend(&self, errand: &Errand, refused: Option<Carried>, challenge: Challenge) -> Result<(), Error> {
        loop {
            if let Permit::Token(token) = self.shared.host.permit(errand.method(), errand.url())?
                && Some(token.generation) != refused.map(|refused| refused.generation)
            {
                return Ok(());
            }
            if self.shared.attempt(Event::Challenged(challenge.clone()))?.own {
                return Ok(());
            }
        }
    }

    fn execute(
        &self,
        errand: &Errand,
        head: &http::request::Parts,
        payload: &mut Payload,
        token: Option<Token>,
    ) -> Result<Response<Body>, Error> {
        let (host, carried) = (&self.shared.host, token.as_ref().map(Token::carried));
        host.requested(errand, carried);
        let mut head = head.clone();
        if let Some(token) = token {
            if let Some(input) = token.proof {
                head.headers.insert("dpop", self.shared.signed(input)?);
            }
            head.headers.insert(AUTHORIZATION, token.value);
        }
        let begun = Instant::now();
        let response = self.shared.http.own(&head, payload)?;
        host.responded(errand, carried, response.status(), response.headers(), begun.elapsed());
        Ok(response)
    }
}

/// The request as it is judged, which is as it is sent: dots in a path, for one, lead elsewhere only after they are
/// resolved.
fn errand(operation: &str, head: &mut http::request::Parts) -> Result<Errand, Error> {
    let url = Url::parse(&head.uri.to_string()).map_err(|why| Error::unusable(&head.uri, &why))?;
    head.uri = url.as_str().parse().map_err(|why: http::uri::InvalidUri| Error::unusable(&head.uri, &why))?;
    Ok(Errand::new(operation, head.method.clone(), url))
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("host", &self.shared.host).finish_non_exhaustive()
    }
}
