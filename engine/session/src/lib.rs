//! Conversations kept in one file: append-only, branching, searched by their text and by what it means.
//!
//! A [`Store`] is an SQLite file that any number of processes use at once. A message is on the disk when [`Store::append`] returns;
//! whatever happens to the process then, it is there. Nothing that was stored is ever changed: a conversation that goes on from
//! an earlier message becomes a branch of the tree beside what was said before.
//!
//! Calls block, for as long as the disk takes; from async code they belong on a thread for that.
//!
//! ```
//! use thalweg_agent::message::Message;
//! use thalweg_session::{About, Store};
//!
//! let mut store = Store::in_memory()?;
//! let id = store.create(&About { model: Some("openai/gpt-4o".to_owned()), ..About::default() })?;
//! let asked = store.append(&id, None, &Message::user("Why is the sky blue?"))?;
//! let again = store.append(&id, None, &Message::user("Why is it red at dusk?"))?;
//! assert_eq!(store.path(&id, asked)?.len(), 1);
//! assert_eq!(store.leaves(&id)?, [asked, again]);
//! assert_eq!(store.search("dusk", 10)?[0].message, again);
//! # Ok::<(), thalweg_session::Error>(())
//! ```
#![forbid(unsafe_code)]

mod crew;
mod error;
mod lines;
mod markdown;
mod record;
mod schema;
mod search;
mod store;
mod text;
mod vectors;

pub use crew::Node;
pub use error::Error;
pub use record::{About, Hit, SessionId, Stored, Summary};
pub use store::Store;
pub use vectors::{Near, WithoutVector};
