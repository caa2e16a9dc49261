//! Kinds of events that the engine itself writes to the log of a run, and events as the library lends them out.

use thalweg::{Entry, LAGGED, kind};
use thalweg_abi::types::{Event, Str};

/// A run begins.
pub const EVENT_AGENT_START: u32 = 64;
/// A turn begins: `num` is its number in the run, from 1.
pub const EVENT_TURN_START: u32 = 65;
/// A message begins: `text` is its JSON (of a reply: as far as known, without content), `aux` its role.
pub const EVENT_MESSAGE_BEGIN: u32 = 66;
/// Content block `block` of the reply begins: `num` is the kind of the events that fill it (`THW_EVENT_TEXT`,
/// `THW_EVENT_THINKING`, `THW_EVENT_REDACTED_THINKING`, `THW_EVENT_REFUSAL`, `THW_EVENT_TOOL_ARGUMENTS`). Of a tool call
/// `text` is the name and `aux` the id.
pub const EVENT_CONTENT_BEGIN: u32 = 67;
/// Content block `block` of the reply is complete: `num` as above, `text` is its whole text, of a tool call its JSON.
pub const EVENT_CONTENT_END: u32 = 68;
/// A message is complete: `text` is its JSON, `aux` its role.
pub const EVENT_MESSAGE_END: u32 = 69;
/// A tool begins to run: `block` is the place of the call among those of the turn, `aux` the id of the call, `text` the
/// JSON `{tool_call_id, tool_name, args}`.
pub const EVENT_TOOL_EXECUTION_START: u32 = 70;
/// A tool reports progress: as above, with `partial_result` in the JSON; `num` is permille, or -1.
pub const EVENT_TOOL_EXECUTION_UPDATE: u32 = 71;
/// A tool is done: as above, with `result` and `is_error` in the JSON; `num` is 1 for an error.
pub const EVENT_TOOL_EXECUTION_END: u32 = 72;
/// A turn is over: `num` is its number, `text` the JSON `{message, tool_results}`.
pub const EVENT_TURN_END: u32 = 73;
/// The run is over; exactly one, and the last: `text` is the JSON `{messages, reason, turns, usage, error}`, `aux` the
/// reason.
pub const EVENT_AGENT_END: u32 = 74;

/// This reader has missed `num` events before the next one: the log of the run is a window (see `log` of `thw_agent_new`),
/// and they had been dropped when it came to them.
pub const EVENT_LAGGED: u32 = 0xFFFF_FFFF;

// The header wants numbers; the engine gives them.
const _: () = assert!(
    EVENT_AGENT_START == kind::AGENT_START
        && EVENT_TURN_START == kind::TURN_START
        && EVENT_MESSAGE_BEGIN == kind::MESSAGE_START
        && EVENT_CONTENT_BEGIN == kind::BLOCK_START
        && EVENT_CONTENT_END == kind::BLOCK_END
        && EVENT_MESSAGE_END == kind::MESSAGE_END
        && EVENT_TOOL_EXECUTION_START == kind::TOOL_EXECUTION_START
        && EVENT_TOOL_EXECUTION_UPDATE == kind::TOOL_EXECUTION_UPDATE
        && EVENT_TOOL_EXECUTION_END == kind::TOOL_EXECUTION_END
        && EVENT_TURN_END == kind::TURN_END
        && EVENT_AGENT_END == kind::AGENT_END
        && EVENT_LAGGED == LAGGED
);

/// The C form of an entry of the log; its texts stay where they lie.
#[inline]
pub(crate) const fn lend(entry: &Entry<'_>) -> Event {
    Event {
        kind: entry.kind,
        flags: entry.flags,
        block: entry.block,
        sub: entry.sub,
        text: Str::new(entry.text),
        aux: Str::new(entry.aux),
        num: entry.num,
        seq: entry.seq,
    }
}
