//! Promises and agents on one thread: a piece written and read, a message of tokens, and an agent triggered and awaited.
//!
//! Times are those of the processor: there is one thread, and whoever shares the machine does not count.

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

fn main() {
    let (rounds, count) = if is_measuring() { (7, 100_000) } else { (1, 100) };
    let rows = [
        ("piece, write + read", best(rounds, count, async |crew| pieces(crew, count).await), "100 ns"),
        ("message of 4 tokens, awaited", best(rounds, count, async |crew| messages(crew, count).await), "-"),
        ("agent triggered, reply awaited", best(rounds, count, async |crew| triggers(crew, count).await), "2,000 ns"),
        ("agent triggered, reply read", best(rounds, count, async |crew| streamed_triggers(crew, count).await), "-"),
    ];
    if !is_measuring() {
        return;
    }
    let mut text = format!("{:36}{:>14}{:>14}\n", "crew, one thread", "best", "target");
    for (name, ns, target) in rows {
        text += &format!("{name:36}{:>14}{target:>14}\n", format!("{ns:.1} ns"));
    }
    println!("{text}");
    if record::is_wanted() {
        record::write("crew", &text);
    }
}
