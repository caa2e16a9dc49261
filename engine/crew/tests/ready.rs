//! Ready-made agents: histories, file output, the console, one text of several.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use thalweg_crew::{
    Agent, Console, Crew, Failure, Field, Frozen, History, Interaction, Interrupted, Item, Message, MessagePromise,
    Sequence, SingleText, Start,
};

async fn texts(sequence: &Sequence) -> Result<Vec<String>, Failure> {
    Ok(sequence.value().await?.iter().map(ToString::to_string).collect())
}

fn file(name: &str) -> PathBuf {
    let file = std::env::temp_dir().join(format!("thalweg-crew-{}", std::process::id())).join(name);
    let _ = std::fs::remove_file(&file);
    file
}

/// What MarkdownHistoryAgent of MiniAgents 0.0.35 reads from the same files.
#[tokio::test]
async fn markdown_history_is_read_as_miniagents_reads_it() {
    type Said<'a> = (&'a str, Option<&'a str>, &'a str);
    #[rustfmt::skip]
    let cases: [(&str, &str, &[Said<'_>]); 14] = [
        ("written", "\nuser\n========================================\nhi\n\nassistant / gpt-4o-mini\n========================================\nHello!\n\nHow are you?\n",
            &[("user", None, "hi"), ("assistant", Some("gpt-4o-mini"), "Hello!\n\nHow are you?")]),
        ("hashes", "# User\n\none\n\n# Assistant / m1 #\ntwo\n", &[("user", None, "one"), ("assistant", Some("m1"), "two")]),
        ("not a speaker", "# Title\nfront\n# user\na\n# Notes\nb\n", &[("user", None, "a\n# Notes\nb")]),
        ("model of two words", "# user\na\n# assistant / two words\nb\n", &[("user", None, "a\n# assistant / two words\nb")]),
        ("in code", "# user\n```\n# assistant\n```\nb\n~~~\nassistant\n===\n~~~\n", &[("user", None, "```\n# assistant\n```\nb\n~~~\nassistant\n===\n~~~")]),
        ("text above", "# user\nsome text\nassistant\n====\nb\n", &[("user", None, "some text\nassistant\n====\nb")]),
        ("second level", "# user\na\n## assistant\nb\nassistant\n---\nc\n", &[("user", None, "a\n## assistant\nb\nassistant\n---\nc")]),
        ("indented", "# user\n    # assistant\nb\n   # assistant\nc\n", &[("user", None, "    # assistant\nb"), ("assistant", None, "c")]),
        ("empty", "# user\n\n\n# assistant\nx\n", &[("user", None, ""), ("assistant", None, "x")]),
        ("spaces kept", "# user\n\n  two spaces  \n\nend \n\n\n", &[("user", None, "  two spaces  \n\nend ")]),
        ("short rule", "# system\nbe\n\nuser\n=\nx\n", &[("system", None, "be"), ("user", None, "x")]),
        ("nothing", "only text\n", &[]),
        ("long fence", "# user\n````\n```\n# assistant\n````\nx\n", &[("user", None, "````\n```\n# assistant\n````\nx")]),
        ("code in a line", "# user\n```a```\n# assistant\ny\n", &[("user", None, "```a```"), ("assistant", None, "y")]),
    ];
    let path = file("read.md");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let history = Agent::markdown_history(&path).fork("return_full_history", true);
    for (name, text, expected) in cases {
        std::fs::write(&path, text).unwrap();
        let read = history.fork("skip_empty", false).trigger(&Crew::new(), ()).value().await.unwrap();
        let seen: Vec<_> = read
            .iter()
            .map(|message| {
                let field = |name| message.get(name).and_then(Field::as_str);
                (field("role").unwrap(), field("model"), field("content").unwrap())
            })
            .collect();
        assert_eq!(seen, expected, "{name}");
        let said = history.trigger(&Crew::new(), ()).value().await.unwrap().len();
        assert_eq!(said, expected.iter().filter(|(_, _, text)| !text.is_empty()).count(), "{name}: empty ones skipped");
    }
}

#[tokio::test]
async fn markdown_history_keeps_what_it_may() {
    let path = file("kept.md");
    let history = Agent::markdown_history(&path);
    let said = || -> Vec<Item> {
        vec![
            Message::user("one").into(),
            Message::user("secret").with("no_history", true).into(),
            Message::text("two").with("model", "m").into(),
        ]
    };
    let rule = "=".repeat(40);
    let kept = format!("\nuser\n{rule}\none\n\nassistant / m\n{rule}\ntwo\n");
    assert_eq!(texts(&history.trigger(&Crew::new(), said())).await.unwrap(), ["one", "secret", "two"]);
    Crew::scope(async |crew| drop(history.trigger(&crew, ()).value().await)).await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), kept);
    let full = history.fork("return_full_history", true);
    assert_eq!(texts(&full.trigger(&Crew::new(), Message::user("three"))).await.unwrap(), ["one", "two", "three"]);
    let anew = full.fork("append", false).fork("ignore_no_history", true).fork("default_role", "user");
    assert_eq!(texts(&anew.trigger(&Crew::new(), said())).await.unwrap(), ["one", "secret", "two"]);
    assert!(std::fs::read_to_string(&path).unwrap().ends_with(&format!("\nuser / m\n{rule}\ntwo\n")));
}

