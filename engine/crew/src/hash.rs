//! The hash key of a message: the same as that of MiniAgents, so that what one of them stored the other one finds.
//!
//! It is the SHA-256 of the text that Python's `json.dumps(…, ensure_ascii=False, sort_keys=True)` makes, where messages
//! within a message are replaced by their own keys.

use std::fmt::Write;

use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

use crate::field::{Field, Frozen};

/// The text that is hashed.
pub(crate) fn serialized(class: &str, fields: &Frozen) -> String {
    let mut out = String::new();
    write_frozen(class, fields, &mut out);
    out
}

/// The hash of a text: 64 hexadecimal digits.
pub(crate) fn sha256(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text) {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
    }
    hex
}

fn write_frozen(class: &str, fields: &Frozen, out: &mut String) {
    // Python compares texts by code points, which is how UTF-8 compares as bytes.
    let mut members: Vec<(String, String)> = vec![("class_".into(), text(class))];
    for (name, value) in fields.iter() {
        members.push(match value {
            Field::Message(message) => (format!("{name}__hash_key"), text(message.hash_key())),
            // The first one decides, as it does there.
            Field::List(list) if matches!(list.first(), Some(Field::Message(_))) => {
                let keys = list.iter().map(|value| match value {
                    Field::Message(message) => text(message.hash_key()),
                    other => written(other),
                });
                (format!("{name}__hash_keys"), bracketed(keys))
            }
            other => (name.to_owned(), written(other)),
        });
    }
    members.sort();
    out.push('{');
    for (place, (name, value)) in members.iter().enumerate() {
        if place > 0 {
            out.push_str(", ");
        }
        out.push_str(&text(name));
        out.push_str(": ");
        out.push_str(value);
    }
    out.push('}');
}

fn written(value: &Field) -> String {
    match value {
        Field::Null => "null".into(),
        Field::Bool(value) => value.to_string(),
        Field::Number(value) => number(value),
        Field::Text(value) => text(value),
        Field::List(list) => bracketed(list.iter().map(written)),
        Field::Frozen(frozen) => serialized("Frozen", frozen),
        // Within a list that does not begin with one.
        Field::Message(message) => serialized(message.class(), message.fields()),
    }
}

fn bracketed(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(", "))
}

/// A text in quotes. Both escape the same characters in the same way.
fn text(value: &str) -> String {
    Value::from(value).to_string()
}

/// A number as Python writes it: the same shortest digits, but its own rule of when there is an exponent.
pub(crate) fn number(value: &Number) -> String {
    if !value.is_f64() {
        return value.to_string();
    }
    let value = value.as_f64().unwrap_or(0.0);
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => {
            let plain = format!("{value}");
            if plain.contains('.') { plain } else { plain + ".0" }
        }
    }
}
