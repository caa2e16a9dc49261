//! Marks of the cache: which messages of a conversation carry one.

use serde_json::{Value, json};
use thalweg_agent::request::{Cache, CacheMarks, Request};

/// Marks that a provider takes in one request.
const MARKS_MAX: usize = 4;

/// Which messages carry marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    policy: CacheMarks,
    cache: Cache,
    /// How many messages may carry one.
    pub(crate) limit: usize,
}

impl Marks {
    /// Those that `request` asks for.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let policy = request.cache_marks?;
        let cache = request.cache.unwrap_or(Cache::Short);
        if cache == Cache::None {
            return None;
        }
        let has_front = !request.tools.is_empty() || request.system.as_ref().is_some_and(|system| !system.is_empty());
        let limit = match policy {
            CacheMarks::AllUser => MARKS_MAX - usize::from(has_front),
            CacheMarks::LastUser | CacheMarks::LastText => 1,
        };
        Some(Self { policy, cache, limit })
    }

    /// The canonical JSON of a message with its mark; `None` if this one carries none.
    pub(crate) fn marked(&self, json: &str) -> Option<String> {
        let role = |role: &str| json.starts_with(&format!("{{\"role\":\"{role}\""));
        let may = match self.policy {
            CacheMarks::AllUser => role("user"),
            CacheMarks::LastUser => role("user") || role("tool"),
            CacheMarks::LastText => role("user") || role("assistant"),
        };
        if !may {
            return None;
        }
        let mut message: Value = serde_json::from_str(json).ok()?;
        let parts = message["content"].as_array_mut()?;
        let part = match self.policy {
            CacheMarks::LastText => parts
                .iter_mut()
                .rev()
                .find(|part| part["text"].as_str().is_some_and(|text| !text.is_empty()) && part["type"] == "text")?,
            CacheMarks::AllUser => parts.last_mut().filter(|part| part["type"] == "text")?,
            CacheMarks::LastUser => match parts.last_mut()? {
                result if result["type"] == "tool_result" => result["content"].as_array_mut()?.last_mut()?,
                part => part,
            },
        };
        part["cache"] = match self.cache {
            Cache::Long => json!("long"),
            Cache::Short | Cache::None => json!("short"),
        };
        Some(message.to_string())
    }
}
