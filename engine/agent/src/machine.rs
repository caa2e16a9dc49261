//! The agent loop as a state machine: prompt, reply, tools, reply, …, end.
//!
//! Inputs are `handle_*`, each with the time; outputs are [`Machine::poll_event`] (for the log) and
//! [`Machine::poll_action`] (for the driver). After every `handle_*` the driver appends all polled events, then the event
//! that [`Machine::handle_stream_event`] gave back, then does the polled actions. Retries are the driver's business: see
//! [`Machine::handle_stream_restart`].
//!
//! What holds on every path: exactly one `agent_end` a run; every tool call in the history has a result right behind it;
//! a call is executed only when its reply is complete, its arguments are a JSON object and its tool exists. Calls of a reply
//! that was cut (token limit, broken stream, error, abort) get an error result that says so, and the run ends.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;
use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_MESSAGE_START, EVENT_REDACTED_THINKING, EVENT_REFUSAL, EVENT_TEXT, EVENT_THINKING,
    EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, StreamEvent,
};

use crate::assembly::{Assembly, Change, End, Outcome};
use crate::batch::{Batch, quote};
use crate::failure::{Failure, FailureKind};
use crate::history::History;
use crate::kind;
use crate::message::{AssistantMessage, Message, ToolCall, ToolMessage, ToolResult, Usage};
use crate::owned::OwnedEvent;
use crate::stop::StopKind;

pub use crate::action::{Action, EndReason};
pub use crate::batch::ToolOutput;
pub use crate::config::{Config, ToolMode};

/// Why a prompt was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A run is going on.
    #[error("a run is going on; wait for its end or abort it before the next prompt")]
    Busy,
    /// A prompt holds a message that is not a user's, or an empty one.
    #[error("message {0} of the prompt is not a user's message with content")]
    NotAPrompt(usize),
    /// Without a prompt the history must end with something to answer.
    #[error("there is nothing to answer: the prompt is empty and the history does not end with a user or tool message")]
    NothingToAnswer,
}

/// A conversation and the run that is going on in it.
#[derive(Debug)]
pub struct Machine {
    config: Config,
    history: History,
    state: State,
    events: VecDeque<OwnedEvent>,
    actions: VecDeque<Action>,
    /// Messages that come in before the next request.
    steering: VecDeque<Message>,
    /// Messages that come in once the run would end.
    follow_ups: VecDeque<Message>,
    /// Place in the history where the run began.
    run_start: usize,
    turn: u32,
    usage: Usage,
    failure: Option<Failure>,
}

#[derive(Debug)]
enum State {
    Idle,
    Reply(Box<Reply>),
    Tools(Batch),
}

#[derive(Debug)]
struct Reply {
    assembly: Assembly,
    /// Whether its `message_start` is out.
    is_announced: bool,
}

impl Machine {
    /// A conversation that goes on from `history`, which is made valid as [`History::new`] says.
    #[must_use]
    pub fn new(config: Config, history: Vec<Message>) -> Self {
        Self {
            config,
            history: History::new(history),
            state: State::Idle,
            events: VecDeque::new(),
            actions: VecDeque::new(),
            steering: VecDeque::new(),
            follow_ups: VecDeque::new(),
            run_start: 0,
            turn: 0,
            usage: Usage::default(),
            failure: None,
        }
    }

    /// Begins a run. Without messages the end of the history is answered.
    ///
    /// # Errors
    /// When a run is going on, or there is nothing to answer; nothing changes then.
    pub fn handle_prompt(&mut self, messages: Vec<Message>, now_us: u64) -> Result<(), Error> {
        if self.is_running() {
            return Err(Error::Busy);
        }
        check_prompt(&messages)?;
        let last = self.history.entries().last().map(|entry| &*entry.message);
        if messages.is_empty() && self.steering.is_empty() && !matches!(last, Some(Message::User(_) | Message::Tool(_)))
        {
            return Err(Error::NothingToAnswer);
        }
        self.run_start = self.history.len();
        self.turn = 0;
        self.usage = Usage::default();
        self.failure = None;
        self.push_event(OwnedEvent::new(kind::AGENT_START, now_us));
        self.begin_turn(messages, now_us);
        Ok(())
    }

