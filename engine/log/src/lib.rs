//! A lock-free event log: one writer, any number of readers, each at its own place.
//!
//! The writer appends entries and publishes them in batches with one atomic exchange. A reader may attach late and
//! replay everything from the start; nothing is lost and nobody waits for the slowest. A reader that has seen all can
//! ask again ([`Cursor::next`]), await ([`Cursor::ready`]) or block ([`Cursor::wait`]); only readers that sleep are
//! woken, once a batch.
//!
//! ```
//! use thalweg_log::{Entry, Options, channel};
//!
//! let (mut writer, log) = channel(Options::default());
//! for word in ["every", "reader", "sees", "all"] {
//!     writer.append(&Entry::new(1).with_text(word.as_bytes()))?;
//! }
//! writer.close();
//!
//! let mut cursor = log.cursor();
//! let mut words = Vec::new();
//! while cursor.wait() {
//!     while let Some(entry) = cursor.next() {
//!         words.push(entry.text.to_vec());
//!     }
//! }
//! assert_eq!(words.concat(), b"everyreaderseesall");
//! # Ok::<(), thalweg_log::AppendError>(())
//! ```
//!
//! **Retention** is chosen for each log. By default everything is kept for replay up to [`Options::bytes_max`]; then the
//! writer gets a typed error. With [`WhenFull::DropOldest`] the same limit is a window: a reader that falls out of it reads
//! one entry of the kind [`LAGGED`], which counts what it missed, and goes on at the oldest one. A reader that must miss
//! nothing [holds the writer back](Cursor::hold_back); a writer that asks for [room](Writer::poll_room) is then never far
//! ahead of it. Other readers hold up nobody.
//!
//! **Memory.** An entry takes 48 bytes, and longer texts their own length besides; segments double from 512 B to 64 KiB.
//! A [`Log`] keeps everything for replay. Once every clone of it is dropped, what all cursors have passed is freed.
//! A log without entries takes about 200 bytes. Logs of one [`Pool`] use the segments of those before them again, and
//! have one limit on bytes together.
//!
//! **Order.** `engine/log/src/slots` holds the structure and all unsafe code. The same source runs under the model
//! checker: `RUSTFLAGS="--cfg loom" cargo test -p thalweg-log --release --lib`.

#![deny(unsafe_code)]

mod batch;
mod cursor;
mod entry;
mod failure;
mod log;
mod options;
mod pool;
#[expect(unsafe_code, reason = "the one place where memory is shared between a writer and readers")]
mod slots;
mod sync;
mod unpark;
mod writer;

#[cfg(all(test, loom))]
mod models;

pub use batch::Batch;
pub use cursor::Cursor;
pub use entry::{Entry, LAGGED};
pub use failure::AppendError;
pub use log::Log;
pub use options::{Options, WhenFull};
pub use pool::{Pool, PoolOptions};
pub use writer::Writer;

/// A new log: its one writer, and the handle from which readers attach.
#[must_use]
pub fn channel(options: Options) -> (Writer, Log) {
    let (tail, start) = slots::open(options, None);
    (Writer::new(tail), Log::new(start))
}
