//! What time it is, even where somebody sets the clock.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mcp_auth::Timestamp;

/// The host's clock, made to run forwards. A deadline is a moment of this clock; were it to stand still, or to run
/// backwards, until a clock that was set back has caught up, nothing would end in time.
pub(crate) struct Clock {
    told: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// The latest moment that was told, and when.
    latest: Mutex<(Timestamp, Instant)>,
}

impl Clock {
    pub(crate) fn new(told: Box<dyn Fn() -> Timestamp + Send + Sync>) -> Self {
        let latest = Mutex::new((told(), Instant::now()));
        Self { told, latest }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    fn at(&self, instant: Instant) -> Timestamp {
        let told = (self.told)();
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, since) = *latest;
        let passed = Duration::from_secs(instant.saturating_duration_since(since).as_secs());
        let reached = before.after(passed);
        if told < reached {
            return reached;
        }
        *latest = (told, instant);
        told
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    #[test]
    fn a_clock_that_is_set_back_goes_on() {
        let told = Arc::new(AtomicU64::new(10_000));
        let hands = told.clone();
        let clock = Clock::new(Box::new(move || Timestamp::from_secs(hands.load(Relaxed))));
        let start = Instant::now();
        let at = |seconds: u64| clock.at(start + Duration::from_secs(seconds)).as_secs();
        assert_eq!(at(0), 10_000);
        told.store(5_000, Relaxed);
        assert_eq!((at(0), at(7)), (10_000, 10_007));
        told.store(20_000, Relaxed);
        assert_eq!(at(8), 20_000);
        told.store(5_000, Relaxed);
        assert_eq!(at(10), 20_002);
    }
}
