//! What arrives at a real server.

use serde_json::{Value, json};
use thalweg::provider::Table;
use thalweg::{Agent, AgentBuilder, Error};
use thalweg_replay::{Exchange, Options, Recording, Server};

/// A server that says "ok" to whoever asks.
fn server() -> Server {
    let chunk = json!({"id": "c1", "object": "chat.completion.chunk", "model": "m",
        "choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": "stop"}]});
    let recording =
        Recording::by_hand("openai-chat", vec![Exchange::of_chunks([format!("data: {chunk}\n\ndata: [DONE]\n\n")])]);
    Server::start(vec![recording], Options::in_order()).expect("a loopback port")
}

fn builder() -> AgentBuilder {
    Agent::builder().link(thalweg_openai::module())
}

/// The body that arrives for `describe` at a server of its own, and a header.
async fn sent(describe: impl FnOnce(AgentBuilder, &str) -> AgentBuilder, header: &str) -> (Value, Option<String>) {
    let server = server();
    let agent = describe(builder(), &format!("{}/v1", server.url())).build().expect("a complete description");
    agent.prompt("go").expect("an idle agent").message().await.expect("a reply");
    let captured = server.requests().remove(0);
    let header = captured.request.header(header).map(str::to_owned);
    (serde_json::from_slice(&captured.request.body).expect("a JSON body"), header)
}

#[tokio::test]
async fn with_a_base_url_the_model_goes_out_as_it_stands() {
    for model in
        ["openai/gpt-oss-20b", "anthropic/x/y", "openrouter/auto", "llama3:8b", "plain:high", "openai/openai/x"]
    {
        let (body, _) = sent(|builder, url| builder.base_url(url).model(model), "").await;
        assert_eq!((&body["model"], body.get("reasoning_effort")), (&json!(model), None));
    }
}

#[tokio::test]
async fn a_provider_beside_a_base_url_lends_its_habits_and_leaves_the_model_alone() {
    let (plain, _) = sent(|builder, url| builder.base_url(url).model("openai/o").max_tokens(9), "").await;
    assert_eq!((&plain["max_tokens"], plain.get("max_completion_tokens")), (&json!(9), None));
    let (openai, authorization) = sent(
        |builder, url| builder.base_url(url).model("openai/o").max_tokens(9).provider("openai").api_key("k"),
        "authorization",
    )
    .await;
    assert_eq!((&openai["max_completion_tokens"], openai.get("max_tokens")), (&json!(9), None));
    assert_eq!(openai["model"], "openai/o");
    assert_eq!(authorization.as_deref(), Some("Bearer k"));
}

/// A table with one row, `house`, at this address.
fn house(url: &str, more: &str) -> Table {
    let mut table = Table::empty();
    let row = format!("[[provider]]\nid = \"house\"\nbase_url = \"{url}\"\ndialect = \"openai-chat\"\n{more}");
    table.add_toml("mine", &row).expect("a row");
    table
}

#[tokio::test]
async fn a_level_behind_the_model_reaches_the_server_and_flags_say_how() {
    for (more, field) in [("", "/reasoning_effort"), ("flags = { thinking = \"reasoning\" }", "/reasoning/effort")] {
        let (body, _) =
            sent(|builder, url| builder.providers(house(url, more)).model("house/family/model:8b:low"), "").await;
        assert_eq!(body["model"], "family/model:8b");
        assert_eq!(body.pointer(field), Some(&json!("low")), "{body}");
    }
    let thinking = thalweg::request::Thinking { level: "high".into(), budget_tokens: None };
    let (body, _) =
        sent(|builder, url| builder.providers(house(url, "")).model("house/m:low").thinking(thinking), "").await;
    assert_eq!(body["reasoning_effort"], "high", "what is said apart goes over the name");
}

#[tokio::test]
async fn a_row_says_in_which_header_the_key_goes_and_what_else_is_sent() {
    let more = "auth = { kind = \"header\", name = \"x-house-key\" }\nheaders = { x-team = \"blue\" }";
    let describe = |builder: AgentBuilder, url: &str| builder.providers(house(url, more)).model("house/m").api_key("k");
    assert_eq!(sent(describe, "x-house-key").await.1.as_deref(), Some("k"));
    assert_eq!(sent(describe, "x-team").await.1.as_deref(), Some("blue"));
    assert_eq!(sent(describe, "authorization").await.1, None);
}

/// A dialect whose description brings a provider along.
mod house {
    use std::sync::OnceLock;

    use thalweg_abi::guest::{Codec, Failure};
    use thalweg_openai::OpenAiChat;

    /// Set before the plugin is started.
    pub(crate) static DESCRIPTION: OnceLock<String> = OnceLock::new();

    #[derive(Default)]
    #[expect(unreachable_pub, reason = "the plugin's package, which is public, names it")]
    pub struct House(OpenAiChat);

    impl Codec for House {
        type Stream = <OpenAiChat as Codec>::Stream;

        fn describe(&self) -> &str {
            DESCRIPTION.get().map_or("{}", String::as_str)
        }

        fn open(&self, options: &str) -> Result<Self::Stream, Failure> {
            self.0.open(options)
        }
    }

    thalweg_abi::plugin! { id: "example.house", version: "1.0.0", codec: House }
}

#[tokio::test]
async fn a_plugin_brings_its_provider_along() {
    let describe = |builder: AgentBuilder, url: &str| {
        house::DESCRIPTION.get_or_init(|| {
            let row =
                json!({"id": "acme", "base_url": url, "dialect": "acme-chat", "flags": {"thinking": "reasoning"}});
            let auth = json!({"kind": "bearer"});
            json!({"dialect": "acme-chat", "framing": "sse", "auth": auth, "providers": [row]}).to_string()
        });
        let module = thalweg_abi::guest::module::<house::Package>();
        builder.providers(Table::built_in().clone()).link(module).model("acme/m:low").api_key("k")
    };
    let (body, authorization) = sent(describe, "authorization").await;
    assert_eq!((&body["model"], &body["reasoning"]), (&json!("m"), &json!({"effort": "low"})));
    assert_eq!(authorization.as_deref(), Some("Bearer k"));
}

#[test]
fn a_description_that_leads_nowhere_is_refused_when_the_agent_is_built() {
    let refused = |builder: AgentBuilder| builder.build().expect_err("refused").to_string();
    let message = refused(builder().providers(Table::built_in().clone()).provider("opnai").model("m"));
    assert!(message.contains("did you mean openai"), "{message}");
    let message = refused(builder().providers(Table::built_in().clone()).model("cohere/m").api_key("k"));
    assert!(message.contains("no codec for dialect \"cohere-v2\"") && message.contains("openai-chat"), "{message}");
    assert!(matches!(builder().build(), Err(Error::NoModel)));
}
