//! Teams, from outside: what they answer, in which order it is heard, what they cost, and how they end.
#![cfg(feature = "llm")]

#[path = "support/models.rs"]
mod models;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use models::{answer, failing, reply, saying, scripted, silent_after};
use thalweg::event::{EventView, UpdateView};
use thalweg::failure::FailureKind;
use thalweg::machine::EndReason;
use thalweg::message::Message;
use thalweg::{Agent, Budget, Run, Tool};
use thalweg_crew::team::{Error, Key, Member, Team};
use tokio::sync::Notify;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A member that puts its name and brackets around what it is asked.
fn echo(name: &'static str) -> Member {
    Member::new(name, saying(name, move |asked| format!("{name}({asked})")))
}

#[tokio::test]
async fn each_pattern_asks_and_joins_as_it_says() -> Outcome {
    let nested = || Team::broadcast([echo("x"), echo("y")]);
    let cases = [
        ("one stage", Team::pipeline([echo("a")])?, "a(Q)"),
        ("a pipeline", Team::pipeline([echo("a"), echo("b"), echo("c")])?, "c(b(a(Q)))"),
        ("a broadcast", Team::broadcast([echo("a"), echo("b")])?, "a(Q)\n---\nb(Q)"),
        ("a router of one", Team::router(Key::question(), [echo("a")])?, "a(Q)"),
        ("a router without a key", Team::router(Key::session(), [echo("a"), echo("b")])?, "a(Q)"),
        (
            "a hierarchy",
            Team::hierarchy(echo("lead"), [echo("a"), echo("b")])?,
            "lead(Original question: Q\n\nWorker 1 said:\na(Q)\n\nWorker 2 said:\nb(Q)\n\nSynthesize a single coherent \
             answer combining the workers' perspectives.)",
        ),
        (
            "a debate",
            Team::debate(echo("judge"), [Member::new("pro", saying("pro", |_| "yes".into())), echo("con")], 1)?,
            "judge(Topic: Q\n\nDebater 1 (turn 1): yes\n\nDebater 2 (turn 1): con(Topic: Q\n\nDebater 1 (turn 1): \
             yes)\n\nAs the arbiter, analyze the debate and declare a verdict.)",
        ),
        (
            "a broadcast amid a pipeline",
            Team::pipeline([Member::new("all", nested()?), echo("z")])?,
            "z(x(Q)\n---\ny(Q))",
        ),
        (
            "a broadcast at the end",
            Team::pipeline([echo("z"), Member::new("all", nested()?)])?,
            "x(z(Q))\n---\ny(z(Q))",
        ),
        (
            "a broadcast in a broadcast",
            Team::broadcast([Member::new("all", nested()?), echo("z")])?,
            "x(Q)\n---\ny(Q)\n---\nz(Q)",
        ),
        ("an agent over a team", Team::pipeline([Member::new("agent", nested()?.agent()?)])?, "x(Q)\n---\ny(Q)"),
    ];
    for (name, team, expected) in cases {
        assert_eq!(team.agent()?.prompt_text("Q").await?, expected, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn debaters_take_turns_and_each_hears_all_before_it() -> Outcome {
    let heard = Arc::new(AtomicUsize::new(0));
    let debater = |name: &'static str| {
        let heard = Arc::clone(&heard);
        let count = move |asked: String| {
            // Turns that have been said before this one.
            assert_eq!(asked.matches("Debater").count(), heard.fetch_add(1, Ordering::SeqCst), "{asked}");
            name.to_owned()
        };
        Member::new(name, saying(name, count))
    };
    let team = Team::debate(echo("judge"), [debater("pro"), debater("con")], 3)?;
    let verdict = team.agent()?.prompt_text("Q").await?;
    assert_eq!(heard.load(Ordering::SeqCst), 6);
    assert!(verdict.contains("Debater 2 (turn 3): con"), "{verdict}");
    Ok(())
}

/// The deltas of a run with their members and whether they are of the answer, as far as they are not of one piece.
async fn deltas(run: &Run) -> Vec<(String, bool, String)> {
    let mut all = Vec::new();
    let mut events = run.events();
    while let Some(event) = events.next().await {
        if let EventView::MessageUpdate(UpdateView::Delta { block, delta, member, .. }) = event.view {
            all.push((member.to_owned(), block == thalweg::event::BlockKind::Text, delta.to_owned()));
        }
    }
    all
}

#[tokio::test]
async fn a_broadcast_is_heard_as_it_is_said_and_reads_in_the_order_of_its_members() -> Outcome {
    // Each says a piece when the one before has said its own: b first, then a, then b again.
    let turns: Vec<Arc<Notify>> = (0..2).map(|_| Arc::default()).collect();
    let (first, second) = (Arc::clone(&turns[0]), Arc::clone(&turns[1]));
    let a = scripted("a", move |_, sink| {
        let (first, second) = (Arc::clone(&first), Arc::clone(&second));
        async move {
            first.notified().await;
            sink.text("A");
            sink.stop("stop");
            second.notify_one();
            Ok(())
        }
    });
    let (first, second) = (Arc::clone(&turns[0]), Arc::clone(&turns[1]));
    let b = scripted("b", move |_, sink| {
        let (first, second) = (Arc::clone(&first), Arc::clone(&second));
        async move {
            sink.text("B1");
            first.notify_one();
            second.notified().await;
            sink.text("B2");
            sink.stop("stop");
            Ok(())
        }
    });
    let run = Team::broadcast([Member::new("a", a), Member::new("b", b)])?.agent()?.prompt("Q")?;
    let heard = deltas(&run).await;
    let said: Vec<_> = heard.iter().map(|(member, _, delta)| (member.as_str(), delta.as_str())).collect();
    assert_eq!(said, [("", "\n---\n"), ("b", "B1"), ("a", "A"), ("b", "B2")]);
    assert_eq!(run.message().await?.text(), "A\n---\nB1B2");
    Ok(())
}

#[tokio::test]
async fn what_members_say_on_the_way_is_thinking_and_has_their_names() -> Outcome {
    let panel = Team::broadcast([echo("x"), echo("y")])?;
    let team = Team::hierarchy(
        Member::new("lead", saying("lead", |_| "so".into())),
        [Member::new("panel", panel), echo("z")],
    )?;
    let run = team.agent()?.prompt("Q")?;
    let mut heard = deltas(&run).await;
    assert_eq!(heard.pop(), Some(("lead".into(), true, "so".into())));
    heard.sort();
    let expected = [("panel/x", "x(Q)"), ("panel/y", "y(Q)"), ("z", "z(Q)")];
    assert_eq!(heard, expected.map(|(member, said)| (member.to_owned(), false, said.to_owned())));
    assert_eq!(run.message().await?.text(), "so");
    Ok(())
}

#[tokio::test]
async fn tools_of_members_are_shown_with_the_way_to_who_runs_them() -> Outcome {
    let model = reply_with_call("caller", |ask| (ask.messages().len() > 1).then(|| "done".to_owned()));
    let tool = Tool::new("ask_team", "", serde_json::json!({"type": "object"}), |_, _| async { Ok("yes".to_owned()) });
    let member = Agent::builder().responder(model).tool(tool).build()?;
    // One that is a team, and one that is the agent of a team.
    let panel = Team::pipeline([Member::new("m", member.clone())])?;
    let other = Team::pipeline([Member::new("m", member)])?.agent()?;
    let run = Team::pipeline([Member::new("panel", panel), Member::new("other", other)])?.agent()?.prompt("Q")?;
    let (mut events, mut seen) = (run.events(), Vec::new());
    while let Some(event) = events.next().await {
        if let EventView::ToolExecutionStart { tool_call_id, payload }
        | EventView::ToolExecutionEnd { tool_call_id, payload } = event.view
        {
            let payload: serde_json::Value = serde_json::from_str(payload)?;
            assert_eq!((&payload["tool_call_id"], &payload["tool_name"]), (&tool_call_id.into(), &"ask_team".into()));
            seen.push((payload["member"].to_string(), tool_call_id.to_owned(), payload.get("result").is_some()));
        }
    }
    let of = |member: &str, is_over| (format!("\"{member}\""), format!("{member}/c1"), is_over);
    let expected = [("panel/m", false), ("panel/m", true), ("other/m", false), ("other/m", true)];
    assert_eq!(seen, expected.map(|(member, is_over)| of(member, is_over)));
    assert_eq!(run.message().await?.text(), "done");
    assert_eq!(run.finished().await.messages.len(), 2);
    Ok(())
}

#[tokio::test]
async fn the_next_question_brings_the_answers_so_far_and_no_thoughts() -> Outcome {
    let seen = scripted("seen", |ask, sink| async move {
        let conversation: Vec<String> = ask
            .messages()
            .iter()
            .map(|message| match message {
                Message::Assistant(reply) => format!("<{}|{}>", reply.text(), reply.thinking()),
                _ => "user".to_owned(),
            })
            .collect();
        answer(&sink, &format!("{} {}", conversation.join(","), ask.last_user_text()));
        Ok(())
    });
    let team = Team::hierarchy(Member::new("lead", saying("lead", |_| "so".into())), [Member::new("seen", seen)])?;
    let agent = team.agent()?;
    agent.prompt_text("one").await?;
    let run = agent.prompt("two")?;
    let heard = deltas(&run).await;
    assert_eq!(heard[0].2, "user,<so|>,user two");
    Ok(())
}

#[tokio::test]
async fn the_first_that_fails_ends_the_others_and_the_run_says_who() -> Outcome {
    for hierarchy in [false, true] {
        let (endless, stopped) = silent_after("so far");
        let members = [Member::new("slow", endless), Member::new("bad", failing("bad", "out of paper"))];
        let team = if hierarchy { Team::hierarchy(echo("lead"), members)? } else { Team::broadcast(members)? };
        let run = team.agent()?.prompt("Q")?;
        let mut ends = 0;
        let mut events = run.events();
        while let Some(event) = events.next().await {
            ends += usize::from(matches!(event.view, EventView::AgentEnd { .. }));
        }
        let outcome = run.finished().await;
        assert_eq!(ends, 1, "one end, however many members fail");
        let error = outcome.error.expect("it failed").to_string();
        assert!(error.contains("member `bad`: out of paper"), "{error}");
        stopped.notified().await;
        let reply = outcome.message.expect("as far as it came");
        assert!((reply.text() + &reply.thinking()).contains("so far"), "what was heard is kept");
    }
    Ok(())
}

#[tokio::test]
async fn a_run_that_is_stopped_stops_its_members() -> Outcome {
    let (endless, stopped) = silent_after("so far");
    let inner = Team::broadcast([echo("a"), Member::new("slow", endless)])?;
    let run = Team::pipeline([Member::new("inner", inner), echo("z")])?.agent()?.prompt("Q")?;
    let mut events = run.events();
    while let Some(event) = events.next().await {
        if matches!(event.view, EventView::MessageUpdate(UpdateView::Delta { delta: "so far", .. })) {
            run.abort();
        }
    }
    stopped.notified().await;
    assert_eq!(run.finished().await.reason, Some(EndReason::Aborted));
    Ok(())
}

#[tokio::test]
async fn an_answer_is_not_lost_when_another_member_fails_late() -> Outcome {
    let done = Arc::new(Notify::new());
    let (told, wait) = (Arc::clone(&done), done);
    let quick = scripted("quick", move |_, sink| {
        answer(&sink, "the whole answer");
        let told = Arc::clone(&told);
        async move {
            told.notify_one();
            Ok(())
        }
    });
    let late = scripted("late", move |_, sink| {
        let wait = Arc::clone(&wait);
        async move {
            wait.notified().await;
            // The reply ends without the mark of an end.
            sink.text("half of");
            Ok(())
        }
    });
    let run = Team::broadcast([Member::new("quick", quick), Member::new("late", late)])?.agent()?.prompt("Q")?;
    let outcome = run.finished().await;
    let error = outcome.error.expect("a cut reply is no success");
    assert!(error.to_string().contains("member `late`"), "{error}");
    let reply = outcome.message.expect("as far as it came");
    assert_eq!(reply.text(), "the whole answer\n---\nhalf of");
    assert_eq!(reply.usage.output_tokens, Some(2), "what the whole one used is counted");
    Ok(())
}

#[tokio::test]
async fn how_replies_end_shows_in_the_end_of_the_team() -> Outcome {
    let ending = |word: &'static str| {
        scripted("m", move |_, sink| async move {
            sink.text("text");
            if !word.is_empty() {
                sink.stop(word);
            }
            Ok(())
        })
    };
    let cases = [
        ("stop", Some(EndReason::Complete), false),
        ("length", Some(EndReason::Length), false),
        ("", Some(EndReason::Error), true),
    ];
    for (word, reason, fails) in cases {
        for first in [true, false] {
            let cut = Member::new("cut", ending(word));
            let team = if first { Team::pipeline([cut, echo("b")])? } else { Team::pipeline([echo("a"), cut])? };
            let outcome = team.agent()?.prompt("Q")?.finished().await;
            assert_eq!((outcome.reason, outcome.error.is_some()), (reason, fails), "{word:?}, first: {first}");
        }
    }
    let nothing = Member::new(
        "mute",
        scripted("mute", |_, sink| async move {
            sink.stop("stop");
            Ok(())
        }),
    );
    let outcome = Team::pipeline([nothing, echo("b")])?.agent()?.prompt("Q")?.finished().await;
    let error = outcome.error.expect("an empty answer is no question for the next").to_string();
    assert!(error.contains("member `mute`: the reply has no text"), "{error}");
    Ok(())
}

#[tokio::test]
async fn what_all_members_used_is_the_usage_of_the_reply_and_stands_there_by_name() -> Outcome {
    let inner = Team::broadcast([echo("x"), echo("y")])?;
    let team = Team::hierarchy(echo("lead"), [Member::new("inner", inner), echo("z")])?;
    let outcome = team.agent()?.prompt("Q")?.finished().await;
    // Each reply of the models here counts 3 tokens of prompt, of which a cache had 1, and 2 of its own.
    assert_eq!((outcome.usage.input_tokens, outcome.usage.output_tokens), (Some(12), Some(8)));
    assert_eq!((outcome.usage.cache_read_tokens, outcome.usage.total_tokens), (Some(4), Some(20)));
    let usage = outcome.message.expect("it answered").usage;
    assert_eq!(usage.tokens().map(|tokens| (tokens.prompt(), tokens.cache_read)), Some((12, 4)));
    let raw = usage.raw.expect("by name");
    let members: Vec<&String> = raw["members"].as_object().expect("an object").keys().collect();
    assert_eq!(members.len(), 4, "{raw}");
    assert_eq!(raw["members"]["inner/x"]["output"], 2);
    Ok(())
}

#[tokio::test]
async fn what_a_team_costs_is_known_if_it_is_of_all_members() -> Outcome {
    use thalweg::cost::{Money, Price};
    let priced = |name: &str| {
        let model = reply(name, |asked| asked);
        Agent::builder().responder(model).price(Price::per_million(1.0, 10.0)).build()
    };
    let known = [Member::new("a", priced("a")?), Member::new("b", priced("b")?)];
    let outcome = Team::broadcast(known.clone())?.agent()?.prompt("Q")?.finished().await;
    // Twice 3 tokens of prompt at a millionth of a dollar and 2 of the reply at ten.
    assert_eq!(outcome.cost.map(|cost| cost.total), Some(Money::from_dollars(46e-6)));
    let [a, b] = known;
    let outcome = Team::broadcast([a, b, echo("c")])?.agent()?.prompt("Q")?.finished().await;
    assert_eq!(outcome.cost, None, "never a part as if it were the whole");
    assert_eq!(outcome.message.expect("it answered").usage.raw.expect("by name")["cost_at_least"], 46e-6);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_that_share_a_budget_never_use_more_than_there_is() -> Outcome {
    for round in 0..40 {
        let budget = Budget::tokens(2_000);
        let members = (0..16).map(|n| {
            let watched = budget.clone();
            let model = thalweg::responder::from_fn("m", move |_, sink| {
                let watched = watched.clone();
                async move {
                    assert!(watched.spent().tokens + watched.reserved().tokens <= 2_000, "{watched:?}");
                    tokio::task::yield_now().await;
                    answer(&sink, "said");
                    Ok(())
                }
            });
            let agent = Agent::builder().responder(model).max_tokens(300).budget(budget.clone()).build();
            Member::new(format!("m{n}"), agent.expect("an agent"))
        });
        let outcome = Team::broadcast(members)?.agent()?.prompt("Q")?.finished().await;
        assert!(budget.spent().tokens <= 2_000, "round {round}: {budget:?}");
        if let Some(error) = outcome.error {
            let thalweg::Error::Run { failure, .. } = error else { panic!("{error}") };
            assert_eq!(failure.kind, FailureKind::Budget, "{failure}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn teams_in_teams_and_the_same_agent_everywhere_do_not_wait_for_each_other() -> Outcome {
    let one = saying("one", |asked| asked);
    let mut team = Team::broadcast([Member::new("a", one.clone()), Member::new("b", one.clone())])?;
    for depth in 0..40 {
        let inner = Member::new("inner", team);
        team = if depth % 2 == 0 {
            Team::pipeline([Member::new("before", one.clone()), inner])?
        } else {
            Team::hierarchy(
                Member::new("lead", saying("lead", |_| "deep".into())),
                [inner, Member::new("c", one.clone())],
            )?
        };
    }
    assert_eq!(team.agent()?.prompt_text("Q").await?, "deep");

    // A member whose tool asks the team that it is in.
    let place: Arc<std::sync::OnceLock<Agent>> = Arc::default();
    let inside = Arc::clone(&place);
    let ask_team = Tool::new("ask_team", "", serde_json::json!({"type": "object"}), move |_, _| {
        let agent = inside.get().expect("set below").fork(Vec::new()).map_err(|error| error.to_string());
        async move { agent?.prompt_text("inner").await.map_err(|error| error.to_string()) }
    });
    let model = reply_with_call("caller", |ask| match (ask.last_user_text().as_str(), ask.messages().len()) {
        ("outer", 1) => None,
        ("outer", _) => Some("outer done".to_owned()),
        (asked, _) => Some(format!("answer to {asked}")),
    });
    let member = Agent::builder().responder(model).tool(ask_team).build()?;
    let agent = Team::broadcast([Member::new("m", member)])?.agent()?;
    place.set(agent.clone()).expect("once");
    assert_eq!(agent.prompt_text("outer").await?, "outer done");
    Ok(())
}

/// A model that calls the tool `ask_team` where the function gives nothing to say.
fn reply_with_call(
    name: &str,
    says: impl Fn(&thalweg::Ask) -> Option<String> + Send + Sync + 'static,
) -> Arc<dyn thalweg::Responder> {
    thalweg::responder::from_fn(name, move |ask, sink| {
        let said = says(&ask);
        async move {
            match said {
                Some(text) => answer(&sink, &text),
                None => {
                    let call = sink.tool_call("c1", "ask_team");
                    sink.tool_arguments(call, "{}");
                    sink.tool_end(call);
                    sink.stop("tool_use");
                }
            }
            Ok(())
        }
    })
}

#[tokio::test]
async fn one_team_answers_several_at_once() -> Outcome {
    let team = Team::pipeline([echo("a"), echo("b")])?;
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..50 {
        let agent = team.agent()?;
        asked.spawn(async move { (n, agent.prompt_text(format!("q{n}")).await) });
    }
    while let Some(answered) = asked.join_next().await {
        let (n, answer) = answered?;
        assert_eq!(answer?, format!("b(a(q{n}))"));
    }
    Ok(())
}

#[tokio::test]
async fn a_key_keeps_its_member() -> Outcome {
    let members = || ["a", "b", "c"].map(|name| Member::new(name, saying(name, move |_| name.to_owned())));
    let of_question = Team::router(Key::question(), members())?;
    let mut chosen = std::collections::BTreeSet::new();
    for question in ["one", "two", "three", "four", "five", "six", "seven"] {
        let first = of_question.agent()?.prompt_text(question).await?;
        assert_eq!(of_question.agent()?.prompt_text(question).await?, first, "{question}");
        chosen.insert(first);
    }
    assert_eq!(chosen.len(), 3, "all have something to do");
    let agent = Team::router(Key::conversation(), members())?.agent()?;
    let first = agent.prompt_text("hello").await?;
    for question in ["one", "two", "three", "four", "five", "six", "seven"] {
        assert_eq!(agent.prompt_text(question).await?, first, "a conversation stays where it began");
    }
    Ok(())
}

#[test]
fn what_is_no_team_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let _inside = runtime.enter();
    let name = |text: &str| Error::Name { name: text.to_owned() };
    let long = "n".repeat(65);
    let cases: [(&str, Result<Team, Error>, Error); 8] = [
        ("no stage", Team::pipeline([]), Error::Members { members: 0, least: 1, most: 256 }),
        ("no member", Team::broadcast([]), Error::Members { members: 0, least: 1, most: 256 }),
        ("one debater", Team::debate(echo("j"), [echo("a")], 1), Error::Members { members: 1, least: 2, most: 256 }),
        ("no round", Team::debate(echo("j"), [echo("a"), echo("b")], 0), Error::Rounds { rounds: 0, most: 100 }),
        ("the same name", Team::broadcast([echo("a"), echo("a")]), Error::SameName { name: "a".into() }),
        ("the lead's name", Team::hierarchy(echo("a"), [echo("a")]), Error::SameName { name: "a".into() }),
        ("a slash", Team::pipeline([Member::new("a/b", saying("m", |asked| asked))]), name("a/b")),
        ("a long name", Team::pipeline([Member::new(&*long, saying("m", |asked| asked))]), name(&long)),
    ];
    for (what, team, expected) in cases {
        assert_eq!(team.err(), Some(expected), "{what}");
    }
}
