//! Drives one run: does what the state machine asks for, and hands back what happens.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;
use thalweg_abi::host::CancelToken;
use thalweg_agent::assembly::End;
use thalweg_agent::cost::Cost;
use thalweg_agent::failure::{Failure, FailureKind};
use thalweg_agent::history::History;
use thalweg_agent::machine::{Action, Config, EndReason, Machine, Steering, ToolOutput};
use thalweg_agent::message::{Message, ToolCall};
use thalweg_agent::request::{Delivery, Request};
use thalweg_log::{Options as LogOptions, Writer};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::abort::{aborted, unless_aborted};
use crate::account::{Account, Bill, Held, tokens_max};
use crate::backend::{Backend, Source};
use crate::cpu_clock::CpuClock;
use crate::engine::Engine;
use crate::error::Error;
use crate::hook::{Called, Hooks};
use crate::http;
use crate::panic::caught;
use crate::recorder::Recorder;
use crate::reply::{self, Ask, Reply};
use crate::responder;
use crate::run::Outcome;
use crate::tool::{Progress, Tool, ToolContext};
use crate::trace::{self, Span};
use crate::waiting::Waiting;
use thalweg_schema::Validation;

/// What a conversation keeps between its runs.
pub(crate) struct Session {
    pub(crate) machine: Machine,
    pub(crate) source: Source,
    /// What `source` was opened with.
    pub(crate) backend: Arc<Backend>,
}

impl Session {
    /// Opens what `machine` asks.
    pub(crate) fn open(setup: &Setup, machine: Machine) -> Result<Self, Error> {
        let backend = setup.settings().backend;
        Ok(Self { machine, source: setup.open(&backend)?, backend })
    }
}

/// What a run needs and does not change.
pub(crate) struct Setup {
    /// What may be changed at any time; a turn takes it as it is when it begins.
    pub(crate) settings: RwLock<Settings>,
    pub(crate) hooks: Hooks,
    pub(crate) retry: http::Retry,
    /// All of the machine's configuration but the tools and the provider.
    pub(crate) config: Config,
    pub(crate) validation: Validation,
    pub(crate) tool_timeout: Option<Duration>,
    pub(crate) measure_decode: bool,
    pub(crate) waiting: Waiting,
    pub(crate) engine: Engine,
    pub(crate) log: LogOptions,
    /// The conversation as far as its messages are complete, for those who ask during a run.
    pub(crate) mirror: Mutex<Vec<Arc<Message>>>,
}

/// What may be changed between two turns.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) request: Arc<Request>,
    pub(crate) tools: Arc<[Tool]>,
    pub(crate) backend: Arc<Backend>,
    pub(crate) account: Arc<Account>,
}

impl Setup {
    /// A stream of the backend, for a conversation.
    pub(crate) fn open(&self, backend: &Backend) -> Result<Source, Error> {
        backend.open(self.engine.limits().wire)
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The configuration of the machine with the tools and the provider of now.
    pub(crate) fn machine_config(&self) -> Config {
        self.settings().configure(&self.config)
    }
}

impl Settings {
    /// The configuration of a machine with these tools and this provider.
    pub(crate) fn configure(&self, config: &Config) -> Config {
        Config { tools: names(&self.tools), provider: self.backend.provider_id().map(str::to_owned), ..config.clone() }
    }
}

/// How a reply ends whose codec does not open.
fn broken(error: &Error) -> End {
    End::Error(Failure::new(FailureKind::Plugin, error.to_string()))
}

fn names(tools: &[Tool]) -> Vec<String> {
    tools.iter().map(|tool| tool.name().to_owned()).collect()
}

pub(crate) struct Driver {
    setup: Arc<Setup>,
    // In its box: what lives in the driver is paid for by every open stream.
    session: Box<Session>,
    recorder: Recorder,
    abort: watch::Receiver<bool>,
    bill: Bill,
    span: Span,
    turn_span: Span,
    request_span: Span,
    turns: u32,
    /// What the present request has put aside.
    held: Held,
    /// Those of the present turn.
    settings: Settings,
    tools: JoinSet<(String, Called)>,
    running: Vec<Running>,
    /// Made for the first tool.
    progress: Option<(mpsc::UnboundedSender<Progress>, mpsc::UnboundedReceiver<Progress>)>,
    /// Messages of the history that are in the mirror.
    mirrored: usize,
    reason: Option<EndReason>,
}

struct Running {
    task: tokio::task::Id,
    call_id: String,
    cancel: CancelToken,
}

impl Driver {
    /// Drives the run that the machine of `session` has begun.
    pub(crate) fn new(
        setup: Arc<Setup>,
        mut session: Box<Session>,
        writer: Writer,
        abort: watch::Receiver<bool>,
    ) -> Self {
        let recorder = Recorder::new(writer, setup.measure_decode);
        let settings = setup.settings();
        // They may have changed since the last run.
        session.machine.config_mut().tools = names(&settings.tools);
        let span = trace::run(settings.backend.provider_id(), &settings.request.model);
        let mirrored = setup.mirror.lock().unwrap_or_else(PoisonError::into_inner).len();
        Self {
            setup,
            session,
            recorder,
            abort,
            settings,
            tools: JoinSet::new(),
            running: Vec::new(),
            bill: Bill::default(),
            span,
            turn_span: Span::default(),
            request_span: Span::default(),
            turns: 0,
            held: Held::default(),
            progress: None,
            mirrored,
            reason: None,
        }
    }

