//! The loop: from the machine's actions to the world, and back.

use std::collections::BTreeMap;
use std::future::{Future as _, poll_fn};
use std::marker;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use mcp_auth::base::guard;
use mcp_auth::{
    Action, Ask, Entry, Event, Forget, Load, Open, Purpose, RequestId, Save, Saving, Send, Show, Sign,
    Supply, Timestamp,
};
use mcp_auth_store::Lease;
use tokio::task::{AbortHandle, JoinSet, spawn_blocking, yield_now};
use tokio::time::sleep;

use crate::attempt::{Desk, Shared};
use crate::consent::{Answers, DeviceCode, Shown, WantedAssertion};
use crate::observe::Observed;

/// What was asked of the world.
struct Crank<'a> {
    shared: &'a Arc<Shared>,
    desk: &'a Desk,
    /// What of the trail has been shown.
    noted: Vec<Entry>,
    /// What is under way: at most one thing of the grant in use, and one of a login.
    work: JoinSet<Worked>,
    /// How many of them end by themselves at their deadline.
    limited: usize,
    /// Records that are held, by the load that took them.
    leases: BTreeMap<RequestId, Lease>,
    /// What was asked of the person, and what reaches the redirect URI. Lives until the attempt ends.
    asked: Option<(Open, Box<dyn Answers>)>,
    /// The code that is shown to the person. Lives until the attempt ends.
    shown: Option<Shown>,
    /// The question for a client identifier.
    asking: Option<AbortHandle>,
}

struct Worked {
    event: Event,
    lease: Option<(RequestId, Lease)>,
    limited: bool,
}

impl From<Event> for Worked {
    fn from(event: Event) -> Self {
        Self { event, lease: None, limited: false }
    }
}

/// Cranks the machine until there is nothing to wait for.
pub(crate) async fn drive(shared: &Arc<Shared>, desk: &Desk) {
    let mut crank = Crank {
        shared,
        desk,
        noted: Vec::new(),
        work: JoinSet::new(),
        limited: 0,
        leases: BTreeMap::new(),
        asked: None,
        shown: None,
        asking: None,
    };
    while let Some(action) = crank.poll() {
        if let Some(event) = crank.act(action).await {
            let now = shared.now();
            shared.lock().tell(now, event);
        }
    }
}

/// What the host's code gives, or that it panicked. A crank that went with it would be begun again, and so would what is
/// before the person.
fn unpanicked<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| "whoever asks the person panicked".to_owned())
}

