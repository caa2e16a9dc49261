//! The life of an actor, as one task: made, started, message after message, and its end.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::actor::{Actor, Notice};
use crate::cell::{Cell, Control, Signal, Watcher};
use crate::context::Context;
use crate::envelope::{Delivery, Envelope, Message, ReplyTo};
use crate::failure::{Crashed, Failure, Reason, Terminated};
use crate::supervisor::{Crash, Directive, History, Scope, Supervisor};

/// Runs an actor from its first breath to its last.
///
/// An idle actor is mostly this future, so it is kept small: it captures its arguments, which an `async fn` would hold
/// twice, and what is rare is boxed.
#[expect(clippy::manual_async_fn, reason = "an `async fn` would hold its arguments twice")]
pub(crate) fn run<A: Actor>(
    mut factory: impl FnMut() -> A + Send,
    mut context: Context<A::Message>,
    supervisor: Option<Arc<dyn Supervisor>>,
) -> impl Future<Output = ()> + Send {
    async move {
        // Dropped with the task, whatever becomes of it: nobody waits in vain when the runtime goes down.
        let mut last_rites = LastRites(Some(context.cell.clone()));
        let reason = live(&mut factory, &mut context, supervisor.as_ref()).await;
        last_rites.read(reason);
    }
}

#[expect(clippy::manual_async_fn, reason = "an `async fn` would hold its arguments twice")]
fn live<A: Actor>(
    factory: &mut (impl FnMut() -> A + Send),
    context: &mut Context<A::Message>,
    supervisor: Option<&Arc<dyn Supervisor>>,
) -> impl Future<Output = Reason> + Send {
    async move {
        let cell = context.cell.clone();
        let mut court = Court { cell: &cell, supervisor, history: History::default() };
        let reason = 'lives: loop {
            let (mut actor, mut fate) = match catch_unwind(AssertUnwindSafe(&mut *factory)) {
                Ok(mut actor) => {
                    let started = guarded(&cell, || actor.started(context)).await;
                    let fate = court.judge(started, &mut None);
                    (Some(actor), fate)
                }
                Err(panic) => (None, court.judge(Handled::failed(&*panic), &mut None)),
            };
            let mut handled_in_turn = 0;
            loop {
                match fate {
                    Fate::GoOn => {}
                    Fate::Restart(after) => {
                        bury(actor.take());
                        stop_children(&cell).await;
                        cell.open_nursery();
                        match Box::pin(pause(&cell, after)).await {
                            None => continue 'lives,
                            Some(reason) => break 'lives reason,
                        }
                    }
                    Fate::End(reason) => {
                        // A killed actor is not asked for last words, nor one that has failed.
                        bury(actor.take());
                        break 'lives reason;
                    }
                }
                // Only a factory that panics makes no actor, and that is never resumed.
                let Some(actor) = actor.as_mut() else { break 'lives Reason::Killed };
                fate = match next(&cell, &mut handled_in_turn).await {
                    Next::Message(Envelope { message, reply_to }) => {
                        context.reply_to.put(reply_to);
                        let mut message = Some(message);
                        let handled = guarded(&cell, || actor.receive(Delivery(&mut message), context)).await;
                        // Unanswered, the asker learns so now.
                        context.reply_to.put(ReplyTo::default());
                        if let Handled::Well = handled {
                            court.history.succeeded();
                            Fate::GoOn
                        } else {
                            court.judge(handled, &mut message)
                        }
                    }
                    Next::Signal(Signal::Notice(notice)) => {
                        let handled = guarded(&cell, || actor.notice(*notice, context)).await;
                        court.judge(handled, &mut None)
                    }
                    Next::Signal(Signal::Restart(after)) => Fate::Restart(after),
                    Next::Signal(Signal::Kill) => Fate::End(Reason::Killed),
                    Next::Signal(Signal::Stop) | Next::Drained => {
                        cell.mailbox.close();
                        stop_children(&cell).await;
                        let reason = Reason::Stopped;
                        let words = guarded(&cell, || async {
                            actor.stopped(&reason, context).await;
                            Ok(())
                        })
                        .await;
                        Fate::End(if let Handled::Killed = words { Reason::Killed } else { reason })
                    }
                };
            }
        };
        cell.mailbox.close();
        stop_children(&cell).await;
        reason
    }
}

