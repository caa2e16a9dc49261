//! The `thalweg` command as a person or a script meets it: the real binary, real plugins, a real loopback server.
#![forbid(unsafe_code)]

#[cfg(unix)]
mod check;
#[cfg(unix)]
mod dropped;
mod harness;
#[cfg(unix)]
mod isolate;
mod scaffold;
mod sessions;
mod team;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thalweg_replay::{Exchange, Options, Recording, Server};

use crate::harness::{
    ALL_PLUGINS, PLUGINS, Place, Running, a_model_server_may_run_here, compile_c, file_name, plugin_path, read_request,
    repository, sha256, stderr, stdout, thalweg,
};

const DEMO: &str = "What is the weather in Paris, and what is 17 * 23?";

// ---------------------------------------------------------------- the main job

#[test]
fn the_recorded_question_is_answered_through_three_loaded_plugins() {
    let output = thalweg().args(["chat", "--replay", "--pace", "max", DEMO]).output().expect("started");
    let text = stdout(&output);
    assert!(output.status.success(), "{text}\n{}", stderr(&output));
    assert!(text.contains("391"), "{text}");
    assert!(text.contains("Paris"), "{text}");
    for plugin in PLUGINS {
        let path = plugin_path(plugin);
        assert!(text.contains(path.to_str().expect("text")), "no path of {plugin} in\n{text}");
        assert!(text.contains(&sha256(&path)), "no sha256 of {plugin} in\n{text}");
    }
    let last = text.lines().last().expect("a last line");
    for part in ["first delta", "events", "ns/event", "tokens", "replay"] {
        assert!(last.contains(part), "`{part}` is missing from the last line: {last}");
    }
}

#[test]
fn a_question_that_is_not_recorded_gets_the_list_and_no_made_up_answer() {
    let prompt = "What is the weather in Rome?";
    let started = Instant::now();
    let output = thalweg().args(["chat", "--replay", prompt]).output().expect("started");
    assert!(started.elapsed() < Duration::from_secs(5), "said at once");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let (text, errors) = (stdout(&output), stderr(&output));
    assert!(!text.contains("Paris") && text.is_empty(), "{text}");
    assert!(errors.contains(DEMO), "the list of recorded prompts is missing: {errors}");
    assert!(errors.contains("OPENAI_API_KEY") && errors.contains("ollama"), "{errors}");
}

#[test]
fn a_run_prints_one_json_event_a_line_and_one_end() {
    let output = thalweg().args(["run", "--replay", "--pace", "max", DEMO]).output().expect("started");
    assert!(output.status.success(), "{}", stderr(&output));
    let events: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().expect("a type")).collect();
    assert_eq!(kinds.first(), Some(&"agent_start"));
    assert_eq!(kinds.last(), Some(&"agent_end"));
    assert_eq!(kinds.iter().filter(|kind| **kind == "agent_end").count(), 1);
    assert_eq!(kinds.iter().filter(|kind| **kind == "tool_execution_end").count(), 2);
    assert_eq!(kinds.iter().filter(|kind| **kind == "turn_start").count(), 2);
    let deltas = events.iter().filter(|event| event["assistant_message_event"]["type"] == "text_delta");
    let text: String = deltas.filter_map(|event| event["assistant_message_event"]["delta"].as_str()).collect();
    assert!(text.contains("391"), "{text}");
}

#[test]
fn the_three_plugin_files_are_in_the_memory_map_of_the_running_process() {
    let mut child = Running::start(thalweg().args(["chat", "--replay", "--pace", "0.5", DEMO]));
    child.wait_for_output("call");
    let map = fs::read_to_string(format!("/proc/{}/maps", child.child.id())).expect("still running");
    for plugin in PLUGINS {
        let path = plugin_path(plugin).canonicalize().expect("built");
        assert!(map.contains(path.to_str().expect("text")), "{plugin} is not mapped");
    }
}

// ---------------------------------------------------------------- plugins that are not as they should be

