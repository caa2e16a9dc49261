//! Promises that stream, sequences of messages, and agents that call agents.
//!
//! A [`Promise`] is a log of pieces and a value. Any number of readers see all pieces from the first one on, whenever
//! they come; the value is made once. A [`Sequence`] is a promise of messages that flattens whatever it is given, in
//! the order of the source, while all of it runs at once. An [`Agent`] is an async function from a sequence of messages
//! to a sequence of replies; [`Agent::trigger`] returns at once.
//!
//! All of it runs on a tokio runtime, or, for a program that has an event loop of its own, in [`Turns`] on its thread.
//!
//! ```
//! use thalweg_crew::{Agent, Crew, Failure, Interaction};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let crew = Crew::new();
//! let echo = Agent::new("echo", async |mut interaction: Interaction| {
//!     while let Some(message) = interaction.messages.next().await {
//!         let text = message?.value().await?.to_string();
//!         interaction.reply(format!("You said: {text}"));
//!     }
//!     Ok(())
//! });
//! let replies = echo.trigger(&crew, ["hello", "world"]);
//! let texts: Vec<_> = replies.value().await?.iter().map(ToString::to_string).collect();
//! assert_eq!(texts, ["You said: hello", "You said: world"]);
//! # Ok::<(), Failure>(())
//! # }).map_err(|failure| failure.to_string())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

#[cfg(feature = "llm")]
pub mod actor;
mod agent;
#[cfg(feature = "session")]
mod archive;
mod chain;
mod console;
mod crew;
mod field;
mod file_output;
mod hash;
mod history;
mod item;
mod keeper;
mod library;
#[cfg(feature = "llm")]
mod llm;
mod markdown_history;
mod message;
mod message_promise;
mod message_writer;
mod node;
mod pieces;
mod promise;
mod restore;
mod sequence;
mod single_text;
mod task;
#[cfg(feature = "llm")]
pub mod team;
mod turns;

pub use agent::{Agent, Call, Interaction, Start};
#[cfg(feature = "session")]
pub use archive::Archive;
pub use chain::{Interrupted, NeverWaits, Prompt, Step};
pub use console::Console;
pub use crew::Crew;
pub use field::{Field, Frozen};
pub use history::History;
pub use item::{Item, ItemOf};
pub use library::Library;
pub use message::Message;
pub use message_promise::{MessagePromise, Token};
pub use message_writer::MessageWriter;
pub use pieces::{Appender, Cancelled, Closed, Piece, Reader};
pub use promise::Promise;
pub use restore::RestoreError;
pub use sequence::{Sequence, SequenceOf, SequenceWriter, WriterOf};
pub use single_text::SingleText;
/// Why something failed: an error that was returned, or a panic that was caught. Cheap to clone, so that every reader
/// gets the same.
pub use thalweg_actor::Failure;
pub use turns::Turns;

#[cfg(all(doctest, feature = "llm", feature = "session"))]
#[doc = include_str!("../../../docs/CREW.md")]
mod guide {}

#[cfg(all(doctest, feature = "llm"))]
#[doc = include_str!("../../../docs/TEAMS.md")]
mod teams_guide {}
