//! How one member is heard: with the answer, or at work for others.

use serde_json::{Map, Value};
use thalweg::event::BlockKind;
use thalweg::message::StopKind;
use thalweg::usage::Usage;
use thalweg_abi::types::{EVENT_TEXT, EVENT_THINKING};

use super::stage::Stage;

/// How one member is heard. What it says as the answer is text of the reply; what it says at work for others is thinking.
#[derive(Debug)]
pub(super) struct Voice {
    stage: Stage,
    /// Who speaks; empty for the team as a whole.
    path: String,
    is_answer: bool,
    /// Whether the answer may have several blocks: nobody else's answer stands beside it.
    is_alone: bool,
    /// The block of the answer, once it has one.
    answer: Option<u32>,
    /// The turn of the member that the answer has come to.
    answered: Option<u32>,
    /// The blocks of what is not the answer, each with what it goes on.
    asides: Vec<(Place, u32)>,
}

/// A block of a member's own reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) turn: u32,
    pub(super) content_index: u32,
}

impl Voice {
    /// The voice of a whole team, which answers.
    pub(super) fn of_the_team(stage: &Stage) -> Self {
        Self { is_answer: true, is_alone: true, ..Self::silent(stage, String::new()) }
    }

    fn silent(stage: &Stage, path: String) -> Self {
        Self {
            stage: stage.clone(),
            path,
            is_answer: false,
            is_alone: false,
            answer: None,
            answered: None,
            asides: Vec::new(),
        }
    }

    /// The member in whose hands the answer is.
    pub(super) fn pass_to(self, member: &str) -> Self {
        Self { path: self.path_of(member), ..self }
    }

    /// A member that works for the answer.
    pub(super) fn at_work(&self, member: &str) -> Self {
        Self::silent(&self.stage, self.path_of(member))
    }

    /// A member that gives a part of the answer, which has its place behind the parts before it from now on.
    pub(super) fn part(&self, member: &str) -> Self {
        let path = self.path_of(member);
        let block = self.stage.next_block();
        self.stage.say(EVENT_TEXT, block, &path, "");
        Self { is_answer: true, answer: Some(block), ..Self::silent(&self.stage, path) }
    }

    /// What stands between two parts of the answer.
    pub(super) fn between(&self, text: &str) {
        self.stage.say(EVENT_TEXT, self.stage.next_block(), &self.path, text);
    }

    /// Whether the answer may have several parts, which are said at once.
    pub(super) const fn may_have_parts(&self) -> bool {
        self.is_answer && self.is_alone
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// A delta of the member's own reply. `member` is who of its own speaks, if it is a team; those speak at once, so that
    /// nothing of it is the answer before it is whole.
    pub(super) fn hear(&mut self, kind: BlockKind, place: Place, member: &str, is_of_many: bool, delta: &str) {
        let is_said = match kind {
            BlockKind::Text | BlockKind::Refusal => true,
            BlockKind::Thinking => false,
            BlockKind::ToolCall => return,
        };
        if is_said && self.is_answer && !is_of_many {
            return self.say(place.turn, delta);
        }
        let block = match self.asides.iter().rev().find(|(other, _)| *other == place) {
            Some((_, block)) => *block,
            None => {
                let block = self.stage.next_block();
                self.asides.push((place, block));
                block
            }
        };
        match member.is_empty() {
            true => self.stage.say(EVENT_THINKING, block, &self.path, delta),
            false => self.stage.say(EVENT_THINKING, block, &self.path_of(member), delta),
        }
    }

    /// A tool that the member runs, or one of its own if it is a team: the same event, but for whose it is. Ids of calls are
    /// those of a member, so that its path stands before them, too.
    pub(super) fn show_tool(&self, kind: u32, payload: &str) {
        let Ok(Value::Object(mut payload)) = serde_json::from_str(payload) else { return };
        let text = |payload: &Map<String, Value>, key: &str| payload.get(key)?.as_str().map(|text| self.path_of(text));
        let id = text(&payload, "tool_call_id").unwrap_or_default();
        let member = text(&payload, "member").unwrap_or_else(|| self.path.clone());
        payload.insert("tool_call_id".to_owned(), id.as_str().into());
        payload.insert("member".to_owned(), member.into());
        self.stage.show_tool(kind, &id, &Value::Object(payload).to_string());
    }

    /// The whole answer, if it is this voice's to give and has not been given while it came.
    pub(super) fn finish(&mut self, answer: &str) {
        if self.is_answer && self.answered.is_none() {
            self.say(0, answer);
        }
    }

    /// Counts what a reply of the member used.
    pub(super) fn count(&self, usage: &Usage, stop: Option<StopKind>) {
        self.stage.count(&self.path, usage, stop);
    }

    fn say(&mut self, turn: u32, text: &str) {
        let block = *self.answer.get_or_insert_with(|| self.stage.next_block());
        if self.answered.is_some_and(|answered| answered != turn) {
            self.stage.say(EVENT_TEXT, block, &self.path, "\n\n");
        }
        self.answered = Some(turn);
        self.stage.say(EVENT_TEXT, block, &self.path, text);
    }

    fn path_of(&self, member: &str) -> String {
        match self.path.as_str() {
            "" => member.to_owned(),
            path => format!("{path}/{member}"),
        }
    }
}
