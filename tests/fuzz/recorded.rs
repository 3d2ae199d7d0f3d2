//! Runs that were written down: traces with something changed in them, and records with something changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use mcp_auth::trace::{Divergence, Names, Recorder, Trace};
use mcp_auth::watch::Watch;
use mcp_auth::{Action, Authorizer, Credential, Key, Secret, Seed, Timestamp};
use mcp_auth_store::record::{self, Judged};
use serde_json::Value;

// Its own check is for flows whose hosts are known.
#[path = "../support/recording.rs"]
#[allow(dead_code)]
pub(crate) mod recording;

use recording::Recording;

use super::edits::{Choices, Pool, edit};
use super::flow::Flow;

/// The most changes to one flow or record.
pub(super) const MAX_EDITS: usize = 48;
/// Longer texts than any flow are of no use.
const MAX_TEXT: usize = 96 << 10;

/// Whether what is done with these bytes is written down, and comes again: under `cargo test` all of it is. The fuzzer
/// would lose most of its speed so; it draws.
pub(crate) fn is_replayed(data: &[u8]) -> bool {
    cfg!(test) || is_drawn(data)
}

/// One in sixteen, as its bytes have it.
pub(crate) fn is_drawn(data: &[u8]) -> bool {
    data.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).is_multiple_of(16)
}

/// Where the tables and flows are, from the core's folder and from the fuzzer's.
pub(crate) fn vectors() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    [here.join("vectors"), here.join("../vectors")].into_iter().find(|path| path.is_dir()).unwrap()
}

/// The recorded flows, each as its lines.
pub(super) static FLOWS: LazyLock<Vec<Vec<Value>>> = LazyLock::new(|| {
    let paths = fs::read_dir(vectors().join("flows")).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|it| it == "jsonl")).collect();
    paths.sort();
    let lines = |path| {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    paths.into_iter().map(lines).collect()
});

/// The texts of one flow, and of one other.
pub(super) fn pool(flow: usize) -> Pool {
    let mut pool = Pool::default();
    for lines in FLOWS.iter().cycle().skip(flow).take(2) {
        lines.iter().for_each(|line| pool.learn("", line));
    }
    pool
}

/// The records that the flows asked a store to keep: key and credential.
static RECORDS: LazyLock<Vec<(Value, Value)>> = LazyLock::new(|| {
    let stored = FLOWS.iter().flatten().filter_map(|line| line.get("action")?.get("store"));
    let mut found: Vec<_> = stored.map(|it| (it["key"].clone(), it["credential"].clone())).collect();
    found.dedup();
    found
});

/// Seeds of these two targets: whole traces, and whole records.
pub(crate) fn seeds() -> (Vec<String>, Vec<String>) {
    let trace = |lines: &Vec<Value>| lines.iter().map(|line| format!("{line}\n")).collect();
    (FLOWS.iter().map(trace).collect(), RECORDS.iter().map(|record| written(record.clone())).collect())
}

fn written((key, credential): (Value, Value)) -> String {
    serde_json::json!({"format": 1, "key": key, "credential": credential}).to_string()
}

