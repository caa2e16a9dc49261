//! A plugin with one tool: it searches a handful of notes.

use thalweg_abi::guest::{Tool, ToolCall, ToolInfo};

thalweg_abi::plugin! { id: "example.search", version: "1.0.0", tools: [Search] }

#[derive(Default)]
struct Search;

impl Tool for Search {
    fn info(&self) -> ToolInfo<'_> {
        ToolInfo::new(
            "search",
            "Finds the note that has most of the words.",
            r#"{"type":"object","properties":{"words":{"type":"string"}},"required":["words"],"additionalProperties":false}"#,
        )
    }

    fn invoke(&self, call: &mut ToolCall<'_>) -> Result<String, String> {
        let arguments: serde_json::Value = serde_json::from_str(call.arguments).map_err(|error| error.to_string())?;
        let words = arguments["words"].as_str().unwrap_or_default().to_lowercase();
        let has = |note: &str| words.split_whitespace().filter(|word| note.to_lowercase().contains(*word)).count();
        let best = NOTES.iter().max_by_key(|note| has(note)).filter(|note| has(note) > 0);
        best.map(|note| (*note).to_owned()).ok_or_else(|| "no note has any of these words".to_owned())
    }
}

const NOTES: [&str; 4] = [
    "The thalweg is the line of the lowest points along the bed of a river: the deepest channel.",
    "Ships keep to the deepest channel, so a border in the middle of the water would give it to one side alone.",
    "In 1803 the treaty of Lunéville had made the thalweg of the Rhine the border of France.",
    "A delta forms where a river slows down and drops what it carries.",
];
