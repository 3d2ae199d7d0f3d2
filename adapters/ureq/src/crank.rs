//! The loop: from the machine's actions to the world, and back.

use std::collections::BTreeMap;
use std::marker;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use mcp_auth::base::guard;
use mcp_auth::{Action, Callback, Event, Load, Open, Purpose, RequestId, Send, SendFailure, Sign, Timestamp};
use mcp_auth_host::{Desk, Lease, Observed, Read, Shown, put_away, unpanicked};

use crate::attempt::Shared;
use crate::call::Call;
use crate::listen::Ear;

/// What is said when there is no thread left for another.
const STUCK: &str = "too many calls into the host's code have not come back";

/// What the thread that cranks is told.
pub(crate) enum Told {
    /// What was asked of the world is done.
    Worked(Worked),
    /// Something reached the redirect URI, or nothing will any more.
    Heard(u64, Result<Callback, String>),
    /// The machine was told something by somebody else.
    Rung,
}

/// What came of one thing that was asked of the world.
pub(crate) struct Worked {
    number: u64,
    event: Event,
    lease: Option<(RequestId, Lease)>,
}

/// Something that was asked of the world, and has not come back.
struct UnderWay {
    /// It ends by itself at its deadline.
    limited: bool,
    /// How it is called off.
    stop: Option<Box<dyn FnOnce()>>,
}

/// What was asked of the world.
struct Crank<'a> {
    shared: &'a Arc<Shared>,
    desk: &'a Desk,
    tell: &'a Sender<Told>,
    inbox: &'a Receiver<Told>,
    /// At most one thing of the grant in use, and one of a login; and what the machine has given up on.
    under_way: BTreeMap<u64, UnderWay>,
    number: u64,
    /// Records that are held, by the load that took them.
    leases: BTreeMap<RequestId, Lease>,
    /// What was asked of the person. Lives until the attempt ends.
    ear: Option<Ear>,
    /// The code that is shown to the person. Lives until the attempt ends.
    shown: Option<Shown>,
    /// The question for a client identifier.
    asking: Option<u64>,
}

/// Cranks the machine until there is nothing to wait for.
pub(crate) fn drive(shared: &Arc<Shared>, desk: &Desk, tell: &Sender<Told>, inbox: &Receiver<Told>) {
    warn_of_the_log();
    let mut crank = Crank {
        shared,
        desk,
        tell,
        inbox,
        under_way: BTreeMap::new(),
        number: 0,
        leases: BTreeMap::new(),
        ear: None,
        shown: None,
        asking: None,
    };
    while let Some(action) = shared.host.poll() {
        if let Some(event) = crank.act(action) {
            shared.host.handle(event);
        }
    }
}

/// What ureq writes to its log cannot be taken out of it here. It is the host that has turned it on.
fn warn_of_the_log() {
    if log::log_enabled!(target: "ureq_proto::util", log::Level::Trace) {
        let advice = "set the targets `ureq` and `ureq_proto` to `debug`";
        log::warn!(target: "mcp_auth", "ureq's log at the level `trace` shows tokens and codes as they pass: {advice}");
    }
}

impl Drop for Crank<'_> {
    fn drop(&mut self) {
        let left: Vec<_> = self.under_way.keys().copied().collect();
        left.into_iter().for_each(|number| self.call_off(number));
    }
}

