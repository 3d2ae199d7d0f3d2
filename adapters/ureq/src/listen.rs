//! What reaches the redirect URI, waited for on a thread of its own.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use mcp_auth::{Callback, Failure, Open, Outcome};
use mcp_auth_host::{Answers, unpanicked};

use crate::call::Call;
use crate::crank::Told;
use crate::permits::Permit;

/// How long the crank waits for the host's code to come back from the end of an attempt. Code that blocks is left alone.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is said of a person whose side of the host panicked.
const PERSON: &str = "whoever asks the person panicked";

/// What was asked of the person, and the thread that waits for what comes of it.
pub(crate) struct Ear {
    pub(crate) open: Open,
    number: u64,
    orders: Sender<Order>,
    call: Arc<Call>,
    /// Nothing comes here; it is closed when the thread has let go of the host's code.
    gone: Receiver<()>,
    /// The thread waits for an answer.
    listens: bool,
    /// No more can reach the redirect URI.
    deaf: bool,
}

enum Order {
    Listen,
    Finished(Result<Outcome, Box<Failure>>),
}

impl Ear {
    /// Gives `answers` a thread, which keeps `permit` as long. It tells what it hears under `number`.
    pub(crate) fn new(
        open: Open,
        number: u64,
        answers: Box<dyn Answers>,
        permit: Permit,
        tell: Sender<Told>,
    ) -> io::Result<Self> {
        let (orders, ordered) = mpsc::channel();
        let (going, gone) = mpsc::channel();
        let call = Arc::new(Call::default());
        let ear = Self { open, number, orders, call: call.clone(), gone, listens: false, deaf: false };
        let listening = move || {
            let heard = |answer| drop(tell.send(Told::Heard(number, answer)));
            listen(answers, &ordered, &call, heard);
            drop((permit, going));
        };
        thread::Builder::new().name("mcp-auth-listen".to_owned()).spawn(listening)?;
        Ok(ear)
    }

    /// Waits for the next answer, if it does not do so already.
    pub(crate) fn listen(&mut self) {
        if !self.listens && !self.deaf {
            self.listens = self.orders.send(Order::Listen).is_ok();
        }
    }

    /// Notes what was told under `number`. Whether it was of this.
    pub(crate) fn heard(&mut self, number: u64, answer: &Result<Callback, String>) -> bool {
        let own = self.number == number;
        if own {
            (self.listens, self.deaf) = (false, answer.is_err());
        }
        own
    }

    /// Tells the host how it ended, and lets go.
    pub(crate) fn finish(self, outcome: Result<Outcome, Box<Failure>>) {
        let _ = self.orders.send(Order::Finished(outcome));
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        // With nobody left who could give another order.
        self.orders = mpsc::channel().0;
        self.call.off();
        let _ = self.gone.recv_timeout(PATIENCE);
    }
}

/// Until there is no more to be heard, or it is over. One answer at a time, and only when it is wanted: the host is asked
/// again only after an answer that belongs to another request.
fn listen(
    mut answers: Box<dyn Answers>,
    orders: &Receiver<Order>,
    call: &Arc<Call>,
    heard: impl Fn(Result<Callback, String>),
) {
    for order in orders {
        match order {
            Order::Listen => {
                let next = unpanicked(PERSON, || call.wait(answers.next()));
                if let Some(answer) = next.unwrap_or_else(|why| Some(Err(why))) {
                    heard(answer);
                }
            }
            Order::Finished(outcome) => drop(unpanicked("", || answers.finished(&outcome))),
        }
    }
    let _ = unpanicked("", move || drop(answers));
}
