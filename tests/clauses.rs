//! What the standards demand of a client, and what shows that we do it: `docs/clauses.md`, made of
//! `vectors/clauses/requirements.json` and of the clauses that the tables name.
//!
//! `WRITE_CLAUSES=1 cargo test --test clauses` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirements {
    about: String,
    requirements: Vec<Requirement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    document: String,
    section: String,
    level: String,
    says: String,
    shown_by: Vec<String>,
    /// The same in another revision.
    #[serde(default)]
    also: Vec<String>,
    /// What is not done here, or not shown, and why.
    #[serde(default)]
    gap: Option<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// How many cases of each table name each clause.
fn tables() -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut tables = BTreeMap::new();
    for entry in fs::read_dir(root().join("vectors")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let table: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let Some(cases) = table["cases"].as_array() else { continue };
            let mut clauses = BTreeMap::new();
            for case in cases {
                *clauses.entry(case["clause"].as_str().unwrap().to_owned()).or_insert(0) += 1;
            }
            tables.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), clauses);
        }
    }
    tables
}

/// Whether what is said to show a requirement is there.
fn exists(shown: &str, tables: &BTreeMap<String, BTreeMap<String, usize>>) -> bool {
    let (place, test) = shown.split_once(": ").unwrap_or((shown, ""));
    if Path::new(place).extension().is_none_or(|ending| ending != "rs") {
        return test.is_empty() && tables.contains_key(place);
    }
    let Ok(text) = fs::read_to_string(root().join(place)) else { return false };
    test.is_empty() || text.contains(&format!("#[test]\nfn {test}()"))
}

fn made(
    about: &str,
    requirements: &[Requirement],
    tables: &BTreeMap<String, BTreeMap<String, usize>>,
) -> String {
    let mut text = format!("# What the standards demand of a client, and what shows it\n\n{about}\n");
    let gaps = requirements.iter().filter(|it| it.gap.is_some()).count();
    let cases: usize = tables.values().flat_map(BTreeMap::values).sum();
    writeln!(
        text,
        "\n{} requirements, {gaps} of them with a gap; {cases} cases in {} tables. Made by `WRITE_CLAUSES=1 cargo test --test \
        clauses`.",
        requirements.len(),
        tables.len()
    )
    .unwrap();
    let mut document = "";
    for it in requirements {
        if it.document != document {
            document = &it.document;
            writeln!(
                text,
                "\n## {document}\n\n| section | | what a client does | shown by |\n|---|---|---|---|"
            )
            .unwrap();
        }
        let shown: Vec<_> =
            it.shown_by.iter().map(|shown| format!("`{}`", shown.replace(": ", "` `"))).collect();
        let also: String = it.also.iter().map(|also| format!("; {also}")).collect();
        let gap = it.gap.as_ref().map_or(String::new(), |gap| format!(" **Gap:** {gap}"));
        let shown = shown.join("<br>");
        writeln!(text, "| {}{also} | {} | {}{gap} | {shown} |", it.section, it.level, it.says).unwrap();
    }
    writeln!(text, "\n## Clauses that the tables name\n\n| clause | cases |\n|---|---|").unwrap();
    let mut clauses = BTreeMap::<&str, Vec<String>>::new();
    for (table, counts) in tables {
        for (clause, count) in counts {
            clauses.entry(clause).or_default().push(format!("`{table}` {count}"));
        }
    }
    for (clause, counts) in clauses {
        writeln!(text, "| {} | {} |", clause.replace('|', "\\|"), counts.join(", ")).unwrap();
    }
    text
}

#[test]
fn every_requirement_is_shown_or_its_gap_is_named() {
    let text = fs::read_to_string(root().join("vectors/clauses/requirements.json")).unwrap();
    let Requirements { about, requirements } = serde_json::from_str(&text).unwrap();
    let tables = tables();
    let mut wrong = Vec::new();
    for it in &requirements {
        let missing: Vec<_> = it.shown_by.iter().filter(|shown| !exists(shown, &tables)).collect();
        let unshown = it.shown_by.is_empty() && it.gap.is_none();
        let level = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"].contains(&it.level.as_str());
        if unshown || !missing.is_empty() || !level {
            wrong.push(format!("{}, {}: {} {missing:?}", it.document, it.section, it.says));
        }
    }
    assert!(wrong.is_empty(), "not shown:\n{}", wrong.join("\n"));
    assert!(!exists("no_such_table", &tables) && !exists("tests/clauses.rs: no_such_test", &tables));

    let made = made(&about, &requirements, &tables);
    let place = root().join("docs/clauses.md");
    if std::env::var_os("WRITE_CLAUSES").is_some() {
        fs::write(&place, &made).unwrap();
    }
    let kept = fs::read_to_string(&place).unwrap_or_default();
    assert!(made == kept, "docs/clauses.md is out of date: WRITE_CLAUSES=1 cargo test --test clauses");
}