#[tokio::test]
async fn a_history_in_memory_is_its_own() {
    let (one, other) = (History::default(), History::default());
    let full = one.agent().fork("return_full_history", true);
    let crew = Crew::new();
    assert_eq!(texts(&one.agent().trigger(&crew, ["a", "b"])).await.unwrap(), ["a", "b"]);
    crew.finish().await;
    assert_eq!(texts(&full.trigger(&crew, "c")).await.unwrap(), ["a", "b", "c"]);
    assert_eq!((one.messages().len(), other.messages().len()), (3, 0));
}

#[tokio::test]
async fn a_file_gets_what_was_said() {
    let path = file("out.txt");
    for (agent, expected) in
        [(Agent::file_output(&path), "a\n\nb"), (Agent::file_output(&path).fork("delimiter", " | "), "a | b")]
    {
        let crew = Crew::new();
        assert_eq!(
            texts(&agent.trigger(&crew, ["a", "b"])).await.unwrap(),
            ["a", "b"],
            "it replies with what it hears"
        );
        crew.finish().await;
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    }
    // Where it cannot be written, that is an error like any other.
    let folder = path.parent().unwrap();
    let failure = texts(&Agent::file_output(folder).trigger(&Crew::new(), "a")).await;
    assert!(failure.is_err());
}

