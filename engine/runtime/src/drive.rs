//! Drives one run: does what the state machine asks for, and hands back what happens.

use std::sync::Arc;

use thalweg_abi::host::CancelToken;
use thalweg_agent::assembly::End;
use thalweg_agent::cost::Cost;
use thalweg_agent::failure::{Failure, FailureKind};
use thalweg_agent::history::History;
use thalweg_agent::machine::{Action, Machine, ToolMode, ToolOutput};
use thalweg_agent::message::ToolCall;
use thalweg_agent::request::{Delivery, Request};
use thalweg_log::{Options as LogOptions, Writer};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::account::{Account, Bill, Held};
use crate::backend::{Backend, Source};
use crate::cpu_clock::CpuClock;
use crate::engine::Engine;
use crate::error::Error;
use crate::hook::Hooks;
use crate::http;
use crate::recorder::Recorder;
use crate::reply::{self, Ask, Reply};
use crate::responder;
use crate::run::Outcome;
use crate::tool::{Progress, Tool, ToolContext};
use crate::trace::{self, Span};
use crate::waiting::Waiting;

/// What a conversation keeps between its runs.
pub(crate) struct Session {
    pub(crate) machine: Machine,
    pub(crate) source: Source,
}

/// What a run needs and does not change.
pub(crate) struct Setup {
    pub(crate) client: http::Client,
    pub(crate) backend: Backend,
    pub(crate) request: Arc<Request>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) hooks: Hooks,
    pub(crate) retry: http::Retry,
    pub(crate) max_turns: u32,
    pub(crate) tool_mode: ToolMode,
    pub(crate) measure_decode: bool,
    pub(crate) waiting: Waiting,
    pub(crate) account: Account,
    pub(crate) engine: Engine,
    pub(crate) log: LogOptions,
}

impl Setup {
    /// A stream of the backend, for a conversation.
    pub(crate) fn open(&self) -> Result<Source, Error> {
        self.backend.open(self.engine.limits().wire)
    }
}

pub(crate) struct Driver {
    setup: Arc<Setup>,
    // In its box: what lives in the driver is paid for by every open stream.
    session: Box<Session>,
    recorder: Recorder,
    abort: watch::Receiver<bool>,
    tools: JoinSet<(String, Result<String, String>)>,
    running: Vec<(tokio::task::Id, String)>,
    cancel: CancelToken,
    bill: Bill,
    span: Span,
    turn_span: Span,
    request_span: Span,
    turns: u32,
    /// What the present request has put aside.
    held: Held,
    /// Made for the first tool.
    progress: Option<(mpsc::UnboundedSender<Progress>, mpsc::UnboundedReceiver<Progress>)>,
}

impl Driver {
    pub(crate) fn new(setup: Arc<Setup>, session: Box<Session>, writer: Writer, abort: watch::Receiver<bool>) -> Self {
        let span = trace::run(setup.backend.provider_id(), &setup.request.model);
        let recorder = Recorder::new(writer, setup.measure_decode);
        Self {
            setup,
            session,
            recorder,
            abort,
            tools: JoinSet::new(),
            running: Vec::new(),
            cancel: CancelToken::new(),
            bill: Bill::default(),
            span,
            turn_span: Span::default(),
            request_span: Span::default(),
            turns: 0,
            held: Held::default(),
            progress: None,
        }
    }

