//! The clients that thalweg is compared with end to end, one a process: `thalweg-bench-clients NAME work=… url=… …`.
//! What they do, and how it is measured, is in `benches/end_to_end/load`.
#![forbid(unsafe_code)]

mod by_async_openai;
mod by_eventsource;
mod by_genai;
mod by_rig;

use thalweg_end_to_end::arguments::Arguments;
use thalweg_end_to_end::work;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().expect("the name of a client");
    let arguments = Arguments::new(arguments);
    match name.as_str() {
        "reqwest" => work::run::<by_eventsource::ByEventSource>(&arguments),
        "async-openai" => work::run::<by_async_openai::ByAsyncOpenAi>(&arguments),
        "genai" => work::run::<by_genai::ByGenAi>(&arguments),
        "rig" => work::run::<by_rig::ByRig>(&arguments),
        _ => panic!("no client is called {name}"),
    }
}
