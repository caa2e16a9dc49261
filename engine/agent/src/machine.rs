//! The agent loop as a state machine: prompt, reply, tools, reply, …, end.
//!
//! Inputs are `handle_*`, each with the time; outputs are [`Machine::poll_event`] (for the log) and
//! [`Machine::poll_action`] (for the driver). After every `handle_*` the driver appends all polled events, then the event
//! that [`Machine::handle_stream_event`] gave back, then does the polled actions. Retries are the driver's business: see
//! [`Machine::handle_stream_restart`].
//!
//! What holds on every path: exactly one `agent_end` a run; every tool call in the history has a result right behind it;
//! a call is executed only when its reply is complete, its arguments are a JSON object and its tool exists. Calls of a reply
//! that was cut (token limit, broken stream, error, abort) get an error result that says so, and the run ends. The one
//! exception has a name: calls that wait for a person are [`Pending`], and have their results before anything is sent.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thalweg_abi::types::{
    EVENT_BLOCK_END, EVENT_MESSAGE_START, EVENT_REDACTED_THINKING, EVENT_REFUSAL, EVENT_TEXT, EVENT_THINKING,
    EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, FLAG_SPEAKER, StreamEvent,
};

use crate::assembly::{Assembly, Change, End, Outcome};
use crate::batch::{Batch, Plan, quote};
use crate::failure::{Failure, FailureKind};
use crate::history::{History, complete};
use crate::kind;
use crate::message::{AssistantMessage, Message, ToolCall, ToolMessage, ToolResult, Usage};
use crate::owned::OwnedEvent;
use crate::stop::StopKind;

pub use crate::action::{Action, EndReason};
pub use crate::approval::{Approval, Pending};
pub use crate::batch::ToolOutput;
pub use crate::config::{Config, OnRepeat, QueueMode, RepeatLimit, Steering, ToolMode};

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
    /// No call waits for a person.
    #[error("no tool call waits for approval")]
    NothingPending,
    /// A decision is about a call that does not wait.
    #[error("decision {0} is about a tool call that does not wait for approval")]
    NotPending(usize),
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
    /// Calls of the last reply that wait for a person; only between runs.
    pending: Option<Pending>,
    repeats: Repeats,
}

#[derive(Debug)]
enum State {
    Idle,
    Reply(Box<Reply>),
    Tools(Batch),
    /// The turn is over; the driver says whether the run goes on.
    Deciding(Next),
}

/// Whose messages come in in front of the next turn.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// Those that steer.
    Steering,
    /// Those as well that follow up, since the run would end otherwise.
    Anything,
}

/// The last call, and how often it was made in a row.
#[derive(Debug, Default)]
struct Repeats {
    last: Option<(String, Value)>,
    count: u32,
}

