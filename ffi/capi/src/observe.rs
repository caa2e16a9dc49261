//! A function of the program that gets a record of each request.

use serde_json::json;
use thalweg::message::Message;
use thalweg::middleware::{Observe, Record};
use thalweg_abi::host;
use tokio::sync::mpsc;

use crate::ask;
use crate::engine::Shared;
use crate::fault::Fault;
use crate::hook::HostHook;
use crate::program::Owned;

/// Behind each request, once its reply has ended, was stopped or failed. Gets `{"responder": s, "provider": s, "model": s, "turn": n,
/// "messages": n, "first_content_us": n, "duration_us": n, "reply": {...}, "failure": {...}}`: who was asked, and who answered; how many
/// messages were sent; when the first content came, and when it was over; the reply, complete or as far as it came, with its usage;
/// and why there is none or no complete one. What is not known is `null`. No key is in it. The answer changes nothing. It is told one
/// record at a time, in their order, and perhaps a little behind the end of the run; what is not told when the engine is freed is
/// lost. Each hook belongs to an `observe` of the `middleware`, in their order; those that have none stand before all of it.
pub const HOOK_OBSERVE: u32 = 8;

/// The function.
#[derive(Clone)]
pub(crate) struct Observer(host::Tool);

/// The hooks of this sort; takes them out.
pub(crate) fn take(hooks: &mut Vec<Owned<HostHook>>) -> Result<Vec<Observer>, Fault> {
    Ok(ask::take_all(hooks, HOOK_OBSERVE, "THW_HOOK_OBSERVE")?.into_iter().map(Observer).collect())
}

impl Observer {
    /// What tells it.
    pub(crate) fn middleware(self, engine: &Shared) -> Result<Observe, Fault> {
        let Self(hook) = self;
        let (records, mut untold) = mpsc::unbounded_channel::<String>();
        // The function may block, and an engine's thread must not; one task keeps the records in their order.
        engine.handle()?.spawn(async move {
            while let Some(record) = untold.recv().await {
                // The request is over, whatever the function makes of it.
                drop(ask::ask(hook.clone(), record).await);
            }
        });
        // It fails when the engine was freed, and then nobody is to be called.
        Ok(Observe::new(move |record| drop(records.send(json_of(record)))))
    }
}

fn json_of(record: &Record) -> String {
    let Record { responder, provider, model, turn, messages, first_content, duration, reply, failure, .. } = record;
    let told = json!({
        "responder": responder,
        "provider": provider,
        "model": model,
        "turn": turn,
        "messages": messages,
        "first_content_us": first_content.map(|time| time.as_micros() as u64),
        "duration_us": duration.as_micros() as u64,
        "reply": reply.clone().map(Message::Assistant),
        "failure": failure,
    });
    told.to_string()
}
