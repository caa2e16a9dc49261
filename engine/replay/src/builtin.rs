//! The recordings that ship with the project; `recordings/README.md` says where each comes from.

use crate::recording::Recording;

/// The recordings that ship with the project.
///
/// # Panics
/// Never: a test reads them all.
#[must_use]
pub fn builtin() -> Vec<Recording> {
    FILES
        .iter()
        .map(|(name, text)| {
            Recording::from_jsonl(text).unwrap_or_else(|error| panic!("recordings/{name}.jsonl, {error}"))
        })
        .collect()
}

const FILES: [(&str, &str); 4] = [
    ("weather-and-arithmetic", include_str!("../recordings/weather-and-arithmetic.jsonl")),
    ("weather-and-arithmetic-anthropic", include_str!("../recordings/weather-and-arithmetic-anthropic.jsonl")),
    ("smollm2-weather", include_str!("../recordings/smollm2-weather.jsonl")),
    ("smollm2-capital", include_str!("../recordings/smollm2-capital.jsonl")),
];
