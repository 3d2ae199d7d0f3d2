//! The invariants: watches a run and notes every breach of what must never happen.
//!
//! A [`Watch`] is told of the same events and actions as the machine and its driver, and of nothing else. It forms
//! its own opinion: it reads the documents that come in, and shares no judgement with the machine. Tests, the demo
//! and the fuzz targets all run under it.
//!
//! It holds that
//!
//! - every URL that is sent to or opened is absolute, `https` (or `http` on a loopback host), without user info and
//!   fragment, and at an address within the request's reach;
//! - every request has a limit; whatever is awaited has a deadline to come, and a number that was never used before;
//! - one thing is awaited at a time of the grant in use, and one of a login; nothing is asked for before an attempt
//!   begins or after it ends;
//! - a refresh token is spent only while the record is held, never again once the server has answered it, and a record
//!   that is held is let go;
//! - a record is forgotten only if the person logs out or the client is dead, and after the person wants to be out nothing is
//!   begun any more;
//! - a secret goes to one place: a code, a verifier, a refresh token and a client secret only to the token endpoint of
//!   their issuer, tokens also to its revocation endpoint, an access token nowhere else, and none of them into a URL;
//! - a client identifier goes only to the server that it is configured, registered, recorded or told for, unless it is the
//!   URL of a metadata document or the caller bound it to none;
//! - a person is sent only to the page of a server that speaks for itself and says that it takes S256, or to where anybody
//!   would guess it if there plainly is no metadata wherever it was looked for, with a `state` that was never used before,
//!   and to come back where answers are awaited; tokens are asked for the origin of the MCP server, or as policy says, and
//!   for no scope that the caller never wants;
//! - a code is exchanged once, and only if its response carried the `state` that was sent and the right `iss`;
//! - an assertion about a person goes to the configured identity provider alone, and what that gives goes on only if it is
//!   for this client and the MCP server; any other assertion and a device code go to the token endpoint of their issuer, a
//!   user code to the person alone, and a reference to a request that was pushed ahead back to its server;
//! - what is signed for a client names the issuer that it goes to; a proof goes out with the request and the token that
//!   it names and with no nonce of another server; neither is sent twice, and a bound token never without a proof;
//! - no redirect is followed with a body, or to another origin;
//! - no more logins are shown to a person than policy says, but for those that a person asks for;
//! - new tokens are stored before success is told;
//! - no `Debug` and no `Display` of any event, action or failure shows a secret.

mod carried;
mod clients;
mod consent;
mod documents;
mod holding;
mod proofs;
mod secrets;

use url::{Host, Url};

use crate::action::{Action, Send};
use crate::base::guard::{Reach, is_loopback_host, same_origin};
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::credential::Generation;
use crate::event::{Answer, Event, Reply, RequestId, Saving};
use crate::failure::Failure;
use crate::grant_type::GrantType;
use crate::outcome::{Outcome, TokenSource};
use crate::snapshot::Snapshot;
use clients::Clients;
use consent::{Asked, Bounds, Pushed, Shown};
use documents::Documents;
use holding::{Awaited, Holding, Lane};
use proofs::Proofs;
use secrets::{Home, Secrets, Sort};

/// How many records that were offered to the store are remembered.
const STORED: usize = 16;

/// A watcher of one run.
#[derive(Clone, Debug)]
pub struct Watch {
    now: Timestamp,
    running: bool,
    /// How often somebody joined the attempt, or began another if it had just ended.
    joined: u32,
    /// Whether the attempt that runs is that other one, if there is one.
    perhaps: bool,
    /// The attempt is called off; what was asked for it may be answered still, or not.
    called_off: bool,
    /// Which records were offered to the store, and whether it has said what became of them; the latest last.
    stored: Vec<(RequestId, Generation, bool)>,
    awaited: Vec<Awaited>,
    holding: Holding,
    proofs: Proofs,
    last_id: u64,
    documents: Documents,
    secrets: Secrets,
    clients: Clients,
    /// The query of the MCP server's URL, which may be a key. It is sent to that server alone, and never shown.
    query: Option<String>,
    /// The authorization request that was pushed ahead.
    pushed: Pushed,
    asked: Option<Asked>,
    bounds: Bounds,
    shown: Shown,
    redirect: Option<Redirect>,
    /// Where the last redirect was followed to, and where the first of its kind began.
    moved: Option<(Url, Url)>,
    breaches: Vec<String>,
}

