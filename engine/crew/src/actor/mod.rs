//! Agents as actors: an agent behind a mailbox, under a supervisor, with a memory of its own.
//!
//! ```
//! use thalweg::Agent;
//! use thalweg::responder::from_fn;
//! use thalweg_actor::{Spec, System};
//! use thalweg_crew::actor::{AgentActor, Policy, Prompt};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let model = from_fn("parrot", |ask, sink| async move {
//! #     sink.text(&format!("{} of {}", ask.last_user_text(), ask.messages().len()));
//! #     sink.stop("stop");
//! #     Ok(())
//! # });
//! let agent = Agent::builder().responder(model).build()?;
//! let system = System::new("example");
//! let parrot = system.spawn(Spec::new(move || AgentActor::new(agent.clone(), Policy::default())).named("parrot"))?;
//! assert_eq!(parrot.ask(Prompt::new("hello")).await??.text(), "hello of 1");
//! assert_eq!(parrot.ask(Prompt::new("again")).await??.text(), "again of 3");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agent;
#[cfg(feature = "session")]
mod kept;
mod memory;
mod policy;
mod prompt;
mod recent;

pub use agent::AgentActor;
#[cfg(feature = "session")]
pub use kept::Kept;
pub use memory::{Memory, MemoryError, MemoryFuture, Recalled, window};
pub use policy::Policy;
pub use prompt::{Prompt, Refused, Response};
pub use recent::Recent;
