//! A run: all turns of one prompt.

use std::ffi::{CString, c_char, c_void};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use thalweg::message::Message;
use thalweg::{Error as RunError, Outcome, Run as Inner};
use thalweg_abi::failure::Failure;
use thalweg_abi::types::{Error, OK, PENDING, Status, Str};

use crate::engine::Shared;
use crate::fault::Fault;
use crate::handle::{self, Class};
use crate::json::SCHEMA;
use crate::keep::Written;
use crate::{block, callback, guard, text};

/// All turns of one prompt, going on or over.
#[repr(C)]
pub struct Run {
    _opaque: [u8; 0],
}

/// How a run is started. Members that are not there, because your `struct_size` ends before them, count as 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// `sizeof(thw_run_options)`.
    pub struct_size: u32,
    /// `THW_RUN_*` flags.
    pub flags: u32,
    /// Yours; stands on each batch of the run that `thw_engine_next` gives.
    pub user: *mut c_void,
}

/// The events of the run go to `thw_engine_next`, and are kept until it has given them all. Readers see them as well.
pub const RUN_DRAIN: u32 = 1;

/// In the place of a timeout: wait as long as it takes.
pub const FOREVER: u32 = u32::MAX;

/// What lies behind a `thw_run`.
pub(crate) struct RunObject {
    pub(crate) engine: Arc<Shared>,
    pub(crate) run: Inner,
    /// Of an agent whose conversation is kept.
    written: Option<Written>,
    texts: OnceLock<Texts>,
}

/// What is lent out of a run that is over.
struct Texts {
    result: CString,
    text: CString,
}

impl Class for RunObject {
    type Handle = Run;
    const NAME: &'static str = "run";
    const TAG: &'static [u8; 8] = b"thw_run_";
}

/// The options of a run.
///
/// # Safety
/// NULL or as the header says.
pub(crate) unsafe fn read_options(options: *const RunOptions) -> Result<RunOptions, Fault> {
    if options.is_null() {
        return Ok(RunOptions { struct_size: 0, flags: 0, user: std::ptr::null_mut() });
    }
    if !options.is_aligned() {
        return Err(Failure::invalid("`options` is no address of such a struct").into());
    }
    // SAFETY: by contract it is at least as long as it states.
    let stated = unsafe { (*options).struct_size } as usize;
    if stated < size_of::<RunOptions>() {
        let message = format!("`options.struct_size` is {stated}; set it to sizeof(thw_run_options)");
        return Err(Failure::invalid(message).into());
    }
    // SAFETY: long enough, as it states.
    let options = unsafe { options.read() };
    if options.flags & !RUN_DRAIN != 0 {
        let message = format!("`options.flags` is {:#x}; this library knows {RUN_DRAIN:#x}", options.flags);
        return Err(Failure::invalid(message).into());
    }
    Ok(options)
}

/// A handle to a run that was started.
pub(crate) fn new(engine: &Arc<Shared>, run: Inner, options: &RunOptions, written: Option<Written>) -> *mut Run {
    if options.flags & RUN_DRAIN != 0 {
        engine.drain.add(run.cursor(), options.user);
    }
    handle::new(RunObject { engine: Arc::clone(engine), run, written, texts: OnceLock::new() })
}

/// The reply that is coming in, as far as it came, as JSON: a message, or `null` while none comes in; NULL on an error. It is put
/// together when it is asked for. To be freed with `thw_free`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_run_partial(run: *mut Run, error: *mut Error) -> *mut c_char {
    let body = || {
        // SAFETY: by contract.
        let RunObject { engine, run, .. } = unsafe { handle::get::<RunObject>(run) }?;
        engine.process.check()?;
        // JSON escapes every NUL.
        Ok(CString::new(json!(run.partial()).to_string()).unwrap_or_default().into_raw())
    };
    // SAFETY: by contract.
    unsafe { guard::pointer(error, body) }
}

/// Frees a run. If it goes on, it goes on; abort it first if it shall not. NULL is accepted. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_run_free(run: *mut Run) {
    guard::quiet(|| {
        // SAFETY: by contract.
        if let Some(run) = unsafe { handle::take::<RunObject>(run) }
            && run.engine.process.is_other()
        {
            std::mem::forget(run);
        }
    });
}

/// Hands the events of a run, from its first, to `thw_engine_next`, as `THW_RUN_DRAIN` does when the run is started; `user`
/// stands on its batches. Also of a run that is over. Each call adds one more source. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_run_drain(run: *mut Run, user: *mut c_void, error: *mut Error) -> Status {
    let body = || {
        // SAFETY: by contract.
        let RunObject { engine, run, .. } = unsafe { handle::get::<RunObject>(run) }?;
        engine.process.check()?;
        engine.drain.add(run.cursor(), user);
        Ok(OK)
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// Stops a run: the socket is closed, running tools are told, what was received is kept. Returns at once; the end comes as
/// the last event. Nothing happens to a run that is over. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_run_abort(run: *mut Run) -> Status {
    let body = || {
        // SAFETY: by contract.
        let RunObject { engine, run, .. } = unsafe { handle::get::<RunObject>(run) }?;
        engine.process.check()?;
        run.abort();
        Ok(OK)
    };
    // SAFETY: NULL is allowed.
    unsafe { guard::status(std::ptr::null_mut(), body) }
}

