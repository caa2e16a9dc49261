//! Turns arguments into the types that a schema asks for, where that can mean one thing only.
//!
//! Models write `"17"` for 17. The rules, for a value whose type the schema does not allow:
//!
//! | asked for | taken from |
//! |---|---|
//! | integer | a string or a number that is one (`"17"`, `17.0`, `"17.0"`) |
//! | number | a string that is one in JSON (`"-1.5e3"`) |
//! | boolean | `"true"`, `"false"`, 1, 0 |
//! | string | a number or a boolean, as JSON writes it |
//! | null | `""`, `"null"` |
//! | object, array | a string that holds one as JSON |
//!
//! Of several allowed types the first that can be made wins. Properties, items, `allOf` and references within the schema are
//! followed; of `anyOf` and `oneOf` the only branch that allows the value's type. Nothing is added, dropped or wrapped.

use serde_json::{Number, Value};

/// `value` as `schema` would have it.
pub(crate) fn coerce(mut value: Value, schema: &Value) -> Value {
    Coercion { root: schema }.visit(&mut value, schema, 0);
    value
}

struct Coercion<'s> {
    root: &'s Value,
}

impl<'s> Coercion<'s> {
    fn visit(&self, value: &mut Value, schema: &'s Value, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        let schema = self.resolve(schema);
        let mut types = Vec::new();
        self.types(schema, &mut types, depth);
        if !types.is_empty()
            && !types.iter().any(|name| is_of(value, name))
            && let Some(better) = types.iter().find_map(|name| convert(value, name))
        {
            *value = better;
        }
        for part in list(schema, "allOf") {
            self.visit(value, part, depth + 1);
        }
        for key in ["anyOf", "oneOf"] {
            let mut fitting = list(schema, key).iter().filter(|branch| {
                let mut types = Vec::new();
                self.types(self.resolve(branch), &mut types, depth);
                types.is_empty() || types.iter().any(|name| is_of(value, name))
            });
            if let (Some(only), None) = (fitting.next(), fitting.next()) {
                self.visit(value, only, depth + 1);
            }
        }
        match value {
            Value::Object(fields) => {
                let properties = &schema["properties"];
                for (name, field) in fields.iter_mut() {
                    let of_field = properties.get(name).or_else(|| schema.get("additionalProperties"));
                    if let Some(of_field) = of_field {
                        self.visit(field, of_field, depth + 1);
                    }
                }
            }
            Value::Array(items) => {
                let firsts = list(schema, "prefixItems");
                for (number, item) in items.iter_mut().enumerate() {
                    if let Some(of_item) = firsts.get(number).or_else(|| schema.get("items")) {
                        self.visit(item, of_item, depth + 1);
                    }
                }
            }
            _ => {}
        }
    }

    /// The types that a schema names, itself or in its branches.
    fn types(&self, schema: &'s Value, found: &mut Vec<&'s str>, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        match &schema["type"] {
            Value::String(name) => found.push(name),
            Value::Array(names) => found.extend(names.iter().filter_map(Value::as_str)),
            _ => {
                for branch in ["anyOf", "oneOf"].into_iter().flat_map(|key| list(schema, key)) {
                    self.types(self.resolve(branch), found, depth + 1);
                }
            }
        }
    }

    /// Follows references within the schema; one that leads nowhere, or in a circle, stays as it is.
    fn resolve(&self, mut schema: &'s Value) -> &'s Value {
        for _ in 0..REFERENCES_MAX {
            let Some(pointer) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) else {
                break;
            };
            let Some(target) = self.root.pointer(pointer) else { break };
            schema = target;
        }
        schema
    }
}

fn list<'s>(schema: &'s Value, key: &str) -> &'s [Value] {
    schema[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        // 17.0 is an integer to JSON Schema, but not to those who read it.
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "null" => value.is_null(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        _ => false,
    }
}

fn convert(value: &Value, name: &str) -> Option<Value> {
    let text = value.as_str().map(str::trim);
    match name {
        "integer" => whole(&value.as_number().cloned().or_else(|| number(text?))?).map(Value::Number),
        "number" => number(text?).map(Value::Number),
        "boolean" => match (text, value.as_u64()) {
            (Some("true"), _) | (_, Some(1)) => Some(Value::Bool(true)),
            (Some("false"), _) | (_, Some(0)) => Some(Value::Bool(false)),
            _ => None,
        },
        "string" => (value.is_number() || value.is_boolean()).then(|| Value::String(value.to_string())),
        "null" => matches!(text, Some("" | "null")).then_some(Value::Null),
        "object" => serde_json::from_str(text?).ok().filter(Value::is_object),
        "array" => serde_json::from_str(text?).ok().filter(Value::is_array),
        _ => None,
    }
}

