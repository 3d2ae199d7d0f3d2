//! A machine under the watch, which is written down and must come again from what is written.

use mcp_auth::watch::Watch;
use mcp_auth::{Access, Action, Authorizer, Config, Event, Seed, Timestamp};
use url::Url;

use super::recording::Recording;

pub(crate) struct Watched {
    pub(crate) auth: Authorizer,
    pub(crate) watch: Watch,
    recording: Recording,
}

impl Watched {
    pub(crate) fn new(config: Config) -> Self {
        let seed = || Seed::new([7; 32]);
        let (watch, recording) = (Watch::new(&config), Recording::new(&config, &seed()));
        Self { auth: Authorizer::new(config, seed()).unwrap(), watch, recording }
    }

    pub(crate) fn handle(&mut self, now: Timestamp, event: Event) {
        self.watch.event(now, &event);
        self.recording.recorder.event(now, &event);
        self.auth.handle(now, event);
    }

    pub(crate) fn poll(&mut self) -> Action {
        let action = self.auth.poll();
        self.watch.action(&action);
        self.recording.recorder.action(&action);
        assert_eq!(self.watch.breaches(), [""; 0]);
        action
    }

    pub(crate) fn access(&self, url: &Url, now: Timestamp) -> Access<'_> {
        self.auth.access(url, now)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.recording.check(&mut self.watch);
        }
    }
}