/// A redirect that was just answered.
#[derive(Clone, Debug)]
struct Redirect {
    from: Url,
    to: Url,
    with_body: bool,
}

impl Watch {
    /// Watches a run of a machine with this configuration.
    pub fn new(config: &Config) -> Self {
        let mut secrets = Secrets::default();
        for client in config.known_clients() {
            let home = client.issuer.clone().map_or(Home::Anywhere, Home::Issuer);
            if let Some(secret) = &client.client_secret {
                secrets.learn(Sort::ClientSecret, secret.expose(), home);
            }
        }
        for (issuer, token) in config.registration_tokens() {
            secrets.learn(Sort::InitialAccessToken, token.expose(), Home::Issuer(issuer.clone()));
        }
        for (issuer, statement) in config.software_statements() {
            secrets.learn(Sort::SoftwareStatement, statement.expose(), Home::Issuer(issuer.clone()));
        }
        if let GrantType::EnterpriseManaged(provider) = config.flow()
            && let Some(secret) = &provider.client_secret
        {
            let home = Home::Endpoint(provider.token_endpoint.clone());
            secrets.learn(Sort::ClientSecret, secret.expose(), home);
        }
        Self {
            now: Timestamp::default(),
            running: false,
            joined: 0,
            perhaps: false,
            called_off: false,
            stored: Vec::new(),
            awaited: Vec::new(),
            holding: Holding::default(),
            proofs: Proofs::of(config),
            last_id: 0,
            documents: Documents::of(config),
            secrets,
            clients: Clients::of(config),
            query: query(config.server_url()),
            pushed: Pushed::default(),
            asked: None,
            bounds: Bounds::of(config),
            shown: Shown::new(config.policies().logins_per_hour),
            redirect: None,
            moved: None,
            breaches: Vec::new(),
        }
    }

    /// Watches a run that takes up a login from where another left it.
    pub fn resume(config: &Config, snapshot: &Snapshot) -> Self {
        let mut watch = Self::new(config);
        let terms = &snapshot.consent.terms;
        watch.documents.remember(&terms.server);
        watch.secrets.learn(Sort::State, snapshot.state(), Home::Anywhere);
        watch.bounds.states.push(snapshot.state().to_owned());
        watch.client_secret(&terms.server, terms.client.secret.as_ref());
        watch.clients.learn(&terms.client.id, Home::Issuer(terms.server.issuer.clone()));
        watch.now = snapshot.taken_at;
        watch.running = true;
        watch.shown.now = true;
        watch.asked = Some(Asked {
            state: snapshot.state().to_owned(),
            token_endpoint: Some(terms.server.token_endpoint.clone()),
            issuer: Some(terms.server.issuer.clone()),
            iss_required: config.policies().require_iss || terms.server.iss_parameter_supported,
            aliases: watch.documents.aliases_of(&terms.server.named),
            answered: false,
            code: None,
            exchanged: None,
        });
        watch
    }

    /// What must never happen and did, in words.
    pub fn breaches(&self) -> &[String] {
        &self.breaches
    }

    /// The machine is about to be told this.
    pub fn event(&mut self, now: Timestamp, event: &Event) {
        self.now = self.now.max(now);
        match event {
            Event::Restore | Event::LogIn { .. } | Event::Challenged(_) | Event::LogOut => {
                if let Event::Challenged(challenge) = event {
                    self.proofs.gave_of_resource(challenge.nonce.as_ref().map(|nonce| nonce.as_str()));
                }
                self.joined = self.joined.saturating_add(u32::from(self.running));
                (self.running, self.perhaps) = (true, false);
                if matches!(event, Event::LogIn { .. }) {
                    self.shown.times.clear();
                }
                if matches!(event, Event::LogOut) {
                    (self.holding.may_forget, self.holding.logging_out) = (true, true);
                    // What was to be found there does not matter any more, and it is read once more.
                    self.awaited.retain(|awaited| !awaited.reads);
                }
            }
            Event::Called(callback) => self.called(callback.expose()),
            Event::Replied(reply) => self.replied(reply),
            // The page that the first browser shows is a dead end; another may open. One that was answered is none.
            Event::ClientDisowned => self.asked = self.asked.take().filter(|asked| asked.answered),
            // Nobody answers any more, and nobody holds anything.
            Event::Abandoned => {
                self.awaited.clear();
                let Holding { leases, left, .. } = &mut self.holding;
                left.append(leases);
            }
            Event::Cancelled => self.called_off = self.running,
            Event::Nonce(nonce) => self.proofs.gave_of_resource(Some(nonce.as_str())),
            Event::Tick => {}
        }
        self.lapses();
        self.shown("an event", &format!("{event:?}"));
    }

