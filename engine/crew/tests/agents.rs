//! Agents: triggered, called, forked; where errors surface; who called whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use thalweg_crew::{Agent, Appender, Crew, Failure, Field, Frozen, Interaction, Item, MessagePromise, Sequence, Token};

async fn texts(sequence: &Sequence) -> Result<String, Failure> {
    Ok(sequence.value().await?.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}

/// Replies with a greeting from its configuration for each message.
fn greeter() -> Agent {
    Agent::new("greeter", async |mut interaction: Interaction| {
        let greeting = interaction.configuration("greeting").and_then(Field::as_str).unwrap_or("hello").to_owned();
        while let Some(message) = interaction.messages.next().await {
            interaction.reply(format!("{greeting}-{}", message?.value().await?));
        }
        Ok(())
    })
}

#[tokio::test]
async fn a_trigger_returns_at_once_and_the_replies_come() {
    let crew = Crew::new();
    let ran = Arc::new(AtomicU32::new(0));
    let counted = ran.clone();
    let agent = Agent::new("agent", move |interaction: Interaction| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            interaction.reply("reply");
            Ok(())
        }
    });
    let replies = agent.trigger(&crew, ());
    assert_eq!(ran.load(Ordering::SeqCst), 0, "it has not run yet");
    assert_eq!(texts(&replies).await.unwrap(), "reply");
    assert_eq!(texts(&replies).await.unwrap(), "reply");
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    // On request it does not run before somebody reads.
    let crew = Crew::new().on_request();
    let replies = agent.trigger(&crew, ());
    for _ in 0..9 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    assert_eq!(texts(&replies).await.unwrap(), "reply");
    assert_eq!(ran.load(Ordering::SeqCst), 2);
    // Nor if it is part of something else that nobody reads.
    let nested = Sequence::of(&crew, vec!["before".into(), Item::from(agent.trigger(&crew, ()))]);
    for _ in 0..9 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ran.load(Ordering::SeqCst), 2);
    assert_eq!(texts(&nested).await.unwrap(), "before reply");
    assert_eq!(ran.load(Ordering::SeqCst), 3);
}

/// Agents that read each other's replies through each other: everything is on its way at once, so nobody waits for one
/// that waits for it.
#[tokio::test]
async fn nested_calls_do_not_deadlock() {
    for crew in [Crew::new(), Crew::new().on_request()] {
        let nest = |inner: Option<Agent>| {
            Agent::new("nest", move |interaction: Interaction| {
                let inner = inner.clone();
                async move {
                    if let Some(inner) = &inner {
                        let replies = interaction.trigger(inner, interaction.sent());
                        interaction.reply(vec![Item::from(replies.clone()), replies.clone().into()]);
                        interaction.reply_out_of_order(interaction.trigger(inner, replies));
                    }
                    interaction.reply(interaction.sent());
                    Ok(())
                }
            })
        };
        // f(n, depth) = 2 f(n, depth - 1) + f(f(n, depth - 1), depth - 1) + n messages.
        fn count(sent: usize, depth: usize) -> usize {
            if depth == 0 {
                return sent;
            }
            let inner = count(sent, depth - 1);
            2 * inner + count(inner, depth - 1) + sent
        }
        let deep = (0..3).fold(nest(None), |inner, _| nest(Some(inner)));
        let replies = deep.trigger(&crew, ["a", "b"]).value().await.unwrap();
        assert_eq!(replies.len(), count(2, 3));
        crew.finish().await;
    }
}

#[tokio::test]
async fn a_fork_has_its_own_configuration() {
    let crew = Crew::new();
    let one = greeter();
    let other = one.fork("greeting", "bonjour").named("french");
    assert_eq!((one.alias(), other.alias()), ("greeter", "french"));
    assert_eq!(texts(&one.trigger(&crew, ["a", "b"])).await.unwrap(), "hello-a hello-b");
    assert_eq!(texts(&other.trigger(&crew, "a")).await.unwrap(), "bonjour-a");
    assert_eq!(texts(&other.fork("greeting", "hola").trigger(&crew, "a")).await.unwrap(), "hola-a");
}

#[tokio::test]
async fn a_call_is_full_duplex() {
    let crew = Crew::new();
    let mut call = greeter().initiate_call(&crew);
    let mut replies = call.replies().reader();
    for (sent, expected) in [("a", "hello-a"), ("b", "hello-b")] {
        call.send(sent).unwrap();
        let reply = replies.next().await.unwrap().unwrap().value().await.unwrap();
        assert_eq!(reply.to_string(), expected, "before the call is finished");
    }
    call.send_out_of_order("c").unwrap();
    assert!(!call.is_finished());
    call.finish();
    assert!(call.is_finished() && call.send("d").is_err());
    assert_eq!(texts(&call.into_replies()).await.unwrap(), "hello-a hello-b hello-c");
    // One that is dropped is finished.
    let call = greeter().initiate_call(&crew);
    call.send("x").unwrap();
    assert_eq!(texts(&call.into_replies()).await.unwrap(), "hello-x");
    crew.finish().await;
}