/// Traces: whatever is read can be written, replayed and scrubbed, and what replays does so without its secrets too.
pub(crate) fn traces(data: &[u8]) {
    if data.first() == Some(&b'{') {
        return any_trace(&String::from_utf8_lossy(data));
    }
    let mut choices = Choices::new(data);
    let chosen = usize::from(choices.byte()) % FLOWS.len();
    let tells = !choices.byte().is_multiple_of(4);
    let mut lines = FLOWS[chosen].clone();
    let pool = pool(chosen);
    for _ in 0..MAX_EDITS {
        if !choices.are_left() || lines.len() < 2 {
            break;
        }
        change(&mut lines, &mut choices, tells, &pool);
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    if tells { told(&text) } else { any_trace(&text) }
}

/// One change to the lines of a flow; of its events only, if it is to be told to a machine.
fn change(lines: &mut Vec<Value>, choices: &mut Choices<'_>, tells: bool, pool: &Pool) {
    let may =
        |(_, line): &(usize, &Value)| !tells || line.get("event").is_some() || line.get("trace").is_some();
    let places: Vec<_> = lines.iter().enumerate().filter(may).map(|(place, _)| place).collect();
    let Some(place) = places.get(choices.below(places.len())).copied() else { return };
    match choices.byte() % 12 {
        0 if place > 0 => drop(lines.remove(place)),
        1 => lines.insert(place + 1, lines[place].clone()),
        2 => {
            let other = places[choices.below(places.len())];
            if place.min(other) > 0 {
                lines.swap(place, other);
            }
        }
        3 => {
            // From another flow.
            let other = &FLOWS[choices.below(FLOWS.len())];
            if let Some(line) =
                other.get(choices.below(other.len())).filter(|line| line.get("trace").is_none())
            {
                lines.insert(place + 1, line.clone());
            }
        }
        4 => {
            // Time goes by before this line.
            let by = [1, 30, 300, 3600, 90_000, u64::from(u32::MAX)][choices.below(6)];
            for line in lines.iter_mut().skip(place.max(1)) {
                let at = line.get("at").and_then(Value::as_u64);
                if let Some(at) = at {
                    line["at"] = at.saturating_add(by).into();
                }
            }
        }
        5 => {
            let event = ["abandoned", "cancelled", "client_disowned", "log_out", "restore", "tick"];
            let at = lines[place].get("at").cloned().unwrap_or(1_800_000_000.into());
            let event = event[choices.below(event.len())];
            lines.insert(place + 1, serde_json::json!({"at": at, "event": event}));
        }
        6 | 7 => within(&mut lines[place], choices, pool),
        _ => edit(&mut lines[place], choices, pool),
    }
}

/// Changes a JSON document that is the body of an answer.
fn within(line: &mut Value, choices: &mut Choices<'_>, pool: &Pool) {
    let Some(body) = line.pointer_mut("/event/replied/answer/response/body") else { return };
    let Some(mut document) = body.as_str().and_then(|body| serde_json::from_str(body).ok()) else { return };
    edit(&mut document, choices, pool);
    *body = document.to_string().into();
}

/// A text that may be a trace.
fn any_trace(text: &str) {
    if text.len() > MAX_TEXT {
        return;
    }
    let Ok(trace) = Trace::read(text) else { return };
    let again = Trace::read(&trace.to_string()).unwrap();
    assert_eq!(again.to_string(), trace.to_string());
    let _ = trace.entries().count() + trace.events().count();
    match trace.replay() {
        Ok(_) => check(&trace, None),
        Err(divergence) => assert!(!divergence.to_string().is_empty()),
    }
}

/// What a recorder wrote replays without its secrets too, and none of those that the watch knows is left. A trace from which a line
/// is missing need not lead a second machine to the same actions.
fn check(trace: &Trace, mut watch: Option<&mut Watch>) {
    for names in [Names::Kept, Names::Replaced] {
        let scrubbed = match trace.scrub(names) {
            Ok(scrubbed) => scrubbed.to_string(),
            // A name may be compared to something else than itself.
            Err(_) if watch.is_none() || names == Names::Replaced => return,
            // Somebody gave for a secret what the configuration is made of; that cannot be scrubbed, and is said.
            Err(Divergence::Unmade(_) | Divergence::Unscrubbable) => return,
            Err(divergence) => panic!("{names:?}: {divergence}"),
        };
        if let Some(watch) = &mut watch {
            watch.shown("the scrubbed trace", &scrubbed);
            assert!(watch.breaches().is_empty(), "{:?}\n{trace}\n{scrubbed}", watch.breaches());
        }
        let again = Trace::read(&scrubbed).unwrap();
        assert_eq!(again.to_string(), scrubbed);
        again.replay().unwrap_or_else(|divergence| panic!("{divergence}"));
        if watch.is_some() && names == Names::Kept {
            // Members stand in another order by now, so pseudonyms may have other numbers.
            again.scrub(names).unwrap_or_else(|divergence| panic!("scrubbed twice: {divergence}"));
        }
    }
}

/// The events of a trace, told to a machine under the watch, whatever the machine was asked to do back then. What is
/// written down of that is a trace as good as any.
fn told(text: &str) {
    let Ok(trace) = Trace::read(text) else { return };
    let Ok(mut machine) = trace.machine() else { return };
    let header: Value = serde_json::from_str(text.lines().next().unwrap_or_default()).unwrap();
    let Ok(seed) = serde_json::from_value::<Seed>(header["seed"].clone()) else { return };
    let config = trace.config();
    let (mut recording, mut watch) = match trace.snapshot() {
        Some(snapshot) => (Recording::resume(config, &seed, snapshot), Watch::resume(config, snapshot)),
        None => (Recording::new(config, &seed), Watch::new(config)),
    };
    let recorder = &mut recording.recorder;
    rest(&mut machine, recorder, &mut watch);
    let mut last = None;
    for (at, event) in trace.events() {
        // A clock that goes back, or to the end of time, is another matter.
        let now = last.max(Some(at)).unwrap_or(at).min(Timestamp::from_secs(1 << 40));
        last = Some(now);
        recorder.event(now, &event);
        watch.event(now, &event);
        machine.handle(now, event);
        rest(&mut machine, recorder, &mut watch);
    }
    let text = recording.text();
    let trace = Trace::read(&text).unwrap();
    assert_eq!(trace.to_string(), text);
    trace.replay().unwrap_or_else(|divergence| panic!("{divergence}"));
    check(&trace, Some(&mut watch));
}

fn rest(machine: &mut Authorizer, recorder: &mut Recorder, watch: &mut Watch) {
    for _ in 0..100 {
        let action = machine.poll();
        recorder.action(&action);
        watch.action(&action);
        watch.text("the machine", &format!("{machine:?}"));
        assert!(watch.breaches().is_empty(), "{:?}\n{}", watch.breaches(), machine.trail());
        if matches!(action, Action::Wait(_)) {
            return;
        }
    }
    panic!("it does not come to rest\n{}", machine.trail());
}

/// Records: what a store takes for sound is written as it was read, and serves a machine without harm; of what it does
/// not take, nothing is quoted.
pub(crate) fn records(data: &[u8]) {
    if data.first() == Some(&b'{') {
        return any_record(data);
    }
    let mut choices = Choices::new(data);
    let chosen = choices.below(RECORDS.len());
    let (key, mut credential) = RECORDS[chosen].clone();
    let mut pool = Pool::default();
    for (_, other) in RECORDS.iter().cycle().skip(chosen).take(3) {
        pool.learn("", other);
    }
    for _ in 0..MAX_EDITS {
        if !choices.are_left() {
            break;
        }
        edit(&mut credential, &mut choices, &pool);
    }
    any_record(written((key, credential)).as_bytes());
}

fn any_record(text: &[u8]) {
    let key = match record::key(text) {
        Ok(key) => key,
        Err(why) => {
            quotes_nothing(&why);
            Key { server: "https://mcp.example/mcp".to_owned(), account: None }
        }
    };
    match record::read(text, &key) {
        Judged::Sound(credential) => {
            let written = record::write(&key, &credential).unwrap();
            match record::read(&written, &key) {
                Judged::Sound(again) => assert_eq!(again, credential),
                judged => panic!("what was written is not read: {judged:?}"),
            }
            serves(*credential);
        }
        Judged::Unknown(why) | Judged::Corrupt(why) => quotes_nothing(&why),
    }
}

/// What is said of a text is of our own words and numbers: none of them is as long as a secret.
fn quotes_nothing(why: &str) {
    assert!(why.len() < 120 && why.split(' ').all(|word| word.len() <= 24), "{why}");
}

/// A machine takes up the record, and whatever it holds a person can log in afterwards.
fn serves(mut credential: Credential) {
    // Its secrets are like no other text, so that the watch knows them where it sees them.
    let own = |sort: &str, secret: &Secret| Secret::from(format!("{sort}-of-the-record-{}", secret.expose()));
    credential.access_token = own("access", &credential.access_token);
    credential.refresh_token = credential.refresh_token.as_ref().map(|secret| own("refresh", secret));
    credential.client.secret = credential.client.secret.as_ref().map(|secret| own("secret", secret));
    Flow::new(&[]).holding(credential).run();
}
