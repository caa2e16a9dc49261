//! A person at a console: what an agent says is printed token by token, and a line is read for it.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use thalweg_actor::Failure;

use crate::agent::{Agent, Interaction};
use crate::chain::{Interrupted, Step};
use crate::field::Field;
use crate::message::Message;
use crate::message_promise::MessagePromise;

/// Where a person reads and writes. Cheap to clone.
#[derive(Clone)]
pub struct Console {
    print: Arc<dyn Fn(&str) + Send + Sync>,
    read_line: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    is_coloured: bool,
}

impl Console {
    /// Standard input and output; coloured if that is a terminal.
    #[must_use]
    pub fn standard() -> Self {
        let print = |text: &str| {
            let mut out = std::io::stdout();
            // Nobody is left to be told that the terminal is gone.
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        };
        let read_line = || std::io::stdin().lines().next().and_then(Result::ok);
        Self { is_coloured: std::io::stdout().is_terminal(), ..Self::new(print, read_line) }
    }

    /// Functions of the program's own. `read_line` may block; without a line the person has had enough.
    pub fn new(
        print: impl Fn(&str) + Send + Sync + 'static,
        read_line: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self { print: Arc::new(print), read_line: Arc::new(read_line), is_coloured: false }
    }

    /// An agent that prints what it hears and replies with that. Each message begins with who says it: its `agent_alias`,
    /// its `role`, or the configured `default_role`. Configured are besides `mention_aliases` and `assistant_style`; a
    /// message has a style of its own under `console_style`.
    #[must_use]
    pub fn output(&self) -> Agent {
        let console = self.clone();
        Agent::new("console_output", move |mut interaction: Interaction| {
            let console = console.clone();
            async move {
                interaction.reply(interaction.sent());
                while let Some(promise) = interaction.messages.next().await {
                    console.show(&interaction, &promise?).await?;
                }
                Ok(())
            }
        })
    }

    /// An agent that waits for what it hears, reads a line, and replies with both; with nothing to hear it prints first how
    /// this works. A line that ends with a backslash goes on in the next one. `exit`, or the end of the input, is
    /// [`Interrupted`].
    #[must_use]
    pub fn input(&self) -> Agent {
        let console = self.clone();
        Agent::new("console_input", move |interaction: Interaction| {
            let console = console.clone();
            async move {
                interaction.reply(interaction.sent());
                if interaction.sent().value().await?.is_empty() {
                    let greeting = interaction.configuration("greeting").and_then(Field::as_str).unwrap_or(GREETING);
                    console.say("92;1", &format!("\n{greeting}\n\n{KEYS}\n"));
                    (console.print)("\n");
                }
                console.say("93;1", "USER: ");
                let reading = console.clone();
                // Off the threads that run agents: a person may think for long.
                let text = tokio::task::spawn_blocking(move || reading.read()).await?.ok_or(Interrupted)?;
                (console.print)("\n");
                match text.trim() {
                    "exit" => return Err(Interrupted.into()),
                    "" => {}
                    _ => interaction.reply(Message::user(text)),
                }
                Ok(())
            }
        })
    }

    /// An agent that prints what it hears, reads what the person says, and replies with all that was said so far, as
    /// `history` knows it.
    pub fn user(&self, history: impl Into<Step>) -> Agent {
        Agent::user(self.output(), self.input(), history)
    }

    async fn show(&self, interaction: &Interaction, promise: &MessagePromise) -> Result<(), Failure> {
        let known = |name| promise.known().get(name).and_then(Field::as_str).filter(|text| !text.is_empty());
        let configured = |name| interaction.configuration(name).and_then(Field::as_str);
        let style = known("console_style").or(configured("assistant_style")).unwrap_or("92;1").to_owned();
        if interaction.configuration("mention_aliases") != Some(&Field::Bool(false)) {
            let speaker = known("agent_alias").or(known("role")).or(configured("default_role")).unwrap_or("assistant");
            self.say(&style, &format!("{}: ", speaker.to_uppercase()));
        }
        let mut tokens = promise.tokens();
        while let Some(token) = tokens.next().await {
            self.say(&style, &token?.0);
        }
        (self.print)("\n\n");
        Ok(())
    }

    fn say(&self, style: &str, text: &str) {
        if self.is_coloured {
            (self.print)(&format!("\x1b[{style}m{text}\x1b[0m"));
        } else {
            (self.print)(text);
        }
    }

    fn read(&self) -> Option<String> {
        let mut text = (self.read_line)()?;
        while text.ends_with('\\') {
            text.pop();
            text.push('\n');
            match (self.read_line)() {
                Some(more) => text.push_str(&more),
                None => break,
            }
        }
        Some(text)
    }
}

impl Agent {
    /// An agent that is a user: what it hears goes through `output`, `input` and `history`, which replies with all that was
    /// said so far. Each of them may be left out.
    pub fn user(output: impl Into<Step>, input: impl Into<Step>, history: impl Into<Step>) -> Self {
        let history = match history.into() {
            Step::Agent(agent) => Step::Agent(agent.fork("return_full_history", true)),
            step => step,
        };
        Self::chain([output.into(), input.into(), history]).named("user")
    }
}

const GREETING: &str = "YOU ARE NOW IN A CHAT WITH AN AI ASSISTANT";
const KEYS: &str = "\
Press Enter to send your message.
End a line with \\ to go on in the next one.
Press Ctrl+C (or type \"exit\") to quit the conversation.
";
