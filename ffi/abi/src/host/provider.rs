//! A provider that drives itself, loaded or linked in, through its C table.

use crate::failure::Failure;
use crate::host::call::{Call, Handle, Listener};
use crate::host::cancel::CancelToken;
use crate::host::check::text;
use crate::host::plugin::Started;
use crate::host::room::Room;
use crate::host::{Error, Misbehaviour};
use crate::table::{Cancel, Provider as Table, Sink};
use crate::types::{
    self, E_CANCELLED, E_INVALID, E_REJECTED, EVENT_MESSAGE_START, EVENT_SKIPPED, Event, FLAG_MERGE, FLAG_SPEAKER, OK,
    PENDING, Status, Str, StreamEvent,
};
use core::ffi::c_void;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that wait before a provider is asked to slow down; an event counts as 64.
pub const REPLY_BYTES_MARK: usize = 64 << 10;
/// Bytes that may wait for their reader: a provider that never slows down breaks the rules here.
pub const REPLY_BYTES_MAX: usize = 64 << 20;

/// The members of a provider table, all present.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Functions {
    start: unsafe extern "C" fn(*mut c_void, *const Str, *mut Sink, *mut Cancel, *mut types::Error) -> Status,
}

/// A provider of a plugin. Usable from any thread.
#[derive(Clone, Debug)]
pub struct Provider {
    plugin: Arc<Started>,
    functions: Functions,
    description: Arc<str>,
}

impl Provider {
    /// Reads the table and what the provider says of itself.
    pub(crate) fn read(plugin: &Arc<Started>, table: *const Table) -> Result<Self, Error> {
        // SAFETY: the plugin gave it as its provider table.
        let table = unsafe { plugin.read(table, "thw_provider") }?;
        let missing = |function| plugin.missing("thw_provider", function);
        let describe = table.describe.ok_or_else(|| missing("describe"))?;
        let functions = Functions { start: table.start.ok_or_else(|| missing("start"))? };
        let mut json = Str::EMPTY;
        // SAFETY: the context is the plugin's own; `json` is writable.
        let status = unsafe { describe(plugin.context(), &raw mut json) };
        if status != OK {
            return Err(plugin.misbehaved(Misbehaviour::UnknownStatus { function: "describe", status }));
        }
        // SAFETY: a static text, by contract.
        let description = unsafe { text(json, "the description of a provider") };
        let description = description.map_err(|what| plugin.misbehaved(what))?.into();
        Ok(Self { plugin: Arc::clone(plugin), functions, description })
    }

    /// Id of the plugin.
    #[must_use]
    pub fn plugin(&self) -> &str {
        self.plugin.name()
    }

    /// What it says of itself: JSON, as the plugin wrote it.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// A reply, and what starts it: apart, since a provider may give the whole reply before its start returns. The
    /// provider is told when `cancel` is cancelled.
    #[must_use]
    pub fn reply(&self, cancel: &CancelToken) -> (Reply, Start) {
        let queue = Arc::new(Queue::default());
        let listener = Box::new(Pusher(Arc::clone(&queue)));
        let (handle, call) = Call::begin(Arc::clone(&self.plugin), listener, Some(Arc::clone(&queue.room)));
        call.listen(cancel);
        let reply = Reply { call: Arc::clone(&call), queue, taken: Batch::default() };
        (reply, Start { plugin: Arc::clone(&self.plugin), functions: self.functions, call, handle, was_run: false })
    }
}

/// A reply that was not started yet. Dropped, it never is, and the reply fails.
pub struct Start {
    plugin: Arc<Started>,
    functions: Functions,
    call: Arc<Call>,
    handle: Handle,
    was_run: bool,
}

impl Start {
    /// Starts the reply to `request`: canonical JSON, with the key `messages`. It may block as long as the reply takes and
    /// belongs on a thread where it may.
    pub fn run(mut self, request: &str) {
        self.was_run = true;
        let request = Str::new(request.as_bytes());
        let mut error = types::Error::empty();
        // SAFETY: the context is the plugin's own; the text is borrowed for the call; sink and cancel are numbers that
        // stay known until the sink is finished.
        let status = unsafe {
            (self.functions.start)(
                self.plugin.context(),
                &raw const request,
                self.handle.sink(),
                self.handle.cancel(),
                &raw mut error,
            )
        };
        self.call.handle_return(self.handle, "start", status, &error);
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        if !self.was_run {
            let failure = Failure::new(E_CANCELLED, "the reply was not started");
            self.call.finish(self.handle, Err(self.plugin.failed(failure)));
        }
    }
}

