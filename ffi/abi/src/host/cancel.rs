//! Tells work that nobody waits for it any more.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A flag that is set once, with listeners. Clones share it.
#[derive(Clone, Default)]
pub struct CancelToken {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    listeners: Mutex<Vec<(u64, Listener)>>,
    next_id: AtomicU64,
}

type Listener = Box<dyn FnOnce() + Send>;

impl CancelToken {
    /// A token that is not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels, and runs the listeners on this thread. The second time does nothing.
    pub fn cancel(&self) {
        let listeners = {
            let mut listeners = self.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.cancelled.store(true, Ordering::Release);
            core::mem::take(&mut *listeners)
        };
        for (_, listener) in listeners {
            listener();
        }
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Acquire)
    }

    /// Has `listener` called once on cancellation, at once if that has happened. The guard takes it back when dropped.
    pub fn on_cancel(&self, listener: impl FnOnce() + Send + 'static) -> CancelListener {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let guard = CancelListener { token: self.clone(), id };
        let mut listeners = self.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: `cancel` sets the flag and takes the listeners under it too.
        if self.is_cancelled() {
            drop(listeners);
            listener();
        } else {
            listeners.push((id, Box::new(listener)));
        }
        guard
    }
}

impl core::fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CancelToken").field("cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

/// A listener of a [`CancelToken`]; dropping it takes the listener back, but does not wait for one that is running.
#[derive(Debug)]
#[must_use = "dropping it takes the listener back"]
pub struct CancelListener {
    token: CancelToken,
    id: u64,
}

impl Drop for CancelListener {
    fn drop(&mut self) {
        let removed = {
            let mut listeners = self.token.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner);
            listeners.iter().position(|(id, _)| *id == self.id).map(|at| listeners.swap_remove(at))
        };
        drop(removed); // Outside the lock: what the listener holds may use the token.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listener_runs_once_and_a_late_one_at_once() {
        let count = Arc::new(AtomicU64::new(0));
        let listen = |token: &CancelToken| {
            let count = Arc::clone(&count);
            token.on_cancel(move || {
                count.fetch_add(1, Ordering::Relaxed);
            })
        };
        let token = CancelToken::new();
        let _kept = listen(&token);
        drop(listen(&token));
        token.cancel();
        token.cancel();
        assert_eq!(count.load(Ordering::Relaxed), 1);
        let _late = listen(&token);
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }
}
