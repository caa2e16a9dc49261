//! The event sequences of TinyAgent 1.2.29, recorded scenario by scenario, against ours for the same bytes of the server.
//!
//! The recordings lie beside the corpus of streams; without them the test says that it was skipped. Where our events differ,
//! the table says why and what ours are: the numbers are those of the faults that were found there. A row that is not needed
//! any more fails the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use thalweg::failure::FailureKind;
use thalweg::http::Retry;
use thalweg::machine::EndReason;
use thalweg::message::ContentBlock;
use thalweg::{Agent, Outcome, Run, Tool};
use thalweg_replay::{Exchange, Fault, Options, Server};

use crate::support::{agent, answers, chunk, failure, finished, server, text, text_reply};

const OPENING: &str = "agent_start turn_start message_start message_end message_start";

/// What is done to the run while it streams.
#[derive(Clone, Copy, PartialEq)]
enum During {
    Nothing,
    /// Stopped after so many pieces of text.
    Abort(usize),
    /// The runtime that drives it ends after so many pieces of text.
    Lose(usize),
}

struct Scenario {
    name: &'static str,
    replies: Vec<Exchange>,
    fault: Option<Fault>,
    during: During,
    /// Why ours differs, and our events behind [`OPENING`].
    differs: Option<(&'static str, &'static str)>,
    check: fn(&Outcome),
}

fn scenario(name: &'static str, replies: Vec<Exchange>, check: fn(&Outcome)) -> Scenario {
    Scenario { name, replies, fault: None, during: During::Nothing, differs: None, check }
}

fn stream(chunks: &[Value], finish: Option<&str>) -> Exchange {
    let mut all: Vec<String> = chunks.iter().map(|delta| chunk(delta.clone(), None)).collect();
    if let Some(finish) = finish {
        all.extend([chunk(json!({}), Some(finish)), "data: [DONE]\n\n".to_owned()]);
    }
    Exchange::of_chunks(all)
}

fn content(text: &str) -> Value {
    json!({ "content": text })
}

fn call(index: usize, id: &str, name: &str, arguments: &str) -> Value {
    json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}]})
}

fn more(index: usize, arguments: &str) -> Value {
    json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]})
}

fn tokens(count: usize) -> (Vec<Exchange>, usize) {
    let chunks: Vec<String> = (0..count).map(|number| chunk(content(&format!("tok{number} ")), None)).collect();
    let bytes = chunks.concat().len();
    (vec![Exchange::of_chunks(chunks.into_iter().chain([chunk(content("never"), None)]))], bytes)
}

fn is_complete(outcome: &Outcome) {
    assert_eq!((outcome.reason, outcome.error.is_none()), (Some(EndReason::Complete), true), "{outcome:?}");
}

fn failed_as(outcome: &Outcome, kind: FailureKind, kept: &str) {
    assert_eq!((failure(outcome).0, text(outcome).as_str()), (kind, kept));
}

