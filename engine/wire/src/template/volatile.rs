//! The keys whose values no codec reads.

use crate::json;

/// Names of keys at the top of a payload, whose values say nothing once a reply has begun.
#[derive(Clone, Debug, Default)]
pub(crate) struct Volatile {
    /// Each name with a NUL before and behind it, so that all take one piece of memory.
    names: Box<[u8]>,
}

impl Volatile {
    /// The names, in any order.
    pub(crate) fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut joined = Vec::new();
        for name in names {
            joined.push(0);
            joined.extend_from_slice(name.as_bytes());
        }
        joined.push(0);
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
        !name.is_empty() && self.names.split(|&byte| byte == 0).any(|one| one == name)
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
