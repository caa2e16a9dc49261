//! Threads do not survive `fork`: a child must not touch an engine of its parent.

use crate::fault::Fault;

/// The process that an engine lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(u32);

impl Process {
    /// This one.
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    /// Whether this is a child that was forked off.
    pub(crate) fn is_other(self) -> bool {
        self != Self::current()
    }

    /// Refuses every use in a child, before a lock is touched that nobody will ever release.
    pub(crate) fn check(self) -> Result<(), Fault> {
        if self.is_other() {
            return Err(Fault::state(
                "this process was forked off, and threads do not survive that; make a new engine",
            ));
        }
        Ok(())
    }
}
