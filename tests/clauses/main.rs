//! What the standards demand of a client, and what shows that we do it: `docs/clauses.md`, made of
//! `vectors/clauses/requirements.json`, of the clauses that the tables name, and of the requirements that recorded flows
//! name in `vectors/flows/index.json`.
//!
//! `WRITE_CLAUSES=1 cargo test --test clauses` writes it anew.

mod page;
mod texts;

#[path = "../support/clause.rs"]
mod clause;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirements {
    about: String,
    requirements: Vec<Requirement>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    /// What flows call it.
    id: String,
    document: String,
    section: String,
    level: String,
    says: String,
    shown_by: Vec<String>,
    /// The same elsewhere.
    #[serde(default)]
    also: Vec<String>,
    /// What is not done here, or not shown, and why.
    #[serde(default)]
    gap: Option<String>,
    /// What is worth knowing besides.
    #[serde(default)]
    note: Option<String>,
}

impl Requirement {
    /// Where it stands, as tables, failures and the index of flows write it.
    fn clause(&self) -> String {
        clause::clause(&self.document, &self.section)
    }

    /// There, and where the same is said.
    fn clauses(&self) -> impl Iterator<Item = String> {
        std::iter::once(self.clause()).chain(self.also.iter().cloned())
    }

    /// Whether a clause that a table names is this one, or a part of it: `RFC 9207 §2.4, row 1`.
    fn is_in(&self, named: &str) -> bool {
        self.clauses().any(|clause| {
            let rest = named.strip_prefix(clause.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(','))
        })
    }

    /// How many of these cases name it.
    fn count(&self, cases: &[Case]) -> usize {
        cases.iter().filter(|case| case.clauses.iter().any(|clause| self.is_in(clause))).count()
    }
}

/// One case of a table, and the clauses that it names: several are parted by semicolons.
struct Case {
    name: String,
    clauses: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The cases of each table.
type Tables = BTreeMap<String, Vec<Case>>;

fn tables() -> Tables {
    let case = |case: &Value| -> Option<Case> {
        let clauses = case["clause"].as_str()?.split("; ").map(str::to_owned).collect();
        Some(Case { name: case["name"].as_str()?.to_owned(), clauses })
    };
    let mut tables = BTreeMap::new();
    for entry in fs::read_dir(root().join("vectors")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let table: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let Some(cases) = table["cases"].as_array().filter(|cases| !cases.is_empty()) else { continue };
            let Some(cases) = cases.iter().map(case).collect() else { continue };
            tables.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), cases);
        }
    }
    tables
}

/// The requirements that each recorded flow names.
type Flows = BTreeMap<String, Vec<String>>;

fn flows() -> Flows {
    let text = fs::read_to_string(root().join("vectors/flows/index.json")).unwrap();
    let index: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    let named = |flow: &Value| serde_json::from_value(flow["requirements"].clone()).unwrap_or_default();
    index.iter().map(|(name, flow)| (name.clone(), named(flow))).collect()
}

/// Whether what is said to show a requirement does: a table in which a case names its clause, a case of a table, or a test.
fn shows(shown: &str, it: &Requirement, tables: &Tables) -> bool {
    let Some((place, name)) = shown.split_once(": ") else {
        return tables.get(shown).is_some_and(|cases| it.count(cases) > 0);
    };
    if let Some(cases) = tables.get(place) {
        return cases.iter().any(|case| case.name == name);
    }
    let Ok(text) = fs::read_to_string(root().join(place)) else { return false };
    // The attribute of whichever runtime, on the line before.
    let is_test = |line: &str| line.starts_with("#[") && line.contains("test");
    let before =
        text.split_once(&format!("fn {name}()")).map(|(before, _)| before.trim_end_matches("async "));
    before.is_some_and(|it| it.trim_end().rsplit('\n').next().is_some_and(|it| is_test(it.trim())))
}

/// What is wrong with the requirements.
fn unshown(requirements: &[Requirement], tables: &Tables) -> Vec<String> {
    let (mut wrong, mut ids) = (Vec::new(), BTreeSet::new());
    for it in requirements {
        let missing: Vec<_> = it.shown_by.iter().filter(|shown| !shows(shown, it, tables)).collect();
        let unshown = it.shown_by.is_empty() && it.gap.is_none();
        let level = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY", "says"].contains(&it.level.as_str());
        if unshown || !missing.is_empty() || !level || !ids.insert(&it.id) {
            wrong.push(format!("{}: {}: {} {missing:?}", it.id, it.clause(), it.says));
        }
    }
    wrong
}

