//! Messages: from the canonical form to the history and what stands behind it.

use serde_json::{Map, Value, json};
use thalweg_abi::guest::Failure;
use thalweg_abi::guest::canonical::{Block, Message, Part, ToolResult};

/// What has to be remembered of the messages that were encoded.
#[derive(Debug, Default)]
pub(crate) struct History {
    last: Option<Last>,
    /// The calls of the last reply, since a result repeats its call: id, and the call as it stands on the wire.
    calls: Vec<(String, Value)>,
}

/// The message that the next one follows, or that the request is about.
#[derive(Debug)]
enum Last {
    /// What the user said.
    User(String),
    /// What the model said, as it stands in the history.
    Reply(Value),
    /// What the tools answered.
    Results(Vec<Value>),
}

impl History {
    /// Takes a message, and appends the one before it to `out`.
    pub(crate) fn push(&mut self, message: Message, out: &mut String) -> Result<(), Failure> {
        let next = match message {
            Message::User { content } => {
                let text = text_of(&content)?;
                (!text.is_empty()).then_some(Last::User(text))
            }
            Message::Assistant { content, .. } => {
                let (reply, calls) = reply(content);
                // Results follow their calls at once.
                self.calls = calls;
                reply.map(Last::Reply)
            }
            Message::Tool { content } => {
                let results = content.iter().map(|result| self.result(result)).collect::<Result<Vec<_>, _>>()?;
                (!results.is_empty()).then_some(Last::Results(results))
            }
        };
        let Some(next) = next else { return Ok(()) };
        let entry = match self.last.replace(next) {
            None => return Ok(()),
            Some(Last::User(text)) => json!({"role": "USER", "message": text}),
            Some(Last::Reply(reply)) => reply,
            Some(Last::Results(results)) => json!({"role": "TOOL", "tool_results": results}),
        };
        out.push_str(&entry.to_string());
        Ok(())
    }

    /// The fields of a request that hold the last message.
    pub(crate) fn fields(&self) -> Result<String, Failure> {
        match &self.last {
            Some(Last::User(text)) => Ok(format!("\"message\":{}", json!(text))),
            Some(Last::Results(results)) => Ok(format!("\"message\":\"\",\"tool_results\":{}", json!(results))),
            Some(Last::Reply(_)) => {
                Err(Failure::unsupported("cohere-v1 goes on with no reply of its own; end with a message of the user"))
            }
            None => Err(Failure::invalid("there is no message to send; encode one before the request")),
        }
    }

    fn result(&self, result: &ToolResult) -> Result<Value, Failure> {
        let known = self.calls.iter().find(|(id, _)| *id == result.tool_call_id).map(|(_, call)| call.clone());
        let call = known.unwrap_or_else(|| json!({"name": result.tool_name, "parameters": {}}));
        let key = if result.is_error { "error" } else { "output" };
        Ok(json!({"call": call, "outputs": [{key: text_of(&result.content)?}]}))
    }
}

fn text_of(parts: &[Part]) -> Result<String, Failure> {
    let texts: Option<Vec<&str>> = parts.iter().map(Part::text).collect();
    let texts =
        texts.ok_or_else(|| Failure::unsupported("cohere-v1 takes text only; leave media out of the message"))?;
    Ok(texts.join("\n"))
}

/// What the model said, and its calls with their ids. None if nothing is left that the provider takes back.
fn reply(content: Vec<Block>) -> (Option<Value>, Vec<(String, Value)>) {
    let (mut text, mut calls) = (String::new(), Vec::new());
    for block in content {
        match block {
            Block::Text { text: more, .. } | Block::Refusal { text: more } => text.push_str(&more),
            Block::ToolCall { id, name, arguments } => {
                // Arguments that were cut off are no object; the provider would refuse the whole request.
                let parameters = serde_json::from_str::<Map<String, Value>>(&arguments).unwrap_or_default();
                calls.push((id, json!({"name": name, "parameters": parameters})));
            }
            Block::Thinking { .. } | Block::RedactedThinking { .. } | Block::Foreign => {}
        }
    }
    if text.is_empty() && calls.is_empty() {
        return (None, calls);
    }
    let mut reply = json!({"role": "CHATBOT", "message": text});
    if !calls.is_empty() {
        reply["tool_calls"] = calls.iter().map(|(_, call)| call.clone()).collect();
    }
    (Some(reply), calls)
}
