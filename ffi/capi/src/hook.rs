//! Hooks that are functions of the program: called as tools are, with JSON in and JSON out.

use std::ffi::c_void;

use thalweg::{Hook, HookPoint};
use thalweg_abi::failure::Failure;
use thalweg_abi::table::{Cancel, Sink, TOOL_PARALLEL};
use thalweg_abi::types::{Error, Status, Str};

use crate::fault::Fault;
use crate::program::{Owned, Registered};
use crate::tool::{self, HostTool};

/// Before a tool runs. Gets `{"tool_call_id", "tool_name", "args"}`. Answers `{"args": {...}}` to run it with other arguments,
/// `{"block": true, "reason": s}` to tell the model the reason instead, `{"result": s, "is_error": b}` to answer in its place,
/// or `{"wait": true}` to leave it to a person, see `thw_agent_answer`. `"terminate": true` ends the run.
pub const HOOK_BEFORE_TOOL_CALL: u32 = 1;

/// After a tool ran, or was blocked. Gets `{"tool_call_id", "tool_name", "args", "text", "content", "is_error"}`. Answers
/// `{"text": s, "content": [...], "is_error": b, "details": v, "terminate": b}`, all optional, to tell the model something
/// else; `terminate` ends the run.
pub const HOOK_AFTER_TOOL_CALL: u32 = 2;

/// Before each request. Gets `{"messages": [...]}`, the whole conversation. Answers the array of messages to send in its
/// place; the conversation stays as it is.
pub const HOOK_TRANSFORM_CONTEXT: u32 = 3;

/// The same, behind all of `THW_HOOK_TRANSFORM_CONTEXT`: the last word on what is sent.
pub const HOOK_CONVERT_MESSAGES: u32 = 4;

/// After a turn that another one would follow. Gets `{"turn": n, "messages": [...]}`, what the run has added to the
/// conversation. Answers `{"stop": true}` to end the run.
pub const HOOK_AFTER_TURN: u32 = 5;

/// A hook that is a function of your program. Several at a point are asked in their order, each with what the one before
/// made of it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HostHook {
    /// `sizeof(thw_host_hook)`.
    pub struct_size: u32,
    /// `THW_HOOK_*`.
    pub point: u32,
    /// Asks the hook, as `invoke` of a tool is called, with an empty `call_id`. `input` is a JSON object, borrowed for the call.
    /// The answer is JSON; an empty one, or `null`, says: go on as it is. A failure is told to the model where a tool is
    /// called, else it ends the run. When the run is aborted, `cancel` says so.
    ///
    /// It may block. Where several tools run at once, it may be asked for several at once. `[tool-thread]`
    pub invoke: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            call_id: *const Str,
            input: *const Str,
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

impl Registered for HostHook {
    const NAME: &'static str = "hook";
    const TYPE: &'static str = "thw_host_hook";

    unsafe fn give_back(&self) {
        if let Some(drop) = self.drop {
            // SAFETY: promised by the caller.
            unsafe { drop(self.context) };
        }
    }
}

/// The hooks of the program.
pub(crate) fn read(hooks: Vec<Owned<HostHook>>) -> Result<Vec<Hook>, Fault> {
    let mut points = Vec::new();
    for (index, Owned(hook)) in hooks.iter().enumerate() {
        points.push(match hook.point {
            HOOK_BEFORE_TOOL_CALL => HookPoint::BeforeToolCall,
            HOOK_AFTER_TOOL_CALL => HookPoint::AfterToolCall,
            HOOK_TRANSFORM_CONTEXT => HookPoint::TransformContext,
            HOOK_CONVERT_MESSAGES => HookPoint::ConvertMessages,
            HOOK_AFTER_TURN => HookPoint::AfterTurn,
            point => {
                let message = format!("`point` of hook {index} is {point}, which is no THW_HOOK_*");
                return Err(Failure::invalid(message).into());
            }
        });
        if hook.invoke.is_none() {
            return Err(Failure::invalid(format!("`invoke` of hook {index} is NULL")).into());
        }
    }
    let texts = |index| [format!("hook_{index}"), String::new(), r#"{"type":"object"}"#.to_owned()];
    let texts = (0..hooks.len()).map(texts).collect();
    let tools = tool::adopt(hooks.into_iter().map(|hook| hook.into(as_tool)).collect(), texts)?;
    Ok(points.into_iter().zip(tools).map(|(point, tool)| Hook::from_plugin(point, tool)).collect())
}

pub(crate) fn as_tool(hook: &HostHook) -> HostTool {
    HostTool {
        struct_size: size_of::<HostTool>() as u32,
        flags: TOOL_PARALLEL,
        name: Str::EMPTY,
        description: Str::EMPTY,
        parameters: Str::EMPTY,
        invoke: hook.invoke,
        context: hook.context,
        drop: hook.drop,
    }
}
