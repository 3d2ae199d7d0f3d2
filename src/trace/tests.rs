mod hidden;
mod reading;

use super::*;
use std::sync::{Arc, Mutex};

use crate::{Action, Authorizer, Config, Event, Scopes, Seed, Timestamp};

/// A login that finds no server.
fn recorded() -> String {
    let config = Config::new("https://mcp.example/mcp", "Example", "http://127.0.0.1:3000/callback");
    let seed = Seed::new([5; 32]);
    let text = Arc::new(Mutex::new(String::new()));
    let kept = text.clone();
    let mut recorder = Recorder::new(&config, &seed, move |line| {
        let mut text = kept.lock().unwrap();
        text.push_str(line);
        text.push('\n');
    });
    assert_eq!(format!("{recorder:?}"), "Recorder");
    let mut machine = Authorizer::new(config, seed).unwrap();
    let now = Timestamp::from_secs(1_800_000_000);
    let mut next = Some(Event::LogIn { scopes: Scopes::new() });
    loop {
        if let Some(event) = next.take() {
            recorder.event(now, &event);
            machine.handle(now, event);
        }
        let action = machine.poll();
        recorder.action(&action);
        next = match action {
            Action::Load(load) => Some(load.reply(None)),
            Action::Send(send) => {
                Some(send.fail(crate::SendFailure::NotSent("no route to 10.1.2.3".to_owned())))
            }
            Action::Wait(_) => break,
            _ => None,
        };
    }
    let text = text.lock().unwrap();
    text.clone()
}

#[test]
fn a_trace_is_read_as_it_was_written_and_replays() {
    let text = recorded();
    let trace = Trace::read(&text).unwrap();
    assert_eq!(trace.to_string(), text);
    let replayed = trace.replay().unwrap();
    assert!(replayed.events >= 3 && replayed.actions > replayed.events, "{replayed:?}");
    assert!(text.lines().last().unwrap().contains("\"wait\""));
    let (shown, lines) = (format!("{trace:?}{replayed:?}"), text.lines().count() - 1);
    assert!(!shown.contains("BQUFBQ"), "the seed is shown");
    assert!(
        shown.contains("https://mcp.example/mcp") && shown.contains(&format!("lines: {lines}")),
        "{shown}"
    );
}

#[test]
fn whoever_follows_sees_the_machine_after_each_line() {
    let trace = Trace::read(&recorded()).unwrap();
    let mut trails = Vec::new();
    let replayed =
        trace.follow(|place, machine| trails.push((place, machine.trail().entries().len()))).unwrap();
    assert_eq!(trails.len(), trace.entries().count());
    assert!(trails.iter().enumerate().all(|(count, (place, _))| *place == count));
    // Nothing has been tried at first, and in the end everything.
    assert_eq!((trails[0].1, trails.last().unwrap().1), (0, replayed.machine.trail().entries().len()));
    assert!(replayed.machine.trail().entries().len() > 2);
}

#[test]
fn a_machine_that_does_something_else_diverges() {
    let text = recorded();
    for (before, now, said) in [
        ("oauth-protected-resource/mcp", "oauth-protected-resource/other", "send differs at /send/url"),
        ("\"max_bytes\":262144", "\"max_bytes\":1", "send differs at /send/max_bytes"),
        (
            "[\"accept\",\"application/json\"]",
            "[\"accept\",\"text/html\"]",
            "send differs at /send/fields/0/1",
        ),
        ("\"reach\":\"any\"", "\"reach\":\"public\"", "send differs at /send/reach"),
        (
            "{\"action\":{\"load\":",
            "{\"action\":{\"forget\":",
            "the trace says forget, the machine now asks for load",
        ),
    ] {
        let changed = text.replacen(before, now, 1);
        assert_ne!(changed, text, "{before}");
        let divergence = Trace::read(&changed).unwrap().replay().unwrap_err();
        assert!(divergence.to_string().ends_with(said), "{divergence}");
        assert_eq!(format!("{divergence:?}"), divergence.to_string());
    }
}

#[test]
fn what_the_host_said_is_scrubbed_and_the_rest_replays() {
    let trace = Trace::read(&recorded()).unwrap();
    let scrubbed = trace.scrub(Names::Kept).unwrap();
    assert!(!scrubbed.to_string().contains("10.1.2.3"));
    assert!(scrubbed.to_string().contains("https://mcp.example/"));
    assert_eq!(scrubbed.replay().unwrap().actions, trace.replay().unwrap().actions);
    let other = trace.scrub(Names::Replaced).unwrap();
    assert!(!other.to_string().contains("mcp.example"), "{other}");
    other.replay().unwrap();
    // Once is enough.
    assert_eq!(scrubbed.scrub(Names::Kept).unwrap().to_string(), scrubbed.to_string());
}

/// What is said of scrubbing is what is done.
#[test]
fn the_form_tells_which_members_are_secret() {
    let form = include_str!("../../vectors/FORMAT.md");
    let (_, told) = form.split_once("What is replaced, and everywhere:").unwrap();
    let (told, _) = told.split_once("What is replaced where it stands").unwrap();
    let untold: Vec<_> = members::SECRET.iter().filter(|name| !told.contains(&format!("`{name}`"))).collect();
    assert!(untold.is_empty(), "{untold:?}");
}
