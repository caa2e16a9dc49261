//! Token counters of a reply, and their sums over turns.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thalweg_abi::types::{
    USAGE_CACHE_READ, USAGE_CACHE_WRITE, USAGE_INPUT, USAGE_OUTPUT, USAGE_REASONING, USAGE_TOTAL,
};

/// Tokens as the provider counts them; a counter that it did not give is `None`, not 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens of the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Total as the provider gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_tokens: Option<u64>,
    /// Tokens spent on thinking, where counted apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Prompt tokens read from a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read_tokens: Option<u64>,
    /// Prompt tokens written to a cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// The provider's own usage object; none in a sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Value>,
}

impl Usage {
    /// Whether the provider counted nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sets counter `THW_USAGE_*`; the last value of a stream counts. Unknown counters and negative numbers are ignored.
    pub fn set(&mut self, counter: u32, count: i64) {
        let Ok(count) = u64::try_from(count) else { return };
        let slot = match counter {
            USAGE_INPUT => &mut self.input_tokens,
            USAGE_OUTPUT => &mut self.output_tokens,
            USAGE_TOTAL => &mut self.total_tokens,
            USAGE_REASONING => &mut self.reasoning_tokens,
            USAGE_CACHE_READ => &mut self.cache_read_tokens,
            USAGE_CACHE_WRITE => &mut self.cache_write_tokens,
            _ => return,
        };
        *slot = Some(count);
    }

    /// Adds the counters of another reply. A counter that only one side has is taken over.
    pub fn add(&mut self, other: &Self) {
        let sum = |mine: &mut Option<u64>, theirs: Option<u64>| {
            if let Some(theirs) = theirs {
                *mine = Some(mine.unwrap_or(0).saturating_add(theirs));
            }
        };
        sum(&mut self.input_tokens, other.input_tokens);
        sum(&mut self.output_tokens, other.output_tokens);
        sum(&mut self.total_tokens, other.total_tokens);
        sum(&mut self.reasoning_tokens, other.reasoning_tokens);
        sum(&mut self.cache_read_tokens, other.cache_read_tokens);
        sum(&mut self.cache_write_tokens, other.cache_write_tokens);
        self.raw = None;
    }
}

/// The provider's usage object while it comes in: the last whole one, with later keys merged over it.
///
/// Some providers repeat it in every chunk, so a whole one is only stored and parsed at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawUsage {
    text: Vec<u8>,
}

impl RawUsage {
    pub(crate) fn replace(&mut self, json: &[u8]) {
        self.text.clear();
        self.text.extend_from_slice(json);
    }

    pub(crate) fn merge(&mut self, json: &[u8]) {
        let (Some(Value::Object(mut merged)), Ok(Value::Object(newer))) = (self.value(), serde_json::from_slice(json))
        else {
            return self.replace(json);
        };
        merged.extend(newer);
        self.text = Value::Object(merged).to_string().into_bytes();
    }

    pub(crate) fn value(&self) -> Option<Value> {
        if self.text.is_empty() {
            return None;
        }
        serde_json::from_slice(&self.text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sum_keeps_unknown_counters_unknown() {
        let mut sum = Usage { input_tokens: Some(1), raw: Some(json!({})), ..Usage::default() };
        sum.add(&Usage { input_tokens: Some(2), output_tokens: Some(3), ..Usage::default() });
        assert_eq!(sum, Usage { input_tokens: Some(3), output_tokens: Some(3), ..Usage::default() });
    }

    #[test]
    fn negative_and_unknown_counters_are_ignored() {
        let mut usage = Usage::default();
        usage.set(USAGE_INPUT, -1);
        usage.set(99, 5);
        assert!(usage.is_empty());
    }

    #[test]
    fn merged_keys_go_over_earlier_ones_and_a_whole_object_replaces() {
        let mut raw = RawUsage::default();
        raw.merge(br#"{"input_tokens":5,"output_tokens":1}"#);
        raw.merge(br#"{"output_tokens":9}"#);
        assert_eq!(raw.value(), Some(json!({"input_tokens":5,"output_tokens":9})));
        raw.replace(br#"{"total":1}"#);
        assert_eq!(raw.value(), Some(json!({"total":1})));
        raw.replace(b"not json");
        assert_eq!(raw.value(), None);
    }
}
