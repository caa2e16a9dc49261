//! The word to stop a run.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};

use tokio::sync::watch;
use tokio::task::unconstrained;

/// Waits for the word.
pub(crate) async fn aborted(abort: &mut watch::Receiver<bool>) {
    if abort.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could abort.
        pending::<()>().await;
    }
}

/// What `work` gives, or `None` when the word comes first.
pub(crate) async fn unless_aborted<T>(abort: &watch::Receiver<bool>, work: impl Future<Output = T>) -> Option<T> {
    let mut listening = abort.clone();
    // Without a budget: it must not believe that it waits when it was only put off.
    let mut stop = pin!(unconstrained(aborted(&mut listening)));
    let mut work = pin!(work);
    let mut told: Option<Waker> = None;
    poll_fn(|cx| {
        // To wait for the word once more costs as much as a delta, so it is done for another task only, or when it came.
        let waits = told.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if !waits || abort.has_changed().unwrap_or(false) {
            told = Some(cx.waker().clone());
            if stop.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
        }
        work.as_mut().poll(cx).map(Some)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn the_word_ends_work_that_is_silent_and_work_that_is_busy() {
        for is_busy in [false, true] {
            let (sender, abort) = watch::channel(false);
            let work = async move {
                if is_busy {
                    loop {
                        tokio::task::yield_now().await;
                    }
                }
                pending::<()>().await;
            };
            let task = tokio::spawn(async move { unless_aborted(&abort, work).await });
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert!(!task.is_finished());
            sender.send_replace(true);
            let ended = tokio::time::timeout(Duration::from_secs(5), task).await.expect("it ends").expect("no panic");
            assert_eq!(ended, None, "busy: {is_busy}");
        }
    }

    #[tokio::test]
    async fn work_that_ends_is_given_also_when_nobody_can_say_the_word() {
        let (sender, abort) = watch::channel(false);
        drop(sender);
        let work = async {
            tokio::task::yield_now().await;
            7
        };
        assert_eq!(unless_aborted(&abort, work).await, Some(7));
    }

    #[tokio::test]
    async fn a_word_that_was_said_before_ends_work_at_once() {
        let (_sender, abort) = watch::channel(true);
        assert_eq!(unless_aborted(&abort, pending::<()>()).await, None);
    }
}
