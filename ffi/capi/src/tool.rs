//! Tools that are functions of the program.

use std::ffi::{c_char, c_void};
use std::ptr;

use serde_json::Value;
use thalweg::Tool;
use thalweg_abi::failure::Failure;
use thalweg_abi::host::{self, Host, Plugin, services};
use thalweg_abi::table::{self, Cancel, Sink, ToolInfo};
use thalweg_abi::types::{E_FAILED, E_INVALID, EVENT_TOOL_PROGRESS, EVENT_TOOL_RESULT, Error, Event, OK, Status, Str};

use crate::fault::Fault;
use crate::program::{Owned, Registered};
use crate::{guard, text};

/// A tool that is a function of your program.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HostTool {
    /// `sizeof(thw_host_tool)`.
    pub struct_size: u32,
    /// `THW_TOOL_*` flags of thalweg_plugin.h.
    pub flags: u32,
    /// Name: letters, digits, `_` and `-`, at most 64. Like the next two, borrowed for the call that takes the tool.
    pub name: Str,
    /// What it does, for the model.
    pub description: Str,
    /// JSON Schema of its arguments, an object.
    pub parameters: Str,
    /// Runs the tool. `call_id` and `arguments` (a JSON object) are borrowed for the call.
    ///
    /// `THW_OK`: `thw_sink_answer` was called. `THW_PENDING`: it will be, later, from any thread, exactly once, also after a
    /// cancel; `sink` and `cancel` stay until then. Below 0: it failed, and `error`, which is the engine's, says why for the
    /// model to read; `sink` and `cancel` are gone.
    ///
    /// It may block: each call has a thread of its own. Several calls run at the same time only with `THW_TOOL_PARALLEL`.
    /// `[tool-thread]`
    pub invoke: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            call_id: *const Str,
            arguments: *const Str,
            sink: *mut Sink,
            cancel: *mut Cancel,
            error: *mut Error,
        ) -> Status,
    >,
    /// Yours; handed to `invoke` and `drop`.
    pub context: *mut c_void,
    /// Called once when the tool is not needed any more: its agent is freed and no call holds a sink, or the agent could
    /// not be made. May be NULL. `[any-thread]`
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
}

impl Registered for HostTool {
    const NAME: &'static str = "tool";
    const TYPE: &'static str = "thw_host_tool";

    unsafe fn give_back(&self) {
        if let Some(drop) = self.drop {
            // SAFETY: promised by the caller.
            unsafe { drop(self.context) };
        }
    }
}

/// What the tables of a program's tools get as their context.
struct Tools {
    tools: Vec<Owned<HostTool>>,
    /// The texts, since those of the program were only borrowed.
    texts: Vec<[String; 3]>,
}

/// The tools of the program.
///
/// # Safety
/// Their texts are readable.
pub(crate) unsafe fn read(tools: Vec<Owned<HostTool>>) -> Result<Vec<Tool>, Fault> {
    let mut texts = Vec::new();
    for (index, Owned(tool)) in tools.iter().enumerate() {
        // SAFETY: promised by the caller.
        texts.push(unsafe { check(tool, index) }?);
    }
    Ok(adopt(tools, texts)?.into_iter().map(Tool::from_plugin).collect())
}

/// Makes tools as those of a plugin are. The texts of each are here, since those of the program were only borrowed.
pub(crate) fn adopt(tools: Vec<Owned<HostTool>>, texts: Vec<[String; 3]>) -> Result<Vec<host::Tool>, Fault> {
    if tools.is_empty() {
        return Ok(Vec::new());
    }
    let context: *mut Tools = Box::into_raw(Box::new(Tools { tools, texts }));
    let table = table::Plugin {
        struct_size: size_of::<table::Plugin>() as u32,
        flags: 0,
        context: context.cast(),
        deinit: Some(deinit),
        get_interface: Some(get_interface),
    };
    // SAFETY: the functions below keep the rules of the ABI as far as the program keeps those of the header.
    let plugin = unsafe { Plugin::adopt("program", table, Host::silent()) };
    let plugin = plugin.map_err(|error| Failure::invalid(error.to_string()))?;
    Ok(plugin.tools())
}

