//! Promises and agents on one thread: a piece written and read, a message of tokens, and an agent triggered and awaited.
//!
//! Beside it what bare tokio does of the same, a channel and a task, and MiniAgents from PyPI, which a script installs
//! below `target` when this is measured; it says why where it is absent.
//!
//! Times are those of the processor: there is one thread, and whoever shares the machine does not count.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use thalweg_benches::{is_measuring, record};
use thalweg_crew::{Agent, Appender, Crew, Failure, Frozen, Interaction, MessagePromise, Promise, Token};
use tokio::runtime::Builder;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The fastest of several rounds, in nanoseconds for one of `count`.
fn best(rounds: usize, count: u64, mut round: impl AsyncFnMut(&Crew)) -> f64 {
    (0..rounds)
        .map(|_| {
            let runtime = Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async {
                let crew = Crew::new();
                let start = processor_time();
                round(&crew).await;
                (processor_time() - start).as_nanos() as f64 / count as f64
            })
        })
        .fold(f64::MAX, f64::min)
}

/// A producer that steps back every 32 pieces, as one that reads from a socket, and a reader that counts their bytes.
async fn pieces(crew: &Crew, count: u64) {
    let producer = async move |pieces: Appender<Token>| {
        for number in 0..count {
            pieces.append(Token("token".into()))?;
            if number % 32 == 31 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    };
    let promise: Promise<Token, ()> = Promise::new(crew, producer, async |_| Ok(()));
    let mut reader = promise.reader();
    let mut bytes = 0;
    while let Some(piece) = reader.next().await {
        bytes += piece.expect("no error among them").0.len() as u64;
    }
    assert_eq!(bytes, 5 * count);
}

async fn messages(crew: &Crew, count: u64) {
    for _ in 0..count {
        let message = MessagePromise::stream(crew, Frozen::new(), async |pieces: Appender<Token>| {
            for text in ["a", "b", "c", "d"] {
                pieces.append(Token(text.into()))?;
            }
            Ok(())
        });
        assert_eq!(message.value().await.expect("a message").to_string(), "abcd");
    }
}

fn echo() -> Agent {
    Agent::new("echo", async |mut interaction: Interaction| {
        while let Some(message) = interaction.messages.next().await {
            interaction.reply(message?);
        }
        Ok::<(), Failure>(())
    })
}

async fn triggers(crew: &Crew, count: u64) {
    let echo = echo();
    for _ in 0..count {
        let replies = echo.trigger(crew, "hello").value().await.expect("replies");
        assert_eq!(replies.len(), 1);
        assert_eq!(replies[0].to_string(), "hello");
    }
}

async fn streamed_triggers(crew: &Crew, count: u64) {
    let echo = echo();
    for _ in 0..count {
        let replies = echo.trigger(crew, "hello");
        let mut reader = replies.reader();
        let reply = reader.next().await.expect("a reply").expect("no error");
        assert!(reply.value().await.is_ok() && reader.next().await.is_none());
    }
}

/// What one would write by hand: a channel of texts, and a task that fills it.
async fn bare_pieces(_: &Crew, count: u64) {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let producer = tokio::spawn(async move {
        for number in 0..count {
            sender.send("token".to_owned()).expect("the receiver is read to the end");
            if number % 32 == 31 {
                tokio::task::yield_now().await;
            }
        }
    });
    let mut bytes = 0;
    while let Some(piece) = receiver.recv().await {
        bytes += piece.len() as u64;
    }
    producer.await.expect("it does not panic");
    assert_eq!(bytes, 5 * count);
}

/// A task that is sent a text and sends it back: no second reader, no errors, no order of several.
async fn bare_triggers(_: &Crew, count: u64) {
    for _ in 0..count {
        let (sender, mut sent) = tokio::sync::mpsc::unbounded_channel::<String>();
        let (replier, mut replies) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(text) = sent.recv().await {
                let _ = replier.send(text);
            }
        });
        sender.send("hello".to_owned()).expect("the task waits for it");
        drop(sender);
        assert_eq!(replies.recv().await.as_deref(), Some("hello"));
        assert!(replies.recv().await.is_none());
    }
}

/// Nanoseconds of MiniAgents by what was measured; none if it is absent, which its script explains.
fn miniagents() -> HashMap<String, f64> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = root.join("rivals/of_miniagents.py");
    let folder = root.join("../target/miniagents");
    let output = Command::new("python3").arg(script).arg(folder).stderr(Stdio::inherit()).output();
    let text = match output {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => {
            eprintln!("MiniAgents is absent: there is no python3 ({error})");
            String::new()
        }
    };
    let figures = text.lines().filter_map(|line| line.split_once('='));
    figures.filter_map(|(name, ns)| Some((name.to_owned(), ns.parse().ok()?))).collect()
}

fn main() {
    let (rounds, count) = if is_measuring() { (7, 100_000) } else { (1, 100) };
    let measure = |work: fn(&Crew, u64) -> Work<'_>| best(rounds, count, async |crew| work(crew, count).await);
    let rows = [
        ("piece, write + read", measure(|crew, count| Box::pin(pieces(crew, count))), "100 ns", "piece"),
        ("  a channel of bare tokio", measure(|crew, count| Box::pin(bare_pieces(crew, count))), "-", ""),
        ("message of 4 tokens, awaited", measure(|crew, count| Box::pin(messages(crew, count))), "-", ""),
        (
            "agent triggered, reply awaited",
            measure(|crew, count| Box::pin(triggers(crew, count))),
            "2,000 ns",
            "trigger",
        ),
        ("agent triggered, reply read", measure(|crew, count| Box::pin(streamed_triggers(crew, count))), "-", ""),
        ("  a task and channels of bare tokio", measure(|crew, count| Box::pin(bare_triggers(crew, count))), "-", ""),
    ];
    if !is_measuring() {
        return;
    }
    let theirs = miniagents();
    let mut text = format!("{:36}{:>14}{:>14}{:>20}\n", "crew, one thread", "best", "target", "MiniAgents 0.0.35");
    for (name, ns, target, their_name) in rows {
        let their_ns = theirs.get(their_name).map_or_else(|| "-".to_owned(), |ns| format!("{ns:.0} ns"));
        text += &format!("{name:36}{:>14}{target:>14}{their_ns:>20}\n", format!("{ns:.1} ns"));
    }
    println!("{text}");
    if record::is_wanted() {
        record::write("crew", &text);
    }
}

type Work<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;
