//! What is read, what is passed over, and what is said of the rest.

use serde_json::{Value, json};

use super::super::read::{MAX_LINE, MAX_LINES};
use super::super::*;
use super::recorded;

/// The recorded trace with this in the place of its second line.
fn with(line: &str) -> String {
    let text = recorded();
    text.replacen(text.lines().nth(1).unwrap(), line, 1)
}

/// The recorded trace with something else in its header.
fn headed(change: impl FnOnce(&mut Value)) -> String {
    let text = recorded();
    let (header, rest) = text.split_once('\n').unwrap();
    let mut header: Value = serde_json::from_str(header).unwrap();
    change(&mut header);
    format!("{header}\n{rest}")
}

fn removed(value: &mut Value, name: &str) {
    value.as_object_mut().unwrap().remove(name).unwrap();
}

fn refused(text: &str, line: usize, why: &str) {
    let unreadable = Trace::read(text).unwrap_err();
    assert_eq!((unreadable.line, unreadable.why.as_str()), (line, why));
    assert_eq!(unreadable.to_string(), format!("line {line} of the trace: {why}"));
    assert!(!unreadable.to_string().contains("hush"));
}

#[test]
fn what_is_no_trace_says_where() {
    let text = recorded();
    let many = "\n{\"at\":1,\"event\":\"tick\"}".repeat(MAX_LINES);
    let header = text.lines().next().unwrap();
    for (text, line, why) in [
        (String::new(), 1, "there is none"),
        ("\n\nhush".to_owned(), 3, "it is no JSON (column 1)"),
        (with("{\"at\":1,\"eve"), 2, "it breaks off (column 12)"),
        (with(&"x".repeat(MAX_LINE + 1)), 2, "it is longer than 4194304 bytes"),
        (with(&"x".repeat(MAX_LINE)), 2, "it is no JSON (column 1)"),
        (header.to_owned() + &many, MAX_LINES + 1, "more than 100000 lines"),
    ] {
        refused(&text, line, why);
    }
}

#[test]
fn a_header_that_is_none_says_why() {
    for (text, why) in [
        ("{\"hush\":1}".to_owned(), "it has no member `trace` with the version"),
        ("null".to_owned(), "it has no member `trace` with the version"),
        ("{\"trace\":99}".to_owned(), "it is of version 99; this reads version 1"),
        ("{\"trace\":1,\"seed\":\"hush\"}".to_owned(), "a header that is not of the form"),
        ("{\"trace\":1}".to_owned(), "a header in which `config` is missing"),
        (headed(|it| removed(it, "seed")), "a header in which `seed` is missing"),
        (
            headed(|it| removed(&mut it["config"], "redirect_uri")),
            "a header in which `redirect_uri` is missing",
        ),
        (headed(|it| it["seed"] = "hush".into()), "a header in which /seed is not what the form has there"),
        (
            headed(|it| it["config"]["policy"]["reach"] = "hush".into()),
            "a header in which /config/policy/reach is not what the form has there",
        ),
        (
            headed(|it| it["config"]["policy"]["legacy"] = "hush".into()),
            "a header in which /config/policy/legacy is not what the form has there",
        ),
        (
            headed(|it| it["config"]["client"]["contacts"] = json!(["a", 1])),
            "a header in which /config/client/contacts/1 is not what the form has there",
        ),
        (
            headed(|it| it["config"]["policy"]["require_isss"] = "hush".into()),
            "a header with /config/policy/require_isss, which this version does not know",
        ),
        (
            headed(|it| it["config"]["issuers"] = json!([["hush", {"pcke": "hush"}]])),
            "a header with /config/issuers/0/1/pcke, which this version does not know",
        ),
        (
            headed(|it| it["config"]["a\u{1b}b"] = 1.into()),
            "a header with /config/a\u{fffd}b, which this version does not know",
        ),
    ] {
        refused(&text, 1, why);
    }
    // What is not there says nothing, and of a key only what is needed is taken.
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": "A".repeat(43), "kid": "of-mine"});
    for text in [
        headed(|it| it["config"]["require_isss"] = Value::Null),
        headed(|it| it["config"]["proof_key"] = json!({"public": key, "binds": "always"})),
    ] {
        Trace::read(&text).unwrap();
    }
}