/// The texts of a tool, if a model could be told of it.
///
/// # Safety
/// Its texts are readable.
unsafe fn check(tool: &HostTool, index: usize) -> Result<[String; 3], Fault> {
    let part = |text: Str, name: &str| {
        // SAFETY: promised by the caller.
        let text = unsafe { text::text(text.ptr.cast(), text.len, name) }?;
        Ok::<String, Fault>(text.to_owned())
    };
    let name = part(tool.name, &format!("name of tool {index}"))?;
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_allowed) {
        let message = format!("tool {index} is named {name:?}; a name has 1 to 64 letters, digits, `_` and `-`");
        return Err(Failure::invalid(message).into());
    }
    if tool.invoke.is_none() {
        return Err(Failure::invalid(format!("`invoke` of tool {name} is NULL")).into());
    }
    let parameters = part(tool.parameters, &format!("parameters of tool {name}"))?;
    if !serde_json::from_str::<Value>(&parameters).is_ok_and(|schema| schema.is_object()) {
        let message =
            format!("`parameters` of tool {name} is no JSON object; without arguments it is {{\"type\":\"object\"}}");
        return Err(Failure::invalid(message).into());
    }
    Ok([name, part(tool.description, "description")?, parameters])
}

static TABLE: table::Tool = table::Tool {
    struct_size: size_of::<table::Tool>() as u32,
    flags: 0,
    count: Some(count),
    describe: Some(describe),
    invoke: Some(invoke),
};

unsafe extern "C" fn get_interface(_: *mut c_void, id: *const c_char) -> *const c_void {
    // SAFETY: NUL-terminated, by the rules of the ABI.
    if unsafe { std::ffi::CStr::from_ptr(id) }.to_bytes() == table::INTERFACE_TOOL.as_bytes() {
        (&raw const TABLE).cast()
    } else {
        ptr::null()
    }
}

unsafe extern "C" fn deinit(context: *mut c_void) {
    // SAFETY: made by `read`, and called once by the rules of the ABI.
    guard::quiet(|| drop(unsafe { Box::from_raw(context.cast::<Tools>()) }));
}

unsafe extern "C" fn count(context: *mut c_void) -> u32 {
    // SAFETY: made by `read` and not ended yet.
    let tools = unsafe { &*context.cast::<Tools>() };
    tools.tools.len() as u32
}

unsafe extern "C" fn describe(context: *mut c_void, index: u32, out: *mut ToolInfo) -> Status {
    // SAFETY: made by `read` and not ended yet.
    let tools = unsafe { &*context.cast::<Tools>() };
    let index = index as usize;
    let (Some(Owned(tool)), Some([name, description, parameters])) = (tools.tools.get(index), tools.texts.get(index))
    else {
        return E_INVALID;
    };
    let info = ToolInfo {
        struct_size: size_of::<ToolInfo>() as u32,
        flags: tool.flags,
        name: Str::new(name.as_bytes()),
        description: Str::new(description.as_bytes()),
        parameters: Str::new(parameters.as_bytes()),
    };
    // SAFETY: the engine of this very build asks, with a record of its own.
    unsafe { out.write(info) };
    OK
}

unsafe extern "C" fn invoke(
    context: *mut c_void,
    index: u32,
    call_id: *const Str,
    arguments: *const Str,
    sink: *mut Sink,
    cancel: *mut Cancel,
    error: *mut Error,
) -> Status {
    // SAFETY: made by `read` and not ended yet.
    let tools = unsafe { &*context.cast::<Tools>() };
    let Some(Owned(HostTool { invoke: Some(invoke), context, .. })) = tools.tools.get(index as usize) else {
        return E_INVALID;
    };
    // SAFETY: the program's own function, called as the header says.
    unsafe { invoke(*context, call_id, arguments, sink, cancel, error) }
}

