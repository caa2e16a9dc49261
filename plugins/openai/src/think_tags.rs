//! Thinking that stands in the text, between `<think>` and `</think>`, as some servers send it.
//!
//! A text may begin with it; behind its end all is plain text again. Tags may be cut anywhere between two deltas. What may be the
//! beginning of a tag is held back until it is known: it is always the same few characters, so nothing of a frame is kept.

use thalweg_abi::types::{EVENT_TEXT, EVENT_THINKING, FLAG_SCRATCH, FLAG_TEXT_ESCAPED, StreamEvent};
use thalweg_wire::json::Text;

use crate::blocks::Choice;
use crate::emit::Emit;

/// Where a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ThinkTags {
    /// Tags are plain text: they are not looked for, or thinking is over.
    #[default]
    Plain,
    /// Before the first character that is no blank; so many characters of the opening tag have come.
    Before(usize),
    /// Inside; so many characters of the closing tag have come.
    Inside(usize),
}

const OPEN: &[u8] = b"<think>";
const CLOSE: &[u8] = b"</think>";

impl ThinkTags {
    pub(crate) const fn is_plain(self) -> bool {
        matches!(self, Self::Plain)
    }

    /// The tag that is looked for, how much of it has come, and what the characters are if it does not come whole.
    const fn wanted(self) -> (&'static [u8], usize, u32) {
        match self {
            Self::Plain => (b"", 0, EVENT_TEXT),
            Self::Before(len) => (OPEN, len, EVENT_TEXT),
            Self::Inside(len) => (CLOSE, len, EVENT_THINKING),
        }
    }

    /// The state when so many characters of the tag have come.
    const fn with(self, len: usize) -> Self {
        match self {
            Self::Plain => Self::Plain,
            Self::Before(_) => Self::Before(len),
            Self::Inside(_) => Self::Inside(len),
        }
    }
}

impl Choice {
    /// Text that may have tags in it.
    pub(crate) fn tagged<'f>(&mut self, text: Text<'f>, emit: &mut Emit<'_, '_, 'f>) {
        emit.is_unrepeatable();
        let raw = text.raw();
        // What is not told yet begins at `start`; what may be a tag, at `tag`, or with `carried` characters of earlier deltas.
        let (mut start, mut tag, mut at) = (0, 0, 0);
        let (_, mut carried, _) = self.tags.wanted();
        while at < raw.len() && !self.tags.is_plain() {
            let (character, len) = character(&raw[at..]);
            let (wanted, matched, kind) = self.tags.wanted();
            if wanted.get(matched) == Some(&character) {
                if matched == 0 {
                    tag = at;
                }
                at += len;
                self.tags = self.tags.with(matched + 1);
                if matched + 1 == wanted.len() {
                    self.slice(kind, &raw[start..tag], emit);
                    self.tags = if kind == EVENT_TEXT { ThinkTags::Inside(0) } else { ThinkTags::Plain };
                    (start, tag, carried) = (at, at, 0);
                }
            } else if matched > 0 {
                // No tag after all.
                self.piece(kind, &wanted[..carried], FLAG_SCRATCH, emit);
                self.tags = if kind == EVENT_TEXT { ThinkTags::Plain } else { ThinkTags::Inside(0) };
                carried = 0;
            } else {
                if kind == EVENT_TEXT && !matches!(character, b' ' | b'\n' | b'\r' | b'\t') {
                    self.tags = ThinkTags::Plain;
                }
                at += len;
            }
        }
        let (_, matched, kind) = self.tags.wanted();
        let end = if matched > 0 { tag } else { raw.len() };
        self.slice(kind, &raw[start..end], emit);
    }

    /// No more text comes: tells what was held back.
    pub(crate) fn flush_tags(&mut self, emit: &mut Emit<'_, '_, '_>) {
        let (wanted, matched, kind) = self.tags.wanted();
        self.piece(kind, &wanted[..matched], FLAG_SCRATCH, emit);
        self.tags = self.tags.with(0);
    }

    fn slice<'f>(&mut self, kind: u32, raw: &'f [u8], emit: &mut Emit<'_, '_, 'f>) {
        self.piece(kind, raw, if raw.contains(&b'\\') { FLAG_TEXT_ESCAPED } else { 0 }, emit);
    }

    fn piece<'f>(&mut self, kind: u32, raw: &'f [u8], flags: u32, emit: &mut Emit<'_, '_, 'f>) {
        if !raw.is_empty() {
            let event = StreamEvent::new(kind).with_sub(self.index).with_block(self.block_of(kind));
            emit.push(event.with_text(raw).with_flags(flags));
        }
    }
}

/// The character with which the content of a JSON string begins, and how long it is written; zero for one that is in no tag
/// and no blank. Some servers write brackets as escapes.
fn character(raw: &[u8]) -> (u8, usize) {
    match raw {
        [b'\\', b'u', digits @ ..] => {
            let character = match digits.get(..4).map(<[u8]>::to_ascii_lowercase).as_deref() {
                Some(b"003c") => b'<',
                Some(b"003e") => b'>',
                Some(b"002f") => b'/',
                _ => 0,
            };
            (character, raw.len().min(6))
        }
        [b'\\', b'/', ..] => (b'/', 2),
        [b'\\', b'n' | b'r' | b't', ..] => (b'\n', 2),
        [b'\\', ..] => (0, raw.len().min(2)),
        [byte, ..] => (*byte, 1),
        [] => (0, 1),
    }
}
