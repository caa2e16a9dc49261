//! @NAME@: a tool that counts the words of a text.

use thalweg_abi::guest::{Tool, ToolCall, ToolInfo};

/// The tool.
#[derive(Debug, Default)]
pub struct CountWords;

impl Tool for CountWords {
    fn info(&self) -> ToolInfo<'_> {
        ToolInfo::new(
            "@NAME@",
            "Counts the words of a text.",
            r#"{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}"#,
        )
    }

    // A tool that takes longer asks `call.sink.is_cancelled()` now and then, or moves the sink to a thread: `Tool::start`.
    fn invoke(&self, call: &mut ToolCall<'_>) -> Result<String, String> {
        let arguments: serde_json::Value =
            serde_json::from_str(call.arguments).map_err(|error| format!("the arguments are no JSON: {error}"))?;
        let text = arguments["text"].as_str().ok_or(r#"pass {"text": "the words to count"}"#)?;
        Ok(text.split_whitespace().count().to_string())
    }
}

thalweg_abi::export_plugin! { id: "@NAME@", version: env!("CARGO_PKG_VERSION"), tools: [CountWords] }
