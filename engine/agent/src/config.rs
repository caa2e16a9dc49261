//! What the agent loop needs to know.

use crate::limits::TURNS_MAX_DEFAULT;

/// How the tool calls of one reply run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolMode {
    /// All at once.
    #[default]
    Parallel,
    /// One after the other, in the order of the calls.
    Sequential,
}

/// What the loop needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Id of the provider, for the messages.
    pub provider: Option<String>,
    /// Names of the tools that can be run.
    pub tools: Vec<String>,
    /// Turns that one run may take; at least 1.
    pub max_turns: u32,
    /// How tools run.
    pub tool_mode: ToolMode,
}

impl Default for Config {
    fn default() -> Self {
        Self { provider: None, tools: Vec::new(), max_turns: TURNS_MAX_DEFAULT, tool_mode: ToolMode::default() }
    }
}