/// What is wrong with what flows name.
fn misnamed(flows: &Flows, requirements: &[Requirement]) -> Vec<String> {
    let known: BTreeSet<_> = requirements.iter().map(|it| it.id.as_str()).collect();
    let wrong = flows.iter().filter_map(|(flow, named)| {
        let unknown: Vec<_> = named.iter().filter(|id| !known.contains(id.as_str())).collect();
        match (named.is_empty(), unknown.is_empty()) {
            (true, _) => Some(format!("{flow} names no requirement")),
            (_, false) => Some(format!("{flow} names {unknown:?}, which are no requirements")),
            _ => None,
        }
    });
    wrong.collect()
}

fn requirements() -> Requirements {
    let text = fs::read_to_string(root().join("vectors/clauses/requirements.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_requirement_is_shown_or_its_gap_is_named() {
    let Requirements { about, requirements } = requirements();
    let (tables, flows) = (tables(), flows());
    let mut wrong = unshown(&requirements, &tables);
    wrong.extend(misnamed(&flows, &requirements));
    assert!(!about.is_empty() && wrong.is_empty(), "not shown:\n{}", wrong.join("\n"));

    let made = page::made(&requirements, &tables, &flows);
    let place = root().join("docs/clauses.md");
    if std::env::var_os("WRITE_CLAUSES").is_some() {
        fs::write(&place, &made).unwrap();
    }
    let kept = fs::read_to_string(&place).unwrap_or_default();
    assert!(made == kept, "docs/clauses.md is out of date: WRITE_CLAUSES=1 cargo test --test clauses");
}

fn requirement(id: &str, shown: &[&str], level: &str) -> Requirement {
    Requirement {
        id: id.to_owned(),
        document: "RFC 6749".to_owned(),
        section: "§4.1.2".to_owned(),
        level: level.to_owned(),
        says: "Nothing.".to_owned(),
        shown_by: shown.iter().map(ToString::to_string).collect(),
        also: vec!["RFC 1 §2".to_owned()],
        gap: None,
        note: None,
    }
}

#[test]
fn only_what_names_a_requirement_shows_it() {
    let tables = tables();
    let it = requirement("some", &[], "MUST");
    for shown in [
        "no_such_table",
        // None of its cases names the clause.
        "code_challenge",
        "callback: no such case",
        "callback: ",
        "tests/clauses/main.rs: no_such_test",
        "tests/clauses/main.rs: requirements",
        "tests/clauses/main.rs",
    ] {
        assert!(!shows(shown, &it, &tables), "{shown}");
    }
    let asynchronous = "adapters/reqwest/tests/in_clear.rs: a_loopback_server_is_reached_through_no_proxy";
    for shown in [
        "callback",
        "code_challenge: the example",
        "tests/clauses/main.rs: only_what_names_a_requirement_shows_it",
        asynchronous,
    ] {
        assert!(shows(shown, &it, &tables), "{shown}");
    }
    for named in ["RFC 6749 §4.1.2", "RFC 6749 §4.1.2, row 1", "RFC 1 §2"] {
        assert!(it.is_in(named), "{named}");
    }
    assert!(!it.is_in("RFC 6749 §4.1.2.1") && !it.is_in("RFC 6749"));
    let second = Case { name: String::new(), clauses: vec!["RFC 0 §1".to_owned(), "RFC 1 §2".to_owned()] };
    assert_eq!(it.count(&[second]), 1);
}

#[test]
fn what_is_wrong_is_found() {
    let tables = tables();
    let flows = |named: &[(&str, &[&str])]| -> Flows {
        let named =
            named.iter().map(|(flow, ids)| (flow.to_string(), ids.iter().map(ToString::to_string).collect()));
        named.collect()
    };
    let all = [requirement("good", &["callback"], "MUST"), requirement("other", &["callback"], "MAY")];
    assert_eq!(unshown(&all, &tables), [""; 0]);
    assert_eq!(misnamed(&flows(&[("a", &["good"]), ("b", &["other", "good"])]), &all), [""; 0]);
    assert_eq!(misnamed(&flows(&[("a", &[]), ("b", &["good", "bad"])]), &all).len(), 2);
    for bad in [
        requirement("bad", &[], "MUST"),
        requirement("bad", &["no_such_table"], "MUST"),
        requirement("bad", &["callback", "code_challenge"], "MUST"),
        requirement("bad", &["callback"], "must"),
    ] {
        assert_eq!(unshown(&[bad], &tables).len(), 1);
    }
    let twice = [requirement("same", &["callback"], "MAY"), requirement("same", &["callback"], "MAY")];
    assert_eq!(unshown(&twice, &tables).len(), 1);
}