    /// Runs to the end. The prompt has been handed to the machine.
    pub(crate) async fn run(&mut self) {
        loop {
            self.record();
            match self.session.machine.poll_action() {
                Some(Action::SendRequest { turn }) => self.stream_reply(turn).await,
                Some(Action::RunTool { call, is_approved }) => self.start_tool(call, is_approved),
                Some(Action::Decide) => self.decide().await,
                Some(Action::CancelTools) => self.cancel_tools(),
                Some(Action::Finished { reason }) => {
                    self.reason = Some(reason);
                    return;
                }
                None => self.wait_for_tools().await,
            }
        }
    }

    /// Ends a run that nobody drives any more, so that its readers see an end and its conversation is whole.
    pub(crate) fn give_up(&mut self) {
        let now = self.recorder.now_us();
        let machine = &mut self.session.machine;
        let lost =
            Failure::new(FailureKind::Other, "the run was dropped before its end, with the runtime that drove it");
        machine.handle_loss(lost, now);
        if let Source::Server(wire) = &mut self.session.source {
            wire.pipeline.reset();
        }
        self.record();
        while let Some(action) = self.session.machine.poll_action() {
            if let Action::Finished { reason } = action {
                self.reason = Some(reason);
            }
        }
    }

    /// Whether the run has come to its end.
    pub(crate) const fn is_finished(&self) -> bool {
        self.reason.is_some()
    }

    /// What the run leaves. Readers see its end once the writer is dropped.
    pub(crate) fn finish(mut self) -> (Box<Session>, Outcome, Writer) {
        self.cancel_tools();
        self.recorder.publish();
        self.recorder.stats.total = self.recorder.started.elapsed();
        if let Source::Server(wire) = &mut self.session.source {
            self.recorder.stats.decode_warm = self.recorder.decode_again(&mut wire.pipeline);
        }
        self.recorder.stats.decode_cpu = self.recorder.clock.as_ref().map(CpuClock::total).unwrap_or_default();
        let machine = &self.session.machine;
        let message = machine.last_reply().cloned();
        let error = machine
            .failure()
            .map(|failure| Error::Run { failure: Box::new(failure.clone()), partial: message.clone().map(Box::new) });
        let outcome = Outcome {
            message,
            messages: machine.run_messages().cloned().collect(),
            usage: machine.usage().clone(),
            cost: self.bill.total(),
            reason: self.reason,
            error,
            stats: self.recorder.stats,
            request: Some(self.settings.request),
        };
        self.span.end_run(&outcome, self.turns);
        (self.session, outcome, self.recorder.writer)
    }

    /// Shows what the machine has to say: to readers of the log, and to those who ask for the conversation.
    fn record(&mut self) {
        let entries = self.session.machine.history().entries();
        if entries.len() > self.mirrored {
            let mut mirror = self.setup.mirror.lock().unwrap_or_else(PoisonError::into_inner);
            mirror.extend(entries[self.mirrored..].iter().map(|entry| Arc::clone(&entry.message)));
            self.mirrored = entries.len();
        }
        self.recorder.record_engine_events(&mut self.session.machine);
    }

