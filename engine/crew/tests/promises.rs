//! Promises: replay, errors at their place, what breaks never hangs, eager and on request, cancel, room.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use thalweg_crew::{Appender, Cancelled, Crew, Failure, Frozen, Message, MessagePromise, Promise, Reader, Token};

fn token(text: impl Into<String>) -> Token {
    Token(text.into())
}

/// All pieces of a reader: texts, and errors with an exclamation mark.
async fn read(mut reader: Reader<Token>) -> String {
    let mut seen = Vec::new();
    while let Some(piece) = reader.next().await {
        seen.push(match piece {
            Ok(token) => token.0,
            Err(failure) => format!("!{failure}"),
        });
    }
    seen.join(" ")
}

/// The texts of all pieces, or the first error.
async fn joined(mut reader: Reader<Token>) -> Result<String, Failure> {
    let mut all = String::new();
    while let Some(piece) = reader.next().await {
        all += &piece?.0;
    }
    Ok(all)
}

fn text(value: Result<String, Failure>) -> String {
    value.unwrap_or_else(|failure| format!("!{failure}"))
}

async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_reader_sees_all_from_the_start_and_the_producer_runs_once() {
    let crew = Crew::new();
    let runs = Arc::new(AtomicU32::new(0));
    let (counted, resolved) = (runs.clone(), runs.clone());
    let promise = Promise::new(
        &crew,
        async move |pieces: Appender<Token>| {
            counted.fetch_add(1, Ordering::SeqCst);
            for text in ["a", "b", "c"] {
                tokio::task::yield_now().await;
                pieces.append(token(text))?;
            }
            Ok(())
        },
        async move |reader| {
            resolved.fetch_add(10, Ordering::SeqCst);
            joined(reader).await
        },
    );
    let early = tokio::spawn(read(promise.reader()));
    assert_eq!(text(promise.value().await), "abc");
    assert_eq!(early.await.unwrap(), "a b c");
    for _ in 0..3 {
        assert_eq!(read(promise.reader()).await, "a b c");
        assert_eq!(text(promise.clone().value().await), "abc");
    }
    assert_eq!(runs.load(Ordering::SeqCst), 11);
    crew.finish().await;
    assert_eq!(crew.running(), 0);
}

/// What a producer does, what readers see, and what comes of the value.
#[tokio::test]
async fn error_table() {
    type Step = fn(&Appender<Token>) -> Result<(), Failure>;
    let add: Step = |pieces| Ok(pieces.append(token("x"))?);
    let error: Step = |pieces| Ok(pieces.append_error(Failure::new("mid"))?);
    let fail: Step = |_| Err(Failure::new("end"));
    let panic: Step = |_| panic!("boom");
    let close: Step = |pieces| {
        pieces.close();
        Ok(())
    };
    let cases: &[(&str, &[Step], &str, &str)] = &[
        ("nothing", &[], "", ""),
        ("pieces", &[add, add], "x x", "xx"),
        ("an error amid", &[add, error, add], "x !mid x", "!mid"),
        ("two errors", &[error, error], "!mid !mid", "!mid"),
        ("an error at the end", &[add, fail], "x !end", "!end"),
        ("an error first", &[fail], "!end", "!end"),
        ("a panic", &[add, panic], "x !panicked: boom", "!panicked: boom"),
        ("closed", &[add, close], "x", "x"),
        ("a piece after the end", &[add, close, add], "x", "x"),
    ];
    let crew = Crew::new();
    for (name, steps, pieces, value) in cases {
        let steps = steps.to_vec();
        let producer = async move |pieces: Appender<Token>| steps.iter().try_for_each(|step| step(&pieces));
        let promise = Promise::new(&crew, producer, joined);
        for round in 0..3 {
            assert_eq!(read(promise.reader()).await, *pieces, "{name}, round {round}");
            assert_eq!(text(promise.value().await), *value, "{name}, round {round}");
        }
    }
}