#[tokio::test]
async fn an_error_surfaces_where_the_reply_is_read() {
    let failing = || {
        Agent::new("failing", async |interaction: Interaction| {
            interaction.reply("first");
            Err(Failure::new("x"))
        })
    };
    let panicking = Agent::new("panicking", async |_: Interaction| panic!("boom"));
    let caller = |callee: Agent| {
        Agent::new("caller", move |interaction: Interaction| {
            let callee = callee.clone();
            async move {
                interaction.reply(interaction.trigger(&callee, ()));
                interaction.reply("after");
                Ok(())
            }
        })
    };
    for (name, agent, pieces) in [
        ("own", failing(), "first !x"),
        ("a callee's", caller(failing()), "first !x after"),
        ("a callee's callee's", caller(caller(failing())), "first !x after after"),
        ("a panic", panicking.clone(), "!panicked: boom"),
        ("a callee's panic", caller(panicking), "!panicked: boom after"),
    ] {
        let crew = Crew::new();
        let replies = agent.trigger(&crew, ());
        for round in 0..2 {
            let mut reader = replies.reader();
            let mut seen = Vec::new();
            while let Some(piece) = reader.next().await {
                seen.push(match piece {
                    Ok(promise) => promise.value().await.unwrap().to_string(),
                    Err(failure) => format!("!{failure}"),
                });
            }
            assert_eq!(seen.join(" "), pieces, "{name}, round {round}");
            assert!(replies.value().await.is_err());
        }
    }
}

#[tokio::test]
async fn errors_are_messages_where_that_is_wanted_but_not_further_down() {
    let crew = Crew::new().with_errors_as_messages();
    let failing = Agent::new("failing", async |interaction: Interaction| {
        interaction.reply("first");
        Err(Failure::new("x"))
    });
    let replies = failing.trigger(&crew, ()).value().await.unwrap();
    let seen: Vec<_> = replies.iter().map(|message| (message.class(), message.to_string())).collect();
    assert_eq!(seen, [("TextMessage", "first".to_owned()), ("ErrorMessage", "x".to_owned())]);
    let callee = failing.clone();
    let caller = Agent::new("caller", move |interaction: Interaction| {
        let callee = callee.clone();
        async move {
            let replies = interaction.trigger(&callee, ());
            interaction.reply(if replies.value().await.is_err() { "it was an error" } else { "it was a message" });
            Ok(())
        }
    });
    assert_eq!(texts(&caller.trigger(&crew, ())).await.unwrap(), "it was an error");
}

#[tokio::test]
async fn error_messages_say_who_called_whom_where_that_is_wanted() {
    let crew = Crew::new().with_traces_in_errors();
    let failing = Agent::new("C", async |interaction: Interaction| {
        interaction.reply(MessagePromise::stream(
            interaction.crew(),
            Frozen::new(),
            async |tokens: Appender<Token>| {
                tokens.append(Token("half".into()))?;
                Err(Failure::new("cut"))
            },
        ));
        Err(Failure::new("x"))
    })
    .with_errors_as_messages(true);
    let caller = Agent::new("B", move |interaction: Interaction| {
        let failing = failing.clone();
        async move {
            interaction.reply(interaction.trigger(&failing, ()));
            Ok(())
        }
    });
    let replies = caller.trigger(&crew, ()).value().await.unwrap();
    let seen: Vec<_> = replies.iter().map(|message| (message.class(), message.to_string())).collect();
    let expected = ["half\ncut\n\nAgent trace:\nC <- B", "x\n\nAgent trace:\nC <- B"];
    assert_eq!(seen, expected.map(|text| ("ErrorMessage", text.to_owned())));
    // An error that is none of a message is as it was.
    let failing = Agent::new("A", async |_: Interaction| Err(Failure::new("x")));
    assert_eq!(failing.trigger(&crew, ()).value().await.unwrap_err().to_string(), "x");
}

#[tokio::test]
async fn a_trace_says_who_called_whom() {
    let inner = Agent::new("C", async |interaction: Interaction| {
        interaction.reply(interaction.trace());
        Ok(())
    });
    let through = |alias: &str, callee: Agent| {
        Agent::new(alias, move |interaction: Interaction| {
            let callee = callee.clone();
            async move {
                interaction.reply(interaction.trigger(&callee, interaction.sent()));
                interaction.reply(interaction.trace());
                Ok(())
            }
        })
    };
    let outer = through("A", through("B", inner));
    let crew = Crew::new();
    assert_eq!(texts(&outer.trigger(&crew, ())).await.unwrap(), "C <- B <- A B <- A A");
}

#[tokio::test]
async fn two_crews_in_one_process_know_nothing_of_each_other() {
    let (one, two) = (Crew::new(), Crew::new());
    let hanging = Agent::new("hanging", async |_: Interaction| std::future::pending().await);
    let replies = hanging.trigger(&one, ());
    assert_eq!(texts(&greeter().trigger(&two, "a")).await.unwrap(), "hello-a");
    two.finish().await;
    assert_eq!((one.running(), two.running()), (1, 0));
    replies.cancel();
    one.finish().await;
}

#[tokio::test]
async fn replies_end_before_their_agent_if_it_says_so() {
    let crew = Crew::new();
    let ran = Arc::new(AtomicU32::new(0));
    let count = ran.clone();
    let agent = Agent::new("agent", move |interaction: Interaction| {
        let count = count.clone();
        async move {
            interaction.reply(Item::future(async {
                tokio::task::yield_now().await;
                "late, but sent"
            }));
            interaction.finish();
            interaction.reply("lost");
            interaction.reply_out_of_order("lost");
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            count.fetch_add(1, Ordering::SeqCst);
            Err(Failure::new("lost"))
        }
    });
    assert_eq!(texts(&agent.trigger(&crew, ())).await.unwrap(), "late, but sent");
    crew.finish().await;
    assert_eq!(ran.load(Ordering::SeqCst), 1, "it went on");
}
