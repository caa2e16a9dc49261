//! Replies without an agent.

use serde::Deserialize;
use serde_json::{Value, json};
use thalweg::failure::FailureKind;
use thalweg::message::{Message, StopKind};
use thalweg::request::Output;
use thalweg::responder::ReplyEvent;
use thalweg::{Chat, Client, Error, Tool};
use thalweg_replay::{Fault, Options, Recording, Server};

use crate::support::{body, builder, call_reply, chunk, failure, server, text_reply, whole_reply};

/// A whole reply in each dialect, with a text and a tool call where the dialect has both.
fn whole(dialect: &str) -> Value {
    match dialect {
        "openai-chat" => json!({"id":"r","object":"chat.completion","model":"m-1","choices":[{"index":0,
            "message":{"role":"assistant","content":"Hello","tool_calls":[{"id":"c1","type":"function",
            "function":{"name":"add","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}],
            "usage":{"prompt_tokens":5,"completion_tokens":6,"total_tokens":11}}),
        "anthropic" => json!({"id":"r","type":"message","role":"assistant","model":"m-1","content":[
            {"type":"text","text":"Hello"},{"type":"tool_use","id":"c1","name":"add","input":{"a":1}}],
            "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":6}}),
        "openai-responses" => json!({"id":"r","object":"response","status":"completed","model":"m-1","output":[
            {"type":"message","id":"o1","role":"assistant","status":"completed","content":[
                {"type":"output_text","text":"Hello","annotations":[]}]},
            {"type":"function_call","id":"o2","call_id":"c1","name":"add","arguments":"{\"a\":1}","status":"completed"}],
            "usage":{"input_tokens":5,"output_tokens":6,"total_tokens":11}}),
        "gemini" => json!({"candidates":[{"content":{"role":"model","parts":[{"text":"Hello"},
            {"functionCall":{"id":"c1","name":"add","args":{"a":1}}}]},"finishReason":"STOP","index":0}],
            "usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":6,"totalTokenCount":11},
            "modelVersion":"m-1","responseId":"r"}),
        "ollama" => json!({"model":"m-1","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant",
            "content":"Hello","tool_calls":[{"id":"c1","function":{"name":"add","arguments":{"a":1}}}]},"done":true,
            "done_reason":"stop","prompt_eval_count":5,"eval_count":6}),
        "cohere-v2" => json!({"id":"r","finish_reason":"TOOL_CALL","message":{"role":"assistant",
            "content":[{"type":"text","text":"Hello"}],"tool_calls":[{"id":"c1","type":"function",
            "function":{"name":"add","arguments":"{\"a\":1}"}}]},
            "usage":{"tokens":{"input_tokens":5,"output_tokens":6}}}),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_whole_reply_is_asked_for_and_read_in_every_dialect() {
    for (dialect, module) in [
        ("openai-chat", thalweg_openai::module()),
        ("anthropic", thalweg_anthropic::module()),
        ("openai-responses", thalweg_openai_responses::module()),
        ("gemini", thalweg_gemini::module()),
        ("ollama", thalweg_ollama::module()),
        ("cohere-v2", thalweg_cohere::module()),
    ] {
        let recording = Recording::by_hand(dialect, vec![whole_reply(&whole(dialect))]);
        let server = Server::start(vec![recording], Options::in_order()).unwrap();
        let client = Client::builder().model("m").base_url(server.url()).dialect(dialect).link(module);
        let add = Tool::new("add", "", json!({"type": "object"}), |_, _| async { panic!("a client runs no tool") });
        let reply = client.tool(add).api_key("k").build_client().unwrap().chat("hi").await;
        let reply = reply.unwrap_or_else(|error| panic!("{dialect}: {error}"));
        assert_eq!(reply.text(), "Hello", "{dialect}");
        let calls: Vec<_> = reply.tool_calls().map(|call| (call.name.as_str(), call.arguments.as_str())).collect();
        assert_eq!(calls, [("add", r#"{"a":1}"#)], "{dialect}");
        assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (Some(5), Some(6)), "{dialect}");
        let stop = reply.stop_kind();
        assert!(matches!(stop, Some(StopKind::ToolUse | StopKind::Stop)), "{dialect}: {stop:?}");
        let request = &server.requests()[0].request;
        let streams = body(&server, 0)["stream"] == json!(true) || request.target.contains("stream");
        assert!(!streams, "{dialect}: {}", request.target);
    }
}

#[tokio::test]
async fn a_server_that_streams_though_a_whole_reply_was_asked_for_is_read_too() {
    let server = server(vec![text_reply(&["Hel", "lo"])], Options::in_order());
    assert_eq!(builder(&server).build_client().unwrap().chat("hi").await.unwrap().text(), "Hello");
    assert_eq!(body(&server, 0)["stream"], json!(false));
}

#[tokio::test]
async fn a_stream_gives_its_events_as_they_come_and_the_message_at_the_end() {
    let server = server(vec![text_reply(&["Hel", "lo"]), call_reply("c1", "add", "{}")], Options::in_order());
    let client = builder(&server).build_client().unwrap();
    let mut reply = client.stream("hi").await.unwrap();
    let mut seen = String::new();
    while let Some(batch) = reply.next().await.unwrap() {
        for event in batch.views() {
            match event {
                ReplyEvent::Text { delta, .. } => seen.push_str(delta),
                ReplyEvent::Stop { kind, .. } => seen.push_str(&format!("[{kind:?}]")),
                _ => {}
            }
        }
        assert!(seen.starts_with(&reply.partial().text()));
    }
    assert_eq!(seen, "Hello[Stop]");
    assert_eq!(reply.message().await.unwrap().usage.input_tokens, Some(11));

    let second = client.stream(vec![Message::user("one"), Message::user("two")]).await.unwrap();
    assert_eq!(second.message().await.unwrap().tool_calls().next().unwrap().name, "add");
    assert_eq!(body(&server, 1)["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_conversation_that_goes_on_sends_all_of_it_and_another_one_nothing_of_it() {
    let replies = ["a", "b", "c"].map(|text| text_reply(&[text]));
    let server = server(replies.into(), Options::in_order());
    let client = builder(&server).system("be brief").build_client().unwrap();
    let mut messages = vec![Message::user("one")];
    messages.push(Message::Assistant(client.chat(messages.clone()).await.unwrap()));
    messages.push(Message::user("two"));
    client.chat(messages).await.unwrap();
    client.chat("other").await.unwrap();
    let roles = |request: usize| {
        let body = body(&server, request);
        body["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(roles(0), ["system", "user"]);
    assert_eq!(roles(1), ["system", "user", "assistant", "user"]);
    assert_eq!(roles(2), ["system", "user"]);
}

#[tokio::test]
async fn errors_before_and_amid_a_reply_are_told_with_what_came() {
    let cut = chunk(&json!({"content": "kept"}), None).len();
    let refused = Fault::status(400, r#"{"error":{"message":"not like this","type":"invalid_request_error"}}"#);
    let options = Options::in_order().fault(0..1, refused).fault(1..2, Fault::ResetAfter(cut));
    let server = server(vec![text_reply(&["never"]), text_reply(&["kept", "lost"])], options);
    let client = builder(&server).build_client().unwrap();
    let (kind, message) = failure(&client.stream("hi").await.unwrap_err());
    assert!(kind == FailureKind::InvalidRequest && message.contains("not like this"), "{message}");
    let error = client.chat("hi").await.unwrap_err();
    assert_eq!(failure(&error).0, FailureKind::Connection);
    let Error::Run { partial: Some(partial), .. } = error else { panic!("{error}") };
    assert_eq!(partial.text(), "kept");
    assert_eq!(server.requests().len(), 2, "nothing is asked for again once something came");
    assert!(matches!(client.chat(Vec::<Message>::new()).await, Err(Error::Prompt(_))));
}

#[derive(Debug, Deserialize, PartialEq)]
struct City {
    name: String,
    people: u64,
}

#[tokio::test]
async fn structured_output_is_asked_for_and_read_into_a_type() {
    let replies = [
        r#"{"name":"Oslo","people":717710}"#,
        "```json\n{\"name\":\"Bergen\",\"people\":1}\n```",
        "Oslo!",
        r#"{"name":"Nowhere","people":0}"#,
        r#"{"name":"Oslo","people":717710}"#,
        r#"{"name":"Nowhere","people":0}"#,
    ];
    let server = server(replies.map(|text| text_reply(&[text])).into(), Options::in_order());
    let people = json!({"type":"integer","minimum":1});
    let schema = json!({"type":"object","properties":{"name":{"type":"string"},"people":people}});
    let output = Output::JsonSchema { schema: schema.clone(), name: Some("city".into()), strict: Some(true) };
    let client = builder(&server).output(output.clone()).build_client().unwrap();
    assert_eq!(client.chat_as::<City>("a city").await.unwrap(), City { name: "Oslo".into(), people: 717_710 });
    let format = &body(&server, 0)["response_format"];
    assert_eq!(format["json_schema"], json!({"name":"city","schema":schema,"strict":true}));
    assert_eq!(client.chat_as::<City>("another").await.unwrap().name, "Bergen");
    let error = client.chat_as::<City>("another").await.unwrap_err();
    assert_eq!(failure(&error).0, FailureKind::Malformed);
    let Error::Run { partial: Some(partial), .. } = error else { panic!("{error}") };
    assert_eq!(partial.text(), "Oslo!");
    let (kind, message) = failure(&client.chat_as::<City>("one without people").await.unwrap_err());
    assert!(kind == FailureKind::Malformed && message.contains("/people"), "{message}");

    let agent = builder(&server).output(output).build().unwrap();
    assert_eq!(agent.prompt("a city").unwrap().message_as::<City>().await.unwrap().name, "Oslo");
    let (kind, message) = failure(&agent.prompt("none").unwrap().message_as::<City>().await.unwrap_err());
    assert!(kind == FailureKind::Malformed && message.contains("/people"), "{message}");
}

#[tokio::test]
async fn one_request_can_differ_from_the_clients_own() {
    let server = server(vec![text_reply(&["x"]), text_reply(&["y"])], Options::in_order());
    let client = builder(&server).temperature(0.5).header("x-own", "1").build_client().unwrap();
    let mut request = client.request().clone();
    request.max_tokens = Some(7);
    request.model = "other".into();
    client.chat(Chat::new("hi").request(request)).await.unwrap();
    client.chat("hi").await.unwrap();
    let (first, second) = (body(&server, 0), body(&server, 1));
    assert_eq!((&first["model"], &first["max_tokens"]), (&json!("other"), &json!(7)));
    assert_eq!((&second["model"], second.get("max_tokens")), (&json!("m"), None));
    assert_eq!(first["temperature"], json!(0.5));
    assert_eq!(crate::support::header(&server, 0, "x-own").as_deref(), Some("1"));
}