    /// Has a user's message come in before the next request: behind the tools that run now, in front of a run's first
    /// reply, and a run that would end goes on with it. One message a turn, in their order. What is left when a run fails,
    /// is stopped or may take no more turns waits for the next one.
    ///
    /// # Errors
    /// [`Error::NotAPrompt`] for what no user could have said.
    pub fn handle_steer(&mut self, message: Message) -> Result<(), Error> {
        check_prompt(std::slice::from_ref(&message))?;
        self.steering.push_back(message);
        Ok(())
    }

    /// As [`Machine::handle_steer`], but the message comes in only once the run would end otherwise.
    ///
    /// # Errors
    /// As there.
    pub fn handle_follow_up(&mut self, message: Message) -> Result<(), Error> {
        check_prompt(std::slice::from_ref(&message))?;
        self.follow_ups.push_back(message);
        Ok(())
    }

    /// Takes one event of the reply. Gives back the event that goes into the log behind the polled ones, with `block`
    /// turned into the place in the message; none where an engine event stands for it, or nobody waits for a reply.
    pub fn handle_stream_event<'e>(&mut self, event: &StreamEvent<'e>, now_us: u64) -> Option<StreamEvent<'e>> {
        let State::Reply(reply) = &mut self.state else { return None };
        if let Some(position) = reply.assembly.append(event) {
            return Some(event.with_block(position));
        }
        if !reply.is_announced {
            reply.is_announced = true;
            let json = start_json(announcement(&self.config, event));
            self.events.push_back(OwnedEvent::new(kind::MESSAGE_START, now_us).with_texts(json, "assistant"));
        }
        let position = reply.assembly.handle_event(event);
        report_changes(&mut reply.assembly, &mut self.events, now_us);
        match event.kind() {
            EVENT_MESSAGE_START => None,
            EVENT_TOOL_BEGIN | EVENT_BLOCK_END | EVENT_REDACTED_THINKING if event.sub() == 0 => None,
            EVENT_TEXT
            | EVENT_THINKING
            | EVENT_THINKING_SIGNATURE
            | EVENT_REFUSAL
            | EVENT_TOOL_ARGUMENTS
            | EVENT_TOOL_BEGIN
            | EVENT_BLOCK_END
            | EVENT_REDACTED_THINKING => position.map(|at| event.with_block(at)),
            // The engine's own kinds cannot come from a codec: one could feign the end of the run.
            kind::AGENT_START.. => None,
            _ => Some(*event),
        }
    }

    /// Forgets the reply so far, because the driver asks for it again. `false`, and nothing changes, once content has
    /// come: a reader has seen it.
    pub fn handle_stream_restart(&mut self) -> bool {
        let prefix = self.call_id_prefix();
        match &mut self.state {
            State::Reply(reply) if !reply.assembly.has_content() => {
                reply.assembly = Assembly::with_call_ids(prefix);
                true
            }
            _ => false,
        }
    }

    /// The stream of the reply has ended, or there was none. Ignored when nobody waits for a reply.
    pub fn handle_stream_end(&mut self, end: End, now_us: u64) {
        let Some(mut reply) = self.take_reply() else { return };
        if !reply.is_announced {
            let start = AssistantMessage { provider: self.config.provider.clone(), ..AssistantMessage::default() };
            self.push_message_event(kind::MESSAGE_START, "assistant", start_json(start), now_us);
        }
        let outcome = reply.assembly.finish(end);
        report_changes(&mut reply.assembly, &mut self.events, now_us);
        let mut message = reply.assembly.into_message();
        message.provider.clone_from(&self.config.provider);
        message.time_us = Some(now_us);
        self.usage.add(&message.usage);
        let calls: Vec<_> = message.tool_calls().cloned().collect();
        let (stop, error) = (message.stop_kind(), message.error.clone());
        let json = self.history.push(Message::Assistant(message));
        self.push_message_event(kind::MESSAGE_END, "assistant", Arc::clone(&json), now_us);

        let (reason, why) = match (outcome, stop) {
            (Outcome::Complete, Some(StopKind::Length)) => {
                (EndReason::Length, "the reply was cut by the limit on tokens")
            }
            (Outcome::Complete, Some(StopKind::ContentFilter)) => (EndReason::ContentFilter, "the reply was filtered"),
            (Outcome::Complete, _) if !calls.is_empty() => return self.begin_tools(json, calls, now_us),
            (Outcome::Complete, Some(StopKind::Pause)) => {
                self.push_turn_end(&json, &[], now_us);
                return self.continue_run(now_us);
            }
            (Outcome::Complete, _) if self.has_waiting() && self.turn < self.config.max_turns => {
                self.push_turn_end(&json, &[], now_us);
                if self.steering.is_empty() {
                    self.steering.extend(self.follow_ups.pop_front());
                }
                return self.continue_run(now_us);
            }
            (Outcome::Complete, _) => (EndReason::Complete, ""),
            (Outcome::Truncated, _) => (EndReason::Error, "the stream of the reply was cut"),
            (Outcome::Failed, _) => (EndReason::Error, "the reply ended with an error"),
            (Outcome::Aborted, _) => (EndReason::Aborted, "the run was stopped"),
        };
        let results: Vec<_> = calls.iter().map(|call| ToolOutput::not_executed(why).into_result(call)).collect();
        self.end_turn(&json, results, now_us);
        self.failure = match reason {
            EndReason::Aborted => Some(error.unwrap_or_else(stopped_by_caller)),
            _ => error,
        };
        self.end_run(reason, now_us);
    }

    /// A tool says how far it is. `false`, and nothing happens, when no such call runs.
    pub fn handle_tool_progress(&mut self, call_id: &str, text: &str, permille: Option<u32>, now_us: u64) -> bool {
        let State::Tools(batch) = &mut self.state else { return false };
        batch.handle_progress(call_id, text, permille, now_us, &mut self.events)
    }

    /// A tool has answered, failed or panicked. `false`, and nothing happens, when no such call runs.
    pub fn handle_tool_result(&mut self, call_id: &str, output: ToolOutput, now_us: u64) -> bool {
        let State::Tools(batch) = &mut self.state else { return false };
        let is_known = batch.handle_result(call_id, output, now_us, &mut self.events);
        if is_known {
            self.advance_tools(now_us);
        }
        is_known
    }

    /// Stops the run at once: what has come is kept, tools are cancelled and their calls answered with an error. Harmless
    /// when no run is going on, and when repeated.
    pub fn handle_abort(&mut self, now_us: u64) {
        self.actions.retain(|action| matches!(action, Action::Finished { .. }));
        match &mut self.state {
            State::Idle => {}
            State::Reply(_) => self.handle_stream_end(End::Aborted, now_us),
            State::Tools(batch) => {
                if batch.is_running() {
                    self.actions.push_back(Action::CancelTools);
                }
                batch.abort(now_us, &mut self.events);
                let (json, results) = batch.take_results();
                self.end_turn(&json, results, now_us);
                self.failure = Some(stopped_by_caller());
                self.end_run(EndReason::Aborted, now_us);
            }
        }
    }

    /// The next event for the log.
    pub fn poll_event(&mut self) -> Option<OwnedEvent> {
        self.events.pop_front()
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether a run is going on.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// The whole conversation.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// The messages that the current or last run added.
    pub fn run_messages(&self) -> impl Iterator<Item = &Message> {
        self.history.entries()[self.run_start..].iter().map(|entry| &*entry.message)
    }

    /// The last reply of the current or last run.
    #[must_use]
    pub fn last_reply(&self) -> Option<&AssistantMessage> {
        self.history.entries()[self.run_start..].iter().rev().find_map(|entry| match &*entry.message {
            Message::Assistant(reply) => Some(reply),
            Message::User(_) | Message::Tool(_) => None,
        })
    }

    /// The reply that is coming in, as far as it came. Copies it.
    #[must_use]
    pub fn partial_reply(&self) -> Option<AssistantMessage> {
        let State::Reply(reply) = &self.state else { return None };
        Some(AssistantMessage { provider: self.config.provider.clone(), ..reply.assembly.message() })
    }

    /// Tokens over all turns of the current or last run.
    #[must_use]
    pub const fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Number of the current or last turn of the run, from 1; 0 before the first run.
    #[must_use]
    pub const fn turn(&self) -> u32 {
        self.turn
    }

    /// What went wrong with the last run, if anything did.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Whether messages wait to come in.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        !(self.steering.is_empty() && self.follow_ups.is_empty())
    }

    /// Puts another conversation in the place of this one, made valid as [`History::new`] says. Messages that wait still
    /// wait. A run that is going on is forgotten.
    pub fn replace_history(&mut self, history: Vec<Message>) {
        let waiting = (std::mem::take(&mut self.steering), std::mem::take(&mut self.follow_ups));
        *self = Self::new(self.config.clone(), history);
        (self.steering, self.follow_ups) = waiting;
    }

    /// The configuration; a change holds for what has not begun yet.
    pub const fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Ends the conversation and gives its messages.
    #[must_use]
    pub fn into_messages(self) -> Vec<Message> {
        self.history.into_messages()
    }

    fn take_reply(&mut self) -> Option<Box<Reply>> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Reply(reply) => Some(reply),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// A turn is a reply with its tools; messages that wait go in front of it.
    fn begin_turn(&mut self, mut messages: Vec<Message>, now_us: u64) {
        messages.extend(self.steering.pop_front());
        self.turn += 1;
        self.push_event(OwnedEvent::new(kind::TURN_START, now_us).with_place(0, i64::from(self.turn)));
        for message in messages {
            self.push_whole_message(message, now_us);
        }
        let assembly = Assembly::with_call_ids(self.call_id_prefix());
        self.state = State::Reply(Box::new(Reply { assembly, is_announced: false }));
        self.actions.push_back(Action::SendRequest { turn: self.turn });
    }

    /// The one place where a run goes on after a turn.
    fn continue_run(&mut self, now_us: u64) {
        if self.turn < self.config.max_turns {
            return self.begin_turn(Vec::new(), now_us);
        }
        let message = format!(
            "the run was ended after {} turns (max_turns); raise the limit or prompt again to go on",
            self.turn
        );
        self.failure = Some(Failure::new(FailureKind::MaxTurns, message));
        self.end_run(EndReason::MaxTurns, now_us);
    }

    fn begin_tools(&mut self, reply_json: Arc<String>, calls: Vec<ToolCall>, now_us: u64) {
        self.state = State::Tools(Batch::new(reply_json, calls, self.config.tool_mode));
        self.advance_tools(now_us);
    }

    fn advance_tools(&mut self, now_us: u64) {
        let State::Tools(batch) = &mut self.state else { return };
        batch.launch(&self.config.tools, now_us, &mut self.events, &mut self.actions);
        if batch.is_done() {
            let (json, results) = batch.take_results();
            self.end_turn(&json, results, now_us);
            self.continue_run(now_us);
        }
    }

    /// Appends the results as one message and ends the turn.
    fn end_turn(&mut self, reply_json: &str, results: Vec<ToolResult>, now_us: u64) {
        if !results.is_empty() {
            let message = ToolMessage { content: results.clone(), time_us: Some(now_us) };
            self.push_whole_message(Message::Tool(message), now_us);
        }
        self.push_turn_end(reply_json, &results, now_us);
    }

    fn end_run(&mut self, reason: EndReason, now_us: u64) {
        let added = &self.history.entries()[self.run_start..];
        // Room for all, since a run may hold megabytes.
        let mut json = String::with_capacity(added.iter().map(|entry| entry.json.len() + 1).sum::<usize>() + 512);
        json.push_str("{\"messages\":[");
        for (number, entry) in added.iter().enumerate() {
            if number > 0 {
                json.push(',');
            }
            json.push_str(&entry.json);
        }
        json.push_str(&format!("],\"reason\":{},\"turns\":{}", quote(reason.as_str()), self.turn));
        json.push_str(&format!(",\"usage\":{}", to_json(&self.usage)));
        if let Some(failure) = &self.failure {
            json.push_str(&format!(",\"error\":{}", to_json(failure)));
        }
        json.push('}');
        self.state = State::Idle;
        self.push_event(OwnedEvent::new(kind::AGENT_END, now_us).with_texts(json, reason.as_str()));
        self.actions.push_back(Action::Finished { reason });
    }

    fn push_turn_end(&mut self, reply_json: &str, results: &[ToolResult], now_us: u64) {
        let json = format!("{{\"message\":{reply_json},\"tool_results\":{}}}", to_json(&results));
        let event = OwnedEvent::new(kind::TURN_END, now_us).with_place(0, i64::from(self.turn)).with_texts(json, "");
        self.push_event(event);
    }

    /// A message that does not come in pieces begins and ends at once.
    fn push_whole_message(&mut self, message: Message, now_us: u64) {
        let role = message.role();
        let json = self.history.push(message);
        self.push_message_event(kind::MESSAGE_START, role, Arc::clone(&json), now_us);
        self.push_message_event(kind::MESSAGE_END, role, json, now_us);
    }

    fn push_message_event(&mut self, kind: u32, role: &'static str, json: Arc<String>, now_us: u64) {
        self.push_event(OwnedEvent::new(kind, now_us).with_texts(json, role));
    }

    fn push_event(&mut self, event: OwnedEvent) {
        self.events.push_back(event);
    }

    /// The history only grows, so that its length makes ids unique in the conversation.
    fn call_id_prefix(&self) -> String {
        format!("call_{}_", self.history.len())
    }
}

