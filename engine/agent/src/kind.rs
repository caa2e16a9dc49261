//! Numbers of the engine's own events, and which wire events stand in the log as they came.
//!
//! The log of a run holds two sorts of events. Deltas and other steps of the wire (text, thinking, refusal, tool
//! arguments, signatures, usage, stop, error, done, skipped, other content) stand as they came, with `block` turned into
//! the place of the content block in its message. What begins and ends things stands as the kinds below, in place of the
//! wire's own begin and end marks (which not every dialect has).

use thalweg_abi::types::EVENT_ENGINE_FIRST;

/// A run begins. No payload.
pub const AGENT_START: u32 = EVENT_ENGINE_FIRST;
/// A turn begins. `num` is its number in the run, from 1.
pub const TURN_START: u32 = EVENT_ENGINE_FIRST + 1;
/// A message begins. `text` is its JSON (of a reply: as far as known, without content), `aux` its role.
pub const MESSAGE_START: u32 = EVENT_ENGINE_FIRST + 2;
/// Content block `block` of the reply begins. `num` is its type, one of [`BLOCK_TYPES`]; of a tool call `text` is the
/// name and `aux` the id.
pub const BLOCK_START: u32 = EVENT_ENGINE_FIRST + 3;
/// Content block `block` of the reply is complete. `num` is its type; `text` is its whole text, of a tool call its JSON.
pub const BLOCK_END: u32 = EVENT_ENGINE_FIRST + 4;
/// A message is complete. `text` is its JSON, `aux` its role.
pub const MESSAGE_END: u32 = EVENT_ENGINE_FIRST + 5;
/// A tool begins to run. `block` is the place of the call among those of the turn, `aux` the id of the call, `text` is
/// the JSON `{tool_call_id, tool_name, args}`.
pub const TOOL_EXECUTION_START: u32 = EVENT_ENGINE_FIRST + 6;
/// A tool reports progress. As [`TOOL_EXECUTION_START`], with `partial_result` in the JSON; `num` is permille or -1.
pub const TOOL_EXECUTION_UPDATE: u32 = EVENT_ENGINE_FIRST + 7;
/// A tool is done. As [`TOOL_EXECUTION_START`], with `result` and `is_error` in the JSON; `num` is 1 for an error.
pub const TOOL_EXECUTION_END: u32 = EVENT_ENGINE_FIRST + 8;
/// A turn is over. `num` is its number, `text` the JSON `{message, tool_results}`.
pub const TURN_END: u32 = EVENT_ENGINE_FIRST + 9;
/// The run is over; exactly one, and the last. `text` is the JSON `{messages, reason, turns, usage, error}`, `aux` the
/// reason.
pub const AGENT_END: u32 = EVENT_ENGINE_FIRST + 10;

/// Types of content blocks, as `num` of [`BLOCK_START`] and [`BLOCK_END`]: the wire event that feeds them.
pub const BLOCK_TYPES: [u32; 5] = [
    thalweg_abi::types::EVENT_TEXT,
    thalweg_abi::types::EVENT_THINKING,
    thalweg_abi::types::EVENT_REDACTED_THINKING,
    thalweg_abi::types::EVENT_REFUSAL,
    thalweg_abi::types::EVENT_TOOL_ARGUMENTS,
];