impl Crank<'_> {
    fn act(&mut self, action: Action) -> Option<Event> {
        let shared = self.shared.clone();
        match action {
            Action::Load(load) => self.load(load),
            Action::Store(save) => {
                let lost = |why: &str| save.reply(mcp_auth::Saving::Failed(why.to_owned()));
                let job = save.clone();
                self.call(lost, None, move || (shared.host.write(&job), None))
            }
            Action::Forget(forget) => {
                let job = forget.clone();
                self.call(|why| forget.fail(why), None, move || (shared.host.forget(&job), None))
            }
            Action::Send(send) => self.send(send),
            Action::Ask(ask) => {
                let (call, job) = (Arc::new(Call::default()), ask.clone());
                let (stop, lost) = (call.clone(), ask.decline());
                let refused = self.call(
                    |_| ask.decline(),
                    Some(Box::new(move || stop.off())),
                    move || (call.wait(shared.host.ask(&job)).unwrap_or(lost), None),
                );
                self.asking = refused.is_none().then_some(self.number);
                refused
            }
            Action::Sign(sign) => self.sign(sign),
            Action::Supply(supply) => {
                let (call, job) = (Arc::new(Call::default()), supply.clone());
                let (stop, off) = (call.clone(), supply.fail("nobody waits for it any more"));
                let lost = |why: &str| supply.fail(why);
                self.call(lost, Some(Box::new(move || stop.off())), move || {
                    (call.wait(shared.host.supply(&job)).unwrap_or(off), None)
                })
            }
            Action::Open(open) => self.open(open),
            Action::Show(show) => {
                // The one before is no longer good.
                put_away(&mut self.shown);
                match shared.host.show(&show) {
                    Ok(shown) => self.shown = Some(shown),
                    Err(why) => return Some(show.fail(why)),
                }
                None
            }
            Action::Release(release) => {
                self.leases.remove(&release.load());
                None
            }
            Action::Renewed(outcome) => {
                shared.host.see(Observed::Finished(&outcome));
                self.desk.renewal_ended(outcome);
                None
            }
            Action::Finish(outcome) => {
                if let Some(ear) = self.ear.take() {
                    ear.finish(outcome.clone());
                }
                put_away(&mut self.shown);
                if let Some(asking) = self.asking.take() {
                    self.call_off(asking);
                }
                shared.host.see(Observed::Finished(&outcome));
                self.desk.attempt_ended(outcome);
                None
            }
            Action::Wait(Some(until)) => self.wait(until),
            Action::Wait(None) => None,
        }
    }
}

type Done = (Event, Option<(RequestId, Lease)>);

