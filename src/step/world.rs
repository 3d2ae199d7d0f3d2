//! What every step works with: the configuration, the clock as it was last told, and the queue of actions.

use std::borrow::Cow;
use std::collections::VecDeque;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use crate::action::{Action, Ask, Load, Open, Purpose, Save, Send};
use crate::base::breach::{Breach, Kind};
use crate::base::guard::{self, Endpoint, Guard};
use crate::base::secret::Secret;
use crate::base::seed::{Draws, Seed};
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::credential::{Credential, Generation};
use crate::event::RequestId;
use crate::trail::{Entry, Trail, Verdict};
use crate::wire::client::Client;

/// How many authorization servers' registrations are kept at a time.
const MAX_REGISTERED: usize = 4;

/// The one thing a step waits for: the request it made, and when it stops waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) id: RequestId,
    pub(crate) deadline: Timestamp,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) server: Endpoint,
    pub(crate) guard: Guard,
    pub(crate) draws: Draws,
    pub(crate) now: Timestamp,
    pub(crate) trail: Trail,
    pub(crate) out: VecDeque<Action>,
    /// Whether this attempt has put something before a person.
    pub(crate) seen: bool,
    /// The grant whose refresh token the authorization server refused: it is not sent again.
    pub(crate) spent: Option<Generation>,
    /// The client that its authorization server no longer knows, by issuer and identifier: it is not used again.
    disowned: Option<(String, String)>,
    /// Clients that were registered in this run, by issuer. A login that fails does not undo its registration.
    registered: Vec<(String, Client)>,
    ids: u64,
}

/// A request to be sent.
pub(crate) struct Order<'a> {
    pub(crate) purpose: Purpose,
    pub(crate) url: &'a str,
    /// The clause that a bad URL breaks.
    pub(crate) clause: &'static str,
    pub(crate) authorization: Option<&'a Secret>,
    pub(crate) content: Option<(&'static str, Secret)>,
}

impl World {
    pub(crate) fn new(config: Config, seed: Seed) -> Result<Self, Breach> {
        let server = config.check()?;
        let guard = Guard::for_server(&server, config.policies().reach);
        Ok(Self {
            config,
            server,
            guard,
            draws: Draws::new(seed),
            now: Timestamp::default(),
            trail: Trail::default(),
            out: VecDeque::new(),
            seen: false,
            spent: None,
            disowned: None,
            registered: Vec::new(),
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

    pub(crate) fn taken(&mut self, url: &str, status: u16, note: String, clause: &'static str) {
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

    /// The authorization server does not know this client any more.
    pub(crate) fn disown(&mut self, issuer: &str, client: &Client) {
        self.disowned = Some((issuer.to_owned(), client.id.clone()));
        self.registered.retain(|(known, _)| known != issuer);
    }

    /// The authorization server has registered this client.
    pub(crate) fn register(&mut self, issuer: &str, client: &Client) {
        self.registered.retain(|(known, _)| known != issuer);
        self.registered.truncate(MAX_REGISTERED.saturating_sub(1));
        self.registered.insert(0, (issuer.to_owned(), client.clone()));
    }

    /// The client that this authorization server has registered in this run.
    pub(crate) fn registered(&self, issuer: &str) -> Option<&Client> {
        self.registered.iter().find(|(known, _)| known == issuer).map(|(_, client)| client)
    }

    /// Whether the client of this credential may be used still.
    pub(crate) fn knows(&self, credential: &Credential) -> bool {
        let client = (credential.authorization_server.issuer.as_str(), credential.client.id.as_str());
        self.disowned.as_ref().is_none_or(|(issuer, id)| client != (issuer.as_str(), id.as_str()))
    }

    fn pending(&mut self, span: std::time::Duration) -> Pending {
        self.ids = self.ids.saturating_add(1);
        Pending { id: RequestId(self.ids), deadline: self.now.after(span) }
    }

    /// Sends a request, through the guard. There is no other way to send one.
    pub(crate) fn send(&mut self, order: Order<'_>) -> Result<Pending, Breach> {
        let refuse =
            |got: String| Breach::new(Kind::UrlRefused, order.clause, "a URL that may be sent to", got);
        let endpoint = self.guard.check(order.url).map_err(|refused| refuse(refused.to_string()))?;
        let uri =
            Uri::try_from(endpoint.url().as_str()).map_err(|_| refuse(guard::without_query(order.url)))?;
        let policy = self.config.policies();
        let metadata = matches!(order.purpose, Purpose::ResourceMetadata | Purpose::ServerMetadata);
        let max_bytes = if metadata { policy.metadata_bytes } else { policy.answer_bytes };
        let mut fields = HeaderMap::new();
        fields.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if metadata && let Ok(revision) = HeaderValue::from_str(self.config.revision()) {
            fields.insert(HeaderName::from_static("mcp-protocol-version"), revision);
        }
        if let Some(value) = order.authorization {
            let unfit = || refuse("a credential that no header field may carry".to_owned());
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| unfit())?;
            value.set_sensitive(true);
            fields.insert(header::AUTHORIZATION, value);
        }
        let (method, body) = match order.content {
            None => (Method::GET, None),
            Some((content_type, body)) => {
                fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
                (Method::POST, Some(body))
            }
        };
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
            reach: endpoint.reach(),
        }));
        Ok(pending)
    }

    pub(crate) fn load(&mut self) -> Pending {
        let pending = self.pending(self.config.policies().exchange_time);
        self.out.push_back(Action::Load(Load { id: pending.id, key: self.config.key() }));
        pending
    }

    pub(crate) fn save(&mut self, credential: Box<Credential>, replaces: Option<Generation>) -> Pending {
        let pending = self.pending(self.config.policies().exchange_time);
        let key = self.config.key();
        self.out.push_back(Action::Store(Save { id: pending.id, key, credential, replaces }));
        pending
    }

    pub(crate) fn ask(&mut self, issuer: &str) -> Pending {
        self.seen = true;
        let pending = self.pending(self.config.policies().consent_time);
        self.out.push_back(Action::Ask(Ask {
            id: pending.id,
            issuer: issuer.to_owned(),
            redirect_uri: self.config.redirect_url().to_owned(),
            until: pending.deadline,
        }));
        pending
    }

    pub(crate) fn open(&mut self, url: url::Url) -> Pending {
        self.seen = true;
        let pending = self.pending(self.config.policies().consent_time);
        self.out.push_back(Action::Open(Open { id: pending.id, url, until: pending.deadline }));
        pending
    }
}
