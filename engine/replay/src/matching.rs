//! Finds the exchange that answers a request, or the words that say why there is none.

use serde_json::json;

use crate::check::differences;
use crate::conversation::Conversation;
use crate::recording::{Exchange, Recording, Value};

/// Why a request gets no recorded reply.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// JSON body, in a form that readers of both dialect families take for an error.
    pub body: String,
}

impl Refusal {
    fn new(status: u16, message: &str, more: Value) -> Self {
        let mut error = json!({"type": "replay_error", "code": status, "message": message});
        if let (Some(error), Value::Object(more)) = (error.as_object_mut(), more) {
            error.extend(more);
        }
        Self { status, body: json!({"type": "error", "error": error}).to_string() }
    }

    /// The server has no exchange at all.
    pub(crate) fn nothing_recorded() -> Self {
        Self::new(404, "the server was started without a recording", Value::Null)
    }
}

/// Finds the exchange for a request by its path, its last user text and the assistant turns after it.
pub(crate) fn find<'r>(recordings: &'r [Recording], path: &str, body: &[u8]) -> Result<&'r Exchange, Refusal> {
    let path = path.split('?').next().unwrap_or_default();
    let of_path: Vec<&Recording> =
        recordings.iter().filter(|r| r.exchanges.iter().any(|exchange| exchange.request.path == path)).collect();
    if of_path.is_empty() {
        let mut paths: Vec<&str> =
            recordings.iter().flat_map(|r| r.exchanges.iter().map(|e| e.request.path.as_str())).collect();
        paths.sort_unstable();
        paths.dedup();
        let message = format!("no recording has the path {path:?}; recorded paths: {}", paths.join(", "));
        return Err(Refusal::new(404, &message, json!({"paths": paths})));
    }
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::new(400, &format!("the request body is not JSON: {error}"), Value::Null))?;
    let conversation = Conversation::read(&body);
    let Some(prompt) = &conversation.prompt else {
        return Err(Refusal::new(400, "the request has no user message with text", Value::Null));
    };
    let Some(recording) = of_path.iter().find(|recording| recording.prompt.trim() == prompt.trim()) else {
        let prompts: Vec<&str> = of_path.iter().map(|recording| recording.prompt.as_str()).collect();
        let message = format!("no recording answers this prompt; recorded prompts:\n  {}", prompts.join("\n  "));
        return Err(Refusal::new(404, &message, json!({"prompts": prompts})));
    };
    let turn = conversation.turns;
    let Some(exchange) = recording.exchanges.get(turn) else {
        let message = format!(
            "the recording {} has {} exchanges and this is request {} of the conversation",
            recording.name,
            recording.exchanges.len(),
            turn + 1
        );
        return Err(Refusal::new(400, &message, Value::Null));
    };
    let expect = exchange.request.expect.clone().unwrap_or_default();
    let found = differences(&conversation, &expect);
    if found.is_empty() {
        return Ok(exchange);
    }
    let mut message = format!("the request differs from exchange {} of the recording {}:", turn + 1, recording.name);
    for difference in &found {
        message.push_str(&format!("\n  {difference}"));
    }
    let diff: Vec<Value> = found.iter().map(crate::check::Difference::to_json).collect();
    Err(Refusal::new(400, &message, json!({"diff": diff})))
}
