//! Drives a machine as a runtime would, and checks the laws that hold for every run.

use serde_json::Value;
use thalweg_abi::types::{
    EVENT_DONE, EVENT_ERROR, EVENT_STOP, EVENT_TEXT, EVENT_THINKING, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, STOP_END,
    STOP_TOOL_USE, StreamEvent,
};
use thalweg_agent::assembly::End;
use thalweg_agent::event::{AgentEvent, EventView};
use thalweg_agent::machine::{Action, Approval, Config, Decision, EndReason, Machine, ToolOutput};
use thalweg_agent::message::{ContentBlock, Failure, FailureKind, Message};

/// A machine, the log of its run as JSON, and the actions that it asked for.
pub(crate) struct Driver {
    pub(crate) machine: Machine,
    pub(crate) log: Vec<Value>,
    pub(crate) actions: Vec<Action>,
    now_us: u64,
}

impl Driver {
    pub(crate) fn new(config: Config) -> Self {
        Self { machine: Machine::new(config, Vec::new()), log: Vec::new(), actions: Vec::new(), now_us: 0 }
    }

    /// A machine with these tools, prompted.
    pub(crate) fn prompted(tools: &[&str]) -> Self {
        let mut driver = Self::new(config(tools));
        driver.prompt("hi");
        driver
    }

    pub(crate) fn prompt(&mut self, text: &str) {
        let now = self.tick();
        self.machine.handle_prompt(vec![Message::user(text)], now).unwrap();
        self.drain();
    }

