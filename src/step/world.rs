//! What every step works with: the configuration, the clock as it was last told, and the queue of actions.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use url::Url;

use crate::action::{Action, Ask, Forget, Load, Open, Purpose, Release, Save, Send};
use crate::base::breach::{Breach, Kind};
use crate::base::guard::{self, Endpoint};
use crate::base::redaction::Redaction;
use crate::base::secret::Secret;
use crate::base::seed::{Draw, Draws, Seed};
use crate::base::time::Timestamp;
use crate::config::{Config, Judged};
use crate::credential::{AuthorizationServer, Credential, Generation};
use crate::event::RequestId;
use crate::grant_type::GrantType;
use crate::preregistered::Preregistered;
use crate::step::learnt::Learnt;
use crate::step::logins::Logins;
use crate::step::proving::Nonces;
use crate::step::renewals::Renewals;
use crate::trail::{Entry, Trail, Verdict};
use crate::wire::client::{AuthMethod, Client, Origin};

/// The field that carries a proof of possession (RFC 9449 §4.1).
const DPOP: HeaderName = HeaderName::from_static("dpop");
/// How many exclusive loads that may still take the record are remembered.
const MAX_UNANSWERED: usize = 16;

/// The one thing a step waits for: the request it made, and when it stops waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) id: RequestId,
    pub(crate) deadline: Timestamp,
}

/// The record in the store is held for this machine. To be released, whatever happens.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    load: RequestId,
    until: Timestamp,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) place: Arc<Judged>,
    pub(crate) draws: Draws,
    pub(crate) now: Timestamp,
    pub(crate) trail: Trail,
    pub(crate) out: VecDeque<Action>,
    /// Whether this attempt has put something before a person.
    pub(crate) seen: bool,
    pub(crate) logins: Logins,
    /// Before when it is in vain to try again.
    pub(crate) retry_at: Option<Timestamp>,
    pub(crate) renewals: Renewals,
    /// The generation of the record in the store, whoever wrote it.
    pub(crate) record: Option<Generation>,
    /// The highest generation that was seen anywhere.
    pub(crate) latest: Generation,
    pub(crate) learnt: Learnt,
    pub(super) nonces: Nonces,
    /// Exclusive loads that nothing has come back from, and when they were asked for.
    unanswered: Vec<(RequestId, Timestamp)>,
    ids: u64,
}

/// A request to be sent.
pub(crate) struct Order<'a> {
    pub(crate) purpose: Purpose,
    /// Where to: judged by [`World::judge`], or as part of the metadata that named it.
    pub(crate) to: &'a Endpoint,
    /// The clause that asks for the request.
    pub(crate) clause: &'static str,
    pub(crate) authorization: Option<&'a Secret>,
    /// The proof of possession.
    pub(crate) proof: Option<&'a Secret>,
    pub(crate) content: Option<(&'static str, Secret)>,
    /// The secrets in the content.
    pub(crate) secrets: Vec<&'a Secret>,
}

/// A request that is under way.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) pending: Pending,
    /// What it carries. A server may give that back in what it says about the request, so whatever is told of its answer
    /// is cleared of it.
    pub(crate) carried: Redaction,
}

fn unfit(clause: &'static str, got: String) -> Breach {
    Breach::new(Kind::UrlRefused, clause, "a URL that may be sent to or opened", got)
}

impl World {
    pub(crate) fn new(config: Config, seed: Seed) -> Result<Self, Breach> {
        let place = Arc::clone(config.judged()?);
        Ok(Self {
            config,
            place,
            draws: Draws::new(seed),
            now: Timestamp::default(),
            trail: Trail::default(),
            out: VecDeque::new(),
            seen: false,
            logins: Logins::default(),
            retry_at: None,
            renewals: Renewals::default(),
            record: None,
            latest: Generation::default(),
            learnt: Learnt::default(),
            nonces: Nonces::default(),
            unanswered: Vec::new(),
            ids: 0,
        })
    }

    pub(crate) fn note(
        &mut self,
        verdict: Verdict,
        note: impl Into<Cow<'static, str>>,
        clause: &'static str,
    ) {
        self.trail.note(self.now, verdict, note, clause);
    }

