//! JSON as a tree that keeps the text of every value: what the naive dialects read. Slow and obvious.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A value and its text.
#[derive(Clone, Debug)]
pub struct Json {
    /// As it stands in the payload.
    pub raw: String,
    /// What it is.
    pub value: Value,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number; its text is all there is to know.
    Number,
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object, with all its members.
    Object(Vec<(String, Json)>),
}

/// Depth of nesting that is still read.
const NESTING_MAX: usize = 128;

/// Reads a payload. Half a surrogate pair is read as U+FFFD.
#[must_use]
pub fn parse(payload: &str) -> Option<Json> {
    let payload = with_whole_pairs(payload);
    let raw: &RawValue = serde_json::from_str(&payload).ok()?;
    (depth(raw.get()) <= NESTING_MAX).then(|| tree(raw))
}

/// Whether a payload has an escape that stands for half a character.
#[must_use]
pub fn has_half_pairs(payload: &str) -> bool {
    with_whole_pairs(payload) != payload
}

impl Json {
    /// The last member of that name; `null` counts as one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Value::Object(members) = &self.value else { return None };
        members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// As [`Json::get`], without `null`.
    #[must_use]
    pub fn some(&self, name: &str) -> Option<&Self> {
        self.get(name).filter(|value| !matches!(value.value, Value::Null))
    }

    /// The string.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// The string of a member.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name)?.text()
    }

    /// The string of a member, if there is anything in it.
    #[must_use]
    pub fn filled_text_of(&self, name: &str) -> Option<&str> {
        self.text_of(name).filter(|text| !text.is_empty())
    }

    /// The elements, none if it is no array.
    #[must_use]
    pub fn list(&self) -> &[Self] {
        if let Value::List(list) = &self.value { list } else { &[] }
    }

    /// The elements of a member.
    #[must_use]
    pub fn list_of(&self, name: &str) -> &[Self] {
        self.get(name).map_or(&[], Self::list)
    }

    /// The number, without its fraction.
    #[must_use]
    pub fn int(&self) -> Option<i64> {
        if !matches!(self.value, Value::Number) {
            return None;
        }
        match self.raw.parse::<i64>() {
            Ok(number) => Some(number),
            Err(_) => self.raw.parse::<f64>().ok().map(|number| number.trunc() as i64),
        }
    }

    /// Whether it is an object.
    #[must_use]
    pub const fn is_object(&self) -> bool {
        matches!(self.value, Value::Object(_))
    }

    /// Whether Python would take it for true.
    #[must_use]
    pub fn is_truthy(&self) -> bool {
        match &self.value {
            Value::Null | Value::Bool(false) => false,
            Value::Bool(true) => true,
            // A number is zero by its digits, also where a float would lose it.
            Value::Number => {
                self.raw.split(['e', 'E']).next().is_some_and(|digits| digits.contains(|c| ('1'..='9').contains(&c)))
            }
            Value::Text(text) => !text.is_empty(),
            Value::List(list) => !list.is_empty(),
            Value::Object(members) => !members.is_empty(),
        }
    }
}

fn tree(raw: &RawValue) -> Json {
    let text = raw.get();
    let value = match text.as_bytes()[0] {
        b'n' => Value::Null,
        b't' => Value::Bool(true),
        b'f' => Value::Bool(false),
        b'"' => Value::Text(serde_json::from_str(text).expect("the string was checked")),
        b'[' => {
            let list: Vec<&RawValue> = serde_json::from_str(text).expect("the array was checked");
            Value::List(list.into_iter().map(tree).collect())
        }
        b'{' => {
            let Members(members) = serde_json::from_str(text).expect("the object was checked");
            Value::Object(members.into_iter().map(|(key, value)| (key, tree(value))).collect())
        }
        _ => Value::Number,
    };
    Json { raw: text.to_owned(), value }
}

/// All members of an object, equal keys included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut is_string, mut is_escape) = (0, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escape => is_escape = false,
            b'\\' => is_escape = true,
            b'"' => is_string = !is_string,
            b'{' | b'[' if !is_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !is_string => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// The payload with every escape of half a surrogate pair replaced by that of U+FFFD.
fn with_whole_pairs(payload: &str) -> String {
    let mut out = String::new();
    let mut rest = payload;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let len = match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => 12,
            (Some(0xD800..0xE000), _) => {
                out.push_str("\\ufffd");
                rest = &rest[6..];
                continue;
            }
            (Some(_), _) => 6,
            (None, _) => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&rest[..len]);
        rest = &rest[len..];
    }
    out + rest
}

/// The UTF-16 unit of an escape at the beginning of `text`.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}
