//! Another provider within one conversation.

use serde_json::{Value, json};
use thalweg::message::Message;
use thalweg::{Agent, AgentBuilder, Tool};
use thalweg_replay::{Exchange, Options, Recording, Server};

use crate::support::{body, builder, call_reply, header, server, soon, text_reply};

/// A reply of Anthropic's dialect that thinks, with a signature.
fn thoughtful(text: &str) -> Exchange {
    let event = |kind: &str, mut rest: Value| {
        rest["type"] = json!(kind);
        format!("event: {kind}\ndata: {rest}\n\n")
    };
    let delta = |index: u32, delta: Value| event("content_block_delta", json!({"index": index, "delta": delta}));
    Exchange::of_chunks([
        event(
            "message_start",
            json!({"message": {"id": "a1", "type": "message", "role": "assistant", "model": "claude",
            "content": [], "stop_reason": null, "usage": {"input_tokens": 3, "output_tokens": 1}}}),
        ),
        event(
            "content_block_start",
            json!({"index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        ),
        delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
        delta(0, json!({"type": "signature_delta", "signature": "c2lnbmVk"})),
        event("content_block_stop", json!({"index": 0})),
        event("content_block_start", json!({"index": 1, "content_block": {"type": "text", "text": ""}})),
        delta(1, json!({"type": "text_delta", "text": text})),
        event("content_block_stop", json!({"index": 1})),
        event("message_delta", json!({"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}})),
        event("message_stop", json!({})),
    ])
}

fn anthropic(exchanges: Vec<Exchange>) -> (Server, AgentBuilder) {
    let server = Server::start(vec![Recording::by_hand("anthropic", exchanges)], Options::in_order()).expect("a port");
    let other = Agent::builder().provider("anthropic").model("claude").base_url(server.url()).api_key("ant-key");
    (server, other.link(thalweg_anthropic::module()).retry(soon()))
}

#[tokio::test]
async fn a_conversation_goes_on_with_another_provider_and_back_again() {
    let first = server(vec![text_reply(&["one"]), text_reply(&["three"])], Options::in_order());
    let (second, other) = anthropic(vec![thoughtful("two")]);
    let agent = builder(&first).system("Count.").api_key("oa-key").build().unwrap();
    assert_eq!(agent.prompt("1").unwrap().message().await.unwrap().text(), "one");

    agent.set_provider(other).unwrap();
    assert_eq!((agent.endpoint().as_str(), agent.model().as_str()), ("anthropic", "claude"));
    let reply = agent.prompt("2").unwrap().message().await.unwrap();
    assert_eq!((reply.text().as_str(), reply.provider.as_deref()), ("two", Some("anthropic")));
    let sent = body(&second, 0);
    assert_eq!(sent["messages"].as_array().unwrap().len(), 3, "the whole conversation: {sent}");
    assert_eq!(sent["model"], "claude");
    assert!(sent["system"].to_string().contains("Count."));
    assert_eq!(header(&second, 0, "x-api-key").as_deref(), Some("ant-key"));
    assert!(header(&second, 0, "authorization").is_none(), "no key goes to where it is not for");

    agent.set_provider(builder(&first).api_key("oa-key")).unwrap();
    assert_eq!(agent.prompt("3").unwrap().message().await.unwrap().text(), "three");
    let sent = body(&first, 1);
    assert_eq!(sent["messages"].as_array().unwrap().len(), 6, "the system prompt and five messages: {sent}");
    assert!(!sent.to_string().contains("c2lnbmVk"), "a signature is of use to its own provider only: {sent}");
    assert_eq!(agent.messages().len(), 6);
    let Message::Assistant(kept) = &agent.messages()[3] else { panic!("a reply") };
    assert!(kept.to_owned().thinking().contains("hm"), "the conversation keeps what was not sent");
}

#[tokio::test]
async fn a_change_amid_a_run_holds_from_its_next_turn_on() {
    let first = server(vec![call_reply("c1", "switch", "{}")], Options::in_order());
    let (second, other) = anthropic(vec![thoughtful("done")]);
    let slot = std::sync::Arc::new(std::sync::Mutex::new(None::<(Agent, AgentBuilder)>));
    let inside = std::sync::Arc::clone(&slot);
    let switch = Tool::new("switch", "Asks another model.", json!({"type": "object"}), move |_, _| {
        let (agent, other) = inside.lock().unwrap().take().expect("called once");
        let switched = agent.set_provider(other).map_err(|error| error.to_string());
        async move { switched.map(|()| "switched".to_owned()) }
    });
    let agent = builder(&first).tool(switch).build().unwrap();
    *slot.lock().unwrap() = Some((agent.clone(), other));
    assert_eq!(agent.prompt("go").unwrap().message().await.unwrap().text(), "done");
    assert_eq!((first.requests().len(), second.requests().len()), (1, 1));
    let sent = body(&second, 0);
    assert_eq!(sent["messages"][2]["content"][0]["type"], "tool_result", "{sent}");
    assert_eq!(sent["tools"][0]["name"], "switch", "tools stay: {sent}");
}

#[tokio::test]
async fn a_provider_that_cannot_be_had_changes_nothing() {
    let first = server(vec![text_reply(&["one"])], Options::in_order());
    let agent = builder(&first).build().unwrap();
    let nowhere = Agent::builder().model("nobody-knows/x");
    assert!(agent.set_provider(nowhere).is_err());
    assert_eq!(agent.prompt("1").unwrap().message().await.unwrap().text(), "one");
}
