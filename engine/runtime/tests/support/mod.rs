//! An agent with a key and a tool, and the server that it asks: what logs and spans are looked at with.

use serde_json::{Value, json};
use thalweg::{Agent, AgentBuilder, Tool};
use thalweg_replay::{Exchange, Options, Recording, Server};

pub(crate) const KEY: &str = "sk-very-secret-0123456789";

fn chunk(delta: Value, finish: Option<&str>) -> String {
    let body = json!({"id": "c1", "object": "chat.completion.chunk", "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}});
    format!("data: {body}\n\n")
}

pub(crate) fn server(options: Options) -> Server {
    let call = json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "find", "arguments": "{\"what\":\"it\"}"}}]});
    let end = "data: [DONE]\n\n".to_owned();
    let first = Exchange::of_chunks([chunk(call, None), chunk(json!({}), Some("tool_calls")), end.clone()]);
    let second =
        Exchange::of_chunks([chunk(json!({"content": "Found ```it```."}), None), chunk(json!({}), Some("stop")), end]);
    Server::start(vec![Recording::by_hand("openai-chat", vec![first, second])], options).expect("a loopback port")
}

pub(crate) fn agent(server: &Server) -> AgentBuilder {
    let find =
        Tool::new("find", "Finds.", json!({"type": "object"}), |_, _| async { Ok("under the table".to_owned()) });
    let agent = Agent::builder().provider("openai").model("gpt-4o").base_url(server.url()).api_key(KEY);
    agent.header("x-more", "header-value-secret").system("Be brief.").tool(find).link(thalweg_openai::module())
}
