//! Checks of a tool. One that may change something is not called.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use thalweg_abi::host::{CancelToken, Error, Host, Tool, ToolEvent};
use thalweg_abi::table::{TOOL_PARALLEL, TOOL_READ_ONLY};
use thalweg_abi::types::E_PANIC;

use super::{Outcome, PATIENCE, Verdicts, deep, huge, leak};

/// Runs all checks of a tool; `others` are those before it.
pub(super) fn check(tool: &Tool, others: &[Tool], host: &Host, verdicts: &mut Verdicts<'_>) {
    let name = tool.name();
    let row = |what: &str| format!("tool {name} {what}");
    verdicts.add(row("describes itself"), || describes_itself(tool, others).into());
    if tool.flags() & TOOL_READ_ONLY == 0 {
        let why = "not called: it does not say that it changes nothing (THW_TOOL_READ_ONLY)";
        verdicts.add(row("answers"), || Outcome::Skipped(why.to_owned()));
        return;
    }
    // One that hangs is not called again: each call would cost all the patience there is.
    let is_alive = verdicts.add(row("answers"), || answers(tool).into())
        && verdicts.add(row("reads wrong arguments"), || reads_wrong_arguments(tool).into())
        && verdicts.add(row("ends when cancelled"), || ends_when_cancelled(tool).into());
    if !is_alive {
        verdicts.add(row("leaks nothing"), || Outcome::Skipped("not called any more".to_owned()));
        return;
    }
    verdicts.add(row("answers many at once"), || answers_many_at_once(tool));
    verdicts.add(row("leaks nothing"), || {
        let caller = Caller::new(tool);
        let mut arguments = ARGUMENTS.iter().cycle();
        leak::check(host, || caller.call(arguments.next().copied().unwrap_or("{}"), &CancelToken::new()).map(drop))
    });
}

fn describes_itself(tool: &Tool, others: &[Tool]) -> Result<String, String> {
    let name = tool.name();
    if others.iter().any(|other| other.name() == name) {
        return Err("another tool of this plugin has the same name".to_owned());
    }
    if tool.description().trim().is_empty() {
        return Err("no description: a model would not know when to call it".to_owned());
    }
    let schema: Value =
        serde_json::from_str(tool.parameters()).map_err(|error| format!("the parameters are no JSON: {error}"))?;
    if schema["type"] != "object" {
        return Err("the schema of the parameters is not that of an object (\"type\":\"object\")".to_owned());
    }
    let count = schema["properties"].as_object().map_or(0, serde_json::Map::len);
    Ok(format!("{count} parameters"))
}

/// Arguments of calls that are made many times.
const ARGUMENTS: [&str; 3] = ["{}", r#"{"text":"a \"b\" ü","expression":"1+1","city":"Paris","query":"q"}"#, "{"];

/// A thread that calls a tool, since that may block for ever.
struct Caller {
    calls: mpsc::Sender<(String, CancelToken)>,
    events: mpsc::Receiver<ToolEvent>,
}

impl Caller {
    fn new(tool: &Tool) -> Self {
        let (calls, called) = mpsc::channel::<(String, CancelToken)>();
        let (told, events) = mpsc::channel();
        let tool = tool.clone();
        thread::spawn(move || {
            for (arguments, cancel) in called {
                let told = told.clone();
                let receiver = move |event| {
                    // Nobody listens any more once the verdict is given.
                    let _ = told.send(event);
                };
                tool.invoke("check", &arguments, Box::new(receiver), &cancel);
            }
        });
        Self { calls, events }
    }

    /// Whether it answered. An answer and an error of its own are both fine; silence, a panic and a broken rule are not.
    fn call(&self, arguments: &str, cancel: &CancelToken) -> Result<bool, String> {
        let lost = |_| "the thread that calls it has ended".to_owned();
        self.calls.send((arguments.to_owned(), cancel.clone())).map_err(lost)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(ToolEvent::Finished(Ok(_))) => return Ok(true),
                Ok(ToolEvent::Finished(Err(Error::Failed { failure, .. }))) if failure.code != E_PANIC => {
                    return Ok(false);
                }
                Ok(ToolEvent::Finished(Err(error))) => return Err(error.to_string()),
                Ok(_) => {}
                Err(_) => {
                    cancel.cancel();
                    return Err(format!("no answer within {} s", PATIENCE.as_secs()));
                }
            }
        }
    }
}

/// One call, on a thread of its own.
fn call(tool: &Tool, arguments: &str, cancel: &CancelToken) -> Result<bool, String> {
    Caller::new(tool).call(arguments, cancel)
}

fn answers(tool: &Tool) -> Result<String, String> {
    let is_answered =
        call(tool, "{}", &CancelToken::new()).map_err(|error| format!("called without arguments: {error}"))?;
    Ok(if is_answered { "a call without arguments" } else { "a call without arguments is refused" }.to_owned())
}

fn reads_wrong_arguments(tool: &Tool) -> Result<String, String> {
    let wrong = [String::new(), "{".to_owned(), "null".to_owned(), "[]".to_owned(), "\"".to_owned(), deep(), huge()];
    let mut refused = 0;
    for arguments in &wrong {
        let shown: String = arguments.chars().take(8).collect();
        let is_answered = call(tool, arguments, &CancelToken::new())
            .map_err(|error| format!("with {shown:?} of {} bytes: {error}", arguments.len()))?;
        refused += usize::from(!is_answered);
    }
    Ok(format!("{} calls ended, {refused} of them refused", wrong.len()))
}

fn ends_when_cancelled(tool: &Tool) -> Result<String, String> {
    let before = CancelToken::new();
    before.cancel();
    call(tool, ARGUMENTS[1], &before).map_err(|error| format!("cancelled before it began: {error}"))?;
    let during = CancelToken::new();
    let token = during.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        token.cancel();
    });
    call(tool, ARGUMENTS[1], &during).map_err(|error| format!("cancelled after 20 ms: {error}"))?;
    Ok("before it begins, and after 20 ms".to_owned())
}

fn answers_many_at_once(tool: &Tool) -> Outcome {
    if tool.flags() & TOOL_PARALLEL == 0 {
        let why = "it does not say that it may run several times at once (THW_TOOL_PARALLEL)";
        return Outcome::Skipped(why.to_owned());
    }
    let calls: Vec<_> = (0..THREADS)
        .map(|_| {
            let tool = tool.clone();
            thread::spawn(move || {
                (0..CALLS_A_THREAD).try_for_each(|round| {
                    call(&tool, ARGUMENTS[round % ARGUMENTS.len()], &CancelToken::new()).map(drop)
                })
            })
        })
        .collect();
    let ended = calls.into_iter().map(|call| call.join().unwrap_or_else(|_| Err("a call panicked".to_owned())));
    match ended.collect::<Result<Vec<()>, String>>() {
        Ok(_) => Outcome::Kept(format!("{} calls on {THREADS} threads", THREADS * CALLS_A_THREAD)),
        Err(error) => Outcome::Failed(error),
    }
}

const THREADS: usize = 8;
const CALLS_A_THREAD: usize = 12;
