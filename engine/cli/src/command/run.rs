//! `thalweg run`: one question for a script, every event of the run as one line of JSON.

use std::io::{self, BufWriter, Write as _};

use thalweg_agent::event::EventView;

use crate::attachment::Attachments;
use crate::endpoint::{self, EndpointArguments};
use crate::failure::{Failure, INTERRUPTED};
use crate::prompt;
use crate::session::{AgentArguments, Session};
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
    #[command(flatten)]
    endpoint: EndpointArguments,
    #[command(flatten)]
    agent: AgentArguments,
    #[command(flatten)]
    attachments: Attachments,
}

impl Run {
    pub(crate) async fn execute(self) -> Result<(), Failure> {
        let question = prompt::whole(self.prompt)?;
        let endpoint = endpoint::choose(&self.endpoint).await?;
        let session = Session::open(endpoint, &self.endpoint, &self.agent, Some(&question)).await?;
        let run = session.ask_with(&question, self.attachments.with(&question)?)?;
        let mut watch = Watch::new(&run);
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
                    out.write_all(session.without_key(text).as_bytes())?;
                }
                _ => out.write_all(&line)?,
            }
        }
        out.flush()?;
        match run.finished().await.error {
            _ if watch.was_interrupted() => Err(Failure::silent(INTERRUPTED)),
            Some(error) => Err(Failure::run(session.without_key(error.to_string()))),
            None => Ok(()),
        }
    }
}
