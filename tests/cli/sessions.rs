//! Conversations that are kept: gone on with, looked at, found, moved and deleted, and what a killed chat leaves.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thalweg_replay::{Exchange, Options, Recording, Server};

use crate::harness::{Place, stderr, stdout};

fn reply(text: &str) -> Exchange {
    let chunk = |delta: Value, finish: Value| {
        let body = json!({"id": "c1", "object": "chat.completion.chunk", "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {body}\n\n")
    };
    let end = chunk(json!({}), json!("stop"));
    Exchange::of_chunks([chunk(json!({"content": text}), Value::Null), end, "data: [DONE]\n\n".to_owned()])
}

fn server(texts: &[&str]) -> Server {
    let exchanges = texts.iter().map(|text| reply(text)).collect();
    Server::start(vec![Recording::by_hand("openai-chat", exchanges)], Options::in_order()).expect("a loopback port")
}

fn thalweg(place: &Place, arguments: &[&str]) -> Command {
    let mut command = place.thalweg();
    command.env("THALWEG_SESSIONS", place.file("kept/sessions.db")).args(arguments);
    command
}

fn run(place: &Place, arguments: &[&str]) -> Output {
    thalweg(place, arguments).output().expect("it starts")
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", stderr(output));
    stdout(output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn roles_and_texts(server: &Server, request: usize) -> Vec<(String, String)> {
    let body: Value = serde_json::from_slice(&server.requests()[request].request.body).expect("JSON");
    let text =
        |content: &Value| content.as_str().or_else(|| content[0]["text"].as_str()).unwrap_or_default().to_owned();
    let messages = body["messages"].as_array().expect("messages");
    messages.iter().map(|m| (m["role"].as_str().unwrap().to_owned(), text(&m["content"]))).collect()
}

#[test]
fn a_conversation_is_kept_and_gone_on_with_from_any_place() {
    let place = Place::new();
    let server = server(&["It is Paris.", "Two million.", "Lyon."]);
    let url = server.url();
    let chat = |arguments: &[&str]| {
        let mut all = vec!["chat", "--base-url", &url, "--model", "m", "--no-tools"];
        all.extend(arguments);
        let output = run(&place, &all);
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let shown = chat(&["--system", "Be brief.", "Capital of France?"]);
    let listed = lines(&run(&place, &["sessions", "list", "--json"]));
    let id = listed[0]["id"].as_str().expect("an id").to_owned();
    assert!(shown.contains(&format!("{id}, kept")), "{shown}");
    assert_eq!((listed[0]["title"].as_str(), listed[0]["messages"].as_u64()), (Some("Capital of France?"), Some(2)));

    chat(&["--continue", "How many live there?"]);
    let said = roles_and_texts(&server, 1);
    let said: Vec<_> = said.iter().map(|(role, text)| (role.as_str(), text.as_str())).collect();
    let expected = [
        ("system", "Be brief."),
        ("user", "Capital of France?"),
        ("assistant", "It is Paris."),
        ("user", "How many live there?"),
    ];
    assert_eq!(said, expected);

    let branch = run(&place, &["sessions", "branch", &id[..4], "--at", "2"]);
    assert!(branch.status.success(), "{}", stderr(&branch));
    chat(&[&format!("--continue={id}"), "And the second city?"]);
    assert_eq!(roles_and_texts(&server, 2).len(), 4);
    let all = lines(&run(&place, &["sessions", "show", "--all", "--json", &id]));
    let parents: Vec<_> = all.iter().map(|stored| stored["parent"].as_u64()).collect();
    assert_eq!(parents, [None, Some(1), Some(2), Some(3), Some(2), Some(5)]);
    let shown = stdout(&run(&place, &["sessions", "show"]));
    assert!(shown.contains("Lyon.") && !shown.contains("Two million."), "{shown}");

    let hits = lines(&run(&place, &["sessions", "search", "--json", "million"]));
    assert_eq!((hits.len(), hits[0]["message"].as_u64()), (1, Some(4)));
    let nothing = run(&place, &["sessions", "search", "Marseille"]);
    assert_eq!((nothing.status.code(), stdout(&nothing).as_str()), (Some(1), ""));

    for name in ["kept.jsonl", "kept.md"] {
        let file = place.file(name).display().to_string();
        assert!(run(&place, &["sessions", "export", &id, "--out", &file]).status.success());
        let imported = run(&place, &["sessions", "import", &file]);
        assert!(imported.status.success(), "{}", stderr(&imported));
        let copy = stdout(&imported).trim().to_owned();
        assert_ne!(copy, id);
        let export = |id: &str| stdout(&run(&place, &["sessions", "export", id])).replace(id, "ID");
        assert_eq!(export(&copy), export(&id));
        assert!(run(&place, &["sessions", "delete", &copy]).status.success());
    }
    assert!(run(&place, &["sessions", "delete", &id]).status.success());
    assert_eq!(stdout(&run(&place, &["sessions", "list"])), "");
    let gone = run(&place, &["chat", "--continue", "--base-url", &url, "--model", "m", "x"]);
    assert_eq!(gone.status.code(), Some(2), "{}", stderr(&gone));
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn nothing_is_kept_that_should_not_be() {
    let place = Place::new();
    let server = server(&["one", "two"]);
    let url = server.url();
    let chat = ["chat", "--base-url", &url, "--model", "m", "--no-session", "hi"];
    assert!(run(&place, &chat).status.success());
    let output = thalweg(&place, &chat[..5]).arg("hi").env("THALWEG_SESSIONS", "off").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!place.file("kept").exists());
    let output = thalweg(&place, &["sessions", "list"]).env("THALWEG_SESSIONS", "off").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_file_that_cannot_be_written_does_not_end_the_conversation() {
    let place = Place::new();
    let server = server(&["still here"]);
    std::fs::write(place.file("kept"), "a file, where a folder is wanted").unwrap();
    let output = run(&place, &["chat", "--base-url", &server.url(), "--model", "m", "hi"]);
    assert!(output.status.success() && stdout(&output).contains("still here"), "{}", stderr(&output));
    assert!(stderr(&output).contains("the conversation is not kept"), "{}", stderr(&output));
}

#[test]
fn a_chat_that_is_killed_has_kept_what_was_said() {
    let place = Place::new();
    let server = server(&["answered"]);
    // A second request gets no answer any more.
    let mut child = thalweg(&place, &["chat", "--base-url", &server.url(), "--model", "m"]);
    let mut child = child.stdin(std::process::Stdio::piped()).spawn().expect("it starts");
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"first question\n").unwrap();
    let started = Instant::now();
    let kept = || -> usize {
        let list = run(&place, &["sessions", "list", "--json"]);
        lines(&list).first().and_then(|session| session["messages"].as_u64()).unwrap_or(0) as usize
    };
    while kept() < 2 {
        assert!(started.elapsed() < Duration::from_secs(30), "the reply was never kept");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let shown = stdout(&run(&place, &["sessions", "show"]));
    assert!(shown.contains("first question") && shown.contains("answered"), "{shown}");
}
