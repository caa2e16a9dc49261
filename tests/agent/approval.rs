//! A call that waits for a person, who answers in another process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use thalweg::machine::EndReason;
use thalweg::{Approval, Error, Hook, HookPoint, Saved, Tool};
use thalweg_replay::Options;

use crate::support::{agent, answers, calls_reply, event_types, finished, last_request, server, text_reply};

fn asks_a_person(asked: &Arc<AtomicUsize>) -> Hook {
    let asked = Arc::clone(asked);
    Hook::new(HookPoint::BeforeToolCall, move |input| {
        asked.fetch_add(1, Ordering::SeqCst);
        async move { Ok(if input["tool_name"] == "rm" { json!({"wait": true}) } else { Value::Null }) }
    })
}

fn tools() -> Vec<Tool> {
    let tool =
        |name: &'static str| {
            Tool::new(name, "", json!({"type": "object"}), move |arguments, _| async move {
                Ok(format!("{name} {arguments}"))
            })
        };
    vec![tool("ls"), tool("rm")]
}

#[tokio::test]
async fn a_run_that_waits_is_saved_and_goes_on_elsewhere_with_each_kind_of_answer() {
    let calls = [("a", "ls", "{}"), ("b", "rm", r#"{"path":"x"}"#), ("c", "rm", "{}"), ("d", "rm", "{}")];
    let server = server(vec![calls_reply(&calls), text_reply(&["done"])], Options::in_order());
    let asked = Arc::new(AtomicUsize::new(0));
    let builder = || agent(&server).tools(tools()).hook(asks_a_person(&asked));
    let json = {
        let agent = builder().build().unwrap();
        let run = agent.prompt("tidy up").unwrap();
        let outcome = finished(&run).await;
        assert!(outcome.error.is_none());
        assert_eq!(outcome.reason, Some(EndReason::WaitingForApproval));
        assert_eq!(agent.pending().iter().map(|call| call.id.as_str()).collect::<Vec<_>>(), ["b", "c", "d"]);
        assert_eq!(event_types(&run).await.last(), Some(&"agent_end"));
        agent.steer("and then?").unwrap();
        serde_json::to_string(&agent.save().unwrap()).unwrap()
    };
    assert_eq!((server.requests().len(), asked.load(Ordering::SeqCst)), (1, 4));

    let saved: Saved = serde_json::from_str(&json).unwrap();
    let agent = builder().saved(saved.clone()).build().unwrap();
    assert_eq!(agent.pending().len(), 3);
    assert!(matches!(agent.answer([("a", Approval::approve())]), Err(Error::Prompt(_))));
    let outcome = finished(&agent.answer([("b", Approval::approve())]).unwrap()).await;
    assert_eq!(outcome.reason, Some(EndReason::WaitingForApproval), "the others still wait");
    let answer = [("c", Approval::deny("keep that")), ("d", Approval::answer("done by hand"))];
    let outcome = finished(&agent.answer(answer).unwrap()).await;
    assert_eq!(outcome.reason, Some(EndReason::Complete), "{outcome:?}");
    let expected =
        [("ls {}", false), ("rm {\"path\":\"x\"}", false), ("not executed: keep that", true), ("done by hand", false)];
    assert_eq!(answers(&outcome), expected.map(|(text, is_error)| (text.to_owned(), is_error)));
    assert_eq!(asked.load(Ordering::SeqCst), 4, "nobody is asked once more about what was approved");
    let sent = last_request(&server);
    let roles: Vec<_> = sent["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "tool", "tool", "user"]);

    agent.restore(saved.clone()).unwrap();
    assert_eq!((agent.pending().len(), agent.queued().0.len(), agent.messages().len()), (3, 1, 2));
    let wrong = Saved { schema: 99, ..saved };
    assert!(agent.restore(wrong.clone()).is_err());
    assert!(matches!(builder().saved(wrong).build(), Err(Error::Saved { schema: 99 })));
}

#[tokio::test]
async fn a_person_who_is_there_is_waited_for_without_a_limit_of_the_tools() {
    let server = server(vec![calls_reply(&[("b", "rm", "{}")]), text_reply(&["done"])], Options::in_order());
    let person = Hook::new(HookPoint::BeforeToolCall, |_| async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        Ok(Value::Null)
    });
    let builder = agent(&server).tools(tools()).hook(person).tool_timeout(std::time::Duration::from_millis(20));
    let agent = builder.build().unwrap();
    let outcome = finished(&agent.prompt("go").unwrap()).await;
    assert_eq!(answers(&outcome), [("rm {}".to_owned(), false)]);
}