#[test]
fn any_plugin_that_is_missing_is_named() {
    for missing in PLUGINS {
        let place = Place::new();
        fs::remove_file(place.plugin(missing)).expect("was there");
        let output = place.thalweg().args(["chat", "--replay", "--pace", "max", DEMO]).output().expect("started");
        assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
        assert!(stderr(&output).contains(&file_name(missing)), "{}", stderr(&output));
        assert!(!stdout(&output).contains("391"));
    }
}

#[test]
fn a_binary_without_any_plugin_file_uses_the_copies_within_it_and_says_so() {
    let place = Place::new();
    for plugin in ALL_PLUGINS {
        fs::remove_file(place.plugin(plugin)).expect("was there");
    }
    let output = place.thalweg().args(["chat", "--replay", "--pace", "max", DEMO]).output().expect("started");
    let text = stdout(&output);
    assert!(output.status.success(), "{text}{}", stderr(&output));
    assert!(text.contains("linked in") && text.contains("391"), "{text}");
}

#[test]
fn a_plugin_file_that_is_garbage_is_named() {
    let place = Place::new();
    fs::write(place.plugin("calculator"), b"this is no shared object").expect("written");
    let output = place.thalweg().args(["chat", "--replay", "--pace", "max", DEMO]).output().expect("started");
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(stderr(&output).contains(&file_name("calculator")), "{}", stderr(&output));
    assert!(!stdout(&output).contains("391"));
}

#[test]
fn a_calculator_that_is_wrong_is_found_out_by_the_replay() {
    let place = Place::new();
    let wrong = place.plugin("calculator");
    fs::remove_file(&wrong).expect("was there");
    compile_c(&repository().join("tests/cli/wrong_calculator.c"), &wrong);
    let output = place.thalweg().args(["chat", "--replay", "--pace", "max", DEMO]).output().expect("started");
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let said = stdout(&output) + &stderr(&output);
    assert!(said.contains("400") && said.contains("390") && said.contains("391"), "no diff in: {said}");
}

#[test]
fn a_plugin_that_keeps_the_rules_passes_its_check() {
    for plugin in ALL_PLUGINS {
        let output = thalweg().args(["plugin", "check"]).arg(plugin_path(plugin)).output().expect("started");
        let text = stdout(&output);
        assert!(output.status.success(), "{text}{}", stderr(&output));
        assert!(text.contains("checks passed") && text.contains(&sha256(&plugin_path(plugin))), "{text}");
    }
}

