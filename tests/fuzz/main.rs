//! Runs every fuzz body on bytes that are the same each time, so that they stay compiled and true without a fuzzer.

mod bodies;

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A small generator of bytes (xorshift); nothing here depends on its quality.
struct Bytes(u64);

impl Bytes {
    fn next(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.to_le_bytes()[3]
    }

    /// A case of up to 400 bytes. One in four of its bytes is wild; the rest are small, which to the driver of the
    /// flow means that it does right.
    fn case(&mut self) -> Vec<u8> {
        let length = usize::from(self.next()) + usize::from(self.next()) % 150;
        (0..length)
            .map(|_| if self.next().is_multiple_of(4) { self.next() } else { self.next() % 100 })
            .collect()
    }
}

#[test]
fn every_body_holds_on_bytes_from_nowhere() {
    for (name, body) in bodies::BODIES {
        let mut bytes = Bytes(0x9e37_79b9_7f4a_7c15);
        body(&[]);
        for _ in 0..300 {
            body(&bytes.case());
        }
        println!("{name}: 301 cases");
    }
}

/// A driver that goes wrong now and then still gets tokens, so the flows go deep.
#[test]
fn flows_reach_their_end() {
    let mut bytes = Bytes(0x9e37_79b9_7f4a_7c15);
    let (mut by_way, mut drawn) = ([0; bodies::WAYS], 0);
    for _ in 0..300 {
        let case = bytes.case();
        drawn += usize::from(bodies::recorded::is_drawn(&case));
        by_way[case.first().map_or(0, |byte| usize::from(*byte) % bodies::WAYS)] += bodies::grants(&case);
    }
    let grants: usize = by_way.iter().sum();
    println!("{grants} grants in 300 flows: {by_way:?}; the fuzzer would replay {drawn} of them");
    // Each way of being a client has its share.
    assert!(by_way.iter().all(|grants| *grants > 5));
    assert!(grants > 150 && (6..60).contains(&drawn));
}

/// The texts of the vectors, whole and with one byte changed, through every body; and what belongs together, so too.
#[test]
fn every_body_holds_near_the_vectors() {
    let mut bytes = Bytes(0x2545_f491_4f6c_dd1d);
    let joined = joined();
    for (target, _, seed) in &joined {
        let (_, body) = bodies::BODIES.iter().find(|(name, _)| name == target).unwrap();
        body(seed.as_bytes());
        for _ in 0..4 {
            let mut changed = seed.clone().into_bytes();
            let place = usize::from(bytes.next()) * 257 % changed.len().max(1);
            if let Some(byte) = changed.get_mut(place) {
                *byte = bytes.next();
            }
            body(&changed);
        }
    }
    for target in ["places", "refusals", "words"] {
        let many = joined.iter().filter(|(name, ..)| *name == target).count();
        assert!(many > 40, "{target} has {many}");
    }
    for (count, (_, seed)) in tables().into_iter().enumerate() {
        for (name, body) in bodies::BODIES {
            // To these all seeds are alike, and what they do takes longer.
            if CHOOSES.contains(name) && count % 16 != 0 {
                continue;
            }
            if !CHOOSES.contains(name) {
                body(&seed);
            }
            let mut changed = seed.clone();
            if !changed.is_empty() {
                let place = usize::from(bytes.next()) * 257 % changed.len();
                changed[place] = bytes.next();
                body(&changed);
            }
        }
    }
}

/// Every recorded flow as it is, and every record that a flow kept.
#[test]
fn what_was_recorded_holds() {
    let (traces, records) = bodies::recorded::seeds();
    let snapshots = bodies::snapshots::seeds();
    assert!(traces.len() > 150 && records.len() > 150 && snapshots.len() > 100);
    for trace in traces.iter().step_by(8) {
        bodies::recorded::traces(trace.as_bytes());
    }
    for record in &records {
        bodies::recorded::records(record.as_bytes());
    }
    // As it is, and the machine that takes it up is told what was not asked.
    for (number, snapshot) in snapshots.iter().enumerate() {
        bodies::snapshots::snapshots(snapshot.as_bytes());
        let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
        (0..16)
            .for_each(|event| bodies::snapshots::snapshots(&[high, low, 0, event, 0, 0, 0, 0, 0, 0, 0, 0]));
    }
    // The first byte says which flow; no change follows.
    for flow in (0..=u8::MAX).step_by(8) {
        bodies::recorded::traces(&[flow, 1]);
    }
}

/// To these bodies bytes are choices, so that one text is as good as its neighbour.
const CHOOSES: [&str; 4] = ["flow", "traces", "records", "snapshots"];

