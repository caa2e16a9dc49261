//! Recorded streams: their file format, and an HTTP server that plays them.
//!
//! A [`Recording`] is what one prompt led to: the requests of every turn, and the bytes that came back with their
//! chunking and timing. [`Server`] is a real HTTP server on a loopback port that plays recordings, checks what it is
//! asked against them and can be told to misbehave. [`Recorder`] makes new recordings. None of them knows a dialect
//! beyond what is needed to find the prompt and the tool results in a request body.
#![forbid(unsafe_code)]

mod builtin;
mod check;
mod conversation;
mod date;
mod format;
pub mod http1;
mod matching;
mod options;
mod play;
mod recorder;
mod recording;
mod server;

pub use builtin::{builtin, team};
pub use date::date;
pub use format::FormatError;
pub use options::{Fault, Matching, Options, Pace};
pub use recorder::{Open, RecordError, Recorder};
pub use recording::{Chunk, End, Exchange, Expect, ExpectedResult, Origin, Recording, Request, Response, Value};
pub use server::{Captured, Connection, Server};
