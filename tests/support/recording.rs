//! A run is written down, and must come again from what is written.

use std::sync::{Arc, Mutex};

use mcp_auth::trace::{Names, Recorder, Trace};
use mcp_auth::watch::Watch;
use mcp_auth::{Config, Seed, Snapshot};

pub(crate) struct Recording {
    pub(crate) recorder: Recorder,
    text: Arc<Mutex<String>>,
}

impl Recording {
    pub(crate) fn new(config: &Config, seed: &Seed) -> Self {
        let (text, sink) = sink();
        Self { recorder: Recorder::new(config, seed, sink), text }
    }

    pub(crate) fn resume(config: &Config, seed: &Seed, snapshot: &Snapshot) -> Self {
        let (text, sink) = sink();
        Self { recorder: Recorder::resume(config, seed, snapshot, sink), text }
    }

    /// What has been written so far.
    pub(crate) fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// What was written replays, and is taken away; `None` where nothing is there.
    pub(crate) fn replays(&self) -> Option<Trace> {
        let text = std::mem::take(&mut *self.text.lock().unwrap());
        if text.is_empty() {
            return None;
        }
        let trace = Trace::read(&text).unwrap();
        assert_eq!(trace.to_string(), text);
        trace.replay().unwrap();
        Some(trace)
    }

    /// The trace replays, and so does what is left of it without its secrets, none of which stands there any more.
    pub(crate) fn check(&self, watch: &mut Watch) {
        let Some(trace) = self.replays() else { return };
        let scrubbed = trace.scrub(Names::Kept).unwrap().to_string();
        watch.shown("the scrubbed trace", &scrubbed);
        assert_eq!(watch.breaches(), [""; 0]);
        let again = Trace::read(&scrubbed).unwrap();
        again.replay().unwrap();
        assert_eq!(again.to_string(), scrubbed);
        let renamed = trace.scrub(Names::Replaced).unwrap().to_string();
        Trace::read(&renamed).unwrap().replay().unwrap();
        for host in ["mcp.example", "as.example"] {
            assert!(!renamed.contains(host), "{host} stands in {renamed}");
        }
    }
}

fn sink() -> (Arc<Mutex<String>>, impl FnMut(&str) + Send + 'static) {
    let text = Arc::new(Mutex::new(String::new()));
    let kept = text.clone();
    let sink = move |line: &str| {
        let mut text = kept.lock().unwrap();
        text.push_str(line);
        text.push('\n');
    };
    (text, sink)
}
