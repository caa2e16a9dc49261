//! Agents on providers that drive themselves, in Rust and in C, loaded and linked in.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thalweg::failure::FailureKind;
use thalweg::message::{ContentBlock, Message};
use thalweg::plugin::{Loader, Registry};
use thalweg::{Agent, AgentBuilder, Error, Outcome};
use thalweg_abi::host::{CancelToken, Host, Plugin};

/// An agent on `model` with the plugin of that name: once from its file, once linked in.
fn both(name: &str, model: &str) -> [AgentBuilder; 2] {
    let mut registry = Registry::new();
    registry.add(Loader::new().load_named(name).unwrap()).unwrap();
    let linked = if name == "script" { thalweg_script::module() } else { thalweg_eliza_c::module() };
    let builder = || Agent::builder().model(model);
    [builder().plugins(&registry), builder().link(linked)]
}

fn scripted(script: Value) -> AgentBuilder {
    Agent::builder().model("script/inline").link(thalweg_script::module()).extra("script", script)
}

async fn outcome(agent: &Agent, prompt: &str) -> Outcome {
    let run = agent.prompt(prompt).unwrap();
    tokio::time::timeout(Duration::from_secs(20), run.finished()).await.expect("every run ends")
}

fn text(outcome: &Outcome) -> String {
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    outcome.message.as_ref().unwrap().text()
}

fn failure(outcome: &Outcome) -> (FailureKind, String) {
    match &outcome.error {
        Some(Error::Run { failure, .. }) => (failure.kind, failure.message.clone()),
        other => panic!("expected a failed run, got {other:?}"),
    }
}

#[tokio::test]
async fn a_provider_in_c_answers_word_by_word_loaded_and_linked_in() {
    for builder in both("eliza_c", "eliza/doctor") {
        let agent = builder.build().unwrap();
        assert_eq!(agent.endpoint(), "eliza");
        let run = agent.prompt("Well, I am unhappy with my “new” code!").unwrap();
        let mut words = run.text();
        let mut pieces = Vec::new();
        while let Some(piece) = words.next().await {
            pieces.push(piece);
        }
        assert_eq!(pieces.concat(), "Is it a good thing to be unhappy with your “new” code?");
        assert!(pieces.len() > 10, "{pieces:?}");
        let outcome = run.finished().await;
        assert_eq!(text(&outcome), pieces.concat());
        assert!(outcome.usage.output_tokens > Some(5) && outcome.stats.first_delta.is_some());
        assert_eq!(text(&self::outcome(&agent, "Hm.").await), "Say more about that.");
        assert_eq!(agent.messages().len(), 4);
    }
}

#[tokio::test]
async fn a_provider_in_c_waits_for_a_slow_reader_and_loses_nothing() {
    // More than may wait, many times over.
    let said = "word ".repeat(100_000);
    let agent = Agent::builder().model("eliza").link(thalweg_eliza_c::module()).build().unwrap();
    let reply = text(&outcome(&agent, &format!("I think {said}")).await);
    assert_eq!(reply.len(), "How sure are you that ".len() + said.trim_end().len() + 1);
}

#[tokio::test]
async fn a_script_is_played_with_its_tools_turn_by_turn() {
    let script = json!({"replies": [
        {"thinking": "I should count.", "text": "One moment.", "usage": [10, 4],
         "tool_calls": [{"name": "calculate", "arguments": {"expression": "17 * 23"}}, {"id": "x", "name": "calculate", "arguments": "no JSON"}]},
        {"text": "It is 391.", "usage": [20, 5]},
        {"text": "Bye."},
    ]});
    let agent = scripted(script).link(thalweg_calculator::module()).build().unwrap();
    let first = outcome(&agent, "What is 17 * 23?").await;
    assert_eq!(text(&first), "It is 391.");
    assert_eq!((first.usage.input_tokens, first.usage.output_tokens), (Some(30), Some(9)));
    let results: Vec<_> = first
        .messages
        .iter()
        .filter_map(|message| if let Message::Tool(results) = message { Some(&results.content) } else { None })
        .flatten()
        .collect();
    assert_eq!((results[0].tool_call_id.as_str(), results[0].is_error), ("call_1_0", false));
    assert!(format!("{:?}", results[0].content).contains("391"));
    assert_eq!((results[1].tool_call_id.as_str(), results[1].is_error), ("x", true));
    let Message::Assistant(asked) = &first.messages[1] else { panic!("{:?}", first.messages) };
    assert!(matches!(&asked.content[0], ContentBlock::Thinking { text, .. } if text == "I should count."));
    assert_eq!(text(&outcome(&agent, "Thanks.").await), "Bye.");
    let (kind, message) = failure(&outcome(&agent, "And?").await);
    assert_eq!(kind, FailureKind::InvalidRequest);
    assert!(message.contains("the script has 3 replies, this is request 4"), "{message}");
}

