//! Agents that ask a model: what they send, what they reply, token by token, and what they do when it goes wrong.

use serde_json::json;
use thalweg_crew::{Agent, Crew, Failure, Field, Message, Sequence};
use thalweg_replay::Fault;

mod support;
use support::{body, builder, call, faulty, server, text};

/// The tokens of each message, and errors with an exclamation mark.
async fn tokens(sequence: &Sequence) -> Vec<Vec<String>> {
    let mut reader = sequence.reader();
    let mut messages = Vec::new();
    while let Some(piece) = reader.next().await {
        let mut seen = Vec::new();
        match piece {
            Ok(promise) => {
                let mut tokens = promise.tokens();
                while let Some(token) = tokens.next().await {
                    seen.push(token.map_or_else(|failure| format!("!{failure}"), |token| token.0));
                }
            }
            Err(failure) => seen.push(format!("!{failure}")),
        }
        messages.push(seen);
    }
    messages
}

async fn last(sequence: &Sequence) -> Result<Message, Failure> {
    Ok(sequence.value().await?.pop().expect("a message"))
}

#[tokio::test]
async fn it_replies_token_by_token_and_every_parameter_goes_through() {
    let server = server([text("Fine, and you?")]);
    let model = Agent::llm("llm_agent", builder(&server)).unwrap().fork("model", "gpt-4o-mini");
    let helper = model
        .fork("system", "You are a helpful assistant.")
        .fork("max_tokens", 50)
        .fork("temperature", 0.7)
        .fork("logit_bias", Field::from(json!({"7": -100})))
        .named("helper");
    let sent = vec![Message::system("Be brief."), Message::text("Hello,"), Message::user("how are you?")];
    let crew = Crew::new();
    let replies = helper.trigger(&crew, sent.into_iter().map(Into::into).collect::<Vec<thalweg_crew::Item>>());
    let promise = replies.reader().next().await.unwrap().unwrap();
    assert_eq!(promise.known().get("agent_alias"), Some(&"helper".into()), "it is known who will speak");
    assert_eq!(tokens(&replies).await, [["Fine, ", "and ", "you?"]]);
    let reply = last(&replies).await.unwrap();
    assert_eq!((reply.class(), reply.to_string().as_str()), ("AssistantMessage", "Fine, and you?"));
    let fields = reply.to_json();
    assert_eq!(fields["role"], "assistant");
    assert_eq!(fields["model"], "gpt-4o-mini");
    assert_eq!(fields["stop_reason"]["mapped"], "stop");
    assert_eq!(fields["usage"]["input_tokens"], 9, "{fields}");
    let asked = body(&server, 0);
    assert_eq!(asked["model"], "gpt-4o-mini");
    assert_eq!(asked["temperature"], 0.7);
    assert_eq!(asked["max_tokens"].as_u64().or(asked["max_completion_tokens"].as_u64()), Some(50), "{asked}");
    assert_eq!(asked["logit_bias"], json!({"7": -100}));
    let roles: Vec<_> = asked["messages"].as_array().unwrap().iter().map(|one| one["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "user"]);
    assert_eq!(asked["messages"][0]["content"], "You are a helpful assistant.\n\nBe brief.");
}

#[tokio::test]
async fn a_reply_that_does_not_stream_is_a_single_token() {
    let server = server([text("All at once.")]);
    let model = Agent::llm("llm", builder(&server)).unwrap().fork("model", "m").fork("stream", false);
    assert_eq!(tokens(&model.trigger(&Crew::new(), "Say it.")).await, [["All at once."]]);
}

#[tokio::test]
async fn tools_run_and_are_told_again_with_the_reply() {
    let product = json!({"expression": "17 * 23"});
    let server = server([call("call_1", "calculate", &product), text("It is 391."), text("Yes, 391.")]);
    let builder = builder(&server).link(thalweg_calculator::module());
    let model = Agent::llm("llm", builder).unwrap().fork("model", "m");
    let crew = Crew::new();
    let question = Message::user("How much is 17 * 23?");
    let replies = model.trigger(&crew, question.clone());
    assert_eq!(tokens(&replies).await, [["It ", "is ", "391."]], "the call says nothing by itself");
    let reply = last(&replies).await.unwrap();
    let tool = &reply.fields().to_plain_json()["tools"][0];
    assert_eq!((&tool["tool_name"], &tool["args"], &tool["turn"]), (&json!("calculate"), &product, &json!(1)));
    assert_eq!(tool["result"]["content"][0]["text"], "391");
    let history: Vec<Message> = vec![question, reply, Message::user("Sure?")];
    last(&model.trigger(&crew, history.into_iter().map(Into::into).collect::<Vec<thalweg_crew::Item>>()))
        .await
        .unwrap();
    let told = body(&server, 2)["messages"].clone();
    let roles: Vec<_> = told.as_array().unwrap().iter().map(|one| one["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "assistant", "user"], "{told}");
    assert_eq!(told[1]["tool_calls"][0]["id"], "call_1");
    assert_eq!((&told[2]["tool_call_id"], &told[2]["content"]), (&json!("call_1"), &json!("391")));
    assert_eq!(told[3]["content"], "It is 391.");
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_no_success() {
    let server = faulty([text("This is cut off here.")], Fault::CutAfter(120));
    let model = Agent::llm("llm", builder(&server)).unwrap().fork("model", "m");
    let replies = model.trigger(&Crew::new(), "Say it.");
    let seen = tokens(&replies).await.remove(0);
    assert_eq!(seen[0], "This ");
    assert!(seen.last().unwrap().starts_with('!'), "{seen:?}");
    assert!(replies.value().await.is_err());
}

#[tokio::test]
async fn an_error_behind_part_of_a_reply_can_be_part_of_the_text() {
    let server = faulty([text("This is cut off here.")], Fault::CutAfter(120));
    let model = Agent::llm("llm", builder(&server)).unwrap().fork("model", "m");
    let replies = model.with_errors_as_messages(true).trigger(&Crew::new(), "Say it.");
    let reply = last(&replies).await.unwrap();
    assert_eq!(reply.class(), "ErrorMessage");
    let (said, failure) = reply.to_string().split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(said.starts_with("This ") && !failure.is_empty(), "{said:?} {failure:?}");
    assert_eq!(tokens(&replies).await.concat().concat(), reply.to_string(), "the same whole or by token");
}

#[tokio::test]
async fn what_cannot_be_asked_fails_before_it_is() {
    let server = server([text("never")]);
    let model = Agent::llm("llm", builder(&server)).unwrap();
    let named = model.fork("model", "m");
    let odd = Message::text("x").with("role", "narrator");
    let cases = [
        ("no model", model.clone(), Message::user("x"), "no model"),
        ("a parameter that cannot be", named.fork("temperature", "hot"), Message::user("x"), "temperature"),
        ("an unknown role", named.clone(), odd, "narrator"),
        ("nothing to answer", named.clone(), Message::system("only this"), "nothing"),
    ];
    for (name, agent, message, expected) in cases {
        let failure = last(&agent.trigger(&Crew::new(), message)).await.unwrap_err().to_string();
        assert!(failure.contains(expected), "{name}: {failure}");
    }
    let failed = named.trigger(&Crew::new(), Failure::new("earlier"));
    assert_eq!(last(&failed).await.unwrap_err().to_string(), "earlier", "an error that was sent is handed on");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn who_cancels_the_replies_stops_the_request() {
    let server = faulty([text("a b c d e f g h i j k l m n o p")], Fault::HangAfter(200));
    let model = Agent::llm("llm", builder(&server)).unwrap().fork("model", "m");
    let crew = Crew::new();
    let replies = model.trigger(&crew, "Say it.");
    let promise = replies.reader().next().await.unwrap().unwrap();
    assert_eq!(promise.tokens().next().await.unwrap().unwrap().0, "a ");
    replies.cancel();
    crew.finish().await;
    assert!(promise.value().await.is_err(), "whoever waits for it is told");
    for _ in 0..1000 {
        if server.connections().iter().all(|connection| connection.closed.is_some()) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    panic!("the connection is still open");
}
