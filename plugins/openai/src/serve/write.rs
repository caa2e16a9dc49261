//! The reply: one chunk for each event, or one body for all of them.

use serde_json::{Map, Value, json};
use thalweg_abi::types::{
    EVENT_DONE, EVENT_ERROR, EVENT_MESSAGE_START, EVENT_OTHER_CONTENT, EVENT_REFUSAL, EVENT_STOP, EVENT_TEXT,
    EVENT_THINKING, EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, EVENT_USAGE, FAILURE_AUTH,
    FAILURE_CONTENT_FILTER, FAILURE_CONTEXT_OVERFLOW, FAILURE_INVALID_REQUEST, FAILURE_OVERLOADED, FAILURE_RATE_LIMIT,
    STOP_CONTENT_FILTER, STOP_ERROR, STOP_LENGTH, STOP_OTHER, STOP_TOOL_USE, StreamEvent, USAGE_CACHE_READ,
    USAGE_CACHE_WRITE, USAGE_INPUT, USAGE_OUTPUT, USAGE_REASONING, USAGE_TOTAL,
};

use super::whole::Whole;

/// Writes one reply.
#[derive(Default)]
pub(super) struct Writer {
    /// Id, time and model, as each chunk has them.
    id: Option<String>,
    created: u64,
    model: String,
    is_streamed: bool,
    wants_usage: bool,
    calls: Vec<Call>,
    usage: Option<Value>,
    /// A reason to stop has come, or the provider's own mark of the end.
    is_complete: bool,
    /// The reply so far, where it is not streamed.
    whole: Whole,
}

/// A tool call that has begun.
struct Call {
    sub: u32,
    block: u32,
    /// Its number on the wire.
    index: usize,
    name: String,
    has_id: bool,
}

impl Writer {
    pub(super) fn new(id: Option<String>, created: u64) -> Self {
        Self { id, created, ..Self::default() }
    }

    /// What the request says of its reply.
    pub(super) fn expect(&mut self, model: &str, is_streamed: bool, wants_usage: bool) {
        model.clone_into(&mut self.model);
        (self.is_streamed, self.wants_usage) = (is_streamed, wants_usage);
    }

