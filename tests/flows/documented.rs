//! `docs/policies.md` names every policy, and tables and flows that are there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mcp_auth::{IssuerPolicy, Policy, Preregistered};
use serde_json::{Value, json};

use crate::index::recorded;
use crate::{files, folder};

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
    for link in PAGE.split("](").skip(1) {
        let path = link.split(')').next().unwrap();
        let there = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(path).exists();
        assert!(there || path.starts_with('#'), "there is no {path}");
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
    let client = json!(Preregistered::unbound("x"));
    for row in rows("## What can be said of a client") {
        let [_, _, how, _, flows] = row[..] else { panic!("{row:?}") };
        let field = names(how).last().unwrap();
        assert!(client.get(field).is_some(), "a client has no {field}");
        names(flows).for_each(flow_is_there);
    }
}

/// Whether a recorded configuration has no policy but the defaults. What the caller asks for is no policy.
fn is_strict(config: &Value) -> bool {
    let by_default = |issuer: &Value| issuer[1] == json!(IssuerPolicy::default());
    config["policy"] == json!(Policy::default())
        && config["issuers"].as_array().unwrap().iter().all(by_default)
}

#[test]
fn a_strict_flow_has_no_policy() {
    let config = |name: &str| {
        let text = fs::read_to_string(folder().join(format!("{name}.jsonl"))).unwrap();
        let header: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        header["config"].clone()
    };
    let strict = files().into_iter().filter(|name| name.ends_with(".strict"));
    let lenient: Vec<_> = strict.filter(|name| !is_strict(&config(name))).collect();
    assert_eq!(lenient, [""; 0], "not what is there by default");
    // One by a policy of the machine, the other by one of an issuer.
    for lenient in ["guard.intranet.policy", "entra-organizations-like.policy"] {
        assert!(!is_strict(&config(lenient)), "{lenient}");
    }
}

/// Whether the last attempt of a flow brought a token.
fn works(ends: &[String]) -> bool {
    let good = ["logged_in", "refreshed", "granted", "kept", "logged_out"];
    ends.last().is_some_and(|end| good.contains(&end.as_str()))
}

/// The kinds of servers that are refused by default, and that no other flow shows working.
fn never_working(index: &BTreeMap<String, Vec<String>>) -> Vec<&str> {
    let kinds = index.iter().filter(|(_, ends)| !works(ends));
    let kinds = kinds.filter_map(|(name, _)| name.strip_suffix("-like.strict"));
    let shown = |kind: &&str| {
        let own =
            |(name, ends): (&String, &Vec<String>)| name.starts_with(&format!("{kind}-like.")) && works(ends);
        !index.iter().any(own)
    };
    kinds.filter(shown).collect()
}

#[test]
fn what_is_refused_by_default_is_shown_working_too() {
    let index = recorded().into_iter().map(|(name, flow)| (name, flow.ends)).collect();
    assert_eq!(never_working(&index), [""; 0], "refused, and no flow with what makes it work");
    let ends = |ends: &[&str]| ends.iter().map(ToString::to_string).collect();
    let odd = BTreeMap::from([
        ("a-like.strict".to_owned(), ends(&["anonymous", "issuer_mismatch"])),
        ("a-like.policy".to_owned(), ends(&["anonymous", "logged_in"])),
        ("b-like.strict".to_owned(), ends(&["logged_in", "token_rejected"])),
        ("b-like.other".to_owned(), ends(&["url_refused"])),
        ("c-like.strict".to_owned(), ends(&["logged_in"])),
    ]);
    assert_eq!(never_working(&odd), ["b"]);
}