#[tokio::test]
async fn console_table() {
    let user = |text: &str| Message::user(text);
    let styled = Message::text("x").with("agent_alias", "my_agent");
    type Case = (&'static str, Vec<Message>, Vec<&'static str>, Result<Vec<&'static str>, ()>, &'static str);
    let greeting = "
YOU ARE NOW IN A CHAT WITH AN AI ASSISTANT

Press Enter to send your message.
End a line with \\ to go on in the next one.
Press Ctrl+C (or type \"exit\") to quit the conversation.


USER: \n";
    let cases: Vec<Case> = vec![
        ("the first line", vec![], vec!["hi"], Ok(vec!["hi"]), greeting),
        (
            "who speaks",
            vec![styled, user("u"), Message::text("z")],
            vec!["hi"],
            Ok(vec!["x", "u", "z", "hi"]),
            "MY_AGENT: x\n\nUSER: u\n\nASSISTANT: z\n\nUSER: \n",
        ),
        ("several lines", vec![user("u")], vec!["one\\", "two"], Ok(vec!["u", "one\ntwo"]), "USER: u\n\nUSER: \n"),
        ("an empty line", vec![user("u")], vec!["  "], Ok(vec!["u"]), "USER: u\n\nUSER: \n"),
        ("exit", vec![user("u")], vec![" exit "], Err(()), "USER: u\n\nUSER: \n"),
        ("the end of the input", vec![user("u")], vec![], Err(()), "USER: u\n\nUSER: "),
    ];
    for (name, heard, lines, expected, printed) in cases {
        let page = Arc::new(Mutex::new(String::new()));
        let pen = page.clone();
        let lines = Mutex::new(lines.into_iter().rev().map(str::to_owned).collect::<Vec<_>>());
        let console = Console::new(move |text| pen.lock().unwrap().push_str(text), move || lines.lock().unwrap().pop());
        let crew = Crew::new();
        let user = console.user(None::<Agent>);
        let heard: Vec<Item> = heard.into_iter().map(Into::into).collect();
        let replies = texts(&user.trigger(&crew, heard)).await;
        crew.finish().await;
        match (&replies, expected) {
            (Ok(replies), Ok(expected)) => assert_eq!(*replies, expected, "{name}"),
            (Err(failure), Err(())) => assert!(failure.downcast_ref::<Interrupted>().is_some(), "{name}: {failure}"),
            (replies, _) => panic!("{name}: {replies:?}"),
        }
        assert_eq!(*page.lock().unwrap(), printed, "{name}");
    }
}

#[tokio::test]
async fn single_text_table() {
    let two = || -> Vec<Item> {
        vec![
            Message::text("\n\nx").with("k", 0).with("content_type", "a").into(),
            Message::text("\ny").with("k", 1).into(),
        ]
    };
    let plain = || SingleText { keep_originals: false, ..SingleText::default() };
    #[rustfmt::skip]
    let cases = [
        ("by default", SingleText::default(), "\n\nx\n\n\ny", Some(2)),
        ("alone", plain(), "\n\nx\n\n\ny", None),
        ("another delimiter", SingleText { delimiter: "-".into(), ..plain() }, "\n\nx-\ny", None),
        ("no delimiter", SingleText { delimiter: String::new(), ..plain() }, "\n\nx\ny", None),
        ("without line ends before", SingleText { strip_leading_newlines: true, ..plain() }, "x\n\ny", None),
    ];
    let crew = Crew::new();
    for (name, settings, expected, originals) in cases {
        let promise = Sequence::of(&crew, two()).single_text(settings);
        let message = promise.value().await.unwrap();
        assert_eq!(message.to_string(), expected, "{name}");
        assert_eq!(message.get("k"), Some(&Field::from(1)), "{name}: the later one counts");
        assert_eq!(message.get("content_type"), Some(&Field::from("a")), "{name}");
        let kept = message.get("original_messages").map(|_| message.sub_messages().len());
        assert_eq!(kept, originals, "{name}");
        let mut tokens = promise.tokens();
        let mut text = String::new();
        while let Some(token) = tokens.next().await {
            text += &token.unwrap().0;
        }
        assert_eq!(text, expected, "{name}: the same by token");
    }
    let known = SingleText { known: Frozen::new().with("k", 7), class: "Note".into(), ..plain() };
    let promise = Sequence::of(&crew, two()).single_text(known);
    assert_eq!(promise.known().get("k"), Some(&7.into()), "before it is there");
    let message = promise.value().await.unwrap();
    assert_eq!((message.class(), message.get("k")), ("Note", Some(&7.into())), "what is known counts most");
}

#[tokio::test]
async fn a_message_written_from_outside() {
    let (mut writer, promise) = MessagePromise::channel("AssistantMessage", Frozen::new().with("role", "assistant"));
    let mut tokens = promise.tokens();
    writer.append("a").unwrap();
    assert_eq!(tokens.next().await.unwrap().unwrap().0, "a", "before it is whole");
    assert!(promise.try_value().is_none());
    writer.append("b").unwrap();
    writer.finish(Frozen::new().with("usage", 3).with("role", "narrator"));
    let message = promise.value().await.unwrap();
    assert_eq!((message.class(), message.to_string().as_str()), ("AssistantMessage", "ab"));
    assert_eq!((message.get("usage"), message.get("role")), (Some(&3.into()), Some(&"assistant".into())));
    for (fails, expected) in [(true, "x"), (false, "cancelled before the end")] {
        let (mut writer, promise) = MessagePromise::channel("TextMessage", Frozen::new());
        writer.append("a").unwrap();
        if fails {
            writer.fail(Failure::new("x"));
        } else {
            drop(writer);
        }
        let mut tokens = promise.tokens();
        assert_eq!(tokens.next().await.unwrap().unwrap().0, "a");
        assert_eq!(tokens.next().await.unwrap().unwrap_err().to_string(), expected);
        assert!(tokens.next().await.is_none());
        assert_eq!(promise.value().await.unwrap_err().to_string(), expected);
    }
}

#[tokio::test]
async fn one_agent_differs_from_the_defaults_of_its_crew() {
    let ran = Arc::new(Mutex::new(0));
    let count = ran.clone();
    let agent = Agent::new("agent", move |_: Interaction| {
        *count.lock().unwrap() += 1;
        async { Err(Failure::new("x")) }
    });
    for (crew, start, ran_by_itself) in [
        (Crew::new(), None, 1),
        (Crew::new(), Some(Start::OnRequest), 0),
        (Crew::new().on_request(), None, 0),
        (Crew::new().on_request(), Some(Start::Soon), 1),
    ] {
        *ran.lock().unwrap() = 0;
        let agent = start.map_or_else(|| agent.clone(), |start| agent.starting(start));
        let replies = agent.with_errors_as_messages(true).trigger(&crew, ());
        for _ in 0..9 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*ran.lock().unwrap(), ran_by_itself, "{start:?}");
        assert_eq!(texts(&replies).await.unwrap(), ["x"]);
        assert_eq!(*ran.lock().unwrap(), 1);
    }
    let crew = Crew::new().with_errors_as_messages();
    assert!(texts(&agent.with_errors_as_messages(false).trigger(&crew, ())).await.is_err());
}

