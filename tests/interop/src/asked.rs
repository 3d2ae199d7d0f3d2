//! What every adapter is given of the host: the person, and the watch. The contracts are the same for all of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_auth::watch::Watch;
use mcp_auth::{Action, Callback, Config, Event, Timestamp};
use mcp_auth_host::{Answers, BoxFuture, Consent, DeviceCode, Shown, Tap};
use tokio::sync::mpsc;
use url::Url;

use crate::person::Person;

/// The person, as adapters ask for consent.
pub(crate) struct Asked(pub(crate) Person);

impl Consent for Asked {
    fn open(&self, url: Url, _until: Timestamp) -> Box<dyn Answers> {
        let (told, answers) = mpsc::unbounded_channel();
        self.0.open(url.as_str(), move |answer| {
            let _ = told.send(answer);
        });
        Box::new(Queue(answers))
    }

    fn show(&self, code: DeviceCode) -> Result<Shown, String> {
        self.0.show(code.verification_uri.as_str(), &code.user_code);
        Ok(Box::new(()))
    }
}

/// It needs no runtime, so it serves adapters without one too.
struct Queue(mpsc::UnboundedReceiver<Result<String, String>>);

impl Answers for Queue {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async {
            let answer = self.0.recv().await.unwrap_or_else(|| Err("nobody answers any more".to_owned()));
            answer.map(Callback::new)
        })
    }
}

/// The watch, which the adapter tells of what passes; clones are the same watch.
#[derive(Clone)]
pub(crate) struct Watched(Arc<Mutex<Watch>>);

impl Watched {
    pub(crate) fn new(config: &Config) -> Self {
        Self(Arc::new(Mutex::new(Watch::new(config))))
    }

    /// What it has seen that must never happen.
    pub(crate) fn breaches(&self) -> Vec<String> {
        self.watch().breaches().to_vec()
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap for Watched {
    fn event(&mut self, now: Timestamp, event: &Event) {
        self.watch().event(now, event);
    }

    fn action(&mut self, action: &Action) {
        self.watch().action(action);
    }

    fn attached(&mut self, url: &Url, resource: &str) {
        self.watch().attached(url, resource);
    }
}
