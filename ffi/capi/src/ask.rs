//! Asks a function of the program, from async code: JSON in, JSON out.

use thalweg_abi::failure::Failure;
use thalweg_abi::host::{self, CancelToken, ToolEvent};
use tokio::sync::oneshot;

use crate::fault::Fault;
use crate::hook::{self, HostHook};
use crate::program::Owned;
use crate::tool;

/// The hook of a point at which one at most may stand; takes it out of `hooks`. `name` is that of the constant.
pub(crate) fn take(hooks: &mut Vec<Owned<HostHook>>, point: u32, name: &str) -> Result<Option<host::Tool>, Fault> {
    let mut found = take_all(hooks, point, name)?.into_iter();
    let first = found.next();
    if found.next().is_some() {
        return Err(Failure::invalid(format!("there is a second {name}")).into());
    }
    Ok(first)
}

/// The hooks of a point, in their order; takes them out of `hooks`. `name` is that of the constant.
pub(crate) fn take_all(hooks: &mut Vec<Owned<HostHook>>, point: u32, name: &str) -> Result<Vec<host::Tool>, Fault> {
    let (found, others): (Vec<_>, Vec<_>) = std::mem::take(hooks).into_iter().partition(|hook| hook.0.point == point);
    *hooks = others;
    if found.iter().any(|hook| hook.0.invoke.is_none()) {
        return Err(Failure::invalid(format!("`invoke` of the {name} is NULL")).into());
    }
    let texts = found.iter().map(|_| ["hook".to_owned(), String::new(), r#"{"type":"object"}"#.to_owned()]).collect();
    tool::adopt(found.into_iter().map(|hook| hook.into(hook::as_tool)).collect(), texts)
}

/// Nobody waits for the answer any more.
struct CancelOnDrop(CancelToken);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// What the hook answers; an error if it fails.
pub(crate) async fn ask(hook: host::Tool, input: String) -> Result<String, String> {
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
