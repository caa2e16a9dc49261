//! A provider through its C table, as a program sees it that links the plugin in.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use thalweg_abi::failure::Failure;
use thalweg_abi::guest::{self, Closed};
use thalweg_abi::host::{CancelToken, Error, Host, Misbehaviour, Plugin, REPLY_BYTES_MARK, Reply};
use thalweg_abi::types::{
    E_CANCELLED, E_FAILED, E_PANIC, E_REMOTE, EVENT_STOP, EVENT_TEXT, EVENT_TOOL_PROGRESS, STOP_END, StreamEvent,
};

/// Does what the request says.
#[derive(Default)]
struct Obedient;

/// Events that the endless reply has pushed.
static PUSHED: AtomicUsize = AtomicUsize::new(0);

impl guest::Provider for Obedient {
    fn describe(&self) -> &str {
        r#"{"provider":"obedient"}"#
    }

    fn reply(&self, request: &str, reply: &mut guest::Reply) -> Result<(), Failure> {
        match request {
            "fail" => {
                reply.text(0, "so far")?;
                Err(Failure::new(E_REMOTE, "out of words"))
            }
            "panic" => panic!("a bug"),
            "endless" => loop {
                reply.text(0, &"x".repeat(1000))?;
                PUSHED.fetch_add(1, Ordering::Relaxed);
            },
            "wait" => {
                while !reply.is_cancelled() {
                    thread::sleep(Duration::from_millis(1));
                }
                Err(Closed.into())
            }
            text => {
                reply.push(&[StreamEvent::new(EVENT_TOOL_PROGRESS).with_text(b"no event of a reply")])?;
                for (index, word) in text.split_inclusive(' ').enumerate() {
                    reply.text(index as u32 % 2, word)?;
                }
                reply.stop(STOP_END)?;
                Ok(())
            }
        }
    }

    fn start(&self, request: &str, mut reply: guest::Reply) {
        match request {
            "drop" => drop(reply),
            "later" => {
                thread::spawn(move || {
                    thread::sleep(Duration::from_millis(5));
                    let _ = reply.text(0, "at last");
                    reply.finish(Ok(()));
                });
            }
            "dropped later" => {
                thread::spawn(move || drop(reply));
            }
            _ => {
                let ended = self.reply(request, &mut reply);
                reply.finish(ended);
            }
        }
    }
}

thalweg_abi::plugin! { id: "test.obedient", version: "1.0.0", provider: Obedient }

fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Starts a reply on a thread of its own, as an engine does.
fn start(request: &'static str, cancel: &CancelToken) -> Reply {
    let plugin = Plugin::start(&module(), Host::silent()).unwrap();
    let (reply, start) = plugin.provider().unwrap().reply(cancel);
    thread::spawn(move || start.run(request));
    reply
}

/// Kind, block and text of an event.
type Told = (u32, u32, String);

/// All events of a reply, and how it ended.
fn read(mut reply: Reply) -> (Vec<Told>, Result<(), Error>) {
    let mut events = Vec::new();
    loop {
        match block_on(reply.next()) {
            Ok(Some(batch)) => events.extend(
                batch
                    .iter()
                    .map(|event| (event.kind(), event.block(), String::from_utf8(event.text().to_vec()).unwrap())),
            ),
            Ok(None) => return (events, Ok(())),
            Err(error) => return (events, Err(error)),
        }
    }
}

fn failure(ended: Result<(), Error>) -> Failure {
    match ended.unwrap_err() {
        Error::Failed { plugin, failure } => {
            assert_eq!(&*plugin, "test.obedient");
            failure
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_plugin_says_which_provider_it_is() {
    let plugin = Plugin::start(&module(), Host::silent()).unwrap();
    assert!(plugin.codec().is_none() && plugin.tools().is_empty());
    assert_eq!(plugin.provider().unwrap().description(), r#"{"provider":"obedient"}"#);
}

#[test]
fn events_come_in_order_with_their_texts_and_without_foreign_kinds() {
    let (events, ended) = read(start("naïve words come here", &CancelToken::new()));
    ended.unwrap();
    let text = |block, text: &str| (EVENT_TEXT, block, text.to_owned());
    let stop = (EVENT_STOP, 0, String::new());
    assert_eq!(events, [text(0, "naïve "), text(1, "words "), text(0, "come "), text(1, "here"), stop]);
}

#[test]
fn a_reply_may_come_later_from_another_thread() {
    let (events, ended) = read(start("later", &CancelToken::new()));
    ended.unwrap();
    assert_eq!(events, [(EVENT_TEXT, 0, "at last".to_owned())]);
}

#[test]
fn what_came_before_a_failure_is_kept() {
    let (events, ended) = read(start("fail", &CancelToken::new()));
    assert_eq!(events, [(EVENT_TEXT, 0, "so far".to_owned())]);
    let failure = failure(ended);
    assert_eq!((failure.code, &*failure.message), (E_REMOTE, "out of words"));
}

#[test]
fn a_panic_and_a_reply_that_nobody_ends_are_failures() {
    let ended = |request| failure(read(start(request, &CancelToken::new())).1);
    let panicked = ended("panic");
    assert_eq!((panicked.code, panicked.message.contains("a bug")), (E_PANIC, true), "{panicked}");
    assert_eq!(ended("drop").code, E_FAILED);
    assert_eq!(ended("dropped later").code, E_FAILED);
}

#[test]
fn a_cancelled_reply_ends() {
    let cancel = CancelToken::new();
    let reply = start("wait", &cancel);
    cancel.cancel();
    let (_, ended) = read(reply);
    assert_eq!(failure(ended).code, E_CANCELLED);
}

#[test]
fn a_provider_that_is_faster_than_its_reader_waits_and_ends_with_it() {
    let mut reply = start("endless", &CancelToken::new());
    let mut seen = 0;
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(2));
        let ahead = PUSHED.load(Ordering::Relaxed).saturating_sub(seen);
        // The mark, and one push past it; a push is 1,000 bytes and an event of 64.
        assert!(ahead <= REPLY_BYTES_MARK / 1064 + 2, "{ahead} events ahead");
        seen += block_on(reply.next()).unwrap().unwrap().iter().count();
    }
    drop(reply);
    let mut last = usize::MAX;
    while last != PUSHED.load(Ordering::Relaxed) {
        last = PUSHED.load(Ordering::Relaxed);
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_reply_that_was_never_started_fails() {
    let plugin = Plugin::start(&module(), Host::silent()).unwrap();
    let (reply, start) = plugin.provider().unwrap().reply(&CancelToken::new());
    drop(start);
    assert_eq!(failure(read(reply).1).code, E_CANCELLED);
}

#[test]
fn a_broken_rule_names_the_plugin() {
    let error = Error::Misbehaved { plugin: "x".into(), what: Misbehaviour::ReplyOutranItsReader { limit: 9 } };
    assert!(error.to_string().contains("plugin `x` broke a rule of the plugin ABI: its provider pushed more than 9"));
}