/// Ends a call of a tool with its answer, or, with a `status` below 0, with why it failed; `answer` is UTF-8 for the model
/// to read, copied before this returns, at most 16 MiB. `sink` and `cancel` are gone then, and no callback of `thw_cancel_on`
/// is running any more. `THW_E_CLOSED`: nobody waits any more, or it was answered before. `THW_E_REJECTED`: it was too long, and
/// the model is told so. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_sink_answer(
    sink: *mut Sink,
    status: Status,
    answer: *const c_char,
    answer_len: usize,
) -> Status {
    let body = || {
        // SAFETY: by contract.
        let answer = unsafe { text::text(answer, answer_len, "answer") };
        let (push, finish) = sink_functions()?;
        let failed = match (status, answer) {
            (OK.., Ok(answer)) => {
                let event = tool_event(EVENT_TOOL_RESULT, answer, 0);
                // Of a provider it is empty, and no part of the reply.
                // SAFETY: one event of ours; the sink is only looked up.
                let pushed = if answer.is_empty() { OK } else { unsafe { push(sink, &raw const event, 1) } };
                // Also after a refusal: the call is over in any case.
                // SAFETY: as above.
                let finished = unsafe { finish(sink, OK, ptr::null()) };
                return Ok(if pushed < OK { pushed } else { finished });
            }
            (..OK, Ok(why)) => Failure::new(status, why.to_owned()),
            (_, Err(_)) => Failure::new(E_FAILED, "the tool answered with something that is not UTF-8"),
        };
        let error = Error::from(&failed);
        // SAFETY: our own record; the sink is only looked up.
        Ok(unsafe { finish(sink, failed.code, &raw const error) })
    };
    // SAFETY: NULL is allowed.
    unsafe { guard::status(ptr::null_mut(), body) }
}

/// Tells those who watch the run how far a call is: `text` is copied, `permille` is 0 to 1000, or -1 if unknown.
/// `THW_E_CLOSED`: nobody waits any more; end the work. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_sink_progress(
    sink: *mut Sink,
    text: *const c_char,
    text_len: usize,
    permille: i32,
) -> Status {
    let body = || {
        // SAFETY: by contract.
        let text = unsafe { text::text(text, text_len, "text") }?;
        let event = tool_event(EVENT_TOOL_PROGRESS, text, permille.into());
        // SAFETY: one event of ours; the sink is only looked up.
        Ok(unsafe { sink_functions()?.0(sink, &raw const event, 1) })
    };
    // SAFETY: NULL is allowed.
    unsafe { guard::status(ptr::null_mut(), body) }
}

/// 1 once nobody waits for the call any more, else 0. Cheap enough for a loop. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_cancel_is_set(cancel: *const Cancel) -> i32 {
    // SAFETY: the handle is only looked up.
    services().is_cancelled.map_or(1, |is_cancelled| unsafe { is_cancelled(cancel) })
}

/// Has `callback(user)` called once when nobody waits for the call any more: on any thread, and at once if it already is
/// so. It must not block. `user` stays yours, until `thw_cancel_off` or `thw_sink_answer` has returned. Gives a
/// registration, 0 only if `callback` is NULL. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_cancel_on(
    cancel: *mut Cancel,
    callback: Option<unsafe extern "C" fn(user: *mut c_void)>,
    user: *mut c_void,
) -> u64 {
    // SAFETY: by contract.
    services().on_cancel.map_or(0, |on_cancel| unsafe { on_cancel(cancel, callback, user) })
}

/// Takes a registration back: its callback is not called any more, and is not running once this has returned, unless this
/// is called from it. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_cancel_off(cancel: *mut Cancel, registration: u64) {
    if let Some(off_cancel) = services().off_cancel {
        // SAFETY: both are only looked up.
        unsafe { off_cancel(cancel, registration) };
    }
}

type Push = unsafe extern "C" fn(*mut Sink, *const Event, u32) -> Status;
type Finish = unsafe extern "C" fn(*mut Sink, Status, *const Error) -> Status;

/// What plugins call as well.
fn sink_functions() -> Result<(Push, Finish), Fault> {
    let services = services();
    services.sink_push.zip(services.sink_finish).ok_or_else(|| Fault::state("there are no sinks"))
}

const fn tool_event(kind: u32, text: &str, num: i64) -> Event {
    Event { kind, flags: 0, block: 0, sub: 0, text: Str::new(text.as_bytes()), aux: Str::EMPTY, num, seq: 0 }
}
