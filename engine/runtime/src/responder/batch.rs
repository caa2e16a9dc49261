//! Events that own their texts.

use serde::{Deserialize, Serialize};
use thalweg_abi::types::{
    EVENT_DONE, EVENT_ERROR, EVENT_REDACTED_THINKING, EVENT_REFUSAL, EVENT_STOP, EVENT_TEXT, EVENT_THINKING,
    EVENT_THINKING_SIGNATURE, EVENT_TOOL_ARGUMENTS, EVENT_TOOL_BEGIN, FLAG_MERGE, FLAG_SPEAKER, StreamEvent,
};

use super::view::ReplyEvent;

/// Events of a reply with their texts, plain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    events: Vec<Stored>,
    /// The texts, one after the other.
    texts: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stored {
    kind: u32,
    flags: u32,
    block: u32,
    sub: u32,
    num: i64,
    text: usize,
    aux: usize,
}

/// An event as it stands in a file.
#[derive(Deserialize, Serialize)]
struct Line {
    kind: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    flags: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    block: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    sub: u32,
    #[serde(default)]
    num: i64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    aux: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls it in")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Batch {
    /// Adds an event, whose texts are copied.
    pub fn push(&mut self, event: &StreamEvent<'_>) {
        self.texts.extend_from_slice(event.text());
        self.texts.extend_from_slice(event.aux());
        self.events.push(Stored {
            kind: event.kind(),
            // Other flags speak of frames, of which there are none here.
            flags: event.flags() & (FLAG_MERGE | FLAG_SPEAKER),
            block: event.block(),
            sub: event.sub(),
            num: event.num(),
            text: event.text().len(),
            aux: event.aux().len(),
        });
    }

    /// Whether there is no event.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Number of events.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.events.len()
    }

    /// The events, in order.
    pub fn iter(&self) -> impl Iterator<Item = StreamEvent<'_>> {
        let mut rest = &self.texts[..];
        self.events.iter().map(move |event| {
            let (text, behind) = rest.split_at(event.text);
            let (aux, behind) = behind.split_at(event.aux);
            rest = behind;
            StreamEvent::new(event.kind)
                .with_flags(event.flags)
                .with_block(event.block)
                .with_sub(event.sub)
                .with_num(event.num)
                .with_text(text)
                .with_aux(aux)
        })
    }

    /// The events as steps of a reply.
    pub fn views(&self) -> impl Iterator<Item = ReplyEvent<'_>> {
        self.iter().map(|event| ReplyEvent::of(&event))
    }

    /// Whether it holds what a reader sees of a reply: content, or its end.
    pub(crate) fn has_content(&self) -> bool {
        self.events.iter().any(|event| match event.kind {
            EVENT_TEXT | EVENT_THINKING | EVENT_REFUSAL | EVENT_TOOL_ARGUMENTS => event.text > 0,
            EVENT_TOOL_BEGIN | EVENT_THINKING_SIGNATURE | EVENT_REDACTED_THINKING | EVENT_STOP | EVENT_DONE => true,
            _ => false,
        })
    }

    /// Whether an error is told in it.
    pub(crate) fn has_error(&self) -> bool {
        self.events.iter().any(|event| event.kind == EVENT_ERROR)
    }

    /// Whether the end of the reply is told in it.
    pub(crate) fn has_end(&self) -> bool {
        self.events.iter().any(|event| matches!(event.kind, EVENT_STOP | EVENT_DONE))
    }

    /// The events as JSON, a line each.
    pub(crate) fn to_lines(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut lines = String::new();
        for event in self.iter() {
            let line = Line {
                kind: event.kind(),
                flags: event.flags(),
                block: event.block(),
                sub: event.sub(),
                num: event.num(),
                text: text(event.text()),
                aux: text(event.aux()),
            };
            // Numbers and texts: there is nothing here that can fail to serialise.
            lines.push_str(&serde_json::to_string(&line).unwrap_or_default());
            lines.push('\n');
        }
        lines
    }

    /// Reads what [`Batch::to_lines`] wrote.
    pub(crate) fn from_lines(lines: &str) -> Result<Self, serde_json::Error> {
        let mut batch = Self::default();
        for line in lines.lines() {
            let line: Line = serde_json::from_str(line)?;
            batch.push(
                &StreamEvent::new(line.kind)
                    .with_flags(line.flags)
                    .with_block(line.block)
                    .with_sub(line.sub)
                    .with_num(line.num)
                    .with_text(line.text.as_bytes())
                    .with_aux(line.aux.as_bytes()),
            );
        }
        Ok(batch)
    }
}

impl<'e> Extend<StreamEvent<'e>> for Batch {
    fn extend<T: IntoIterator<Item = StreamEvent<'e>>>(&mut self, events: T) {
        for event in events {
            self.push(&event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_back_as_they_went_in_also_by_way_of_a_file() {
        let mut batch = Batch::default();
        let events = [
            StreamEvent::new(EVENT_TOOL_BEGIN).with_block(3).with_text(b"add").with_aux(b"call_1"),
            StreamEvent::new(EVENT_TEXT).with_sub(1).with_text("a\n\"ß\"".as_bytes()),
            StreamEvent::new(EVENT_STOP).with_num(-4),
        ];
        batch.extend(events);
        let read = Batch::from_lines(&batch.to_lines()).unwrap();
        assert_eq!(read, batch);
        let second = read.iter().nth(1).unwrap();
        assert_eq!((second.text(), second.sub()), ("a\n\"ß\"".as_bytes(), 1));
        assert!(batch.has_content() && batch.has_end() && !batch.has_error());
        assert!(Batch::from_lines("{\"kind\":").is_err());
    }
}