fn scenarios() -> Vec<Scenario> {
    let done = || stream(&[content("Done.")], Some("stop"));
    let hello = || text_reply(&["Hel", "lo, ", "wor", "ld!"]);
    let never = || vec![text_reply(&["never"])];
    let body = |status: u16| format!("{{\"error\": {{\"message\": \"mock {status}\", \"code\": {status}}}}}");
    let status = |status: u16| Some(Fault::status(status, &body(status)));
    let raw = |pieces: &[&str]| vec![Exchange::of_chunks(pieces.iter().map(|piece| (*piece).to_owned()))];
    let ok = chunk(content("ok"), None).trim_end().to_owned();
    let stop = chunk(json!({}), Some("stop")).trim_end().to_owned();
    let partial = chunk(content("partial ans"), None);
    let split = {
        let bytes = format!("{}{stop}\n\ndata: [DONE]\n\n", chunk(content("héllo 😀"), None)).into_bytes();
        let middle = bytes.iter().position(|byte| *byte == 0xf0).expect("the first byte of the emoji") + 2;
        vec![Exchange::of_chunks([bytes[..middle].to_vec(), bytes[middle..].to_vec()])]
    };
    let tools = stream(
        &[
            content("Calling."),
            call(0, "call_a", "slow", ""),
            more(0, "{\"x\":"),
            more(0, " 1}"),
            call(1, "call_b", "fast", ""),
            more(1, "{\"y\": 2}"),
        ],
        Some("tool_calls"),
    );
    let interleaved = stream(
        &[
            call(0, "call_a", "slow", ""),
            call(1, "call_b", "fast", ""),
            more(0, "{\"x\":"),
            more(1, "{\"y\":"),
            more(0, " 1}"),
            more(1, " 2}"),
        ],
        Some("tool_calls"),
    );
    vec![
        scenario("text", vec![hello()], |outcome| {
            is_complete(outcome);
            assert_eq!(text(outcome), "Hello, world!");
        }),
        scenario("prompt_caching_on", vec![hello()], is_complete),
        scenario("crlf", raw(&[&format!(": ping\r\n\r\n{ok}\r\n\r\n{stop}\r\n\r\ndata: [DONE]\r\n\r\n")]), is_complete),
        scenario(
            "nospace",
            raw(&[&format!("{ok}\n\n{stop}\n\ndata:[DONE]\n\n").replace("data: ", "data:")]),
            is_complete,
        ),
        scenario(
            "think",
            vec![stream(
                &[
                    json!({"reasoning_content": "Let me "}),
                    json!({"reasoning_content": "think."}),
                    content("The answer "),
                    content("is 42."),
                ],
                Some("stop"),
            )],
            |outcome| {
                is_complete(outcome);
                let thought = outcome.message.as_ref().unwrap().thinking();
                assert_eq!((thought.as_str(), text(outcome).as_str()), ("Let me think.", "The answer is 42."));
            },
        ),
        Scenario {
            differs: Some((
                "3: each tool ends when it ends, the results are one message; 13: a call may go on when the next has begun; \
                 an empty fragment says nothing",
                "text_start text_delta text_end tool_call_start tool_call_delta tool_call_delta tool_call_start tool_call_delta \
                 tool_call_end tool_call_end message_end tool_execution_start tool_execution_start tool_execution_update \
                 tool_execution_end tool_execution_end message_start message_end turn_end turn_start message_start text_start \
                 text_delta text_end message_end turn_end agent_end",
            )),
            ..scenario("tools2", vec![tools, done()], |outcome| {
                is_complete(outcome);
                let expected = ["slow {\"x\":1}", "fast {\"y\":2}"].map(|text| (text.to_owned(), false));
                assert_eq!(answers(outcome), expected);
            })
        },
        Scenario {
            differs: Some((
                "13: fragments reach their own call; 3: as in tools2",
                "tool_call_start tool_call_start tool_call_delta tool_call_delta tool_call_delta tool_call_delta tool_call_end \
                 tool_call_end message_end tool_execution_start tool_execution_start tool_execution_update tool_execution_end \
                 tool_execution_end message_start message_end turn_end turn_start message_start text_start text_delta text_end \
                 message_end turn_end agent_end",
            )),
            ..scenario("interleaved", vec![interleaved, done()], |outcome| {
                is_complete(outcome);
                let expected = ["slow {\"x\":1}", "fast {\"y\":2}"].map(|text| (text.to_owned(), false));
                assert_eq!(answers(outcome), expected, "there the arguments were lost");
            })
        },
        // 14: the same events, but the call is not executed.
        scenario(
            "badargs",
            vec![stream(&[call(0, "call_a", "fast", "{\"y\": ")], Some("tool_calls")), done()],
            |outcome| {
                is_complete(outcome);
                assert!(
                    answers(outcome)[0].1 && answers(outcome)[0].0.starts_with("not executed"),
                    "there it ran with {{}}"
                );
            },
        ),
        scenario(
            "unknowntool",
            vec![stream(&[call(0, "call_a", "nope", "{}")], Some("tool_calls")), done()],
            |outcome| {
                is_complete(outcome);
                assert!(answers(outcome)[0].1);
            },
        ),
        // 4: the same events; the reason is told, and whether to try again is ours to say.
        Scenario { fault: status(500), ..scenario("http500", never(), |o| failed_as(o, FailureKind::Server, "")) },
        Scenario { fault: status(429), ..scenario("http429", never(), |o| failed_as(o, FailureKind::RateLimit, "")) },
        Scenario { fault: status(401), ..scenario("http401", never(), |o| failed_as(o, FailureKind::Auth, "")) },
        Scenario {
            differs: Some((
                "5: a frame that is no JSON is an error, and what follows it is not believed",
                "text_start text_delta text_end message_end turn_end agent_end",
            )),
            ..scenario(
                "malformed",
                raw(&[
                    &chunk(content("A"), None),
                    "data: {\"choices\": [{\"delta\"\n\n",
                    &chunk(content("B"), Some("stop")),
                ]),
                |outcome| failed_as(outcome, FailureKind::Malformed, "A"),
            )
        },
        // 6: the same events; the error is told.
        scenario(
            "errorchunk",
            raw(&[&chunk(content("A"), None), "data: {\"error\":{\"message\":\"boom\",\"code\":500}}\n\n"]),
            |outcome| {
                assert_eq!(text(outcome), "A");
                assert!(failure(outcome).1.contains("boom"), "there it was a normal end");
            },
        ),
        // 7: the same events; the cut is told.
        scenario("truncated", vec![stream(&[content("partial ans"), content("wer")], None)], |outcome| {
            failed_as(outcome, FailureKind::Truncated, "partial answer");
        }),
        Scenario {
            fault: Some(Fault::CutAfter(partial.len())),
            differs: Some((
                "8: what came is kept, so its block ends",
                "text_start text_delta text_end message_end turn_end agent_end",
            )),
            ..scenario("truncated_chunked", raw(&[&partial, &partial]), |outcome| {
                failed_as(outcome, FailureKind::Connection, "partial ans");
            })
        },
        Scenario {
            during: During::Abort(2),
            differs: Some((
                "9: an abort has an effect",
                "text_start text_delta text_delta text_end message_end turn_end agent_end",
            )),
            fault: Some(Fault::HangAfter(tokens(2).1)),
            ..scenario("abort_midstream", tokens(2).0, |outcome| failed_as(outcome, FailureKind::Aborted, "tok0 tok1 "))
        },
        Scenario {
            during: During::Lose(6),
            differs: Some((
                "10: a run that is dropped ends, and keeps what came",
                "text_start text_delta text_delta text_delta text_delta text_delta text_delta text_end message_end turn_end agent_end",
            )),
            fault: Some(Fault::HangAfter(tokens(6).1)),
            ..scenario("taskcancel_midstream", tokens(6).0, |outcome| {
                assert_eq!(text(outcome), "tok0 tok1 tok2 tok3 tok4 tok5 ");
            })
        },
        // 11, 12: the same events; the reason is told.
        scenario("filter", vec![stream(&[content("cut")], Some("content_filter"))], |outcome| {
            assert_eq!((outcome.reason, text(outcome).as_str()), (Some(EndReason::ContentFilter), "cut"));
        }),
        scenario("length", vec![stream(&[content("cut")], Some("length"))], |outcome| {
            assert_eq!((outcome.reason, text(outcome).as_str()), (Some(EndReason::Length), "cut"));
        }),
        scenario("empty", vec![stream(&[], Some("stop"))], is_complete),
        // 15: the same events; no letter is lost.
        scenario("utf8split", split, |outcome| assert_eq!(text(outcome), "héllo 😀")),
    ]
}

