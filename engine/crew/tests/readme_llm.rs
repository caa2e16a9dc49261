//! The examples that ask a model print what MiniAgents' README says of theirs, with a server that plays its replies.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use thalweg_crew::Console;

#[path = "../examples/chat.rs"]
mod chat;
#[path = "../examples/llm.rs"]
mod llm;
#[path = "../examples/research/main.rs"]
mod research;
mod support;
use support::{body, builder, server, text};

/// What was printed, and typed.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<String>>);

impl Page {
    fn write(&self, text: &str) {
        self.0.lock().unwrap().push_str(text);
    }

    fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// A console where these lines are typed, which a terminal shows.
    fn console(&self, lines: &[&str]) -> Console {
        let (pen, keys) = (self.clone(), self.clone());
        let lines: Mutex<Vec<String>> = Mutex::new(lines.iter().rev().map(ToString::to_string).collect());
        let read_line = move || {
            let line = lines.lock().unwrap().pop()?;
            keys.write(&format!("{line}\n"));
            Some(line)
        };
        Console::new(move |text| pen.write(text), read_line)
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("thalweg-crew-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

#[tokio::test]
async fn llm_example() {
    let server = server([text("I'm just a program, so I don't have feelings, but I'm here to help!")]);
    let page = Page::default();
    let pen = page.clone();
    llm::run(Arc::new(move |text| pen.write(text)), builder(&server)).await.unwrap();
    assert_eq!(page.take(), "I'm just a program, so I don't have feelings, but I'm here to help!\n\n");
    let asked = body(&server, 0);
    assert_eq!((&asked["model"], &asked["temperature"]), (&"gpt-4o-mini".into(), &0.7.into()));
}

/// The worked example: a question is broken down, its parts are searched for at once, and the answer is put together.
#[tokio::test]
async fn research_example() {
    let server = research::played::server();
    let page = Page::default();
    let pen = page.clone();
    let print = Arc::new(move |text: &str| pen.write(text));
    research::run(print, research::played::builder(&server), "m", research::QUESTION).await.unwrap();
    let expected = "
looking up: What a thalweg is
looking up: Why ships need it
looking up: Which treaties use it

The thalweg is the deepest channel, which ships need. A border along it leaves a part of it to both sides.
";
    assert_eq!(page.take(), expected);
    assert_eq!(server.requests().len(), 1 + 3 * 2 + 1, "a plan, three searches with a tool call each, an answer");
    assert!(server.connections().len() >= 3, "one after the other, they would share a connection");
    let told = body(&server, 7)["messages"].clone();
    let said: Vec<_> = told.as_array().unwrap().iter().filter_map(|one| one["content"].as_str()).collect();
    let found = ["It is the deepest channel of a river.", "Ships keep to that channel, and both sides want it."];
    let places: Vec<_> = found.iter().map(|text| said.iter().position(|one| one == text).unwrap()).collect();
    assert!(places[0] < places[1], "in the order of the parts, whichever was first: {said:?}");
}

#[tokio::test]
async fn dialog_loop_example() {
    let hello = "Hello! The greeting \"hi\" is casual and perfectly acceptable.\nIt's grammatically correct and doesn't \
                 require any changes.";
    let welcome =
        "You're welcome! \"Got it, thanks!\" is a concise and clear expression\nof understanding and gratitude.";
    let server = server([text(hello), text(welcome), text("Goodbye!")]);
    let (page, folder) = (Page::default(), folder("dialog"));
    chat::run(page.console(&["hi", "got it, thanks!", "exit"]), builder(&server), &folder).await.unwrap();
    let expected = format!(
        "
YOU ARE NOW IN A CHAT WITH AN AI ASSISTANT

Press Enter to send your message.
End a line with \\ to go on in the next one.
Press Ctrl+C (or type \"exit\") to quit the conversation.


USER: hi

OPENAI_AGENT: {hello}

USER: got it, thanks!

OPENAI_AGENT: {welcome}

USER: exit

"
    );
    assert_eq!(page.take(), expected);
    let rule = "=".repeat(40);
    let kept = format!(
        "\nuser\n{rule}\nhi\n\nassistant / gpt-4o-mini\n{rule}\n{hello}\n\nuser\n{rule}\ngot it, thanks!\n\
         \nassistant / gpt-4o-mini\n{rule}\n{welcome}\n"
    );
    assert_eq!(std::fs::read_to_string(folder.join("CHAT.md")).unwrap(), kept, "the prompt is not part of it");
    let logs: Vec<_> = std::fs::read_dir(folder.join("llm_logs")).unwrap().collect();
    assert_eq!(logs.len(), 2, "a file for each request");
    // The next start goes on with it.
    chat::run(page.console(&["bye"]), builder(&server), &folder).await.unwrap();
    let told = body(&server, 2)["messages"].clone();
    let told: Vec<_> =
        told.as_array().unwrap().iter().map(|one| (one["role"].as_str(), one["content"].clone())).collect();
    let roles: Vec<_> = told.iter().map(|(role, _)| role.unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "user", "assistant", "user"]);
    assert_eq!((&told[2].1, &told[5].1), (&hello.into(), &"bye".into()));
    std::fs::remove_dir_all(folder).unwrap();
}
