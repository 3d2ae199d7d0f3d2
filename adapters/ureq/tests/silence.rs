//! No secret is shown, whoever listens and however closely.

mod support;

use std::io;
use std::sync::{Arc, Mutex};

use mcp_auth::Scopes;
use mcp_auth_ureq::{Error, MemoryStore};
use support::{Reply, Town};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Paper {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[test]
fn no_secret_is_written_to_a_log_or_shown() {
    let paper = Paper::default();
    // What ureq writes at the level `trace` is everything; of that this crate can only warn.
    let levels = Targets::new().with_default(LevelFilter::TRACE).with_target("ureq", LevelFilter::DEBUG);
    let written = tracing_subscriber::fmt::layer().with_writer(paper.clone());
    tracing_subscriber::registry().with(written).with(levels).init();
    let shown = Arc::new(Mutex::new(String::new()));

    let town = Town::new();
    let store = MemoryStore::default();
    let notes = shown.clone();
    let client = town
        .builder()
        .store(store.clone())
        .observe(move |observed| notes.lock().unwrap().push_str(&format!("{observed:?}\n")))
        .build()
        .unwrap();
    // A login, a step-up, a renewal, and a failure.
    client.send_as("write", town.scoped("write")).unwrap();
    town.forget_tokens();
    let response = client.send(town.request("/mcp?key=a-query-of-the-caller")).unwrap();
    assert_eq!(response.status(), 200);
    let mut text = format!("{client:?} {store:?} {} {:?}", client.trail(), client.authorized());
    text.push_str(&failing(&shown));

    let records = town.records.lock().unwrap();
    assert_eq!((records.logins, records.refreshes), (2, 1));
    assert!(records.secrets.len() >= 11, "{:?}", records.secrets);
    let written = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    assert!(written.contains("mcp_auth") && written.contains("sent purpose=Token"), "{written}");
    assert!(written.contains("ureq") && !written.contains("as they pass"), "{written}");
    let shown = shown.lock().unwrap();
    assert!(shown.contains("Opened") && shown.contains("Noted"), "{shown}");
    for (place, text) in [("the log", &written), ("the observer", &*shown), ("the values", &text)] {
        for secret in records.secrets.iter().map(String::as_str).chain(["hush", "a-query-of-the-caller"]) {
            assert!(!text.contains(secret), "{secret} is shown by {place}:\n{text}");
        }
    }
}

/// What a login at a token endpoint shows that gives the secrets back in its error.
fn failing(notes: &Arc<Mutex<String>>) -> String {
    let town = Town::with(std::time::Duration::ZERO, |asked| {
        let error = serde_json::json!({"error": "server_error", "access_token": "hush"});
        (asked.path == "/token").then(|| Reply::new(500, &error))
    });
    let notes = notes.clone();
    let client = town
        .builder_for(support::Person::new(&town))
        .observe(move |observed| notes.lock().unwrap().push_str(&format!("{observed:?}\n")))
        .build()
        .unwrap();
    let error: Error = client.log_in(Scopes::new()).unwrap_err();
    let secrets = town.records.lock().unwrap().secrets.clone();
    let text = format!("{error} {error:#} {error:?} {}", client.trail());
    assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
    text
}
