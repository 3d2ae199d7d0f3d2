//! The documents name flows that are there: `docs/policies.md` for every policy, `docs/renewal.md` and `docs/grants.md` where
//! they tell of a behaviour, `README.md` for what is done and `SECURITY.md` for what is defended, and the page of the flows for
//! every kind of failure.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use mcp_auth::{IssuerPolicy, Policy, Preregistered};
use serde_json::{Value, json};

use crate::index::recorded;
use crate::{
    alone, choices, devices, failing, files, folder, grants, keyed, refused, renewals, renewing, stores,
    vouched,
};

const PAGE: &str = include_str!("../../docs/policies.md");
const RENEWAL: &str = include_str!("../../docs/renewal.md");
const GRANTS: &str = include_str!("../../docs/grants.md");
const FLOWS: &str = include_str!("../../vectors/flows/README.md");
const README: &str = include_str!("../../README.md");
const SECURITY: &str = include_str!("../../SECURITY.md");

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

/// The flows that a page links, and what is wrong with its links: a name without a place, a place without a name, another
/// flow's place, a flow that is not there.
fn linked(page: &str, there: &BTreeSet<String>) -> (BTreeSet<String>, Vec<String>) {
    let (mut named, mut defined, mut wrong) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for rest in page.split("[`").skip(1) {
        let Some((name, rest)) = rest.split_once("`]") else { continue };
        let place = match (rest.strip_prefix(": "), rest.strip_prefix('(')) {
            (Some(place), _) => {
                defined.insert(name.to_owned());
                place.lines().next()
            }
            (_, Some(place)) => {
                defined.insert(name.to_owned());
                named.insert(name.to_owned());
                place.split(')').next()
            }
            _ => {
                named.insert(name.to_owned());
                None
            }
        };
        let file = format!("{name}.jsonl");
        if place.is_some_and(|place| place.rsplit('/').next() != Some(&file)) || !there.contains(name) {
            wrong.push(format!("{name}: {place:?}"));
        }
    }
    wrong.extend(named.symmetric_difference(&defined).map(|name| format!("{name} has no place, or no name")));
    (named, wrong)
}

#[test]
fn the_pages_of_behaviours_name_the_flows_that_show_them() {
    let (there, mut named) = (files(), BTreeSet::new());
    for page in [RENEWAL, GRANTS, FLOWS] {
        let (own, wrong) = linked(page, &there);
        assert_eq!(wrong, [""; 0]);
        named.extend(own);
    }
    let own = [renewals::flows(), grants::flows(), refused::flows(), stores::flows(), keyed::flows()];
    let further = [
        renewing::flows(),
        alone::flows(),
        vouched::flows(),
        devices::flows(),
        choices::flows(),
        failing::flows(),
    ];
    let flows = own.into_iter().chain(further).flatten();
    let unnamed: Vec<_> = flows.map(|flow| flow.name).filter(|name| !named.contains(*name)).collect();
    assert_eq!(unnamed, [""; 0], "flows that no page names");
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let there = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
    let wrong = |page| linked(page, &there).1.len();
    assert_eq!(wrong("[`a`] [`b`](b.jsonl) [`a`]\n\n[`a`]: ../a.jsonl\n"), 0);
    for page in ["[`a`]", "[`a`]: ../a.jsonl\n", "[`a`](b.jsonl)", "[`c`](c.jsonl)"] {
        assert_eq!(wrong(page), 1, "{page}");
    }
}

/// What stands under a heading.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(heading).unwrap();
    rest.split("\n## ").next().unwrap()
}

/// What is wrong with the places that a text links: one that is not there; a test that is not in its file, whose name is the
/// words of the link.
fn misplaced(text: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let links = text.split("](").zip(text.split("](").skip(1));
    let links =
        links.map(|(before, after)| (before.rsplit('[').next().unwrap(), after.split(')').next().unwrap()));
    let wrong = links.filter(|(words, place)| {
        let test = format!("fn {}()", words.replace(' ', "_"));
        match fs::read_to_string(root.join(place)) {
            Ok(text) => place.ends_with(".rs") && !text.contains(&test),
            Err(_) => true,
        }
    });
    wrong.map(|(words, place)| format!("{words}: {place}")).collect()
}