    pub(crate) fn feed(&mut self, events: &[StreamEvent<'_>]) -> &mut Self {
        for event in events {
            let now = self.tick();
            let forwarded = self.machine.handle_stream_event(event, now);
            self.drain();
            if let Some(event) = forwarded {
                self.append(&event, now);
            }
        }
        self
    }

    pub(crate) fn end(&mut self, end: End) -> &mut Self {
        let now = self.tick();
        self.machine.handle_stream_end(end, now);
        self.drain();
        self
    }

    pub(crate) fn reply(&mut self, events: &[StreamEvent<'_>]) -> &mut Self {
        self.feed(events).end(End::Eof)
    }

    pub(crate) fn progress(&mut self, call_id: &str, text: &str, permille: Option<u32>) -> bool {
        let now = self.tick();
        let is_known = self.machine.handle_tool_progress(call_id, text, permille, now);
        self.drain();
        is_known
    }

    pub(crate) fn result(&mut self, call_id: &str, output: ToolOutput) -> bool {
        let now = self.tick();
        let is_known = self.machine.handle_tool_result(call_id, output, now);
        self.drain();
        is_known
    }

    /// Nobody drives the run any more.
    pub(crate) fn lose(&mut self) {
        let now = self.tick();
        self.machine.handle_loss(Failure::new(FailureKind::Other, "lost"), now);
        self.drain();
        assert!(!self.machine.is_running());
    }

    pub(crate) fn waits(&mut self, call_id: &str) -> bool {
        let now = self.tick();
        let is_known = self.machine.handle_tool_waiting(call_id, now);
        self.drain();
        is_known
    }

    pub(crate) fn decide(&mut self, decision: Decision) {
        let now = self.tick();
        self.machine.handle_decision(Ok(decision), now);
        self.drain();
    }

    pub(crate) fn steer(&mut self, text: &str) {
        self.machine.handle_steer(Message::user(text)).unwrap();
        self.steered();
    }

    pub(crate) fn steered(&mut self) {
        let now = self.tick();
        self.machine.handle_steering(now);
        self.drain();
    }

    /// Nothing happens where nothing waits.
    pub(crate) fn approve(&mut self, decisions: Vec<(String, Approval)>) {
        let now = self.tick();
        let waits = self.machine.pending().is_some() && !self.machine.is_running();
        assert_eq!(self.machine.handle_approvals(decisions, now).is_ok(), waits);
        self.drain();
    }

    pub(crate) fn abort(&mut self) -> &mut Self {
        let now = self.tick();
        self.machine.handle_abort(now);
        self.drain();
        self
    }

    /// Why the last run ended; none while it goes on.
    pub(crate) fn reason(&self) -> Option<EndReason> {
        match self.actions.last() {
            Some(Action::Finished { reason }) => Some(*reason),
            _ => None,
        }
    }

    /// Ids of the calls that were to be run.
    pub(crate) fn launched(&self) -> Vec<String> {
        let id = |action: &Action| match action {
            Action::RunTool { call, .. } => Some(call.id.clone()),
            _ => None,
        };
        self.actions.iter().filter_map(id).collect()
    }

    /// The log, one short word an event.
    pub(crate) fn story(&self) -> Vec<String> {
        self.log.iter().map(word).collect()
    }

    /// The events of one type.
    pub(crate) fn events_of(&self, event_type: &str) -> Vec<&Value> {
        self.log.iter().filter(|event| event["type"] == event_type).collect()
    }

    fn tick(&mut self) -> u64 {
        self.now_us += 1;
        self.now_us
    }

    pub(crate) fn drain(&mut self) {
        while let Some(event) = self.machine.poll_event() {
            self.append(&event.as_event(), event.time_us);
        }
        while let Some(action) = self.machine.poll_action() {
            self.actions.push(action);
        }
    }

    /// Both forms of an event must agree, and be one line of JSON.
    fn append(&mut self, event: &StreamEvent<'_>, time_us: u64) {
        let event = event.with_seq(self.log.len() as u64);
        let Some(view) = EventView::decode(&event) else {
            assert_eq!(AgentEvent::decode(&event, time_us), None);
            return;
        };
        let mut json = Vec::new();
        view.write_json(event.seq(), time_us, &mut json);
        assert!(!json.contains(&b'\n'), "an event of several lines: {}", String::from_utf8_lossy(&json));
        let value: Value = serde_json::from_slice(&json).unwrap();
        let owned = AgentEvent::decode(&event, time_us).expect("the owned form");
        assert_eq!(serde_json::to_value(&owned).unwrap(), value);
        assert_eq!(value["type"], view.event_type());
        self.log.push(value);
    }
}

/// What must hold whenever the run is over.
pub(crate) fn check_laws(driver: &Driver) {
    check_log(driver);
    check_history(driver);
}

fn check_log(driver: &Driver) {
    let mut open_runs = 0;
    let mut open_turns = 0;
    let mut open_message: Option<&str> = None;
    let mut open_blocks: Vec<u64> = Vec::new();
    let mut open_tools: Vec<&str> = Vec::new();
    for event in &driver.log {
        let event_type = event["type"].as_str().unwrap();
        assert!(open_runs == 1 || event_type == "agent_start", "{event_type} outside of a run");
        match event_type {
            "agent_start" => open_runs += 1,
            "turn_start" => open_turns += 1,
            "message_start" => {
                assert_eq!(open_message, None);
                open_message = event["message"]["role"].as_str();
            }
            "message_update" => {
                assert_eq!(open_message, Some("assistant"));
                let step = &event["assistant_message_event"];
                let (name, index) = (step["type"].as_str().unwrap(), step["content_index"].as_u64().unwrap());
                if name.ends_with("_start") {
                    assert!(!open_blocks.contains(&index), "block {index} begins twice");
                    open_blocks.push(index);
                } else {
                    assert!(open_blocks.contains(&index), "{name} outside of block {index}");
                    if name.ends_with("_end") {
                        open_blocks.retain(|open| *open != index);
                    }
                }
            }
            "message_end" => {
                assert_eq!(open_message, event["message"]["role"].as_str());
                assert!(open_blocks.is_empty(), "blocks {open_blocks:?} are still open");
                open_message = None;
            }
            "tool_execution_start" => open_tools.push(event["tool_call_id"].as_str().unwrap()),
            "tool_execution_update" => assert!(open_tools.contains(&event["tool_call_id"].as_str().unwrap())),
            "tool_execution_end" => {
                let before = open_tools.len();
                open_tools.retain(|open| *open != event["tool_call_id"]);
                assert_eq!(open_tools.len() + 1, before, "a tool ends that has not begun");
            }
            "turn_end" => {
                assert!(open_tools.is_empty() && open_message.is_none());
                open_turns -= 1;
                assert_eq!(open_turns, 0);
            }
            "agent_end" => {
                assert_eq!(open_turns, 0, "a turn is still open");
                open_runs -= 1;
            }
            other => panic!("an event of type {other}"),
        }
    }
    let finished = driver.actions.iter().filter(|action| matches!(action, Action::Finished { .. })).count();
    assert_eq!(driver.events_of("agent_start").len(), driver.events_of("agent_end").len() + open_runs);
    assert_eq!(driver.events_of("agent_end").len(), finished);
    assert_eq!(open_runs == 1, driver.machine.is_running());
}

/// Every call is answered once, right behind its reply and in its order; arguments are objects; JSON and message agree.
fn check_history(driver: &Driver) {
    let entries = driver.machine.history().entries();
    for (number, entry) in entries.iter().enumerate() {
        let read: Message = serde_json::from_str(&entry.json).unwrap();
        assert_eq!(read, *entry.message);
        let next = entries.get(number + 1).map(|next| &*next.message);
        match &*entry.message {
            Message::User(_) | Message::Custom(_) => {}
            Message::Tool(_) => assert!(number > 0 && matches!(*entries[number - 1].message, Message::Assistant(_))),
            Message::Assistant(reply) => {
                let calls: Vec<_> = reply.tool_calls().map(|call| call.id.as_str()).collect();
                for call in reply.tool_calls() {
                    assert!(!call.id.is_empty() && !call.name.is_empty());
                    assert!(serde_json::from_str::<Value>(&call.arguments).unwrap().is_object());
                }
                let mut distinct = calls.clone();
                distinct.sort_unstable();
                distinct.dedup();
                assert_eq!(distinct.len(), calls.len(), "two calls with one id");
                let answered: Vec<_> = match next {
                    Some(Message::Tool(tool)) => tool.content.iter().map(|r| r.tool_call_id.as_str()).collect(),
                    None if driver.machine.is_running() || driver.machine.pending().is_some() => continue,
                    _ => Vec::new(),
                };
                assert_eq!(answered, calls, "calls and results do not match");
                assert!(reply.stop_reason.is_some());
            }
        }
    }
}

pub(crate) fn config(tools: &[&str]) -> Config {
    Config {
        provider: Some("test".into()),
        tools: tools.iter().map(|&name| name.to_owned()).collect(),
        ..Config::default()
    }
}

pub(crate) fn text(block: u32, text: &str) -> StreamEvent<'_> {
    StreamEvent::new(EVENT_TEXT).with_block(block).with_text(text.as_bytes())
}

pub(crate) fn thinking(block: u32, text: &str) -> StreamEvent<'_> {
    StreamEvent::new(EVENT_THINKING).with_block(block).with_text(text.as_bytes())
}

