//! rmcp's seam for HTTP with the testbed behind it, and a clockwork that counts rounds.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use http::{Request, Response};
use mcp_auth_testbed::{Dials, Origins, World};
use rmcp::transport::auth::{OAuthHttpClient, OAuthHttpClientFuture, OAuthHttpRequest};

use super::Count;

/// The testbed behind rmcp's seam for HTTP. Exchanges wait until everybody does; then all that are there are answered.
pub(super) struct Network {
    world: Mutex<World>,
    waiting: Mutex<Vec<Arc<Slot>>>,
    count: Mutex<Count>,
}

/// One request on its way.
struct Slot {
    /// Requests to the MCP server do not.
    counts: bool,
    request: Mutex<Option<Request<Vec<u8>>>>,
    answer: Mutex<Option<Response<Vec<u8>>>>,
}

impl Network {
    pub(super) fn new(dials: Dials) -> Arc<Self> {
        let world = Mutex::new(World::new(dials, Origins::default()));
        Arc::new(Self { world, waiting: Mutex::default(), count: Mutex::default() })
    }

    /// What was counted so far.
    pub(super) fn count(&self) -> Count {
        *self.count.lock().expect("one thread")
    }

    /// rmcp reads the system's clock, so the servers do too.
    fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
    }

    pub(super) fn with<T>(&self, work: impl FnOnce(&mut World, u64) -> T) -> T {
        let now = self.now();
        work(&mut self.world.lock().expect("one thread"), now)
    }

    /// Sends a request, and waits for its answer.
    pub(super) fn send(
        &self,
        request: Request<Vec<u8>>,
        counts: bool,
    ) -> impl Future<Output = Response<Vec<u8>>> {
        let slot = Slot { counts, request: Mutex::new(Some(request)), answer: Mutex::default() };
        let (slot, mut sent) = (Arc::new(slot), false);
        std::future::poll_fn(move |_| {
            if !std::mem::replace(&mut sent, true) {
                self.waiting.lock().expect("one thread").push(slot.clone());
            }
            slot.answer.lock().expect("one thread").take().map_or(Poll::Pending, Poll::Ready)
        })
    }

    /// Whether anything was waiting.
    fn answer(&self) -> bool {
        let waiting = std::mem::take(&mut *self.waiting.lock().expect("one thread"));
        if waiting.is_empty() {
            return false;
        }
        let mut count = self.count.lock().expect("one thread");
        let counted = waiting.iter().filter(|slot| slot.counts).count();
        count.exchanges += counted;
        count.rounds += usize::from(counted > 0);
        for slot in waiting {
            let request = slot.request.lock().expect("one thread").take().expect("it waits once");
            let answer = self.with(|world, now| world.handle(now, request));
            *slot.answer.lock().expect("one thread") = Some(answer);
        }
        true
    }

    /// All of these to their ends, at once.
    pub(super) fn drive<T>(&self, futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
        let mut context = Context::from_waker(Waker::noop());
        let mut running: Vec<_> = futures.into_iter().map(Box::pin).collect();
        let mut done = Vec::new();
        loop {
            let before = done.len();
            running.retain_mut(|future| match future.as_mut().poll(&mut context) {
                Poll::Pending => true,
                Poll::Ready(output) => {
                    done.push(output);
                    false
                }
            });
            if running.is_empty() {
                return done;
            }
            // One that ended may have been what another waited for.
            assert!(done.len() > before || self.answer(), "all wait, and nothing is on its way");
        }
    }

    pub(super) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.drive([pin!(future)]).pop().expect("one future, one output")
    }
}

impl OAuthHttpClient for Network {
    fn execute(&self, request: OAuthHttpRequest) -> OAuthHttpClientFuture<'_> {
        let answer = self.send(request.request, true);
        Box::pin(async move { Ok(answer.await) })
    }
}
