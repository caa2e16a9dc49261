//! What the author of a tool implements.

use crate::guest::Sink;
use crate::table::{TOOL_BLOCKING, TOOL_IDEMPOTENT, TOOL_PARALLEL, TOOL_READ_ONLY};

/// Something that a model can call.
pub trait Tool: Send + Sync + 'static {
    /// Name, description and parameters: the same on every call.
    fn info(&self) -> ToolInfo<'_>;

    /// Does the work and gives its answer, or why it failed: both are read by the model.
    ///
    /// # Errors
    /// What went wrong, said to the model: lower case, with what to do instead.
    fn invoke(&self, call: &mut ToolCall<'_>) -> Result<String, String>;

    /// Starts the work. The default runs [`Tool::invoke`] to its end; a tool with threads of its own copies what it
    /// needs, moves `call.sink` there, returns at once and finishes the sink later.
    fn start(&self, mut call: ToolCall<'_>) {
        let answer = self.invoke(&mut call);
        call.sink.finish(answer);
    }
}

/// A tool as the model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolInfo<'a> {
    /// Letters, digits, `_` and `-`, at most 64.
    pub name: &'a str,
    /// What it does, for the model.
    pub description: &'a str,
    /// JSON Schema of the arguments: an object.
    pub parameters: &'a str,
    /// `TOOL_*`.
    pub flags: u32,
}

impl<'a> ToolInfo<'a> {
    /// A tool that changes nothing, answers at once and may run several times at once.
    #[must_use]
    pub const fn new(name: &'a str, description: &'a str, parameters: &'a str) -> Self {
        Self { name, description, parameters, flags: TOOL_READ_ONLY | TOOL_IDEMPOTENT | TOOL_PARALLEL }
    }

    /// The same tool with other `TOOL_*` flags.
    #[must_use]
    pub const fn with_flags(mut self, flags: u32) -> Self {
        self.flags = flags;
        self
    }

    /// The same tool, run on a thread where it may block.
    #[must_use]
    pub const fn blocking(mut self) -> Self {
        self.flags |= TOOL_BLOCKING;
        self
    }
}

/// One call of a tool.
#[derive(Debug)]
pub struct ToolCall<'a> {
    /// Id that the model gave the call; may be empty.
    pub id: &'a str,
    /// The arguments: a JSON object.
    pub arguments: &'a str,
    /// Progress, cancellation and the answer.
    pub sink: Sink,
}
