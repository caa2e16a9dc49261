//! Drives one run: does what the state machine asks for, and hands back what happens.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use thalweg_abi::host::{CancelToken, CodecStream};
use thalweg_abi::retry_hint::retry_after_ms;
use thalweg_abi::types::{
    EVENT_ERROR, EVENT_REFUSAL, EVENT_TEXT, EVENT_THINKING, EVENT_TOOL_ARGUMENTS, FAILURE_MALFORMED, FRAME_ERROR_BODY,
    StreamEvent,
};
use thalweg_agent::assembly::End;
use thalweg_agent::failure::{Failure, FailureKind};
use thalweg_agent::machine::{Action, Machine, ToolMode, ToolOutput};
use thalweg_agent::message::ToolCall;
use thalweg_agent::request::{Delivery, Request};
use thalweg_log::{Entry, Writer};
use thalweg_wire::pipeline::{self, Pipeline};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::agent::Endpoint;
use crate::auth;
use crate::conversation::Conversation;
use crate::cpu_clock::CpuClock;
use crate::error::Error;
use crate::http;
use crate::run::Outcome;
use crate::stats::Stats;
use crate::tool::{Progress, Tool, ToolContext};

/// What a conversation keeps between its runs.
pub(crate) struct Session {
    pub(crate) machine: Machine,
    pub(crate) conversation: Conversation,
    pub(crate) pipeline: Pipeline<CodecStream>,
}

/// What a run needs and does not change.
pub(crate) struct Setup {
    pub(crate) client: http::Client,
    pub(crate) endpoint: Endpoint,
    pub(crate) request: Request,
    pub(crate) tools: Vec<Tool>,
    pub(crate) retry: http::Retry,
    pub(crate) max_turns: u32,
    pub(crate) tool_mode: ToolMode,
    pub(crate) measure_decode: bool,
}

pub(crate) struct Driver {
    setup: Arc<Setup>,
    session: Session,
    recorder: Recorder,
    abort: watch::Receiver<bool>,
    tools: JoinSet<(String, Result<String, String>)>,
    running: Vec<(tokio::task::Id, String)>,
    cancel: CancelToken,
    progress: (mpsc::UnboundedSender<Progress>, mpsc::UnboundedReceiver<Progress>),
}

/// Writes what happens to the log, and counts.
struct Recorder {
    writer: Writer,
    /// Bytes of chunks whose events are in the log but were not shown to its readers yet.
    unpublished: usize,
    started: Instant,
    clock: Option<CpuClock>,
    /// The bodies of the run, chunk by chunk; kept only to be decoded again for the figures.
    bodies: Vec<Vec<Bytes>>,
    bodies_bytes: usize,
    stats: Stats,
    /// Why the log takes nothing more.
    refused: Option<String>,
    /// Whether a piece of the present reply could not be read: the rest of it would be paid for in vain.
    is_malformed: bool,
}

/// How one attempt at a reply ended.
enum Reply {
    Ended(End),
    /// Nothing that a reader could have seen has come; the request may be sent again after a pause.
    Retry {
        failure: Failure,
        wait: Duration,
    },
}

impl Driver {
    pub(crate) fn new(setup: Arc<Setup>, session: Session, writer: Writer, abort: watch::Receiver<bool>) -> Self {
        let clock = setup.measure_decode.then(CpuClock::new);
        let recorder = Recorder {
            writer,
            unpublished: 0,
            started: Instant::now(),
            clock,
            bodies: Vec::new(),
            bodies_bytes: 0,
            stats: Stats::default(),
            refused: None,
            is_malformed: false,
        };
        Self {
            setup,
            session,
            recorder,
            abort,
            tools: JoinSet::new(),
            running: Vec::new(),
            cancel: CancelToken::new(),
            progress: mpsc::unbounded_channel(),
        }
    }