    pub(crate) fn taken(
        &mut self,
        url: &str,
        status: u16,
        note: impl Into<Cow<'static, str>>,
        clause: &'static str,
    ) {
        let at = self.now;
        let url = Some(guard::without_query(url));
        let clause = Some(Cow::Borrowed(clause));
        self.trail.push(Entry {
            at,
            verdict: Verdict::Taken,
            url,
            status: Some(status),
            note: note.into(),
            clause,
        });
    }

    pub(crate) fn passed_over(&mut self, url: &str, status: Option<u16>, breach: &Breach) {
        let url = Some(guard::without_query(url));
        self.trail.breach(self.now, Verdict::PassedOver, url, status, breach);
    }

    /// A code or a secret is about to be sent to this authorization server. A client that is configured for no issuer is
    /// its own from now on.
    pub(crate) fn bind(&mut self, server: &AuthorizationServer) {
        let unbound = self.config.client_for(&server.named).filter(|client| client.issuer.is_none());
        if unbound.is_some() {
            self.learnt.bind(&server.issuer);
        }
    }

    /// Whether the client of this credential may be used still.
    pub(crate) fn knows(&self, credential: &Credential) -> bool {
        !self.learnt.has_disowned(&credential.authorization_server.issuer, &credential.client.id)
    }

    /// Whether this grant may be renewed at `now`: by its refresh token or, where no person is needed, by asking again.
    pub(crate) fn may_renew(&self, credential: &Credential, now: Timestamp) -> bool {
        let possible = if self.config.flow().needs_person() {
            self.renewals.allow(credential, now)
        } else {
            self.knows(credential) && self.renewals.allow_again(credential.generation, now)
        };
        possible && self.has_proven(credential)
    }

    /// Whether this credential holds the secret that is configured for its client. One that does not may have been
    /// planted by somebody who wants to be shown it, so nothing with a secret is sent to the endpoints that it names.
    pub(crate) fn has_proven(&self, credential: &Credential) -> bool {
        self.is_proven(&credential.authorization_server, &credential.client)
    }

    /// The same for a client of an authorization server.
    pub(crate) fn is_proven(&self, server: &AuthorizationServer, client: &Client) -> bool {
        let same = |known: &Preregistered| known.client_secret == client.secret;
        // A workload may have no client at all.
        let nobody = client.id.is_empty() && client.secret.is_none();
        let holds = client.origin != Origin::Preregistered
            || nobody
            || self.config.client_for(&server.named).is_some_and(same);
        // What is signed, or what others say, is not in the record, so it proves nothing about where that may go: it is for
        // the issuer, and so it goes to the issuer's own origin, or where metadata of this run says.
        let vouched =
            matches!(self.config.flow(), GrantType::EnterpriseManaged(_) | GrantType::WorkloadIdentity);
        let asserts = vouched || client.method == AuthMethod::PrivateKeyJwt;
        holds && (!asserts || self.knows_endpoints(server))
    }

    /// Whether what this authorization server is said to be is more than a record's word.
    pub(crate) fn knows_endpoints(&self, server: &AuthorizationServer) -> bool {
        server.is_at_home() || self.learnt.confirms(server)
    }

    /// This generation was seen somewhere. Above one that cannot be raised there is none, so it is no measure.
    pub(crate) fn saw(&mut self, generation: Generation) {
        if generation.is_sound() {
            self.latest = self.latest.max(generation);
        }
    }

    /// This record stands in the store.
    pub(crate) fn stands(&mut self, record: Option<Generation>) {
        self.record = record;
        if let Some(record) = record {
            self.saw(record);
        }
    }

    pub(super) fn pending(&mut self, span: Duration) -> Pending {
        self.ids = self.ids.saturating_add(1);
        Pending { id: RequestId(self.ids), deadline: self.now.after(span) }
    }

    /// Judges where something is to be sent, or what is to be opened; `clause` is what a bad URL breaks.
    pub(crate) fn judge(&self, url: &str, clause: &'static str) -> Result<Endpoint, Breach> {
        self.place.guard.check(url).map_err(|refused| unfit(clause, refused.to_string()))
    }