impl Crank<'_> {
    /// The next action; `None` once there is nothing to do. What the trail has gained is shown after the lock is let
    /// go.
    fn poll(&mut self) -> Option<Action> {
        let (action, fresh) = {
            let mut machine = self.shared.lock();
            let entries = machine.auth.trail().entries();
            // Another attempt has a trail of its own; the one that is over keeps its trail until then.
            if !entries.starts_with(&self.noted) {
                self.noted.clear();
            }
            let fresh = entries.get(self.noted.len()..).unwrap_or_default().to_vec();
            let action = machine.poll();
            if matches!(action, Action::Wait(None)) {
                // Under the same lock, so that nobody leaves word for a task that has ended.
                machine.desk = Weak::new();
            }
            (action, fresh)
        };
        self.noted.extend_from_slice(&fresh);
        fresh.iter().for_each(|entry| self.shared.observer.see(Observed::Noted(entry)));
        Some(action).filter(|action| !matches!(action, Action::Wait(None)))
    }

    async fn act(&mut self, action: Action) -> Option<Event> {
        let shared = self.shared.clone();
        match action {
            Action::Load(load) => drop(self.work.spawn(reading(shared, load))),
            Action::Store(save) => drop(self.work.spawn(writing(shared, save))),
            Action::Forget(forget) => drop(self.work.spawn(forgetting(shared, forget))),
            Action::Send(send) => {
                self.limited += 1;
                self.work.spawn(exchange(shared, send));
            }
            Action::Ask(ask) => self.asking = Some(self.work.spawn(asking(shared, ask))),
            Action::Sign(sign) => {
                self.limited += 1;
                self.work.spawn(signing(shared, sign));
            }
            Action::Supply(supply) => drop(self.work.spawn(supplying(shared, supply))),
            Action::Open(open) => return self.open(open),
            Action::Show(show) => return self.show(&show),
            Action::Release(release) => drop(self.leases.remove(&release.load())),
            Action::Renewed(outcome) => {
                self.shared.observer.see(Observed::Finished(&outcome));
                self.desk.renewal_ended(outcome);
            }
            Action::Finish(outcome) => {
                self.asked = None;
                self.shown = None;
                self.asking.take().inspect(AbortHandle::abort);
                self.shared.observer.see(Observed::Finished(&outcome));
                self.desk.attempt_ended(outcome);
            }
            Action::Wait(Some(until)) => return self.wait(until).await,
            Action::Wait(None) => {}
        }
        None
    }

    fn open(&mut self, open: Open) -> Option<Event> {
        let Some(consent) = &self.shared.consent else {
            return Some(open.fail("no way to ask one is configured"));
        };
        let shown = guard::without_query(open.url().as_str());
        self.shared.observer.see(Observed::Opened { url: &shown });
        match unpanicked(|| consent.open(open.url().clone(), open.until())) {
            Ok(answers) => {
                self.asked = Some((open, answers));
                None
            }
            Err(why) => Some(open.fail(why)),
        }
    }

    fn show(&mut self, show: &Show) -> Option<Event> {
        let Some(consent) = &self.shared.consent else {
            return Some(show.fail("no way to show a code is configured"));
        };
        let url = guard::without_query(show.verification_uri().as_str());
        self.shared.observer.see(Observed::Opened { url: &url });
        let code = DeviceCode {
            user_code: show.user_code().to_owned(),
            verification_uri: show.verification_uri().clone(),
            verification_uri_complete: show.verification_uri_complete().cloned(),
            until: show.until(),
        };
        // The one before is no longer good.
        self.shown = None;
        match unpanicked(|| consent.show(code)).and_then(|shown| shown) {
            Ok(shown) => self.shown = Some(shown),
            Err(why) => return Some(show.fail(why)),
        }
        None
    }

    /// Whatever happens first. `None`: the machine was told something by somebody else.
    async fn wait(&mut self, until: Timestamp) -> Option<Event> {
        let remaining = until.since(self.shared.now());
        // What ends by itself at its deadline is not to be overtaken by it.
        let remaining = if self.limited > 0 { remaining + Duration::from_secs(1) } else { remaining };
        let consenting = self.shared.lock().auth.is_consenting();
        let asked = self.asked.as_mut().filter(|_| consenting);
        let answer = async {
            let Some((open, answers)) = asked else { return std::future::pending().await };
            // Somebody who floods the redirect URI is not to keep everything else from being done.
            yield_now().await;
            let mut next = pin!(answers.next());
            let answer = poll_fn(|context| match unpanicked(|| next.as_mut().poll(context)) {
                Ok(answer) => answer,
                Err(why) => Poll::Ready(Err(why)),
            });
            answer.await.map_or_else(|why| (open.fail(why), true), |it| (Event::Called(it), false))
        };
        tokio::select! {
            biased;
            Some(worked) = self.work.join_next() => match worked {
                Ok(worked) => {
                    self.limited -= usize::from(worked.limited);
                    self.leases.extend(worked.lease);
                    Some(worked.event)
                }
                // Called off. The machine has a deadline for it.
                Err(_) => None,
            },
            (event, over) = answer => {
                if over {
                    self.asked = None;
                }
                Some(event)
            }
            () = self.desk.told.notified() => None,
            () = sleep(remaining) => Some(Event::Tick),
        }
    }
}

/// A store may block, on a lock or on a person who unlocks a keyring. One that hangs is given up by the machine.
async fn reading(shared: Arc<Shared>, load: Load) -> Worked {
    let (store, key, exclusive) = (shared.store.clone(), load.key().clone(), load.exclusive());
    // A little less than the machine waits, so that it is not overtaken.
    let patience = load.deadline().since(shared.now()).saturating_sub(Duration::from_secs(1));
    let read = move || -> Result<_, String> {
        let lease = match exclusive {
            Some(span) => match store.lease(&key, span, patience)? {
                Some(lease) => Some(lease),
                None => return Ok(None),
            },
            None => None,
        };
        store.load(&key).map(|found| Some((found, lease)))
    };
    match spawn_blocking(read).await {
        Ok(Ok(Some((found, lease)))) => {
            let lease = lease.map(|lease| (load.id(), lease));
            Worked { event: load.reply(found), lease, limited: false }
        }
        Ok(Ok(None)) => load.busy().into(),
        Ok(Err(why)) => load.fail(why).into(),
        Err(_) => load.fail("the store panicked").into(),
    }
}

