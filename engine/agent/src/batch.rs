//! The tool calls of one reply while they run. Results are kept in the order of the calls, ends are reported as they come.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use crate::action::Action;
use crate::config::ToolMode;
use crate::kind;
use crate::limits::QUOTED_ARGUMENTS_BYTES;
use crate::message::{ToolCall, ToolResult, UserContent};
use crate::owned::OwnedEvent;

/// What a tool answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolOutput {
    /// What the model gets to read.
    pub content: Vec<UserContent>,
    /// Whether the call failed; the model is told, and the run goes on.
    pub is_error: bool,
}

impl ToolOutput {
    /// An answer in text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: parts(text.into()), is_error: false }
    }

    /// A failure in text.
    pub fn error(text: impl Into<String>) -> Self {
        Self { content: parts(text.into()), is_error: true }
    }

    pub(crate) fn not_executed(why: &str) -> Self {
        Self::error(format!("not executed: {why}"))
    }

    pub(crate) fn into_result(self, call: &ToolCall) -> ToolResult {
        ToolResult {
            tool_call_id: call.id.clone(),
            tool_name: call.name.clone(),
            content: self.content,
            is_error: self.is_error,
        }
    }
}

impl From<Result<String, String>> for ToolOutput {
    fn from(result: Result<String, String>) -> Self {
        match result {
            Ok(text) => Self::text(text),
            Err(text) => Self::error(text),
        }
    }
}

/// The calls of one reply.
#[derive(Debug)]
pub(crate) struct Batch {
    reply_json: Arc<String>,
    runs: Vec<Run>,
    mode: ToolMode,
    /// The first call that was not launched.
    next: usize,
    running: usize,
}

#[derive(Debug)]
struct Run {
    call: ToolCall,
    /// The fields `tool_call_id`, `tool_name` and `args` that every event of the run begins with.
    head: String,
    result: Option<ToolResult>,
}

impl Batch {
    pub(crate) fn new(reply_json: Arc<String>, calls: Vec<ToolCall>, mode: ToolMode) -> Self {
        let runs = calls.into_iter().map(|call| Run { head: head(&call), call, result: None }).collect();
        Self { reply_json, runs, mode, next: 0, running: 0 }
    }

    /// Launches what may run now. Calls that cannot run end at once, behind the starts of their siblings.
    pub(crate) fn launch(
        &mut self,
        tools: &[String],
        now_us: u64,
        events: &mut VecDeque<OwnedEvent>,
        actions: &mut VecDeque<Action>,
    ) {
        loop {
            let mut refused = Vec::new();
            while self.next < self.runs.len() && self.has_room(refused.len()) {
                let at = self.next;
                self.next += 1;
                events.push_back(self.event(at, kind::TOOL_EXECUTION_START, "", now_us));
                let call = &self.runs[at].call;
                match refusal(call, tools) {
                    Some(why) => refused.push((at, why)),
                    None => {
                        self.running += 1;
                        actions.push_back(Action::RunTool { call: call.clone() });
                    }
                }
            }
            if refused.is_empty() {
                return;
            }
            for (at, why) in refused {
                self.settle(at, ToolOutput::error(why), now_us, events);
            }
        }
    }

    pub(crate) fn handle_progress(
        &mut self,
        call_id: &str,
        text: &str,
        permille: Option<u32>,
        now_us: u64,
        events: &mut VecDeque<OwnedEvent>,
    ) -> bool {
        let Some(at) = self.find_running(call_id) else { return false };
        let progress = permille.map(|permille| format!(",\"progress_permille\":{permille}")).unwrap_or_default();
        let content = serde_json::to_string(&parts(text.to_owned())).unwrap_or_else(|_| "[]".to_owned());
        let tail = format!(",\"partial_result\":{{\"content\":{content}{progress}}}");
        let event = self.event(at, kind::TOOL_EXECUTION_UPDATE, &tail, now_us);
        events.push_back(event.with_place(at as u32, permille.map_or(-1, i64::from)));
        true
    }

