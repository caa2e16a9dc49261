//! A run: all turns of one prompt, watched by any number of readers.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::de::DeserializeOwned;
use thalweg_abi::types::{EVENT_REFUSAL, EVENT_TEXT, EVENT_THINKING, EVENT_TOOL_ARGUMENTS, StreamEvent};
use thalweg_agent::cost::Cost;
use thalweg_agent::event::{BlockKind, EventView, UpdateView};
use thalweg_agent::failure::{Failure, FailureKind};
use thalweg_agent::machine::EndReason;
use thalweg_agent::message::{AssistantMessage, Message, Usage};
use thalweg_agent::request::Request;
use thalweg_log::{Cursor, Entry, LAGGED, Log};
use tokio::sync::watch;

use crate::error::Error;
use crate::stats::Stats;
use crate::structured;

/// A run in progress, or over. Clones are the same run.
///
/// The run goes on when it is dropped; [`Run::abort`] stops it.
#[derive(Clone)]
pub struct Run {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) log: Log,
    pub(crate) abort: watch::Sender<bool>,
    pub(crate) outcome: OnceLock<Outcome>,
    pub(crate) finished: watch::Sender<bool>,
}

/// How a run ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The last reply of the model, complete or as far as it came.
    pub message: Option<AssistantMessage>,
    /// The messages that the run added to the conversation, the prompt among them.
    pub messages: Vec<Message>,
    /// Tokens of all its turns.
    pub usage: Usage,
    /// What they cost, as the provider says or by the table of prices; `None` if neither knows, never 0 for that.
    pub cost: Option<Cost>,
    /// Why it ended; `None` where nobody could say any more.
    pub reason: Option<EndReason>,
    /// What went wrong; `None` when nothing did.
    pub error: Option<Error>,
    /// What it cost.
    pub stats: Stats,
    /// What its last reply was asked for with.
    pub(crate) request: Option<Arc<Request>>,
}

impl Run {
    /// The events of the run from its beginning, for one reader; call it again for another. Where the log is a window
    /// ([`AgentBuilder::log`](crate::AgentBuilder::log)), from the oldest one kept.
    #[must_use]
    pub fn events(&self) -> Events {
        Events { cursor: self.shared.log.cursor(), missed: 0 }
    }

    /// Only the text of the replies, from the beginning, for one reader.
    #[must_use]
    pub fn text(&self) -> Text {
        Text { events: self.events(), missed: 0 }
    }

    /// The log of the run as it stands, from its beginning, for one reader: every event, also those that are no step of
    /// the run, with the numbers of [`kind`](thalweg_agent::kind).
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.shared.log.cursor()
    }

    /// How the run ended; `None` while it goes on.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        // The flag comes after the outcome and after the agent is idle again.
        self.shared.finished.borrow().then(|| self.shared.outcome.get()).flatten()
    }

    /// Stops the run: the socket is closed, running tools are told, what was received is kept.
    pub fn abort(&self) {
        self.shared.abort.send_replace(true);
    }

    /// Waits for the end of the run.
    pub async fn finished(&self) -> Outcome {
        let mut finished = self.shared.finished.subscribe();
        // The sender lives in `shared`, so waiting cannot fail.
        let _ = finished.wait_for(|done| *done).await;
        self.shared.outcome.get().cloned().unwrap_or_else(Outcome::lost)
    }

    /// Waits for the end and gives the last reply.
    ///
    /// # Errors
    /// [`Error::Run`] with the partial reply when the run did not end well.
    pub async fn message(&self) -> Result<AssistantMessage, Error> {
        let outcome = self.finished().await;
        match (outcome.error, outcome.message) {
            (None, Some(message)) => Ok(message),
            (Some(error), _) => Err(error),
            (None, None) => Err(Outcome::lost().error.unwrap_or(Error::Busy)),
        }
    }

    /// Waits for the end and reads the last reply as JSON. Say which JSON with [`AgentBuilder::output`](crate::AgentBuilder::output);
    /// the reply is checked against that schema, whatever the provider promises.
    ///
    /// # Errors
    /// As [`Run::message`], also when the reply is not JSON of that form.
    pub async fn message_as<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let message = self.message().await?;
        let request = self.outcome().and_then(|outcome| outcome.request.as_deref());
        structured::read(message, request.and_then(|request| request.output.as_ref()))
    }
}

impl Outcome {
    /// The task that drove the run was dropped, with its runtime or by a panic, before it could say how it ended.
    pub(crate) fn lost() -> Self {
        let message = "the run was dropped before its end, with the runtime that drove it";
        let failure = Box::new(Failure::new(FailureKind::Other, message));
        Self {
            message: None,
            messages: Vec::new(),
            usage: Usage::default(),
            cost: None,
            reason: None,
            error: Some(Error::Run { failure, partial: None }),
            stats: Stats { total: Duration::ZERO, ..Stats::default() },
            request: None,
        }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("outcome", &self.shared.outcome.get()).finish_non_exhaustive()
    }
}

