//! The part of an actor that others can reach: its mailbox, its lane for signals, who watches it, its children.

use std::any::{Any, type_name};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::actor::Notice;
use crate::dead_letters::{DeadLetter, Undelivered};
use crate::envelope::{Accept, Envelope, Message, ReplyTo, Responded};
use crate::failure::{Crashed, Reason, Terminated};
use crate::mailbox::{Mailbox, Push, Refused, Ticket};
use crate::path::{Id, Path};
use crate::reference::TellError;
use crate::sync::lock;
use crate::system::Shared;

/// What the system tells an actor, ahead of all messages.
pub(crate) enum Signal {
    Stop,
    Kill,
    /// A sibling failed and takes its siblings along.
    Restart(Duration),
    Notice(Box<Notice>),
}

/// Who wants to know when an actor ends.
pub(crate) enum Watcher {
    Actor(Arc<dyn Control>),
    Task(oneshot::Sender<Terminated>),
}

impl Watcher {
    fn tell(self, end: Terminated) {
        match self {
            Self::Actor(actor) => actor.signal(Signal::Notice(Box::new(Notice::Terminated(end)))),
            // Nobody waits any more: fine.
            Self::Task(task) => drop(task.send(end)),
        }
    }
}

/// A cell whatever its messages are.
pub(crate) trait Control: Any + Send + Sync {
    fn id(&self) -> Id;
    fn path(&self) -> &Path;
    fn load(&self) -> usize;
    fn ended(&self) -> Option<Reason>;
    fn parent(&self) -> Option<&Arc<dyn Control>>;
    fn signal(&self, signal: Signal);
    fn drain(&self);
    fn watch(&self, watcher: Watcher);
    fn unwatch(&self, watcher: Id);
    /// Takes a child in, unless the actor has ended or is about to.
    fn adopt(&self, child: Arc<dyn Control>) -> bool;
    fn disown(&self, child: Id);
    fn children(&self) -> Vec<Arc<dyn Control>>;
}

// In this order, so that what a lookup compares lies beside the reference count.
#[repr(C)]
pub(crate) struct Cell<M: Message> {
    pub(crate) path: Path,
    pub(crate) id: Id,
    pub(crate) system: Arc<Shared>,
    pub(crate) mailbox: Box<dyn Mailbox<Envelope<M>>>,
    pub(crate) parent: Option<Arc<dyn Control>>,
    /// Whether there are signals, so that the runner need not lock to find none.
    signalled: AtomicBool,
    life: Mutex<Life<M>>,
}

struct Life<M> {
    #[expect(clippy::box_collection, reason = "most actors have none, and there may be a million of them")]
    signals: Option<Box<VecDeque<Signal>>>,
    watchers: Vec<Watcher>,
    #[expect(clippy::box_collection, reason = "most actors have no children, and there may be a million of them")]
    children: Option<Box<HashMap<Id, Arc<dyn Control>>>>,
    crash: Option<Box<Crashed<M>>>,
    /// The task, while it waits inside of a handler.
    handling: Option<Waker>,
    killed: bool,
    /// No children any more.
    closing: bool,
    ended: Option<Reason>,
}

impl<M: Message> Cell<M> {
    pub(crate) fn new(
        id: Id,
        path: Path,
        system: Arc<Shared>,
        mailbox: Box<dyn Mailbox<Envelope<M>>>,
        parent: Option<Arc<dyn Control>>,
    ) -> Self {
        let life = Life {
            signals: None,
            watchers: Vec::new(),
            children: None,
            crash: None,
            handling: None,
            killed: false,
            closing: false,
            ended: None,
        };
        Self { id, path, system, mailbox, parent, signalled: AtomicBool::new(false), life: Mutex::new(life) }
    }

    /// Sends, waiting for room if that is what the mailbox does.
    #[inline]
    pub(crate) async fn send(&self, envelope: Envelope<M>) -> Result<(), TellError> {
        match self.mailbox.push(envelope) {
            Ok(Push::Queued) => Ok(()),
            // Boxed, since it is rare and would be part of every send.
            other => Box::pin(self.send_slowly(other)).await,
        }
    }

