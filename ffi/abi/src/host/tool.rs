//! A tool, loaded or linked in, through its C table.

use crate::host::call::{Call, Listener};
use crate::host::cancel::CancelToken;
use crate::host::check::text;
use crate::host::plugin::Started;
use crate::host::{Error, Misbehaviour};
use crate::table::{Cancel, Sink, TOOL_BLOCKING, TOOL_PARALLEL, Tool as Table, ToolInfo};
use crate::types::{self, E_INVALID, E_REJECTED, EVENT_TOOL_PROGRESS, EVENT_TOOL_RESULT, Event, OK, Status, Str};
use core::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that the answer of one call may have.
pub const TOOL_ANSWER_BYTES_MAX: usize = 16 << 20;

/// What a running tool tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolEvent {
    /// How far it is.
    Progress {
        /// For the person who waits.
        text: String,
        /// 0 to 1000 where that is known.
        permille: Option<u16>,
    },
    /// Its answer, or why there is none. The last event of every call that was not detached, exactly once.
    Finished(Result<String, Error>),
}

type Receiver = Box<dyn FnMut(ToolEvent) + Send>;

/// Passes progress on and collects the answer.
struct Collector {
    receiver: Receiver,
    answer: String,
}

impl Listener for Collector {
    fn push(&mut self, events: &[Event]) -> Result<Status, (Status, Misbehaviour)> {
        for event in events {
            if !matches!(event.kind, EVENT_TOOL_RESULT | EVENT_TOOL_PROGRESS) {
                continue;
            }
            // SAFETY: readable for the call, by contract.
            let text = unsafe { text(event.text, "what its tool pushed") }.map_err(|what| (E_INVALID, what))?;
            if event.kind == EVENT_TOOL_PROGRESS {
                let permille = u16::try_from(event.num).ok().filter(|permille| *permille <= 1000);
                (self.receiver)(ToolEvent::Progress { text: text.to_owned(), permille });
            } else if text.len() > TOOL_ANSWER_BYTES_MAX - self.answer.len() {
                return Err((E_REJECTED, Misbehaviour::AnswerTooLong { limit: TOOL_ANSWER_BYTES_MAX }));
            } else {
                self.answer.push_str(text);
            }
        }
        Ok(OK)
    }

    fn finished(&mut self, result: Result<(), Error>) {
        let answer = core::mem::take(&mut self.answer);
        (self.receiver)(ToolEvent::Finished(result.map(|()| answer)));
    }
}

/// The members of a tool table, all present.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Functions {
    invoke: unsafe extern "C" fn(
        *mut c_void,
        u32,
        *const Str,
        *const Str,
        *mut Sink,
        *mut Cancel,
        *mut types::Error,
    ) -> Status,
}

impl Functions {
    /// Reads the table and the description of each tool.
    pub(crate) fn read(plugin: &Arc<Started>, table: *const Table) -> Result<Vec<Tool>, Error> {
        // SAFETY: the plugin gave it as its tool table.
        let table = unsafe { plugin.read(table, "thw_tool") }?;
        let missing = |function| plugin.missing("thw_tool", function);
        let count = table.count.ok_or_else(|| missing("count"))?;
        let describe = table.describe.ok_or_else(|| missing("describe"))?;
        let functions = Self { invoke: table.invoke.ok_or_else(|| missing("invoke"))? };
        // SAFETY: the context is the plugin's own.
        let count = unsafe { count(plugin.context()) };
        if count > TOOLS_MAX {
            return Err(plugin.misbehaved(Misbehaviour::TooManyTools { count, limit: TOOLS_MAX }));
        }
        (0..count)
            .map(|index| {
                let mut info = ToolInfo {
                    struct_size: size_of::<ToolInfo>() as u32,
                    flags: 0,
                    name: Str::EMPTY,
                    description: Str::EMPTY,
                    parameters: Str::EMPTY,
                };
                // SAFETY: the context is the plugin's own; `info` is writable.
                let status = unsafe { describe(plugin.context(), index, &raw mut info) };
                if status != OK {
                    return Err(plugin.misbehaved(Misbehaviour::UnknownStatus { function: "describe", status }));
                }
                let about = About::read(&info).map_err(|what| plugin.misbehaved(what))?;
                Ok(Tool { plugin: Arc::clone(plugin), functions, index, about: Arc::new(about) })
            })
            .collect()
    }
}

