//! What the rules of each provider make of a request: thinking, marks of the cache, sessions, foreign messages.

use serde_json::{Value, json};
use thalweg::message::{
    AssistantMessage, ContentBlock, Message, Source, ToolCall, ToolMessage, ToolResult, UserContent, UserMessage,
};
use thalweg::request::{Cache, CacheMarks, Thinking};
use thalweg::{Accepts, AgentBuilder, Client, ForeignThinking, Module};
use thalweg_replay::{Fault, Options, Recording, Server};

fn module(dialect: &str) -> Module {
    match dialect {
        "openai-chat" => thalweg_openai::module(),
        "anthropic" => thalweg_anthropic::module(),
        "openai-responses" => thalweg_openai_responses::module(),
        "gemini" => thalweg_gemini::module(),
        "ollama" => thalweg_ollama::module(),
        "cohere-v2" => thalweg_cohere::module(),
        "bedrock-converse" | "bedrock" => thalweg_bedrock::module(),
        other => panic!("{other}"),
    }
}

/// What `describe` makes a client send for `messages`, as `provider` in `dialect`.
async fn sent(
    (provider, dialect, model): (&str, &str, &str),
    messages: Vec<Message>,
    describe: impl FnOnce(AgentBuilder) -> AgentBuilder,
) -> (Value, Vec<(String, String)>) {
    // The reply is of no interest.
    let refused = Fault::status(400, r#"{"error":{"message":"seen"}}"#);
    let server = Server::start(vec![Recording::by_hand(dialect, Vec::new())], Options::in_order().fault(0..9, refused));
    let server = server.expect("a loopback port");
    let mut builder = Client::builder().model(model).base_url(server.url()).dialect(dialect).link(module(dialect));
    if !provider.is_empty() {
        builder = builder.provider(provider).api_key("k");
    }
    let error = describe(builder).build_client().expect("a client").chat(messages).await.expect_err("a refusal");
    let requests = server.requests();
    let request = &requests.first().unwrap_or_else(|| panic!("nothing was sent: {error}")).request;
    (serde_json::from_slice(&request.body).expect("a JSON body"), request.headers.clone())
}

fn user(text: &str) -> Message {
    Message::user(text)
}

fn reply(provider: Option<&str>, content: Vec<ContentBlock>) -> Message {
    Message::Assistant(AssistantMessage {
        content,
        provider: provider.map(str::to_owned),
        ..AssistantMessage::default()
    })
}

fn text(text: &str) -> ContentBlock {
    ContentBlock::Text { text: text.into() }
}

fn call(id: &str) -> ContentBlock {
    ContentBlock::ToolCall(ToolCall { id: id.into(), name: "t".into(), arguments: "{}".into(), ..ToolCall::default() })
}

fn result(id: &str, content: Vec<UserContent>) -> Message {
    let result = ToolResult { tool_call_id: id.into(), tool_name: "t".into(), content, is_error: false, details: None };
    Message::Tool(ToolMessage { content: vec![result], time_us: None })
}

#[tokio::test]
async fn levels_and_budgets_of_thinking_are_sent_in_the_words_of_each_dialect() {
    let level = |level: &str| Thinking { level: level.into(), budget_tokens: None };
    let budget = |tokens| Thinking { level: "high".into(), budget_tokens: Some(tokens) };
    for (who, thinking, pointer, expected) in [
        (("openai", "openai-chat", "gpt-5"), level("low"), "/reasoning_effort", json!("low")),
        (("openai", "openai-responses", "gpt-5"), level("high"), "/reasoning/effort", json!("high")),
        (("anthropic", "anthropic", "claude-sonnet-4-5"), level("minimal"), "/thinking/budget_tokens", json!(1024)),
        (("anthropic", "anthropic", "claude-sonnet-4-5"), level("low"), "/thinking/budget_tokens", json!(2048)),
        (("anthropic", "anthropic", "claude-sonnet-4-5"), level("medium"), "/thinking/budget_tokens", json!(8192)),
        (("anthropic", "anthropic", "claude-sonnet-4-5"), level("high"), "/thinking/budget_tokens", json!(16_384)),
        (("anthropic", "anthropic", "claude-sonnet-4-5"), budget(5000), "/thinking/budget_tokens", json!(5000)),
        (("anthropic", "anthropic", "claude-opus-4-7"), level("high"), "/output_config/effort", json!("high")),
        (
            ("gemini", "gemini", "gemini-2.5-flash"),
            budget(5000),
            "/generationConfig/thinkingConfig/thinkingBudget",
            json!(5000),
        ),
        (
            ("gemini", "gemini", "gemini-2.5-flash"),
            level("low"),
            "/generationConfig/thinkingConfig/thinkingBudget",
            json!(2048),
        ),
        (("ollama", "ollama", "gpt-oss"), level("low"), "/think", json!("low")),
        (("cohere", "cohere-v2", "command-a-reasoning"), budget(5000), "/thinking/token_budget", json!(5000)),
        (("openrouter", "openai-chat", "x/y"), level("medium"), "/reasoning/effort", json!("medium")),
        (("zai", "openai-chat", "glm-5"), level("low"), "/thinking/type", json!("enabled")),
    ] {
        let (body, _) = sent(who, vec![user("hi")], |builder| builder.thinking(thinking.clone())).await;
        assert_eq!(body.pointer(pointer), Some(&expected), "{who:?} {thinking:?}: {body}");
    }
}

#[tokio::test]
async fn signatures_and_hidden_thinking_go_back_byte_for_byte_to_who_gave_them() {
    let signature = "EqQBCgIYAhIM+/=\"\\\u{e9}\n";
    let thinking = vec![
        ContentBlock::Thinking { text: " two  blanks ".into(), signature: Some(signature.into()) },
        ContentBlock::RedactedThinking { data: "b64+/==".into() },
        call("toolu_1"),
    ];
    let messages = vec![user("a"), reply(Some("anthropic"), thinking), result("toolu_1", vec![UserContent::text("r")])];
    let (body, _) = sent(("anthropic", "anthropic", "claude-sonnet-4-5"), messages, |builder| builder).await;
    assert_eq!(
        body["messages"][1]["content"],
        json!([{"type":"thinking","thinking":" two  blanks ","signature":signature},
            {"type":"redacted_thinking","data":"b64+/=="}, {"type":"tool_use","id":"toolu_1","name":"t","input":{}}])
    );
}

#[tokio::test]
async fn the_messages_of_another_provider_are_made_fit() {
    // Ids as the Responses dialect has them, alike up to their ends.
    let ids = ["a", "b"].map(|end| format!("call_{}|fc_{end}", "x".repeat(80)));
    let content = vec![
        ContentBlock::Thinking { text: "I thought so.".into(), signature: Some("foreign".into()) },
        ContentBlock::RedactedThinking { data: "foreign".into() },
        call(&ids[0]),
        call(&ids[1]),
    ];
    let results = Message::Tool(ToolMessage {
        content: ids
            .iter()
            .map(|id| ToolResult {
                tool_call_id: id.clone(),
                tool_name: "t".into(),
                content: vec![UserContent::text("r")],
                is_error: false,
                details: None,
            })
            .collect(),
        time_us: None,
    });
    let orphans = vec![reply(Some("openai"), vec![call("lost")]), user("go on"), result("stray", Vec::new())];
    let messages = || {
        let mut messages = vec![user("a"), reply(Some("openai"), content.clone()), results.clone()];
        messages.extend(orphans.clone());
        messages
    };
    let to = ("anthropic", "anthropic", "claude-sonnet-4-5");
    let (body, _) = sent(to, messages(), |builder| builder).await;
    let sent_messages = body["messages"].as_array().unwrap();
    let blocks = sent_messages[1]["content"].as_array().unwrap();
    assert_eq!(blocks[0], json!({"type":"text","text":"I thought so."}));
    assert_eq!(blocks.len(), 3, "{blocks:?}");
    assert!(!body.to_string().contains("foreign"));
    let used: Vec<&str> = blocks[1..].iter().map(|block| block["id"].as_str().unwrap()).collect();
    assert!(used[0] != used[1] && used.iter().all(|id| id.len() <= 64), "{used:?}");
    for (place, id) in used.iter().enumerate() {
        assert_eq!(sent_messages[2]["content"][place]["tool_use_id"], json!(id));
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'), "{id}");
    }
    assert_eq!(sent_messages[4]["content"][0]["is_error"], json!(true), "a call without result has an error");
    assert!(!body.to_string().contains("stray"), "a result without call is left out");

    let accepts = Accepts { foreign_thinking: ForeignThinking::Dropped, ..Accepts::default() };
    let (body, _) = sent(to, messages(), |builder| builder.accepts(accepts)).await;
    assert!(!body.to_string().contains("I thought so"));
    let (body, _) = sent(("mistral", "openai-chat", "mistral-small"), messages(), |builder| builder).await;
    let calls = &body["messages"][1]["tool_calls"];
    assert_eq!(calls[0]["id"].as_str().unwrap().len(), 9);
    assert_eq!(body["messages"][2]["tool_call_id"], calls[0]["id"]);
    assert_ne!(calls[0]["id"], calls[1]["id"]);
}

#[tokio::test]
async fn images_become_a_note_for_a_model_that_takes_none() {
    let image = || UserContent::image(Source::data("image/png", "AAAA"));
    let content = vec![UserContent::text("look"), image()];
    let messages = || {
        let user = Message::User(UserMessage { content: content.clone(), time_us: None });
        vec![user, reply(None, vec![call("c1")]), result("c1", vec![image()])]
    };
    for dialect in ["openai-chat", "anthropic", "gemini", "openai-responses"] {
        let (body, _) = sent(("", dialect, "m"), messages(), |builder| builder).await;
        assert_eq!(body.to_string().matches("AAAA").count(), 2, "{dialect}");
        let accepts = Accepts { images: false, ..Accepts::default() };
        let (body, _) = sent(("", dialect, "m"), messages(), |builder| builder.accepts(accepts)).await;
        let body = body.to_string();
        assert_eq!((body.matches("AAAA").count(), body.matches("image was left out").count()), (0, 2), "{dialect}");
    }
}

/// Where marks stand in a request: `system`, `tools`, `top`, and the numbers of messages.
fn marks(body: &Value) -> Vec<String> {
    let is_marked =
        |value: &Value| value.to_string().contains("cache_control") || value.to_string().contains("cachePoint");
    let mut found = Vec::new();
    for key in ["cache_control", "system", "tools", "toolConfig"] {
        let value = &body[key];
        if is_marked(value) || (key == "cache_control" && !value.is_null()) {
            found.push(key.to_owned());
        }
    }
    let messages = body["messages"].as_array().unwrap();
    found.extend(messages.iter().enumerate().filter(|(_, message)| is_marked(message)).map(|(at, _)| at.to_string()));
    let total =
        body.to_string().matches("\"cache_control\"").count() + body.to_string().matches("\"cachePoint\"").count();
    assert_eq!(total, found.len(), "one mark a place: {body}");
    assert!(total <= 4, "{total} marks");
    found
}

fn long_talk() -> Vec<Message> {
    let mut messages = Vec::new();
    for number in 0..5 {
        messages.push(user(&format!("question {number}")));
        messages.push(reply(None, vec![text("answer"), call(&format!("c{number}"))]));
        messages.push(result(&format!("c{number}"), vec![UserContent::text("r")]));
        messages.push(reply(None, vec![text("so")]));
    }
    messages.push(user("last"));
    messages
}

#[tokio::test]
async fn marks_of_the_cache_stand_where_the_policy_wants_them_and_are_at_most_four() {
    let tool = || thalweg::Tool::new("t", "", json!({"type":"object"}), |_, _| async { Ok(String::new()) });
    let anthropic = ("anthropic", "anthropic", "claude-sonnet-4-5");
    let router = ("openrouter", "openai-chat", "anthropic/claude");
    let bedrock = ("", "bedrock", "anthropic.claude-3");
    use CacheMarks::{AllUser, LastText, LastUser};
    let in_tools = || long_talk()[..19].to_vec();
    for (who, policy, messages, expected) in [
        (anthropic, AllUser, vec![user("a")], vec!["system", "0"]),
        (anthropic, AllUser, long_talk(), vec!["system", "12", "16", "20"]),
        (anthropic, LastUser, long_talk(), vec!["system", "20"]),
        (anthropic, LastUser, in_tools(), vec!["system", "18"]),
        (anthropic, LastText, long_talk(), vec!["20"]),
        (anthropic, LastText, in_tools(), vec!["17"]),
        // The system prompt is the first message here.
        (router, AllUser, long_talk(), vec!["0", "13", "17", "21"]),
        (router, LastText, long_talk(), vec!["21"]),
        (router, LastText, in_tools(), vec!["18"]),
        (bedrock, AllUser, long_talk(), vec!["system", "12", "16", "20"]),
        (("openai", "openai-chat", "gpt-5"), AllUser, long_talk(), vec![]),
        (("gemini", "gemini", "gemini-2.5-flash"), LastUser, long_talk(), vec![]),
    ] {
        let dialect = who.1;
        let build = |builder: AgentBuilder| builder.system("s").tool(tool()).cache_marks(policy);
        if dialect == "gemini" {
            let (body, _) = sent(who, messages, build).await;
            assert!(!body.to_string().contains("cache"), "{body}");
            continue;
        }
        let (body, _) = sent(who, messages.clone(), build).await;
        assert_eq!(marks(&body), expected, "{who:?} {policy:?}");
        assert!(!body.to_string().contains("ttl"));
        let (body, _) = sent(who, messages.clone(), |builder| build(builder).cache(Cache::Long)).await;
        let long = body.to_string().matches(r#"{"type":"ephemeral","ttl":"1h"}"#).count();
        assert_eq!(long, if dialect == "bedrock" { 0 } else { expected.len() }, "{who:?} {policy:?}");
        let (body, _) = sent(who, messages, |builder| build(builder).cache(Cache::None)).await;
        assert_eq!(marks(&body), Vec::<String>::new());
    }
}

#[tokio::test]
async fn only_text_at_the_end_of_a_message_is_marked_for_all_users() {
    let image = UserContent::image(Source::url("https://x/y.png"));
    let ends_with_image = Message::User(UserMessage { content: vec![UserContent::text("look"), image], time_us: None });
    let anthropic = ("anthropic", "anthropic", "claude-sonnet-4-5");
    let messages = vec![user("a"), reply(None, vec![text("b")]), ends_with_image];
    let (body, _) = sent(anthropic, messages.clone(), |builder| builder.cache_marks(CacheMarks::AllUser)).await;
    assert_eq!(marks(&body), ["0"]);
    let (body, _) = sent(anthropic, messages, |builder| builder.cache_marks(CacheMarks::LastUser)).await;
    assert_eq!(body["messages"][2]["content"][1]["cache_control"], json!({"type":"ephemeral"}));
}

#[tokio::test]
async fn sessions_are_named_as_each_provider_wants_it() {
    for (who, pointer) in [
        (("openai", "openai-chat", "gpt-5"), "/prompt_cache_key"),
        (("openai", "openai-responses", "gpt-5"), "/prompt_cache_key"),
        (("openrouter", "openai-chat", "x/y"), "/session_id"),
    ] {
        let (body, _) = sent(who, vec![user("hi")], |builder| builder.session("talk-1")).await;
        assert_eq!(body.pointer(pointer), Some(&json!("talk-1")), "{who:?}");
        let (body, _) = sent(who, vec![user("hi")], |builder| builder.session("talk-1").cache(Cache::None)).await;
        assert_eq!(body.pointer("/prompt_cache_key"), None);
    }
    let (_, headers) = sent(("xai", "openai-chat", "grok-4"), vec![user("hi")], |builder| builder.session("t")).await;
    assert!(headers.contains(&("x-grok-conv-id".to_owned(), "t".to_owned())));
}
