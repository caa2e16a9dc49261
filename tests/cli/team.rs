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
    let chunk = |delta: Value, finish: Value| {
        format!(
            "data: {}\n\n",
            json!({"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
        )
    };
    let end = chunk(json!({}), json!("stop"));
    Exchange::of_chunks([chunk(json!({"content": text}), Value::Null), end, "data: [DONE]\n\n".to_owned()])
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
