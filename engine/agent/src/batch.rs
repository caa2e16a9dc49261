//! The tool calls of one reply while they run. Results are kept in the order of the calls, ends are reported as they come.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use crate::action::Action;
use crate::config::{Config, ToolMode};
use crate::kind;
use crate::limits::QUOTED_ARGUMENTS_BYTES;
use crate::message::{ToolCall, ToolResult, UserContent};
use crate::owned::OwnedEvent;

/// What a tool answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolOutput {
    /// What the model gets to read.
    pub content: Vec<UserContent>,
    /// Whether the call failed; the model is told, and the run goes on.
    pub is_error: bool,
    /// What the tool has for the program and not for the model.
    pub details: Option<Value>,
    /// Whether the run ends once the calls that run with it are done.
    pub terminate: bool,
}

impl ToolOutput {
    /// An answer in text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: parts(text.into()), ..Self::default() }
    }

    /// A failure in text.
    pub fn error(text: impl Into<String>) -> Self {
        Self { content: parts(text.into()), is_error: true, ..Self::default() }
    }

    /// An answer of several parts, such as a text and an image.
    #[must_use]
    pub const fn parts(content: Vec<UserContent>) -> Self {
        Self { content, is_error: false, details: None, terminate: false }
    }

    /// The same answer with something for the program: it stands in the events and in the conversation, and is not sent.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// The same answer, and the run ends: calls that run beside it are waited for, those that have not begun are not
    /// executed, and the model is not asked again.
    #[must_use]
    pub const fn terminating(mut self) -> Self {
        self.terminate = true;
        self
    }

    /// All text parts, joined.
    #[must_use]
    pub fn joined_text(&self) -> String {
        self.content.iter().filter_map(UserContent::as_text).collect()
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
            details: self.details,
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

const TERMINATED: &str = "not executed: the run was ended by another tool";

/// The calls of one reply.
#[derive(Debug)]
pub(crate) struct Batch {
    reply_json: Arc<String>,
    runs: Vec<Run>,
    /// Calls that may run at once.
    at_once: usize,
    /// The first call that was not launched.
    next: usize,
    running: usize,
    /// Whether a tool has ended the run.
    is_terminated: bool,
}

#[derive(Debug)]
struct Run {
    call: ToolCall,
    /// The fields `tool_call_id`, `tool_name` and `args` that every event of the run begins with.
    head: String,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It has not begun; the answer is there already where it shall not run.
    Planned {
        answer: Option<ToolOutput>,
        is_approved: bool,
    },
    Running,
    /// A person has to say whether it may run.
    Waiting,
    Done(ToolResult),
}

/// What a call comes with.
pub(crate) enum Plan {
    /// It runs if it can.
    Run,
    /// A person said that it may, perhaps with other arguments.
    Approved(Option<Value>),
    /// This is its answer.
    Answer(ToolOutput),
    /// It was answered in an earlier run.
    Known(ToolResult),
    /// It still waits for a person.
    Wait,
}

impl Batch {
    pub(crate) fn new(reply_json: Arc<String>, calls: Vec<(ToolCall, Plan)>, config: &Config) -> Self {
        let runs = calls.into_iter().map(|(call, plan)| Run::new(call, plan)).collect();
        let at_once = match config.tool_mode {
            ToolMode::Parallel => config.tools_at_once.map_or(usize::MAX, |most| most.max(1) as usize),
            ToolMode::Sequential => 1,
        };
        Self { reply_json, runs, at_once, next: 0, running: 0, is_terminated: false }
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
            let mut answered = Vec::new();
            while self.next < self.runs.len() && self.running + answered.len() < self.at_once {
                let at = self.next;
                self.next += 1;
                let State::Planned { answer, is_approved } = &mut self.runs[at].state else { continue };
                let (answer, is_approved) = (answer.take(), *is_approved);
                self.runs[at].state = State::Running;
                events.push_back(self.event(at, kind::TOOL_EXECUTION_START, "", now_us));
                let call = &self.runs[at].call;
                match answer.or_else(|| refusal(call, tools).map(ToolOutput::error)) {
                    Some(output) => answered.push((at, output)),
                    None => {
                        self.running += 1;
                        actions.push_back(Action::RunTool { call: call.clone(), is_approved });
                    }
                }
            }
            if answered.is_empty() {
                return;
            }
            for (at, output) in answered {
                self.settle(at, output, now_us, events);
            }
        }
    }

    /// Answers the calls that have not begun, and those that run as well if told so, with an error.
    pub(crate) fn skip(&mut self, why: &str, and_running: bool, now_us: u64, events: &mut VecDeque<OwnedEvent>) {
        for at in 0..self.runs.len() {
            match &self.runs[at].state {
                State::Running if and_running => self.settle(at, ToolOutput::error(why), now_us, events),
                State::Planned { .. } => {
                    events.push_back(self.event(at, kind::TOOL_EXECUTION_START, "", now_us));
                    self.settle(at, ToolOutput::error(why), now_us, events);
                }
                _ => {}
            }
        }
        self.next = self.runs.len();
        if and_running {
            self.running = 0;
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
        self.is_terminated |= output.terminate;
        self.settle(at, output, now_us, events);
        if self.is_terminated {
            self.skip(TERMINATED, false, now_us, events);
            for run in self.runs.iter_mut().filter(|run| matches!(run.state, State::Waiting)) {
                // Its end was told when it began to wait.
                run.state = State::Done(ToolOutput::error(TERMINATED).into_result(&run.call));
            }
        }
        true
    }

    /// A person has to say whether the call may run.
    pub(crate) fn handle_waiting(&mut self, call_id: &str, now_us: u64, events: &mut VecDeque<OwnedEvent>) -> bool {
        let Some(at) = self.find_running(call_id) else { return false };
        self.running -= 1;
        if self.is_terminated {
            self.settle(at, ToolOutput::error(TERMINATED), now_us, events);
            return true;
        }
        self.runs[at].state = State::Waiting;
        let tail = ",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"waiting for approval\"}]},\
                    \"is_error\":false,\"is_waiting\":true";
        let event = self.event(at, kind::TOOL_EXECUTION_END, tail, now_us);
        events.push_back(event.with_place(at as u32, 0));
        true
    }

    /// Answers every open call with an error. Calls that were not launched have no start, and so get no end.
    pub(crate) fn abort(&mut self, now_us: u64, events: &mut VecDeque<OwnedEvent>) {
        for at in 0..self.runs.len() {
            if matches!(self.runs[at].state, State::Running) {
                self.settle(at, ToolOutput::error("cancelled: the run was stopped"), now_us, events);
            }
        }
        for run in &mut self.runs {
            if matches!(run.state, State::Planned { .. } | State::Waiting) {
                let output = ToolOutput::not_executed("the run was stopped");
                run.state = State::Done(output.into_result(&run.call));
            }
        }
        self.next = self.runs.len();
        self.running = 0;
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.running > 0
    }

    pub(crate) const fn is_terminated(&self) -> bool {
        self.is_terminated
    }

    /// Whether nothing runs and nothing is to be launched.
    pub(crate) fn is_done(&self) -> bool {
        self.running == 0 && self.next == self.runs.len()
    }

    /// The JSON of the reply, the results in the order of its calls, and the calls that wait for a person.
    pub(crate) fn take_results(&mut self) -> (Arc<String>, Vec<ToolResult>, Vec<ToolCall>) {
        let (mut results, mut waiting) = (Vec::new(), Vec::new());
        for run in std::mem::take(&mut self.runs) {
            match run.state {
                State::Done(result) => results.push(result),
                _ => waiting.push(run.call),
            }
        }
        (Arc::clone(&self.reply_json), results, waiting)
    }

    fn find_running(&self, call_id: &str) -> Option<usize> {
        self.runs[..self.next].iter().position(|run| matches!(run.state, State::Running) && run.call.id == call_id)
    }

    fn settle(&mut self, at: usize, output: ToolOutput, now_us: u64, events: &mut VecDeque<OwnedEvent>) {
        let is_error = output.is_error;
        let content = serde_json::to_string(&output.content).unwrap_or_else(|_| "[]".to_owned());
        let details = output.details.as_ref().map(|details| format!(",\"details\":{details}")).unwrap_or_default();
        let terminate = if output.terminate { ",\"terminate\":true" } else { "" };
        let tail = format!(",\"result\":{{\"content\":{content}{details}{terminate}}},\"is_error\":{is_error}");
        let event = self.event(at, kind::TOOL_EXECUTION_END, &tail, now_us);
        events.push_back(event.with_place(at as u32, i64::from(is_error)));
        let run = &mut self.runs[at];
        run.state = State::Done(output.into_result(&run.call));
    }

    fn event(&self, at: usize, kind: u32, tail: &str, now_us: u64) -> OwnedEvent {
        let Run { call, head, .. } = &self.runs[at];
        let text = format!("{{{head}{tail}}}");
        OwnedEvent::new(kind, now_us).with_place(at as u32, 0).with_texts(text, call.id.clone())
    }
}

impl Run {
    fn new(mut call: ToolCall, plan: Plan) -> Self {
        let state = match plan {
            Plan::Run => State::Planned { answer: None, is_approved: false },
            Plan::Approved(arguments) => {
                if let Some(arguments) = arguments {
                    call.arguments = arguments.to_string();
                    call.arguments_error = (!arguments.is_object()).then(|| "not a JSON object".to_owned());
                }
                State::Planned { answer: None, is_approved: true }
            }
            Plan::Answer(output) => State::Planned { answer: Some(output), is_approved: false },
            Plan::Known(result) => State::Done(result),
            Plan::Wait => State::Waiting,
        };
        Self { head: head(&call), call, state }
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
    if text.is_empty() { Vec::new() } else { vec![UserContent::text(text)] }
}
