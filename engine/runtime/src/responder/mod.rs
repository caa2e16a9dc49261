//! What gives replies: a server behind a codec, a plugin, a function of the program, or any of them with middleware around.
//!
//! A [`Responder`] gets an [`Ask`] and gives a [`ReplyStream`] of the same events that a codec gives. A provider without
//! a plugin is one: [`from_fn`] makes it of an async function.
//!
//! ```
//! use thalweg::responder::from_fn;
//!
//! let parrot = from_fn("parrot", |ask, sink| async move {
//!     let said = ask.last_user_text();
//!     sink.text(&format!("You said: {said}"));
//!     sink.stop("stop");
//!     Ok(())
//! });
//! let agent = thalweg::Agent::builder().model("parrot/green").responder(parrot);
//! # drop(agent);
//! ```

mod ask;
mod batch;
mod function;
mod plugin;
mod server;
mod sink;
mod stream;
mod view;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use thalweg_agent::failure::Failure;

pub use ask::Ask;
pub use batch::Batch;
pub use function::from_fn;
pub(crate) use plugin::PluginResponder;
pub(crate) use server::ServerResponder;
pub use sink::ReplySink;
pub use stream::{ReplyEvents, ReplyStream};
pub use view::ReplyEvent;

/// A reply that is being asked for.
pub type Asking<'a> = Pin<Box<dyn Future<Output = Result<ReplyStream, Failure>> + Send + 'a>>;

/// What gives replies.
pub trait Responder: Send + Sync {
    /// Its name, without a slash: an agent asks it whose model is `name/model`, and replies carry it as their provider.
    fn name(&self) -> &str;

    /// The id of the provider that replies carry, if it has one; its name unless it says otherwise.
    fn provider(&self) -> Option<&str> {
        Some(self.name())
    }

    /// Asks for one reply. The future is dropped when nobody waits for the reply any more, as is the stream later.
    ///
    /// An error means that no event of the reply was given; one amid the reply comes from the stream.
    fn ask(&self, ask: Ask) -> Asking<'_>;
}

impl<R: Responder + ?Sized> Responder for Arc<R> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn provider(&self) -> Option<&str> {
        (**self).provider()
    }

    fn ask(&self, ask: Ask) -> Asking<'_> {
        (**self).ask(ask)
    }
}
