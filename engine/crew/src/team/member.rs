//! A member of a team: an agent, or another team.

use thalweg::event::{EventView, UpdateView};
use thalweg::failure::{Failure, FailureKind};
use thalweg::machine::EndReason;
use thalweg::message::Message;
use thalweg::{Agent, Run, kind};

use super::question::Question;
use super::voice::{Place, Voice};
use super::{Answering, Error, Team};

/// A member of a team: a name, and who speaks under it. Clones are the same member.
#[derive(Clone, Debug)]
pub struct Member {
    name: String,
    speaker: Speaker,
}

/// Who speaks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Speaker {
    /// An agent, with a conversation of its own for each question.
    Agent(Agent),
    /// Another team.
    Team(Team),
}

impl From<Agent> for Speaker {
    fn from(agent: Agent) -> Self {
        Self::Agent(agent)
    }
}

impl From<Team> for Speaker {
    fn from(team: Team) -> Self {
        Self::Team(team)
    }
}

impl Member {
    /// A member. Whether the name will do is said by the team that it joins: 1 to 64 characters, none of them a slash.
    pub fn new(name: impl Into<String>, speaker: impl Into<Speaker>) -> Self {
        Self { name: name.into(), speaker: speaker.into() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Begins to answer; as [`Team::answer`]. The voice is the member's own.
    pub(super) fn answer(&self, question: Question, voice: Voice) -> Answering {
        match &self.speaker {
            Speaker::Team(team) => team.answer(question, voice),
            Speaker::Agent(agent) => {
                let agent = agent.clone();
                Box::pin(async move { ask(&agent, &question, voice).await })
            }
        }
    }
}

/// Asks an agent, and has it heard.
async fn ask(agent: &Agent, question: &Question, mut voice: Voice) -> Result<String, Failure> {
    let path = voice.path().to_owned();
    let blame = |failure: Failure| Failure { message: format!("member `{path}`: {}", failure.message), ..failure };
    let refused = |error: thalweg::Error| blame(Failure::new(FailureKind::Other, error.to_string()));
    let agent = agent.fork(question.messages().to_vec()).map_err(refused)?;
    let run = Stopping(agent.go_on().map_err(refused)?);
    let mut events = run.0.events();
    let (mut turn, mut is_of_many) = (0, false);
    while let Some(event) = events.next().await {
        match event.view {
            EventView::TurnStart { .. } => turn += 1,
            EventView::MessageUpdate(UpdateView::Start { member, .. }) => is_of_many |= !member.is_empty(),
            EventView::MessageUpdate(UpdateView::Delta { block, content_index, delta, member }) => {
                voice.hear(block, Place { turn, content_index }, member, is_of_many, delta);
            }
            EventView::ToolExecutionStart { payload, .. } => voice.show_tool(kind::TOOL_EXECUTION_START, payload),
            EventView::ToolExecutionUpdate { payload, .. } => voice.show_tool(kind::TOOL_EXECUTION_UPDATE, payload),
            EventView::ToolExecutionEnd { payload, .. } => voice.show_tool(kind::TOOL_EXECUTION_END, payload),
            EventView::MessageEnd { role: "assistant", message } => {
                if let Ok(Message::Assistant(reply)) = serde_json::from_str(message) {
                    voice.count(&reply.usage, reply.stop_kind());
                }
            }
            _ => {}
        }
    }
    let outcome = run.0.finished().await;
    voice.stage().count_cost(outcome.cost.as_ref());
    match outcome.error {
        Some(thalweg::Error::Run { failure, .. }) => return Err(blame(*failure)),
        Some(error) => return Err(refused(error)),
        None => {}
    }
    if outcome.reason == Some(EndReason::WaitingForApproval) {
        let message = "a tool call waits for a person, and nobody in a team can be asked";
        return Err(blame(Failure::new(FailureKind::Other, message)));
    }
    let reply = outcome.message.unwrap_or_default();
    let answer = match reply.text() {
        text if text.is_empty() => reply.refusal(),
        text => text,
    };
    if answer.is_empty() {
        return Err(blame(Failure::new(FailureKind::Other, "the reply has no text")));
    }
    voice.finish(&answer);
    Ok(answer)
}

/// A run that is stopped when nobody waits for it any more.
struct Stopping(Run);

impl Drop for Stopping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A name that can stand in a path.
pub(super) fn checked_name(name: &str) -> Result<&str, Error> {
    match (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.contains('/') {
        true => Ok(name),
        false => Err(Error::Name { name: name.to_owned() }),
    }
}

const NAME_CHARS_MAX: usize = 64;
