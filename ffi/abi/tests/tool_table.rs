//! Tools through their C table: answers, failures, panics, late answers, cancellation and detaching.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use thalweg_abi::guest::{self, ToolCall, ToolInfo};
use thalweg_abi::host::{CancelToken, Error, Host, Invocation, Misbehaviour, Plugin, Tool, ToolEvent};
use thalweg_abi::types::{E_CANCELLED, E_FAILED, E_PANIC};

const ANY: &str = r#"{"type":"object"}"#;

/// Repeats its arguments, with progress; fails and panics when asked to.
#[derive(Default)]
struct Echo;

impl guest::Tool for Echo {
    fn info(&self) -> ToolInfo<'_> {
        ToolInfo::new("echo", "Repeats.", ANY)
    }

    fn invoke(&self, call: &mut ToolCall<'_>) -> Result<String, String> {
        match call.arguments {
            "fail" => Err("nothing to repeat; pass some text".into()),
            "panic" => panic!("asked to by {}", call.id),
            "parts" => {
                call.sink.part("a");
                call.sink.part("b");
                Ok("c".into())
            }
            text => {
                call.sink.progress("half", Some(500));
                call.sink.progress("nearly", None);
                Ok(text.to_owned())
            }
        }
    }
}

/// Answers on a thread of its own once it is cancelled, or at once with `now`.
#[derive(Default)]
struct Later;

impl guest::Tool for Later {
    fn info(&self) -> ToolInfo<'_> {
        ToolInfo::new("later", "Waits.", ANY)
    }

    fn invoke(&self, _: &mut ToolCall<'_>) -> Result<String, String> {
        unreachable!("`start` is replaced")
    }

    fn start(&self, call: ToolCall<'_>) {
        let (arguments, mut sink) = (call.arguments.to_owned(), call.sink);
        thread::spawn(move || match arguments.as_str() {
            "now" => sink.finish(Ok("done".into())),
            "drop" => drop(sink),
            "panic" => panic!("on its own thread"),
            "poll" => {
                while !sink.is_cancelled() {
                    thread::sleep(Duration::from_millis(1));
                }
                sink.finish_cancelled();
            }
            _ => {
                let (sender, told) = mpsc::channel();
                {
                    let _guard = sink.on_cancel(move || sender.send(()).unwrap());
                    told.recv().unwrap();
                }
                sink.progress("too late for anyone?", None);
                sink.finish_cancelled();
            }
        });
    }
}

/// Counts how many of its calls run at once; says that they must not.
#[derive(Default)]
struct Alone {
    running: AtomicUsize,
}

impl guest::Tool for Alone {
    fn info(&self) -> ToolInfo<'_> {
        ToolInfo::new("alone", "Runs once at a time.", ANY).with_flags(0).blocking()
    }

    fn invoke(&self, _: &mut ToolCall<'_>) -> Result<String, String> {
        let before = self.running.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(5));
        self.running.fetch_sub(1, Ordering::SeqCst);
        if before == 0 { Ok("alone".into()) } else { Err(format!("{before} others")) }
    }
}

thalweg_abi::plugin! { id: "test.tools", version: "1.0.0", tools: [Echo, Later, Alone] }

fn tool(name: &str) -> Tool {
    let plugin = Plugin::from_guest::<Package>(Host::silent()).unwrap();
    plugin.tools().into_iter().find(|tool| tool.name() == name).unwrap()
}

fn start(tool: &Tool, arguments: &str, cancel: &CancelToken) -> (Invocation, Receiver<ToolEvent>) {
    let (sender, told) = mpsc::channel();
    let receiver = Box::new(move |event| sender.send(event).unwrap());
    (tool.invoke("call_1", arguments, receiver, cancel), told)
}

/// The result of a call, after its progress. Fails if anything is told after the end.
fn finished(told: &Receiver<ToolEvent>) -> (Vec<String>, Result<String, Error>) {
    let mut progress = Vec::new();
    loop {
        match told.recv_timeout(Duration::from_secs(20)).unwrap() {
            ToolEvent::Finished(result) => {
                assert!(told.try_recv().is_err());
                return (progress, result);
            }
            ToolEvent::Progress { text, permille } => progress.push(format!("{text} {permille:?}")),
            _ => unreachable!("no other kind"),
        }
    }
}

fn answer(arguments: &str) -> (Vec<String>, Result<String, Error>) {
    finished(&start(&tool("echo"), arguments, &CancelToken::new()).1)
}

