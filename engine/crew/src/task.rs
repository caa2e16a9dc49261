//! Something that runs in a crew, and can be stopped.

use std::sync::Arc;

use tokio::task::AbortHandle;

use crate::turns::Job;

/// A task, wherever it runs.
pub(crate) enum Task {
    Runtime(AbortHandle),
    Turns(Arc<Job>),
}

impl Task {
    pub(crate) fn abort(&self) {
        match self {
            Self::Runtime(task) => task.abort(),
            Self::Turns(job) => job.abort(),
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        match self {
            Self::Runtime(task) => task.is_finished(),
            Self::Turns(job) => job.is_over(),
        }
    }
}
