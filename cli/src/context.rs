//! What all commands share: how much is said, what is called off by Ctrl-C, and how a client is put together.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{
    Action, Config, Event, Failure, Kind, Purpose, Retry, Scopes, Secret, SigningKey, Timestamp, Verdict,
};
use mcp_auth_jose::Signer as _;
use mcp_auth_reqwest::{Assertions, BoxFuture, Client, Error, Observed, Store, Tap, WantedAssertion};
use tokio::sync::Notify;

use crate::args::{Record, Talk};
use crate::exit::{Code, Stop};
use crate::person::Person;
use crate::progress::Progress;
use crate::replay;
use crate::secret;
use crate::setup::{Choice, Setup};
use crate::show::Show;

/// How long Ctrl-C waits for an exchange that is under way to come to its end.
const GRACE: Duration = Duration::from_secs(30);

/// What all commands share.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) talk: Talk,
    /// The client that is at work.
    client: Arc<Mutex<Option<Client>>>,
    busy: Arc<Busy>,
    /// Where the run of the next client is written down, if it is to be.
    record: Arc<Mutex<Option<PathBuf>>>,
}

/// Whether something is under way that is better brought to its end: an exchange may have spent a refresh token, and its
/// answer is the only copy of the next.
#[derive(Default)]
struct Busy {
    is: AtomicBool,
    over: Notify,
}

impl Context {
    pub(crate) fn new(talk: Talk) -> Self {
        Self { talk, client: Arc::default(), busy: Arc::default(), record: Arc::default() }
    }

    /// Has the run of the next client written down.
    pub(crate) fn record(&self, record: &Record) {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&record.file);
    }

    /// What a person is told beside the result.
    pub(crate) fn say(&self, text: &str) {
        if !self.talk.quiet {
            anstream::eprintln!("{}", crate::show::plain(text));
        }
    }

    /// What a person is told even so.
    pub(crate) fn warn(&self, text: &str) {
        let style = anstyle::Style::new().fg_color(Some(anstyle::AnsiColor::Yellow.into())).bold();
        anstream::eprintln!("{style}warning{style:#}: {}", crate::show::plain(text));
    }

    /// Where exchanges are shown, if they are.
    pub(crate) fn shows(&self) -> Option<Show> {
        self.talk.verbose.then(Show::stderr)
    }

    /// A client. What it was asked for by the server it tells `demanded`.
    pub(crate) fn client(
        &self,
        config: Config,
        store: Arc<dyn Store>,
        choice: &Choice,
        person: Option<(Person, Option<Show>)>,
    ) -> Result<(Client, Demanded), Stop> {
        let demanded = Demanded { attended: person.is_some(), ..Demanded::default() };
        let (busy, progress) = (self.busy.clone(), Progress::new(self.talk));
        let (person, shows) = match person {
            Some((person, shows)) => (Some(person), shows),
            None => (None, self.shows()),
        };
        let mut builder = Client::builder(config).store(store).tap(demanded.clone());
        builder = builder.observe(move |observed| {
            busy.see(observed);
            progress.see(observed);
            if let Some(show) = &shows {
                show.see(observed);
            }
        });
        if let Some(person) = person {
            builder = builder.consent(person);
        }
        let (own, proofs) = (choice.key.clone(), choice.dpop_key.clone());
        builder = builder.keys(move |key: &SigningKey, algorithm: Algorithm, message: &[u8]| {
            let key = if matches!(key, SigningKey::Proof) { &proofs } else { &own };
            key.as_ref().ok_or("there is no such key")?.sign(algorithm, message)
        });
        builder =
            choice.assertion_file.iter().cloned().map(FromFile).fold(builder, |it, from| it.assertions(from));
        if let Some(path) = self.record.lock().unwrap_or_else(PoisonError::into_inner).take() {
            builder = builder.record(replay::file::lines(&path).map_err(Stop::usage)?);
        }
        let client = builder.build().map_err(|error| Stop::usage(error.to_string()))?;
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        Ok((client, demanded))
    }

    /// Calls off what is under way, but for what must come to its end first.
    pub(crate) async fn call_off(&self) {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(client) = client else { return };
        let over = self.busy.over.notified();
        client.cancel();
        if self.busy.is.load(Ordering::SeqCst) {
            self.say(
                "\nCalled off. What is under way is brought to its end first; Ctrl-C again ends it at once.",
            );
            let _ = tokio::time::timeout(GRACE, over).await;
        }
    }
}

