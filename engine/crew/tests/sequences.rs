//! Sequences: what is flattened comes in the order of the source while all of it runs, errors stay at their place, and
//! what is out of order comes when it is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thalweg_crew::{
    Agent, Appender, Crew, Failure, Field, Frozen, Interaction, Item, Message, MessagePromise, Sequence, Token,
};

/// All messages, and errors with an exclamation mark: reading goes on behind them.
async fn read(sequence: &Sequence) -> Vec<String> {
    let mut reader = sequence.reader();
    let mut seen = Vec::new();
    while let Some(piece) = reader.next().await {
        let whole = match piece {
            Ok(promise) => promise.value().await,
            Err(failure) => Err(failure),
        };
        seen.push(whole.map_or_else(|failure| format!("!{failure}"), |message| message.to_string()));
    }
    seen
}

fn after(ms: u64, item: impl Into<Item>) -> Item {
    let item = item.into();
    Item::future(async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        item
    })
}

/// A message whose only token comes late.
fn streamed(crew: &Crew, ms: u64, text: &'static str) -> MessagePromise {
    MessagePromise::stream(crew, Frozen::new(), async move |pieces: Appender<Token>| {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(pieces.append(Token(text.into()))?)
    })
}

fn fields(json: serde_json::Value) -> Frozen {
    match Field::from(json) {
        Field::Frozen(fields) => fields,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_is_nested_comes_in_the_order_of_the_source() {
    let crew = Crew::new();
    let d = Message::new("Message", fields(serde_json::json!({"content": "d", "k": 1})));
    let inner = Sequence::of(&crew, ["i1", "i2"]);
    let cases: Vec<(&str, Item, Vec<&str>)> = vec![
        ("nothing", Item::nothing(), vec![]),
        ("a text", "s".into(), vec!["s"]),
        ("a message", d.clone().into(), vec!["```json\n{\"class_\":\"Message\",\"content\":\"d\",\"k\":1}\n```"]),
        (
            "lists in lists",
            vec![Item::from("a"), vec![Item::from("b"), Item::from(["c", "d"])].into(), "e".into()].into(),
            vec!["a", "b", "c", "d", "e"],
        ),
        ("an iterator", Item::iter(["g1", "g2"].into_iter()), vec!["g1", "g2"]),
        ("a promise", streamed(&crew, 5, "p").into(), vec!["p"]),
        ("a sequence, twice", vec![inner.clone(), inner].into(), vec!["i1", "i2", "i1", "i2"]),
        ("a future of a list", after(9, ["f1", "f2"]), vec!["f1", "f2"]),
        (
            "slow before fast",
            vec![after(90, "slow"), "fast".into(), streamed(&crew, 1, "mid").into()].into(),
            vec!["slow", "fast", "mid"],
        ),
        ("an error amid", vec![Item::from("a"), Failure::new("x").into(), "b".into()].into(), vec!["a", "!x", "b"]),
        (
            "an error in a list in a future",
            vec![after(1, vec![Item::from("a"), Failure::new("x").into()]), "b".into()].into(),
            vec!["a", "!x", "b"],
        ),
        (
            "an iterator that panics",
            vec![
                Item::iter((0..3).map(|at| {
                    assert!(at < 2, "third");
                    "g"
                })),
                "b".into(),
            ]
            .into(),
            vec!["g", "g", "!panicked: third", "b"],
        ),
        (
            "a future that panics",
            vec![
                Item::future(async {
                    panic!("boom");
                    #[expect(unreachable_code, reason = "says of what type it would be")]
                    "x"
                }),
                "b".into(),
            ]
            .into(),
            vec!["!panicked: boom", "b"],
        ),
        (
            "a result",
            vec![
                Item::from(Ok::<_, Failure>("ok")),
                Err::<&str, _>(Failure::new("no")).into(),
                Some("some").into(),
                None::<&str>.into(),
            ]
            .into(),
            vec!["ok", "!no", "some"],
        ),
    ];
    for (name, item, expected) in cases {
        let sequence = Sequence::of(&crew, item);
        for round in 0..2 {
            assert_eq!(read(&sequence).await, expected, "{name}, round {round}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_of_it_runs_at_once() {
    let crew = Crew::new();
    let slow = Agent::new("slow", async |interaction: Interaction| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        interaction.reply("done");
        Ok(())
    });
    let started = tokio::time::Instant::now();
    let nested: Vec<Item> = (0..5).map(|_| vec![slow.trigger(&crew, ()), slow.trigger(&crew, ())].into()).collect();
    assert_eq!(read(&Sequence::of(&crew, nested)).await.len(), 10);
    assert!(started.elapsed() < Duration::from_millis(1100), "{:?}", started.elapsed());
}

/// Fifteen replies, nine of them out of order; what MiniAgents 0.0.35 prints for the same delays.
#[tokio::test(start_paused = true)]
async fn replies_out_of_order_come_in_the_order_of_miniagents() {
    let expected = [
        "1",
        "5-ooo",
        "10-ooo",
        "3-ooo-0.2",
        "11-ooo-0.3",
        "12-ooo",
        "2-slow",
        "4",
        "7",
        "8-0.1",
        "9",
        "13-0.6",
        "15-last",
        "14-ooo-late",
        "6-ooo-0.8",
    ];
    let mixed = Agent::new("mixed", async |interaction: Interaction| {
        let slow = |ms: u64, text: &'static str| {
            let agent = Agent::new("slow", move |interaction: Interaction| async move {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                interaction.reply(text);
                Ok(())
            });
            Item::from(interaction.trigger(&agent, ()))
        };
        interaction.reply("1");
        interaction.reply(slow(500, "2-slow"));
        interaction.reply_out_of_order(slow(200, "3-ooo-0.2"));
        interaction.reply("4");
        interaction.reply_out_of_order("5-ooo");
        interaction.reply_out_of_order(slow(800, "6-ooo-0.8"));
        interaction.reply(vec!["7".into(), slow(100, "8-0.1"), "9".into()]);
        interaction.reply_out_of_order(vec!["10-ooo".into(), slow(300, "11-ooo-0.3"), "12-ooo".into()]);
        interaction.reply(slow(600, "13-0.6"));
        tokio::time::sleep(Duration::from_millis(700)).await;
        interaction.reply_out_of_order("14-ooo-late");
        interaction.reply("15-last");
        Ok(())
    });
    let crew = Crew::new();
    let replies = mixed.trigger(&crew, ());
    for round in 0..2 {
        let seen = read(&replies).await;
        assert_eq!(seen, expected, "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_out_of_order_stop_nothing() {
    let failing = Agent::new("failing", async |interaction: Interaction| {
        interaction.reply(after(20, "slow"));
        interaction.reply_out_of_order(after(10, Failure::new("early")));
        interaction.reply_out_of_order(after(30, "late"));
        Err(Failure::new("own"))
    });
    let crew = Crew::new();
    assert_eq!(
        read(&failing.trigger(&crew, ())).await,
        ["!early", "slow", "!own", "late"],
        "no reply is lost when it fails"
    );
}

#[tokio::test(start_paused = true)]
async fn cancel_stops_what_adds_to_a_sequence_and_those_it_called() {
    let crew = Crew::new();
    let dropped = Arc::new(AtomicBool::new(false));
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let flag = dropped.clone();
    let child = Agent::new("child", move |interaction: Interaction| {
        let flag = Flag(flag.clone());
        async move {
            let _flag = flag;
            interaction.reply("from the child");
            std::future::pending().await
        }
    });
    let parent = Agent::new("parent", move |interaction: Interaction| {
        let child = child.clone();
        async move {
            interaction.reply(interaction.trigger(&child, ()));
            std::future::pending().await
        }
    });
    let replies = parent.trigger(&crew, ());
    let mut reader = replies.reader();
    assert_eq!(reader.next().await.unwrap().unwrap().value().await.unwrap().to_string(), "from the child");
    replies.cancel();
    assert_eq!(read(&replies).await, ["from the child", "!cancelled before the end"]);
    crew.finish().await;
    assert!(dropped.load(Ordering::SeqCst));
}

#[tokio::test]
async fn several_messages_are_one_text() {
    let crew = Crew::new();
    let y = Message::text("y").with("k", 1);
    let single = Sequence::of(&crew, vec![Message::text("x").with("k", 0), y]).as_single_text("\n\n").await.unwrap();
    assert_eq!(single.to_string(), "x\n\ny");
    assert_eq!(single.get("k"), Some(&Field::from(1)), "the later one counts");
    assert_eq!(single.sub_messages().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_of_the_source_holds_on_several_threads() {
    let crew = Crew::new();
    let echo = Agent::new("echo", async |mut interaction: Interaction| {
        while let Some(message) = interaction.messages.next().await {
            tokio::task::yield_now().await;
            interaction.reply(message?);
        }
        Ok(())
    });
    for _ in 0..50 {
        let numbers: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        let nested: Vec<Item> = numbers.iter().map(|number| echo.trigger(&crew, number.as_str()).into()).collect();
        assert_eq!(read(&Sequence::of(&crew, nested)).await, numbers);
    }
}
