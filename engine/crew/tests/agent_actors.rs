//! Agents behind mailboxes: what they remember, what they may do, and how a question ends that goes wrong.
#![cfg(feature = "llm")]

#[path = "support/models.rs"]
#[expect(dead_code, reason = "not every test has use for every model")]
mod models;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use models::{answer, saying, silent_after};
use serde_json::json;
use thalweg::failure::FailureKind;
use thalweg::message::{AssistantMessage, Message, ToolMessage};
use thalweg::responder::from_fn;
use thalweg::{Agent, Budget, Error, Tool};
use thalweg_actor::{AskError, Ref, Spec, System};
use thalweg_crew::actor::{AgentActor, Memory, Policy, Prompt, Recent, Refused};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn spawn(system: &System, agent: &Agent, policy: &Policy) -> Ref<Prompt> {
    let (agent, policy) = (agent.clone(), policy.clone());
    system.spawn(Spec::new(move || AgentActor::new(agent.clone(), policy.clone()))).expect("spawned")
}

fn kind_of(refused: Refused) -> FailureKind {
    let Refused::Run(Error::Run { failure, .. }) = refused else { panic!("{refused}") };
    failure.kind
}

/// An agent whose model calls its tool so many times for each question, and keeps what it is asked.
fn calling(times: usize) -> (Agent, Arc<Mutex<Vec<Vec<Message>>>>) {
    let asked: Arc<Mutex<Vec<Vec<Message>>>> = Arc::default();
    let keep = Arc::clone(&asked);
    let model = from_fn("m", move |ask, sink| {
        let messages = ask.messages();
        let calls = messages.iter().rev().take_while(|message| !matches!(message, Message::User(_))).count() / 2;
        keep.lock().expect("whole").push(messages);
        if calls < times {
            let call = sink.tool_call(&format!("c{}", keep.lock().expect("whole").len()), "look");
            sink.tool_arguments(call, "{}");
            sink.stop("tool_use");
        } else {
            answer(&sink, "found");
        }
        std::future::ready(Ok(()))
    });
    let look = Tool::new("look", "", json!({"type": "object"}), |_, _| async { Ok("seen".to_owned()) });
    (Agent::builder().responder(model).tool(look).build().expect("an agent"), asked)
}

#[tokio::test]
async fn whatever_the_window_no_result_is_without_its_call() -> Outcome {
    for most in 1..12 {
        let system = System::new("test");
        let (agent, asked) = calling(2);
        let actor = spawn(&system, &agent, &Policy { window: Some(most), ..Policy::default() });
        for _ in 0..4 {
            assert_eq!(actor.ask(Prompt::new("find it")).await??.text(), "found", "window {most}");
        }
        let asked = std::mem::take(&mut *asked.lock().expect("whole"));
        assert_eq!(asked.len(), 12);
        for messages in &asked {
            assert!(matches!(messages[0], Message::User(_)), "window {most} begins with a question: {messages:?}");
            let mut called = HashSet::new();
            for message in messages {
                match message {
                    Message::Assistant(reply) => called.extend(reply.tool_calls().map(|call| call.id.clone())),
                    Message::Tool(tool) => {
                        assert!(
                            tool.content.iter().all(|result| called.contains(&result.tool_call_id)),
                            "window {most}"
                        );
                    }
                    _ => {}
                }
            }
        }
        system.stop().await;
    }
    Ok(())
}

#[tokio::test]
async fn turns_are_limited_and_the_next_question_has_its_own() -> Outcome {
    let system = System::new("test");
    let (agent, asked) = calling(usize::MAX);
    let actor = spawn(&system, &agent, &Policy::default());
    for question in 1..3 {
        let refused = actor.ask(Prompt::new("find it")).await?.expect_err("it never ends by itself");
        assert_eq!(kind_of(refused), FailureKind::MaxTurns);
        assert_eq!(asked.lock().expect("whole").len(), 5 * question);
    }
    Ok(())
}

#[tokio::test]
async fn settings_of_the_policy_go_over_those_of_the_agent() -> Outcome {
    let seen = from_fn("m", |ask, sink| async move {
        answer(&sink, &format!("{:?} {:?}", ask.request().temperature, ask.request().max_tokens));
        Ok(())
    });
    let agent = Agent::builder().responder(seen).temperature(0.5).max_tokens(9).build()?;
    let system = System::new("test");
    let cases = [
        (Policy::default(), "Some(0.5) Some(9)"),
        (Policy { temperature: Some(0.0), ..Policy::default() }, "Some(0.0) Some(9)"),
        (Policy { max_tokens: Some(3), ..Policy::default() }, "Some(0.5) Some(3)"),
    ];
    for (policy, expected) in cases {
        assert_eq!(spawn(&system, &agent, &policy).ask(Prompt::new("?")).await??.text(), expected);
    }
    assert_eq!(agent.prompt_text("?").await?, "Some(0.5) Some(9)", "the agent itself is as it was");
    Ok(())
}

