//! Which server a model's name leads to, under which name and with whose habits.

use serde_json::{Value, json};
use thalweg::{Agent, AgentBuilder, Error};
use thalweg_replay::{Exchange, Options, Origin, Recording, Server};

/// A server that says "ok" to whoever asks.
fn server() -> Server {
    let chunk = json!({"id": "c1", "object": "chat.completion.chunk", "model": "m",
        "choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": "stop"}]});
    let recording = Recording {
        name: "test".into(),
        prompt: String::new(),
        dialect: "openai-chat".into(),
        model: "m".into(),
        server: "none".into(),
        origin: Origin::WrittenByHand,
        recorded: "2026-11-21".into(),
        note: String::new(),
        exchanges: vec![Exchange::of_chunks([format!("data: {chunk}\n\ndata: [DONE]\n\n")])],
    };
    Server::start(vec![recording], Options::in_order()).expect("a loopback port")
}

fn builder() -> AgentBuilder {
    Agent::builder().link(thalweg_openai::module())
}

/// The body that arrives for `describe` at a server of its own, and the authorization header.
async fn sent(describe: impl FnOnce(AgentBuilder) -> AgentBuilder) -> (Value, Option<String>) {
    let server = server();
    let agent = describe(builder().base_url(format!("{}/v1", server.url()))).build().expect("a complete description");
    agent.prompt("go").expect("an idle agent").message().await.expect("a reply");
    let captured = server.requests().remove(0);
    let authorization = captured.request.header("authorization").map(str::to_owned);
    (serde_json::from_slice(&captured.request.body).expect("a JSON body"), authorization)
}

#[tokio::test]
async fn with_a_base_url_the_model_goes_out_as_it_stands() {
    for model in ["openai/gpt-oss-20b", "anthropic/x/y", "openrouter/auto", "llama3:8b", "plain", "openai/openai/x"] {
        let (body, _) = sent(|builder| builder.model(model)).await;
        assert_eq!(body["model"], model);
    }
}

#[tokio::test]
async fn a_provider_beside_a_base_url_lends_its_habits_and_leaves_the_model_alone() {
    let ask = |builder: AgentBuilder| builder.model("openai/o").max_tokens(9);
    let (plain, _) = sent(ask).await;
    assert_eq!((&plain["max_tokens"], plain.get("max_completion_tokens")), (&json!(9), None));
    let (openai, authorization) = sent(|builder| ask(builder).provider("openai").api_key("k")).await;
    assert_eq!((&openai["max_completion_tokens"], openai.get("max_tokens")), (&json!(9), None));
    assert_eq!(openai["model"], "openai/o");
    assert_eq!(authorization.as_deref(), Some("Bearer k"));
}

#[test]
fn a_provider_that_nobody_knows_is_refused() {
    let refused =
        builder().provider("opnai").model("m").base_url("http://127.0.0.1:9").build().expect_err("no such row");
    assert!(matches!(&refused, Error::UnknownProvider { .. }), "{refused}");
}
