//! Writes what happens in a run to its log, and counts.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use thalweg_abi::host::CodecStream;
use thalweg_abi::types::{
    EVENT_ERROR, EVENT_REFUSAL, EVENT_TEXT, EVENT_THINKING, EVENT_TOOL_ARGUMENTS, FAILURE_MALFORMED, StreamEvent,
};
use thalweg_agent::kind;
use thalweg_agent::machine::Machine;
use thalweg_log::{Entry, Writer};
use thalweg_wire::pipeline::{self, Counters, Pipeline};

use crate::cpu_clock::CpuClock;
use crate::http;
use crate::stats::Stats;

/// Writes what happens to the log, and counts.
pub(crate) struct Recorder {
    pub(crate) writer: Writer,
    /// Bytes of chunks whose events are in the log but were not shown to its readers yet.
    unpublished: usize,
    /// The time of those events: they are shown together, and to read the clock for each costs more than to keep it.
    batch_us: Option<u64>,
    /// Bytes of chunks, or events of a provider, that came without a pause.
    without_pause: usize,
    pub(crate) started: Instant,
    pub(crate) clock: Option<CpuClock>,
    /// The bodies of the run, chunk by chunk; kept only to be decoded again for the figures.
    bodies: Vec<Vec<Bytes>>,
    bodies_bytes: usize,
    pub(crate) stats: Stats,
    /// Why the log takes nothing more.
    pub(crate) refused: Option<String>,
    /// Whether a piece of the present reply could not be read: the rest of it would be paid for in vain.
    is_malformed: bool,
    /// Whether the provider may have begun with the present reply, so that it may cost something.
    pub(crate) may_cost: bool,
}

impl Recorder {
    pub(crate) fn new(writer: Writer, measures_decode: bool) -> Self {
        Self {
            writer,
            unpublished: 0,
            batch_us: None,
            without_pause: 0,
            started: Instant::now(),
            clock: measures_decode.then(CpuClock::new),
            bodies: Vec::new(),
            bodies_bytes: 0,
            stats: Stats::default(),
            refused: None,
            is_malformed: false,
            may_cost: false,
        }
    }

    /// Microseconds since the run began.
    pub(crate) fn now_us(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    /// Appends what the machine has to say, and publishes it.
    pub(crate) fn record_engine_events(&mut self, machine: &mut Machine) {
        self.append_engine_events(machine);
        self.publish();
    }

    /// The next chunk of a reply. Readers are shown what came before only when nothing more is there at the moment: to
    /// wake one costs as much as a thousand events, and HTTP hands a body over in many small pieces. Waits while a reader
    /// that holds the run back is too far behind, and lets others have their turn when much came at once.
    pub(crate) async fn next_chunk(&mut self, body: &mut http::Body) -> Result<Option<Bytes>, http::Error> {
        let mut has_yielded = false;
        let mut has_waited = false;
        poll_fn(|cx| {
            if self.writer.poll_room(cx).is_pending() {
                self.unpublished = 0;
                self.batch_us = None;
                has_waited = true;
                return Poll::Pending;
            }
            if std::mem::take(&mut has_waited) {
                // It was us who was silent, not the server.
                body.hear();
            }
            if self.without_pause >= WITHOUT_PAUSE_MAX {
                self.without_pause = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let polled = body.poll_chunk(cx);
            match &polled {
                Poll::Ready(Ok(Some(chunk))) => self.without_pause += chunk.len(),
                _ => self.without_pause = 0,
            }
            if polled.is_pending() && self.unpublished > 0 {
                if has_yielded || body.is_at_socket() {
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

    /// To be called before each batch of a provider that drives itself, for what [`Recorder::next_chunk`] does besides.
    pub(crate) async fn make_room(&mut self) {
        self.writer.room().await;
        if self.without_pause >= WITHOUT_PAUSE_MAX {
            self.without_pause = 0;
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn publish(&mut self) {
        self.unpublished = 0;
        self.batch_us = None;
        self.writer.publish();
    }

    fn append_engine_events(&mut self, machine: &mut Machine) {
        while let Some(event) = machine.poll_event() {
            self.append(&event.as_event(), event.time_us);
        }
    }

    /// A reply is asked for, for the first time or once more.
    pub(crate) const fn begin_reply(&mut self) {
        self.is_malformed = false;
        self.may_cost = false;
    }

    /// A body begins.
    pub(crate) fn begin_body(&mut self) {
        self.bodies.push(Vec::new());
    }

    /// Whether the rest of the reply is of no use.
    pub(crate) const fn is_lost(&self) -> bool {
        self.refused.is_some() || self.is_malformed
    }

    /// Adds what the pipeline counted.
    pub(crate) const fn count(&mut self, counters: Counters) {
        self.stats.frames += counters.frames;
        self.stats.events += counters.events;
        self.stats.bytes += counters.bytes;
    }

    /// Takes events that came without a pipeline, and publishes them as one batch.
    pub(crate) fn take_batch<'e>(&mut self, machine: &mut Machine, events: impl Iterator<Item = StreamEvent<'e>>) {
        let now = self.now_us();
        for event in events {
            self.stats.events += 1;
            self.without_pause += EVENT_BYTES;
            self.take(machine, &event, now);
        }
        self.publish();
    }

    /// Decodes a chunk (or the end of the body). What it held is published with what comes right behind it.
    pub(crate) fn feed(
        &mut self,
        pipeline: &mut Pipeline<CodecStream>,
        machine: &mut Machine,
        chunk: Option<&Bytes>,
    ) -> Result<(), pipeline::Error> {
        let now = self.batch_us.unwrap_or_else(|| self.now_us());
        self.batch_us = Some(now);
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
        self.unpublished += chunk.map_or(UNPUBLISHED_BYTES_MAX, Bytes::len);
        if self.unpublished >= UNPUBLISHED_BYTES_MAX {
            self.publish();
        }
        result
    }

    /// Decodes the kept bodies again, warm: CPU time of a frame in the best pass.
    pub(crate) fn decode_again(&self, pipeline: &mut Pipeline<CodecStream>) -> Option<Duration> {
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
        let appended = match entry.kind {
            // However full it is: readers are told how the run ended.
            kind::AGENT_END => self.writer.append_last(&entry),
            _ => self.writer.append(&entry),
        };
        if let Err(error) = appended {
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

/// Bytes of chunks after which readers are woken though more is there.
const UNPUBLISHED_BYTES_MAX: usize = 64 * 1024;

/// Bytes of chunks after which other streams of the thread have their turn: a fraction of a millisecond of work.
const WITHOUT_PAUSE_MAX: usize = 256 * 1024;

/// What an event that comes without a chunk counts as.
const EVENT_BYTES: usize = 128;

/// Bytes of bodies that are kept for measuring.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// How long the bodies are decoded again for measuring.
const WARM_PASSES_TIME: Duration = Duration::from_millis(4);