#[tokio::test]
async fn a_broken_resolver_leaves_the_pieces_and_fails_the_same_for_all() {
    let crew = Crew::new();
    let calls = Arc::new(AtomicU32::new(0));
    for panics in [false, true] {
        let counted = calls.clone();
        let promise: Promise<Token, String> = Promise::new(
            &crew,
            async |pieces: Appender<Token>| Ok(pieces.append(token("whole"))?),
            async move |_| {
                counted.fetch_add(1, Ordering::SeqCst);
                assert!(!panics, "broken");
                Err(Failure::new("broken"))
            },
        );
        for _ in 0..2 {
            assert_eq!(text(promise.value().await), if panics { "!panicked: broken" } else { "!broken" });
            assert_eq!(read(promise.reader()).await, "whole");
        }
    }
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_starts_on_request_starts_with_its_first_reader() {
    let runs = Arc::new(AtomicU32::new(0));
    let make = |crew: &Crew| {
        let counted = runs.clone();
        Promise::new(
            crew,
            async move |pieces: Appender<Token>| {
                counted.fetch_add(1, Ordering::SeqCst);
                Ok(pieces.append(token("x"))?)
            },
            joined,
        )
    };
    let eager = make(&Crew::new());
    settle().await;
    assert_eq!(runs.swap(0, Ordering::SeqCst), 1);
    let crew = Crew::new().on_request();
    let (read_first, awaited, never) = (make(&crew), make(&crew), make(&crew));
    settle().await;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    assert_eq!(read(read_first.reader()).await, "x");
    assert_eq!(text(awaited.value().await), "x");
    assert_eq!(text(read_first.value().await), "x");
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    drop(never);
    assert_eq!(text(eager.value().await), "x");
    crew.finish().await;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

/// Sets a flag when it is dropped.
struct Flag(Arc<AtomicU32>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn cancel_reaches_the_producer() {
    for crew in [Crew::new(), Crew::new().on_request()] {
        let dropped = Arc::new(AtomicU32::new(0));
        let flag = Flag(dropped.clone());
        let promise = Promise::new(
            &crew,
            async move |pieces: Appender<Token>| {
                let _flag = flag;
                pieces.append(token("x"))?;
                std::future::pending().await
            },
            joined,
        );
        let waiting = tokio::spawn({
            let promise = promise.clone();
            async move { promise.value().await }
        });
        let reader = promise.reader();
        settle().await;
        promise.cancel();
        promise.cancel();
        let failure = waiting.await.unwrap().unwrap_err();
        assert!(failure.downcast_ref::<Cancelled>().is_some());
        assert_eq!(read(reader).await, "x !cancelled before the end");
        assert_eq!(text(promise.value().await), "!cancelled before the end");
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        crew.finish().await;
    }
    // Before it was started, and after it is done.
    let crew = Crew::new().on_request();
    let make = || Promise::new(&crew, async |pieces: Appender<Token>| Ok(pieces.append(token("x"))?), joined);
    let (before, after) = (make(), make());
    before.cancel();
    assert_eq!(text(before.value().await), "!cancelled before the end");
    assert_eq!(text(after.value().await), "x");
    after.cancel();
    assert_eq!(text(after.value().await), "x");
}

#[test]
fn nobody_hangs_when_the_runtime_goes_down() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let promise: Promise<Token, String> = runtime.block_on(async {
        Promise::new(&Crew::new(), async |_: Appender<Token>| std::future::pending().await, joined)
    });
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(text(other.block_on(promise.value())), "!cancelled before the end");
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_asks_for_room_waits_for_its_readers() {
    let crew = Crew::new();
    let written = Arc::new(AtomicU32::new(0));
    let counted = written.clone();
    let promise = Promise::with_window(
        &crew,
        2,
        async move |pieces: Appender<Token>| {
            for _ in 0..6 {
                pieces.room().await;
                pieces.append(token("x"))?;
                counted.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        },
        async |_| Ok(()),
    );
    settle().await;
    assert_eq!(written.load(Ordering::SeqCst), 2);
    let mut reader = promise.reader();
    for expected in 3..=6 {
        assert!(reader.next().await.unwrap().is_ok());
        settle().await;
        assert_eq!(written.load(Ordering::SeqCst), expected);
    }
    assert_eq!(read(promise.reader()).await, "x x x x x x", "a late reader still sees all");
    assert!(tokio::time::timeout(Duration::from_secs(1), promise.value()).await.is_ok());
}

#[tokio::test]
async fn captured_errors_are_pieces() {
    let crew = Crew::new();
    let promise = Promise::new(
        &crew,
        async |pieces: Appender<Token>| {
            let inner = pieces.clone();
            pieces
                .capture(async move {
                    inner.append(token("x"))?;
                    Err(Failure::new("caught"))
                })
                .await?;
            pieces.append(token("y"))?;
            let late = pieces.clone();
            pieces.close();
            assert!(
                late.is_closed() && late.append(token("z")).is_err() && late.append_error(Failure::new("z")).is_err()
            );
            Ok(())
        },
        async |_| Ok(()),
    );
    assert_eq!(read(promise.reader()).await, "x !caught y");
}

#[tokio::test]
async fn a_message_streams_and_comes_out_the_same_whole_or_by_token() {
    let crew = Crew::new();
    let known = Frozen::new().with("role", "assistant").with("model", "m");
    let streamed = MessagePromise::stream(&crew, known.clone(), async |pieces: Appender<Token>| {
        for text in ["Hel", "lo"] {
            pieces.append(token(text))?;
        }
        Ok(())
    });
    assert_eq!(streamed.known(), &known, "before the first token");
    let whole = streamed.value().await.unwrap();
    assert_eq!(whole, Message::text("Hello").with("role", "assistant").with("model", "m"));
    let made = MessagePromise::made(whole.clone());
    assert_eq!((read(streamed.tokens()).await.as_str(), read(made.tokens()).await.as_str()), ("Hel lo", "Hello"));
    assert_eq!(made.value().await.unwrap(), whole);
    let broken = MessagePromise::stream(&crew, known, async |pieces: Appender<Token>| {
        pieces.append(token("part"))?;
        Err(Failure::new("cut"))
    });
    assert_eq!(read(broken.tokens()).await, "part !cut");
    assert_eq!(broken.value().await.unwrap_err().to_string(), "cut");
}