    #[cold]
    async fn send_slowly(&self, first: Result<Push<Envelope<M>>, Refused<Envelope<M>>>) -> Result<(), TellError> {
        let pushed = match first {
            Err(Refused::Full(envelope)) if self.mailbox.blocks() => {
                let mut waiting = Waiting { mailbox: &*self.mailbox, ticket: Ticket::default() };
                let mut envelope = Some(envelope);
                poll_fn(|cx| self.mailbox.poll_push(cx, &mut envelope, &mut waiting.ticket)).await
            }
            done => done,
        };
        match pushed {
            Ok(pushed) => {
                self.account(pushed);
                Ok(())
            }
            Err(Refused::Full(envelope)) => {
                self.bury(envelope, Undelivered::Full);
                Err(TellError::Full)
            }
            Err(Refused::Closed(envelope)) => {
                self.bury(envelope, Undelivered::Closed);
                Err(TellError::Closed)
            }
        }
    }

    #[inline]
    pub(crate) fn try_send(&self, envelope: Envelope<M>) -> Result<(), Refused<Envelope<M>>> {
        let pushed = self.mailbox.push(envelope)?;
        self.account(pushed);
        Ok(())
    }

    #[inline]
    fn account(&self, pushed: Push<Envelope<M>>) {
        match pushed {
            Push::Queued => {}
            Push::DroppedNewest(envelope) => self.bury(envelope, Undelivered::DroppedNewest),
            Push::DroppedOldest(envelope) => self.bury(envelope, Undelivered::DroppedOldest),
        }
    }

    /// To the dead letters. Who asked learns that there is no reply, since the return address is dropped.
    #[cold]
    pub(crate) fn bury(&self, envelope: Envelope<M>, why: Undelivered) {
        let Envelope { message, reply_to } = envelope;
        drop(reply_to);
        let letter =
            DeadLetter { to: self.path.clone(), why, kind: type_name::<M>(), message: Some(Box::new(message)) };
        self.system.dead_letters.receive(letter);
    }

    /// The next signal.
    #[inline(always)]
    pub(crate) fn poll_signal(&self) -> Option<Signal> {
        if self.signalled.load(Ordering::Acquire) { self.take_signal() } else { None }
    }

    #[cold]
    fn take_signal(&self) -> Option<Signal> {
        let mut life = lock(&self.life);
        let signals = life.signals.as_mut()?;
        let signal = signals.pop_front();
        if signals.is_empty() {
            life.signals = None;
            self.signalled.store(false, Ordering::Relaxed);
        }
        signal
    }

