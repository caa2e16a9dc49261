//! What a request body says, as far as a recording is matched by it. Reads bodies of three families: `messages` of
//! texts and tool calls (OpenAI), `messages` of content blocks (Anthropic), and the texts of `contents` (Gemini).

use crate::recording::Value;

/// The parts of a request body that matter.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// Text of the last user message that has any.
    pub prompt: Option<String>,
    /// Assistant messages after that user message.
    pub turns: usize,
    /// Every tool call of the assistant, in order.
    pub calls: Vec<Call>,
    /// Every tool result, in order.
    pub results: Vec<ToolResult>,
    /// How many of `calls` stood in the last assistant message, counted from the end.
    pub last_calls: usize,
    /// How many of `results` came after the last assistant message, counted from the end.
    pub last_results: usize,
    /// Signatures of thinking blocks that were sent back.
    pub signatures: Vec<String>,
    /// Names of the tools offered.
    pub tools: Vec<String>,
}

/// A tool call that the assistant made.
#[derive(Debug)]
pub(crate) struct Call {
    pub id: String,
    pub name: String,
    pub arguments: Value,
}

/// The answer to a tool call.
#[derive(Debug)]
pub(crate) struct ToolResult {
    pub call_id: String,
    pub text: String,
}

impl Conversation {
    /// Reads a body; what it does not know, it skips.
    pub(crate) fn read(body: &Value) -> Self {
        let mut conversation = Self::default();
        for message in array(body, "messages") {
            match text(message, "role") {
                "user" => conversation.user(message),
                "assistant" => conversation.assistant(message),
                "tool" => conversation.result(text(message, "tool_call_id"), &message["content"]),
                _ => {}
            }
        }
        for content in array(body, "contents") {
            match text(content, "role") {
                "user" => conversation.said(array(content, "parts").iter().map(|part| text(part, "text")).collect()),
                "model" => conversation.turns += 1,
                _ => {}
            }
        }
        conversation.tools = array(body, "tools")
            .iter()
            .map(|tool| text(if tool["function"].is_object() { &tool["function"] } else { tool }, "name").to_owned())
            .collect();
        conversation
    }

    fn user(&mut self, message: &Value) {
        for block in array(message, "content") {
            if text(block, "type") == "tool_result" {
                self.result(text(block, "tool_use_id"), &block["content"]);
            }
        }
        self.said(plain(&message["content"]));
    }

    fn said(&mut self, said: String) {
        if !said.trim().is_empty() {
            self.prompt = Some(said.trim().to_owned());
            self.turns = 0;
        }
    }

    fn assistant(&mut self, message: &Value) {
        self.turns += 1;
        self.last_results = 0;
        let before = self.calls.len();
        for call in array(message, "tool_calls") {
            let function = &call["function"];
            self.calls.push(Call {
                id: text(call, "id").into(),
                name: text(function, "name").into(),
                arguments: as_json(text(function, "arguments")),
            });
        }
        for block in array(message, "content") {
            match text(block, "type") {
                "tool_use" => self.calls.push(Call {
                    id: text(block, "id").into(),
                    name: text(block, "name").into(),
                    arguments: block["input"].clone(),
                }),
                "thinking" => self.signatures.push(text(block, "signature").into()),
                _ => {}
            }
        }
        self.last_calls = self.calls.len() - before;
    }

    fn result(&mut self, call_id: &str, content: &Value) {
        self.results.push(ToolResult { call_id: call_id.into(), text: plain(content) });
        self.last_results += 1;
    }
}

/// A text as the JSON that it holds, else as itself.
pub(crate) fn as_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// The text of a content, which is a text or a list of blocks.
fn plain(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            blocks.iter().filter(|block| text(block, "type") == "text").map(|block| text(block, "text")).collect()
        }
        _ => String::new(),
    }
}

fn array<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
