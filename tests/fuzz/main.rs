//! Runs every fuzz body on bytes that are the same each time, so that they stay compiled and true without a fuzzer.

mod bodies;

use std::fs;
use std::path::Path;

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
    let mut by_way = [0; bodies::WAYS];
    for _ in 0..300 {
        let case = bytes.case();
        by_way[case.first().map_or(0, |byte| usize::from(*byte) % bodies::WAYS)] += bodies::grants(&case);
    }
    let grants: usize = by_way.iter().sum();
    println!("{grants} grants in 300 flows: {by_way:?}");
    // Each way of being a client has its share.
    assert!(by_way.iter().all(|grants| *grants > 5));
    assert!(grants > 150);
}

/// The texts of the vectors, whole and with one byte changed, through every body.
#[test]
fn every_body_holds_near_the_vectors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut bytes = Bytes(0x2545_f491_4f6c_dd1d);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    for path in paths.filter(|path| path.extension().is_some_and(|ending| ending == "json")) {
        let text = fs::read_to_string(path).unwrap();
        let table: serde_json::Value = serde_json::from_str(&text).unwrap();
        for case in table["cases"].as_array().unwrap() {
            for seed in seeds(&case["input"]) {
                let mut seed = seed.into_bytes();
                seed.truncate(4096);
                for (name, body) in bodies::BODIES {
                    // To a flow bytes are choices, and one seed is as good as its neighbour.
                    if *name != "flow" {
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
    }
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