/// Writes what the fuzzer begins with into a folder for each target, if a variable names where.
#[test]
fn seeds_are_there() {
    let mut all: Vec<(&str, String, Vec<u8>)> = Vec::new();
    for (table, seed) in tables() {
        let takes = |(name, _): &&(&'static str, bodies::Body)| !CHOOSES.contains(name);
        for (name, _) in bodies::BODIES.iter().filter(takes) {
            all.push((name, table.clone(), seed.clone()));
        }
    }
    all.extend(joined().into_iter().map(|(name, table, seed)| (name, table, seed.into_bytes())));
    let (traces, records) = bodies::recorded::seeds();
    all.extend(traces.into_iter().map(|seed| ("traces", "whole".to_owned(), seed.into_bytes())));
    all.extend(records.into_iter().map(|seed| ("records", "whole".to_owned(), seed.into_bytes())));
    let snapshots = bodies::snapshots::seeds();
    all.extend(snapshots.into_iter().map(|seed| ("snapshots", "whole".to_owned(), seed.into_bytes())));
    // Long cases, so that the fuzzer has something to shorten and to splice.
    let mut bytes = Bytes(0x9e37_79b9_7f4a_7c15);
    for name in CHOOSES {
        for number in 0..=u8::MAX {
            let case = [&[number][..], &bytes.case()].concat();
            all.push((name, "chosen".to_owned(), case));
        }
    }
    for (name, _) in bodies::BODIES {
        assert!(all.iter().filter(|(target, ..)| target == name).count() > 100, "{name} has no seeds");
    }
    let Some(folder) = std::env::var_os("MCP_AUTH_WRITE_SEEDS").map(PathBuf::from) else { return };
    for (number, (target, from, seed)) in all.iter().enumerate() {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{from}-{number}")), seed).unwrap();
    }
}

/// Cases whole, as the bodies want them that read several lines: what belongs together in a table is together in a seed.
fn joined() -> Vec<(&'static str, String, String)> {
    let mut found = Vec::new();
    for (table, input) in cases() {
        let text =
            |name: &str| input.get(name).and_then(|it| it.as_str().or(it[0].as_str())).unwrap_or_default();
        let lines = |names: &[&str]| names.iter().map(|name| text(name)).collect::<Vec<_>>().join("\n");
        let whole = |name: &str| input.get(name).map(|value| value.to_string());
        match table.as_str() {
            "resource_match" => found.push(("places", table, lines(&["server", "resource", "document"]))),
            "well_known" if input.get("issuer").is_some() => {
                found.push(("places", table, lines(&["issuer"])))
            }
            "well_known" => found.push(("places", table, lines(&["server", "advertised"]))),
            "retry_after" => found.push(("refusals", table, format!("503 {}\n{{}}", text("value")))),
            "refresh_failure" | "token_answer" | "device_poll" => {
                let status = input["status"].as_u64().unwrap_or(200);
                let body = whole("document").unwrap_or_else(|| text("body").to_owned());
                found.push(("refusals", table, format!("{status} 120\n{body}")));
            }
            "authorization_request" => {
                let extra = input["extra"].as_array().into_iter().flatten();
                let pair = |it: &serde_json::Value| Some(format!("{}={}", it[0].as_str()?, it[1].as_str()?));
                found.push(("words", table, extra.filter_map(pair).collect::<Vec<_>>().join("\n")));
            }
            "scope_selection" => found.push(("words", table, lines(&["challenged", "resource", "asked"]))),
            "client_metadata" => found.push((
                "words",
                table,
                lines(&["client_name", "client_id_url", "redirect_uri", "scopes"]),
            )),
            "assertion" => found.extend(claims(&input).map(|claims| ("words", table, claims))),
            _ => {}
        }
    }
    found
}

/// The claims of the JWT of a case, out of their base64url.
fn claims(input: &serde_json::Value) -> Option<String> {
    let jwt = ["read", "workload", "id_jag"].iter().find_map(|name| input.get(name)?.as_str())?;
    let claims = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1)?).ok()?;
    String::from_utf8(claims).ok()
}

/// The inputs of the tables, each with the name of its table.
fn cases() -> Vec<(String, serde_json::Value)> {
    let mut paths: Vec<_> =
        fs::read_dir(bodies::recorded::vectors()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let table: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        for case in table["cases"].as_array().into_iter().flatten() {
            found.push((name.clone(), case["input"].clone()));
        }
    }
    found
}

/// The texts of the tables, each with the name of its table.
fn tables() -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for (name, input) in cases() {
        for seed in seeds(&input) {
            let mut seed = seed.into_bytes();
            seed.truncate(4096);
            found.push((name.clone(), seed));
        }
    }
    found
}

/// Every text in a value, and every object as a document.
fn seeds(value: &serde_json::Value) -> Vec<String> {
    use serde_json::Value;
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(entries) => entries.iter().flat_map(seeds).collect(),
        Value::Object(members) => {
            members.values().flat_map(seeds).chain([value.to_string(), format!("\u{0}{value}")]).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// One input from a file, to look at what the fuzzer has found.
#[test]
fn an_input_that_was_found() {
    let Some((target, path)) = std::env::var("MCP_AUTH_FUZZ")
        .ok()
        .and_then(|it| it.split_once(':').map(|(target, path)| (target.to_owned(), PathBuf::from(path))))
    else {
        return;
    };
    let (_, body) = bodies::BODIES.iter().find(|(name, _)| *name == target).unwrap();
    body(&fs::read(path).unwrap());
}
