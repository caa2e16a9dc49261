//! Memory after many runs: what is allocated must not grow with their number. Short here; `THALWEG_SOAK_RUNS=1000000` for
//! long.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

use serde_json::json;
use thalweg::{Agent, Engine};

#[path = "runs/server.rs"]
mod server;

struct Counting;

static BYTES: AtomicIsize = AtomicIsize::new(0);

// SAFETY: hands everything on to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: promised by the caller.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that this process has in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or_default() * 4096
}

fn runs() -> usize {
    std::env::var("THALWEG_SOAK_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(4000)
}

/// Runs the agent so often, each time as if for the first, with a reader.
async fn run(agent: &Agent, times: usize, expected: &str) {
    for _ in 0..times {
        agent.set_messages(Vec::new()).unwrap();
        let run = agent.prompt("go").unwrap();
        let mut text = run.text();
        let mut said = String::new();
        while let Some(piece) = text.next().await {
            said.push_str(&piece);
        }
        assert_eq!(said, expected);
        assert!(run.finished().await.error.is_none());
    }
}

async fn stays_flat(name: &str, agent: Agent, engine: &Engine, runs: usize, expected: &str) {
    // Pools, buffers and threads come into being at first.
    run(&agent, runs / 4, expected).await;
    let (allocated, in_memory) = (BYTES.load(Ordering::Relaxed), resident());
    run(&agent, runs, expected).await;
    let (grown, grown_in_memory) =
        (BYTES.load(Ordering::Relaxed) - allocated, resident() as isize - in_memory as isize);
    println!("{name}: {runs} runs, {grown} bytes more allocated, {grown_in_memory} more in memory");
    assert!(grown < 64 << 10, "{name}: {grown} bytes more after {runs} runs");
    assert!(grown_in_memory < 16 << 20, "{name}: {grown_in_memory} bytes more in memory after {runs} runs");
    assert!(engine.kept_bytes() <= engine.limits().kept_bytes_max);
    assert!(engine.log_bytes() <= 64 << 10, "{} bytes of logs that nobody holds", engine.log_bytes());
}

#[tokio::test]
async fn memory_does_not_grow_with_the_number_of_runs() {
    let engine = Engine::default();
    let script = json!({"replies": [{"text": "again and ", "repeat": 10}]});
    let builder = Agent::builder().model("script/inline").link(thalweg_script::module()).extra("script", script);
    let agent = builder.engine(engine.clone()).build().unwrap();
    stays_flat("in memory", agent, &engine, runs(), &"again and ".repeat(10)).await;

    let server = server::Server::start();
    let agent = server.agent("words-10").engine(engine.clone()).build().unwrap();
    stays_flat("over HTTP", agent, &engine, runs() / 2, &"word ".repeat(10)).await;
    assert_eq!(server.answered(), runs() / 2 + runs() / 8);
    assert!(server.sent() > 0);
}
