//! Every machine that a test drives is written down, and comes again from what is written.
//!
//! A driver's machine goes when the last of its threads or tasks does, and a panic there would be nobody's. So what was written is
//! replayed where the thread ends that asked for it: the test's. What was dropped midway replays as far as it went. A trace
//! that diverges ends the whole process, because a thread that ends can fail no other way.
#![allow(dead_code, unreachable_pub, reason = "each test file uses what it needs")]

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use mcp_auth::trace::Trace;

thread_local!(static RUNS: Runs = Runs::default());

#[derive(Default)]
struct Runs(RefCell<Vec<Arc<Mutex<String>>>>);

impl Drop for Runs {
    fn drop(&mut self) {
        for text in self.0.take() {
            replays(&text.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// Takes the lines of one machine.
pub fn lines() -> impl FnMut(&str) + Send + 'static {
    let text = Arc::<Mutex<String>>::default();
    RUNS.with(|runs| runs.0.borrow_mut().push(text.clone()));
    move |line| {
        let mut text = text.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(line);
        text.push('\n');
    }
}

/// Runs it again. Where nothing is written, a configuration was refused and no machine made.
#[track_caller]
pub fn replays(text: &str) {
    if !text.is_empty() {
        let trace = Trace::read(text).unwrap();
        assert!(trace.to_string() == text, "it is written as another");
        trace.replay().unwrap();
    }
}
