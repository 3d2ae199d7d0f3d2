//! `preset.json`: what each preset changes.

use std::collections::BTreeSet;

use mcp_auth::{IssuerPolicy, Preset};
use serde_json::{Map, Value, json};

/// The name of a preset to what it changes.
pub(crate) fn run(input: &Value) -> Value {
    let preset: Preset = serde_json::from_value(input.clone()).unwrap();
    assert_eq!(json!(preset), *input);
    let policy = preset.policy();
    let text = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<IssuerPolicy>(&text).unwrap(), policy);
    let changed = changed(&json!(policy), &json!(IssuerPolicy::default()));
    let fields: BTreeSet<_> = changed.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        fields,
        said(input.as_str().unwrap()),
        "{input} changes other fields than its documentation says"
    );
    changed
}

fn changed(value: &Value, default: &Value) -> Value {
    let (Value::Object(members), Value::Object(defaults)) = (value, default) else { return value.clone() };
    let differ = members.iter().filter(|(name, value)| defaults[*name] != **value);
    Value::Object(
        differ.map(|(name, value)| (name.clone(), changed(value, &defaults[name]))).collect::<Map<_, _>>(),
    )
}

/// The fields that the documentation of a preset says it changes: what stands in backticks in its first sentence.
fn said(name: &str) -> BTreeSet<String> {
    let source = include_str!("../../src/policy/presets.rs");
    let variant: String = name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    let (before, _) = source.split_once(&format!("    {variant},\n")).unwrap();
    let documentation = before.rsplit_once(",\n").map_or(before, |(_, last)| last);
    let (_, first) = documentation.split_once("/// Changes ").unwrap();
    let first = first.split(". ").next().unwrap();
    first.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_preset_is_in_the_table() {
    let table: Value = serde_json::from_str(include_str!("../../vectors/preset.json")).unwrap();
    let cases: BTreeSet<_> =
        table["cases"].as_array().unwrap().iter().map(|case| case["input"].to_string()).collect();
    let presets: BTreeSet<_> = Preset::ALL.iter().map(|preset| json!(preset).to_string()).collect();
    assert_eq!(cases, presets);
}