impl Busy {
    fn see(&self, observed: Observed<'_>) {
        match observed {
            Observed::Sent { .. } => self.is.store(true, Ordering::SeqCst),
            // What came of a token is not over before it is kept.
            Observed::Answered { purpose, .. } if purpose != Purpose::Token => {
                self.is.store(false, Ordering::SeqCst);
            }
            Observed::Finished(_) => {
                self.is.store(false, Ordering::SeqCst);
                self.over.notify_waiters();
            }
            _ => {}
        }
    }
}

/// What the server demanded last, beyond what the token is good for, and whether anybody can be asked for it.
#[derive(Clone, Default)]
pub(crate) struct Demanded {
    scopes: Arc<Mutex<Option<Scopes>>>,
    attended: bool,
}

impl Demanded {
    pub(crate) fn scopes(&self) -> Option<Scopes> {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Tap for Demanded {
    fn event(&mut self, _: Timestamp, event: &Event) {
        if let Event::Challenged(challenge) = event
            && challenge.demand().insufficient_scope()
        {
            *self.scopes.lock().unwrap_or_else(PoisonError::into_inner) = challenge.demand().scope.clone();
        }
    }

    fn action(&mut self, _: &Action) {}
}

/// Where the platform keeps the workload's JWT up to date. It is read each time.
struct FromFile(PathBuf);

impl Assertions for FromFile {
    fn supply(&self, _: WantedAssertion) -> BoxFuture<'_, Result<Secret, String>> {
        let read = secret::read(&self.0, "workload's JWT");
        Box::pin(std::future::ready(read.map(|text| Secret::from(text.trim().to_owned()))))
    }
}

/// Why a command ends that a client has failed.
pub(crate) fn stopped(error: Error, setup: &Setup, demanded: &Demanded, verbose: bool) -> Stop {
    match error {
        Error::Failure(failure) => failed(&failure, setup, demanded, verbose),
        Error::Configuration(breach) => Stop::usage(breach.to_string()),
        error @ (Error::OutsideResource { .. } | Error::AddressRefused(_)) => {
            Stop::new(Code::Failed, error.to_string())
        }
        error => Stop::new(Code::Later, error.to_string()),
    }
}

fn failed(failure: &Failure, setup: &Setup, demanded: &Demanded, verbose: bool) -> Stop {
    let entries = failure.trail.entries();
    // The last line of the way there is what is said already.
    let tells = match demanded.attended {
        true => entries.len() > 1,
        false => entries.iter().any(|entry| entry.verdict == Verdict::PassedOver),
    };
    let trail = (!verbose && tells).then(|| failure.trail.to_string());
    let server = &setup.entry.key.server;
    let stop = match (failure.kind(), failure.retry()) {
        (Kind::Unasked, _) if !demanded.attended => match (demanded.scopes(), &setup.record) {
            (Some(scopes), Some(record)) => {
                let all = record.granted.union(&scopes);
                let more: Vec<_> = all.iter().flat_map(|scope| ["--scope", scope]).collect();
                let lacks = scopes.without(&record.granted);
                let why = format!(
                    "{server} wants more scope than you have granted: {lacks}. Log in once more, with that:"
                );
                Stop::new(Code::LoginNeeded, why).next(setup.login(&more))
            }
            (_, None) => {
                let why = format!("you are not logged in at {server}. Log in first:");
                Stop::new(Code::LoginNeeded, why).next(setup.login(&[]))
            }
            (_, Some(_)) => {
                let why = format!(
                    "the login at {server} is over, and cannot be renewed without you. Log in again:"
                );
                Stop::new(Code::LoginNeeded, why).next(setup.login(&[]))
            }
        },
        (Kind::Cancelled, _) => Stop::new(Code::Interrupted, failure.to_string()),
        (Kind::Configuration, _) => Stop::new(Code::Usage, failure.to_string()),
        (_, Retry::Later) => Stop::new(Code::Later, failure.to_string()),
        _ => Stop::new(Code::Failed, failure.to_string()),
    };
    Stop { trail, ..stop }
}
