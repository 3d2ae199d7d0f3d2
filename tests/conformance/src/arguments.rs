//! The smallest arguments that satisfy a tool's input schema.

use serde_json::{Map, Value, json};

/// Deep enough for any tool, and an end to schemas that contain themselves.
const DEPTH: usize = 16;

/// A value that a JSON Schema accepts. It knows the keywords that tools use; the others do not widen what a
/// schema accepts, so a value made without them may be refused by the server, and the call then says so.
pub(crate) fn minimal(schema: &Value) -> Result<Value, String> {
    value(schema, schema, DEPTH)
}

fn value(schema: &Value, root: &Value, depth: usize) -> Result<Value, String> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err("the input schema is nested too deeply".to_owned());
    };
    if let Some(given) = schema.get("const").or_else(|| schema.get("default")) {
        return Ok(given.clone());
    }
    if let Some(first) = schema.get("enum").and_then(|choices| choices.get(0)) {
        return Ok(first.clone());
    }
    if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
        let target = pointer.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return value(target.ok_or("the input schema has a reference that leads nowhere")?, root, depth);
    }
    if let Some(first) = ["anyOf", "oneOf"].iter().find_map(|key| schema.get(key)?.get(0)) {
        return value(first, root, depth);
    }
    let kind =
        schema.get("type").map_or(Some("object"), |kind| kind.as_str().or_else(|| kind.get(0)?.as_str()));
    match kind {
        Some("object") => object(schema, root, depth),
        Some("array") => array(schema, root, depth),
        Some("string") => Ok(Value::String("x".repeat(count(schema, "minLength")?))),
        Some("integer" | "number") => Ok(number(schema)),
        Some("boolean") => Ok(Value::Bool(false)),
        Some("null") => Ok(Value::Null),
        _ => Err("the input schema has a type that JSON has not".to_owned()),
    }
}

fn object(schema: &Value, root: &Value, depth: usize) -> Result<Value, String> {
    let mut members = Map::new();
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        let member = schema.get("properties").and_then(|properties| properties.get(name));
        members.insert(name.to_owned(), member.map_or(Ok(Value::Null), |member| value(member, root, depth))?);
    }
    Ok(Value::Object(members))
}

fn array(schema: &Value, root: &Value, depth: usize) -> Result<Value, String> {
    let items = count(schema, "minItems")?;
    let item = match schema.get("items") {
        Some(item) if items > 0 => value(item, root, depth)?,
        _ => Value::Null,
    };
    Ok(Value::Array(vec![item; items]))
}

/// How many letters or items are asked for; a schema may not ask for so many that memory becomes a question.
fn count(schema: &Value, key: &str) -> Result<usize, String> {
    let asked = schema.get(key).and_then(Value::as_u64).unwrap_or(0);
    usize::try_from(asked).ok().filter(|asked| *asked <= 1000).ok_or_else(|| format!("{key} is above 1000"))
}

fn number(schema: &Value) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least.saturating_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most.saturating_sub(1)));
    match (least, most) {
        (Some(least), _) if least > 0 => json!(least),
        (_, Some(most)) if most < 0 => json!(most),
        _ => json!(0),
    }
}

#[cfg(test)]
mod tests {
    use super::minimal;
    use serde_json::{Value, json};

    fn of(schema: Value) -> Value {
        minimal(&schema).unwrap()
    }

    #[test]
    fn only_what_is_required_is_given() {
        assert_eq!(of(json!({"type": "object"})), json!({}));
        assert_eq!(of(json!({})), json!({}));
        let schema = json!({"type": "object", "required": ["a", "b"], "properties": {
            "a": {"type": "string", "minLength": 2}, "b": {"type": "integer", "minimum": 3}, "c": {"type": "null"}}});
        assert_eq!(of(schema), json!({"a": "xx", "b": 3}));
    }

    #[test]
    fn each_type_has_its_smallest_value() {
        let each = [
            (json!({"type": "string"}), json!("")),
            (json!({"type": ["boolean", "null"]}), json!(false)),
            (json!({"type": "null"}), json!(null)),
            (json!({"type": "number"}), json!(0)),
            (json!({"type": "integer", "exclusiveMinimum": 0}), json!(1)),
            (json!({"type": "integer", "maximum": -4}), json!(-4)),
            (json!({"type": "array"}), json!([])),
            (json!({"type": "array", "minItems": 2, "items": {"type": "boolean"}}), json!([false, false])),
            (json!({"enum": ["u", "v"]}), json!("u")),
            (json!({"type": "string", "const": "k"}), json!("k")),
            (json!({"type": "string", "default": "d"}), json!("d")),
            (json!({"anyOf": [{"type": "null"}, {"type": "string"}]}), json!(null)),
        ];
        for (schema, expected) in each {
            assert_eq!(of(schema.clone()), expected, "{schema}");
        }
    }

    #[test]
    fn references_are_followed_and_may_not_go_round() {
        let schema = json!({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/a"}},
            "$defs": {"a": {"type": "boolean"}}});
        assert_eq!(of(schema), json!({"a": false}));
        assert!(minimal(&json!({"$ref": "#"})).is_err());
        assert!(minimal(&json!({"$ref": "#/nowhere"})).is_err());
        assert!(minimal(&json!({"$ref": "https://example.com/schema"})).is_err());
    }

    #[test]
    fn what_cannot_be_met_is_an_error() {
        assert!(minimal(&json!({"type": "date"})).is_err());
        assert!(minimal(&json!({"type": "string", "minLength": 1_000_000_000})).is_err());
    }
}