    /// Something goes to where the guard let it pass. That policy had to say so is said, once of each URL.
    pub(super) fn goes(&mut self, url: &Url) {
        const BY_REACH: &str = "an address that would be refused is taken by `reach`";
        if !self.place.guard.widens_for(url) {
            return;
        }
        let url = Some(guard::without_query(url.as_str()));
        if self.trail.entries().iter().any(|entry| entry.note == BY_REACH && entry.url == url) {
            return;
        }
        let (note, clause) = (BY_REACH.into(), Some("RFC 9728 §7.7".into()));
        self.trail.push(Entry { at: self.now, verdict: Verdict::Deviation, url, status: None, note, clause });
    }

    /// Sends a request, to what has passed the guard. There is no other way to send one.
    pub(crate) fn send(&mut self, order: Order<'_>) -> Result<Sent, Breach> {
        let carried = Redaction::of(order.authorization, order.secrets);
        let refuse = |got| unfit(order.clause, got);
        let uri = Uri::try_from(order.to.url().as_str())
            .map_err(|_| refuse(guard::without_query(order.to.as_given())))?;
        let policy = self.config.policies();
        let metadata = order.purpose.is_metadata();
        let max_bytes = if metadata { policy.metadata_bytes } else { policy.answer_bytes };
        let mut fields = HeaderMap::new();
        fields.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if metadata && let Ok(revision) = HeaderValue::from_str(self.config.revision()) {
            fields.insert(HeaderName::from_static("mcp-protocol-version"), revision);
        }
        let proven = [(header::AUTHORIZATION, order.authorization), (DPOP, order.proof)];
        for (name, value) in proven.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            let uncarried = || {
                let expected = "a credential that a header field may carry";
                Breach::new(Kind::Configuration, "RFC 9110 §5.5", expected, "one with other characters")
            };
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| uncarried())?;
            value.set_sensitive(true);
            fields.insert(name, value);
        }
        let (method, body) = match order.content {
            None => (Method::GET, None),
            Some((content_type, body)) => {
                fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
                (Method::POST, Some(body))
            }
        };
        self.goes(order.to.url());
        let pending = self.pending(self.config.policies().exchange_time);
        self.out.push_back(Action::Send(Send {
            id: pending.id,
            purpose: order.purpose,
            method,
            uri,
            fields,
            body,
            max_bytes,
            deadline: pending.deadline,
            reach: order.to.reach(),
        }));
        Ok(Sent { pending, carried })
    }

    pub(crate) fn load(&mut self, exclusive: bool) -> Pending {
        let pending = self.pending(self.config.policies().exchange_time);
        let (id, key, deadline) = (pending.id, self.config.key(), pending.deadline);
        if exclusive {
            self.unanswered.truncate(MAX_UNANSWERED.saturating_sub(1));
            self.unanswered.insert(0, (id, self.now));
        }
        let exclusive = exclusive.then(|| self.lease_time());
        self.out.push_back(Action::Load(Load { id, key, exclusive, deadline }));
        pending
    }

    /// How long one message to an endpoint that knows its clients may take: with what must be signed, and all that once more
    /// if the server wants its nonce in the proof.
    fn post_time(&self) -> Duration {
        let (client, proof) = (self.config.key_of_client().is_some(), self.config.key_of_proofs().is_some());
        let each = 1_u32.saturating_add(client.into()).saturating_add(proof.into());
        let times = if proof { 2 } else { 1 };
        self.config.policies().exchange_time.saturating_mul(each.saturating_mul(times))
    }

    /// How long a record is held at most: for the load, a message that is sent twice, and the write.
    pub(crate) fn lease_time(&self) -> Duration {
        let others = self.config.policies().exchange_time.saturating_mul(2);
        self.post_time().saturating_mul(2).saturating_add(others)
    }

    /// The load has taken the record. `None` if that was known already. How long the answer was under way nobody knows,
    /// so the time counts from when it was asked for.
    pub(crate) fn leased(&mut self, load: RequestId) -> Option<Lease> {
        let place = self.unanswered.iter().position(|(known, _)| *known == load)?;
        let (_, asked) = self.unanswered.remove(place);
        Some(Lease { load, until: asked.after(self.lease_time()) })
    }

    /// The load has found the record taken, or nobody was asked for it. There are many such loads while somebody else holds
    /// it, and none may take the place of one whose answer is still to come.
    pub(crate) fn not_leased(&mut self, load: RequestId) {
        self.unanswered.retain(|(known, _)| *known != load);
    }

    /// Takes back what nobody was asked for yet, and gives what that was.
    pub(crate) fn retract(&mut self, goes: impl Fn(&Action) -> bool) -> Vec<RequestId> {
        let mut retracted = Vec::new();
        self.out.retain(|action| {
            let goes = goes(action);
            retracted.extend(action.id().filter(|_| goes));
            !goes
        });
        retracted.iter().for_each(|id| self.not_leased(*id));
        retracted
    }

    /// Whether the record is held for as long as another message may take, and the write that follows.
    pub(crate) fn holds_for_an_exchange(&self, lease: &Lease) -> bool {
        let write = self.config.policies().exchange_time;
        self.now.after(self.post_time().saturating_add(write)) <= lease.until
    }

    pub(crate) fn release(&mut self, lease: Option<Lease>) {
        if let Some(Lease { load, .. }) = lease {
            self.out.push_back(Action::Release(Release { load, key: self.config.key() }));
        }
    }

    /// Gives a new record a generation above every one that was seen, one that no record had that was forgotten before
    /// (generations begin with the time), and one that no other machine gives at the same time.
    pub(crate) fn number(&mut self, credential: &mut Credential) {
        let chance = self.draws.pair(Draw::Generation).into();
        credential.generation = self.latest.max(Generation::at(self.now)).next(chance);
        self.latest = credential.generation;
    }

    /// Writes the record over the one that is known to stand there.
    pub(crate) fn save(&mut self, credential: &mut Arc<Credential>, is_new: bool) -> Pending {
        if is_new {
            self.number(Arc::make_mut(credential));
        }
        let pending = self.pending(self.config.policies().exchange_time);
        let (id, key, deadline) = (pending.id, self.config.key(), pending.deadline);
        let (credential, replaces) = (Arc::clone(credential), self.record);
        self.out.push_back(Action::Store(Save { id, key, credential, replaces, deadline }));
        pending
    }

    pub(crate) fn forget(&mut self, generation: Generation) -> Pending {
        let pending = self.pending(self.config.policies().exchange_time);
        let (id, key, deadline) = (pending.id, self.config.key(), pending.deadline);
        self.out.push_back(Action::Forget(Forget { id, key, generation, deadline }));
        pending
    }

    /// Waits without asking for anything.
    pub(crate) fn rest(&mut self, span: Duration) -> Pending {
        self.pending(span)
    }

    /// Sends nothing more of this machine to the server of this grant for a while.
    pub(crate) fn back_off(&mut self, generation: Generation, breach: &Breach, asked: Option<Timestamp>) {
        let jitter = self.draws.byte(Draw::BackOff);
        self.renewals.back_off(generation, breach, asked, self.now, jitter);
    }

    /// A person is shown something. All that one attempt shows counts once.
    pub(super) fn trouble(&mut self) {
        if !std::mem::replace(&mut self.seen, true) {
            self.logins.count(self.now);
        }
    }

    pub(crate) fn ask(&mut self, issuer: &str) -> Pending {
        self.trouble();
        let pending = self.pending(self.config.policies().consent_time);
        self.out.push_back(Action::Ask(Ask {
            id: pending.id,
            issuer: issuer.to_owned(),
            redirect_uri: self.config.redirect_url().to_owned(),
            until: pending.deadline,
        }));
        pending
    }

    pub(crate) fn open(&mut self, url: Url) -> Pending {
        self.trouble();
        self.goes(&url);
        let pending = self.pending(self.config.policies().consent_time);
        self.out.push_back(Action::Open(Open { id: pending.id, url, until: pending.deadline }));
        pending
    }
}
