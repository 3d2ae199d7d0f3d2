//! Runs every table in `vectors/`. A table is found by itself; what it is about names the function that runs it.

mod assertion;
mod authorization;
mod challenge;
mod client;
mod device;
mod dpop;
mod guard;
mod jose;
mod preset;
mod resource_metadata;
mod scope_selection;
mod server_metadata;
mod token;
mod well_known;

#[path = "../support/exceptions.rs"]
mod exceptions;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use exceptions::Exceptions;
use serde::Deserialize;
use serde_json::Value;

/// One file of `vectors/*.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    about: String,
    cases: Vec<Case>,
}

/// One case: what goes in, what must come out, and the clause that says so.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) clause: String,
    pub(crate) input: Value,
    pub(crate) expect: Value,
}

/// Runs one case and says what came out, in the form of its `expect`.
type Run = fn(&Value) -> Value;

/// A table's file name without `.json`, and what runs its cases.
const TABLES: &[(&str, Run)] = &[
    ("assertion", assertion::received),
    ("authorization_request", authorization::request),
    ("callback", authorization::callback),
    ("challenge", challenge::run),
    ("client_assertion", assertion::client),
    ("client_metadata", client::metadata),
    ("code_challenge", authorization::code_challenge),
    ("device_answer", device::answer),
    ("device_poll", device::polled),
    ("device_request", device::request),
    ("dpop_nonce", dpop::nonce),
    ("dpop_proof", dpop::proof),
    ("exchange_answer", token::exchange),
    ("guard", guard::run),
    ("jwk", jose::key),
    ("jws", jose::sign),
    ("preset", preset::run),
    ("pushed_answer", authorization::pushed),
    ("pushed_request", authorization::push),
    ("scope_selection", scope_selection::run),
    ("issuer", server_metadata::run_issuer),
    ("refresh_failure", token::refresh_failure),
    ("registration_answer", client::registration),
    ("resource_match", resource_metadata::run_match),
    ("resource_metadata", resource_metadata::run),
    ("retry_after", token::retry),
    ("server_metadata", server_metadata::run),
    ("token_answer", token::answer),
    ("token_request", token::request),
    ("well_known", well_known::run),
];

/// Cases that are known not to hold, as `table/case`, and why.
const EXCEPTIONS: &str = "exceptions.json";

/// The kind of a breach by its stable name.
pub(crate) fn kind(breach: &mcp_auth::Breach) -> Value {
    serde_json::to_value(breach.kind).unwrap()
}

/// The body of an answer: `document` as JSON, or `body` as it stands.
pub(crate) fn body(input: &Value) -> Vec<u8> {
    match input.get("document") {
        Some(document) => document.to_string().into_bytes(),
        None => input["body"].as_str().unwrap().as_bytes().to_vec(),
    }
}

#[test]
fn every_table_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let runners: BTreeMap<_, _> = TABLES.iter().copied().collect();
    let mut seen = Vec::new();
    let mut failures = Vec::new();
    let mut clauses = BTreeMap::<String, Vec<String>>::new();
    let listed = fs::read_to_string(folder.join(EXCEPTIONS)).unwrap();
    let mut exceptions = Exceptions::read(&listed, false).unwrap();
    let mut entries: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.retain(|path| !path.ends_with(EXCEPTIONS));
    entries.sort();
    for path in entries.iter().filter(|path| path.extension().is_some_and(|ending| ending == "json")) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(path).unwrap();
        let table: Table = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}.json: {error}"));
        let run = runners.get(name.as_str()).unwrap_or_else(|| panic!("nothing runs {name}.json"));
        assert!(!table.about.is_empty() && !table.cases.is_empty(), "{name}.json is empty");
        let mut names = Vec::new();
        for case in &table.cases {
            assert!(!case.clause.is_empty(), "{name}: {} names no clause", case.name);
            assert!(!names.contains(&&case.name), "{name}: two cases are called {:?}", case.name);
            names.push(&case.name);
            clauses.entry(case.clause.clone()).or_default().push(format!("{name}: {}", case.name));
            let got = run(&case.input);
            let came = if got == case.expect {
                Ok(())
            } else {
                Err(format!(
                    "{name}: {} ({})\n  input    {}\n  expected {}\n  got      {got}",
                    case.name, case.clause, case.input, case.expect
                ))
            };
            failures.extend(exceptions.judge(&format!("{name}/{}", case.name), came));
        }
        println!("{name}: {} cases", table.cases.len());
        seen.push(name);
    }
    // `cargo test --test vectors -- --nocapture` lists what shows each clause.
    for (clause, cases) in &clauses {
        println!("\n{clause}");
        cases.iter().for_each(|case| println!("  {case}"));
    }
    for (name, _) in TABLES {
        assert!(seen.iter().any(|file| file == name), "{name}.json is missing");
    }
    assert_eq!(exceptions.left(), [""; 0], "exceptions of no case");
    assert!(failures.is_empty(), "{} cases failed\n{}", failures.len(), failures.join("\n"));
}