fn code(result: &Result<String, Error>) -> i32 {
    match result {
        Err(Error::Failed { failure, .. }) => failure.code,
        other => panic!("no failure: {other:?}"),
    }
}

#[test]
fn progress_comes_before_the_answer_and_parts_are_joined() {
    let (progress, result) = answer("hé");
    assert_eq!(progress, ["half Some(500)", "nearly None"]);
    assert_eq!(result.unwrap(), "hé");
    assert_eq!(answer("parts").1.unwrap(), "abc");
    assert_eq!(answer("").1.unwrap(), "");
}

#[test]
fn failure_carries_the_message_of_the_tool() {
    let (_, result) = answer("fail");
    assert_eq!(code(&result), E_FAILED);
    assert_eq!(result.unwrap_err().to_string(), "plugin `test.tools`: nothing to repeat; pass some text");
}

#[test]
fn panic_is_a_failure_and_the_tool_can_be_called_again() {
    let (_, result) = answer("panic");
    assert_eq!(code(&result), E_PANIC);
    assert_eq!(result.unwrap_err().to_string(), "plugin `test.tools`: the plugin panicked: asked to by call_1");
    assert_eq!(answer("again").1.unwrap(), "again");
}

#[test]
fn answer_may_come_later_from_another_thread() {
    let (invocation, told) = start(&tool("later"), "now", &CancelToken::new());
    assert_eq!(finished(&told).1.unwrap(), "done");
    assert!(invocation.is_finished());
}

#[test]
fn late_call_that_is_dropped_or_panics_still_ends() {
    let (_, told) = start(&tool("later"), "drop", &CancelToken::new());
    assert_eq!(code(&finished(&told).1), E_FAILED);
    let (_, told) = start(&tool("later"), "panic", &CancelToken::new());
    assert_eq!(code(&finished(&told).1), E_PANIC);
}

#[test]
fn cancellation_reaches_a_tool_that_polls_and_one_that_listens() {
    for how in ["poll", "listen"] {
        let cancel = CancelToken::new();
        let (_, told) = start(&tool("later"), how, &cancel);
        assert!(told.recv_timeout(Duration::from_millis(20)).is_err(), "it waits for the cancellation");
        cancel.cancel();
        assert_eq!(code(&finished(&told).1), E_CANCELLED);
    }
}

#[test]
fn token_that_is_cancelled_before_the_call_is_seen_by_it() {
    let cancel = CancelToken::new();
    cancel.cancel();
    for how in ["poll", "listen"] {
        assert_eq!(code(&finished(&start(&tool("later"), how, &cancel).1).1), E_CANCELLED);
    }
}

#[test]
fn detached_call_is_told_to_stop_and_tells_nobody() {
    let dropped = Arc::new(AtomicBool::new(false));
    struct OnDrop(Arc<AtomicBool>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let told = Arc::new(Mutex::new(Vec::new()));
    let receiver = {
        let (told, on_drop) = (Arc::clone(&told), OnDrop(Arc::clone(&dropped)));
        Box::new(move |event| {
            let _kept = &on_drop;
            told.lock().unwrap().push(event);
        })
    };
    let invocation = tool("later").invoke("call_1", "listen", receiver, &CancelToken::new());
    invocation.detach();
    assert!(dropped.load(Ordering::SeqCst), "the receiver goes with the listener");
    thread::sleep(Duration::from_millis(20));
    assert_eq!(*told.lock().unwrap(), []);
}

#[test]
fn tool_that_must_run_alone_is_waited_for() {
    let tool = tool("alone");
    assert!(tool.is_blocking());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let tool = tool.clone();
            thread::spawn(move || finished(&start(&tool, "{}", &CancelToken::new()).1).1)
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap().unwrap(), "alone");
    }
}

#[test]
fn receiver_that_panics_does_not_reach_the_tool() {
    let (sender, told) = mpsc::channel();
    let receiver = Box::new(move |event| match event {
        ToolEvent::Finished(result) => sender.send(result).unwrap(),
        _ => panic!("a receiver of progress that fails"),
    });
    tool("echo").invoke("call_1", "x", receiver, &CancelToken::new());
    assert_eq!(told.recv().unwrap().unwrap(), "x");
}

#[test]
fn answer_beyond_the_limit_is_refused() {
    let long = "x".repeat(thalweg_abi::host::TOOL_ANSWER_BYTES_MAX + 1);
    let (_, result) = answer(&long);
    assert!(
        matches!(result, Err(Error::Misbehaved { what: Misbehaviour::AnswerTooLong { .. }, .. })),
        "{:?}",
        result.map(|text| text.len())
    );
}
