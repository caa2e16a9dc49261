//! What a plugin says to a running exchange: go on, or end.

use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use std::sync::{Mutex, MutexGuard, PoisonError};

use thalweg_abi::host::CancelListener;

/// The plugin's hand on an exchange. One task waits for it.
#[derive(Debug, Default)]
pub struct Control {
    state: Mutex<State>,
    /// Aborts when the call ends to which the exchange belongs.
    watch: Mutex<Option<CancelListener>>,
}

#[derive(Debug, Default)]
struct State {
    is_aborted: bool,
    is_resumed: bool,
    waker: Option<Waker>,
}

impl Control {
    /// Waits until the exchange is to end. Cancel-safe.
    pub async fn aborted(&self) {
        poll_fn(|context| self.poll(context, |state| state.is_aborted)).await;
    }

    /// Waits until the plugin wants more after a [`Flow::Wait`](super::Flow::Wait), or the exchange is to end.
    pub async fn resumed(&self) {
        poll_fn(|context| self.poll(context, |state| state.is_aborted || state.is_resumed)).await;
    }

    /// Whether the exchange is to end.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.lock().is_aborted
    }

    /// A resume from here on counts: to be called before the plugin is asked whether to wait.
    pub fn arm(&self) {
        self.lock().is_resumed = false;
    }

    pub(super) fn resume(&self) {
        self.change(|state| state.is_resumed = true);
    }

    pub(super) fn abort(&self) {
        self.change(|state| state.is_aborted = true);
    }

    pub(super) fn watch(&self, listener: CancelListener) {
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
    }

    /// Nothing is to be watched any more.
    pub(super) fn release(&self) {
        let listener = self.watch.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(listener); // Outside the lock.
    }

    fn poll(&self, context: &Context<'_>, is_ready: impl Fn(&State) -> bool) -> Poll<()> {
        let mut state = self.lock();
        if is_ready(&state) {
            return Poll::Ready(());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.lock();
            change(&mut state);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
