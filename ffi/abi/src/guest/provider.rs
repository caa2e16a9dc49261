//! What the author of a provider implements that drives itself.

use crate::failure::Failure;
use crate::guest::Sink;
use crate::types::{
    E_CANCELLED, E_CLOSED, EVENT_BLOCK_END, EVENT_MESSAGE_START, EVENT_STOP, EVENT_TEXT, EVENT_THINKING,
    EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, EVENT_USAGE, OK, PENDING, StreamEvent,
};

/// A model inside the process, or one behind a protocol that is no HTTP dialect.
pub trait Provider: Send + Sync + 'static {
    /// JSON that describes it, the same on every call: `{"provider": id, "models": [{"id": …}, …]}`; docs/PLUGINS.md.
    fn describe(&self) -> &str;

    /// Gives one reply. `request` is canonical JSON with the key `messages`. It may take its time: it runs on a thread of
    /// its own, and each push waits until the engine has room.
    ///
    /// # Errors
    /// Why the reply failed. What was pushed before is kept.
    fn reply(&self, request: &str, reply: &mut Reply) -> Result<(), Failure>;

    /// Starts a reply. The default runs [`Provider::reply`] to its end; a provider with threads of its own copies what it
    /// needs, moves `reply` there, returns at once and finishes it later.
    fn start(&self, request: &str, mut reply: Reply) {
        let ended = self.reply(request, &mut reply);
        reply.finish(ended);
    }
}

/// Takes the events of one reply. Finished exactly once: dropped unfinished, it says so.
#[derive(Debug)]
pub struct Reply {
    sink: Sink,
}

/// Nobody waits for the reply any more. As a [`Failure`] it ends the reply as cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl core::fmt::Display for Closed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("nobody waits for the reply any more")
    }
}

impl core::error::Error for Closed {}

impl From<Closed> for Failure {
    fn from(closed: Closed) -> Self {
        Self::new(E_CANCELLED, closed.to_string())
    }
}

impl Reply {
    pub(crate) const fn new(sink: Sink) -> Self {
        Self { sink }
    }

    /// Hands events over, which are copied, and waits until the engine has room for more.
    ///
    /// # Errors
    /// [`Closed`] when the reply was cancelled: end the work.
    pub fn push(&mut self, events: &[StreamEvent<'_>]) -> Result<(), Closed> {
        match self.sink.push(events) {
            OK => Ok(()),
            PENDING => match self.sink.wait() {
                E_CLOSED => Err(Closed),
                _ => Ok(()),
            },
            _ => Err(Closed),
        }
    }

    /// The reply begins, with the name of the model.
    ///
    /// # Errors
    /// As [`Reply::push`].
    pub fn begin(&mut self, model: &str) -> Result<(), Closed> {
        self.push(&[StreamEvent::new(EVENT_MESSAGE_START).with_text(model.as_bytes())])
    }

    /// More text of block `block`.
    ///
    /// # Errors
    /// As [`Reply::push`].
    pub fn text(&mut self, block: u32, delta: &str) -> Result<(), Closed> {
        self.push(&[StreamEvent::new(EVENT_TEXT).with_block(block).with_text(delta.as_bytes())])
    }

    /// More thinking of block `block`.
    ///
    /// # Errors
    /// As [`Reply::push`].
    pub fn thinking(&mut self, block: u32, delta: &str) -> Result<(), Closed> {
        self.push(&[StreamEvent::new(EVENT_THINKING).with_block(block).with_text(delta.as_bytes())])
    }

    /// A whole tool call as block `block`; `arguments` is a JSON object.
    ///
    /// # Errors
    /// As [`Reply::push`].
    pub fn tool_call(&mut self, block: u32, id: &str, name: &str, arguments: &str) -> Result<(), Closed> {
        self.push(&[
            StreamEvent::new(EVENT_TOOL_BEGIN).with_block(block).with_text(name.as_bytes()).with_aux(id.as_bytes()),
            StreamEvent::new(EVENT_TOOL_ARGUMENTS).with_block(block).with_text(arguments.as_bytes()),
            StreamEvent::new(EVENT_BLOCK_END).with_block(block),
        ])
    }

    /// A counter of tokens: `counter` is one of `USAGE_*`.
    ///
    /// # Errors
    /// As [`Reply::push`].
    pub fn usage(&mut self, counter: u32, tokens: u64) -> Result<(), Closed> {
        let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
        self.push(&[StreamEvent::new(EVENT_USAGE).with_block(counter).with_num(tokens)])
    }

    /// The model has said all it will: `reason` is one of `STOP_*`.
    ///
    /// # Errors
    /// As [`Reply::push`].
    pub fn stop(&mut self, reason: i64) -> Result<(), Closed> {
        self.push(&[StreamEvent::new(EVENT_STOP).with_num(reason)])
    }

    /// Whether nobody waits for the reply any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.sink.is_cancelled()
    }

    /// What tells of progress and cancellation beyond that: see [`Sink::on_cancel`] and [`Sink::log`].
    #[must_use]
    pub const fn sink(&self) -> &Sink {
        &self.sink
    }

    /// Ends the reply.
    pub fn finish(self, ended: Result<(), Failure>) {
        self.sink.end(ended);
    }
}