pub(crate) fn begin<'a>(block: u32, id: &'a str, name: &'a str) -> StreamEvent<'a> {
    StreamEvent::new(EVENT_TOOL_BEGIN).with_block(block).with_text(name.as_bytes()).with_aux(id.as_bytes())
}

pub(crate) fn arguments(block: u32, text: &str) -> StreamEvent<'_> {
    StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_block(block).with_text(text.as_bytes())
}

pub(crate) fn stop(num: i64, raw: &str) -> StreamEvent<'_> {
    StreamEvent::new(EVENT_STOP).with_num(num).with_text(raw.as_bytes())
}

pub(crate) fn stop_end() -> StreamEvent<'static> {
    stop(STOP_END, "stop")
}

pub(crate) fn stop_tools() -> StreamEvent<'static> {
    stop(STOP_TOOL_USE, "tool_calls")
}

pub(crate) fn done() -> StreamEvent<'static> {
    StreamEvent::new(EVENT_DONE)
}

pub(crate) fn error(num: i64, message: &str) -> StreamEvent<'_> {
    StreamEvent::new(EVENT_ERROR).with_num(num).with_text(message.as_bytes())
}

/// The tool calls of a message: id and arguments.
pub(crate) fn calls(message: &Message) -> Vec<(String, String)> {
    let Message::Assistant(reply) = message else { return Vec::new() };
    reply
        .content
        .iter()
        .filter_map(|block| match block {
            ContentBlock::ToolCall(call) => Some((call.id.clone(), call.arguments.clone())),
            _ => None,
        })
        .collect()
}

fn word(event: &Value) -> String {
    let word = event["type"].as_str().unwrap();
    let field = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    match word {
        "message_start" | "message_end" => format!("{word}({})", event["message"]["role"].as_str().unwrap()),
        "message_update" => {
            let step = &event["assistant_message_event"];
            let (name, index) = (step["type"].as_str().unwrap(), &step["content_index"]);
            match step.get("delta").or_else(|| step.get("content")).or_else(|| step["tool_call"].get("arguments")) {
                Some(text) => format!("{name}({index},{})", text.as_str().unwrap()),
                None => format!("{name}({index})"),
            }
        }
        "tool_execution_start" | "tool_execution_update" => format!("{word}({})", field("tool_call_id")),
        "tool_execution_end" => format!("{word}({},{})", field("tool_call_id"), event["is_error"]),
        "agent_end" => format!("{word}({})", field("reason")),
        _ => word.to_owned(),
    }
}
