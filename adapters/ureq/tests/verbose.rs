//! Whoever turns on all of ureq's log is warned of what it shows.

mod support;

use std::sync::{Arc, Mutex};

use mcp_auth::Scopes;
use support::Town;

#[test]
fn a_log_that_shows_everything_is_warned_of() {
    let written = Arc::<Mutex<Vec<u8>>>::default();
    let paper = written.clone();
    let level = tracing_subscriber::filter::LevelFilter::TRACE;
    tracing_subscriber::fmt().with_max_level(level).with_writer(move || Paper(paper.clone())).init();
    Town::new().builder().build().unwrap().log_in(Scopes::new()).unwrap();
    let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    assert!(written.contains("WARN mcp_auth: ureq's log at the level `trace`"), "{written}");
}

struct Paper(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
