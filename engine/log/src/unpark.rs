//! A waker for threads that block.

use crate::sync::{Thread, current};
use core::task::Waker;
use std::sync::Arc;
use std::task::Wake;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Unparks the thread that asks for it.
pub(crate) fn unpark_this_thread() -> Waker {
    Waker::from(Arc::new(Unpark(current())))
}