#[test]
fn a_line_that_is_none_says_why() {
    let header = recorded().lines().next().unwrap().to_owned();
    let response = json!({"response": {"status": 70000, "fields": [["hush", "hush"]], "body": "hush"}});
    for (line, why) in [
        ("null".to_owned(), "it is no JSON object"),
        ("[1]".to_owned(), "it is no JSON object"),
        ("{}".to_owned(), "neither an event, a proof, an action nor a note"),
        (json!({"at": 1, "evemt": "hush"}).to_string(), "neither an event, a proof, an action nor a note"),
        (header, "a header, which is the first line and no other"),
        (
            json!({"at": 1, "event": "tick", "action": {"wait": null}}).to_string(),
            "an event and an action at once",
        ),
        (json!({"event": "tick"}).to_string(), "an event in which `at` is missing"),
        (
            json!({"at": "hush", "event": "tick"}).to_string(),
            "an event in which /at is not what the form has there",
        ),
        (json!({"at": 1, "event": "hush"}).to_string(), "an event that this version does not know"),
        (json!({"at": 1, "event": {"hush": 1}}).to_string(), "an event that this version does not know"),
        (json!({"at": 1, "event": {"log_in": {}}}).to_string(), "an event in which `scopes` is missing"),
        (json!({"at": 1, "event": {"tick": 1, "hush": 1}}).to_string(), "an event that is not of the form"),
        (
            json!({"at": 1, "event": {"replied": {"id": 1, "answer": "hush"}}}).to_string(),
            "an answer that this version does not know",
        ),
        (
            json!({"at": 1, "event": {"replied": {"id": 1, "answer": response}}}).to_string(),
            "an event in which /event/replied/answer/response/status is not what the form has there",
        ),
        (json!({"at": 1, "prove": {"method": "hush"}}).to_string(), "a proof in which `url` is missing"),
        (
            json!({"at": 1, "note": {"response": {"status": "hush"}}}).to_string(),
            "a note in which /note/response/status is not what the form has there",
        ),
        (
            json!({"at": "hush", "note": "hush"}).to_string(),
            "a note in which /at is not what the form has there",
        ),
    ] {
        refused(&with(&line), 2, why);
    }
    // Whoever makes a line so that the fault is long to find is told less.
    let long = json!({"at": 1, "event": {"replied": {"id": 1, "answer": {"conflict": vec![0; 1 << 18]}}}});
    let began = std::time::Instant::now();
    refused(&with(&long.to_string()), 2, "an event that is not of the form");
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}

/// A recorder that is killed, or whose disk is full, ends anywhere.
#[test]
fn a_last_line_that_breaks_off_is_passed_over() {
    let text = recorded();
    let last = text.lines().last().unwrap();
    let whole = text.strip_suffix(&format!("{last}\n")).unwrap();
    for cut in 1..last.len() {
        let trace = Trace::read(&format!("{whole}{}", &last[..cut])).unwrap();
        assert!(trace.broken_off());
        assert_eq!(trace.to_string(), whole);
        trace.replay().unwrap();
        assert!(!Trace::read(&trace.to_string()).unwrap().broken_off());
    }
    for text in [&text, whole, text.trim_end(), &format!("{whole} ")] {
        let trace = Trace::read(text).unwrap();
        assert!(!trace.broken_off());
        assert_eq!(trace.to_string().trim_end(), text.trim_end());
    }
    // What is no beginning of a line was not left by a recorder; and without a header there is nothing to run.
    let number = text.lines().count();
    refused(&format!("{whole}hush"), number, "it is no JSON (column 1)");
    refused(&format!("{whole}{{}}"), number, "neither an event, a proof, an action nor a note");
    refused(&format!("{whole}{}\n", &last[..9]), number, "it breaks off (column 9)");
    refused(&text[..9], 1, "it breaks off (column 9)");
}