impl Repeats {
    /// How often this call was made in a row, with this time.
    fn count(&mut self, call: &ToolCall) -> u32 {
        // Wrong arguments are the same ones where their text is; the order of keys does not matter elsewhere.
        let text = call.arguments_as_received();
        let arguments = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        let is_same = self.last.as_ref().is_some_and(|(name, last)| *name == call.name && *last == arguments);
        self.count = if is_same { self.count.saturating_add(1) } else { 1 };
        self.last = Some((call.name.clone(), arguments));
        self.count
    }
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
            pending: None,
            repeats: Repeats::default(),
        }
    }

    /// A conversation in which calls wait for a person, as [`Machine::pending`] gave them; `history` ends with their reply.
    /// Where it does not, nothing is pending.
    #[must_use]
    pub fn with_pending(config: Config, mut history: Vec<Message>, pending: Pending) -> Self {
        let reply = match history.pop() {
            Some(Message::Assistant(reply)) if is_of(&pending, &reply) => reply,
            other => {
                history.extend(other);
                return Self::new(config, history);
            }
        };
        let mut machine = Self::new(config, history);
        machine.history.push(Message::Assistant(reply));
        machine.run_start = machine.history.len();
        machine.pending = Some(pending);
        machine
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
        let answered = |message: &&Message| !matches!(message, Message::Custom(_));
        let last = self.history.entries().iter().rev().map(|entry| &*entry.message).find(answered);
        let is_open = self.pending.is_some() || matches!(last, Some(Message::User(_) | Message::Tool(_)));
        if messages.is_empty() && !is_open && !self.has_waiting() {
            return Err(Error::NothingToAnswer);
        }
        let follows = messages.is_empty() && !is_open;
        self.begin_run(now_us);
        let unanswered = self.pending.take().map(|pending| self.give_up(pending, now_us));
        let messages = unanswered.into_iter().chain(messages).collect();
        self.begin_turn(messages, if follows { Next::Anything } else { Next::Steering }, now_us);
        Ok(())
    }

    /// Goes on with a run that ended with [`EndReason::WaitingForApproval`]: runs, denies or answers the calls that waited,
    /// by their ids. A call that nothing is said about goes on waiting.
    ///
    /// # Errors
    /// When a run is going on, nothing waits, or a decision is about another call; nothing changes then.
    pub fn handle_approvals(&mut self, decisions: Vec<(String, Approval)>, now_us: u64) -> Result<(), Error> {
        if self.is_running() {
            return Err(Error::Busy);
        }
        let Some(pending) = &self.pending else { return Err(Error::NothingPending) };
        if let Some(wrong) = decisions.iter().position(|(id, _)| !pending.waiting.contains(id)) {
            return Err(Error::NotPending(wrong));
        }
        let Some(entry) = self.history.entries().last() else { return Err(Error::NothingPending) };
        let Message::Assistant(reply) = &*entry.message else { return Err(Error::NothingPending) };
        let json = Arc::clone(&entry.json);
        let calls: Vec<_> = reply.tool_calls().cloned().collect();
        let Pending { mut results, .. } = self.pending.take().unwrap_or_default();
        let mut decisions = decisions;
        let plans = calls.into_iter().map(|call| {
            let known = results.iter().position(|result| result.tool_call_id == call.id);
            let plan = match known {
                Some(at) => Plan::Known(results.swap_remove(at)),
                None => match decisions.iter().position(|(id, _)| *id == call.id) {
                    Some(at) => match decisions.swap_remove(at).1 {
                        Approval::Approve { args } => Plan::Approved(args),
                        other => other.output().map_or(Plan::Run, Plan::Answer),
                    },
                    None => Plan::Wait,
                },
            };
            (call, plan)
        });
        let batch = Batch::new(json, plans.collect(), &self.config);
        self.begin_run(now_us);
        self.turn = 1;
        self.push_event(OwnedEvent::new(kind::TURN_START, now_us).with_place(0, 1));
        self.state = State::Tools(batch);
        self.advance_tools(now_us);
        Ok(())
    }

    /// The calls of the last reply that wait for a person.
    #[must_use]
    pub const fn pending(&self) -> Option<&Pending> {
        self.pending.as_ref()
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

    /// Exchanges the messages that wait to steer and to follow up with those of the caller, who may keep them outside so
    /// that other threads can add to them.
    pub const fn swap_waiting(&mut self, steering: &mut VecDeque<Message>, follow_ups: &mut VecDeque<Message>) {
        std::mem::swap(&mut self.steering, steering);
        std::mem::swap(&mut self.follow_ups, follow_ups);
    }

    /// To be called when messages that steer have come while tools run: skips calls as [`Config::steering`] says.
    pub fn handle_steering(&mut self, now_us: u64) {
        self.advance_tools(now_us);
    }

    /// What was decided after a turn, see [`Action::Decide`]. Ignored when nobody asked.
    pub fn handle_decision(&mut self, decision: Result<Decision, Failure>, now_us: u64) {
        let State::Deciding(next) = self.state else { return };
        match decision {
            Ok(Decision::GoOn) => self.continue_run(next, now_us),
            Ok(Decision::Stop) => self.end_run(EndReason::Stopped, now_us),
            Err(failure) => {
                self.failure = Some(failure);
                self.end_run(EndReason::Error, now_us);
            }
        }
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
        if is_tool_of_member(event) {
            // Without the flag: `aux` is the id of the call, and no speaker.
            return Some(StreamEvent::new(event.kind()).with_text(event.text()).with_aux(event.aux()));
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
        let calls: Vec<_> = match self.config.hands_on_calls {
            true => Vec::new(),
            false => message.tool_calls().cloned().collect(),
        };
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
                return self.go_on(Next::Steering, now_us);
            }
            (Outcome::Complete, _) if self.has_waiting() && self.turn < self.config.max_turns => {
                self.push_turn_end(&json, &[], now_us);
                return self.go_on(Next::Anything, now_us);
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

    /// A person has to say whether this call may run. Its siblings run to their ends; then the run ends with
    /// [`EndReason::WaitingForApproval`]. `false`, and nothing happens, when no such call runs.
    pub fn handle_tool_waiting(&mut self, call_id: &str, now_us: u64) -> bool {
        let State::Tools(batch) = &mut self.state else { return false };
        let is_known = batch.handle_waiting(call_id, now_us, &mut self.events);
        if is_known {
            self.advance_tools(now_us);
        }
        is_known
    }

    /// Stops the run at once: what has come is kept, tools are cancelled and their calls answered with an error. Harmless
    /// when no run is going on, and when repeated.
    pub fn handle_abort(&mut self, now_us: u64) {
        self.actions.retain(|action| matches!(action, Action::Finished { .. }));
        match self.state {
            State::Reply(_) => self.handle_stream_end(End::Aborted, now_us),
            _ => self.stop(EndReason::Aborted, stopped_by_caller(), now_us),
        }
    }

    /// As [`Machine::handle_abort`], of a run that nobody drives any more; `failure` says why.
    pub fn handle_loss(&mut self, failure: Failure, now_us: u64) {
        if matches!(self.state, State::Reply(_)) {
            self.handle_stream_end(End::Error(failure.clone()), now_us);
        }
        // A reply that was complete by then has had its tools or the next turn begin.
        self.actions.retain(|action| matches!(action, Action::Finished { .. }));
        match self.state {
            State::Reply(_) => self.handle_stream_end(End::Aborted, now_us),
            _ => self.stop(EndReason::Error, failure, now_us),
        }
    }

    /// Ends a run that waits for tools or for a decision.
    fn stop(&mut self, reason: EndReason, failure: Failure, now_us: u64) {
        match &mut self.state {
            State::Idle | State::Reply(_) => return,
            State::Tools(batch) => {
                if batch.is_running() {
                    self.actions.push_back(Action::CancelTools);
                }
                batch.abort(now_us, &mut self.events);
                let (json, results, _) = batch.take_results();
                self.end_turn(&json, results, now_us);
            }
            State::Deciding(_) => {}
        }
        self.failure = Some(failure);
        self.end_run(reason, now_us);
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
            Message::User(_) | Message::Tool(_) | Message::Custom(_) => None,
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
    /// wait, calls that wait for a person do not. A run that is going on is forgotten.
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

    fn begin_run(&mut self, now_us: u64) {
        self.run_start = self.history.len();
        self.turn = 0;
        self.usage = Usage::default();
        self.failure = None;
        self.repeats = Repeats::default();
        self.push_event(OwnedEvent::new(kind::AGENT_START, now_us));
    }

    /// The results of calls that waited for a person who said something else.
    fn give_up(&self, pending: Pending, now_us: u64) -> Message {
        let known = ToolMessage { content: pending.results, time_us: Some(now_us) };
        let answers = match self.history.entries().last().map(|entry| &*entry.message) {
            Some(Message::Assistant(reply)) => complete(reply, known),
            _ => known,
        };
        Message::Tool(answers)
    }

    /// A turn is a reply with its tools; messages that wait go in front of it.
    fn begin_turn(&mut self, mut messages: Vec<Message>, next: Next, now_us: u64) {
        let before = messages.len();
        messages.extend(take(&mut self.steering, self.config.steering_mode));
        if matches!(next, Next::Anything) && messages.len() == before {
            messages.extend(take(&mut self.follow_ups, self.config.follow_up_mode));
        }
        self.turn += 1;
        self.push_event(OwnedEvent::new(kind::TURN_START, now_us).with_place(0, i64::from(self.turn)));
        for message in messages {
            self.push_whole_message(message, now_us);
        }
        let assembly = Assembly::with_call_ids(self.call_id_prefix());
        self.state = State::Reply(Box::new(Reply { assembly, is_announced: false }));
        self.actions.push_back(Action::SendRequest { turn: self.turn });
    }

    /// The one place where a run goes on after a turn, once the driver was asked if it wants to be.
    fn go_on(&mut self, next: Next, now_us: u64) {
        if self.config.asks_after_turn {
            self.state = State::Deciding(next);
            self.actions.push_back(Action::Decide);
        } else {
            self.continue_run(next, now_us);
        }
    }

    fn continue_run(&mut self, next: Next, now_us: u64) {
        if self.turn < self.config.max_turns {
            return self.begin_turn(Vec::new(), next, now_us);
        }
        let message = format!(
            "the run was ended after {} turns (max_turns); raise the limit or prompt again to go on",
            self.turn
        );
        self.failure = Some(Failure::new(FailureKind::MaxTurns, message));
        self.end_run(EndReason::MaxTurns, now_us);
    }

    fn begin_tools(&mut self, reply_json: Arc<String>, calls: Vec<ToolCall>, now_us: u64) {
        let mut plans = Vec::with_capacity(calls.len());
        for call in calls {
            let limit = self.config.repeat_limit.filter(|limit| self.repeats.count(&call) >= limit.calls.max(2));
            let Some(limit) = limit else {
                plans.push((call, Plan::Run));
                continue;
            };
            let count = self.repeats.count;
            if limit.then == OnRepeat::Stop && self.failure.is_none() {
                let message = format!("the model made the same call of tool `{}` {count} times in a row", call.name);
                self.failure = Some(Failure::new(FailureKind::Repeated, message));
            }
            let why =
                format!("the same call was made {count} times in a row; its answer would be the same: go on without");
            plans.push((call, Plan::Answer(ToolOutput::not_executed(&why))));
        }
        if self.failure.is_some() {
            let why = ToolOutput::not_executed("the same call was made too often");
            let results = plans.into_iter().map(|(call, _)| why.clone().into_result(&call)).collect();
            self.end_turn(&reply_json, results, now_us);
            return self.end_run(EndReason::Repeated, now_us);
        }
        self.state = State::Tools(Batch::new(reply_json, plans, &self.config));
        self.advance_tools(now_us);
    }

    fn advance_tools(&mut self, now_us: u64) {
        let State::Tools(batch) = &mut self.state else { return };
        if !self.steering.is_empty() && self.config.steering != Steering::AfterBatch {
            let and_running = self.config.steering == Steering::SkipRemaining && batch.is_running();
            if and_running {
                // Those that were not handed over yet need not be.
                self.actions.retain(|action| !matches!(action, Action::RunTool { .. }));
                self.actions.push_back(Action::CancelTools);
            }
            batch.skip(SKIPPED, and_running, now_us, &mut self.events);
        }
        batch.launch(&self.config.tools, now_us, &mut self.events, &mut self.actions);
        if !batch.is_done() {
            return;
        }
        let is_terminated = batch.is_terminated();
        let (json, results, waiting) = batch.take_results();
        if !waiting.is_empty() {
            self.push_turn_end(&json, &results, now_us);
            let waiting = waiting.into_iter().map(|call| call.id).collect();
            self.pending = Some(Pending { waiting, results });
            return self.end_run(EndReason::WaitingForApproval, now_us);
        }
        self.end_turn(&json, results, now_us);
        if is_terminated {
            self.end_run(EndReason::Terminated, now_us);
        } else {
            self.go_on(Next::Steering, now_us);
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
        if let Some(pending) = &self.pending {
            json.push_str(&format!(",\"pending\":{}", to_json(&pending.waiting)));
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

/// What a hook says after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The run goes on.
    GoOn,
    /// The run ends; what waits to come in goes on waiting.
    Stop,
}

/// What calls are answered with that a message of the user makes pointless.
const SKIPPED: &str = "Skipped due to queued user message.";

fn take(queue: &mut VecDeque<Message>, mode: QueueMode) -> impl Iterator<Item = Message> {
    let count = match mode {
        QueueMode::OneAtATime => queue.len().min(1),
        QueueMode::All => queue.len(),
    };
    queue.drain(..count)
}

fn is_of(pending: &Pending, reply: &AssistantMessage) -> bool {
    let has = |id: &String| reply.tool_calls().any(|call| call.id == *id);
    !pending.waiting.is_empty() && pending.waiting.iter().all(has)
}

/// Refuses messages that no user could have said. Those of the program's own are let in.
///
/// # Errors
/// [`Error::NotAPrompt`] with the place of the first one.
pub fn check_prompt(messages: &[Message]) -> Result<(), Error> {
    match messages.iter().position(|message| {
        !(matches!(message, Message::User(_)) && message.is_sendable() || matches!(message, Message::Custom(_)))
    }) {
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

/// Whether a member of a team, by its name, runs a tool. That is shown; it is no tool of this run.
fn is_tool_of_member(event: &StreamEvent<'_>) -> bool {
    #[derive(Deserialize)]
    struct Payload {
        member: String,
    }
    let is_tool = matches!(event.kind(), kind::TOOL_EXECUTION_START..=kind::TOOL_EXECUTION_END);
    // The whole of it is read, on one line: it goes on to readers as it stands.
    is_tool
        && event.has(FLAG_SPEAKER)
        && !event.text().contains(&b'\n')
        && serde_json::from_slice::<Payload>(event.text()).is_ok_and(|payload| !payload.member.is_empty())
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
