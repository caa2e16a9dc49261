//! A streaming engine for LLM agents: this crate is what Rust programs import.
//!
//! An [`Agent`] holds a model, its tools and the conversation with it. [`Agent::prompt`] starts a [`Run`], whose events any
//! number of readers follow, each from the beginning:
//!
//! ```no_run
//! # async fn example(plugin: thalweg::Module) -> Result<(), thalweg::Error> {
//! use thalweg::Agent;
//!
//! let agent = Agent::builder().model("openai/gpt-4o-mini").link(plugin).build()?;
//! let run = agent.prompt("Why is the sky blue?")?;
//! let mut text = run.text();
//! while let Some(piece) = text.next().await {
//!     print!("{piece}");
//! }
//! let reply = run.message().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The library touches nothing process-wide: no signal handler, no global logger, no standard output.
#![deny(unsafe_code)]

mod abort;
mod account;
mod adapt;
pub mod agent;
pub mod auth;
mod backend;
pub mod budget;
mod charge;
pub mod client;
mod conversation;
mod cpu_clock;
mod description;
pub mod drain;
mod drive;
pub mod embed;
pub mod engine;
pub mod error;
pub mod hook;
pub mod http;
pub mod local;
mod marks;
pub mod middleware;
mod models;
mod panic;
pub mod plugin;
pub mod price;
pub mod provider;
pub mod proxy;
mod recorder;
mod reply;
pub mod responder;
pub mod run;
pub mod stats;
mod structured;
pub mod tool;
mod trace;
pub mod user_folders;
mod waiting;

pub use adapt::{Accepts, ForeignThinking};
pub use agent::{Agent, AgentBuilder, Fork, Prompt, Subscription};
pub use auth::KeySource;
pub use backend::{check_marks, open_pipeline};
pub use budget::Budget;
pub use client::{Chat, ChatStream, Client};
pub use drain::{Drain, Feed};
pub use embed::{Embedder, EmbedderBuilder, Vectors};
pub use engine::{Engine, Limits};
pub use error::Error;
pub use hook::{Hook, HookPoint};
pub use price::Prices;
pub use responder::{Ask, Responder};
pub use run::{Events, Outcome, Run, Text};
pub use stats::Stats;
pub use thalweg_abi::host::Codec;
pub use thalweg_abi::module::Module;
pub use thalweg_agent::approval::{Approval, Saved};
pub use thalweg_agent::partial::Partial;
pub use thalweg_agent::{cost, event, failure, kind, machine, message, partial_json, request, usage};
pub use thalweg_log::{Cursor, Entry, LAGGED, Options as LogOptions, WhenFull};
pub use thalweg_schema::{Schema, Validation};
pub use tool::{Tool, ToolContext, ToolOutput};
