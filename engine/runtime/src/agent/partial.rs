//! The reply that is coming in, at any moment.

use thalweg_agent::message::AssistantMessage;
use thalweg_agent::partial::Partial;

use super::Agent;
use crate::run::{Run, next_step};

impl Run {
    /// The reply that is coming in, as far as it is in the log; none while no reply comes in. It is put together when asked
    /// for, by a walk through the log (of a log with a window: what is left of it); a reader that wants it at every event feeds its events to a [`Partial`] instead.
    #[must_use]
    pub fn partial(&self) -> Option<AssistantMessage> {
        let mut partial = Partial::default();
        let mut cursor = self.cursor();
        while let Some(event) = next_step(&mut cursor) {
            partial.take(&event.view);
        }
        partial.message()
    }
}

impl Agent {
    /// The reply that is coming in: see [`Run::partial`].
    #[must_use]
    pub fn partial(&self) -> Option<AssistantMessage> {
        self.running()?.partial()
    }

    /// Ids of the tool calls that run now.
    #[must_use]
    pub fn running_calls(&self) -> Vec<String> {
        use thalweg_agent::event::EventView;
        let mut calls: Vec<String> = Vec::new();
        let Some(run) = self.running() else { return calls };
        let mut cursor = run.cursor();
        while let Some(event) = next_step(&mut cursor) {
            match event.view {
                EventView::ToolExecutionStart { tool_call_id, .. } => calls.push(tool_call_id.to_owned()),
                EventView::ToolExecutionEnd { tool_call_id, .. } => calls.retain(|id| id != tool_call_id),
                _ => {}
            }
        }
        calls
    }
}
