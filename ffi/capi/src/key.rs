//! Keys that a function of the program gives, request by request.

use serde_json::{Value, json};
use thalweg::auth::KeySource;
use thalweg_abi::host;

use crate::ask;
use crate::fault::Fault;
use crate::hook::HostHook;
use crate::program::Owned;

/// Before each request to a server: gives the key. Gets `{"provider": s}`. Answers a JSON string, or `null` for the key that there is
/// without it. At most one hook of an agent.
pub const HOOK_API_KEY: u32 = 6;

/// What gives the key; none if no hook does. Takes that hook out.
pub(crate) fn take(hooks: &mut Vec<Owned<HostHook>>) -> Result<Option<KeySource>, Fault> {
    Ok(ask::take(hooks, HOOK_API_KEY, "THW_HOOK_API_KEY")?.map(source))
}

/// A source that asks a hook of the program.
fn source(hook: host::Tool) -> KeySource {
    KeySource::new(move |provider| {
        let asked = ask::ask(hook.clone(), json!({ "provider": provider }).to_string());
        async move {
            let answer = asked.await?;
            match serde_json::from_str(answer.trim()) {
                _ if answer.trim().is_empty() => Ok(None),
                Ok(Value::Null) => Ok(None),
                Ok(Value::String(key)) => Ok(Some(key)),
                // Nothing of the answer is told: it may be a key.
                _ => Err("the answer is neither a JSON string nor null".to_owned()),
            }
        }
    })
}
