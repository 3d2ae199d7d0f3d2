//! The loop: one attempt, from its first action to its end, in a task of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mcp_auth::{Action, Ask, Event, Load, Outcome, Save, Saving, Send, Timestamp};
use tokio::sync::watch;

use crate::client::{Finished, Shared};
use crate::consent::Answers;
use crate::observe::Observed;

/// Drives the attempt that has just begun. Publishes its outcome; if this task is dropped before that, those who
/// wait see that the sender is gone.
pub(crate) async fn drive(
    shared: Arc<Shared>,
    outcome: watch::Sender<Option<Finished>>,
    mut cancelled: watch::Receiver<bool>,
) {
    let mut answers: Option<Box<dyn Answers>> = None;
    let mut told = 0;
    loop {
        let (action, entries) = shared.poll(&mut told);
        for entry in &entries {
            tracing::debug!(target: "mcp_auth", "{entry}");
            shared.observe(Observed::Noted(entry));
        }
        let event = match action {
            Action::Finish(done) => {
                report(&done);
                shared.observe(Observed::Finished(&done));
                outcome.send_replace(Some(Arc::new(done)));
                return;
            }
            Action::Open(open) => {
                let shown = format!("{}{}", open.url().origin().ascii_serialization(), open.url().path());
                tracing::debug!(target: "mcp_auth", url = shown, "put before the person");
                shared.observe(Observed::Opened { url: &shown });
                answers =
                    shared.consent.as_ref().map(|consent| consent.open(open.url().clone(), open.until()));
                continue;
            }
            action => {
                tokio::select! {
                    event = perform(&shared, action, answers.as_mut()) => event,
                    // The machine was told already, and what it asked for is of no interest any more.
                    _ = cancelled.wait_for(|cancelled| *cancelled) => continue,
                }
            }
        };
        shared.tell(event);
    }
}

fn report(done: &Result<Outcome, Box<mcp_auth::Failure>>) {
    match done {
        Ok(Outcome::Authorized(done)) => {
            tracing::debug!(target: "mcp_auth", source = ?done.source, issuer = done.issuer, granted = %done.granted, "authorized");
            if let Some(why) = &done.unsaved {
                tracing::warn!(target: "mcp_auth", why, "the credential could not be stored");
            }
        }
        Ok(Outcome::Anonymous) => tracing::debug!(target: "mcp_auth", "no token without a person"),
        Err(failure) => tracing::warn!(target: "mcp_auth", "{failure}"),
    }
}

async fn perform(shared: &Arc<Shared>, action: Action, answers: Option<&mut Box<dyn Answers>>) -> Event {
    match action {
        Action::Load(load) => found(shared, load).await,
        Action::Store(save) => kept(shared, save).await,
        Action::Send(send) => exchanged(shared, &send).await,
        Action::Ask(ask) => named(shared, &ask).await,
        Action::Wait(until) => waited(shared, until, answers).await,
        // Both are dealt with by the loop itself.
        Action::Open(_) | Action::Finish(_) => Event::Tick,
    }
}

/// A store may block on a disk or a keyring, so it gets a thread.
async fn found(shared: &Arc<Shared>, load: Load) -> Event {
    let (store, key) = (shared.store.clone(), load.key().clone());
    match tokio::task::spawn_blocking(move || store.load(&key)).await {
        Ok(Ok(found)) => load.reply(found),
        Ok(Err(why)) => load.fail(why),
        Err(_) => load.fail("the store panicked"),
    }
}

async fn kept(shared: &Arc<Shared>, save: Save) -> Event {
    let (store, key) = (shared.store.clone(), save.key().clone());
    let (credential, replaces) = (save.credential().clone(), save.replaces());
    let saving = tokio::task::spawn_blocking(move || store.put(&key, &credential, replaces)).await;
    save.reply(saving.unwrap_or_else(|_| Saving::Failed("the store panicked".to_owned())))
}

async fn exchanged(shared: &Arc<Shared>, send: &Send) -> Event {
    let uri = send.uri();
    let url = match uri.authority() {
        Some(host) => format!("{}://{host}{}", uri.scheme_str().unwrap_or_default(), uri.path()),
        None => uri.path().to_owned(),
    };
    let (purpose, method) = (send.purpose(), send.method().as_str());
    tracing::debug!(target: "mcp_auth", ?purpose, method, url, "sent");
    shared.observe(Observed::Sent { purpose, method, url: &url });
    let began = Instant::now();
    let answer = shared.transport.exchange(send, shared.now()).await;
    let took = began.elapsed();
    let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
    tracing::debug!(target: "mcp_auth", ?purpose, status, ?took, "answered");
    shared.observe(Observed::Answered { purpose, status, took });
    match answer {
        Ok(answer) => send.reply(answer),
        Err(failure) => send.fail(failure),
    }
}

async fn named(shared: &Arc<Shared>, ask: &Ask) -> Event {
    let Some(consent) = &shared.consent else { return ask.decline() };
    let asked = consent.client(ask.issuer().to_owned(), ask.redirect_uri().to_owned());
    match tokio::time::timeout(ask.until().since(shared.now()), asked).await {
        Ok(Some((client_id, secret))) => ask.reply(client_id, secret),
        Ok(None) | Err(_) => ask.decline(),
    }
}

/// Waits for the person, at most until the given time.
async fn waited(shared: &Shared, until: Option<Timestamp>, answers: Option<&mut Box<dyn Answers>>) -> Event {
    let span = until.map_or(Duration::MAX, |until| until.since(shared.now()).max(Duration::from_millis(200)));
    let Some(answers) = answers else {
        if shared.consent.is_none() {
            tracing::warn!(target: "mcp_auth", "a person is needed, and no `Consent` was given to the client");
            return Event::Cancelled;
        }
        tokio::time::sleep(span).await;
        return Event::Tick;
    };
    match tokio::time::timeout(span, answers.next()).await {
        Ok(Ok(callback)) => Event::Called(callback),
        Ok(Err(why)) => {
            tracing::warn!(target: "mcp_auth", why, "the login is called off");
            Event::Cancelled
        }
        Err(_) => Event::Tick,
    }
}
