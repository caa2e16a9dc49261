//! Sans-IO agent: messages, tools, usage and the agent loop as a state machine.
//!
//! Nothing here opens a socket, starts a thread or reads a clock. A driver feeds what it received
//! (`handle_*`, time passed in), appends what [`machine::Machine::poll_event`] gives to its log, and does what
//! [`machine::Machine::poll_action`] asks for.
//!
//! ```
//! use thalweg_abi::types::{EVENT_DONE, EVENT_STOP, EVENT_TEXT, STOP_END, StreamEvent};
//! use thalweg_agent::assembly::End;
//! use thalweg_agent::machine::{Action, Config, Machine};
//! use thalweg_agent::message::Message;
//!
//! let mut machine = Machine::new(Config::default(), Vec::new());
//! machine.handle_prompt(vec![Message::user("hi")], 0)?;
//! assert!(matches!(machine.poll_action(), Some(Action::SendRequest { turn: 1 })));
//! for event in [
//!     StreamEvent::new(EVENT_TEXT).with_text(b"Hello"),
//!     StreamEvent::new(EVENT_STOP).with_num(STOP_END).with_text(b"stop"),
//!     StreamEvent::new(EVENT_DONE),
//! ] {
//!     machine.handle_stream_event(&event, 1);
//! }
//! machine.handle_stream_end(End::Eof, 2);
//! assert!(matches!(machine.poll_action(), Some(Action::Finished { .. })));
//! assert_eq!(machine.last_reply().unwrap().text(), "Hello");
//! # Ok::<(), thalweg_agent::machine::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod action;
pub mod approval;
pub mod arguments;
pub mod assembly;
mod batch;
pub mod config;
pub mod content;
pub mod cost;
pub mod event;
pub mod failure;
pub mod history;
pub mod kind;
pub mod limits;
pub mod machine;
pub mod message;
pub mod owned;
pub mod partial;
pub mod partial_json;
pub mod request;
pub mod stop;
pub mod usage;
