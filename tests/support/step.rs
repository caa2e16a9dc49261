//! Events as tests compare them: owned, deltas joined, without what tells nothing about the reply.

use serde_json::Value;
use thalweg_abi::types::{
    EVENT_ERROR, EVENT_OTHER_CONTENT, EVENT_REFUSAL, EVENT_TEXT, EVENT_THINKING, EVENT_THINKING_SIGNATURE,
    EVENT_TOOL_ARGUMENTS, EVENT_USAGE_RAW, FAILURE_MALFORMED, FLAG_MERGE, StreamEvent,
};

/// One event, or several adjacent deltas of one block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// `EVENT_*`.
    pub kind: u32,
    /// Choice.
    pub sub: u32,
    /// Block or counter.
    pub block: u32,
    /// Text, unescaped.
    pub text: String,
    /// Second text, unescaped.
    pub aux: String,
    /// Number.
    pub num: i64,
    /// Whether `FLAG_MERGE` is set.
    pub is_merge: bool,
}

impl Step {
    /// A step with nothing in it.
    #[must_use]
    pub fn new(kind: u32) -> Self {
        Self { kind, ..Self::default() }
    }

    /// The owned form of an event whose escapes are resolved.
    #[must_use]
    pub fn of(event: &StreamEvent<'_>) -> Self {
        let owned = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("texts of events are UTF-8");
        Self {
            kind: event.kind(),
            sub: event.sub(),
            block: event.block(),
            text: owned(event.text()),
            aux: owned(event.aux()),
            num: event.num(),
            is_merge: event.has(FLAG_MERGE),
        }
    }

    /// Whether its text is a part of a longer one.
    #[must_use]
    pub const fn is_delta(&self) -> bool {
        is_delta(self.kind)
    }

    fn is_same_channel(&self, other: &Self) -> bool {
        (self.kind, self.sub, self.block, &self.aux) == (other.kind, other.sub, other.block, &other.aux)
    }

    /// Without the words of an error and its classification, which have tables of their own; its JSON stays.
    fn without_words(mut self) -> Self {
        if self.kind == EVENT_ERROR {
            self.text.clear();
            if self.num != FAILURE_MALFORMED {
                self.num = 0;
            }
        }
        self
    }
}

/// Whether texts of this kind are parts of a longer one.
#[must_use]
pub const fn is_delta(kind: u32) -> bool {
    matches!(kind, EVENT_TEXT | EVENT_THINKING | EVENT_THINKING_SIGNATURE | EVENT_REFUSAL | EVENT_TOOL_ARGUMENTS)
}

/// The comparable form of a sequence: adjacent deltas of a block joined, empty ones left out.
#[must_use]
pub fn joined(steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    let mut joined: Vec<Step> = Vec::new();
    for step in steps {
        match joined.last_mut() {
            _ if step.is_delta() && step.text.is_empty() => {}
            Some(last) if step.is_delta() && last.is_same_channel(&step) => last.text.push_str(&step.text),
            _ => joined.push(step.without_words()),
        }
    }
    joined
}

/// Compares events with an expected sequence while they come, without owning any.
#[derive(Debug)]
pub struct Matcher<'e> {
    expected: &'e [Step],
    at: usize,
    /// Bytes of the text of the step at `at` that have come.
    offset: usize,
    difference: Option<String>,
}

impl<'e> Matcher<'e> {
    /// Expects the steps of [`joined`].
    #[must_use]
    pub const fn new(expected: &'e [Step]) -> Self {
        Self { expected, at: 0, offset: 0, difference: None }
    }

    /// Takes the next event.
    #[inline]
    pub fn take(&mut self, event: &StreamEvent<'_>) {
        if self.difference.is_some() || (is_delta(event.kind()) && event.text().is_empty()) {
            return;
        }
        if !self.fits(event) {
            let expected = self.expected.get(self.at);
            let offset = self.offset;
            self.difference =
                Some(format!("event {}: got {event:?}, expected from byte {offset} of {expected:?}", self.at));
        }
    }

    /// What was different, if anything, now that all events have come.
    #[must_use]
    pub fn finish(self) -> Option<String> {
        let missing = || format!("event {} is missing: {:?}", self.at, self.expected[self.at]);
        self.difference.or_else(|| (self.at < self.expected.len()).then(missing))
    }

    #[inline]
    fn fits(&mut self, event: &StreamEvent<'_>) -> bool {
        let Some(step) = self.expected.get(self.at) else { return false };
        if (step.kind, step.sub, step.block) != (event.kind(), event.sub(), event.block()) {
            return false;
        }
        if is_delta(step.kind) {
            let rest = &step.text.as_bytes()[self.offset..];
            if !rest.starts_with(event.text()) || step.aux.as_bytes() != event.aux() {
                return false;
            }
            self.offset += event.text().len();
            if self.offset == step.text.len() {
                (self.at, self.offset) = (self.at + 1, 0);
            }
            return true;
        }
        self.at += 1;
        let got = Step::of(event).without_words();
        got == *step || is_same_json(&got, step)
    }
}

/// Whether two steps differ only in how their JSON is written.
fn is_same_json(one: &Step, other: &Step) -> bool {
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    let is_same = |one: &str, other: &str| value(one).is_some() && value(one) == value(other);
    let blank = |step: &Step| Step { text: String::new(), aux: String::new(), ..step.clone() };
    blank(one) == blank(other)
        && match one.kind {
            EVENT_OTHER_CONTENT | EVENT_USAGE_RAW => one.aux == other.aux && is_same(&one.text, &other.text),
            EVENT_ERROR => one.text == other.text && is_same(&one.aux, &other.aux),
            _ => false,
        }
}
