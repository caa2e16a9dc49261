//! What the agent loop needs to know.

use serde::{Deserialize, Serialize};

use crate::limits::TURNS_MAX_DEFAULT;

/// How the tool calls of one reply run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolMode {
    /// All at once, or as many as [`Config::tools_at_once`] says.
    #[default]
    Parallel,
    /// One after the other, in the order of the calls.
    Sequential,
}

/// When a message that steers the run comes in while tools run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steering {
    /// Once all calls of the reply are answered.
    #[default]
    AfterBatch,
    /// Once the tools that run are done: calls that have not begun are skipped.
    BetweenTools,
    /// At once: tools that run are cancelled, too.
    SkipRemaining,
}

/// How many of the messages that wait come in together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueMode {
    /// One a turn, in their order.
    #[default]
    OneAtATime,
    /// All of them in front of the next reply.
    All,
}

/// What becomes of a call that was made too often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRepeat {
    /// It is answered with an error, and the run goes on.
    #[default]
    Error,
    /// The run ends.
    Stop,
}

/// When the same call, with the same arguments, counts as one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepeatLimit {
    /// The call in a row that is not executed any more; at least 2.
    pub calls: u32,
    /// What becomes of it.
    #[serde(default)]
    pub then: OnRepeat,
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
    /// Calls of a reply that run at once in [`ToolMode::Parallel`]; at least 1, no limit if `None`.
    pub tools_at_once: Option<u32>,
    /// When messages that steer come in while tools run.
    pub steering: Steering,
    /// How many messages that steer come in together.
    pub steering_mode: QueueMode,
    /// How many messages that follow up come in together.
    pub follow_up_mode: QueueMode,
    /// What becomes of the same call made again and again.
    pub repeat_limit: Option<RepeatLimit>,
    /// Whether the driver is asked after each turn if the run shall go on.
    pub asks_after_turn: bool,
    /// Whether tool calls are left to whoever prompts: the run is over with the reply that has them.
    pub hands_on_calls: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            provider: None,
            tools: Vec::new(),
            max_turns: TURNS_MAX_DEFAULT,
            tool_mode: ToolMode::default(),
            tools_at_once: None,
            steering: Steering::default(),
            steering_mode: QueueMode::default(),
            follow_up_mode: QueueMode::default(),
            repeat_limit: None,
            asks_after_turn: false,
            hands_on_calls: false,
        }
    }
}