    pub(crate) fn handle_result(
        &mut self,
        call_id: &str,
        output: ToolOutput,
        now_us: u64,
        events: &mut VecDeque<OwnedEvent>,
    ) -> bool {
        let Some(at) = self.find_running(call_id) else { return false };
        self.running -= 1;
        self.settle(at, output, now_us, events);
        true
    }

    /// Answers every open call with an error. Calls that were not launched have no start, and so get no end.
    pub(crate) fn abort(&mut self, now_us: u64, events: &mut VecDeque<OwnedEvent>) {
        for at in 0..self.next {
            if self.runs[at].result.is_none() {
                self.settle(at, ToolOutput::error("cancelled: the run was stopped"), now_us, events);
            }
        }
        for run in &mut self.runs[self.next..] {
            run.result = Some(ToolOutput::not_executed("the run was stopped").into_result(&run.call));
        }
        self.next = self.runs.len();
        self.running = 0;
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.running > 0
    }

    pub(crate) fn is_done(&self) -> bool {
        self.runs.iter().all(|run| run.result.is_some())
    }

    /// The JSON of the reply and the results in the order of its calls.
    pub(crate) fn take_results(&mut self) -> (Arc<String>, Vec<ToolResult>) {
        let results = self.runs.iter_mut().filter_map(|run| run.result.take()).collect();
        (Arc::clone(&self.reply_json), results)
    }

    fn has_room(&self, refused: usize) -> bool {
        match self.mode {
            ToolMode::Parallel => true,
            ToolMode::Sequential => self.running + refused == 0,
        }
    }

    fn find_running(&self, call_id: &str) -> Option<usize> {
        self.runs[..self.next].iter().position(|run| run.result.is_none() && run.call.id == call_id)
    }

    fn settle(&mut self, at: usize, output: ToolOutput, now_us: u64, events: &mut VecDeque<OwnedEvent>) {
        let is_error = output.is_error;
        let content = serde_json::to_string(&output.content).unwrap_or_else(|_| "[]".to_owned());
        let tail = format!(",\"result\":{{\"content\":{content}}},\"is_error\":{is_error}");
        let event = self.event(at, kind::TOOL_EXECUTION_END, &tail, now_us);
        events.push_back(event.with_place(at as u32, i64::from(is_error)));
        let run = &mut self.runs[at];
        run.result = Some(output.into_result(&run.call));
    }

    fn event(&self, at: usize, kind: u32, tail: &str, now_us: u64) -> OwnedEvent {
        let Run { call, head, .. } = &self.runs[at];
        let text = format!("{{{head}{tail}}}");
        OwnedEvent::new(kind, now_us).with_place(at as u32, 0).with_texts(text, call.id.clone())
    }
}

/// `text` as a JSON string.
pub(crate) fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

fn head(call: &ToolCall) -> String {
    // Line ends are blanks in JSON, but an event shall be one line.
    let one_line = match serde_json::from_str::<Value>(&call.arguments) {
        Ok(value) if call.arguments.contains(['\n', '\r']) => value.to_string(),
        _ => call.arguments.clone(),
    };
    format!("\"tool_call_id\":{},\"tool_name\":{},\"args\":{one_line}", quote(&call.id), quote(&call.name))
}

/// Why a call cannot be executed, in words that help the model to do better.
fn refusal(call: &ToolCall, tools: &[String]) -> Option<String> {
    if !tools.contains(&call.name) {
        let offer = if tools.is_empty() { "there are no tools".to_owned() } else { available(tools) };
        return Some(format!("not executed: there is no tool `{}`; {offer}", call.name));
    }
    let why = call.arguments_error.as_ref()?;
    let text = call.arguments_as_received();
    let mut end = text.len().min(QUOTED_ARGUMENTS_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let dots = if end < text.len() { "…" } else { "" };
    Some(format!("not executed: the arguments are not a JSON object ({why}); they were: {}{dots}", &text[..end]))
}

fn available(tools: &[String]) -> String {
    format!("available are: {}", tools.join(", "))
}

/// Providers refuse empty text parts, so that no text is no part.
fn parts(text: String) -> Vec<UserContent> {
    if text.is_empty() { Vec::new() } else { vec![UserContent::Text { text }] }
}