fn tools() -> [Tool; 2] {
    let tool = |name: &'static str, key: &'static str, ms: u64| {
        let schema = json!({"type": "object", "properties": {key: {"type": "integer"}}});
        Tool::new(name, "", schema, move |arguments, context| async move {
            if name == "slow" {
                context.progress("25%", None);
            }
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(format!("{name} {arguments}"))
        })
    };
    [tool("slow", "x", 100), tool("fast", "y", 10)]
}

fn dumps() -> Option<PathBuf> {
    let folder = thalweg_tests::corpus::folder()?;
    let dumps = folder.parent().unwrap_or(Path::new(".")).join("reference").join("ancestor-dumps");
    if !dumps.is_dir() {
        println!("skipped: no recorded event sequences beside the corpus");
        return None;
    }
    Some(dumps)
}

/// The types of a recording's events; of updates those of their steps.
fn theirs(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    events.filter_map(|event| word(&event)).collect()
}

fn word(event: &Value) -> Option<String> {
    let step = event["assistant_message_event"]["type"].as_str();
    step.or_else(|| event["type"].as_str()).map(str::to_owned)
}

async fn ours(run: &Run) -> Vec<String> {
    let (mut words, mut events, mut line) = (Vec::new(), run.events(), Vec::new());
    while let Some(event) = events.next().await {
        line.clear();
        event.write_json(&mut line);
        words.extend(word(&serde_json::from_slice(&line).expect("a line of JSON")));
    }
    words
}

