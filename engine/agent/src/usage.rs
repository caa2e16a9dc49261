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

/// What a reply used, counted alike for all providers: no token is in two of `input`, `output`, `cache_read` and `cache_write`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Of the prompt, without those that a cache had a part in.
    pub input: u64,
    /// Of the reply, thinking among them.
    pub output: u64,
    /// Of the prompt, read from a cache.
    pub cache_read: u64,
    /// Of the prompt, written to a cache.
    pub cache_write: u64,
    /// Those of `cache_write` that are kept for an hour.
    pub cache_write_long: u64,
    /// Those of `output` that were spent on thinking.
    pub reasoning: u64,
}

impl Tokens {
    /// All of the prompt.
    #[must_use]
    pub const fn prompt(&self) -> u64 {
        self.input.saturating_add(self.cache_read).saturating_add(self.cache_write)
    }

    /// All.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.prompt().saturating_add(self.output)
    }

    /// Adds those of another reply.
    pub const fn add(&mut self, other: &Self) {
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cache_read = self.cache_read.saturating_add(other.cache_read);
        self.cache_write = self.cache_write.saturating_add(other.cache_write);
        self.cache_write_long = self.cache_write_long.saturating_add(other.cache_write_long);
        self.reasoning = self.reasoning.saturating_add(other.reasoning);
    }
}

impl Usage {
    /// The counters of one reply, made alike; `None` if neither prompt nor reply was counted.
    ///
    /// Providers differ: the cached part of a prompt is within its tokens (OpenAI, Gemini) or beside them (Anthropic, Bedrock), and
    /// so is thinking within those of a reply (OpenAI, Anthropic) or beside them (Gemini, xAI). The provider's own
    /// names say which, or its total does. Only for the usage of one reply: a sum has lost what is needed for that.
    #[must_use]
    pub fn tokens(&self) -> Option<Tokens> {
        if self.input_tokens.is_none() && self.output_tokens.is_none() {
            return None;
        }
        let known = |counter: Option<u64>| counter.unwrap_or(0);
        let (input, output) = (known(self.input_tokens), known(self.output_tokens));
        let (read, write, thought) =
            (known(self.cache_read_tokens), known(self.cache_write_tokens), known(self.reasoning_tokens));
        let cached = read.saturating_add(write);
        // What the total has beyond both counters: whatever stands beside them.
        let rest = self.total_tokens.map(|total| total.saturating_sub(input.saturating_add(output)));
        let is_cache_apart = cached > 0
            && match (self.names_cache_apart(), rest) {
                (Some(apart), _) => apart,
                (None, Some(rest)) => rest == cached || rest == cached.saturating_add(thought),
                (None, None) => false,
            };
        // More than the whole cannot be within it, whatever was said.
        let is_cache_apart = is_cache_apart || cached > input;
        let rest = rest.map(|rest| rest.saturating_sub(if is_cache_apart { cached } else { 0 }));
        let is_thought_apart = thought > output || (thought > 0 && rest.is_some_and(|rest| rest >= thought));
        Some(Tokens {
            input: if is_cache_apart { input } else { input - cached },
            output: if is_thought_apart { output.saturating_add(thought) } else { output },
            cache_read: read,
            cache_write: write,
            cache_write_long: self.cache_write_long().min(write),
            reasoning: thought,
        })
    }

    /// Whether the provider's names say that cached tokens stand beside those of the prompt; `None` if they do not tell.
    fn names_cache_apart(&self) -> Option<bool> {
        let raw = self.raw.as_ref()?;
        let has = |name: &str| raw.get(name).is_some();
        if has("prompt_tokens") || has("input_tokens_details") || has("promptTokenCount") {
            return Some(false);
        }
        let beside =
            ["cache_read_input_tokens", "cache_creation_input_tokens", "cacheReadInputTokens", "cacheWriteInputTokens"];
        beside.into_iter().any(has).then_some(true)
    }

    /// Tokens that were written to a cache for an hour.
    fn cache_write_long(&self) -> u64 {
        let raw = self.raw.as_ref().map(|raw| &raw["cache_creation"]["ephemeral_1h_input_tokens"]);
        raw.and_then(Value::as_u64).unwrap_or(0)
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
    fn tokens_are_counted_alike_whoever_counted_them() {
        let usage = |input, output, total, reasoning, read, write, raw: Value| Usage {
            input_tokens: input,
            output_tokens: output,
            total_tokens: total,
            reasoning_tokens: reasoning,
            cache_read_tokens: read,
            cache_write_tokens: write,
            raw: Some(raw).filter(|raw| !raw.is_null()),
        };
        let tokens = |input, output, cache_read, cache_write, cache_write_long, reasoning| Tokens {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_long,
            reasoning,
        };
        let openai = json!({"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 80}});
        let responses = json!({"input_tokens": 100, "input_tokens_details": {"cached_tokens": 80}});
        let anthropic = json!({"input_tokens": 100, "cache_read_input_tokens": 80,
            "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 7}});
        for (name, usage, expected) in [
            (
                "OpenAI",
                usage(Some(100), Some(50), Some(150), Some(20), Some(80), None, openai),
                tokens(20, 50, 80, 0, 0, 20),
            ),
            (
                "Responses",
                usage(Some(100), Some(50), None, Some(20), Some(80), None, responses),
                tokens(20, 50, 80, 0, 0, 20),
            ),
            (
                "Anthropic",
                usage(Some(100), Some(50), None, None, Some(80), Some(10), anthropic),
                tokens(100, 50, 80, 10, 7, 0),
            ),
            (
                "Bedrock",
                usage(Some(100), Some(50), Some(240), None, Some(80), Some(10), Value::Null),
                tokens(100, 50, 80, 10, 0, 0),
            ),
            (
                "Gemini",
                usage(Some(100), Some(50), Some(170), Some(20), Some(80), None, Value::Null),
                tokens(20, 70, 80, 0, 0, 20),
            ),
            (
                "xAI",
                usage(Some(100), Some(5), Some(125), Some(20), None, None, Value::Null),
                tokens(100, 25, 0, 0, 0, 20),
            ),
            (
                "more than the whole",
                usage(Some(10), Some(1), None, Some(4), Some(80), None, Value::Null),
                tokens(10, 5, 80, 0, 0, 4),
            ),
            ("input alone", usage(Some(10), None, None, None, None, None, Value::Null), tokens(10, 0, 0, 0, 0, 0)),
        ] {
            assert_eq!(usage.tokens(), Some(expected), "{name}");
        }
        assert_eq!(Usage { total_tokens: Some(4), ..Usage::default() }.tokens(), None);
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
