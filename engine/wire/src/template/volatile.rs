//! The keys whose values no codec reads.

use crate::json;

/// Names of keys at the top of a payload, whose values say nothing once a reply has begun.
#[derive(Clone, Debug, Default)]
pub(crate) struct Volatile {
    /// Each name behind its length, so that all take one piece of memory.
    names: Box<[u8]>,
}

impl Volatile {
    /// The names, in any order.
    pub(crate) fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut joined = Vec::new();
        for name in names {
            // A longer one is of no use: it would never be looked for.
            if let Ok(length) = u8::try_from(name.len()) {
                joined.push(length);
                joined.extend_from_slice(name.as_bytes());
            }
        }
        Self { names: joined.into() }
    }

    /// The `volatile_keys` of what a codec says of itself.
    pub(crate) fn of_description(description: &str) -> Self {
        let whole = json::value(description.as_bytes(), json::NESTING_MAX).unwrap_or_default();
        let [list] = whole.fields(&KEYS).unwrap_or_default();
        Self::new(list.items().filter_map(|item| std::str::from_utf8(item.text()?.raw()).ok()))
    }

    /// Whether `name`, as it stands between its quotes, is one of them.
    pub(crate) fn has(&self, name: &[u8]) -> bool {
        let mut rest = &*self.names;
        while let [length, names @ ..] = rest {
            let Some((one, behind)) = names.split_at_checked(usize::from(*length)) else { return false };
            if one == name {
                return true;
            }
            rest = behind;
        }
        false
    }
}

static KEYS: json::Names<1> = json::Names::new(["volatile_keys"]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_a_description() {
        let volatile = Volatile::of_description(r#"{"dialect":"x","volatile_keys":["obfuscation","p"]}"#);
        for (name, is_one) in [("obfuscation", true), ("p", true), ("", false), ("o", false), ("x", false)] {
            assert_eq!(volatile.has(name.as_bytes()), is_one, "{name}");
        }
        for description in ["", "{}", "{\"volatile_keys\":1}"] {
            assert!(!Volatile::of_description(description).has(b"volatile_keys"), "{description}");
        }
    }
}
