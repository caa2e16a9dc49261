//! What holds of the events of every run, however it ends.

use serde_json::{Value, json};
use thalweg::{AgentBuilder, Hook, HookPoint, Run, Tool};
use thalweg_replay::{Exchange, Fault, Options};

use crate::support::{agent, call_reply, chunk, echo_tool, finished, server, text_reply};

async fn lines(run: &Run) -> Vec<Value> {
    let (mut lines, mut events) = (Vec::new(), run.events());
    while let Some(event) = events.next().await {
        let mut line = Vec::new();
        event.write_json(&mut line);
        lines.push(serde_json::from_slice(&line).expect("a line of JSON"));
    }
    lines
}

#[tokio::test]
async fn every_path_ends_with_one_agent_end_and_leaves_no_call_without_a_result() {
    let call = || call_reply("c1", "echo", r#"{"text":"x"}"#);
    let panicking = || Tool::new("echo", "", json!({"type": "object"}), |_, _| async { panic!("boom") });
    let hook = |point| Hook::new(point, |_| async { Err("no".to_owned()) });
    let cut = Exchange::of_chunks([chunk(json!({"content": "kept"}), None)]);
    let half_call = chunk(
        json!({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "echo", "arguments": "{\"text\":\"x\"}"}}]}),
        None,
    );
    let length = Exchange::of_chunks([half_call.clone(), chunk(json!({}), Some("length"))]);
    let cases = [
        ("a plain reply", vec![text_reply(&["ok"])], Options::in_order(), vec![], echo_tool()),
        ("a tool", vec![call(), text_reply(&["ok"])], Options::in_order(), vec![], echo_tool()),
        ("a tool that panics", vec![call(), text_reply(&["ok"])], Options::in_order(), vec![], panicking()),
        (
            "a hook before a tool",
            vec![call(), text_reply(&["ok"])],
            Options::in_order(),
            vec![hook(HookPoint::BeforeToolCall)],
            echo_tool(),
        ),
        (
            "a hook after a tool",
            vec![call(), text_reply(&["ok"])],
            Options::in_order(),
            vec![hook(HookPoint::AfterToolCall)],
            echo_tool(),
        ),
        (
            "a hook after a turn",
            vec![call(), text_reply(&["ok"])],
            Options::in_order(),
            vec![hook(HookPoint::AfterTurn)],
            echo_tool(),
        ),
        (
            "a hook before a request",
            vec![text_reply(&["ok"])],
            Options::in_order(),
            vec![hook(HookPoint::TransformContext)],
            echo_tool(),
        ),
        ("a cut stream", vec![cut], Options::in_order(), vec![], echo_tool()),
        ("a call cut by the length", vec![length], Options::in_order(), vec![], echo_tool()),
        ("a call cut by the end", vec![Exchange::of_chunks([half_call])], Options::in_order(), vec![], echo_tool()),
        ("no key", vec![call()], Options::in_order().fault(0..9, Fault::status(401, "{}")), vec![], echo_tool()),
        ("a reset", vec![call()], Options::in_order().fault(0..9, Fault::ResetAfter(30)), vec![], echo_tool()),
    ];
    for (name, exchanges, options, hooks, tool) in cases {
        let server = server(exchanges, options);
        let builder = hooks.into_iter().fold(agent(&server).tool(tool), AgentBuilder::hook);
        let agent = builder.build().unwrap();
        let run = agent.prompt("go").unwrap();
        let outcome = finished(&run).await;
        let lines = lines(&run).await;
        let ends = lines.iter().filter(|line| line["type"] == "agent_end").count();
        assert!(ends == 1 && lines.last().unwrap()["type"] == "agent_end", "{name}: {ends} ends");
        assert!(lines.windows(2).all(|two| two[0]["seq"].as_u64() < two[1]["seq"].as_u64()), "{name}");
        assert!(lines.windows(2).all(|two| two[0]["time_us"].as_u64() <= two[1]["time_us"].as_u64()), "{name}");
        let count = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
        for (start, end) in [
            ("turn_start", "turn_end"),
            ("message_start", "message_end"),
            ("tool_execution_start", "tool_execution_end"),
        ] {
            assert_eq!(count(start), count(end), "{name}: {start}");
        }
        let messages = serde_json::to_value(agent.messages()).unwrap();
        let of = |kind: &str| {
            messages
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|m| m["content"].as_array().unwrap().clone())
                .filter(|part| part["type"] == kind)
                .count()
        };
        assert_eq!(of("tool_call"), of("tool_result"), "{name}: {messages}");
        assert_eq!(serde_json::to_value(&outcome.messages).unwrap(), lines.last().unwrap()["messages"], "{name}");
        if name.starts_with("a call cut") {
            assert_eq!((of("tool_call"), count("tool_execution_start")), (1, 0), "{name}: it was run");
        }
    }
}
