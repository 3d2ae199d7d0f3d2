//! One process: a machine under its watch, what is under way for it, and the requests of its callers.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use mcp_auth::watch::Watch;
use mcp_auth::{
    Authorizer, Config, Event, Forget, Generation, Kind, Load, Open, Policy, Save, Seed, Send, SendFailure,
};

use crate::lines::Line;
use crate::server::{Answer, RESOURCE};
use crate::store::Said;

/// Something that crosses the border of the process.
#[derive(Debug)]
pub(crate) enum Op {
    Load(Load),
    Store(Save),
    Forget(Forget),
    Send(Send),
}

/// What came back.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Told {
    Said(Said),
    Answer(Answer),
    NotSent,
    Interrupted,
}

impl Op {
    pub(crate) fn event(&self, told: &Told) -> Event {
        match (self, told) {
            (Self::Load(load), Told::Said(Said::Found(record))) => load.reply(record.as_deref().cloned()),
            (Self::Load(load), Told::Said(Said::Busy)) => load.busy(),
            (Self::Load(load), _) => load.fail("the disk is gone"),
            (Self::Store(save), Told::Said(said)) => save.reply(said.saving()),
            (Self::Forget(forget), Told::Said(Said::Forgotten(gone))) => forget.reply(*gone),
            (Self::Forget(forget), _) => forget.fail("the disk is gone"),
            (Self::Send(send), Told::Answer(answer)) => send.reply(answer.response()),
            (Self::Send(send), Told::NotSent) => send.fail(SendFailure::NotSent("no route".to_owned())),
            (Self::Send(send), _) => send.fail(SendFailure::Interrupted("the connection broke".to_owned())),
            (Self::Store(_), _) => unreachable!("a store answers a write"),
        }
    }
}

/// An operation on its way there, or its answer on its way back.
#[derive(Clone, Debug)]
pub(crate) struct Flight {
    pub(crate) op: Rc<Op>,
    pub(crate) process: usize,
    pub(crate) incarnation: u8,
    pub(crate) deadline: u64,
    /// What happens next happens no sooner.
    pub(crate) not_before: u64,
    /// The answer; before the operation has taken effect there is none.
    pub(crate) back: Option<Told>,
    /// Nobody waits for the answer any more, or will by the time it comes.
    pub(crate) astray: bool,
}

impl Hash for Flight {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Which operation it is follows from the history of its process.
        std::mem::discriminant(&*self.op).hash(state);
        (self.process, self.incarnation, self.deadline, self.not_before, &self.back, self.astray).hash(state);
    }
}

/// A request of a caller to the MCP server.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum Request {
    /// The caller has not come yet.
    Expected,
    /// It waits for an attempt to end; after a refusal it knows the token that was refused, and how often it was
    /// refused before.
    Waiting {
        refused: Option<(Option<Generation>, u8)>,
        own: bool,
    },
    /// It is at the resource, with this token.
    Sent {
        token: Option<usize>,
        generation: Option<Generation>,
        retries: u8,
    },
    Done,
    Failed(Kind),
}

#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) auth: Authorizer,
    pub(crate) watch: Watch,
    /// A hash of all that this machine, and those before it, were told, and when. As a machine is a function of that,
    /// it stands for the state of the machine.
    pub(crate) history: u64,
    pub(crate) incarnation: u8,
    pub(crate) flights: Vec<Flight>,
    pub(crate) requests: Vec<Request>,
    /// How often a request has turned to the machine.
    pub(crate) turns: u8,
    pub(crate) browsers: Vec<Rc<Open>>,
    /// When the machine wants to be told the time.
    pub(crate) wait: Option<u64>,
    /// Till when the whole process is stopped.
    pub(crate) asleep: u64,
    /// The refresh token of the record as this machine last saw it.
    pub(crate) seen: Option<usize>,
    /// The refresh tokens that servers gave to this machine.
    pub(crate) memory: Vec<usize>,
    /// The refresh token that it sent last.
    pub(crate) spending: Option<usize>,
    /// What the machine was told and asked for, where that is kept.
    pub(crate) lines: Option<Vec<Line>>,
}

/// How long an exchange may take, in seconds: little, so that waiting for a lease to end takes few steps.
pub(crate) const EXCHANGE: u64 = 3;

pub(crate) fn config() -> Config {
    let policy = Policy::with(|it| it.exchange_time = Duration::from_secs(EXCHANGE));
    Config::new(RESOURCE, "Explorer", "http://127.0.0.1:3000/callback").policy(policy)
}

impl Process {
    pub(crate) fn new(place: usize, requests: usize) -> Self {
        let mut process = Self::born(place, 0);
        process.requests = vec![Request::Expected; requests];
        process
    }

    fn born(place: usize, incarnation: u8) -> Self {
        let config = config();
        let seed = Seed::new(Self::seed(place, incarnation));
        Self {
            watch: Watch::new(&config),
            auth: Authorizer::new(config, seed).expect("a good configuration"),
            history: 0,
            incarnation,
            flights: Vec::new(),
            requests: Vec::new(),
            turns: 0,
            browsers: Vec::new(),
            wait: None,
            asleep: 0,
            seen: None,
            memory: Vec::new(),
            spending: None,
            lines: None,
        }
    }

    pub(crate) fn seed(place: usize, incarnation: u8) -> [u8; 32] {
        let mut seed = [7; 32];
        seed[0] = u8::try_from(place).expect("few processes");
        seed[1] = incarnation;
        seed
    }

    /// The same process after a crash: nothing is left in memory. Its callers come again.
    pub(crate) fn restart(&mut self, place: usize) {
        self.remember(&"a crash");
        self.replays(place);
        let lines = self.lines.as_ref().map(|_| Vec::new());
        let requests = self.requests.iter().map(|request| match request {
            Request::Waiting { .. } | Request::Sent { .. } => Request::Expected,
            other => other.clone(),
        });
        let requests = requests.collect();
        *self = Self { history: self.history, requests, lines, ..Self::born(place, self.incarnation + 1) };
    }

    pub(crate) fn remember(&mut self, what: &impl Hash) {
        let mut hasher = DefaultHasher::new();
        (self.history, what).hash(&mut hasher);
        self.history = hasher.finish();
    }

    /// Whether something of it is left to be disturbed.
    pub(crate) fn is_busy(&self) -> bool {
        !self.flights.is_empty()
            || !self.browsers.is_empty()
            || self.wait.is_some()
            || self.requests.iter().any(|it| matches!(it, Request::Waiting { .. } | Request::Sent { .. }))
    }
}

impl Hash for Process {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.history, self.incarnation, &self.flights, &self.requests, self.turns, self.browsers.len())
            .hash(state);
        (self.wait, self.asleep, self.seen, &self.memory, self.spending).hash(state);
    }
}
