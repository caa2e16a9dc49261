//! What a message is made of: values that never change.

use serde_json::{Map, Number, Value};

use crate::hash::number;
use crate::message::Message;

/// A value in a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A number of JSON.
    Number(Number),
    /// A text.
    Text(String),
    /// Several values.
    List(Vec<Self>),
    /// Named values that are no message.
    Frozen(Frozen),
    /// A message within a message.
    Message(Message),
}

/// Named values, in the order in which they were given; equal whatever the order.
#[derive(Clone, Debug, Default)]
pub struct Frozen(pub(crate) Vec<(String, Field)>);

impl PartialEq for Frozen {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl Frozen {
    /// No values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more, or another value under a name that is there.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Field>) -> Self {
        self.set(name.into(), value.into());
        self
    }

    pub(crate) fn set(&mut self, name: String, value: Field) {
        match self.0.iter_mut().find(|(other, _)| *other == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// The value under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The same without these names.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|(name, _)| !names.contains(&name.as_str()));
        self
    }

    /// As JSON; see [`Field::to_plain_json`].
    #[must_use]
    pub fn to_plain_json(&self) -> Value {
        Value::Object(self.0.iter().map(|(name, value)| (name.clone(), value.to_plain_json())).collect())
    }

    /// As JSON, with the name of its class first. What is nested is written out.
    pub(crate) fn to_json(&self, class: &str) -> Value {
        let mut map = Map::new();
        map.insert("class_".into(), class.into());
        map.extend(self.0.iter().map(|(name, value)| (name.clone(), value.to_json())));
        Value::Object(map)
    }
}

impl Field {
    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => Value::String(text.clone()),
            Self::List(list) => Value::Array(list.iter().map(Self::to_json).collect()),
            Self::Frozen(frozen) => frozen.to_json("Frozen"),
            Self::Message(message) => message.to_json(),
        }
    }

    /// As Python writes a value into a text.
    pub(crate) fn to_python(&self) -> String {
        match self {
            Self::Null => "None".to_owned(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::Number(value) => number(value),
            Self::Text(text) => text.clone(),
            Self::Message(message) => message.to_string(),
            Self::List(_) | Self::Frozen(_) => self.to_plain_json().to_string(),
        }
    }

    /// As JSON that says nothing of classes: what was put in from JSON comes out as it was.
    #[must_use]
    pub fn to_plain_json(&self) -> Value {
        match self {
            Self::List(list) => Value::Array(list.iter().map(Self::to_plain_json).collect()),
            Self::Frozen(frozen) => frozen.to_plain_json(),
            Self::Message(message) => message.fields().to_plain_json(),
            single => single.to_json(),
        }
    }

    /// The messages within, children before parents.
    pub(crate) fn messages(&self, found: &mut Vec<Message>) {
        match self {
            Self::List(list) => list.iter().for_each(|value| value.messages(found)),
            Self::Frozen(frozen) => frozen.0.iter().for_each(|(_, value)| value.messages(found)),
            Self::Message(message) => {
                found.extend(message.sub_messages());
                found.push(message.clone());
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => {}
        }
    }
}

impl From<Value> for Field {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text),
            Value::Array(list) => Self::List(list.into_iter().map(Self::from).collect()),
            Value::Object(map) => {
                // The class is what it is converted to, whatever it says.
                let named = map.into_iter().filter(|(name, _)| name != "class_");
                Self::Frozen(Frozen(named.map(|(name, value)| (name, Self::from(value))).collect()))
            }
        }
    }
}

impl From<Frozen> for Field {
    fn from(frozen: Frozen) -> Self {
        Self::Frozen(frozen)
    }
}

impl From<Message> for Field {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Field {
    fn from(list: Vec<T>) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>> From<Option<T>> for Field {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

macro_rules! fields {
    ($($from:ty => $with:expr),* $(,)?) => {
        $(impl From<$from> for Field {
            fn from(value: $from) -> Self {
                $with(value)
            }
        })*
    };
}

fields! {
    bool => Self::Bool,
    i64 => |value| Self::Number(Number::from(value)),
    u64 => |value| Self::Number(Number::from(value)),
    i32 => |value| Self::Number(Number::from(value)),
    u32 => |value| Self::Number(Number::from(value)),
    // JSON has no word for what is not finite.
    f64 => |value| Number::from_f64(value).map_or(Self::Null, Self::Number),
    String => Self::Text,
    &str => |value: &str| Self::Text(value.to_owned()),
}