/// What is next for an actor that waits.
enum Next<M: Message> {
    Signal(Signal),
    Message(Envelope<M>),
    /// The mailbox was closed, and all that was in it is handled.
    Drained,
}

/// The next signal, else the next message. Steps back after a number of messages, so that others get the thread.
async fn next<M: Message>(cell: &Cell<M>, handled_in_turn: &mut u32) -> Next<M> {
    poll_fn(|cx| {
        if let Some(signal) = cell.poll_signal() {
            return Poll::Ready(Next::Signal(signal));
        }
        if *handled_in_turn == MESSAGES_A_TURN {
            *handled_in_turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match cell.mailbox.poll_pop(cx) {
            Poll::Ready(Some(envelope)) => {
                *handled_in_turn += 1;
                Poll::Ready(Next::Message(envelope))
            }
            Poll::Ready(None) => Poll::Ready(Next::Drained),
            Poll::Pending => {
                *handled_in_turn = 0;
                // A signal that came before the mailbox had the waker.
                cell.poll_signal().map_or(Poll::Pending, |signal| Poll::Ready(Next::Signal(signal)))
            }
        }
    })
    .await
}

/// How a call into the actor went.
enum Handled {
    Well,
    Badly(Failure),
    Killed,
}

impl Handled {
    fn failed(panic: &(dyn std::any::Any + Send)) -> Self {
        Self::Badly(Failure::from_panic(panic))
    }
}

/// Calls into the actor: panics are caught, and a kill ends it where it waits.
async fn guarded<M: Message, F: Future<Output = Result<(), Failure>>>(
    cell: &Cell<M>,
    call: impl FnOnce() -> F,
) -> Handled {
    let called = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(called) => called,
        Err(panic) => return Handled::failed(&*panic),
    };
    let mut called = pin!(called);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| called.as_mut().poll(cx))) {
        Ok(Poll::Ready(Ok(()))) => Poll::Ready(Handled::Well),
        Ok(Poll::Ready(Err(failure))) => Poll::Ready(Handled::Badly(failure)),
        Ok(Poll::Pending) => cell.poll_killed(cx.waker()).map(|()| Handled::Killed),
        Err(panic) => Poll::Ready(Handled::failed(&*panic)),
    })
    .await
}

/// What becomes of an actor.
enum Fate {
    GoOn,
    Restart(Duration),
    End(Reason),
}

/// Counts the failures of an actor, asks its supervisor and carries out what concerns others.
struct Court<'a, M: Message> {
    cell: &'a Arc<Cell<M>>,
    supervisor: Option<&'a Arc<dyn Supervisor>>,
    history: History,
}

impl<M: Message> Court<'_, M> {
    fn judge(&mut self, handled: Handled, message: &mut Option<M>) -> Fate {
        let failure = match handled {
            Handled::Well => return Fate::GoOn,
            Handled::Killed => return Fate::End(Reason::Killed),
            Handled::Badly(failure) => failure,
        };
        let cell = self.cell;
        let supervisor = self.supervisor.unwrap_or(&cell.system.supervisor);
        let now = cell.system.now();
        let (in_a_row, in_window) = self.history.failed(now, supervisor.window());
        cell.keep_crash(Crashed { message: message.take(), failure: failure.clone(), at: now, failures: in_a_row });
        let chance = cell.system.random.fraction();
        let directive = supervisor.decide(&Crash { failure: &failure, in_a_row, in_window, chance });
        let siblings = || match (supervisor.scope(), &cell.parent) {
            (Scope::OneForAll, Some(parent)) => {
                parent.children().into_iter().filter(|one| one.id() != cell.id).collect()
            }
            _ => Vec::new(),
        };
        match directive {
            Directive::Resume => Fate::GoOn,
            Directive::Restart { after } => {
                siblings().iter().for_each(|one| one.signal(Signal::Restart(after)));
                Fate::Restart(after)
            }
            Directive::Stop => {
                siblings().iter().for_each(|one| one.signal(Signal::Stop));
                Fate::End(Reason::Failed(failure))
            }
            Directive::Escalate => {
                if let Some(parent) = &cell.parent {
                    let reason = Reason::Failed(failure.clone());
                    let child = Terminated { id: cell.id, path: cell.path.clone(), reason };
                    parent.signal(Signal::Notice(Box::new(Notice::Escalated { child, failure: failure.clone() })));
                }
                Fate::End(Reason::Failed(failure))
            }
        }
    }
}