#[test]
fn what_is_done_and_what_is_defended_has_what_shows_it() {
    let there = files();
    let done = section(README, "\n## What it does\n");
    let points: Vec<_> =
        done.split("\n- **").skip(1).map(|point| point.split("\n\n").next().unwrap()).collect();
    let unshown: Vec<_> = points.iter().filter(|point| !point.contains("[`")).collect();
    assert!(points.len() > 9 && unshown.is_empty(), "nothing shows {unshown:?}");
    assert_eq!(linked(done, &there).1, [""; 0]);

    let defended = section(SECURITY, "\n## What is defended\n");
    let rows: Vec<_> = defended.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let shown = |row: &&str| row.trim_matches('|').rsplit(" | ").next().is_some_and(|it| it.contains("]("));
    let unshown: Vec<_> = rows.iter().filter(|row| !shown(row)).collect();
    assert!(rows.len() > 20 && unshown.is_empty(), "nothing shows {unshown:?}");
    assert_eq!(linked(defended, &there).1, [""; 0]);
    assert_eq!(misplaced(defended), [""; 0]);

    let no_policy = section(PAGE, "\n## What needs no policy\n");
    let rows: Vec<_> = no_policy.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 11 && rows.iter().all(|row| row.contains(".jsonl)")), "{rows:?}");
    assert_eq!(linked(no_policy, &there).1, [""; 0]);
}

#[test]
fn a_place_that_is_not_there_is_found() {
    let here = "tests/flows/documented.rs";
    let good =
        format!("| [a place that is not there is found]({here}), [`login`](vectors/flows/login.jsonl) |");
    assert_eq!(misplaced(&good), [""; 0]);
    for wrong in [format!("[no such test]({here})"), "[x](tests/flows/no-such.rs)".to_owned()] {
        assert_eq!(misplaced(&wrong).len(), 1, "{wrong}");
    }
}

/// The names of the kinds of failures, as they are written in a trace.
fn kinds() -> BTreeSet<String> {
    let source = include_str!("../../src/base/breach.rs");
    let (_, rest) = source.split_once("pub enum Kind {").unwrap();
    let lines = rest.split("\n}").next().unwrap().lines().map(str::trim);
    let names = lines.filter(|line| !line.starts_with("//")).filter_map(|line| line.strip_suffix(','));
    let snake = |name: &str| {
        let written = name.chars().map(|it| match it.is_ascii_uppercase() {
            true => format!("_{}", it.to_ascii_lowercase()),
            false => it.to_string(),
        });
        written.collect::<String>().trim_start_matches('_').to_owned()
    };
    names.map(snake).collect()
}

#[test]
fn every_kind_of_failure_has_a_flow_that_ends_with_it() {
    let (index, mut shown) = (recorded(), BTreeSet::new());
    let (_, section) = FLOWS.split_once("## How attempts fail").unwrap();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let mut names = names(row);
        let kind = names.next().unwrap();
        shown.insert(kind.to_owned());
        let mut flows = names.peekable();
        assert!(flows.peek().is_some(), "{kind} has no flow");
        for flow in flows {
            assert!(index[flow].ends.iter().any(|end| end == kind), "{flow} does not end with {kind}");
        }
    }
    // What no attempt ends with is told below the table, with its reason.
    let never = "state_mismatch";
    assert!(index.values().all(|flow| flow.ends.iter().all(|end| end != never)), "{never} can be had");
    assert!(section.contains(&format!("`{never}`:")), "{never} is not told of");
    shown.insert(never.to_owned());
    assert!(kinds().len() > 30);
    assert_eq!(shown, kinds());
}