#[test]
fn a_file_that_is_no_plugin_fails_its_check_and_is_named() {
    let place = Place::new();
    let file = place.plugin("calculator");
    fs::write(&file, b"\x7fELF and then nothing").expect("written");
    let output = thalweg().args(["plugin", "check"]).arg(&file).output().expect("started");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&file_name("calculator")), "{}", stderr(&output));
    let listed = place.thalweg().args(["plugin", "list"]).output().expect("started");
    assert_eq!(listed.status.code(), Some(1), "a plugin that does not load shows in the exit code");
    let text = stdout(&listed);
    assert!(text.contains("does not load") && text.contains("thalweg.openai"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_plugin_may_lie_in_a_sticky_folder_but_not_in_one_that_anybody_can_change() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let folder = place.file("shared");
    fs::create_dir(&folder).expect("created");
    let file = folder.join("tool.so");
    compile_c(&repository().join("tests/cli/wrong_calculator.c"), &file);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("set");
    let check = |mode| {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("set");
        thalweg().args(["plugin", "check"]).arg(&file).output().expect("started")
    };
    let sticky = check(0o1777);
    assert!(sticky.status.success(), "{}{}", stdout(&sticky), stderr(&sticky));
    let open = check(0o777);
    assert_eq!(open.status.code(), Some(1));
    assert!(stderr(&open).contains("chmod go-w"), "{}", stderr(&open));
}

#[test]
fn providers_of_a_plugin_are_listed_with_the_others() {
    let place = Place::new();
    let file = place.file("own_provider.so");
    compile_c(&repository().join("tests/cli/own_provider.c"), &file);
    let output = place.thalweg().args(["providers", "house", "--plugin"]).arg(&file).output().expect("started");
    let text = stdout(&output);
    assert!(output.status.success(), "{text}{}", stderr(&output));
    for word in ["https://llm.house.example/v1", "HOUSE_KEY", "house-talk", "1 of them from plugin example.house"] {
        assert!(text.contains(word), "no {word} in: {text}");
    }
    assert!(!text.contains("no plugin here speaks"), "{text}");
    let output = place.thalweg().args(["providers", "house"]).output().expect("started");
    assert_eq!(output.status.code(), Some(2), "without the plugin: {}", stdout(&output));
}

// ---------------------------------------------------------------- record and replay

#[test]
fn what_was_recorded_through_the_proxy_replays_alike_and_holds_no_key() {
    let key = "sk-very-secret-0123456789";
    let place = Place::new();
    let file = place.file("session.jsonl");
    let mut upstream = Running::start(thalweg().args(["replay", "--pace", "max"]));
    let upstream_url = upstream.wait_for_url();
    let proxy = thalweg().args(["record", "--upstream", &format!("{upstream_url}/v1"), "--out"]).arg(&file).spawn();
    let mut proxy = Running::follow(proxy.expect("started"));
    let proxy_url = proxy.wait_for_url();
    let chat = |url: &str| {
        let base_url = format!("{url}/v1");
        thalweg()
            .args([
                "chat",
                "--quiet",
                "--base-url",
                &base_url,
                "--model",
                "hand-written-1",
                "--key-env",
                "MY_KEY",
                DEMO,
            ])
            .env("MY_KEY", key)
            .output()
            .expect("started")
    };
    let first = chat(&proxy_url);
    assert!(first.status.success(), "{}", stderr(&first));
    assert!(stdout(&first).contains("391"), "{}", stdout(&first));
    proxy.interrupt();
    assert_eq!(proxy.finish().code, Some(0));
    let recording = fs::read_to_string(&file).expect("written");
    assert!(!recording.contains(key), "the key was recorded");
    assert!(recording.contains(DEMO) && recording.matches("\"request\"").count() == 2, "{recording}");

    let mut replay = Running::start(thalweg().args(["replay", "--pace", "max"]).arg(&file));
    let second = chat(&replay.wait_for_url());
    assert_eq!(stdout(&second), stdout(&first), "{}", stderr(&second));
}

// ---------------------------------------------------------------- endpoints

#[test]
fn live_without_a_key_does_not_fall_back() {
    // A model server of the machine that runs the tests would be found, and rightly.
    if a_model_server_may_run_here() {
        return println!("skipped: something listens on a usual port of a model server");
    }
    let output = thalweg().args(["chat", "--live", DEMO]).output().expect("started");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("export OPENAI_API_KEY"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn without_a_key_the_recorded_question_is_replayed_unasked() {
    if a_model_server_may_run_here() {
        return println!("skipped: something listens on a usual port of a model server");
    }
    let output = thalweg().args(["chat", "--pace", "max", DEMO]).output().expect("started");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).lines().last().expect("a line").contains("replay"));
}

#[test]
fn an_endpoint_that_refuses_is_named_with_what_to_do() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let url = format!("http://127.0.0.1:{port}/v1");
    let output = thalweg().args(["chat", "--base-url", &url, "--model", "m", "Hello"]).output().expect("started");
    assert_eq!(output.status.code(), Some(1));
    let errors = stderr(&output);
    assert!(errors.contains(&format!("127.0.0.1:{port}")) && errors.contains("refused"), "{errors}");
}

#[test]
fn a_key_is_sent_and_never_shown() {
    let key = "sk-very-secret-0123456789";
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/v1", listener.local_addr().expect("bound"));
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let request = read_request(&mut stream);
        let body = r#"{"error":{"message":"wrong key","type":"invalid_request_error","code":"invalid_api_key"}}"#;
        let head = "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nconnection: close";
        write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).expect("sent");
        request
    });
    let output = thalweg()
        .args(["chat", "--base-url", &url, "--model", "m", "--key-env", "MY_KEY", "Hello"])
        .env("MY_KEY", key)
        .output()
        .expect("started");
    let request = server.join().expect("served");
    assert!(request.to_lowercase().contains(&format!("authorization: bearer {key}")), "{request}");
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output) + &stderr(&output);
    assert!(said.contains("401") && said.contains("wrong key"), "{said}");
    assert!(!said.contains(key), "{said}");
}