fn number(text: &str) -> Option<Number> {
    serde_json::from_str(text).ok()
}

fn whole(number: &Number) -> Option<Number> {
    if number.is_i64() || number.is_u64() {
        return Some(number.clone());
    }
    let value = number.as_f64().filter(|value| value.fract() == 0.0 && value.abs() <= EXACT_MAX)?;
    Some(Number::from(value as i64))
}

/// Levels of a value, and of branches within branches, that are followed.
const DEPTH_MAX: usize = 64;
/// References that are followed one behind the other.
const REFERENCES_MAX: usize = 16;
/// Above it not every whole number is a 64-bit float.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_rule_makes_what_is_asked_for_or_nothing() {
        for (name, from, to) in [
            ("integer", json!("17"), json!(17)),
            ("integer", json!(" -3 "), json!(-3)),
            ("integer", json!(17.0), json!(17)),
            ("integer", json!("17.0"), json!(17)),
            ("integer", json!("17.5"), json!("17.5")),
            ("integer", json!("1e300"), json!("1e300")),
            ("integer", json!(true), json!(true)),
            ("integer", json!("18446744073709551615"), json!(u64::MAX)),
            ("number", json!("-1.5e3"), json!(-1500.0)),
            ("number", json!("0x10"), json!("0x10")),
            ("number", json!("NaN"), json!("NaN")),
            ("boolean", json!("true"), json!(true)),
            ("boolean", json!("yes"), json!("yes")),
            ("boolean", json!(0), json!(false)),
            ("boolean", json!(2), json!(2)),
            ("string", json!(1.5), json!("1.5")),
            ("string", json!(false), json!("false")),
            ("string", json!(null), json!(null)),
            ("string", json!([1]), json!([1])),
            ("null", json!("null"), json!(null)),
            ("null", json!("x"), json!("x")),
            ("object", json!("{\"a\":1}"), json!({"a":1})),
            ("object", json!("[1]"), json!("[1]")),
            ("array", json!("[1]"), json!([1])),
            ("array", json!("1"), json!("1")),
        ] {
            assert_eq!(coerce(from.clone(), &json!({"type": name})), to, "{from} as {name}");
        }
    }

    #[test]
    fn values_within_values_are_reached_and_what_fits_is_left_alone() {
        let schema = json!({"type":"object","$defs":{"n":{"type":"integer"}},"properties":{
            "a":{"type":"array","items":{"$ref":"#/$defs/n"}},
            "b":{"anyOf":[{"type":"integer"},{"type":"null"}]},
            "c":{"type":["string","integer"]},
            "d":{"oneOf":[{"type":"string"},{"type":"object","properties":{"x":{"type":"boolean"}}}]},
            "e":{"allOf":[{"type":"number"}]},
            "f":{"prefixItems":[{"type":"integer"}],"items":{"type":"string"}}},
            "additionalProperties":{"type":"string"}});
        let value = json!({"a":["1",2],"b":"5","c":"7","d":{"x":"true"},"e":"2.5","f":["1",1],"g":3});
        let expected = json!({"a":[1,2],"b":5,"c":"7","d":{"x":true},"e":2.5,"f":[1,"1"],"g":"3"});
        assert_eq!(coerce(value, &schema), expected);
        assert_eq!(coerce(json!({"b":"null"}), &schema), json!({"b":null}));
    }

    #[test]
    fn circles_and_depth_end() {
        let circle = json!({"$ref":"#"});
        assert_eq!(coerce(json!({"a":1}), &circle), json!({"a":1}));
        let deep = json!({"type":"object","additionalProperties":{"$ref":"#"},"anyOf":[{"$ref":"#"}]});
        assert_eq!(coerce(json!({"a":{"a":{}}}), &deep), json!({"a":{"a":{}}}));
        let nowhere = json!({"$ref":"#/$defs/none"});
        assert_eq!(coerce(json!("1"), &nowhere), json!("1"));
    }
}