    async fn stream_reply(&mut self, turn: u32) {
        self.turns += 1;
        self.turn_span = self.span.turn(turn);
        self.recorder.begin_reply();
        let end = match self.take_settings() {
            Ok(()) => match self.context().await {
                Ok(context) => self.stream_reply_to(turn, context.as_ref()).await,
                Err(end) => end,
            },
            Err(end) => end,
        };
        if let Source::Server(wire) = &mut self.session.source {
            self.recorder.count(wire.pipeline.counters());
            wire.pipeline.reset();
        }
        let end = match self.recorder.refused.take() {
            Some(why) if !matches!(end, End::Aborted) => End::Error(Failure::new(FailureKind::Other, why)),
            _ => end,
        };
        let now = self.recorder.now_us();
        self.setup.waiting.lend(&mut self.session.machine, |machine| machine.handle_stream_end(end, now));
        self.settle();
    }

    /// Takes what was changed since the last turn.
    fn take_settings(&mut self) -> Result<(), End> {
        let settings = self.setup.settings();
        let Session { machine, source, backend } = &mut *self.session;
        if !Arc::ptr_eq(&settings.tools, &self.settings.tools) {
            machine.config_mut().tools = names(&settings.tools);
        }
        if !Arc::ptr_eq(&settings.backend, backend) {
            *source = self.setup.open(&settings.backend).map_err(|error| broken(&error))?;
            machine.config_mut().provider = settings.backend.provider_id().map(str::to_owned);
            *backend = Arc::clone(&settings.backend);
        }
        self.settings = settings;
        Ok(())
    }

    /// Counts what the reply that has just ended cost.
    fn settle(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        if let Some(reply) = self.session.machine.last_reply() {
            self.request_span.end_request(reply);
            self.turn_span.end_reply(reply);
        }
        self.request_span = Span::default();
        let Some(reply) = self.session.machine.last_reply().filter(|_| self.recorder.may_cost) else { return };
        let Settings { account, backend, request, .. } = &self.settings;
        let cost = account.cost(reply, backend.provider_id(), &request.model);
        // The counters of a reply that broke off lack what came after them.
        let is_whole = reply.error.is_none();
        let cost = cost.map(|cost| Cost { is_partial: !is_whole, ..cost });
        self.bill.add(cost.as_ref());
        if is_whole {
            held.settle(reply, cost.as_ref());
        }
    }

    /// What the hooks put in the place of the conversation, if there are any; or how the reply ended because of them.
    async fn context(&mut self) -> Result<Option<History>, End> {
        let mut abort = self.abort.clone();
        let context = tokio::select! {
            biased;
            () = aborted(&mut abort) => return Err(End::Aborted),
            context = self.setup.hooks.context(self.session.machine.history()) => context,
        };
        let context = context.map_err(|why| End::Error(Failure::new(FailureKind::Other, why)))?;
        let history = context.as_ref().unwrap_or_else(|| self.session.machine.history());
        if history.sendable_from(0).next().is_none() {
            let message = "there is no message to send: the conversation, or what the hooks made of it, holds none";
            return Err(End::Error(Failure::new(FailureKind::InvalidRequest, message)));
        }
        if context.is_some() {
            // Other messages than those of the last request need another stream of the codec.
            self.session.source = self.setup.open(&self.settings.backend).map_err(|error| broken(&error))?;
        }
        Ok(context)
    }

