//! `docs/policies.md` names every policy, and tables and flows that are there.

use std::collections::BTreeSet;
use std::path::Path;

use mcp_auth::{IssuerPolicy, Policy};
use serde_json::json;

use crate::files;

const PAGE: &str = include_str!("../../docs/policies.md");

/// What stands in backticks in a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The cells of each row of the tables under a heading, without the head.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = PAGE.split_once(heading).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| row.trim_matches('|').split(" | ").collect()).collect()
}

#[test]
fn the_page_of_policies_names_what_is_there() {
    let (flows, mut named) = (files(), BTreeSet::new());
    let flow_is_there = |name: &str| {
        let there = flows.iter().any(|flow| flow == name || flow.starts_with(&format!("{name}.")));
        assert!(there, "there is no flow {name}");
    };
    for row in rows("## What can be said of an issuer") {
        let [_, _, policy, tables, flows] = row[..] else { panic!("{row:?}") };
        for table in names(tables) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("vectors/{table}.json"));
            assert!(path.exists(), "there is no table {table}");
        }
        names(flows).for_each(flow_is_there);
        named.extend(names(policy).map(|name| name.split([':', '.']).next().unwrap()));
    }
    for field in json!(IssuerPolicy::default()).as_object().unwrap().keys() {
        assert!(named.contains(field.as_str()), "{field} is not on the page");
    }
    let fields = json!(Policy::default());
    for row in rows("## What can be said of the MCP server") {
        let [_, _, policy, flows] = row[..] else { panic!("{row:?}") };
        for name in names(policy) {
            let field = name.strip_prefix("Policy::").unwrap().split(':').next().unwrap();
            assert!(fields.get(field).is_some(), "there is no policy {field}");
        }
        names(flows).for_each(flow_is_there);
    }
}
