//! Back-pressure: where a plugin waits whose events are not taken as fast as it pushes them.

use crate::types::{E_CLOSED, OK, PENDING, Status};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How full the queue of a call is, as its plugin sees it.
#[derive(Debug, Default)]
pub(crate) struct Room {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    Full,
    Closed,
}

impl Room {
    /// The queue has passed its mark.
    pub(crate) fn fill(&self) {
        let mut state = self.lock();
        if *state == State::Open {
            *state = State::Full;
        }
    }

    /// The queue was emptied.
    pub(crate) fn empty(&self) {
        let mut state = self.lock();
        if *state == State::Full {
            *state = State::Open;
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Nobody takes events any more.
    pub(crate) fn close(&self) {
        *self.lock() = State::Closed;
        self.changed.notify_all();
    }

    /// Waits until there is room: `THW_OK`, `THW_PENDING` when the time was over first, or `THW_E_CLOSED`. Without a
    /// timeout it waits as long as it takes.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Status {
        // A time that cannot be told is as good as none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.lock();
        loop {
            match *state {
                State::Open => return OK,
                State::Closed => return E_CLOSED,
                State::Full => {}
            }
            state = match deadline {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return PENDING;
                    }
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn waiting_ends_when_there_is_room_when_time_is_over_and_when_nobody_listens() {
        let room = Arc::new(Room::default());
        assert_eq!(room.wait(None), OK);
        room.fill();
        assert_eq!(room.wait(Some(Duration::ZERO)), PENDING);
        for (act, expected) in [(Room::empty as fn(&Room), OK), (Room::close, E_CLOSED)] {
            room.fill();
            let waiting = thread::spawn({
                let room = Arc::clone(&room);
                move || room.wait(None)
            });
            thread::sleep(Duration::from_millis(5));
            act(&room);
            assert_eq!(waiting.join().unwrap(), expected);
        }
        room.empty();
        room.fill();
        assert_eq!(room.wait(None), E_CLOSED, "closed stays closed");
    }
}
