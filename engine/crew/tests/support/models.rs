//! Models of the program: async functions that say what a test wants.

use std::future::Future;
use std::sync::Arc;

use thalweg::failure::{Failure, FailureKind};
use thalweg::responder::{ReplySink, from_fn};
use thalweg::{Agent, Ask, Responder};
use thalweg_abi::types::{EVENT_USAGE, StreamEvent, USAGE_CACHE_READ};
use tokio::sync::Notify;

/// Says a whole reply of 3 tokens of prompt, of which a cache had 1, and 2 tokens of its own; they are told behind the text, as
/// servers do.
pub(crate) fn answer(sink: &ReplySink, text: &str) {
    sink.text(text);
    sink.usage(3, 2);
    sink.push(&StreamEvent::new(EVENT_USAGE).with_block(USAGE_CACHE_READ).with_num(1));
    sink.stop("stop");
}

/// A model that answers the last question by a function.
pub(crate) fn reply(name: &str, says: impl Fn(String) -> String + Send + Sync + 'static) -> Arc<dyn Responder> {
    from_fn(name, move |ask, sink| {
        answer(&sink, &says(ask.last_user_text()));
        std::future::ready(Ok(()))
    })
}

/// An agent of such a model.
pub(crate) fn saying(name: &str, says: impl Fn(String) -> String + Send + Sync + 'static) -> Agent {
    Agent::builder().responder(reply(name, says)).build().expect("an agent")
}

/// An agent whose model is an async function.
pub(crate) fn scripted<F, Fut>(name: &str, function: F) -> Agent
where
    F: Fn(Ask, ReplySink) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send + 'static,
{
    Agent::builder().responder(from_fn(name, function)).build().expect("an agent")
}

/// An agent that fails before it says anything, once others have had a turn.
pub(crate) fn failing(name: &str, message: &'static str) -> Agent {
    scripted(name, move |_, _| async move {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        Err(Failure::new(FailureKind::Server, message))
    })
}

/// An agent that says something and then nothing any more, and who is told when its reply is dropped.
pub(crate) fn silent_after(said: &'static str) -> (Agent, Arc<Notify>) {
    let dropped = Arc::new(Notify::new());
    let tell = Arc::clone(&dropped);
    let agent = scripted("silent", move |_, sink| {
        let tell = TellsOnDrop(Arc::clone(&tell));
        async move {
            sink.text(said);
            std::future::pending::<()>().await;
            drop(tell);
            Ok(())
        }
    });
    (agent, dropped)
}

struct TellsOnDrop(Arc<Notify>);

impl Drop for TellsOnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}
