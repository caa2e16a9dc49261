//! The engine and others against one server, from socket to text: `cargo bench --bench end_to_end`.
//!
//! This program is three: the server, each on a core of its own the clients one after the other, and what starts them
//! and makes a table of their figures.
#![forbid(unsafe_code)]

mod bench;
mod clients;
mod server;

use std::path::Path;

use thalweg_end_to_end::arguments::Arguments;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("serve") => server::serve(Path::new(&arguments.next().expect("a file for the certificate"))),
        Some("client") => {
            let name = arguments.next().expect("the name of a client");
            clients::run(&name, &Arguments::new(arguments));
        }
        _ => bench::run(),
    }
}
