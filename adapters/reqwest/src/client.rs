//! The caller's side: send a request, and let whatever it takes happen.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use mcp_auth::{Authorized, Challenge, Config, Event, LoggedOut, Outcome, Scopes, Trail};
use mcp_auth_host::{Bearing, Carried, Errand, Next, Observed, Permit, Token};
use reqwest::{Request, Response};
use tokio::time::timeout;

use crate::attempt::Shared;
use crate::builder::Builder;
use crate::error::Error;

/// How long a request that lacked a nonce waits for others that did, at most: theirs may be slow to be answered.
const TURN: Duration = Duration::from_secs(1);
/// How many attempts one request waits for before it is sent.
const WAITS: u8 = 8;

/// An authorized HTTP client for one MCP server. Cheap to clone; clones share one machine, one attempt, one grant.
///
/// Its methods must be called on a tokio runtime with I/O and time. The attempt is driven on the runtime of the
/// caller that began it; a runtime that is kept but no longer run (a `current_thread` one outside `block_on`) holds
/// up the attempt, and who waits for it, until it is run again or dropped.
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
    /// followed. A request whose body cannot be cloned (a stream) is sent once, and its refusal is given back.
    /// A request that brings its own `Authorization` is sent as it is.
    ///
    /// # Errors
    ///
    /// A refusal that stands is a response. An error is that no token was to be had ([`Error::Failure`]), that the request
    /// may not go where it is to go ([`Error::OutsideResource`], [`Error::AddressRefused`]) or did not come through
    /// ([`Error::Transport`]), and that nobody drives the attempt any more ([`Error::Stopped`]).
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        self.send_as("", request).await
    }

    /// The same, with the caller's name for what is requested, such as `tools/call:write_file`: step-ups are counted
    /// for each. The name is shown to the observer and in logs.
    pub async fn send_as(&self, operation: &str, mut request: Request) -> Result<Response, Error> {
        let mut errand = Errand::new(operation, request.method().clone(), request.url().clone());
        if request.headers().contains_key(AUTHORIZATION) {
            return self.execute(&errand, request, None).await;
        }
        loop {
            let turn = async { timeout(TURN, self.shared.turn.lock()).await.ok() };
            let turn = if errand.lacked_nonce() { turn.await } else { None };
            let token = self.token(&errand).await?;
            let carried = token.as_ref().map(Token::carried);
            let spare = request.try_clone();
            let response = self.execute(&errand, request, token).await?;
            drop(turn);
            match errand.answered(response.status(), response.headers(), carried, spare.is_some()) {
                Next::Again => {
                    self.shared.host.see(Observed::NonceWanted { operation: errand.operation() });
                }
                Next::Mend(challenge) => {
                    // The connection is not to be held while a person thinks.
                    drop(response);
                    self.mend(&errand, carried, challenge).await?;
                }
                Next::Begin(challenge) => {
                    self.shared.begin(&Event::Challenged(challenge));
                    return Ok(response);
                }
                Next::Done => return Ok(response),
            }
            let Some(again) = spare else { return Err(Error::Stopped) };
            request = again;
        }
    }

    /// The same, but the request is sent only once, and a refusal is given back and begins nothing: for what nobody is
    /// to be asked for, such as the end of a session. A token that has run out is renewed first.
    pub async fn send_once(&self, operation: &str, request: Request) -> Result<Response, Error> {
        let errand = Errand::new(operation, request.method().clone(), request.url().clone());
        let own = request.headers().contains_key(AUTHORIZATION);
        let token = if own { None } else { self.token(&errand).await? };
        self.execute(&errand, request, token).await
    }

    /// Logs in before the first request, with `scopes` wanted besides those that the server names. Asks a person only
    /// if the present grant does not do.
    ///
    /// # Errors
    ///
    /// [`Error::Failure`] if the login fails, is called off, or a logout comes in between; [`Error::Stopped`] if nobody
    /// drives it any more. So it is with [`Self::restore`] and [`Self::log_out`].
    pub async fn log_in(&self, scopes: Scopes) -> Result<Authorized, Error> {
        // Another's attempt that ends well, but with less than is wanted here, is followed by one of our own.
        loop {
            let ended = self.shared.attempt(Event::LogIn { scopes: scopes.clone() }).await?;
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

    /// Reads the store, and renews what is there if need be. No person is asked for it, but a login that runs already is
    /// waited for, and its end is the answer. `None`: there is nothing usable.
    pub async fn restore(&self) -> Result<Option<Authorized>, Error> {
        match self.shared.attempt(Event::Restore).await?.outcome {
            Outcome::Authorized(authorized) => Ok(Some(*authorized)),
            Outcome::Anonymous | Outcome::LoggedOut(_) => Ok(None),
        }
    }

    /// Revokes the tokens and forgets the record. A login that runs is called off. What could not be done is said in
    /// the outcome; nothing of the grant is left in this client in any case.
    pub async fn log_out(&self) -> Result<LoggedOut, Error> {
        loop {
            if let Outcome::LoggedOut(done) = self.shared.attempt(Event::LogOut).await?.outcome {
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
    async fn token(&self, errand: &Errand) -> Result<Option<Token>, Error> {
        for _ in 0..WAITS {
            match self.shared.host.permit(errand.method(), errand.url())? {
                Permit::Token(token) => return Ok(Some(token)),
                Permit::Bare => return Ok(None),
                Permit::Wait => self.shared.attempt(Event::Restore).await?,
            };
        }
        Err(Error::Failure(self.shared.host.short_lived(WAITS)))
    }

    /// Waits until there is another token than the refused one. An attempt that was under way already may have been
    /// for something else; then the refusal is handed in after it.
    async fn mend(
        &self,
        errand: &Errand,
        refused: Option<Carried>,
        challenge: Challenge,
    ) -> Result<(), Error> {
        loop {
            if let Permit::Token(token) = self.shared.host.permit(errand.method(), errand.url())?
                && Some(token.generation) != refused.map(|refused| refused.generation)
            {
                return Ok(());
            }
            if self.shared.attempt(Event::Challenged(challenge.clone())).await?.own {
                return Ok(());
            }
        }
    }

    async fn execute(
        &self,
        errand: &Errand,
        mut request: Request,
        token: Option<Token>,
    ) -> Result<Response, Error> {
        let (host, carried) = (&self.shared.host, token.as_ref().map(Token::carried));
        host.requested(errand, carried);
        if let Some(token) = token {
            if let Some(input) = token.proof {
                let proof = self.shared.signed(input).await?;
                request.headers_mut().insert("dpop", proof);
            }
            request.headers_mut().insert(AUTHORIZATION, token.value);
        }
        let bearing = Bearing::of(request.headers());
        let begun = Instant::now();
        let mut response = self.shared.http.own(request).await?;
        bearing.map(|bearing| response.extensions_mut().insert(bearing));
        host.responded(errand, carried, response.status(), response.headers(), begun.elapsed());
        Ok(response)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("host", &self.shared.host).finish_non_exhaustive()
    }
}