impl Crank<'_> {
    fn load(&mut self, load: Load) -> Option<Event> {
        let (shared, job) = (self.shared.clone(), load.clone());
        self.call(
            |why| load.fail(why),
            None,
            move || {
                let Read { event, lease } = shared.host.read(&job);
                (event, lease)
            },
        )
    }

    fn send(&mut self, send: Send) -> Option<Event> {
        let shared = self.shared.clone();
        let within = send.deadline().since(shared.host.now());
        let prepared = unpanicked("whoever configures HTTP for the host panicked", || {
            shared.http.exchange(send.reach(), within)
        });
        let exchange = match prepared {
            Ok(exchange) => exchange,
            Err(why) => return Some(send.fail(SendFailure::NotSent(why))),
        };
        let (stop, job) = (Box::new(exchange.stop()), send.clone());
        let lost = |why: &str| send.fail(SendFailure::NotSent(why.to_owned()));
        self.spawn(lost, true, Some(stop), move || {
            let (purpose, url): (Purpose, _) = (job.purpose(), guard::without_query(&job.uri().to_string()));
            shared.host.see(Observed::Sent { purpose, method: job.method().as_str(), url: &url });
            let begun = Instant::now();
            let answer =
                unpanicked("the HTTP client panicked", || exchange.run(job.request(), job.max_bytes()));
            let answer = answer.map_err(SendFailure::Interrupted).flatten();
            let status = answer.as_ref().ok().map(|response| response.status().as_u16());
            // Whoever watches may panic, but what was sent was sent.
            let seen = Observed::Answered { purpose, status, took: begun.elapsed() };
            let _ = unpanicked("whoever watches panicked", || shared.host.see(seen));
            let event = match answer {
                Ok(response) => job.reply(response),
                Err(failure) => job.fail(failure),
            };
            (event, None)
        })
    }

    /// A key may be in a device, or far away.
    fn sign(&mut self, sign: Sign) -> Option<Event> {
        let (shared, job) = (self.shared.clone(), sign.clone());
        self.spawn(
            |why| sign.fail(why),
            true,
            None,
            move || {
                let within = job.deadline().since(shared.host.now());
                let (key, message) = (job.key().clone(), job.message().to_vec());
                let event = match shared.sign(key, job.algorithm(), message, within) {
                    Ok(signature) => job.reply(signature),
                    Err(why) => job.fail(why),
                };
                (event, None)
            },
        )
    }

    fn open(&mut self, open: Open) -> Option<Event> {
        // The one before lets go first: both may want the same port.
        self.ear = None;
        let Some(permit) = self.shared.calls.take(Duration::ZERO) else { return Some(open.fail(STUCK)) };
        let answers = match self.shared.host.open(&open) {
            Ok(answers) => answers,
            Err(why) => return Some(open.fail(why)),
        };
        self.number += 1;
        match Ear::new(open.clone(), self.number, answers, permit, self.tell.clone()) {
            Ok(ear) => self.ear = Some(ear),
            Err(error) => return Some(open.fail(format!("there is no thread to listen on: {error}"))),
        }
        None
    }

    /// A call into the host's own code, which may block for ever: then it keeps its thread, and there are but so many.
    fn call(
        &mut self,
        lost: impl Fn(&str) -> Event,
        stop: Option<Box<dyn FnOnce()>>,
        job: impl FnOnce() -> Done + marker::Send + 'static,
    ) -> Option<Event> {
        let Some(permit) = self.shared.calls.take(Duration::ZERO) else {
            return Some(lost(STUCK));
        };
        self.spawn(lost, false, stop, move || {
            let _permit = permit;
            job()
        })
    }

    /// Work on a thread of its own. What is given back is what `lost` says of it, if there is no thread.
    fn spawn(
        &mut self,
        lost: impl Fn(&str) -> Event,
        limited: bool,
        stop: Option<Box<dyn FnOnce()>>,
        job: impl FnOnce() -> Done + marker::Send + 'static,
    ) -> Option<Event> {
        self.number += 1;
        let (number, tell, panicked) = (self.number, self.tell.clone(), lost("the host's code panicked"));
        let work = move || {
            let (event, lease) = unpanicked("", job).unwrap_or((panicked, None));
            let _ = tell.send(Told::Worked(Worked { number, event, lease }));
        };
        match thread::Builder::new().name("mcp-auth-work".to_owned()).spawn(work) {
            Ok(_) => {
                self.under_way.insert(number, UnderWay { limited, stop });
                None
            }
            Err(error) => Some(lost(&format!("there is no thread for it: {error}"))),
        }
    }

    fn call_off(&mut self, number: u64) {
        if let Some(UnderWay { stop: Some(stop), .. }) = self.under_way.remove(&number) {
            stop();
        }
    }

    /// Whatever happens first. `None`: nothing that the machine has not been told.
    fn wait(&mut self, until: Timestamp) -> Option<Event> {
        let remaining = until.since(self.shared.host.now());
        // What ends by itself at its deadline is not to be overtaken by it.
        let limited = self.under_way.values().any(|work| work.limited);
        let remaining = if limited { remaining + Duration::from_secs(1) } else { remaining };
        if let Some(ear) = self.ear.as_mut().filter(|_| self.shared.host.is_consenting()) {
            ear.listen();
        }
        match self.inbox.recv_timeout(remaining) {
            Ok(Told::Worked(worked)) => {
                // What was called off is not heard.
                self.under_way.remove(&worked.number)?;
                self.leases.extend(worked.lease);
                Some(worked.event)
            }
            Ok(Told::Heard(number, answer)) => {
                let ear = self.ear.as_mut()?;
                if !ear.heard(number, &answer) || !self.shared.host.is_consenting() {
                    return None;
                }
                Some(answer.map_or_else(|why| ear.open.fail(why), Event::Called))
            }
            Ok(Told::Rung) => None,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Some(Event::Tick),
        }
    }
}