// ---------------------------------------------------------------- decode

const CHAT_STREAM: &str = "\
data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Grüße \\ud83d\"}}]}\r\n\r\n\
: keep-alive\n\n\
data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ude00\\n\"}}]}\n\n\
data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"add\",\"arguments\":\"\"}}]}}]}\n\n\
data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"sub\",\"arguments\":\"{\\\"y\\\":\"}}]}}]}\n\n\
data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"x\\\":1}\"}}]}}]}\n\n\
data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"2}\"}}]}}]}\n\n\
data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n\
data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5,\"total_tokens\":12}}\n\n\
data: [DONE]\n\n";

const ANTHROPIC_STREAM: &str = "\
event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n\
event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n\
event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"Let me add.\"}}\n\n\
event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}}\n\n\
event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
event: ping\ndata: {\"type\":\"ping\"}\n\n\
event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"It is \\\"4\\\".\"}}\n\n\
event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n\
event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n\
event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":17}}\n\n\
event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

/// Decodes at three piece sizes, checks that they agree, and gives the answer.
fn decoded(dialect: &str, stream: &str) -> Value {
    let mut answers = ["1", "7", "65536"].map(|chunk| {
        let mut child = thalweg()
            .args(["decode", "--dialect", dialect, "--chunk", chunk, "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("started");
        child.stdin.take().expect("piped").write_all(stream.as_bytes()).expect("taken");
        let output = child.wait_with_output().expect("ended");
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice::<Value>(&output.stdout).expect("one JSON object")
    });
    assert_eq!(answers[0], answers[2], "one byte at a time");
    assert_eq!(answers[1], answers[2], "seven bytes at a time");
    answers[2].take()
}

#[test]
fn a_chat_completions_reply_decodes_alike_at_any_piece_size() {
    let answer = decoded("openai-chat", CHAT_STREAM);
    assert_eq!(answer["text"], "Grüße 😀\n");
    assert_eq!(
        answer["tool_calls"],
        json!([
            { "id": "a", "name": "add", "arguments_json": "{\"x\":1}" },
            { "id": "b", "name": "sub", "arguments_json": "{\"y\":2}" },
        ])
    );
    assert_eq!(answer["finish_reason"], "tool_calls");
    assert_eq!(answer["usage"], json!({ "prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12 }));
    assert_eq!(
        answer["usage_norm"],
        json!({ "input_tokens": 7, "output_tokens": 5, "total_tokens": 12, "reasoning_tokens": null, "cached_tokens": null })
    );
    assert_eq!(answer["errors"], json!([]));
}

#[test]
fn an_anthropic_reply_decodes_alike_at_any_piece_size() {
    let answer = decoded("anthropic", ANTHROPIC_STREAM);
    assert_eq!(answer["text"], "It is \"4\".");
    assert_eq!(answer["thinking"], "Let me add.");
    assert_eq!(answer["finish_reason"], "end_turn");
    assert_eq!(answer["usage"], json!({ "input_tokens": 9, "output_tokens": 17 }));
    assert_eq!(answer["usage_norm"]["input_tokens"], 9);
    assert_eq!(answer["usage_norm"]["output_tokens"], 17);
    assert_eq!(answer["usage_norm"]["total_tokens"], Value::Null);
    assert_eq!(answer["errors"], json!([{ "type": "overloaded_error", "message": "Overloaded" }]));
}

#[test]
fn a_recording_is_measured_and_says_what_it_said() {
    let file = repository().join("engine/replay/recordings/weather-and-arithmetic.jsonl");
    let output = thalweg().args(["bench", "--json"]).arg(&file).output().expect("started");
    assert!(output.status.success(), "{}", stderr(&output));
    let figures: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(figures["dialect"], "openai-chat");
    assert!(figures["answers"].to_string().contains("391"), "{figures}");
    assert!(figures["wire_events"].as_u64().is_some_and(|events| events > 10), "{figures}");
    for figure in ["first", "warm_best", "warm_median", "cold_median"] {
        let nanos = figures[format!("{figure}_ns_per_event")].as_f64();
        assert!(nanos.is_some_and(|nanos| nanos > 0.0), "{figure} in {figures}");
    }
    assert!(figures["warm_best_ns_per_event"].as_f64() <= figures["warm_median_ns_per_event"].as_f64());

    let output = thalweg().arg("bench").arg(&file).output().expect("started");
    let text = stdout(&output);
    for part in ["ns/event", "GB/s", "first pass", "warm", "cold", "391"] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
}

#[test]
fn a_bare_body_is_measured_when_its_dialect_is_named() {
    let place = Place::new();
    let file = place.file("reply.sse");
    fs::write(&file, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\ndata: [DONE]\n\n")
        .expect("written");
    let output = thalweg().arg("bench").arg(&file).output().expect("started");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--dialect"), "{}", stderr(&output));
    let output = thalweg().args(["bench", "--dialect", "openai-chat", "--json"]).arg(&file).output().expect("started");
    let figures: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(figures["answers"][0]["text"], "hi");
    assert_eq!(figures["wire_events"], 2);
}

#[test]
fn a_dialect_or_a_file_that_is_not_there_is_wrong_usage() {
    let unknown = thalweg().args(["decode", "--dialect", "klingon", "-"]).output().expect("started");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("openai-chat") && stderr(&unknown).contains("anthropic"), "{}", stderr(&unknown));
    let absent = thalweg().args(["decode", "--dialect", "anthropic", "/nonexistent/reply.sse"]).output();
    let absent = absent.expect("started");
    assert_eq!(absent.status.code(), Some(2));
    assert!(stderr(&absent).contains("/nonexistent/reply.sse"), "{}", stderr(&absent));
}

// ---------------------------------------------------------------- conversations

#[test]
fn a_conversation_over_a_pipe_answers_line_by_line() {
    let mut child = Running::start(thalweg().args(["chat", "--replay", "--pace", "max"]));
    child.say(DEMO);
    child.wait_for_output("391");
    child.say("What is the weather in Rome?");
    child.say(DEMO);
    let output = child.finish();
    assert_eq!(output.code, Some(2), "one question had no answer: {}", output.errors);
    assert_eq!(output.text.matches("first delta").count(), 2, "{}", output.text);
    assert!(output.errors.contains(DEMO), "the list is shown: {}", output.errors);
}

#[test]
fn all_of_stdin_can_be_the_prompt() {
    let mut child = Running::start(thalweg().args(["chat", "--replay", "--pace", "max", "-"]));
    child.say(DEMO);
    let output = child.finish();
    assert_eq!(output.code, Some(0), "{}", output.errors);
    assert!(output.text.contains("391"), "{}", output.text);
}

#[test]
fn an_interrupt_ends_a_single_question_with_130_and_keeps_what_was_said() {
    let mut child = Running::start(thalweg().args(["chat", "--replay", "--pace", "0.5", DEMO]));
    child.wait_for_output("call");
    child.interrupt();
    let started = Instant::now();
    let output = child.finish();
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(output.code, Some(130), "{}", output.errors);
    assert!(output.text.contains("call"), "{}", output.text);
}

#[test]
fn an_interrupt_stops_the_reply_and_keeps_the_conversation() {
    let mut child = Running::start(thalweg().args(["chat", "--replay", "--pace", "0.5"]));
    child.say(DEMO);
    child.wait_for_output("call");
    child.interrupt();
    child.wait_for_output("interrupted");
    child.say("What is the weather in Rome?");
    let output = child.finish();
    assert!(output.errors.contains(DEMO), "the conversation went on: {}", output.errors);
    assert_eq!(output.code, Some(2));
}

// ---------------------------------------------------------------- help

#[test]
fn help_names_examples_variables_and_exit_codes() {
    let output = thalweg().arg("--help").output().expect("started");
    assert!(output.status.success());
    let text = stdout(&output);
    for part in
        ["Examples:", "Environment:", "Exit codes:", "OPENAI_API_KEY", "130", "chat", "decode", "record", "replay"]
    {
        assert!(text.contains(part), "`{part}` is missing from the help");
    }
    let version = thalweg().arg("--version").output().expect("started");
    assert_eq!(stdout(&version).trim(), format!("thalweg {}", env!("CARGO_PKG_VERSION")));
    assert_eq!(thalweg().arg("dance").output().expect("started").status.code(), Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = thalweg().args(["run", "--replay", DEMO]).stdout(Stdio::piped()).spawn().expect("started");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut first).expect("a line");
    let output = child.wait_with_output().expect("ended");
    assert!(first.contains("agent_start"));
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

// ---------------------------------------------------------------- providers

#[test]
fn providers_are_listed_with_their_keys_by_name_only() {
    let output = thalweg().arg("providers").env("GROQ_API_KEY", "gsk-secret-0123").output().expect("started");
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    let line = |name: &str| {
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("groq"), "groq openai-chat https://api.groq.com/openai/v1 GROQ_API_KEY (set)");
    assert_eq!(line("openai"), "openai openai-chat https://api.openai.com/v1 OPENAI_API_KEY");
    assert!(line("vllm").ends_with("VLLM_API_KEY (not needed)"), "{}", line("vllm"));
    assert!(line("azure").contains("(set AZURE_OPENAI_ENDPOINT)"), "{}", line("azure"));
    assert!(!text.contains("gsk-secret"), "{text}");
    let one =
        thalweg().args(["providers", "--json", "z.ai"]).env("ZAI_API_KEY", "secret-0123").output().expect("started");
    let row: Value = serde_json::from_str(&stdout(&one)).expect("one JSON object");
    assert_eq!((&row["id"], &row["key_set"]), (&json!("zai"), &json!("ZAI_API_KEY")));
    assert_eq!((&row["has_codec"], &row["source"]), (&json!(true), &json!("built in")));
    assert!(!stdout(&one).contains("secret-0123"));
    let slip = thalweg().args(["providers", "grok1"]).output().expect("started");
    assert_eq!(slip.status.code(), Some(2));
    assert!(stderr(&slip).contains("did you mean grok"), "{}", stderr(&slip));
}

#[test]
fn models_of_plugins_are_listed_as_they_are_named_on_the_command_line() {
    let output = thalweg().arg("models").output().expect("started");
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("eliza/doctor") && text.contains("Doctor of 1966"), "{text}");
    assert!(text.contains("script/inline") && text.contains("tools thinking"), "{text}");
    let one = thalweg().args(["models", "--json", "eliza"]).output().expect("started");
    let model: Value = serde_json::from_str(&stdout(&one)).expect("one JSON object");
    let expected = json!({"provider": "eliza", "plugin": "thalweg.eliza_c", "id": "doctor", "name": "Doctor of 1966"});
    assert_eq!(model, expected);
    let none = thalweg().args(["models", "nobody"]).output().expect("started");
    assert_eq!(none.status.code(), Some(2));
    assert!(stderr(&none).contains("no plugin lists models of the provider `nobody`"), "{}", stderr(&none));
}

#[test]
fn a_server_is_asked_for_the_models_that_it_offers() {
    let openai = json!({"object": "list", "data": [{"id": "org/small", "context_length": 4096}, {"id": "large"}]});
    let anthropic = json!({"data": [{"type": "model", "id": "claude-x", "display_name": "Claude X"}]});
    let gemini = json!({"models": [{"name": "models/gemini-x", "displayName": "Gemini X", "inputTokenLimit": 1000,
        "outputTokenLimit": 10}]});
    let ollama = json!({"models": [{"name": "llama3:8b", "model": "llama3:8b"}]});
    let cases = [
        ("openai-chat", openai, "/models", json!({"id": "org/small", "context_tokens": 4096}), "authorization"),
        ("anthropic", anthropic, "/v1/models?limit=1000", json!({"id": "claude-x", "name": "Claude X"}), "x-api-key"),
        (
            "gemini",
            gemini,
            "/models?pageSize=1000",
            json!({"id": "gemini-x", "name": "Gemini X", "context_tokens": 1000, "output_tokens_max": 10}),
            "x-goog-api-key",
        ),
        ("ollama", ollama, "/api/tags", json!({"id": "llama3:8b"}), "authorization"),
    ];
    for (dialect, answer, path, expected, header) in cases {
        let recording = Recording::by_hand(dialect, vec![Exchange::of_chunks([answer.to_string()])]);
        let server = Server::start(vec![recording], Options::in_order()).expect("a port");
        let mut command = thalweg();
        command.args(["models", "--json", "--dialect", dialect, "--key-env", "SECRET", "--base-url"]).arg(server.url());
        let output = command.env("SECRET", "sk-0123").output().expect("started");
        assert!(output.status.success(), "{}", stderr(&output));
        let first: Value = serde_json::from_str(stdout(&output).lines().next().expect("a line")).expect("JSON");
        let mut wanted = json!({"provider": null, "base_url": server.url()});
        for (key, value) in expected.as_object().expect("an object") {
            wanted[key] = value.clone();
        }
        assert_eq!(first, wanted, "{dialect}");
        let asked = &server.requests()[0].request;
        assert_eq!((asked.method.as_str(), asked.target.as_str()), ("GET", path));
        assert!(asked.header(header).is_some_and(|key| key.ends_with("sk-0123")), "{dialect}");
    }

    // A provider by its name, in the form that a person reads; and a server that has no list.
    let answer = json!({"data": [{"id": "qwen", "max_model_len": 32768}]}).to_string();
    let recording = Recording::by_hand("openai-chat", vec![Exchange::of_chunks([answer]), Exchange::of_chunks(["{}"])]);
    let server = Server::start(vec![recording], Options::in_order()).expect("a port");
    let ask = || {
        let mut command = thalweg();
        command.args(["models", "vllm", "--base-url"]).arg(server.url()).output().expect("started")
    };
    let output = ask();
    assert!(stdout(&output).contains("vllm/qwen") && stdout(&output).contains("32768"), "{}", stderr(&output));
    let none = ask();
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("gave no list of models"), "{}", stderr(&none));
    let without_key = thalweg().args(["models", "groq"]).output().expect("started");
    assert_eq!(without_key.status.code(), Some(2));
    assert!(stderr(&without_key).contains("GROQ_API_KEY"), "{}", stderr(&without_key));
}

#[test]
fn the_lists_of_the_documentation_can_be_asked_for() {
    let text = fs::read_to_string(repository().join("docs/PROVIDERS.md")).expect("there");
    let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("thalweg providers")).collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    for command in commands {
        // What the command does stands behind a wider gap.
        let words = command.split("   ").next().unwrap_or_default().split_whitespace();
        let output = thalweg().arg("providers").args(words).output().expect("started");
        assert!(output.status.success() && !output.stdout.is_empty(), "{command}: {}", stderr(&output));
    }
}

#[test]
fn a_provider_of_ones_own_is_asked_with_its_key_and_level() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let place = Place::new();
    let file = place.file("providers.toml");
    let row = format!(
        "[[provider]]\nid = \"house\"\nbase_url = \"http://{}/v1\"\ndialect = \"openai-chat\"\nkeys = \"HOUSE_KEY\"\n",
        listener.local_addr().expect("bound")
    );
    fs::write(&file, &row).expect("written");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let request = read_request(&mut stream);
        let body = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello.\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close";
        write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).expect("sent");
        request
    });
    let output = thalweg()
        .args(["run", "--model", "house/a/b:8b:high", "Hello"])
        .env("THALWEG_PROVIDERS", &file)
        .env("HOUSE_KEY", "house-secret")
        .output()
        .expect("started");
    assert!(output.status.success(), "{}", stderr(&output));
    let request = server.join().expect("served");
    assert!(request.to_lowercase().contains("authorization: bearer house-secret"), "{request}");
    assert!(request.contains("\"model\":\"a/b:8b\"") && request.contains("\"reasoning_effort\":\"high\""), "{request}");
    fs::write(&file, format!("{row}api_key = \"house-secret\"\n")).expect("written");
    let output = thalweg().arg("providers").env("THALWEG_PROVIDERS", &file).output().expect("started");
    assert_eq!(output.status.code(), Some(2));
    let errors = stderr(&output);
    assert!(errors.contains("providers.toml:6: keys do not belong in this file"), "{errors}");
    assert!(!errors.contains("house-secret"), "{errors}");
}