    /// Writes an event.
    pub(super) fn take(&mut self, event: &StreamEvent<'_>, piece: &mut String) {
        let text = String::from_utf8_lossy(event.text());
        let aux = String::from_utf8_lossy(event.aux());
        match event.kind() {
            EVENT_MESSAGE_START => {
                if !text.is_empty() {
                    self.model = text.into_owned();
                }
                if self.id.is_none() && !aux.is_empty() {
                    self.id = Some(aux.into_owned());
                }
                self.delta(event.sub(), json!({"role": "assistant", "content": ""}), piece);
            }
            EVENT_TEXT => self.delta(event.sub(), json!({"content": text}), piece),
            EVENT_THINKING => {
                let field = if aux == "reasoning" || aux == "reasoning_text" { &*aux } else { "reasoning_content" };
                self.delta(event.sub(), json!({ field: text }), piece);
            }
            EVENT_REFUSAL => self.delta(event.sub(), json!({"refusal": text}), piece),
            EVENT_THINKING_SIGNATURE => {
                // What signs thinking elsewhere has no place here.
                let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
                for details in values.map_while(Result::ok).filter(Value::is_array) {
                    self.delta(event.sub(), json!({"reasoning_details": details}), piece);
                }
            }
            EVENT_TOOL_BEGIN => {
                let call = self.begin(event.sub(), event.block(), &text, &aux);
                self.delta(event.sub(), json!({"tool_calls": [call]}), piece);
            }
            EVENT_TOOL_ARGUMENTS => {
                let known = self.calls.iter().find(|call| (call.sub, call.block) == (event.sub(), event.block()));
                if let Some(Call { index, .. }) = known {
                    let call = json!({"index": index, "function": {"arguments": text}});
                    self.delta(event.sub(), json!({"tool_calls": [call]}), piece);
                }
            }
            EVENT_OTHER_CONTENT => {
                let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return };
                if let ("audio", Value::Object(audio)) = (&*aux, &mut value) {
                    // It has come as text already.
                    audio.remove("transcript");
                    if audio.is_empty() {
                        return;
                    }
                }
                match &*aux {
                    "citations" => self.chunk(json!({"choices": [], "citations": value}), piece),
                    "annotations" | "images" | "audio" => self.delta(event.sub(), json!({ &*aux: value }), piece),
                    // A part of content that is a list; content of other dialects has another form.
                    _ if value["type"] == *aux => self.delta(event.sub(), json!({"content": [value]}), piece),
                    _ => {}
                }
            }
            EVENT_USAGE => self.count(event.block(), event.num()),
            EVENT_DONE => self.is_complete = true,
            EVENT_STOP => {
                self.is_complete = true;
                let choice = json!({"index": event.sub(), "delta": {}, "finish_reason": reason(event.num(), &text)});
                self.chunk(json!({"choices": [choice]}), piece);
            }
            EVENT_ERROR => {
                let error =
                    json!({"error": {"message": text, "type": error_type(event.num()), "param": null, "code": null}});
                if self.is_streamed {
                    write(&error, piece);
                } else {
                    self.whole.fail(error);
                }
            }
            _ => {}
        }
    }

    /// Writes the end.
    pub(super) fn finish(&mut self, piece: &mut String) {
        let usage = self.usage.take();
        if self.is_streamed {
            if let (true, Some(usage)) = (self.wants_usage, usage) {
                self.chunk(json!({"choices": [], "usage": usage}), piece);
            }
            // Without it, a client sees that the reply was cut.
            if self.is_complete {
                piece.push_str("data: [DONE]\n\n");
            }
        } else {
            let mut body = self.whole.take();
            if let Value::Object(body) = &mut body
                && !body.contains_key("error")
            {
                self.head(body, "chat.completion");
                body.extend(usage.map(|usage| ("usage".to_owned(), usage)));
            }
            piece.push_str(&body.to_string());
        }
    }

    /// The call as the wire has its beginning; what is said again of a call is only what is new.
    fn begin(&mut self, sub: u32, block: u32, name: &str, id: &str) -> Value {
        if let Some(call) = self.calls.iter_mut().find(|call| (call.sub, call.block) == (sub, block)) {
            let mut again = json!({"index": call.index});
            if !call.has_id && !id.is_empty() {
                call.has_id = true;
                again["id"] = json!(id);
            }
            if let Some(rest) = name.strip_prefix(&call.name).filter(|rest| !rest.is_empty()) {
                again["function"] = json!({"name": rest});
                name.clone_into(&mut call.name);
            }
            return again;
        }
        let index = self.calls.iter().filter(|call| call.sub == sub).count();
        self.calls.push(Call { sub, block, index, name: name.to_owned(), has_id: !id.is_empty() });
        let mut call = json!({"index": index, "type": "function", "function": {"name": name, "arguments": ""}});
        if !id.is_empty() {
            call["id"] = json!(id);
        }
        call
    }

    fn count(&mut self, counter: u32, count: i64) {
        let usage = self.usage.get_or_insert_with(|| json!({}));
        match counter {
            USAGE_INPUT => usage["prompt_tokens"] = json!(count),
            USAGE_OUTPUT => usage["completion_tokens"] = json!(count),
            USAGE_TOTAL => usage["total_tokens"] = json!(count),
            USAGE_REASONING => usage["completion_tokens_details"]["reasoning_tokens"] = json!(count),
            USAGE_CACHE_READ => usage["prompt_tokens_details"]["cached_tokens"] = json!(count),
            USAGE_CACHE_WRITE => usage["prompt_tokens_details"]["cache_write_tokens"] = json!(count),
            _ => {}
        }
    }

    fn delta(&mut self, sub: u32, delta: Value, piece: &mut String) {
        self.chunk(json!({"choices": [{"index": sub, "delta": delta, "finish_reason": null}]}), piece);
    }

    fn chunk(&mut self, mut chunk: Value, piece: &mut String) {
        if !self.is_streamed {
            return self.whole.add(chunk);
        }
        if let Value::Object(chunk) = &mut chunk {
            self.head(chunk, "chat.completion.chunk");
        }
        write(&chunk, piece);
    }

    fn head(&self, chunk: &mut Map<String, Value>, object: &str) {
        if let Some(id) = &self.id {
            chunk.insert("id".into(), json!(id));
        }
        chunk.insert("object".into(), json!(object));
        chunk.insert("created".into(), json!(self.created));
        chunk.insert("model".into(), json!(self.model));
    }
}

fn write(payload: &Value, piece: &mut String) {
    piece.push_str("data: ");
    piece.push_str(&payload.to_string());
    piece.push_str("\n\n");
}

/// The dialect's word: the provider's own, if it is one that clients of the dialect know.
fn reason(stop: i64, word: &str) -> &str {
    match (stop, word) {
        (STOP_LENGTH, _) => "length",
        (STOP_TOOL_USE, "function_call") => word,
        (STOP_TOOL_USE, _) => "tool_calls",
        (STOP_CONTENT_FILTER, _) => "content_filter",
        (STOP_ERROR, _) => "error",
        (STOP_OTHER, word) if !word.is_empty() => word,
        _ => "stop",
    }
}

const fn error_type(failure: i64) -> &'static str {
    match failure {
        FAILURE_RATE_LIMIT => "rate_limit_error",
        FAILURE_OVERLOADED => "overloaded_error",
        FAILURE_CONTEXT_OVERFLOW => "context_length_exceeded",
        FAILURE_AUTH => "authentication_error",
        FAILURE_INVALID_REQUEST => "invalid_request_error",
        FAILURE_CONTENT_FILTER => "content_filter",
        _ => "server_error",
    }
}
