//! The recordings that ship with the project; `recordings/README.md` says where each comes from.

use crate::recording::Recording;

/// The recordings that ship with the project.
///
/// # Panics
/// Never: a test reads them all.
#[must_use]
pub fn builtin() -> Vec<Recording> {
    read(&FILES)
}

/// What the models of the team of `examples/team_mixed_providers` say to their recorded question, a recording each. Nobody else
/// asks for them.
///
/// # Panics
/// Never: a test reads them all.
#[must_use]
pub fn team() -> Vec<Recording> {
    read(&TEAM)
}

fn read(files: &[(&str, &str)]) -> Vec<Recording> {
    let read = |(name, text): &(&str, &str)| {
        Recording::from_jsonl(text).unwrap_or_else(|error| panic!("recordings/{name}.jsonl, {error}"))
    };
    files.iter().map(read).collect()
}

const FILES: [(&str, &str); 4] = [
    ("weather-and-arithmetic", include_str!("../recordings/weather-and-arithmetic.jsonl")),
    ("weather-and-arithmetic-anthropic", include_str!("../recordings/weather-and-arithmetic-anthropic.jsonl")),
    ("smollm2-weather", include_str!("../recordings/smollm2-weather.jsonl")),
    ("smollm2-capital", include_str!("../recordings/smollm2-capital.jsonl")),
];

const TEAM: [(&str, &str); 4] = [
    ("team-thalweg-anthropic", include_str!("../recordings/team-thalweg-anthropic.jsonl")),
    ("team-thalweg-gemini", include_str!("../recordings/team-thalweg-gemini.jsonl")),
    ("team-thalweg-ollama", include_str!("../recordings/team-thalweg-ollama.jsonl")),
    ("team-thalweg-openai", include_str!("../recordings/team-thalweg-openai.jsonl")),
];
