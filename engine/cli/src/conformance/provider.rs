//! Checks of a provider that drives itself.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use thalweg_abi::host::{CancelToken, Error, Host, Provider, Reply, Start};
use thalweg_abi::types::E_PANIC;

use super::{Outcome, PATIENCE, Verdicts, deep, huge, leak};

/// Runs all checks of a provider.
pub(super) fn check(provider: &Provider, host: &Host, verdicts: &mut Verdicts<'_>) {
    verdicts.add("provider describes itself", || describes_itself(provider).into());
    let is_alive = verdicts.add("provider ends each reply", || ends_each_reply(provider).into())
        && verdicts.add("provider ends when cancelled", || ends_when_cancelled(provider).into());
    verdicts.add("provider leaks nothing", || {
        if !is_alive {
            return Outcome::Skipped("not called any more".to_owned());
        }
        // As everything that waits: on a thread apart, since the command itself may run on a runtime.
        let checked = thread::scope(|scope| scope.spawn(|| leaks_nothing(provider, host)).join());
        checked.unwrap_or_else(|_| Outcome::Failed("reading a reply panicked".to_owned()))
    });
}

fn describes_itself(provider: &Provider) -> Result<String, String> {
    let json: Value =
        serde_json::from_str(provider.description()).map_err(|error| format!("describe gives no JSON: {error}"))?;
    let id = json["provider"].as_str().filter(|id| !id.is_empty() && !id.contains('/')).ok_or("no \"provider\"")?;
    let models = json["models"].as_array().map_or(0, Vec::len);
    Ok(format!("provider {id}, {models} models"))
}

/// A request for a reply.
const REQUEST: &str =
    r#"{"model":"","stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"Grüße \"\n\u0001"}]}]}"#;

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|error| format!("no runtime: {error}"))
}

/// Starts a reply and reads it to its end, both on threads of their own: number of events, and whether it ended well.
/// `seen` is told of the first events.
fn read_reply(
    provider: &Provider,
    request: String,
    cancel: &CancelToken,
    seen: impl FnOnce() + Send + 'static,
) -> Result<(usize, bool), String> {
    let (reply, start) = provider.reply(cancel);
    thread::spawn(move || start.run(&request));
    let reading = thread::spawn(move || runtime()?.block_on(read_to_end(reply, seen)));
    reading.join().unwrap_or_else(|_| Err("reading it panicked".to_owned()))
}

async fn read_to_end(mut reply: Reply, seen: impl FnOnce()) -> Result<(usize, bool), String> {
    let mut events = 0;
    let mut seen = Some(seen);
    loop {
        match tokio::time::timeout(PATIENCE, reply.next()).await {
            Err(_) => return Err(format!("no event and no end within {} s", PATIENCE.as_secs())),
            Ok(Ok(Some(batch))) => {
                events += batch.iter().count();
                if let Some(seen) = seen.take() {
                    seen();
                }
            }
            Ok(Ok(None)) => return Ok((events, true)),
            Ok(Err(Error::Failed { failure, .. })) if failure.code != E_PANIC => return Ok((events, false)),
            Ok(Err(error)) => return Err(error.to_string()),
        }
    }
}

fn ends_each_reply(provider: &Provider) -> Result<String, String> {
    let (events, is_well) = read_reply(provider, REQUEST.to_owned(), &CancelToken::new(), || ())?;
    // A request with much in it, one with nothing, and what is no request.
    let text = huge();
    let long = format!(r#"{{"model":"","messages":[{{"role":"user","content":[{{"type":"text","text":{text}}}]}}]}}"#);
    let others = [long, r#"{"messages":[]}"#.to_owned(), "{".to_owned(), String::new(), deep()];
    let count = others.len();
    for (number, other) in others.into_iter().enumerate() {
        let shown: String = other.chars().take(16).collect();
        let said = |error| format!("at {shown:?}: {error}");
        let (_, is_answered) = read_reply(provider, other, &CancelToken::new(), || ()).map_err(said)?;
        if number > 1 && is_answered {
            return Err(format!("it answers {shown:?}, which is no JSON"));
        }
    }
    let well = if is_well { "well" } else { "with an error" };
    Ok(format!("{events} events, ended {well}; {count} other requests ended"))
}

fn ends_when_cancelled(provider: &Provider) -> Result<String, String> {
    let request = || REQUEST.to_owned();
    let said = |when: &'static str| move |error| format!("cancelled {when}: {error}");
    let cancel = CancelToken::new();
    cancel.cancel();
    let (events, _) = read_reply(provider, request(), &cancel, || ()).map_err(said("before it began"))?;
    let cancel = CancelToken::new();
    let token = cancel.clone();
    read_reply(provider, request(), &cancel, move || token.cancel()).map_err(said("at its first event"))?;
    let cancel = CancelToken::new();
    let token = cancel.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        token.cancel();
    });
    read_reply(provider, request(), &cancel, || ()).map_err(said("after 20 ms"))?;
    Ok(format!("before it begins ({events} events), at its first event, and after 20 ms"))
}

fn leaks_nothing(provider: &Provider, host: &Host) -> Outcome {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return Outcome::Skipped(error),
    };
    let (starts, incoming) = mpsc::channel::<Start>();
    // One thread starts all replies: it may wait until one is read.
    thread::spawn(move || incoming.into_iter().for_each(|start| start.run(REQUEST)));
    leak::check(host, || {
        let (reply, start) = provider.reply(&CancelToken::new());
        starts.send(start).map_err(|_| "the thread that starts replies has ended".to_owned())?;
        runtime.block_on(read_to_end(reply, || ())).map(drop)
    })
}
