//! Conversations that become too long: how that is told, and what is done about it.

use std::sync::{Arc, Mutex};

use thalweg::failure::FailureKind;
use thalweg::message::Message;
use thalweg::middleware::Compact;
use thalweg_abi::types::{FAILURE_CONTEXT_OVERFLOW, FAILURE_RATE_LIMIT};
use thalweg_replay::{Fault, Options};
use thalweg_wire::provider_error::ProviderError;

use crate::support::{body, builder, call_reply, failure, server, text_reply};

#[test]
fn a_prompt_that_is_too_long_is_known_by_the_words_of_each_provider() {
    for (provider, status, message) in [
        ("anthropic", 400, "prompt is too long: 213462 tokens > 200000 maximum"),
        (
            "anthropic bytes",
            413,
            r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
        ),
        ("openai", 400, "Your input exceeds the context window of this model"),
        (
            "openai chat",
            400,
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
        ),
        ("openai code", 400, r#"{"error":{"message":"too long","code":"context_length_exceeded"}}"#),
        ("google", 400, "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575)"),
        ("xai", 400, "This model's maximum prompt length is 131072 but the request contains 537812 tokens"),
        ("groq", 400, "Please reduce the length of the messages or completion"),
        (
            "openrouter",
            400,
            "This endpoint's maximum context length is 262144 tokens. However, you requested about 300000",
        ),
        ("copilot", 400, "prompt token count of 140000 exceeds the limit of 128000"),
        ("bedrock", 400, "Input is too long for requested model."),
        ("llama.cpp", 400, "the request exceeds the available context size, try increasing it"),
        ("lm studio", 400, "The number of tokens to keep from the initial prompt is greater than the context length"),
        ("minimax", 400, "invalid params, context window exceeds limit"),
        ("kimi", 400, "Your request exceeded model token limit: 262144 (requested: 300000)"),
        ("mistral", 400, "Prompt contains 65673 tokens, too large for model with 32768 maximum context length"),
        ("ollama", 400, "prompt too long; exceeded max context length by 12 tokens"),
        ("zai", 400, "model_context_window_exceeded"),
        ("plain", 400, "context_length_exceeded"),
        ("plain", 400, "Too many tokens in the prompt"),
        ("plain", 400, "token limit exceeded"),
        ("cerebras", 413, ""),
    ] {
        let error = ProviderError::from_body(message.as_bytes(), status);
        assert_eq!(error.kind, FAILURE_CONTEXT_OVERFLOW, "{provider}: {message}");
    }
    for (status, message) in [
        (429, "Too many tokens, please wait before trying again."),
        (400, "ThrottlingException: Too many tokens, please wait before trying again."),
        (429, "Rate limit reached: tokens per min (TPM): Limit 30000, Requested 40000. maximum context length"),
        (400, "max_tokens must be at least 1"),
        (500, "Internal server error"),
    ] {
        let error = ProviderError::from_body(message.as_bytes(), status);
        assert_ne!(error.kind, FAILURE_CONTEXT_OVERFLOW, "{message}");
        assert!(status != 429 || error.kind == FAILURE_RATE_LIMIT, "{message}");
    }
}

const TOO_LONG: &str =
    r#"{"error":{"message":"prompt is too long","type":"invalid_request_error","code":"context_length_exceeded"}}"#;

fn roles(body: &serde_json::Value) -> Vec<String> {
    let messages = body["messages"].as_array().unwrap();
    messages.iter().map(|message| message["role"].as_str().unwrap().to_owned()).collect()
}

/// Keeps the last message and says so in front of it.
fn last_one(calls: &Arc<Mutex<Vec<usize>>>) -> Compact {
    let calls = Arc::clone(calls);
    Compact::new(move |mut messages: Vec<Message>| {
        calls.lock().unwrap().push(messages.len());
        async move {
            let last = messages.pop().ok_or("nothing to keep")?;
            Ok(vec![Message::user("(shortened)"), last])
        }
    })
}

#[tokio::test]
async fn a_request_that_overflows_is_shortened_and_sent_once_more_and_the_run_goes_on() {
    let replies = ["never", "one", "two", "three"].map(|text| text_reply(&[text]));
    let server = server(replies.into(), Options::in_order().fault(0..1, Fault::status(400, TOO_LONG)));
    let calls = Arc::default();
    let messages = vec![Message::user("a".repeat(500)), Message::user("b")];
    let agent = builder(&server).messages(messages).middleware(last_one(&calls)).build().unwrap();
    assert_eq!(agent.prompt("c").unwrap().message().await.unwrap().text(), "one");
    assert_eq!(agent.messages().len(), 4, "the conversation itself stays whole");
    assert_eq!(body(&server, 1)["messages"].to_string().matches("shortened").count(), 1);
    // What was shortened stays so, and what came since stands behind it.
    assert_eq!(agent.prompt("d").unwrap().message().await.unwrap().text(), "two");
    assert_eq!(roles(&body(&server, 2)), ["user", "user", "assistant", "user"]);
    assert_eq!(*calls.lock().unwrap(), [3]);
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_request_that_still_overflows_and_a_function_that_does_not_shorten_are_errors() {
    let always = Options::in_order().fault(0..9, Fault::status(400, TOO_LONG));
    let first = server(Vec::new(), always.clone());
    let calls = Arc::default();
    let client = builder(&first).middleware(last_one(&calls)).build_client().unwrap();
    let messages = vec![Message::user("a".repeat(500)), Message::user("b")];
    let (kind, _) = failure(&client.chat(messages).await.unwrap_err());
    assert_eq!((kind, first.requests().len(), calls.lock().unwrap().len()), (FailureKind::ContextOverflow, 2, 1));
    for (compact, says) in [
        (Compact::new(|messages| async { Ok(messages) }), "no shorter"),
        (Compact::new(|_| async { Ok(Vec::new()) }), "empty"),
        (Compact::new(|_| async { Err("no summary".to_owned()) }), "no summary"),
    ] {
        let second = server(Vec::new(), always.clone());
        let client = builder(&second).middleware(compact).build_client().unwrap();
        let (kind, message) = failure(&client.chat("hi").await.unwrap_err());
        assert!(kind == FailureKind::ContextOverflow && message.contains(says), "{message}");
        assert_eq!(second.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_prompt_above_the_threshold_is_shortened_before_it_is_sent() {
    // Each reply counts 18 tokens.
    let replies = vec![text_reply(&["one"]), call_reply("c1", "nosuch", "{}"), text_reply(&["two"])];
    let server = server(replies, Options::in_order());
    let calls = Arc::default();
    let agent = builder(&server).middleware(last_one(&calls).above_tokens(34)).build().unwrap();
    agent.prompt("a").unwrap().message().await.unwrap();
    assert_eq!(calls.lock().unwrap().len(), 0);
    let long = "b".repeat(400);
    assert_eq!(agent.prompt(long).unwrap().message().await.unwrap().text(), "two");
    // The prompt is long by itself: one call a request, and no more.
    assert_eq!(calls.lock().unwrap().len(), 2, "{calls:?}");
    assert_eq!(roles(&body(&server, 1)), ["user", "user"]);
}
