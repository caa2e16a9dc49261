//! A tool that does arithmetic: `calculate {"expression": "17 * 23"}` answers `391`.
//!
//! Whole numbers and decimals are exact as long as they fit 128 bits; beyond that they are floating point.
#![forbid(unsafe_code)]

mod number;
mod parser;

use thalweg_abi::guest::{Tool, ToolCall, ToolInfo};

pub use parser::{Error, evaluate};

thalweg_abi::plugin! { id: "thalweg.calculator", version: env!("CARGO_PKG_VERSION"), tools: [Calculate] }

/// The tool `calculate`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calculate;

impl Tool for Calculate {
    fn info(&self) -> ToolInfo<'_> {
        ToolInfo::new(
            "calculate",
            "Evaluates an arithmetic expression exactly. Operators: + - * / % ^ and parentheses; % is the remainder, ^ the \
             power.",
            r#"{"type":"object","properties":{"expression":{"type":"string","description":"For example 17 * 23 or (2 + 3) ^ 2 / 4."}},"required":["expression"],"additionalProperties":false}"#,
        )
    }

    fn invoke(&self, call: &mut ToolCall<'_>) -> Result<String, String> {
        let arguments: serde_json::Value = serde_json::from_str(call.arguments)
            .map_err(|error| format!("the arguments are not JSON: {error}; pass {EXAMPLE}"))?;
        let expression = arguments
            .get("expression")
            .and_then(serde_json::Value::as_str)
            .ok_or_else(|| format!("`expression` is missing or no string; pass {EXAMPLE}"))?;
        evaluate(expression).map_err(|error| error.to_string())
    }
}

const EXAMPLE: &str = r#"{"expression": "17 * 23"}"#;
