//! Cases that are known not to hold: `vectors/exceptions.json`, for tables and for recorded flows.

use std::collections::BTreeMap;

use serde_json::Value;

/// The exceptions that have not met their case yet: the name as `table/case` or `flows/name`, and the reason.
pub(crate) struct Exceptions(BTreeMap<String, String>);

impl Exceptions {
    /// Those of the list whose names this runner knows: `flows/…`, or all others.
    pub(crate) fn read(text: &str, flows: bool) -> Result<Self, String> {
        let listed: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let cases = listed["cases"].as_array().ok_or("there is no list of cases")?;
        let mut own = BTreeMap::new();
        for case in cases {
            let text = |name: &str| case[name].as_str().filter(|text| !text.trim().is_empty());
            let name = text("name").ok_or_else(|| format!("an exception without a name: {case}"))?;
            let reason = text("reason").ok_or_else(|| format!("an exception without a reason: {name}"))?;
            if name.starts_with("flows/") == flows && own.insert(name.to_owned(), reason.to_owned()).is_some()
            {
                return Err(format!("two exceptions for {name}"));
            }
        }
        Ok(Self(own))
    }

    /// Takes what came of a case, and gives what is wrong about that, if anything: it fails and is not listed, or it
    /// holds and is.
    pub(crate) fn judge(&mut self, name: &str, came: Result<(), String>) -> Option<String> {
        match (self.0.remove(name), came) {
            (None, Err(why)) => Some(why),
            (Some(reason), Ok(())) => {
                Some(format!("{name} holds, and is listed as an exception ({reason}): take it off the list"))
            }
            (None, Ok(())) | (Some(_), Err(_)) => None,
        }
    }

    /// What is listed and met no case.
    pub(crate) fn left(self) -> Vec<String> {
        self.0.into_keys().collect()
    }
}

/// What either runner does with a made-up set: each branch is taken, in the place of one that the real list, which is
/// empty most of the time, never takes.
#[test]
fn an_exception_is_for_what_fails_and_nothing_else() {
    let list = r#"{"cases": [
        {"name": "table/fails", "reason": "not done yet"}, {"name": "table/holds", "reason": "was mended"},
        {"name": "table/gone", "reason": "has another name now"},
        {"name": "flows/fails", "reason": "not done yet"}, {"name": "flows/holds", "reason": "was mended"}
    ]}"#;
    for (flows, prefix, left) in [(false, "table", vec!["table/gone".to_owned()]), (true, "flows", vec![])] {
        let mut exceptions = Exceptions::read(list, flows).unwrap();
        let fails = |name: &str| Err(format!("{name} does not hold"));
        let mut judged = |case: &str, came| exceptions.judge(&format!("{prefix}/{case}"), came);
        assert_eq!(judged("fails", fails("a listed one")), None);
        let unexpected = judged("holds", Ok(())).expect("an unexpected pass fails");
        assert!(unexpected.contains(prefix) && unexpected.contains("was mended"), "{unexpected}");
        assert_eq!(judged("other", Ok(())), None);
        assert_eq!(judged("worse", fails("it")), Some("it does not hold".to_owned()));
        // It is good for one case: the next of that name is judged as any other.
        assert_eq!(judged("fails", fails("it")), Some("it does not hold".to_owned()));
        assert_eq!(exceptions.left(), left, "each runner has its own part, and says what met no case");
    }
    for wrong in [
        r#"{"cases": [{"name": "table/a", "reason": " "}]}"#,
        r#"{"cases": [{"reason": "why"}]}"#,
        r#"{"cases": [{"name": "table/a", "reason": "1"}, {"name": "table/a", "reason": "2"}]}"#,
        "{}",
        "",
    ] {
        assert!(Exceptions::read(wrong, false).is_err(), "{wrong}");
    }
}