#[test]
fn a_crew_runs_all_that_was_started() {
    let done = Arc::new(Mutex::new(Vec::new()));
    let list = done.clone();
    let outcome = Crew::run(async move |crew| {
        let late = Agent::new("late", move |interaction: Interaction| {
            let list = list.clone();
            async move {
                let inner = list.clone();
                interaction.keep_open(async move {
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                    inner.lock().unwrap().push("kept open");
                });
                list.lock().unwrap().push("agent");
                Ok(())
            }
        });
        // Nobody reads what it replies.
        drop(late.trigger(&crew, ()));
        Ok(7)
    });
    assert_eq!(outcome.unwrap(), 7);
    assert_eq!(*done.lock().unwrap(), ["agent", "kept open"]);
    let failed: Result<(), Failure> = Crew::run(async |_| Err(Failure::new("x")));
    assert_eq!(failed.unwrap_err().to_string(), "x");
}

/// A parent that fails takes those along whose replies nobody can read any more; what it had replied still comes.
#[tokio::test(start_paused = true)]
async fn who_fails_leaves_nobody_running() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let child = |name: &'static str| {
        let log = log.clone();
        Agent::new(name, move |interaction: Interaction| {
            let log = log.clone();
            async move {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                log.lock().unwrap().push(name);
                interaction.reply(name);
                Ok(())
            }
        })
    };
    for (fails, done, replies) in
        [(true, vec!["read"], vec!["read", "!x"]), (false, vec!["read", "unread", "unread's"], vec!["read"])]
    {
        log.lock().unwrap().clear();
        let (read, grandchild) = (child("read"), child("unread's"));
        let unread = child("unread");
        let unread = Agent::new("outer", move |interaction: Interaction| {
            let (own, inner) = (interaction.trigger(&unread, ()), interaction.trigger(&grandchild, ()));
            async move {
                own.value().await?;
                inner.value().await?;
                Ok(())
            }
        });
        let parent = Agent::new("parent", move |interaction: Interaction| {
            let (read, unread) = (read.clone(), unread.clone());
            async move {
                interaction.reply(interaction.trigger(&read, ()));
                let _forgotten = interaction.trigger(&unread, ());
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                if fails { Err(Failure::new("x")) } else { Ok(()) }
            }
        });
        let crew = Crew::new();
        let mut reader = parent.trigger(&crew, ()).reader();
        let mut seen = Vec::new();
        while let Some(piece) = reader.next().await {
            seen.push(match piece {
                Ok(promise) => promise.value().await.unwrap().to_string(),
                Err(failure) => format!("!{failure}"),
            });
        }
        crew.finish().await;
        assert_eq!(seen, replies);
        let mut ran = log.lock().unwrap().clone();
        ran.sort_unstable();
        assert_eq!(ran, done, "fails: {fails}");
    }
}