    /// Asks until there is a reply or no more use in asking.
    async fn stream_reply_to(&mut self, turn: u32, context: Option<&History>) -> End {
        let mut attempt = 0;
        loop {
            attempt += 1;
            self.recorder.stats.requests += 1;
            let mut abort = self.abort.clone();
            let reply = unless_aborted(&abort, self.trace_reply(turn, attempt, context)).await;
            let reply = reply.unwrap_or(Reply::Ended(End::Aborted));
            match reply {
                Reply::Ended(end) => return end,
                Reply::Retry { failure, wait } => {
                    if !self.session.machine.handle_stream_restart() {
                        return End::Error(failure);
                    }
                    tokio::select! {
                        biased;
                        () = aborted(&mut abort) => return End::Aborted,
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
    }

    /// As [`Driver::attempt_reply`], within a span of its own.
    async fn trace_reply(&mut self, turn: u32, attempt: u32, context: Option<&History>) -> Reply {
        let span = self.turn_span.request(self.settings.backend.provider_id(), &self.settings.request.model, attempt);
        self.request_span = span.clone();
        let reply = span.around(self.attempt_reply(turn, attempt, context)).await;
        if let Reply::Retry { failure, .. } = &reply {
            span.end_try(failure);
        }
        reply
    }

    /// Asks the backend once and reads the reply to its end.
    async fn attempt_reply(&mut self, turn: u32, attempt: u32, context: Option<&History>) -> Reply {
        let Self { setup, session, recorder, settings, held, bill, .. } = self;
        let Session { machine, source, .. } = &mut **session;
        recorder.begin_reply();
        let envelope = settings.request.envelope(turn, Delivery::Stream);
        let history = context.unwrap_or_else(|| machine.history());
        let said = || tokens_max(history);
        match settings.account.reserve(settings.backend.provider_id(), &settings.request, &envelope, said) {
            Ok(reserved) => *held = Held::new(reserved),
            Err(error) => return Reply::Ended(End::Error(Failure::new(FailureKind::Budget, error.to_string()))),
        }
        // From here on, whoever drops this request leaves its worst case spent.
        held.sent();
        let reply = match source {
            Source::Server(wire) => {
                let request = &settings.request;
                Ask { setup, recorder, machine, wire, request, context }.read(&envelope, attempt).await
            }
            Source::Provider(provider) => {
                let ask = responder::Ask::of_history(Arc::clone(&settings.request), history, turn, Delivery::Stream);
                Box::pin(reply::read_provider(provider, recorder, machine, &ask)).await
            }
            Source::Responder(responder) => {
                let ask = responder::Ask::of_history(Arc::clone(&settings.request), history, turn, Delivery::Stream);
                Box::pin(reply::read_responder(&**responder, recorder, machine, ask)).await
            }
        };
        match &reply {
            _ if !recorder.may_cost => held.give_back(),
            // Nobody will ever count what it used.
            Reply::Retry { .. } => bill.add(None),
            Reply::Ended(_) => {}
        }
        reply
    }

    fn start_tool(&mut self, call: ToolCall, is_approved: bool) {
        let Some(tool) = self.settings.tools.iter().find(|tool| tool.name() == call.name).cloned() else {
            // The machine answers unknown names itself; its list and ours are made of the same tools.
            let output = ToolOutput::error(format!("tool {} is not there", call.name));
            return self.answer_tool(&call.id, Called::Answered(output));
        };
        let progress = &self.progress.get_or_insert_with(mpsc::unbounded_channel).0;
        let cancel = CancelToken::new();
        let context = ToolContext::new(call.id.clone(), progress.clone(), cancel.clone());
        let call_id = call.id.clone();
        let setup = Arc::clone(&self.setup);
        let token = cancel.clone();
        let span = self.turn_span.tool(&call.name, &call.id);
        let handle = self.tools.spawn(span.clone().around(async move {
            let called = match arguments(&tool, &call, setup.validation) {
                Ok(arguments) => {
                    let limit = tool.timeout().or(setup.tool_timeout);
                    let run = |arguments| run_tool(&tool, arguments, context, limit, &token);
                    setup.hooks.call(&call, arguments, is_approved, run).await
                }
                Err(why) => Called::Answered(ToolOutput::error(why)),
            };
            span.end_tool(matches!(&called, Called::Answered(output) if output.is_error));
            (call.id, called)
        }));
        self.running.push(Running { task: handle.id(), call_id, cancel });
    }

    async fn wait_for_tools(&mut self) {
        let mut abort = self.abort.clone();
        let is_steered = self.setup.config.steering != Steering::AfterBatch;
        let progress = &mut self.progress.get_or_insert_with(mpsc::unbounded_channel).1;
        tokio::select! {
            biased;
            () = aborted(&mut abort) => {
                let now = self.recorder.now_us();
                self.session.machine.handle_abort(now);
            }
            () = self.setup.waiting.steered(), if is_steered => {
                let now = self.recorder.now_us();
                self.setup.waiting.lend(&mut self.session.machine, |machine| machine.handle_steering(now));
            }
            Some(progress) = progress.recv() => {
                let now = self.recorder.now_us();
                self.session.machine.handle_tool_progress(&progress.call_id, &progress.text, progress.permille, now);
            }
            joined = self.tools.join_next_with_id() => match joined {
                Some(Ok((task, (call_id, called)))) => {
                    self.running.retain(|running| running.task != task);
                    self.answer_tool(&call_id, called);
                }
                Some(Err(error)) => {
                    let place = self.running.iter().position(|running| running.task == error.id());
                    let call_id = place.map(|at| self.running.swap_remove(at).call_id).unwrap_or_default();
                    self.answer_tool(&call_id, Called::Answered(ToolOutput::error("the tool panicked")));
                }
                // The machine waits for something that does not run: it must not wait for ever.
                None => {
                    let now = self.recorder.now_us();
                    self.session.machine.handle_abort(now);
                }
            }
        }
    }

    fn answer_tool(&mut self, call_id: &str, called: Called) {
        let now = self.recorder.now_us();
        // What the tool said of its progress comes before its end.
        while let Some(progress) = self.progress.as_mut().and_then(|(_, heard)| heard.try_recv().ok()) {
            self.session.machine.handle_tool_progress(&progress.call_id, &progress.text, progress.permille, now);
        }
        self.setup.waiting.lend(&mut self.session.machine, |machine| match called {
            Called::Answered(output) => machine.handle_tool_result(call_id, output, now),
            Called::Waits => machine.handle_tool_waiting(call_id, now),
        });
    }

    /// Asks the hooks whether the run goes on.
    async fn decide(&mut self) {
        let machine = &self.session.machine;
        let messages: Result<Vec<Value>, _> = machine.run_messages().map(serde_json::to_value).collect();
        let (messages, turn) = (messages.unwrap_or_default(), machine.turn());
        let mut abort = self.abort.clone();
        let decision = tokio::select! {
            biased;
            () = aborted(&mut abort) => {
                let now = self.recorder.now_us();
                return self.session.machine.handle_abort(now);
            }
            decision = self.setup.hooks.after_turn(turn, &messages) => decision,
        };
        let decision = decision.map_err(|why| Failure::new(FailureKind::Other, why));
        let now = self.recorder.now_us();
        self.setup.waiting.lend(&mut self.session.machine, |machine| machine.handle_decision(decision, now));
    }

    fn cancel_tools(&mut self) {
        for running in self.running.drain(..) {
            running.cancel.cancel();
        }
        self.tools = JoinSet::new();
    }
}

/// The arguments that the tool gets, or what the model is told of them.
fn arguments(tool: &Tool, call: &ToolCall, validation: Validation) -> Result<Value, String> {
    let mut text = call.arguments.clone().into_bytes();
    let arguments =
        simd_json::serde::from_slice(&mut text).map_err(|error| format!("the arguments are not JSON: {error}"))?;
    if validation == Validation::Off {
        return Ok(arguments);
    }
    let schema = tool.schema().map_err(|error| format!("not executed: the schema of the tool is wrong: {error}"))?;
    let checked = schema.arguments(arguments, validation);
    checked.map_err(|why| format!("not executed: the arguments do not fit the schema of `{}`: {why}", tool.name()))
}

async fn run_tool(
    tool: &Tool,
    arguments: Value,
    context: ToolContext,
    limit: Option<Duration>,
    cancel: &CancelToken,
) -> ToolOutput {
    let running = caught(async { tool.call(arguments, context).await });
    let answer = match limit {
        Some(limit) => match tokio::time::timeout(limit, running).await {
            Ok(answer) => answer,
            Err(_) => {
                cancel.cancel();
                return ToolOutput::error(format!("the tool took longer than {limit:?} and was stopped"));
            }
        },
        None => running.await,
    };
    answer.unwrap_or_else(|panic| ToolOutput::error(format!("the tool panicked: {panic}")))
}