impl core::fmt::Debug for Start {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Start").field("plugin", &self.plugin.name()).finish_non_exhaustive()
    }
}

/// What a provider has pushed and nobody has taken yet.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    room: Arc<Room>,
}

#[derive(Default)]
struct Waiting {
    batch: Batch,
    end: Option<Result<(), Error>>,
    waker: Option<Waker>,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Pusher(Arc<Queue>);

impl Listener for Pusher {
    fn push(&mut self, events: &[Event]) -> Result<Status, (Status, Misbehaviour)> {
        let mut waiting = self.0.lock();
        let pushed = events.iter().try_for_each(|event| waiting.batch.push(event));
        let is_full = waiting.batch.bytes() > REPLY_BYTES_MARK;
        if is_full {
            self.0.room.fill();
        }
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
        pushed.map(|()| if is_full { PENDING } else { OK })
    }

    fn finished(&mut self, result: Result<(), Error>) {
        let mut waiting = self.0.lock();
        waiting.end = Some(result);
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Events that a provider pushed, with their texts.
#[derive(Debug, Default)]
pub struct Batch {
    /// Their slices have lengths only; they lie in `texts` one after the other.
    events: Vec<Event>,
    texts: Vec<u8>,
}

// SAFETY: the pointers of the events are NULL, all of them.
unsafe impl Send for Batch {}
// SAFETY: as above.
unsafe impl Sync for Batch {}

impl Batch {
    fn push(&mut self, event: &Event) -> Result<(), (Status, Misbehaviour)> {
        if !(EVENT_MESSAGE_START..=EVENT_SKIPPED).contains(&event.kind) {
            return Ok(());
        }
        let what = "what its provider pushed";
        // SAFETY: readable for the call, by contract; for both.
        let part = |slice| unsafe { text(slice, what) }.map_err(|what| (E_INVALID, what));
        let (text, aux) = (part(event.text)?, part(event.aux)?);
        if self.bytes() + text.len() + aux.len() > REPLY_BYTES_MAX {
            return Err((E_REJECTED, Misbehaviour::ReplyOutranItsReader { limit: REPLY_BYTES_MAX }));
        }
        self.texts.extend_from_slice(text.as_bytes());
        self.texts.extend_from_slice(aux.as_bytes());
        // Other flags speak of frames, of which there are none.
        let length = |len| Str { ptr: core::ptr::null(), len };
        let (text, aux) = (length(text.len()), length(aux.len()));
        self.events.push(Event { flags: event.flags & (FLAG_MERGE | FLAG_SPEAKER), text, aux, seq: 0, ..*event });
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.texts.len() + self.events.len() * size_of::<Event>()
    }

    /// Whether there is no event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The events, in order; their texts are UTF-8 and not escaped.
    pub fn iter(&self) -> impl Iterator<Item = StreamEvent<'_>> {
        let mut rest = &self.texts[..];
        self.events.iter().map(move |event| {
            let (text, behind) = rest.split_at(event.text.len);
            let (aux, behind) = behind.split_at(event.aux.len);
            rest = behind;
            StreamEvent::new(event.kind)
                .with_flags(event.flags)
                .with_block(event.block)
                .with_sub(event.sub)
                .with_num(event.num)
                .with_text(text)
                .with_aux(aux)
        })
    }

    fn clear(&mut self) {
        self.events.clear();
        self.texts.clear();
    }
}

/// A reply that a provider is giving. Dropping it tells the provider to stop; what it pushes later gets `THW_E_CLOSED`.
pub struct Reply {
    call: Arc<Call>,
    queue: Arc<Queue>,
    taken: Batch,
}

impl Reply {
    /// All that has come since the last call, at least one event; `None` once the reply has ended well. Waits for more.
    /// Cancel-safe.
    ///
    /// # Errors
    /// Why the reply failed, after all its events.
    pub async fn next(&mut self) -> Result<Option<&Batch>, Error> {
        poll_fn(|context| self.poll(context)).await.map(|has_more| has_more.then_some(&self.taken))
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<Result<bool, Error>> {
        self.taken.clear();
        let mut waiting = self.queue.lock();
        if !waiting.batch.is_empty() {
            core::mem::swap(&mut waiting.batch, &mut self.taken);
            drop(waiting);
            self.queue.room.empty();
            return Poll::Ready(Ok(true));
        }
        match &waiting.end {
            Some(end) => Poll::Ready(end.clone().map(|()| false)),
            None => {
                waiting.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.call.detach();
    }
}

impl core::fmt::Debug for Reply {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Reply").field("ended", &self.call.is_closed()).finish_non_exhaustive()
    }
}
