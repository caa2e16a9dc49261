//! What an agent behind a mailbox may do.

use thalweg::Budget;

/// What an agent behind a mailbox may do for one question.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Turns at most; 5 unless set.
    pub max_turns: u32,
    /// Sampling temperature, where it is not the agent's own.
    pub temperature: Option<f64>,
    /// Tokens of one reply at most, where that is not the agent's own.
    pub max_tokens: Option<u32>,
    /// Messages of its memory that go into a request, as far as that can be kept: see [`window`](super::window). All unless set.
    pub window: Option<usize>,
    /// What it may use, with others that have a clone of it. What a request may use at most is put aside before it is sent, so
    /// that together they never use more than there is.
    pub budget: Option<Budget>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { max_turns: 5, temperature: None, max_tokens: None, window: None, budget: None }
    }
}
