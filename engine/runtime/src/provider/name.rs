//! `provider/model:thinking`, taken apart.

/// The levels of thinking that a model's name may end with, from none to most. `off` says the same as `none`.
pub const LEVELS: [&str; 6] = ["none", "minimal", "low", "medium", "high", "xhigh"];

/// The level that `word` names.
pub(super) fn level(word: &str) -> Option<&'static str> {
    let word = if word == "off" { "none" } else { word };
    LEVELS.into_iter().find(|level| *level == word)
}

/// `model:thinking` taken apart. Ids of models hold colons too (`llama3:8b`, `kimi-k2:free`), so only a known level that
/// stands behind something is taken.
#[must_use]
pub fn split_thinking(model: &str) -> (&str, Option<&'static str>) {
    let split = model.rsplit_once(':').filter(|(model, _)| !model.is_empty() && !model.ends_with('/'));
    match split.and_then(|(model, word)| Some((model, level(word)?))) {
        Some((model, level)) => (model, Some(level)),
        None => (model, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_level_is_taken_from_the_end() {
        for (name, model, level) in [
            ("gpt-5:high", "gpt-5", Some("high")),
            ("gpt-5:off", "gpt-5", Some("none")),
            ("gpt-5:none", "gpt-5", Some("none")),
            ("gpt-5:xhigh", "gpt-5", Some("xhigh")),
            ("o/gpt-oss:minimal", "o/gpt-oss", Some("minimal")),
            ("kimi-k2:free:low", "kimi-k2:free", Some("low")),
            ("llama3:8b:medium", "llama3:8b", Some("medium")),
            ("llama3:8b", "llama3:8b", None),
            ("kimi-k2:free", "kimi-k2:free", None),
            ("claude:thinking", "claude:thinking", None),
            ("gpt-5:HIGH", "gpt-5:HIGH", None),
            ("gpt-5:", "gpt-5:", None),
            (":high", ":high", None),
            ("o/:high", "o/:high", None),
            ("high", "high", None),
            ("", "", None),
        ] {
            assert_eq!(split_thinking(name), (model, level), "{name}");
        }
    }
}