    /// The machine just asked for this.
    pub fn action(&mut self, action: &Action) {
        match action {
            Action::Wait(until) => {
                if self.running && !self.perhaps && until.is_none() {
                    self.breach("an attempt waits without end");
                }
                // Whatever has ended was polled before this; and only where nothing is awaited does nothing run.
                self.joined = 0;
                if until.is_none() {
                    (self.running, self.perhaps) = (self.running && !self.perhaps, false);
                }
            }
            Action::Load(load) => {
                let (id, deadline, lane) = (load.id, load.deadline, Lane::Grant);
                self.asks(Awaited { id, deadline, lane, sent: None, reads: true });
            }
            Action::Store(save) => {
                self.wants(save.id, save.deadline, Lane::Grant);
                self.stored.drain(..self.stored.len().saturating_sub(STORED));
                self.stored.push((save.id, save.credential().generation, false));
                self.credential(save.credential());
                self.named(
                    &save.credential().client.id,
                    &save.credential().authorization_server.token_endpoint,
                );
            }
            Action::Forget(forget) => self.wants(forget.id, forget.deadline, Lane::Grant),
            Action::Send(send) => self.sends(send),
            Action::Open(open) => self.opens(open),
            Action::Ask(ask) => {
                self.wants(ask.id, ask.until, Lane::Login);
                self.clients.asks(ask);
            }
            Action::Show(show) => self.shows(show),
            Action::Sign(sign) => self.signs(sign),
            Action::Supply(supply) => self.supplies(supply),
            Action::Release(_) => {}
            Action::Renewed(outcome) => self.ended(outcome),
            Action::Finish(outcome) => {
                if !self.running {
                    self.breach("an attempt ends that did not begin");
                }
                self.ended(outcome);
                self.awaited.retain(|awaited| awaited.lane != Lane::Login && !self.called_off);
                self.running = self.joined > 0;
                self.perhaps = self.running;
                self.joined = self.joined.saturating_sub(1);
                (self.called_off, self.asked, self.shown.now) = (false, None, false);
                (self.holding.logging_out, self.redirect) = (false, None);
                self.documents.ended();
            }
        }
        self.holds(action);
        self.shown("an action", &format!("{action:?}"));
    }

    /// Any other text that came of the run: no secret may stand in it.
    pub fn text(&mut self, what: &str, text: &str) {
        let found: Vec<_> = self.secrets.in_text(text).iter().map(|known| known.sort).collect();
        for sort in found {
            self.breach(format!("{what} shows a secret ({sort:?})"));
        }
    }

    /// The same for text that is made for showing, where the query of the server's URL has no place either.
    pub fn shown(&mut self, what: &str, text: &str) {
        if self.query.as_ref().is_some_and(|query| text.contains(query.as_str())) {
            self.breach(format!("{what} shows the query of the server's URL"));
        }
        self.text(what, text);
    }