/// The pause before a restart. Messages wait meanwhile; only an end cuts it short. News about others are for the new
/// actor.
async fn pause<M: Message>(cell: &Arc<Cell<M>>, after: Duration) -> Option<Reason> {
    let mut later = Vec::new();
    // Boxed, so that the timer is no part of every actor.
    let mut sleep = Box::pin(tokio::time::sleep(after));
    let end = poll_fn(|cx| {
        loop {
            // Registers for signals: before they are looked at, so that none is missed.
            if cell.poll_killed(cx.waker()).is_ready() {
                return Poll::Ready(Some(Reason::Killed));
            }
            match cell.poll_signal() {
                Some(Signal::Stop) => return Poll::Ready(Some(Reason::Stopped)),
                Some(Signal::Kill) => return Poll::Ready(Some(Reason::Killed)),
                // It is being restarted.
                Some(Signal::Restart(_)) => {}
                Some(notice) => later.push(notice),
                None => return sleep.as_mut().poll(cx).map(|()| None),
            }
        }
    })
    .await;
    for notice in later {
        cell.signal(notice);
    }
    end
}

/// Stops the children and waits until the last has ended. A kill goes on to them.
async fn stop_children<M: Message>(cell: &Arc<Cell<M>>) {
    let children = cell.close_nursery();
    if !children.is_empty() {
        Box::pin(stop_all(cell, children)).await;
    }
}

async fn stop_all<M: Message>(cell: &Arc<Cell<M>>, children: Vec<Arc<dyn Control>>) {
    for child in &children {
        child.signal(Signal::Stop);
    }
    for child in &children {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        child.watch(Watcher::Task(sender));
        let mut receiver = pin!(receiver);
        let mut killed = false;
        poll_fn(|cx| {
            if !killed && cell.poll_killed(cx.waker()).is_ready() {
                killed = true;
                children.iter().for_each(|child| child.signal(Signal::Kill));
            }
            // An error means that it has ended without a word.
            receiver.as_mut().poll(cx).map(|_| ())
        })
        .await;
    }
}

/// Drops an actor. A panic in its `drop` is its last, and not the runner's.
fn bury<A>(actor: Option<A>) {
    drop(catch_unwind(AssertUnwindSafe(|| drop(actor))));
}

/// Tells the world that an actor is no more.
struct LastRites<M: Message>(Option<Arc<Cell<M>>>);

impl<M: Message> LastRites<M> {
    fn read(&mut self, reason: Reason) {
        if let Some(cell) = self.0.take() {
            cell.end(reason);
        }
    }
}

impl<M: Message> Drop for LastRites<M> {
    fn drop(&mut self) {
        if let Some(cell) = &self.0 {
            for child in cell.close_nursery() {
                child.signal(Signal::Kill);
            }
        }
        self.read(Reason::Killed);
    }
}

/// So many messages are handled before others get the thread.
const MESSAGES_A_TURN: u32 = 64;

#[cfg(test)]
mod tests {
    use crate::{Actor, Context, Delivery, Failure, Message, Spec, System};

    struct Nothing;

    impl Message for Nothing {
        type Reply = ();
    }

    struct Idle;

    impl Actor for Idle {
        type Message = Nothing;

        async fn receive(&mut self, _: Delivery<'_, Nothing>, _: &mut Context<Nothing>) -> Result<(), Failure> {
            Ok(())
        }
    }

    /// With 104 bytes of tokio's, rounded up to 128, this is most of what an idle actor takes.
    #[tokio::test]
    async fn the_task_of_an_idle_actor_is_small() {
        let idle = System::new("size").spawn(Spec::new(|| Idle)).unwrap();
        let task = super::run(|| Idle, Context::new(idle.0.clone()), None);
        let size = size_of_val(&task);
        drop(task);
        assert!(size <= 400, "{size} bytes");
    }
}