/// What a tool says of itself, and the lock of those that run once at a time.
#[derive(Debug)]
struct About {
    name: String,
    description: String,
    parameters: String,
    flags: u32,
    turn: Mutex<()>,
}

impl About {
    fn read(info: &ToolInfo) -> Result<Self, Misbehaviour> {
        // SAFETY: static texts, by contract; for all three.
        let part = |slice, what| unsafe { text(slice, what) }.map(str::to_owned);
        let name = part(info.name, "the name of a tool")?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
            return Err(Misbehaviour::BadToolName);
        }
        Ok(Self {
            name,
            description: part(info.description, "the description of a tool")?,
            parameters: part(info.parameters, "the parameters of a tool")?,
            flags: info.flags,
            turn: Mutex::new(()),
        })
    }
}

/// One tool of a plugin. Usable from any thread.
#[derive(Clone, Debug)]
pub struct Tool {
    plugin: Arc<Started>,
    functions: Functions,
    index: u32,
    about: Arc<About>,
}

impl Tool {
    /// Id of the plugin.
    #[must_use]
    pub fn plugin(&self) -> &str {
        self.plugin.name()
    }

    /// Name: 1 to 64 letters, digits, `_` and `-`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.about.name
    }

    /// What it does, for the model.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.about.description
    }

    /// JSON Schema of its arguments, as the plugin wrote it.
    #[must_use]
    pub fn parameters(&self) -> &str {
        &self.about.parameters
    }

    /// `TOOL_*`.
    #[must_use]
    pub fn flags(&self) -> u32 {
        self.about.flags
    }

    /// Whether [`Tool::invoke`] may block and belongs on a thread for such work.
    #[must_use]
    pub fn is_blocking(&self) -> bool {
        self.about.flags & TOOL_BLOCKING != 0
    }

    /// Runs the tool. `receiver` gets its progress and, last and exactly once, [`ToolEvent::Finished`]: before this
    /// returns or later, on this thread or one of the plugin's; it invokes no tool itself. A tool that may not run several
    /// times at once is waited for.
    pub fn invoke(&self, call_id: &str, arguments: &str, receiver: Receiver, cancel: &CancelToken) -> Invocation {
        let collector = Collector { receiver, answer: String::new() };
        let (handle, call) = Call::begin(Arc::clone(&self.plugin), Box::new(collector), None);
        call.listen(cancel);
        let (call_id, arguments) = (Str::new(call_id.as_bytes()), Str::new(arguments.as_bytes()));
        let mut error = types::Error::empty();
        let status = {
            let _turn = (self.about.flags & TOOL_PARALLEL == 0)
                .then(|| self.about.turn.lock().unwrap_or_else(PoisonError::into_inner));
            // SAFETY: the context is the plugin's own; the texts are borrowed for the call; sink and cancel are numbers
            // that stay known until the sink is finished.
            unsafe {
                (self.functions.invoke)(
                    self.plugin.context(),
                    self.index,
                    &raw const call_id,
                    &raw const arguments,
                    handle.sink(),
                    handle.cancel(),
                    &raw mut error,
                )
            }
        };
        call.handle_return(handle, "invoke", status, &error);
        Invocation { call }
    }
}

/// A call of a tool that was started. Dropping it changes nothing.
pub struct Invocation {
    call: Arc<Call>,
}

impl Invocation {
    /// Whether the tool has finished.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.call.is_closed()
    }

    /// Stops listening: the tool is told to cancel, and whatever it pushes later gets `THW_E_CLOSED`. The receiver is
    /// dropped, at once or when it returns, and not called again.
    pub fn detach(self) {
        self.call.detach();
    }
}

impl core::fmt::Debug for Invocation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Invocation").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}

/// More tools than this in one plugin is a mistake.
const TOOLS_MAX: u32 = 1024;
