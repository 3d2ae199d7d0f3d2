//! The page: `docs/clauses.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{Case, Flows, Requirement, Tables};

const INTRODUCTION: &str = "\
What MCP 2026-07-28 and 2025-11-25, and the RFCs and drafts that they cite, demand of a client, in our own words. Each row says
where it stands (and where else the same is said), the key word (`says` where the text says so without one), what is demanded,
and what shows that we do it: tables of cases, with how many of their cases name the clause, or with the case that shows it;
recorded flows, which end otherwise if it is broken; and tests. What is demanded and not done, or not shown, is a gap, with its
reason. Requirements of `mcp-auth` are promises of our own.

Every key word of MCP's texts that binds a client is here: `tests/clauses/texts.json` counts them, section by section, and says
whom each of the others binds.";

pub(crate) fn made(requirements: &[Requirement], tables: &Tables, flows: &Flows) -> String {
    let mut text =
        format!("# What the standards demand of a client, and what shows it\n\n{INTRODUCTION}\n\n");
    let gaps = requirements.iter().filter(|it| it.gap.is_some()).count();
    let cases: usize = tables.values().map(Vec::len).sum();
    writeln!(
        text,
        "{} requirements, {gaps} of them with a gap; {cases} cases in {} tables; {} recorded flows. `vectors/clauses` has the \
        list, and `WRITE_CLAUSES=1 cargo test --test clauses` makes this page of it.",
        requirements.len(),
        tables.len(),
        flows.len()
    )
    .unwrap();
    let mut documents = Vec::<(&str, Vec<&Requirement>)>::new();
    for it in requirements {
        match documents.last_mut() {
            Some((document, own)) if *document == it.document => own.push(it),
            _ => documents.push((&it.document, vec![it])),
        }
    }
    text.push('\n');
    for (document, own) in &documents {
        writeln!(text, "- [{document}](#{}): {}", anchor(document), own.len()).unwrap();
    }
    writeln!(text, "- [Clauses that the tables name](#clauses-that-the-tables-name)\n\n## The gaps\n")
        .unwrap();
    for it in requirements {
        if let Some(gap) = &it.gap {
            writeln!(text, "- **{}**, {}: {} {gap}", it.clause(), it.level, it.says).unwrap();
        }
    }
    for (document, own) in &documents {
        writeln!(text, "\n## {document}\n\n| where | | what a client does | shown by |\n|---|---|---|---|")
            .unwrap();
        own.iter().for_each(|it| row(&mut text, it, tables, flows));
    }
    writeln!(text, "\n## Clauses that the tables name\n\n| clause | cases |\n|---|---|").unwrap();
    let mut clauses = BTreeMap::<&str, BTreeMap<&str, usize>>::new();
    for (table, cases) in tables {
        for clause in cases.iter().flat_map(|case| &case.clauses) {
            *clauses.entry(clause).or_default().entry(table).or_default() += 1;
        }
    }
    for (clause, counts) in clauses {
        let counts: Vec<_> =
            counts.iter().map(|(table, count)| format!("{} {count}", linked_table(table))).collect();
        writeln!(text, "| {} | {} |", clause.replace('|', "\\|"), counts.join(", ")).unwrap();
    }
    text
}

fn row(text: &mut String, it: &Requirement, tables: &Tables, flows: &Flows) {
    let also: String = it.also.iter().map(|also| format!("<br>{also}")).collect();
    let gap = it.gap.as_ref().map_or(String::new(), |gap| format!(" **Gap:** {gap}"));
    let note = it.note.as_ref().map_or(String::new(), |note| format!(" *{note}*"));
    let (mut own_tables, mut tests) = (Vec::new(), Vec::new());
    for shown in &it.shown_by {
        let (place, case) =
            shown.split_once(": ").map_or((shown.as_str(), None), |(it, case)| (it, Some(case)));
        match tables.get(place) {
            Some(cases) => own_tables.push(shown_in(it, place, case, cases)),
            None => tests.push(linked_test(shown)),
        }
    }
    let naming = flows.iter().filter(|(_, named)| named.contains(&it.id));
    let flows: Vec<_> = naming.map(|(flow, _)| format!("[{flow}](../vectors/flows/{flow}.jsonl)")).collect();
    let mut shown = Vec::new();
    for (kind, names) in [("tables", own_tables), ("flows", flows), ("tests", tests)] {
        if !names.is_empty() {
            shown.push(format!("{kind}: {}", names.join(", ")));
        }
    }
    writeln!(
        text,
        "| {}{also}<br>`{}` | {} | {}{note}{gap} | {} |",
        it.section,
        it.id,
        it.level,
        it.says,
        shown.join("<br>")
    )
    .unwrap();
}

fn linked_table(table: &str) -> String {
    format!("[{table}](../vectors/{table}.json)")
}

/// A table, and how many of its cases name the clause; or the case that shows it without naming it.
fn shown_in(it: &Requirement, table: &str, case: Option<&str>, cases: &[Case]) -> String {
    let table = linked_table(table);
    case.map_or_else(|| format!("{table} {}", it.count(cases)), |case| format!("{table} «{case}»"))
}

/// A test as words, so that a table that holds it can be narrow.
fn linked_test(shown: &str) -> String {
    let (place, test) = shown.split_once(": ").unwrap_or((shown, shown));
    format!("[{}](../{place})", if test == place { test.to_owned() } else { test.replace('_', " ") })
}

/// As GitHub and others make it of a heading.
fn anchor(heading: &str) -> String {
    let letters = heading.to_lowercase();
    letters
        .chars()
        .filter(|it| it.is_alphanumeric() || *it == ' ' || *it == '-')
        .collect::<String>()
        .replace(' ', "-")
}
