//! A driver under the watch.
#![allow(dead_code, unreachable_pub, reason = "each test file uses what it needs")]

use mcp_auth::watch::Watch;
use mcp_auth::{Action, Config, Event, Timestamp};
use mcp_auth_host::Tap;
use url::Url;

/// Ends the attempt, and so the test, at the first breach of what must never happen.
pub struct Watched(Watch);

impl Watched {
    pub fn new(config: &Config) -> Self {
        Self(Watch::new(config))
    }
}

impl Tap for Watched {
    fn event(&mut self, now: Timestamp, event: &Event) {
        self.0.event(now, event);
    }

    fn action(&mut self, action: &Action) {
        self.0.action(action);
        assert_eq!(self.0.breaches(), [""; 0]);
    }

    fn attached(&mut self, url: &Url, resource: &str) {
        self.0.attached(url, resource);
        assert_eq!(self.0.breaches(), [""; 0]);
    }
}
