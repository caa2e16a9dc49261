//! A run from `prompt` to its end, with nothing around it: 50 deltas that lie in memory, one reader.
//!
//! What is measured is ours alone: the task, the state machine, assembly, the log, the reader, the outcome. `log` is the part
//! of the log in that.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use thalweg::responder::{Ask, Asking, Batch, ReplyStream, Responder};
use thalweg::{Agent, Engine};
use thalweg_abi::types::{EVENT_DONE, EVENT_STOP, EVENT_TEXT, STOP_END, StreamEvent};
use thalweg_benches::table::Table;
use thalweg_log::{Entry, Options, Pool, PoolOptions};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const DELTAS: usize = 50;

/// A reply that is there at once.
struct InMemory;

impl Responder for InMemory {
    fn name(&self) -> &str {
        "memory"
    }

    fn ask(&self, _: Ask) -> Asking<'_> {
        let mut batch = Batch::default();
        for _ in 0..DELTAS {
            batch.push(&StreamEvent::new(EVENT_TEXT).with_text(b" word"));
        }
        batch.push(&StreamEvent::new(EVENT_STOP).with_num(STOP_END));
        batch.push(&StreamEvent::new(EVENT_DONE));
        Box::pin(std::future::ready(Ok(ReplyStream::ready(None, batch))))
    }
}

async fn run(agent: &Agent) {
    agent.set_messages(Vec::new()).expect("idle");
    let run = agent.prompt("go").expect("idle");
    let mut text = run.text();
    let mut bytes = 0;
    while let Some(piece) = text.next().await {
        bytes += piece.len();
    }
    assert_eq!(bytes, DELTAS * 5, "the reader missed something");
}

fn log_alone(pool: &Pool) {
    let (mut writer, log) = pool.channel(Options::default());
    let mut cursor = log.cursor();
    for _ in 0..DELTAS {
        writer.append(&Entry::new(EVENT_TEXT).with_text(b" word")).expect("far below the limit");
    }
    writer.close();
    let mut bytes = 0;
    while let Some(entry) = cursor.next() {
        bytes += black_box(entry.text).len();
    }
    assert_eq!(bytes, DELTAS * 5);
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(700))
        .configure_from_args();
    let mut table = Table::new("run");
    let mut group = criterion.benchmark_group("run");
    group.throughput(Throughput::Elements(1));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without I/O");
    let agent = Agent::builder().model("memory/any").responder(Arc::new(InMemory)).engine(Engine::default());
    let agent = agent.build().expect("a complete description");
    let pool = Pool::new(PoolOptions::default());
    let mut bench = |name: &str, work: &mut dyn FnMut()| {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| table.sample(name, 1, 0, times, &mut *work));
        });
    };
    bench("prompt to end, 50 deltas", &mut || runtime.block_on(run(&agent)));
    bench("log, 50 deltas", &mut || log_alone(&pool));
    group.finish();
    criterion.final_summary();
    table.finish();
}