/// One step of a run, borrowed from the log.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// What happened.
    pub view: EventView<'a>,
    /// Place in the log of the run.
    pub seq: u64,
    /// Microseconds since the run began.
    pub time_us: u64,
    /// Entries of the log that this reader has missed right before this event: those that a window had dropped when the
    /// reader came to them.
    pub missed: u64,
}

impl Event<'_> {
    /// Appends the JSON form, one line without its end; with a key `missed` where something was.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        self.view.write_json(self.seq, self.time_us, out);
        if self.missed > 0 && out.pop_if(|last| *last == b'}').is_some() {
            out.extend_from_slice(format!(",\"missed\":{}}}", self.missed).as_bytes());
        }
    }
}

/// One reader of a run's events.
#[derive(Clone, Debug)]
pub struct Events {
    cursor: Cursor,
    missed: u64,
}

impl Events {
    /// Has the run wait for this reader, down to the socket, as long as the reader lives: nothing more is read from the
    /// server while the reader is further behind than the log's `ahead_bytes_max`. It then misses nothing, whatever the
    /// window. It must go on reading until the end, or be dropped, or the run does not end.
    #[must_use]
    pub fn hold_back(self) -> Self {
        Self { cursor: self.cursor.hold_back(), ..self }
    }

    /// The next event; waits for it, and gives `None` once the run is over and all is read. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event<'_>> {
        loop {
            if find_step(&mut self.cursor, &mut self.missed) {
                let missed = std::mem::take(&mut self.missed);
                return self.cursor.next().and_then(|entry| step(entry, missed));
            }
            if !self.cursor.ready().await {
                return None;
            }
        }
    }
}

/// The next step that is there, for who does not wait.
pub(crate) fn next_step(cursor: &mut Cursor) -> Option<Event<'_>> {
    let mut missed = 0;
    if find_step(cursor, &mut missed) { cursor.next().and_then(|entry| step(entry, missed)) } else { None }
}

/// Goes to the next entry that is a step: others (usage counters, further choices) stand in the log too. Adds up what a
/// window has dropped. False when all was read.
fn find_step(cursor: &mut Cursor, missed: &mut u64) -> bool {
    loop {
        match cursor.peek() {
            None => return false,
            Some(entry) if entry.kind == LAGGED => *missed += entry.num.unsigned_abs(),
            Some(entry) if is_step(&entry) => return true,
            Some(_) => {}
        }
        cursor.next();
    }
}

/// Whether [`step`] makes something of it.
fn is_step(entry: &Entry<'_>) -> bool {
    let is_delta = matches!(entry.kind, EVENT_TEXT | EVENT_THINKING | EVENT_REFUSAL | EVENT_TOOL_ARGUMENTS);
    if is_delta && entry.sub == 0 {
        // Nearly all are, so that they are not decoded twice.
        return entry.text.is_ascii() || std::str::from_utf8(entry.text).is_ok();
    }
    EventView::decode(&stream_event(entry)).is_some()
}

fn stream_event<'a>(entry: &Entry<'a>) -> StreamEvent<'a> {
    StreamEvent::new(entry.kind)
        .with_flags(entry.flags)
        .with_block(entry.block)
        .with_sub(entry.sub)
        .with_num(entry.num)
        .with_seq(entry.seq)
        .with_text(entry.text)
        .with_aux(entry.aux)
}

fn step(entry: Entry<'_>, missed: u64) -> Option<Event<'_>> {
    let view = EventView::decode(&stream_event(&entry))?;
    Some(Event { view, seq: entry.seq, time_us: entry.time_us, missed })
}

/// One reader of a run's text.
#[derive(Clone, Debug)]
pub struct Text {
    events: Events,
    missed: u64,
}

impl Text {
    /// As [`Events::hold_back`].
    #[must_use]
    pub fn hold_back(self) -> Self {
        Self { events: self.events.hold_back(), ..self }
    }

    /// Entries of the log that this reader has missed so far, because a window had dropped them. 0 unless the log is one.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.missed
    }

    /// The next piece of text; `None` once the run is over. Cancel-safe.
    pub async fn next(&mut self) -> Option<String> {
        while let Some(event) = self.events.next().await {
            self.missed += event.missed;
            if let EventView::MessageUpdate(UpdateView::Delta { block: BlockKind::Text, delta, .. }) = event.view {
                return Some(delta.to_owned());
            }
        }
        None
    }
}