#[tokio::test]
async fn errors_of_a_provider_are_typed_and_keep_what_came_before() {
    for (script, kind, said) in [
        (json!({"replies": [{"text": "So far", "error": "overloaded"}]}), FailureKind::Overloaded, "overloaded"),
        (json!({"replies": [{"text": "So far", "error": "rate_limit"}]}), FailureKind::RateLimit, "rate_limit"),
    ] {
        let outcome = outcome(&scripted(script).build().unwrap(), "go").await;
        let (found, message) = failure(&outcome);
        assert_eq!((found, message.contains(said)), (kind, true), "{message}");
        assert_eq!(outcome.message.unwrap().text(), "So far");
    }
    let (kind, message) =
        failure(&outcome(&scripted(json!({"replies": [{"words": "x"}]})).build().unwrap(), "go").await);
    assert_eq!((kind, message.contains("words")), (FailureKind::InvalidRequest, true), "{message}");
}

#[tokio::test]
async fn a_script_may_be_a_file_that_the_model_names() {
    let path = std::env::temp_dir().join(format!("thalweg-script-{}.json", std::process::id()));
    std::fs::write(&path, r#"{"replies":[{"text":"From a file."}]}"#).unwrap();
    for builder in both("script", &format!("script/{}", path.display())) {
        assert_eq!(text(&outcome(&builder.build().unwrap(), "go").await), "From a file.");
    }
    std::fs::remove_file(&path).unwrap();
    let gone = Agent::builder().model(format!("script/{}", path.display())).link(thalweg_script::module());
    let (_, message) = failure(&outcome(&gone.build().unwrap(), "go").await);
    assert!(message.contains("cannot read the script") && message.contains("script/FILE"), "{message}");
}

#[tokio::test]
async fn an_abort_reaches_the_provider_at_once_and_keeps_what_came() {
    let script = json!({"replies": [{"text": "again and ", "repeat": 1_000_000, "delay_ms": 5}, {"text": "New."}]});
    let agent = scripted(script).build().unwrap();
    let run = agent.prompt("go").unwrap();
    let mut words = run.text();
    assert_eq!(words.next().await.as_deref(), Some("again "));
    let aborted = Instant::now();
    run.abort();
    let outcome_of_run = run.finished().await;
    assert!(aborted.elapsed() < Duration::from_secs(1));
    assert_eq!(failure(&outcome_of_run).0, FailureKind::Aborted);
    assert!(outcome_of_run.message.unwrap().text().starts_with("again "));
    assert_eq!(text(&outcome(&agent, "go on").await), "New.");
}

#[tokio::test]
async fn a_hundred_replies_at_once_do_not_mix() {
    let agents: Vec<Agent> = (0..100)
        .map(|n| scripted(json!({"replies": [{"text": format!("{n} "), "repeat": 50}]})).build().unwrap())
        .collect();
    let runs: Vec<_> = agents.iter().map(|agent| agent.prompt("go").unwrap()).collect();
    for (n, run) in runs.iter().enumerate() {
        assert_eq!(run.message().await.unwrap().text(), format!("{n} ").repeat(50));
    }
}

#[test]
fn two_providers_of_one_id_are_refused() {
    let mut registry = Registry::new();
    let plugin = Plugin::start(&thalweg_script::module(), Host::silent()).unwrap();
    registry.link(&plugin).unwrap();
    let error = registry.link(&plugin).unwrap_err().to_string();
    assert!(error.contains("provider script"), "{error}");
    assert!(registry.provider("script").is_some());
}

#[test]
fn what_is_no_request_is_an_error_of_the_provider_in_c() {
    thalweg_extensions::offer();
    let plugin = Plugin::start(&thalweg_eliza_c::module(), Host::silent()).unwrap();
    for request in ["", "{", "{}", r#"{"messages":[]}"#, r#"{"messages":[{"content":[{"text":1}]}]}"#] {
        let (mut reply, start) = plugin.provider().unwrap().reply(&CancelToken::new());
        start.run(request);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let error = runtime.block_on(async { reply.next().await.map(|_| ()) }).unwrap_err();
        assert_eq!(error.plugin(), "thalweg.eliza_c", "{request}");
    }
}