#[tokio::test]
async fn a_question_that_fails_is_told_and_does_not_end_the_actor() -> Outcome {
    let model = from_fn("m", |ask, sink| async move {
        match ask.last_user_text().as_str() {
            // No mark of an end.
            "cut" => sink.text("half of"),
            "fail" => return Err(thalweg::failure::Failure::new(FailureKind::Server, "on fire")),
            _ => answer(&sink, &ask.messages().len().to_string()),
        }
        Ok(())
    });
    let agent = Agent::builder().responder(model).build()?;
    let system = System::new("test");
    let actor = spawn(&system, &agent, &Policy::default());
    assert_eq!(
        kind_of(actor.ask(Prompt::new("cut")).await?.expect_err("no truncated success")),
        FailureKind::Truncated
    );
    assert_eq!(kind_of(actor.ask(Prompt::new("fail")).await?.expect_err("told")), FailureKind::Server);
    // It remembers: two questions, and half an answer.
    assert_eq!(actor.ask(Prompt::new("and now?")).await??.text(), "4");
    assert!(actor.take_crash().is_none());
    let refused = actor.ask(Prompt::of(Vec::new())).await?;
    assert!(refused.is_ok() || matches!(refused, Err(Refused::Run(_))), "nothing hangs: {refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn actors_that_share_a_budget_never_use_more_than_there_is() -> Outcome {
    for _ in 0..20 {
        let budget = Budget::tokens(1_000);
        let watched = budget.clone();
        let model = from_fn("m", move |_, sink| {
            assert!(watched.spent().tokens + watched.reserved().tokens <= 1_000, "{watched:?}");
            async move {
                tokio::task::yield_now().await;
                answer(&sink, "said");
                Ok(())
            }
        });
        let agent = Agent::builder().responder(model).build()?;
        let system = System::new("test");
        let policy = Policy { max_tokens: Some(200), budget: Some(budget.clone()), ..Policy::default() };
        let mut asked = tokio::task::JoinSet::new();
        for _ in 0..12 {
            let actor = spawn(&system, &agent, &policy);
            asked.spawn(async move { actor.ask(Prompt::new("?")).await });
        }
        let mut answered = 0;
        while let Some(answer) = asked.join_next().await {
            match answer?? {
                Ok(_) => answered += 1,
                Err(refused) => assert_eq!(kind_of(refused), FailureKind::Budget),
            }
        }
        assert!(answered >= 1 && budget.spent().tokens == 5 * answered, "{answered} {budget:?}");
        system.stop().await;
    }
    Ok(())
}

#[tokio::test]
async fn the_run_can_be_watched_and_is_over_when_the_answer_comes() -> Outcome {
    let system = System::new("test");
    let actor = spawn(&system, &saying("m", |asked| format!("{asked}!")), &Policy::default());
    let (prompt, run) = Prompt::new("hi").watched();
    let response = actor.ask(prompt).await??;
    let run = run.await?;
    assert_eq!(run.outcome().map(|outcome| outcome.usage.clone()), Some(response.usage));
    let mut text = run.text();
    assert_eq!(text.next().await.as_deref(), Some("hi!"));
    assert_eq!(text.next().await, None);
    let (prompt, run) = Prompt::new("hi").watched();
    drop(run);
    assert_eq!(actor.ask(prompt).await??.text(), "hi!", "it does not mind that nobody watches");
    Ok(())
}

#[tokio::test]
async fn who_asks_an_actor_that_is_killed_is_told_and_its_request_ends() -> Outcome {
    let system = System::new("test");
    let (agent, stopped) = silent_after("so far");
    let actor = spawn(&system, &agent, &Policy::default());
    let (prompt, run) = Prompt::new("?").watched();
    let asking = tokio::spawn({
        let actor = actor.clone();
        async move { actor.ask(prompt).await }
    });
    let run = run.await?;
    actor.kill();
    assert_eq!(asking.await?.err(), Some(AskError::NoReply));
    stopped.notified().await;
    assert!(run.finished().await.error.is_some());
    Ok(())
}

#[tokio::test]
async fn the_memory_of_a_process_keeps_whole_exchanges_and_finds_words() -> Outcome {
    let mut memory = Recent::new(5);
    let reply = || Message::Assistant(AssistantMessage::default());
    let exchange = |text: &str| vec![Message::user(text), reply(), Message::Tool(ToolMessage::default()), reply()];
    for text in ["The river Loire", "the Seine and the Loire", "mountains"] {
        memory.append(&exchange(text)).await?;
    }
    assert_eq!(memory.recent(None).await?, exchange("mountains"), "two exchanges are more than five messages");
    let mut memory = Recent::default();
    for text in ["The river Loire", "the Seine, and the Loire!", "mountains"] {
        memory.append(&exchange(text)).await?;
    }
    let cases = [("loire seine", 9, vec![1, 0]), ("LOIRE", 1, vec![0]), ("sea", 9, vec![]), ("", 9, vec![])];
    for (query, most, expected) in cases {
        let found = memory.search(query, most).await?;
        let texts = ["The river Loire", "the Seine, and the Loire!", "mountains"];
        let found: Vec<Message> = found.into_iter().map(|found| found.message).collect();
        assert_eq!(found, expected.iter().map(|at: &usize| Message::user(texts[*at])).collect::<Vec<_>>(), "{query:?}");
    }
    assert_eq!(memory.recent(Some(6)).await?, exchange("mountains"));
    Ok(())
}
