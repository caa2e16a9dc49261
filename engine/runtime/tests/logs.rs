//! Logs for people: what they hold, and that no key is among it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thalweg::middleware::MarkdownLog;
use thalweg::{Agent, AgentBuilder, Tool};
use thalweg_replay::{Exchange, Fault, Options, Recording, Server};

const KEY: &str = "sk-very-secret-0123456789";

fn chunk(delta: Value, finish: Option<&str>) -> String {
    let body = json!({"id": "c1", "object": "chat.completion.chunk", "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}});
    format!("data: {body}\n\n")
}

fn server(options: Options) -> Server {
    let call = json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "find", "arguments": "{\"what\":\"it\"}"}}]});
    let end = "data: [DONE]\n\n".to_owned();
    let first = Exchange::of_chunks([chunk(call, None), chunk(json!({}), Some("tool_calls")), end.clone()]);
    let second =
        Exchange::of_chunks([chunk(json!({"content": "Found ```it```."}), None), chunk(json!({}), Some("stop")), end]);
    Server::start(vec![Recording::by_hand("openai-chat", vec![first, second])], options).expect("a loopback port")
}

fn agent(server: &Server) -> AgentBuilder {
    let find =
        Tool::new("find", "Finds.", json!({"type": "object"}), |_, _| async { Ok("under the table".to_owned()) });
    let agent = Agent::builder().provider("openai").model("gpt-4o").base_url(server.url()).api_key(KEY);
    agent.header("x-more", "header-value-secret").system("Be brief.").tool(find).link(thalweg_openai::module())
}

/// The files of a log, once there are so many.
async fn files(folder: &PathBuf, count: usize) -> Vec<String> {
    let started = Instant::now();
    loop {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder).into_iter().flatten().map(|file| file.expect("readable").path()).collect();
        paths.sort();
        let texts: Vec<String> = paths.iter().map(|path| fs::read_to_string(path).expect("text")).collect();
        if texts.len() >= count && texts.iter().all(|text| text.ends_with('\n')) {
            return texts;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{} of {count} files", texts.len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn each_request_is_a_file_with_all_of_its_prompt_and_reply_and_no_key() {
    let folder = std::env::temp_dir().join(format!("thalweg-logs-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let server = server(Options::in_order());
    let agent = agent(&server).middleware(MarkdownLog::new(&folder)).build().expect("complete");
    let outcome = agent.prompt("Where is it?").expect("idle").finished().await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let files = files(&folder, 2).await;
    assert_eq!(files.len(), 2);
    for (file, parts) in [
        (&files[0], &["Be brief.", "Where is it?", "*calls find*", "\"prompt_tokens\": 7", "turn 1"][..]),
        (
            &files[1],
            &[
                "Where is it?",
                "tool / find",
                "under the table",
                "Found ```it```.",
                "assistant / gpt-4o-2024-08-06",
                "in 7 out 3 ok",
            ],
        ),
    ] {
        for part in parts {
            assert!(file.contains(part), "{part} is not in\n{file}");
        }
        for secret in [KEY, "header-value-secret"] {
            assert!(!file.contains(secret), "{file}");
        }
    }
    #[cfg(unix)]
    for file in fs::read_dir(&folder).expect("a folder") {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.expect("readable").metadata().expect("known").permissions().mode() & 0o077, 0);
    }
    fs::remove_dir_all(&folder).expect("removed");
}

#[tokio::test]
async fn a_provider_that_repeats_the_key_does_not_get_it_into_a_log() {
    let folder = std::env::temp_dir().join(format!("thalweg-logs-key-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    let body = json!({"error": {"message": format!("Incorrect API key provided: {KEY}."), "param": KEY}}).to_string();
    let server = server(Options::in_order().fault(0..9, Fault::status(401, &body)));
    let agent = agent(&server).middleware(MarkdownLog::new(&folder)).build().expect("complete");
    let outcome = agent.prompt("Where is it?").expect("idle").finished().await;
    let error = outcome.error.expect("refused");
    assert!(error.to_string().contains("Incorrect API key provided: …"), "{error}");
    assert!(!format!("{error:?}").contains(KEY), "{error:?}");
    let files = files(&folder, 1).await;
    assert!(files[0].contains("Incorrect API key") && !files[0].contains(KEY), "{}", files[0]);
    fs::remove_dir_all(&folder).expect("removed");
}
