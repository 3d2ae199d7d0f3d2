//! How many may do something at a time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So many, and who waits to be one of them.
pub(crate) struct Permits {
    free: Mutex<usize>,
    freed: Condvar,
}

/// Leave for one. Given back when it is dropped.
pub(crate) struct Permit(Arc<Permits>);

impl Permits {
    pub(crate) fn new(free: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(free), freed: Condvar::new() })
    }

    /// Leave for one, as soon as there is one within that time.
    pub(crate) fn take(self: &Arc<Self>, within: Duration) -> Option<Permit> {
        let waited = self.freed.wait_timeout_while(self.lock(), within, |free| *free == 0);
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1)?;
        Some(Permit(self.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.lock() += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn there_are_but_so_many() {
        let permits = Permits::new(2);
        let (first, _second) = (permits.take(Duration::ZERO).unwrap(), permits.take(Duration::ZERO).unwrap());
        assert!(permits.take(Duration::from_millis(5)).is_none());
        let waiting = permits.clone();
        let waiting = thread::spawn(move || waiting.take(Duration::from_secs(10)).is_some());
        thread::sleep(Duration::from_millis(20));
        drop(first);
        assert!(waiting.join().unwrap());
    }
}