    /// Whether the actor was killed; else the task is woken when it is.
    pub(crate) fn poll_killed(&self, waker: &Waker) -> Poll<()> {
        let mut life = lock(&self.life);
        if life.killed {
            return Poll::Ready(());
        }
        match &mut life.handling {
            Some(old) => old.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        Poll::Pending
    }

    pub(crate) fn keep_crash(&self, crash: Crashed<M>) {
        let before = lock(&self.life).crash.replace(Box::new(crash));
        drop(before);
    }

    pub(crate) fn take_crash(&self) -> Option<Crashed<M>> {
        lock(&self.life).crash.take().map(|crash| *crash)
    }

    /// No children from now on; those that there are.
    pub(crate) fn close_nursery(&self) -> Vec<Arc<dyn Control>> {
        lock(&self.life).closing = true;
        self.children()
    }

    /// Children may come again: the actor is made anew.
    pub(crate) fn open_nursery(&self) {
        lock(&self.life).closing = false;
    }

    /// The end: what waits is buried, the name is free, parent and watchers learn of it.
    pub(crate) fn end(&self, reason: Reason) {
        self.mailbox.close();
        while let Some(envelope) = self.mailbox.pop() {
            self.bury(envelope, Undelivered::LeftOver);
        }
        self.system.names.remove(&self.path, self.id);
        if let Some(parent) = &self.parent {
            parent.disown(self.id);
        }
        let (watchers, signals) = {
            let mut life = lock(&self.life);
            life.closing = true;
            life.ended = Some(reason.clone());
            (std::mem::take(&mut life.watchers), std::mem::take(&mut life.signals))
        };
        drop(signals);
        for watcher in watchers {
            watcher.tell(Terminated { id: self.id, path: self.path.clone(), reason: reason.clone() });
        }
        self.system.one_less();
    }
}

impl<M: Message> Control for Cell<M> {
    fn id(&self) -> Id {
        self.id
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn load(&self) -> usize {
        self.mailbox.len()
    }

    fn ended(&self) -> Option<Reason> {
        lock(&self.life).ended.clone()
    }

    fn parent(&self) -> Option<&Arc<dyn Control>> {
        self.parent.as_ref()
    }

    fn signal(&self, signal: Signal) {
        let waker = {
            let mut life = lock(&self.life);
            if life.ended.is_some() {
                return;
            }
            if let Signal::Kill = signal {
                life.killed = true;
                life.signals.get_or_insert_default().push_front(signal);
            } else {
                life.signals.get_or_insert_default().push_back(signal);
            }
            self.signalled.store(true, Ordering::Release);
            life.handling.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.mailbox.wake();
    }

    fn drain(&self) {
        self.mailbox.close();
    }

    fn watch(&self, watcher: Watcher) {
        let reason = {
            let mut life = lock(&self.life);
            match &life.ended {
                Some(reason) => reason.clone(),
                None => {
                    let known = |other: &Watcher| match (other, &watcher) {
                        (Watcher::Actor(one), Watcher::Actor(other)) => one.id() == other.id(),
                        _ => false,
                    };
                    // Those who wait no more make room, so that asking again and again does not fill the memory.
                    life.watchers.retain(|other| !matches!(other, Watcher::Task(task) if task.is_closed()));
                    if !life.watchers.iter().any(known) {
                        life.watchers.push(watcher);
                    }
                    return;
                }
            }
        };
        watcher.tell(Terminated { id: self.id, path: self.path.clone(), reason });
    }

    fn unwatch(&self, watcher: Id) {
        let removed = {
            let mut life = lock(&self.life);
            let place =
                life.watchers.iter().position(|other| matches!(other, Watcher::Actor(one) if one.id() == watcher));
            place.map(|place| life.watchers.swap_remove(place))
        };
        drop(removed);
    }

    fn adopt(&self, child: Arc<dyn Control>) -> bool {
        let mut life = lock(&self.life);
        if life.closing {
            return false;
        }
        life.children.get_or_insert_default().insert(child.id(), child);
        true
    }

    fn disown(&self, child: Id) {
        let removed = lock(&self.life).children.as_mut().and_then(|children| children.remove(&child));
        drop(removed);
    }

    fn children(&self) -> Vec<Arc<dyn Control>> {
        let life = lock(&self.life);
        let mut children: Vec<_> = life.children.iter().flat_map(|children| children.values().cloned()).collect();
        children.sort_by_key(|child| child.id());
        children
    }
}

impl<M: Message + From<R>, R: Send + 'static> Accept<R> for Cell<M> {
    fn accept(&self, reply: R) -> Responded {
        let envelope = Envelope { message: M::from(reply), reply_to: ReplyTo::default() };
        match self.try_send(envelope) {
            Ok(()) => Responded::Sent,
            Err(refused) => {
                let full = matches!(refused, Refused::Full(_));
                self.bury(refused.into_item(), if full { Undelivered::Full } else { Undelivered::Closed });
                Responded::Gone
            }
        }
    }

    fn id(&self) -> Id {
        self.id
    }
}

/// Gives up its place in the line when the sender is dropped.
struct Waiting<'a, M: Message> {
    mailbox: &'a dyn Mailbox<Envelope<M>>,
    ticket: Ticket,
}

impl<M: Message> Drop for Waiting<'_, M> {
    fn drop(&mut self) {
        if self.ticket.0.is_some() {
            self.mailbox.give_up(&mut self.ticket);
        }
    }
}
