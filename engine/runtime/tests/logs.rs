//! Logs for people: what they hold, and that no key is among it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{KEY, agent, server};
use thalweg::middleware::MarkdownLog;
use thalweg_replay::{Fault, Options};

mod support;

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