fn play(scenario: &Scenario) -> (Agent, Server) {
    let options = scenario.fault.iter().fold(Options::in_order(), |options, fault| options.fault(0..1, fault.clone()));
    let server = server(scenario.replies.clone(), options);
    let builder = agent(&server).tools(tools()).retry(Retry { retries: 0, ..Retry::default() });
    (builder.build().unwrap(), server)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn run(scenario: &Scenario) -> (Vec<String>, Outcome) {
    let (agent, _server) = play(scenario);
    let first = runtime();
    let run = first.block_on(async {
        let run = agent.prompt("hi").unwrap();
        let mut pieces = run.text();
        let (During::Abort(count) | During::Lose(count)) = scenario.during else {
            finished(&run).await;
            return run;
        };
        for _ in 0..count {
            pieces.next().await.expect("a piece of text");
        }
        if matches!(scenario.during, During::Abort(_)) {
            agent.abort();
            finished(&run).await;
        }
        run
    });
    drop(first);
    runtime().block_on(async { (ours(&run).await, finished(&run).await) })
}

#[test]
fn the_same_bytes_give_the_events_of_the_ancestor_but_for_its_faults() {
    let Some(folder) = dumps() else { return };
    let scenarios = scenarios();
    let mut read = 0;
    for file in fs::read_dir(&folder).expect("a folder").filter_map(Result::ok) {
        let name = file.file_name().into_string().unwrap_or_default();
        let Some(name) = name.strip_prefix("tinyagent_").and_then(|name| name.strip_suffix(".jsonl")) else { continue };
        let scenario = scenarios.iter().find(|scenario| scenario.name == name);
        let scenario = scenario.unwrap_or_else(|| panic!("no scenario for {name}"));
        let theirs = theirs(&file.path());
        let (ours, outcome) = run(scenario);
        match scenario.differs {
            None => assert_eq!(ours, theirs, "{name}"),
            Some((why, rest)) => {
                let expected: Vec<_> = OPENING.split_whitespace().chain(rest.split_whitespace()).collect();
                assert_eq!(ours, expected, "{name}: {why}");
                assert_ne!(ours, theirs, "{name} needs no row any more");
            }
        }
        (scenario.check)(&outcome);
        let calls = outcome.messages.iter().filter_map(|message| match message {
            thalweg::message::Message::Assistant(reply) => Some(&reply.content),
            _ => None,
        });
        let calls = calls.flatten().filter(|block| matches!(block, ContentBlock::ToolCall(_))).count();
        assert_eq!(answers(&outcome).len(), calls, "{name}: each call has its result");
        read += 1;
    }
    assert_eq!(read, scenarios.len(), "a scenario has lost its recording");
    thalweg_tests::corpus::report(&format!("{read} event sequences of TinyAgent"));
}
