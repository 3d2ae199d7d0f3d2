//! A future, waited for by a thread, until it is called off.

use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Wakes a thread that waits for a future, or tells it to wait no more.
#[derive(Default)]
pub(crate) struct Call {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    woken: bool,
    off: bool,
}

impl Call {
    /// Whoever waits is to wait no more. What blocks inside the future goes on until it returns.
    pub(crate) fn off(&self) {
        self.lock().off = true;
        self.changed.notify_all();
    }

    /// What the future gives; `None` if it was called off. The future is dropped in either case.
    pub(crate) fn wait<T>(self: &Arc<Self>, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        let waker = Waker::from(self.clone());
        let mut context = Context::from_waker(&waker);
        while self.goes_on() {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Some(output);
            }
            let woken = self.changed.wait_while(self.lock(), |state| !(state.woken || state.off));
            drop(woken.unwrap_or_else(PoisonError::into_inner));
        }
        None
    }

    fn goes_on(&self) -> bool {
        let mut state = self.lock();
        state.woken = false;
        !state.off
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.lock().woken = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_future_is_polled_again_when_it_wakes() {
        let call = Arc::new(Call::default());
        assert_eq!(call.wait(ready(1)), Some(1));
        let mut polls = 0;
        let woken = call.wait(poll_fn(|context| {
            polls += 1;
            let waker = context.waker().clone();
            match polls {
                // At once, and from another thread.
                1 => waker.wake(),
                2 => drop(thread::spawn(move || {
                    thread::sleep(Duration::from_millis(20));
                    waker.wake();
                })),
                _ => return Poll::Ready(()),
            }
            Poll::Pending
        }));
        assert_eq!((woken, polls), (Some(()), 3));
    }

    #[test]
    fn a_future_that_is_called_off_is_dropped() {
        struct Dropped(Arc<Mutex<bool>>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                *self.0.lock().unwrap() = true;
            }
        }
        let (call, gone) = (Arc::new(Call::default()), Arc::<Mutex<bool>>::default());
        let (waited, held) = (call.clone(), Dropped(gone.clone()));
        let waiting = thread::spawn(move || {
            waited.wait(async move {
                let _held = held;
                pending::<()>().await;
            })
        });
        thread::sleep(Duration::from_millis(20));
        assert!(!*gone.lock().unwrap());
        call.off();
        assert_eq!(waiting.join().unwrap(), None);
        assert!(*gone.lock().unwrap());
        // Once and for all.
        assert_eq!(call.wait(ready(())), None);
    }
}
