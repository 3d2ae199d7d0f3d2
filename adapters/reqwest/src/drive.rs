//! The loop: from the machine's actions to the world, and back.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::marker;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use mcp_auth::base::guard;
use mcp_auth::{Action, Ask, Event, Open, Purpose, RequestId, Send, SendFailure, Sign, Supply, Timestamp};
use mcp_auth_host::{Answers, Desk, Lease, Observed, Read, Shown, put_away, unpanicked};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet, yield_now};
use tokio::time::sleep;

use crate::attempt::Shared;

/// What was asked of the world.
struct Crank<'a> {
    shared: &'a Arc<Shared>,
    desk: &'a Desk,
    /// The machine was told something by somebody else.
    told: &'a Notify,
    /// What is under way: at most one thing of the grant in use, and one of a login.
    work: JoinSet<Worked>,
    /// How many of them end by themselves at their deadline.
    limited: usize,
    /// Records that are held, by the load that took them.
    leases: BTreeMap<RequestId, Lease>,
    /// What was asked of the person, and what reaches the redirect URI. Lives until the attempt ends.
    asked: Option<(Open, Box<dyn Answers>)>,
    /// No more can reach it.
    deaf: bool,
    /// The code that is shown to the person. Lives until the attempt ends.
    shown: Option<Shown>,
    /// The question for a client identifier.
    asking: Option<AbortHandle>,
}

/// What is said of a person whose side of the host panicked.
const PERSON: &str = "whoever asks the person panicked";

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
pub(crate) async fn drive(shared: &Arc<Shared>, desk: &Desk, told: &Notify) {
    let mut crank = Crank {
        shared,
        desk,
        told,
        work: JoinSet::new(),
        limited: 0,
        leases: BTreeMap::new(),
        asked: None,
        deaf: false,
        shown: None,
        asking: None,
    };
    while let Some(action) = shared.host.poll() {
        if let Some(event) = crank.act(action).await {
            shared.host.handle(event);
        }
    }
}

impl Crank<'_> {
    async fn act(&mut self, action: Action) -> Option<Event> {
        let shared = self.shared.clone();
        match action {
            Action::Load(load) => self.block(move || {
                let Read { event, lease } = shared.host.read(&load);
                Worked { event, lease, limited: false }
            }),
            Action::Store(save) => self.block(move || shared.host.write(&save).into()),
            Action::Forget(forget) => self.block(move || shared.host.forget(&forget).into()),
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
            Action::Open(open) => {
                // The one before lets go first: both may want the same port.
                put_away(&mut self.asked);
                match shared.host.open(&open) {
                    Ok(answers) => (self.asked, self.deaf) = (Some((open, answers)), false),
                    Err(why) => return Some(open.fail(why)),
                }
            }
            Action::Show(show) => {
                // The one before is no longer good.
                put_away(&mut self.shown);
                match shared.host.show(&show) {
                    Ok(shown) => self.shown = Some(shown),
                    Err(why) => return Some(show.fail(why)),
                }
            }
            Action::Release(release) => drop(self.leases.remove(&release.load())),
            Action::Renewed(outcome) => {
                shared.host.see(Observed::Finished(&outcome));
                self.desk.renewal_ended(outcome);
            }
            Action::Finish(outcome) => {
                if let Some((_, answers)) = &mut self.asked {
                    let _ = unpanicked("", || answers.finished(&outcome));
                }
                put_away(&mut self.asked);
                put_away(&mut self.shown);
                self.asking.take().inspect(AbortHandle::abort);
                shared.host.see(Observed::Finished(&outcome));
                self.desk.attempt_ended(outcome);
            }
            Action::Wait(Some(until)) => return self.wait(until).await,
            Action::Wait(None) => {}
        }
        None
    }

    /// Work that may block, on a thread where that is allowed.
    fn block(&mut self, work: impl FnOnce() -> Worked + marker::Send + 'static) {
        self.work.spawn_blocking(work);
    }

    /// Whatever happens first. `None`: the machine was told something by somebody else.
    async fn wait(&mut self, until: Timestamp) -> Option<Event> {
        let remaining = until.since(self.shared.host.now());
        // What ends by itself at its deadline is not to be overtaken by it.
        let remaining = if self.limited > 0 { remaining + Duration::from_secs(1) } else { remaining };
        let consenting = self.shared.host.is_consenting();
        let listening = consenting && !self.deaf;
        let asked = self.asked.as_mut().filter(|_| listening);
        let answer = async {
            let Some((open, answers)) = asked else { return std::future::pending().await };
            // Somebody who floods the redirect URI is not to keep everything else from being done.
            yield_now().await;
            let mut next = pin!(answers.next());
            let answer = poll_fn(|context| match unpanicked(PERSON, || next.as_mut().poll(context)) {
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
                self.deaf = over;
                Some(event)
            }
            () = self.told.notified() => None,
            () = sleep(remaining) => Some(Event::Tick),
        }
    }
}

async fn asking(shared: Arc<Shared>, ask: Ask) -> Worked {
    let declined = ask.decline();
    caught(async move { shared.host.ask(&ask).await }).await.unwrap_or(declined).into()
}

/// A key may be in a device, or far away.
async fn signing(shared: Arc<Shared>, sign: Sign) -> Worked {
    let within = sign.deadline().since(shared.host.now());
    let (key, message) = (sign.key().clone(), sign.message().to_vec());
    let event = match shared.sign(key, sign.algorithm(), message, within).await {
        Ok(signature) => sign.reply(signature),
        Err(why) => sign.fail(why),
    };
    Worked { event, lease: None, limited: true }
}

async fn supplying(shared: Arc<Shared>, supply: Supply) -> Worked {
    let panicked = supply.fail("whoever asserts it panicked");
    caught(async move { shared.host.supply(&supply).await }).await.unwrap_or(panicked).into()
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
    // The observer's code, or what makes HTTP clients for the host. Whether the request went out nobody knows then.
    let panicked = send.fail(SendFailure::Interrupted("the host's code panicked".to_owned()));
    let event = caught(exchanged(shared, send)).await.unwrap_or(panicked);
    Worked { event, lease: None, limited: true }
}

async fn exchanged(shared: Arc<Shared>, send: Send) -> Event {
    let within = send.deadline().since(shared.host.now());
    let (purpose, url): (Purpose, _) = (send.purpose(), guard::without_query(&send.uri().to_string()));
    shared.host.see(Observed::Sent { purpose, method: send.method().as_str(), url: &url });
    let begun = Instant::now();
    let answer = shared.http.exchange(send.request(), send.reach(), send.max_bytes(), within).await;
    let status = answer.as_ref().ok().map(|response| response.status().as_u16());
    shared.host.see(Observed::Answered { purpose, status, took: begun.elapsed() });
    match answer {
        Ok(response) => send.reply(response),
        Err(failure) => send.fail(failure),
    }
}
