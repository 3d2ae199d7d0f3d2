//! The whole: some processes, one store, one server, a clock, and how many faults may still happen.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use mcp_auth::wire::client::{Client, Origin};
use mcp_auth::{Credential, VERSION};
use serde_json::json;

use crate::process::{Flight, Process, Told};
use crate::server::{
    Answer, ISSUER, LIFETIME, RESOURCE, Rotation, Server, access_text, client_text, refresh_text,
};
use crate::store::{Means, Store, refresh_of};

/// When every run begins.
pub(crate) const BEGIN: u64 = 1_800_000_000;

/// How the access token stands at the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// It has expired.
    Expired,
    /// It has a few seconds left.
    Expiring,
    /// It lives by its own word, but the resource does not take it.
    Refused,
    /// It lives.
    Live,
}

/// What is done wrong on purpose, to show that it is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wrong {
    #[default]
    Nothing,
    /// The store lets everybody have the record at once.
    NoLeases,
    /// The same, and it writes whatever it is given.
    NoComparison,
    /// The store does not hear that a record is let go.
    NoReleases,
    /// The driver drops tokens that came, and says that none did.
    DropsTokens,
    /// The driver logs in again at once when a login fails, and leaves the browser open.
    Impatient,
    /// The driver logs in for more scope before every request.
    LogsInFirst,
    /// The driver tells one of those that wait, and forgets the others.
    ForgetsWaiters,
    /// The driver does not keep the time.
    NeverTicks,
    /// The token endpoint is down for good.
    Outage,
    /// The token endpoint gives tokens of another type.
    OtherType,
    /// The driver does not show the watch what it writes.
    Unwatched,
}

/// What is explored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) rotation: Rotation,
    pub(crate) start: Start,
    pub(crate) processes: usize,
    pub(crate) requests: usize,
    pub(crate) faults: u8,
    pub(crate) wrong: Wrong,
}

/// What must never be, and was.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) property: Property,
    pub(crate) what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Property {
    /// A refresh token is used at most once, unless a fault left the outcome of a use unknown.
    UsedOnce,
    /// The newest live refresh token is in the store, in a machine or on its way to one, unless a fault took it away.
    NeverLost,
    /// A live record is not overwritten or deleted by a dead one.
    NotOverwritten,
    /// One machine has one browser open at most.
    OneBrowser,
    /// No browser opens while the access token in use works or the grant lives.
    NoNeedlessBrowser,
    /// Every run comes to an end, and every caller is answered.
    Quiesces,
    /// Every caller has an answer, or a failure that fits the faults.
    TypedEnd,
    /// No lease is held at the end.
    Released,
    /// After the faults, a request in each process succeeds, with one login at most.
    Recovers,
    /// Without faults there is one refresh, and nobody is asked.
    OneRefresh,
    /// The watch has nothing to say.
    Watched,
}

#[derive(Clone)]
pub(crate) struct State {
    pub(crate) setup: Setup,
    pub(crate) now: u64,
    pub(crate) server: Server,
    pub(crate) store: Store,
    /// The lease was taken by somebody who is gone, or does not know of it.
    pub(crate) lease_excused: bool,
    pub(crate) processes: Vec<Rc<Process>>,
    /// What processes left behind that are gone.
    pub(crate) orphans: Vec<Flight>,
    pub(crate) faults_left: u8,
    /// How many browsers have opened.
    pub(crate) opened: usize,
    pub(crate) violations: Vec<Violation>,
}

impl State {
    pub(crate) fn new(setup: Setup) -> Self {
        Self::begin(setup, false)
    }

    /// The same, and what machines are told and ask for is kept.
    pub(crate) fn recorded(setup: Setup) -> Self {
        Self::begin(setup, true)
    }

    fn begin(setup: Setup, recorded: bool) -> Self {
        let expires = match setup.start {
            Start::Expired => BEGIN,
            Start::Expiring => BEGIN + 20,
            Start::Refused | Start::Live => BEGIN + LIFETIME / 2,
        };
        let leases = !matches!(setup.wrong, Wrong::NoLeases | Wrong::NoComparison);
        let means = Means {
            leases,
            compares: setup.wrong != Wrong::NoComparison,
            releases: setup.wrong != Wrong::NoReleases,
        };
        let store = Store { record: Some(Rc::new(first_record(expires))), lease: None, means };
        let processes = (0..setup.processes).map(|place| Rc::new(Process::new(place, setup.requests)));
        let mut state = Self {
            setup,
            now: BEGIN,
            server: Server::new(setup.rotation, expires, setup.start == Start::Refused),
            store,
            lease_excused: false,
            processes: processes.collect(),
            orphans: Vec::new(),
            faults_left: setup.faults,
            opened: 0,
            violations: Vec::new(),
        };
        for process in 0..setup.processes {
            if recorded {
                state.process(process).record();
            }
            state.arrive(process);
        }
        state
    }

    /// Two states of the same fingerprint are the same in all that can come of them.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.now, &self.server, &self.store, self.lease_excused, &self.orphans).hash(&mut hasher);
        (self.faults_left, self.opened).hash(&mut hasher);
        for process in &self.processes {
            process.hash(&mut hasher);
        }
        hasher.finish()
    }

    pub(crate) fn process(&mut self, place: usize) -> &mut Process {
        Rc::make_mut(&mut self.processes[place])
    }

    pub(crate) fn violated(&mut self, property: Property, what: impl Into<String>) {
        self.violations.push(Violation { property, what: what.into() });
    }

    pub(crate) fn is_without_faults(&self) -> bool {
        self.faults_left == self.setup.faults
    }

    /// Whether somebody who lives can come to this refresh token.
    fn is_at_hand(&self, token: usize) -> bool {
        let brings = |flight: &Flight| match &flight.back {
            Some(Told::Answer(Answer::Tokens { refresh, .. })) => *refresh == token,
            _ => false,
        };
        refresh_of(self.store.record.as_ref()) == Some(token)
            || self.processes.iter().any(|it| it.memory.contains(&token) || it.flights.iter().any(brings))
    }

    /// What must hold in every state.
    pub(crate) fn judge(&mut self) {
        let twice = self.server.refresh.iter().position(|token| token.uses > 1 && !token.doubted);
        if let Some(token) = twice {
            self.violated(Property::UsedOnce, format!("{} is used twice", refresh_text(token)));
        }
        let excused = |token: &usize| self.server.refresh[*token].excused;
        let mut live = self.server.accepted(self.now).peekable();
        let lost = live.peek().is_some() && live.all(|token| !self.is_at_hand(token) && !excused(&token));
        drop(live);
        if lost {
            self.violated(Property::NeverLost, "nobody has the live refresh token");
        }
    }
}

fn first_record(expires: u64) -> Credential {
    let client = Client::new(client_text(0), Origin::Dynamic);
    let record = json!({
        "version": VERSION,
        "generation": BEGIN - LIFETIME,
        "server": RESOURCE,
        "resource": RESOURCE,
        "resource_metadata": "https://mcp.example/.well-known/oauth-protected-resource/mcp",
        "authorization_server": {
            "issuer": ISSUER,
            "named": ISSUER,
            "authorization_endpoint": format!("{ISSUER}/authorize"),
            "token_endpoint": format!("{ISSUER}/token"),
            "revocation_endpoint": null,
            "iss_parameter_supported": true,
            "legacy": false,
        },
        "client": client,
        "asked": "",
        "granted": "",
        "access_token": access_text(0),
        "refresh_token": refresh_text(0),
        "obtained_at": expires - LIFETIME,
        "expires_at": expires,
    });
    serde_json::from_value(record).expect("a record")
}
