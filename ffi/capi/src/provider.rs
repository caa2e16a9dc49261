//! Whole providers that are functions of the program.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use serde_json::json;
use thalweg_abi::failure::Failure;
use thalweg_abi::host::{self, Host, Plugin, services};
use thalweg_abi::table::{self, Cancel, Sink};
use thalweg_abi::types::{E_INVALID, Error, Event, OK, Status, Str};

use crate::fault::Fault;
use crate::program::{Owned, Registered};
use crate::{guard, text};

/// A provider that is a function of your program: a model in the process, a test, a service with a client of its own.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HostProvider {
    /// `sizeof(thw_host_provider)`.
    pub struct_size: u32,
    /// Zero.
    pub flags: u32,
    /// Its name, without a slash, borrowed for the call that takes it. An agent asks it whose option `model` is
    /// "NAME/MODEL", or whose `provider` is NAME.
    pub name: Str,
    /// Starts one reply, as `invoke` of a tool is called, with an empty `call_id`. `request` is JSON with the keys `model`,
    /// `messages`, `tools` and what else the agent was told, borrowed for the call.
    ///
    /// The events of the reply go to `thw_sink_push`: those that a codec gives (thalweg_plugin.h), with plain texts, each
    /// delta in a block of its own number; a `THW_EVENT_STOP` is among the last. Then `thw_sink_answer` with an empty text
    /// ends it, or says how it failed: now, and `THW_OK` is given; or later, from any thread, after `THW_PENDING`.
    ///
    /// It may block. Several replies may be started at once, those of different runs. `[tool-thread]`
    pub invoke: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            call_id: *const Str,
            request: *const Str,
            sink: *mut Sink,
            cancel: *mut Cancel,
            error: *mut Error,
        ) -> Status,
    >,
    /// Yours; handed to `invoke` and `drop`.
    pub context: *mut c_void,
    /// As that of a tool. May be NULL. `[any-thread]`
    pub drop: Option<unsafe extern "C" fn(context: *mut c_void)>,
}

impl Registered for HostProvider {
    const NAME: &'static str = "provider";
    const TYPE: &'static str = "thw_host_provider";

    unsafe fn give_back(&self) {
        if let Some(drop) = self.drop {
            // SAFETY: promised by the caller.
            unsafe { drop(self.context) };
        }
    }
}

/// What the table of a provider gets as its context.
struct Context {
    provider: Owned<HostProvider>,
    description: String,
}

/// The providers of the program.
///
/// # Safety
/// Their names are readable.
pub(crate) unsafe fn read(providers: Vec<Owned<HostProvider>>) -> Result<Vec<host::Provider>, Fault> {
    let mut made = Vec::new();
    for (index, provider) in providers.into_iter().enumerate() {
        let name = provider.0.name;
        // SAFETY: promised by the caller.
        let name = unsafe { text::text(name.ptr.cast(), name.len, &format!("name of provider {index}")) }?;
        if name.is_empty() || name.contains('/') || name.trim() != name {
            let message = format!(
                "provider {index} is named {name:?}; a name is not empty, and has no slash and no blanks around it"
            );
            return Err(Failure::invalid(message).into());
        }
        if provider.0.invoke.is_none() {
            return Err(Failure::invalid(format!("`invoke` of provider {name} is NULL")).into());
        }
        let description = json!({ "provider": name }).to_string();
        let context: *mut Context = Box::into_raw(Box::new(Context { provider, description }));
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
        made.extend(plugin.provider());
    }
    Ok(made)
}

static TABLE: table::Provider = table::Provider {
    struct_size: size_of::<table::Provider>() as u32,
    flags: 0,
    describe: Some(describe),
    start: Some(start),
};

unsafe extern "C" fn get_interface(_: *mut c_void, id: *const c_char) -> *const c_void {
    // SAFETY: NUL-terminated, by the rules of the ABI.
    if unsafe { CStr::from_ptr(id) }.to_bytes() == table::INTERFACE_PROVIDER.as_bytes() {
        (&raw const TABLE).cast()
    } else {
        ptr::null()
    }
}

unsafe extern "C" fn deinit(context: *mut c_void) {
    // SAFETY: made by `read`, and called once by the rules of the ABI.
    guard::quiet(|| drop(unsafe { Box::from_raw(context.cast::<Context>()) }));
}

unsafe extern "C" fn describe(context: *mut c_void, json: *mut Str) -> Status {
    // SAFETY: made by `read` and not ended yet.
    let context = unsafe { &*context.cast::<Context>() };
    // SAFETY: the engine of this very build asks, with a place of its own.
    unsafe { json.write(Str::new(context.description.as_bytes())) };
    OK
}

unsafe extern "C" fn start(
    context: *mut c_void,
    request: *const Str,
    sink: *mut Sink,
    cancel: *mut Cancel,
    error: *mut Error,
) -> Status {
    // SAFETY: made by `read` and not ended yet.
    let context = unsafe { &*context.cast::<Context>() };
    let HostProvider { invoke: Some(invoke), context, .. } = context.provider.0 else { return E_INVALID };
    let call_id = Str::EMPTY;
    // SAFETY: the program's own function, called as the header says.
    unsafe { invoke(context, &raw const call_id, request, sink, cancel, error) }
}

/// Hands `count` events of a provider's reply to the engine, which copies them and their texts before this returns.
/// `THW_OK`: taken. `THW_PENDING`: taken, and please slow down: see `thw_sink_wait`. `THW_E_CLOSED`: nobody listens any more; end
/// the work. `THW_E_INVALID`: a text is not UTF-8; the reply will fail. One sink is used by one thread at a time.
/// `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_sink_push(sink: *mut Sink, events: *const Event, count: u32) -> Status {
    let body = || {
        let push = services().sink_push.ok_or_else(|| Fault::state("there are no sinks"))?;
        // SAFETY: by contract; the sink is only looked up.
        Ok(unsafe { push(sink, events, count) })
    };
    // SAFETY: NULL is allowed.
    unsafe { guard::status(ptr::null_mut(), body) }
}

/// Blocks until the engine has taken what a provider pushed, at most `timeout_ms` milliseconds; 0 only asks, below 0 is
/// without limit. `THW_OK`: push on. `THW_PENDING`: the time is over. `THW_E_CLOSED`: cancelled, or nobody listens any more.
/// Without it a provider may push 64 MiB ahead; further pushes fail the reply. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_sink_wait(sink: *mut Sink, timeout_ms: i32) -> Status {
    let body = || {
        let wait = services().sink_wait.ok_or_else(|| Fault::state("there are no sinks"))?;
        // SAFETY: the sink is only looked up.
        Ok(unsafe { wait(sink, timeout_ms) })
    };
    // SAFETY: NULL is allowed.
    unsafe { guard::status(ptr::null_mut(), body) }
}
