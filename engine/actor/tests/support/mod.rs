//! Test doubles: an actor that does as it is told and writes down what it sees, and a small library of messages.
#![allow(dead_code, reason = "every test file uses its own part of it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use thalweg_actor::{Actor, Context, Delivery, Failure, Message, Notice, Reason, Spec, System};

/// What a [`Probe`] is told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Write the text down, and answer with it.
    Note(&'static str),
    /// Return an error.
    Fail(&'static str),
    /// Panic.
    Panic(&'static str),
    /// Sleep for so many milliseconds, then write it down.
    Sleep(u64),
    /// Wait for ever.
    Hang,
    /// Answer with what was written down by this actor, as opposed to those made before it.
    Count,
    /// Take the message away from the runtime, then panic.
    TakeAndPanic,
}

impl Message for Order {
    type Reply = String;
}

/// What all probes of a test wrote down, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    pub(crate) fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn text(&self) -> String {
        self.read().join(" ")
    }
}

/// An actor that does as it is told.
pub(crate) struct Probe {
    diary: Diary,
    notes: usize,
}

impl Probe {
    pub(crate) fn new(diary: &Diary) -> Self {
        Self { diary: diary.clone(), notes: 0 }
    }
}

/// A spec of a probe with a name.
pub(crate) fn probe(name: &str, diary: &Diary) -> Spec<Probe, impl FnMut() -> Probe + Send + 'static> {
    let diary = diary.clone();
    Spec::new(move || Probe::new(&diary)).named(name)
}

impl Actor for Probe {
    type Message = Order;

    async fn receive(&mut self, order: Delivery<'_, Order>, context: &mut Context<Order>) -> Result<(), Failure> {
        match &*order {
            Order::Note(text) => {
                self.notes += 1;
                self.diary.note(*text);
                if context.is_asked() {
                    context.respond((*text).to_owned());
                }
            }
            Order::Fail(text) => return Err(Failure::new(*text)),
            Order::Panic(text) => panic!("{text}"),
            Order::Sleep(ms) => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                self.diary.note(format!("slept {ms}"));
            }
            Order::Hang => std::future::pending().await,
            Order::Count => {
                context.respond(self.notes.to_string());
            }
            Order::TakeAndPanic => {
                let taken = order.take();
                panic!("with {taken:?} in hand");
            }
        }
        Ok(())
    }

    async fn started(&mut self, context: &mut Context<Order>) -> Result<(), Failure> {
        let starts = context.state().entry::<u32>();
        *starts += 1;
        if *starts > 1 {
            self.diary.note(format!("{} again", context.path().name()));
        }
        Ok(())
    }

    async fn notice(&mut self, notice: Notice, context: &mut Context<Order>) -> Result<(), Failure> {
        match notice {
            Notice::Terminated(end) => {
                self.diary.note(format!("{} saw {} end: {}", context.path().name(), end.path.name(), why(&end.reason)));
                Ok(())
            }
            Notice::Escalated { failure, .. } => Err(failure),
        }
    }

    async fn stopped(&mut self, reason: &Reason, context: &mut Context<Order>) {
        self.diary.note(format!("{} {}", context.path().name(), why(reason)));
    }
}

/// A reason in a few words.
pub(crate) fn why(reason: &Reason) -> String {
    match reason {
        Reason::Stopped => "stopped".into(),
        Reason::Killed => "killed".into(),
        Reason::Failed(failure) => format!("failed ({failure})"),
    }
}

/// Lets all other tasks run until they wait. Time stands still meanwhile.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// A system of a test.
pub(crate) fn system() -> System {
    System::new("test")
}