    /// A token was attached to a request to `url`, for a resource.
    pub fn attached(&mut self, url: &Url, resource: &str) {
        let Ok(resource) = Url::parse(resource) else { return self.breach("a resource is no URL") };
        if !same_origin(&resource, url) {
            self.breach("a token goes to another origin than its resource");
        }
        // As a server may read it: decoded, and then taken apart again.
        let dividers = ["%2f", "%2F", "%5c", "%5C", ";", "%3b", "%3B"];
        let path = dividers.iter().fold(url.path().to_owned(), |path, divider| path.replace(divider, "/"));
        let read = url.join(&path).map_or(String::new(), |url| url.path().to_owned());
        let below = read
            .strip_prefix(resource.path().trim_end_matches('/'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let same_query = resource.query().is_none_or(|query| url.query() == Some(query));
        if !below || !same_query {
            self.breach("a token goes to another path or query than its resource's");
        }
    }

    /// An attempt, or a renewal beside one, is over.
    fn ended(&mut self, outcome: &Result<Outcome, Box<Failure>>) {
        match outcome {
            Ok(Outcome::Authorized(done)) => {
                let new = matches!(
                    done.source,
                    TokenSource::LoggedIn | TokenSource::Refreshed | TokenSource::Granted
                );
                let is_it =
                    |(_, generation, answered): &(_, _, _)| *answered && *generation == done.generation;
                if new && done.unsaved.is_none() && !self.stored.iter().any(is_it) {
                    self.breach("success is told before the new tokens are stored");
                }
            }
            Ok(Outcome::Anonymous | Outcome::LoggedOut(_)) => {}
            Err(failure) => self.shown("a failure", &format!("{failure:#}")),
        }
    }

    fn wants(&mut self, id: RequestId, deadline: Timestamp, lane: Lane) {
        self.asks(Awaited { id, deadline, lane, sent: None, reads: false });
    }

    fn breach(&mut self, what: impl Into<String>) {
        self.breaches.push(what.into());
    }

    fn replied(&mut self, reply: &Reply) {
        self.held(reply.id, &reply.answer);
        if matches!(reply.answer, Answer::Saved(_)) {
            // Whoever waited for it, and whether anybody still does.
            let offered = self.stored.iter_mut().filter(|(id, ..)| *id == reply.id);
            offered.for_each(|(.., answered)| *answered = true);
        }
        let place = self.awaited.iter().position(|awaited| awaited.id == reply.id);
        let Some(awaited) = place.map(|place| self.awaited.remove(place)) else { return };
        match (&reply.answer, awaited.sent) {
            (Answer::SendFailed(_), Some((purpose, ..))) => self.documents.looks(purpose, None),
            (Answer::Response(response), Some((purpose, method, url))) => {
                self.answered(purpose, &method, &url, response);
            }
            (
                Answer::Found(Some(credential))
                | Answer::Leased(Some(credential))
                | Answer::Saved(Saving::Conflict(Some(credential))),
                _,
            ) => {
                self.credential(credential);
                let issuer = credential.authorization_server.issuer.clone();
                self.clients.learn(&credential.client.id, Home::Issuer(issuer));
            }
            (Answer::Supplied(Ok(assertion)), _) => self.supplied(assertion.expose()),
            (Answer::Told(Some(told)), _) => {
                self.clients.told(told);
                if let Some(secret) = &told.client_secret {
                    self.secrets.learn(Sort::ClientSecret, secret.expose(), Home::Anywhere);
                }
            }
            _ => {}
        }
    }

    fn sends(&mut self, send: &Send) {
        let url = send.uri().to_string();
        let sent = Some((send.purpose(), send.method().clone(), url.clone()));
        let lane = Lane::of(send.purpose());
        self.asks(Awaited { id: send.id, deadline: send.deadline(), lane, sent, reads: false });
        if send.max_bytes() == 0 || send.max_bytes() > 16 << 20 {
            self.breach("a request has no sensible limit");
        }
        match Url::parse(&url) {
            Ok(parsed) => {
                self.judge(&parsed, Some(send.reach()));
                self.redirected(&parsed);
            }
            Err(_) => self.breach("a request goes to something that is no URL"),
        }
        self.text("a request's URL", &url);
        self.carried(send, &url);
    }

    fn judge(&mut self, url: &Url, reach: Option<Reach>) {
        let secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback_host(url));
        let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if !secure || !bare {
            self.breach("a URL is used that is not https, or has user info or a fragment");
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) | None => None,
        };
        if reach.zip(address).is_some_and(|(reach, address)| !reach.allows(address)) {
            self.breach("a request goes to an address outside its reach");
        }
    }

    fn redirected(&mut self, next: &Url) {
        let Some(redirect) = self.redirect.take() else { return };
        if redirect.to != *next {
            return;
        }
        // Where it leads is what is looked at.
        self.documents.doubts = self.documents.doubts.saturating_sub(1);
        if redirect.with_body || !same_origin(&redirect.from, next) {
            return self.breach("a redirect is followed with a body, or to another origin");
        }
        let first = self.moved.take().filter(|(to, _)| *to == redirect.from).map(|(_, first)| first);
        self.moved = Some((redirect.to, first.unwrap_or(redirect.from)));
    }
}

/// The query of a URL, if it is long enough not to stand anywhere by chance.
fn query(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    Some(query.split('#').next().unwrap_or_default().to_owned()).filter(|query| query.len() >= 8)
}

fn same_url(a: &str, b: &str) -> bool {
    a == b || Url::parse(a).ok().zip(Url::parse(b).ok()).is_some_and(|(a, b)| a == b)
}

#[cfg(test)]
mod tests;