    /// Runs to the end. The prompt has been handed to the machine. Readers see the end once the writer is dropped.
    pub(crate) async fn run(mut self) -> (Box<Session>, Outcome, Writer) {
        loop {
            self.recorder.record_engine_events(&mut self.session.machine);
            match self.session.machine.poll_action() {
                Some(Action::SendRequest { turn }) => self.stream_reply(turn).await,
                Some(Action::RunTool { call }) => self.start_tool(call),
                Some(Action::CancelTools) => self.cancel_tools(),
                Some(Action::Finished { .. }) => break,
                None => self.wait_for_tools().await,
            }
        }
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
            error,
            stats: self.recorder.stats,
        };
        self.span.end_run(&outcome, self.turns);
        (self.session, outcome, self.recorder.writer)
    }

    async fn stream_reply(&mut self, turn: u32) {
        self.turns += 1;
        self.turn_span = self.span.turn(turn);
        let end = match self.context().await {
            Ok(context) => self.stream_reply_to(turn, context.as_ref()).await,
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
        self.setup.waiting.hand_over(&mut self.session.machine);
        self.session.machine.handle_stream_end(end, now);
        self.settle();
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
        let setup = &self.setup;
        let cost = setup.account.cost(reply, setup.backend.provider_id(), &setup.request.model);
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
        if context.is_some() {
            // Other messages than those of the last request need another stream of the codec.
            let opened = self.setup.open();
            self.session.source =
                opened.map_err(|error| End::Error(Failure::new(FailureKind::Plugin, error.to_string())))?;
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
            let reply = tokio::select! {
                biased;
                () = aborted(&mut abort) => Reply::Ended(End::Aborted),
                reply = self.trace_reply(turn, attempt, context) => reply,
            };
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
        let span = self.turn_span.request(self.setup.backend.provider_id(), &self.setup.request.model, attempt);
        self.request_span = span.clone();
        let reply = span.around(self.attempt_reply(turn, attempt, context)).await;
        if let Reply::Retry { failure, .. } = &reply {
            span.end_try(failure);
        }
        reply
    }

    /// Asks the backend once and reads the reply to its end.
    async fn attempt_reply(&mut self, turn: u32, attempt: u32, context: Option<&History>) -> Reply {
        let Self { setup, session, recorder, held, bill, .. } = self;
        let Session { machine, source } = &mut **session;
        recorder.begin_reply();
        let envelope = setup.request.envelope(turn, Delivery::Stream);
        let history = context.unwrap_or_else(|| machine.history());
        match setup.account.reserve(setup.backend.provider_id(), &setup.request, &envelope, history) {
            Ok(reserved) => *held = Held::new(reserved),
            Err(error) => return Reply::Ended(End::Error(Failure::new(FailureKind::Budget, error.to_string()))),
        }
        // From here on, whoever drops this request leaves its worst case spent.
        held.sent();
        let reply = match source {
            Source::Server(wire) => Ask { setup, recorder, machine, wire, context }.read(&envelope, attempt).await,
            Source::Provider(provider) => {
                Box::pin(reply::read_provider(provider, recorder, machine, context, &envelope)).await
            }
            Source::Responder(responder) => {
                let ask = responder::Ask::of_history(Arc::clone(&setup.request), history, turn, Delivery::Stream);
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

    fn start_tool(&mut self, call: ToolCall) {
        let Some(tool) = self.setup.tools.iter().find(|tool| tool.name() == call.name).cloned() else {
            // The machine answers unknown names itself; its list and ours are made of the same tools.
            let now = self.recorder.now_us();
            let output = ToolOutput::error(format!("tool {} is not there", call.name));
            self.session.machine.handle_tool_result(&call.id, output, now);
            return;
        };
        let progress = &self.progress.get_or_insert_with(mpsc::unbounded_channel).0;
        let context = ToolContext::new(call.id.clone(), progress.clone(), self.cancel.clone());
        let id = call.id.clone();
        let setup = Arc::clone(&self.setup);
        let span = self.turn_span.tool(&call.name, &call.id);
        let handle = self.tools.spawn(span.clone().around(async move {
            let mut arguments = call.arguments.clone().into_bytes();
            let result = match simd_json::serde::from_slice(&mut arguments) {
                Ok(arguments) => setup.hooks.call(&tool, &call, arguments, context).await,
                Err(error) => Err(format!("the arguments are not JSON: {error}")),
            };
            span.end_tool(result.is_err());
            (call.id, result)
        }));
        self.running.push((handle.id(), id));
    }

    async fn wait_for_tools(&mut self) {
        let mut abort = self.abort.clone();
        let progress = &mut self.progress.get_or_insert_with(mpsc::unbounded_channel).1;
        tokio::select! {
            biased;
            () = aborted(&mut abort) => {
                let now = self.recorder.now_us();
                self.session.machine.handle_abort(now);
            }
            Some(progress) = progress.recv() => {
                let now = self.recorder.now_us();
                self.session.machine.handle_tool_progress(&progress.call_id, &progress.text, progress.permille, now);
            }
            joined = self.tools.join_next_with_id() => {
                let now = self.recorder.now_us();
                let (call_id, output) = match joined {
                    Some(Ok((_, (call_id, Ok(text))))) => (call_id, ToolOutput::text(text)),
                    Some(Ok((_, (call_id, Err(text))))) => (call_id, ToolOutput::error(text)),
                    Some(Err(error)) => {
                        let place = self.running.iter().position(|(id, _)| *id == error.id());
                        let call_id = place.map(|at| self.running.swap_remove(at).1).unwrap_or_default();
                        (call_id, ToolOutput::error("the tool panicked"))
                    }
                    // The machine waits for something that does not run: it must not wait for ever.
                    None => return self.session.machine.handle_abort(now),
                };
                self.setup.waiting.hand_over(&mut self.session.machine);
                self.session.machine.handle_tool_result(&call_id, output, now);
            }
        }
    }

    fn cancel_tools(&mut self) {
        self.cancel.cancel();
        self.cancel = CancelToken::new();
        self.tools = JoinSet::new();
        self.running.clear();
    }
}

async fn aborted(abort: &mut watch::Receiver<bool>) {
    if abort.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could abort.
        std::future::pending::<()>().await;
    }
}
