//! What is kept of what agents say: each message once, those within it before it, and the graph of calls and replies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use thalweg_crew::{Agent, Crew, Failure, Field, Interaction, Message, RestoreError};

type Kept = Arc<Mutex<Vec<Message>>>;

fn keeping(kept: &Kept) -> Crew {
    let kept = kept.clone();
    Crew::new().keeping(move |messages| {
        let kept = kept.clone();
        async move {
            kept.lock().unwrap().extend(messages);
            Ok(())
        }
    })
}

fn names(kept: &Kept) -> Vec<String> {
    let name = |message: &Message| match message.get("content") {
        Some(_) => message.to_string(),
        None => message.class().to_owned(),
    };
    kept.lock().unwrap().iter().map(name).collect()
}

fn echo() -> Agent {
    Agent::new("echo", async |mut interaction: Interaction| {
        while let Some(message) = interaction.messages.next().await {
            interaction.reply(format!("said {}", message?.value().await?));
        }
        Ok(())
    })
}

/// The order in which MiniAgents 0.0.35 hands them to its handlers.
#[tokio::test]
async fn replies_come_first_then_what_was_sent_then_the_nodes() {
    let kept = Kept::default();
    let crew = keeping(&kept);
    let replies = echo().fork("tone", "dry").trigger(&crew, ["a", "b"]);
    crew.finish().await;
    assert_eq!(names(&kept), ["said a", "said b", "a", "b", "AgentCallNode", "AgentReplyNode"]);
    let reply = kept.lock().unwrap().pop().unwrap();
    let Some(Field::Message(call)) = reply.get("agent_call") else { panic!("{reply:?}") };
    assert_eq!(kept.lock().unwrap().last(), Some(call));
    assert_eq!(call.get("tone"), Some(&"dry".into()));
    assert_eq!(call.to_json()["agent"]["alias"], "echo");
    let texts = |field: &str, node: &Message| node.to_json()[field].as_array().unwrap().len();
    assert_eq!((texts("messages", call), texts("replies", &reply)), (2, 2));
    assert_eq!(replies.value().await.unwrap().len(), 2);
}

#[tokio::test]
async fn each_message_is_kept_once_however_often_it_is_said() {
    let kept = Kept::default();
    let crew = keeping(&kept);
    let (first, inner) = (echo(), echo().named("inner"));
    let twice = Agent::chain([first, inner]);
    for _ in 0..2 {
        twice.trigger(&crew, "x").value().await.unwrap();
    }
    crew.finish().await;
    let names = names(&kept);
    for (name, count) in [("x", 1), ("said x", 1), ("said said x", 1), ("AgentCallNode", 3), ("AgentReplyNode", 3)] {
        assert_eq!(names.iter().filter(|one| *one == name).count(), count, "{name} in {names:?}");
    }
    // Whatever a message refers to was kept before it.
    let all = kept.lock().unwrap();
    for (at, message) in all.iter().enumerate() {
        for sub in message.sub_messages() {
            assert!(all[..at].contains(&sub), "{sub:?} comes behind {message:?}");
        }
    }
}

#[tokio::test]
async fn of_a_call_that_failed_there_is_what_was_said_and_no_reply_node() {
    let kept = Kept::default();
    let crew = keeping(&kept);
    let failing = Agent::new("failing", async |interaction: Interaction| {
        interaction.reply("first");
        Err(Failure::new("x"))
    });
    assert!(failing.trigger(&crew, "sent").value().await.is_err());
    assert!(failing.trigger(&crew, Failure::new("y")).value().await.is_err());
    crew.finish().await;
    assert_eq!(names(&kept), ["first", "sent", "AgentCallNode"]);
    assert!(crew.take_failures().is_empty(), "that is no failure of the handler");
}

#[tokio::test]
async fn keeping_is_awaited_on_demand_and_tried_again() {
    let (kept, works) = (Kept::default(), Arc::new(AtomicBool::new(false)));
    let fails_first = works.clone();
    let crew = keeping(&kept).keeping(move |_| {
        let works = fails_first.load(Ordering::SeqCst);
        async move { if works { Ok(()) } else { Err(Failure::new("disk full")) } }
    });
    let message = Message::text("outer").with("within", Message::text("inner"));
    let all = [message.clone()];
    assert_eq!(crew.keep(&all).await.unwrap_err().to_string(), "disk full");
    echo().trigger(&crew, "x").value().await.unwrap();
    crew.finish().await;
    let failures = crew.take_failures();
    assert_eq!(failures.len(), 4, "two messages and two nodes: {failures:?}");
    assert!(crew.take_failures().is_empty(), "each is told once");
    works.store(true, Ordering::SeqCst);
    kept.lock().unwrap().clear();
    assert_eq!(crew.keep(&all).await.unwrap(), [Message::text("inner"), message]);
    assert!(crew.keep(&all).await.unwrap().is_empty());
    assert_eq!(names(&kept), ["inner", "outer"]);
    crew.pass_over(&[Message::text("not this one")]).await;
    assert!(crew.keep(&[Message::text("not this one")]).await.unwrap().is_empty());
    // A crew where nobody keeps anything.
    assert!(Crew::new().keep(&all).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_only_watches_starts_nothing() {
    let kept = Kept::default();
    let crew = keeping(&kept).on_request();
    let replies = echo().trigger(&crew, "x");
    for _ in 0..9 {
        tokio::task::yield_now().await;
    }
    assert!(kept.lock().unwrap().is_empty());
    replies.value().await.unwrap();
    crew.finish().await;
    assert_eq!(names(&kept), ["said x", "x", "AgentCallNode", "AgentReplyNode"]);
    // Cancelled while it runs: nothing is left that would be waited for.
    let hanging = Agent::new("hanging", async |_: Interaction| std::future::pending().await);
    let replies = hanging.trigger(&crew, "y");
    let _reader = replies.reader();
    tokio::task::yield_now().await;
    replies.cancel();
    crew.finish().await;
}

#[test]
fn a_message_is_restored_from_what_was_stored() {
    let inner = Message::text("in");
    let field = |json: serde_json::Value| Field::from(json);
    let cases = [
        Message::text("x").with("k", 1.5).with("none", Field::Null).with("list", field(serde_json::json!([1, [true]]))),
        Message::user("hi").with("m", inner.clone()),
        Message::text("y").with("ms", vec![inner.clone(), Message::text("two")]),
        Message::text("z").with(
            "deep",
            match field(serde_json::json!({"a": {"b": 2}})) {
                Field::Frozen(fields) => fields.with("m", inner.clone()),
                other => panic!("{other:?}"),
            },
        ),
    ];
    let known = [inner, Message::text("two")];
    let mut find = |key: &str| known.iter().find(|message| message.hash_key() == key).cloned();
    for message in cases {
        let restored = Message::restore(&message.serialized(), &mut find).unwrap();
        assert_eq!(restored.hash_key(), message.hash_key(), "{message:?}");
        assert_eq!(restored.sub_messages(), message.sub_messages());
    }
    let nested = Message::text("x").with("m", Message::text("nowhere")).serialized();
    let missing = Message::restore(&nested, &mut find).unwrap_err();
    assert!(matches!(missing, RestoreError::Missing { .. }), "{missing}");
    for wrong in ["", "[]", "{}", "{\"class_\": 1}", "\"x\""] {
        assert!(matches!(Message::restore(wrong, &mut find), Err(RestoreError::Form(_))), "{wrong}");
    }
}
