//! `thalweg run --team`: several models of a file answer as one, on replay and at servers.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use thalweg_replay::{Exchange, Options, Recording, Server};

use crate::harness::{Place, repository, stderr, stdout, thalweg};

const QUESTION: &str = "Why is the lowest line of a valley called a thalweg?";

#[test]
fn the_example_of_four_dialects_needs_no_key() {
    let file = repository().join("engine/crew/examples/team_mixed_providers.toml");
    for more in [&["--replay"][..], &[]] {
        let mut command = thalweg();
        command.args(["run", "--pace", "max", "--team"]).arg(&file).args(more).arg(QUESTION);
        let output = command.output().expect("it starts");
        assert!(output.status.success(), "{}", stderr(&output));
        let lines = stdout(&output);
        let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let members: BTreeSet<&str> =
            events.iter().filter_map(|event| event["assistant_message_event"]["member"].as_str()).collect();
        assert_eq!(members.into_iter().collect::<Vec<_>>(), ["editor", "geographer", "lawyer", "linguist"]);
        let ends: Vec<&Value> = events.iter().filter(|event| event["type"] == "agent_end").collect();
        assert_eq!(ends.len(), 1);
        assert_eq!((&ends[0]["reason"], &ends[0]["usage"]["total_tokens"]), (&json!("complete"), &json!(460)));
    }
    let output = thalweg().args(["run", "--replay", "--team"]).arg(&file).arg("Who?").output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains(QUESTION), "it says what can be asked: {}", stderr(&output));
}

fn reply(text: &str) -> Exchange {
    reply_of(&json!({"content": text}), "stop")
}

fn reply_of(delta: &Value, finish: &str) -> Exchange {
    let chunk = |delta: &Value, finish: Value| {
        format!(
            "data: {}\n\n",
            json!({"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        )
    };
    let end = chunk(&json!({}), json!(finish));
    Exchange::of_chunks([chunk(delta, Value::Null), end, "data: [DONE]\n\n".to_owned()])
}

#[test]
fn tools_of_members_are_shown_with_whose_they_are() {
    let place = Place::new();
    let arguments = json!({"expression": "6 * 7"}).to_string();
    let call = json!({"index": 0, "id": "c1", "function": {"name": "calculate", "arguments": arguments}});
    let call = || reply_of(&json!({"tool_calls": [call]}), "tool_calls");
    let exchanges = (0..2).flat_map(|_| [call(), reply("42")]).collect();
    let worker =
        Server::start(vec![Recording::by_hand("openai-chat", exchanges)], Options::in_order()).expect("a port");
    let last = Server::start(vec![Recording::by_hand("openai-chat", vec![reply("so")])], Options::in_order());
    let last = last.expect("a port");
    let file = place.file("team.json");
    let team = json!({"kind": "pipeline", "members": [
        {"name": "sums", "model": "m", "base_url": worker.url(), "tools": ["calculate"]},
        {"name": "editor", "model": "m", "base_url": last.url()},
    ]});
    fs::write(&file, team.to_string()).expect("written");

    let output = place.thalweg().args(["run", "hi", "--team"]).arg(&file).output().expect("it starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let events: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let tools: Vec<&Value> =
        events.iter().filter(|event| event["type"].as_str().is_some_and(|kind| kind.starts_with("tool_"))).collect();
    assert_eq!(tools.len(), 2, "{tools:?}");
    for tool in &tools {
        assert_eq!(
            (&tool["member"], &tool["tool_name"], &tool["tool_call_id"], &tool["args"]),
            (&json!("sums"), &json!("calculate"), &json!("sums/c1"), &json!({"expression": "6 * 7"}))
        );
    }
    assert_eq!((&tools[0]["type"], &tools[1]["type"]), (&json!("tool_execution_start"), &json!("tool_execution_end")));
    assert_eq!((&tools[1]["result"]["content"][0]["text"], &tools[1]["is_error"]), (&json!("42"), &json!(false)));
    let messages = events.last().expect("an end")["messages"].as_array().map(Vec::len);
    assert_eq!(messages, Some(2), "the question and the answer of the team");

    let output = place.thalweg().args(["run", "--text", "hi", "--team"]).arg(&file).output().expect("it starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let expected = "call    sums: calculate {\"expression\":\"6 * 7\"}\nresult  sums: calculate 42\nmember  sums\n42\nmember  editor\nso\ndone";
    assert!(stdout(&output).starts_with(expected), "{}", stdout(&output));
}

#[test]
fn members_ask_their_own_servers_and_what_is_wrong_is_said() {
    let place = Place::new();
    let servers = ["draft", "final"].map(|text| {
        Server::start(vec![Recording::by_hand("openai-chat", vec![reply(text)])], Options::in_order()).expect("a port")
    });
    let file = place.file("team.json");
    let member = |server: &Server| json!({"model": "m", "base_url": server.url(), "tools": ["calculate"]});
    let team = json!({"kind": "pipeline", "members": [member(&servers[0]), member(&servers[1])]});
    fs::write(&file, team.to_string()).expect("written");
    let output = place.thalweg().args(["run", "hi", "--team"]).arg(&file).output().expect("it starts");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("\"text\":\"final\""));
    let body: Value = serde_json::from_slice(&servers[1].requests()[0].request.body).expect("JSON");
    assert_eq!((&body["messages"][0]["content"], body["tools"].as_array().map(Vec::len)), (&json!("draft"), Some(1)));

    for (team, expected) in [
        ("kind: pipeline".to_owned(), "the description of the team"),
        (json!({"kind": "pipeline", "members": [{"modle": "m"}]}).to_string(), "member `1`: unknown field `modle`"),
        (json!({"kind": "pipeline", "members": [{"model": "nobody/x"}]}).to_string(), "member `1`"),
    ] {
        fs::write(&file, team).expect("written");
        let output = place.thalweg().args(["run", "hi", "--team"]).arg(&file).output().expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{expected}: {}", stderr(&output));
    }
}
