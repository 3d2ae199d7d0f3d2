//! What recorded flows show: requirements of `vectors/clauses/requirements.json`, by their `id`.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::clause::clause;
use crate::{Flow, folder};

/// For each requirement where it stands, and where else the same is said.
pub(crate) struct Clauses(BTreeMap<String, Vec<String>>);

impl Clauses {
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(folder().join("../clauses/requirements.json")).unwrap();
        let list: Value = serde_json::from_str(&text).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let of = |it: &Value| {
            let own = clause(&text(&it["document"]), &text(&it["section"]));
            let also = it["also"].as_array().into_iter().flatten().map(text);
            (text(&it["id"]), std::iter::once(own).chain(also).collect())
        };
        Self(list["requirements"].as_array().unwrap().iter().map(of).collect())
    }

    /// Where what a flow shows stands, each place once; or what is wrong with what it names.
    pub(crate) fn of(&self, flow: &Flow) -> Result<Vec<String>, String> {
        let mut clauses = Vec::<String>::new();
        for id in flow.requirements {
            let known = self.0.get(*id).ok_or_else(|| format!("{} names {id}: no requirement", flow.name))?;
            let own = known.first().filter(|own| !clauses.contains(own)).cloned();
            clauses.extend(own);
        }
        if clauses.is_empty() {
            return Err(format!("{} names no requirement", flow.name));
        }
        Ok(clauses)
    }

    /// Whether a failure by this clause is of what the flow shows. One that fails by another shows something else.
    pub(crate) fn cover(&self, flow: &Flow, failed: &str) -> bool {
        let named = flow.requirements.iter().filter_map(|id| self.0.get(*id)).flatten();
        named.into_iter().any(|clause| clause == failed)
    }
}

#[test]
fn a_flow_names_what_there_is_and_fails_by_it() {
    let clauses = Clauses::read();
    let named = |requirements| crate::flow("x", "It.", requirements, &[], || unreachable!());
    let good = named(&["iss-missing", "mix-up"]);
    assert_eq!(clauses.of(&good).unwrap(), ["RFC 9207 §2.4", "RFC 9700 §2.1"]);
    assert!(clauses.cover(&good, "RFC 9207 §2.4") && !clauses.cover(&good, "RFC 8414 §3.3"));
    assert!(clauses.of(&named(&["iss-missing", "no-such-requirement"])).unwrap_err().contains("no-such"));
    assert!(clauses.of(&named(&[])).unwrap_err().contains("names no requirement"));
}
