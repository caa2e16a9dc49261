//! Where prompts come from: the command line, stdin as a whole, stdin line by line, or an edited line of a terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use rustyline::error::ReadlineError;
use tokio::sync::{mpsc, oneshot};

use crate::failure::Failure;

/// The prompt of a one-shot command: itself, or all of stdin for `-`.
pub(crate) fn whole(argument: String) -> Result<String, Failure> {
    if argument != "-" {
        return non_empty(argument, "the prompt is empty");
    }
    let mut text = String::new();
    io::stdin()
        .lock()
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format_args!("cannot read the prompt from stdin: {error}")))?;
    non_empty(text, "the prompt on stdin is empty")
}

fn non_empty(text: String, message: &str) -> Result<String, Failure> {
    let text = text.trim();
    if text.is_empty() { Err(Failure::usage(message)) } else { Ok(text.to_owned()) }
}

/// What the person at the keyboard, or the pipe, did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A prompt.
    Line(String),
    /// Ctrl-C while editing.
    Interrupted,
    /// Ctrl-D, or the end of the pipe.
    End,
    /// The line cannot be read.
    Broken(String),
}

/// Reads prompts one after another on a thread of its own, so that the event loop never waits for a keyboard.
#[derive(Debug)]
pub(crate) struct Prompts {
    ask: mpsc::UnboundedSender<oneshot::Sender<Input>>,
}

impl Prompts {
    /// With line editing and a history in memory if stdin is a terminal, else a prompt a line.
    pub(crate) fn start() -> Self {
        let (ask, asked) = mpsc::unbounded_channel();
        std::thread::spawn(move || if io::stdin().is_terminal() { edit_lines(asked) } else { read_lines(asked) });
        Self { ask }
    }

    /// The next prompt.
    pub(crate) async fn next(&self) -> Input {
        let (answer, answered) = oneshot::channel();
        if self.ask.send(answer).is_err() {
            return Input::End;
        }
        answered.await.unwrap_or(Input::End)
    }
}

fn edit_lines(mut asked: mpsc::UnboundedReceiver<oneshot::Sender<Input>>) {
    let mut editor = match rustyline::DefaultEditor::new() {
        Ok(editor) => editor,
        Err(error) => {
            if let Some(answer) = asked.blocking_recv() {
                let _ = answer.send(Input::Broken(error.to_string()));
            }
            return;
        }
    };
    while let Some(answer) = asked.blocking_recv() {
        let input = match editor.readline("> ") {
            Ok(line) => {
                // A history that is full or refuses a repetition is no reason to stop.
                let _ = editor.add_history_entry(&line);
                Input::Line(line)
            }
            Err(ReadlineError::Interrupted) => Input::Interrupted,
            Err(ReadlineError::Eof) => Input::End,
            Err(error) => Input::Broken(error.to_string()),
        };
        if answer.send(input).is_err() {
            return;
        }
    }
}

fn read_lines(mut asked: mpsc::UnboundedReceiver<oneshot::Sender<Input>>) {
    let mut stdin = io::stdin().lock();
    while let Some(answer) = asked.blocking_recv() {
        let mut line = String::new();
        let input = match stdin.read_line(&mut line) {
            Ok(0) => Input::End,
            Ok(_) => Input::Line(line),
            Err(error) => Input::Broken(error.to_string()),
        };
        if answer.send(input).is_err() {
            return;
        }
    }
}
