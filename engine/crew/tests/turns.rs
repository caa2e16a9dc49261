//! Without a runtime: a crew runs when the owner of its turns says so, and says when there is something to run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use thalweg_crew::{Agent, Crew, Failure, Interaction, Item, MessagePromise, Reader, Sequence, Turns};

/// The turns, and how often they asked for one.
fn turns() -> (Turns, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let turns = Turns::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    });
    (turns, asked)
}

/// What a reader has now; the end is a full stop, an error has a mark of exclamation.
fn seen(reader: &mut Reader<MessagePromise>) -> String {
    let mut seen = String::new();
    loop {
        match reader.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(message))) => match message.try_value() {
                Some(Ok(message)) => seen += &message.to_string(),
                Some(Err(failure)) => seen += &format!("!{failure}"),
                None => seen.push('?'),
            },
            Poll::Ready(Some(Err(failure))) => seen += &format!("!{failure}"),
            Poll::Ready(None) => return seen + ".",
            Poll::Pending => return seen,
        }
    }
}

#[test]
fn nothing_runs_before_its_turn_and_what_becomes_ready_asks_once() {
    let (turns, asked) = turns();
    let crew = Crew::in_turns(&turns);
    let (inner_writer, inner) = Sequence::channel(&crew);
    let sequence = Sequence::of(&crew, vec![Item::from("a"), inner.into(), "z".into()]);
    let mut reader = sequence.reader();
    assert_eq!(seen(&mut reader), "a");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(!turns.run(100));
    for text in ["b", "c"] {
        inner_writer.append(text).unwrap();
    }
    assert_eq!((seen(&mut reader), asked.load(Ordering::Relaxed)), (String::new(), 2));
    assert!(!turns.run(100));
    assert_eq!(seen(&mut reader), "bc");
    drop(inner_writer);
    while turns.run(1) {}
    assert_eq!(seen(&mut reader), "z.");
    assert_eq!(crew.running(), 0);
}

#[test]
fn agents_run_in_turns_and_a_panic_ends_only_its_own() {
    let (turns, _) = turns();
    let crew = Crew::in_turns(&turns);
    let echo = Agent::new("echo", async |mut interaction: Interaction| {
        while let Some(message) = interaction.messages.next().await {
            let text = message?.value().await?.to_string();
            assert_ne!(text, "no");
            interaction.reply(format!("<{text}>"));
        }
        Ok::<(), Failure>(())
    });
    let (mut good, mut bad) = (echo.trigger(&crew, ["a", "b"]).reader(), echo.trigger(&crew, "no").reader());
    assert_eq!(seen(&mut good), "");
    while turns.run(1) {}
    assert_eq!(seen(&mut good), "<a><b>.");
    assert!(seen(&mut bad).starts_with("!panicked: "));
}

#[test]
fn cancelled_task_is_dropped_where_it_waits() {
    let (turns, _) = turns();
    let crew = Crew::in_turns(&turns);
    let (_writer, never) = Sequence::channel(&crew);
    let sequence = Sequence::of(&crew, never);
    let mut reader = sequence.reader();
    assert!(!turns.run(100));
    assert_eq!(crew.running(), 1);
    sequence.cancel();
    assert_eq!((crew.running(), seen(&mut reader).as_str()), (0, "!cancelled before the end."));
}

#[test]
fn another_thread_asks_for_a_turn() {
    let (turns, asked) = turns();
    let crew = Crew::in_turns(&turns);
    let (writer, inner) = Sequence::channel(&crew);
    let mut reader = Sequence::of(&crew, inner).reader();
    assert!(!turns.run(100));
    let before = asked.load(Ordering::Relaxed);
    std::thread::spawn(move || writer.append("far").unwrap()).join().unwrap();
    assert!(asked.load(Ordering::Relaxed) > before);
    assert!(!turns.run(100));
    assert_eq!(seen(&mut reader), "far.");
}
