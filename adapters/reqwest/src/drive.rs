//! The loop: from the machine's actions to the world, and back.

use std::sync::Arc;
use std::time::Instant;

use mcp_auth::base::guard;
use mcp_auth::{Action, Ask, Event, Failure, Load, Open, Outcome, Purpose, Save, Saving, Send, Timestamp};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::attempt::{Done, Shared};
use crate::consent::{Answers, BoxFuture};
use crate::observe::Observed;

/// What an attempt has besides the machine.
struct Crank<'a> {
    shared: &'a Arc<Shared>,
    called_off: &'a Notify,
    /// How much of the trail has been shown.
    noted: usize,
    /// What the machine waits for, unless it is a person in a browser.
    work: Option<Work>,
    /// What was asked of the person, and what reaches the redirect URI. Lives until the attempt ends.
    asked: Option<(Open, Box<dyn Answers>)>,
}

struct Work {
    event: BoxFuture<'static, Event>,
    /// Not called off, because it may hold the only copy of a refresh token that has taken the place of another. The
    /// attempt ends at its next wait instead.
    shielded: bool,
    /// Ends by itself at its deadline.
    limited: bool,
}

/// Drives the attempt to its end. `None` if there is none.
pub(crate) async fn drive(shared: &Arc<Shared>, called_off: &Notify) -> Option<Done> {
    let mut crank = Crank { shared, called_off, noted: 0, work: None, asked: None };
    loop {
        let event = match crank.poll() {
            Action::Load(load) => crank.begin(reading(shared.clone(), load)),
            Action::Store(save) => crank.begin(writing(shared.clone(), save)),
            Action::Send(send) => crank.begin(exchange(shared.clone(), send)),
            Action::Ask(ask) => crank.begin(asking(shared.clone(), ask)),
            Action::Open(open) => crank.open(open),
            Action::Wait(Some(until)) => Some(crank.wait(until).await),
            Action::Wait(None) => return None,
            Action::Finish(outcome) => return Some(crank.finish(outcome)),
        };
        if let Some(event) = event {
            let now = shared.now();
            shared.lock().tell(now, event);
        }
    }
}

impl Crank<'_> {
    /// The next action. What the trail has gained is shown after the lock is let go.
    fn poll(&mut self) -> Action {
        let (action, fresh) = {
            let mut machine = self.shared.lock();
            let entries = machine.auth.trail().entries();
            let fresh = entries.get(self.noted..).unwrap_or_default().to_vec();
            (machine.poll(), fresh)
        };
        self.noted += fresh.len();
        fresh.iter().for_each(|entry| self.shared.observer.see(Observed::Noted(entry)));
        action
    }

    fn begin(&mut self, work: Work) -> Option<Event> {
        self.work = Some(work);
        None
    }

    fn open(&mut self, open: Open) -> Option<Event> {
        let Some(consent) = &self.shared.consent else {
            return Some(open.fail("no way to ask one is configured"));
        };
        let shown = guard::without_query(open.url().as_str());
        self.shared.observer.see(Observed::Opened { url: &shown });
        let answers = consent.open(open.url().clone(), open.until());
        self.asked = Some((open, answers));
        None
    }

    /// Whatever happens first.
    async fn wait(&mut self, until: Timestamp) -> Event {
        let remaining = until.since(self.shared.now());
        let (shielded, limited) =
            self.work.as_ref().map_or((false, false), |work| (work.shielded, work.limited));
        let answer = async {
            match (&mut self.work, &mut self.asked) {
                (Some(work), _) => work.event.as_mut().await,
                (None, Some((open, answers))) => {
                    answers.next().await.map_or_else(|why| open.fail(why), Event::Called)
                }
                (None, None) => std::future::pending().await,
            }
        };
        let happened = tokio::select! {
            biased;
            () = self.called_off.notified(), if !shielded => Event::Cancelled,
            answer = answer => answer,
            () = sleep(remaining), if !limited => Event::Tick,
        };
        self.work = None;
        happened
    }

    fn finish(&mut self, outcome: Result<Outcome, Box<Failure>>) -> Done {
        self.shared.observer.see(Observed::Finished(&outcome));
        Arc::new(outcome)
    }
}

/// A store may block, on a lock or on a person who unlocks a keyring. One that hangs is given up by the machine.
fn reading(shared: Arc<Shared>, load: Load) -> Work {
    let event = async move {
        let (store, key) = (shared.store.clone(), load.key().clone());
        match spawn_blocking(move || store.load(&key)).await {
            Ok(Ok(found)) => load.reply(found),
            Ok(Err(why)) => load.fail(why),
            Err(_) => load.fail("the store panicked"),
        }
    };
    Work { event: Box::pin(event), shielded: false, limited: false }
}

fn writing(shared: Arc<Shared>, save: Save) -> Work {
    let event = async move {
        let store = shared.store.clone();
        let (key, credential, replaces) = (save.key().clone(), save.credential().clone(), save.replaces());
        let kept = spawn_blocking(move || store.put(&key, &credential, replaces)).await;
        save.reply(kept.unwrap_or_else(|_| Saving::Failed("the store panicked".to_owned())))
    };
    Work { event: Box::pin(event), shielded: true, limited: false }
}

fn asking(shared: Arc<Shared>, ask: Ask) -> Work {
    let event = async move {
        let Some(consent) = &shared.consent else { return ask.decline() };
        match consent.client(ask.issuer().to_owned(), ask.redirect_uri().to_owned()).await {
            Some((id, secret)) => ask.reply(id, secret),
            None => ask.decline(),
        }
    };
    Work { event: Box::pin(event), shielded: false, limited: false }
}

fn exchange(shared: Arc<Shared>, send: Send) -> Work {
    let (shielded, within) = (send.purpose() == Purpose::Token, send.deadline().since(shared.now()));
    let event = async move {
        let (purpose, url) = (send.purpose(), guard::without_query(&send.uri().to_string()));
        shared.observer.see(Observed::Sent { purpose, method: send.method().as_str(), url: &url });
        let begun = Instant::now();
        let answer = shared.http.exchange(send.request(), send.reach(), send.max_bytes(), within).await;
        let status = answer.as_ref().ok().map(|response| response.status().as_u16());
        shared.observer.see(Observed::Answered { purpose, status, took: begun.elapsed() });
        match answer {
            Ok(response) => send.reply(response),
            Err(failure) => send.fail(failure),
        }
    };
    Work { event: Box::pin(event), shielded, limited: true }
}
