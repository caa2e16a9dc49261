//! Keys that a function of the program gives, request by request.

use serde_json::{Value, json};
use thalweg::auth::KeySource;
use thalweg_abi::failure::Failure;
use thalweg_abi::host::{self, CancelToken, ToolEvent};
use tokio::sync::oneshot;

use crate::fault::Fault;
use crate::hook::{self, HostHook};
use crate::program::Owned;
use crate::tool;

/// Before each request to a server: gives the key. Gets `{"provider": s}`. Answers a JSON string, or `null` for the key that there is
/// without it. At most one hook of an agent.
pub const HOOK_API_KEY: u32 = 6;

/// What gives the key; none if no hook does. Takes those hooks out.
pub(crate) fn take(hooks: &mut Vec<Owned<HostHook>>) -> Result<Option<KeySource>, Fault> {
    let (keys, others) =
        std::mem::take(hooks).into_iter().partition(|hook: &Owned<HostHook>| hook.0.point == HOOK_API_KEY);
    *hooks = others;
    let keys: Vec<Owned<HostHook>> = keys;
    if keys.len() > 1 {
        return Err(Failure::invalid("there is a second THW_HOOK_API_KEY").into());
    }
    if keys.iter().any(|hook| hook.0.invoke.is_none()) {
        return Err(Failure::invalid("`invoke` of the THW_HOOK_API_KEY is NULL").into());
    }
    let texts = keys.iter().map(|_| ["api_key".to_owned(), String::new(), r#"{"type":"object"}"#.to_owned()]).collect();
    let tools = tool::adopt(keys.into_iter().map(|hook| hook.into(hook::as_tool)).collect(), texts)?;
    Ok(tools.into_iter().next().map(source))
}

/// A source that asks a hook of the program.
fn source(hook: host::Tool) -> KeySource {
    KeySource::new(move |provider| {
        let asked = ask(hook.clone(), json!({ "provider": provider }).to_string());
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

/// The request was dropped.
struct CancelOnDrop(CancelToken);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

async fn ask(hook: host::Tool, input: String) -> Result<String, String> {
    let (answer, answered) = oneshot::channel();
    let mut answer = Some(answer);
    let cancel = CancelOnDrop(CancelToken::new());
    let receiver = Box::new(move |event| {
        if let (ToolEvent::Finished(result), Some(answer)) = (event, answer.take()) {
            // Nobody waits for the answer where the request was dropped.
            let _ = answer.send(result.map_err(|error| match error {
                host::Error::Failed { failure, .. } => failure.to_string(),
                error => error.to_string(),
            }));
        }
    });
    let token = cancel.0.clone();
    // It may block.
    let started = tokio::task::spawn_blocking(move || drop(hook.invoke("", &input, receiver, &token)));
    if started.await.is_err() {
        return Err("the function could not be started".to_owned());
    }
    answered.await.unwrap_or_else(|_| Err("the function ended without an answer".to_owned()))
}