async fn writing(shared: Arc<Shared>, save: Save) -> Worked {
    let store = shared.store.clone();
    let (key, credential, replaces) = (save.key().clone(), save.credential().clone(), save.replaces());
    let kept = spawn_blocking(move || store.put(&key, &credential, replaces)).await;
    save.reply(kept.unwrap_or_else(|_| Saving::Failed("the store panicked".to_owned()))).into()
}

async fn forgetting(shared: Arc<Shared>, forget: Forget) -> Worked {
    let (store, key, generation) = (shared.store.clone(), forget.key().clone(), forget.generation());
    match spawn_blocking(move || store.forget(&key, generation)).await {
        Ok(Ok(gone)) => forget.reply(gone).into(),
        Ok(Err(why)) => forget.fail(why).into(),
        Err(_) => forget.fail("the store panicked").into(),
    }
}

async fn asking(shared: Arc<Shared>, ask: Ask) -> Worked {
    let (issuer, redirect_uri) = (ask.issuer().to_owned(), ask.redirect_uri().to_owned());
    let told = caught(async move {
        match &shared.consent {
            Some(consent) => consent.client(issuer, redirect_uri).await,
            None => None,
        }
    });
    match told.await.flatten() {
        Some((id, secret)) => ask.reply(id, secret).into(),
        None => ask.decline().into(),
    }
}

/// A key may be in a device, or far away.
async fn signing(shared: Arc<Shared>, sign: Sign) -> Worked {
    let within = sign.deadline().since(shared.now());
    let signed = match &shared.signing {
        Some(signing) => {
            signing.sign(sign.key().clone(), sign.algorithm(), sign.message().to_vec(), within).await
        }
        None => Err("no keys are configured".to_owned()),
    };
    let event = match signed {
        Ok(signature) => sign.reply(signature),
        Err(why) => sign.fail(why),
    };
    Worked { event, lease: None, limited: true }
}

async fn supplying(shared: Arc<Shared>, supply: Supply) -> Worked {
    let wanted = WantedAssertion {
        kind: supply.kind(),
        audience: supply.audience().to_owned(),
        resource: supply.resource().to_owned(),
        until: supply.until(),
    };
    let supplied = caught(async move {
        match &shared.assertions {
            Some(assertions) => assertions.supply(wanted).await,
            None => Err("nobody is configured who asserts anything".to_owned()),
        }
    });
    match supplied.await {
        Some(Ok(assertion)) => supply.reply(assertion).into(),
        Some(Err(why)) => supply.fail(why).into(),
        None => supply.fail("whoever asserts it panicked").into(),
    }
}

/// What the host's own code gives; `None` if it panicked. Dropped with the future that waits for it.
async fn caught<T: marker::Send + 'static>(
    work: impl Future<Output = T> + marker::Send + 'static,
) -> Option<T> {
    let mut alone = JoinSet::new();
    alone.spawn(work);
    alone.join_next().await?.ok()
}

async fn exchange(shared: Arc<Shared>, send: Send) -> Worked {
    let within = send.deadline().since(shared.now());
    let (purpose, url): (Purpose, _) = (send.purpose(), guard::without_query(&send.uri().to_string()));
    shared.observer.see(Observed::Sent { purpose, method: send.method().as_str(), url: &url });
    let begun = Instant::now();
    let answer = shared.http.exchange(send.request(), send.reach(), send.max_bytes(), within).await;
    let status = answer.as_ref().ok().map(|response| response.status().as_u16());
    shared.observer.see(Observed::Answered { purpose, status, took: begun.elapsed() });
    let event = match answer {
        Ok(response) => send.reply(response),
        Err(failure) => send.fail(failure),
    };
    Worked { event, lease: None, limited: true }
}