    /// Runs to the end. The prompt has been handed to the machine. Readers see the end once the writer is dropped.
    pub(crate) async fn run(mut self) -> (Session, Outcome, Writer) {
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
        self.recorder.stats.decode_warm = self.recorder.decode_again(&mut self.session.pipeline);
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
            error,
            stats: self.recorder.stats,
        };
        (self.session, outcome, self.recorder.writer)
    }

    async fn stream_reply(&mut self, turn: u32) {
        let mut attempt = 0;
        let end = loop {
            attempt += 1;
            self.recorder.stats.requests += 1;
            let mut abort = self.abort.clone();
            let reply = tokio::select! {
                biased;
                () = aborted(&mut abort) => Reply::Ended(End::Aborted),
                reply = self.attempt_reply(turn, attempt) => reply,
            };
            match reply {
                Reply::Ended(end) => break end,
                Reply::Retry { failure, wait } => {
                    if !self.session.machine.handle_stream_restart() {
                        break End::Error(failure);
                    }
                    tokio::select! {
                        biased;
                        () = aborted(&mut abort) => break End::Aborted,
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        };
        let counters = self.session.pipeline.counters();
        self.recorder.stats.frames += counters.frames;
        self.recorder.stats.events += counters.events;
        self.recorder.stats.bytes += counters.bytes;
        self.session.pipeline.reset();
        let end = match self.recorder.refused.take() {
            Some(why) if !matches!(end, End::Aborted) => End::Error(Failure::new(FailureKind::Other, why)),
            _ => end,
        };
        let now = self.recorder.now_us();
        self.session.machine.handle_stream_end(end, now);
    }

    /// Sends the request once and reads the reply to its end.
    async fn attempt_reply(&mut self, turn: u32, attempt: u32) -> Reply {
        let Self { setup, session, recorder, .. } = self;
        let Session { machine, conversation, pipeline } = session;
        let envelope = setup.request.envelope(turn, Delivery::Stream);
        let encoded = match conversation.request(pipeline.decoder_mut(), machine.history(), &envelope) {
            Ok(encoded) => encoded,
            Err(error) => return Reply::Ended(End::Error(Failure::new(FailureKind::Plugin, error.to_string()))),
        };
        let request = match setup.endpoint.request(encoded, &setup.client).await {
            Ok(request) => request,
            Err(auth::Error::Http(error)) => return Reply::Ended(End::Error(failure_of(&error))),
            Err(error) => return Reply::Ended(End::Error(Failure::new(FailureKind::Auth, error.to_string()))),
        };
        recorder.is_malformed = false;
        let sent = setup.client.send(request).await;
        // Nothing listens on a port of this machine: waiting does not help, and the person wants to know.
        let is_hopeless = matches!(&sent, Err(http::Error::Connect { kind: io::ErrorKind::ConnectionRefused, .. }))
            && setup.endpoint.is_loopback();
        let wait = setup.retry.delay(attempt, &sent).filter(|_| !is_hopeless);
        let mut response = match sent {
            Ok(response) if response.is_success() => {
                recorder.bodies.push(Vec::new());
                response
            }
            Ok(response) => return Self::read_error_body(setup, pipeline, response, wait).await,
            Err(error) => {
                let failure = failure_of(&error);
                return match wait {
                    Some(wait) => Reply::Retry { failure, wait },
                    None => Reply::Ended(End::Error(failure)),
                };
            }
        };
        loop {
            match recorder.next_chunk(&mut response.body).await {
                Ok(Some(chunk)) => {
                    if let Err(error) = recorder.feed(pipeline, machine, Some(&chunk)) {
                        return Reply::Ended(End::Error(Failure::new(failure_kind(&error), error.to_string())));
                    }
                    if recorder.refused.is_some() || recorder.is_malformed {
                        return Reply::Ended(End::Eof);
                    }
                }
                Ok(None) => {
                    if let Err(error) = recorder.feed(pipeline, machine, None) {
                        return Reply::Ended(End::Error(Failure::new(failure_kind(&error), error.to_string())));
                    }
                    return Reply::Ended(End::Eof);
                }
                Err(error) => {
                    // What is complete in the carry is still delivered before the break is reported.
                    let _ = recorder.feed(pipeline, machine, None);
                    return match failure_of(&error) {
                        failure if failure.kind == FailureKind::Connection => Reply::Ended(End::Reset(failure.message)),
                        failure => Reply::Ended(End::Error(failure)),
                    };
                }
            }
        }
    }

    /// Turns the body of an HTTP error into a failure in the provider's own words.
    async fn read_error_body(
        setup: &Setup,
        pipeline: &mut Pipeline<CodecStream>,
        mut response: http::Response,
        wait: Option<Duration>,
    ) -> Reply {
        let status = response.status;
        let asked_by_header = response.asked_wait();
        let mut body = Vec::new();
        // As much as came is enough: the status alone says that it failed.
        let _ = response.body.read_to(&mut body, ERROR_BODY_BYTES_MAX).await;
        let (mut said, mut asked_ms) = (None, None);
        let read = pipeline.whole_body(&body, FRAME_ERROR_BODY, u32::from(status), &mut |events| {
            let error = events.iter().find(|event| event.kind() == EVENT_ERROR);
            if let (None, Some(event)) = (&said, error) {
                let details = serde_json::from_slice(event.aux()).ok();
                asked_ms = retry_after_ms(event.text(), event.aux());
                said = Some((event.num(), String::from_utf8_lossy(event.text()).into_owned(), details));
            }
        });
        let (num, message, details) = match (read, said) {
            (Ok(()), Some(said)) => said,
            _ => (0, first_line(&body), None),
        };
        let message = if message.is_empty() { "no message".to_owned() } else { message };
        let mut failure = Failure::new(
            FailureKind::from_num(num),
            format!("HTTP {status} from {}: {message}", setup.endpoint.name()),
        )
        .with_http_status(status);
        failure.details = details;
        // Also of a reply that is not asked for again: the caller may do that.
        failure.retry_after_ms = asked_ms.or_else(|| asked_by_header.map(|asked| asked.as_millis() as u64));
        // What only the body asks for: no shorter pause is of use, and one that is too long ends the tries.
        let asked = asked_ms.map_or(Duration::ZERO, Duration::from_millis);
        let wait = wait.filter(|_| asked <= setup.retry.asked_max).map(|wait| wait.max(asked));
        match wait {
            Some(wait) => Reply::Retry { failure: failure.with_retry_after_ms(wait.as_millis() as u64), wait },
            None => Reply::Ended(End::Error(failure)),
        }
    }

    fn start_tool(&mut self, call: ToolCall) {
        let Some(tool) = self.setup.tools.iter().find(|tool| tool.name() == call.name).cloned() else {
            // The machine answers unknown names itself; its list and ours are made of the same tools.
            let now = self.recorder.now_us();
            let output = ToolOutput::error(format!("tool {} is not there", call.name));
            self.session.machine.handle_tool_result(&call.id, output, now);
            return;
        };
        let context = ToolContext::new(call.id.clone(), self.progress.0.clone(), self.cancel.clone());
        let id = call.id.clone();
        let handle = self.tools.spawn(async move {
            let mut arguments = call.arguments.into_bytes();
            let result = match simd_json::serde::from_slice(&mut arguments) {
                Ok(arguments) => tool.call(arguments, context).await,
                Err(error) => Err(format!("the arguments are not JSON: {error}")),
            };
            (call.id, result)
        });
        self.running.push((handle.id(), id));
    }

    async fn wait_for_tools(&mut self) {
        let mut abort = self.abort.clone();
        tokio::select! {
            biased;
            () = aborted(&mut abort) => {
                let now = self.recorder.now_us();
                self.session.machine.handle_abort(now);
            }
            Some(progress) = self.progress.1.recv() => {
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

impl Recorder {
    fn now_us(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// Appends what the machine has to say, and publishes it.
    fn record_engine_events(&mut self, machine: &mut Machine) {
        self.append_engine_events(machine);
        self.publish();
    }

    /// The next chunk of a reply. Readers are shown what came before only when nothing more is there at the moment: to
    /// wake one costs as much as a thousand events, and HTTP hands a body over in many small pieces.
    async fn next_chunk(&mut self, body: &mut http::Body) -> Result<Option<Bytes>, http::Error> {
        let mut has_yielded = false;
        poll_fn(|cx| {
            let polled = body.poll_chunk(cx);
            if polled.is_pending() && self.unpublished > 0 {
                if has_yielded {
                    self.publish();
                } else {
                    // The connection is a task of its own, which may have more as soon as it gets its turn.
                    has_yielded = true;
                    cx.waker().wake_by_ref();
                }
            }
            polled
        })
        .await
    }

    fn publish(&mut self) {
        self.unpublished = 0;
        self.writer.publish();
    }

    fn append_engine_events(&mut self, machine: &mut Machine) {
        while let Some(event) = machine.poll_event() {
            self.append(&event.as_event(), event.time_us);
        }
    }

    /// Decodes a chunk (or the end of the body). What it held is published with what comes right behind it.
    fn feed(
        &mut self,
        pipeline: &mut Pipeline<CodecStream>,
        machine: &mut Machine,
        chunk: Option<&Bytes>,
    ) -> Result<(), pipeline::Error> {
        let now = self.now_us();
        if let (Some(_), Some(body), Some(chunk)) = (&self.clock, self.bodies.last_mut(), chunk)
            && self.bodies_bytes + chunk.len() <= KEPT_BYTES_MAX
        {
            self.bodies_bytes += chunk.len();
            body.push(chunk.clone());
        }
        self.clock_start();
        let mut sink = |events: &[StreamEvent<'_>]| {
            self.clock_stop();
            for event in events {
                self.take(machine, event, now);
            }
            self.clock_start();
        };
        let result = match chunk {
            Some(chunk) => pipeline.feed(chunk, &mut sink),
            None => pipeline.finish(&mut sink),
        };
        self.clock_stop();
        self.unpublished += chunk.map_or(UNPUBLISHED_BYTES_MAX, |chunk| chunk.len());
        if self.unpublished >= UNPUBLISHED_BYTES_MAX {
            self.publish();
        }
        result
    }

    /// Decodes the kept bodies again, warm: CPU time of a frame in the best pass.
    fn decode_again(&self, pipeline: &mut Pipeline<CodecStream>) -> Option<Duration> {
        self.clock.as_ref()?;
        let started = Instant::now();
        let mut best = None;
        while started.elapsed() < WARM_PASSES_TIME {
            let mut frames = 0;
            let mut clock = CpuClock::new();
            for body in &self.bodies {
                pipeline.reset();
                clock.start();
                for chunk in body {
                    pipeline.feed(chunk, &mut |_| {}).ok()?;
                }
                clock.stop();
                frames += pipeline.counters().frames;
            }
            let frames = u32::try_from(frames).ok().filter(|frames| *frames > 0)?;
            best = best.min(Some(clock.total() / frames)).or(Some(clock.total() / frames));
        }
        pipeline.reset();
        best
    }

    fn take(&mut self, machine: &mut Machine, event: &StreamEvent<'_>, now: u64) {
        let is_delta = matches!(event.kind(), EVENT_TEXT | EVENT_THINKING | EVENT_REFUSAL | EVENT_TOOL_ARGUMENTS);
        if is_delta && self.stats.first_delta.is_none() {
            self.stats.first_delta = Some(self.started.elapsed());
        }
        self.is_malformed |= event.kind() == EVENT_ERROR && event.num() == FAILURE_MALFORMED;
        let entry = machine.handle_stream_event(event, now);
        self.append_engine_events(machine);
        if let Some(entry) = entry {
            self.append(&entry, now);
        }
    }

    fn append(&mut self, event: &StreamEvent<'_>, time_us: u64) {
        let entry = Entry {
            kind: event.kind(),
            flags: event.flags(),
            block: event.block(),
            sub: event.sub(),
            num: event.num(),
            time_us,
            seq: 0,
            text: event.text(),
            aux: event.aux(),
        };
        if let Err(error) = self.writer.append(&entry) {
            self.refused.get_or_insert_with(|| error.to_string());
        }
    }

    fn clock_start(&mut self) {
        if let Some(clock) = &mut self.clock {
            clock.start();
        }
    }

    fn clock_stop(&mut self) {
        if let Some(clock) = &mut self.clock {
            clock.stop();
        }
    }
}

async fn aborted(abort: &mut watch::Receiver<bool>) {
    if abort.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could abort.
        std::future::pending::<()>().await;
    }
}

fn failure_of(error: &http::Error) -> Failure {
    let kind = match error {
        http::Error::Timeout { .. } => FailureKind::Timeout,
        http::Error::InvalidUrl { .. } | http::Error::InvalidHeader { .. } => FailureKind::InvalidRequest,
        _ => FailureKind::Connection,
    };
    Failure::new(kind, error.to_string())
}

fn failure_kind(error: &pipeline::Error) -> FailureKind {
    match error {
        pipeline::Error::Codec(_) => FailureKind::Plugin,
        _ => FailureKind::Malformed,
    }
}

fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().chars().take(200).collect()
}

/// Bytes of chunks after which readers are woken though more is there.
const UNPUBLISHED_BYTES_MAX: usize = 64 * 1024;

/// Bytes of bodies that are kept for measuring.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// How long the bodies are decoded again for measuring.
const WARM_PASSES_TIME: Duration = Duration::from_millis(4);

/// More of an error body than this tells nobody anything.
const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;
