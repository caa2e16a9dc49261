//! `thalweg run`: one question for a script, every event of the run as one line of JSON, or shown as `chat` does.

use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;

use thalweg_agent::event::EventView;

use crate::attachment::Attachments;
use crate::endpoint::{self, EndpointArguments};
use crate::failure::{Failure, INTERRUPTED};
use crate::prompt;
use crate::render::{Screen, What};
use crate::session::{AgentArguments, Session};
use crate::team::Team;
use crate::watch::Watch;

/// Ask once and print every event of the run as one line of JSON
///
/// Lines have `type`: agent_start, turn_start, message_start, message_update (with the delta), message_end,
/// tool_execution_start, _update and _end, turn_end, and at last exactly one agent_end, which has the messages, the
/// usage and the error if there was one.
#[derive(clap::Args)]
pub(crate) struct Run {
    /// The question; `-` reads all of stdin as one
    prompt: String,
    /// Ask the team that this file describes, in TOML or JSON; each of its members has a model of its own. Every delta and
    /// every tool says in `member` whose it is
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "base_url", "system", "max_turns", "max_tokens",
        "tool_choice", "thinking", "json_schema", "no_tools"])]
    team: Option<PathBuf>,
    /// Show the run as `chat` does, in the place of JSON
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    endpoint: EndpointArguments,
    #[command(flatten)]
    agent: AgentArguments,
    #[command(flatten)]
    attachments: Attachments,
}

impl Run {
    pub(crate) async fn execute(self) -> Result<(), Failure> {
        let question = prompt::whole(self.prompt.clone())?;
        let prompt = self.attachments.with(&question)?;
        match &self.team {
            Some(file) => {
                let team = Team::open(file, &self.endpoint, &question).await?;
                self.follow(&team.ask(prompt)?, |text| team.without_key(text)).await
            }
            None => {
                let endpoint = endpoint::choose(&self.endpoint).await?;
                let session = Session::open(endpoint, &self.endpoint, &self.agent, Some(&question)).await?;
                self.follow(&session.ask_with(&question, prompt)?, |text| session.without_key(text)).await
            }
        }
    }

    /// Writes what happens in the run, without keys, until it is over.
    async fn follow(&self, run: &thalweg::Run, without_key: impl Fn(String) -> String) -> Result<(), Failure> {
        let mut watch = Watch::new(run);
        if self.text {
            show(&mut watch, run).await?;
        } else {
            print(&mut watch, &without_key).await?;
        }
        match run.finished().await.error {
            _ if watch.was_interrupted() => Err(Failure::silent(INTERRUPTED)),
            Some(error) => Err(Failure::run(without_key(error.to_string()))),
            None => Ok(()),
        }
    }
}

/// Shows the run to a person.
async fn show(watch: &mut Watch<'_>, run: &thalweg::Run) -> Result<(), Failure> {
    let mut screen = Screen::stdout(What::Everything);
    while let Some(event) = watch.next(|| screen.flush()).await? {
        screen.show(&event.view)?;
    }
    screen.break_line()?;
    screen.figures(&run.finished().await, None)?;
    Ok(screen.flush()?)
}

/// Prints every event of the run as JSON.
async fn print(watch: &mut Watch<'_>, without_key: impl Fn(String) -> String) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut line = Vec::new();
    while let Some(event) = watch.next(|| out.flush()).await? {
        line.clear();
        event.write_json(&mut line);
        line.push(b'\n');
        match event.view {
            // What a provider says of an error stands in these.
            EventView::MessageEnd { .. } | EventView::TurnEnd { .. } | EventView::AgentEnd { .. } => {
                let text = String::from_utf8_lossy(&line).into_owned();
                out.write_all(without_key(text).as_bytes())?;
            }
            _ => out.write_all(&line)?,
        }
    }
    Ok(out.flush()?)
}