/// Refuses messages that no user could have said.
///
/// # Errors
/// [`Error::NotAPrompt`] with the place of the first one.
pub fn check_prompt(messages: &[Message]) -> Result<(), Error> {
    match messages.iter().position(|message| !(matches!(message, Message::User(_)) && message.is_sendable())) {
        Some(wrong) => Err(Error::NotAPrompt(wrong)),
        None => Ok(()),
    }
}

/// The reply as known from its first event.
fn announcement(config: &Config, event: &StreamEvent<'_>) -> AssistantMessage {
    let mut first = Assembly::new();
    if event.kind() == EVENT_MESSAGE_START {
        first.handle_event(event);
    }
    AssistantMessage { provider: config.provider.clone(), ..first.message() }
}

fn start_json(message: AssistantMessage) -> Arc<String> {
    Message::Assistant(message).to_json().into()
}

fn report_changes(assembly: &mut Assembly, events: &mut VecDeque<OwnedEvent>, now_us: u64) {
    while let Some(change) = assembly.poll_change() {
        let (kind, position) = match change {
            Change::BlockStart { position } => (kind::BLOCK_START, position),
            Change::BlockEnd { position } => (kind::BLOCK_END, position),
        };
        let Some(block) = assembly.block(position) else { continue };
        let text = match (kind, block.call) {
            (kind::BLOCK_START, _) => block.name.to_owned(),
            (_, Some(call)) => to_json(call),
            (_, None) => block.text.into_owned(),
        };
        let event = OwnedEvent::new(kind, now_us).with_place(position, i64::from(block.block_type));
        events.push_back(event.with_texts(text, block.id.to_owned()));
    }
}

fn stopped_by_caller() -> Failure {
    Failure::new(FailureKind::Aborted, "the caller stopped the run")
}

/// Of our own types, which hold nothing that can fail to serialise; an empty object keeps the event valid regardless.
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}