#[test]
fn lines_are_counted_as_they_stand_in_the_text() {
    let text = recorded().lines().collect::<Vec<_>>().join("\n \n\n");
    let text = format!("\n{text}");
    let place = |text: &str, of: &str| 1 + text.lines().position(|line| line.contains(of)).unwrap();
    let changed = text.replacen("\"max_bytes\":262144", "\"max_bytes\":1", 1);
    let trace = Trace::read(&changed).unwrap();
    assert_eq!(trace, Trace::read(&trace.to_string()).unwrap());
    let number = place(&changed, "\"max_bytes\":1,");
    let Divergence::Differs { line, .. } = trace.replay().unwrap_err() else { panic!() };
    assert_eq!(line, number);
    // As far as there, it replays.
    let before = trace.before(line);
    before.replay().unwrap();
    let lines = changed.lines().take(line - 1).filter(|line| !line.trim().is_empty()).count();
    assert_eq!(before.to_string().lines().count(), lines);
    assert_eq!((trace.before(0).to_string().lines().count(), trace.before(usize::MAX)), (1, trace));

    let changed = text.replacen("{\"action\":{\"load\":", "{\"action\":{\"forget\":", 1);
    let number = place(&changed, "\"forget\"");
    let Err(Divergence::Differs { line, .. }) = Trace::read(&changed).unwrap().scrub(Names::Kept) else {
        panic!()
    };
    assert_eq!(line, number);
    let changed = text.replacen("{\"action\":{\"load\":", "{\"acton\":{\"load\":", 1);
    assert_eq!(Trace::read(&changed).unwrap_err().line, number);
    // The same where it is a proof that can be none.
    let proof = "{\"at\":1,\"prove\":{\"method\":\"GET\",\"url\":\"nowhere\"}}";
    let changed = format!("{text}\n\n{proof}\n");
    let number = place(&changed, "prove");
    assert_eq!(Trace::read(&changed).unwrap().replay().unwrap_err(), Divergence::Unreadable { line: number });
}

#[test]
fn notes_that_are_not_known_are_kept_as_they_stand() {
    let text = recorded();
    let notes = [
        "{\"note\":{\"future\":{\"x\":1.0,\"a\":\"\\u0061\",\"a\":1e2}}, \"at\":1800000000}",
        "{\"at\":1800000000,\"note\":\"future\"}",
    ];
    let mut lines: Vec<_> = text.lines().collect();
    lines.splice(2..2, notes);
    let noted = lines.join("\n") + "\n";
    let trace = Trace::read(&noted).unwrap();
    assert_eq!(trace.to_string(), noted);
    assert_eq!(trace.replay().unwrap().actions, Trace::read(&text).unwrap().replay().unwrap().actions);
    let known = |entry: &Entry<'_>| matches!(entry, Entry::Note { note: Note::Unknown, .. });
    assert_eq!(trace.entries().filter(known).count(), 2);
    for names in [Names::Kept, Names::Replaced] {
        let scrubbed = trace.scrub(names).unwrap();
        assert!(!scrubbed.to_string().contains("future"));
        assert_eq!(scrubbed.to_string().lines().count(), text.lines().count());
        scrubbed.replay().unwrap();
    }
    // The name of the variant is no note.
    let named = noted.replace("\"future\"}", "\"unknown\"}");
    assert_eq!(Trace::read(&named).unwrap().to_string(), named);
}

#[test]
fn a_trace_is_the_same_by_what_it_says() {
    let text = recorded();
    let trace = Trace::read(&text).unwrap();
    assert!(trace == Trace::read(&text.replace('\n', "\n\n")).unwrap());
    assert!(trace != trace.before(3));
    assert!(trace != Trace::read(&headed(|it| it["seed"] = "A".repeat(43).into())).unwrap());
}

#[test]
fn a_member_that_stands_twice_is_said_so() {
    for line in
        ["{\"action\":{\"wait\":null},\"action\":{\"wait\":null}}", "{\"at\":1,\"at\":1,\"event\":\"tick\"}"]
    {
        let kind = if line.contains("action") { "an action" } else { "an event" };
        refused(&with(line), 2, &format!("{kind} that has a member twice"));
    }
}
