//! A function of the program that shortens a conversation which has become too long for its model.

use serde_json::json;
use thalweg::message::Message;
use thalweg::middleware::Compact;
use thalweg_abi::host;

use crate::ask;
use crate::fault::Fault;
use crate::hook::HostHook;
use crate::program::Owned;

/// When the provider says that the conversation is too long, or it passes `above_tokens` of `compact` among the `middleware`. Gets
/// `{"messages": [...]}`, what was to be sent. Answers the array of messages that is sent in its place; the conversation stays
/// whole, and what was shortened is not asked for again. A failure ends the request. At most one hook of an agent; without a
/// `compact` among the `middleware` it stands before all of them.
pub const HOOK_COMPACT: u32 = 7;

/// The function.
#[derive(Clone)]
pub(crate) struct Compacting(host::Tool);

/// The hook, if there is one; takes it out.
pub(crate) fn take(hooks: &mut Vec<Owned<HostHook>>) -> Result<Option<Compacting>, Fault> {
    Ok(ask::take(hooks, HOOK_COMPACT, "THW_HOOK_COMPACT")?.map(Compacting))
}

impl Compacting {
    /// What asks it.
    pub(crate) fn middleware(self, above_tokens: Option<u64>) -> Compact {
        let Self(hook) = self;
        let compact = Compact::new(move |messages: Vec<Message>| {
            let asked = ask::ask(hook.clone(), json!({ "messages": messages }).to_string());
            async move {
                serde_json::from_str(&asked.await?)
                    .map_err(|error| format!("the answer is no array of messages: {error}"))
            }
        });
        match above_tokens {
            Some(tokens) => compact.above_tokens(tokens),
            None => compact,
        }
    }
}
