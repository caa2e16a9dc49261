//! The clients that this program has in it: what the engine cannot be faster than, what one would write by hand, and the
//! engine. The others are in `benches/clients`.

mod agent;
mod floor;
mod hand;
mod thalweg;

use thalweg_end_to_end::arguments::Arguments;
use thalweg_end_to_end::work;

/// Does with the client of that name what the arguments say.
pub(crate) fn run(name: &str, arguments: &Arguments) {
    match name {
        "floor" => work::run::<floor::Floor>(arguments),
        "hand" => work::run::<hand::Hand>(arguments),
        "thalweg" => work::run::<thalweg::Thalweg>(arguments),
        "agent" => work::run::<agent::WholeAgent>(arguments),
        _ => panic!("no client is called {name}"),
    }
}

/// The body of every request that is written by hand.
fn request_body() -> String {
    use thalweg_end_to_end::client::{MODEL, PROMPT};
    format!(r#"{{"model":"{MODEL}","stream":true,"messages":[{{"role":"user","content":"{PROMPT}"}}]}}"#)
}
