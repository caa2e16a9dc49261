//! The tool table of a package.

use super::guard::{guard, settle, text};
use super::{Instance, instance};
use crate::failure::Failure;
use crate::guest::{Package, Sink, Tool, ToolCall};
use crate::table::{Cancel, Sink as RawSink, Tool as Table, ToolInfo};
use crate::types::{Error, OK, Status, Str};
use core::ffi::c_void;
use core::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The table, one for each package.
pub(super) fn table<P: Package>() -> &'static Table {
    struct Of<P>(PhantomData<P>);
    impl<P: Package> Of<P> {
        const TABLE: Table = Table {
            struct_size: size_of::<Table>() as u32,
            flags: 0,
            count: Some(count::<P>),
            describe: Some(describe::<P>),
            invoke: Some(invoke::<P>),
        };
    }
    &Of::<P>::TABLE
}

fn tool<P: Package>(instance: &Instance<P>, index: u32) -> Result<&dyn Tool, Failure> {
    let tool = usize::try_from(index).ok().and_then(|index| instance.tools.get(index));
    tool.map(|tool| &**tool).ok_or_else(|| Failure::invalid(format!("there is no tool {index}")))
}

/// # Safety
/// As [`Table::count`] says.
unsafe extern "C" fn count<P: Package>(context: *mut c_void) -> u32 {
    // SAFETY: by contract.
    unsafe { instance::<P>(context) }.map_or(0, |instance| instance.tools.len() as u32)
}

/// # Safety
/// As [`Table::describe`] says.
unsafe extern "C" fn describe<P: Package>(context: *mut c_void, index: u32, out: *mut ToolInfo) -> Status {
    let work = || {
        // SAFETY: by contract.
        let instance = unsafe { instance::<P>(context) }?;
        let info = tool(instance, index)?.info();
        if out.is_null() {
            return Err(Failure::invalid("an argument is NULL"));
        }
        // SAFETY: not NULL; the engine filled the size.
        let room = unsafe { (*out).struct_size };
        if (room as usize) < size_of::<ToolInfo>() {
            return Err(Failure::invalid("the place for the description is too small"));
        }
        let table = ToolInfo {
            struct_size: room,
            flags: info.flags,
            name: Str::new(info.name.as_bytes()),
            description: Str::new(info.description.as_bytes()),
            parameters: Str::new(info.parameters.as_bytes()),
        };
        // SAFETY: there is room for it. The texts live as long as the tool, that is until `deinit`.
        unsafe { out.write(table) };
        Ok(OK)
    };
    // SAFETY: NULL is allowed.
    unsafe { guard(core::ptr::null_mut(), work) }
}

/// # Safety
/// As [`Table::invoke`] says.
unsafe extern "C" fn invoke<P: Package>(
    context: *mut c_void,
    index: u32,
    call_id: *const Str,
    arguments: *const Str,
    sink: *mut RawSink,
    cancel: *mut Cancel,
    error: *mut Error,
) -> Status {
    let work = || {
        // SAFETY: by contract.
        let instance = unsafe { instance::<P>(context) }?;
        let tool = tool(instance, index)?;
        // SAFETY: borrowed for the call, by contract.
        let id = unsafe { text(call_id) }?;
        // SAFETY: as above.
        let arguments = unsafe { text(arguments) }?;
        // SAFETY: both are from the engine, for this call.
        let (sink, phase) = unsafe { Sink::new(sink, cancel, instance.services) };
        let call = ToolCall { id, arguments, sink };
        let ended = catch_unwind(AssertUnwindSafe(|| tool.start(call)));
        settle(&phase, ended, "the tool returned without an answer")
    };
    // SAFETY: `error` is NULL or writable, by contract.
    unsafe { guard(error, work) }
}