/// Waits up to `timeout_ms` for the end of a run; 0 asks how it is, `THW_FOREVER` waits as long as it takes.
///
/// `THW_OK`: it ended well. `THW_PENDING`: it goes on. Below 0: how it failed: `THW_E_CANCELLED` after an abort,
/// `THW_E_REMOTE` when the provider said no (with its HTTP status), `THW_E_CLOSED` without a connection, `THW_E_TIMEOUT`,
/// `THW_E_PROTOCOL` for a reply that was cut or is malformed, `THW_E_REJECTED` for too many turns. `error` then has the
/// reason, and whether and when to try again. Not from a callback of `thw_run_on_batch`. `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_run_wait(run: *mut Run, timeout_ms: u32, error: *mut Error) -> Status {
    let body = || {
        // SAFETY: by contract.
        let RunObject { engine, run, written, .. } = unsafe { handle::get::<RunObject>(run) }?;
        engine.process.check()?;
        if run.outcome().is_none() || written.is_some() && timeout_ms > 0 {
            callback::check_may_wait(timeout_ms)?;
            let ended = async {
                run.finished().await;
                if let Some(written) = written {
                    written.clone().wait().await;
                }
            };
            block::on(ended, timeout_ms);
        }
        match run.outcome() {
            None => Ok(PENDING),
            Some(Outcome { error: Some(error), .. }) => Err(error.into()),
            Some(_) => Ok(OK),
        }
    };
    // SAFETY: by contract.
    unsafe { guard::status(error, body) }
}

/// The result of a run that is over, as JSON: `{"schema": 1, "message": the last reply or null, "messages": [what the run
/// added to the conversation], "usage": {...}, "cost": null or {"input", "output", "cache_read", "cache_write", "total"},
/// "reason": why it ended, as of `THW_EVENT_AGENT_END`, "error": null or {"kind", "message", ...}, "stats": {...}}`. The usage and
/// the cost are of all its turns; the cost is in dollars, `null` where neither the provider nor a table knows the price, and has
/// `"is_partial": true` where something is missing.
///
/// `THW_OK`: `*json` is NUL-terminated, the run's, and lives until `thw_run_free`. `THW_PENDING`: the run goes on.
/// `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_run_result(run: *mut Run, json: *mut Str, error: *mut Error) -> Status {
    // SAFETY: by contract.
    unsafe { lend(run, json, "json", error, |texts| &texts.result) }
}

/// The text of the last reply of a run that is over, complete or as far as it came; empty when there is none.
///
/// `THW_OK`: `*text` is NUL-terminated, the run's, and lives until `thw_run_free`. `THW_PENDING`: the run goes on.
/// `[any-thread]`
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thw_run_text(run: *mut Run, text: *mut Str, error: *mut Error) -> Status {
    // SAFETY: by contract.
    unsafe { lend(run, text, "text", error, |texts| &texts.text) }
}

/// # Safety
/// All pointers are NULL or as the header says.
unsafe fn lend(
    run: *mut Run,
    out: *mut Str,
    name: &str,
    error: *mut Error,
    which: impl FnOnce(&Texts) -> &CString,
) -> Status {
    let body = || {
        // SAFETY: promised by the caller.
        let RunObject { engine, run, texts, .. } = unsafe { handle::get::<RunObject>(run) }?;
        engine.process.check()?;
        let out = text::out(out, name)?;
        let Some(outcome) = run.outcome() else { return Ok(PENDING) };
        let text = which(texts.get_or_init(|| Texts::new(outcome)));
        // SAFETY: it was checked.
        unsafe { out.write(Str::new(text.to_bytes())) };
        Ok(OK)
    };
    // SAFETY: promised by the caller.
    unsafe { guard::status(error, body) }
}

impl Texts {
    fn new(outcome: &Outcome) -> Self {
        let error = outcome.error.as_ref().map_or(Value::Null, |error| match error {
            RunError::Run { failure, .. } => json!(failure),
            error => json!({"kind": "other", "message": error.to_string()}),
        });
        let stats = &outcome.stats;
        let result = json!({
            "schema": SCHEMA,
            "message": outcome.message.clone().map(Message::Assistant),
            "messages": outcome.messages,
            "usage": outcome.usage,
            "cost": outcome.cost,
            "reason": outcome.reason,
            "error": error,
            "stats": {
                "requests": stats.requests,
                "bytes": stats.bytes,
                "frames": stats.frames,
                "events": stats.events,
                "first_delta_us": stats.first_delta.map(micros),
                "total_us": micros(stats.total),
            },
        });
        let text = outcome.message.as_ref().map(thalweg::message::AssistantMessage::text).unwrap_or_default();
        Self {
            // JSON escapes every NUL; a text may hold some, and their place is all that is kept of them.
            result: CString::new(result.to_string()).unwrap_or_default(),
            text: CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default(),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
