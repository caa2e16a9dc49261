//! One choice of a reply: its blocks in order of appearance, each found by the number that the wire gives it.

use std::borrow::Cow;
use std::collections::VecDeque;

use serde_json::Value;
use thalweg_abi::types::{EVENT_REDACTED_THINKING, EVENT_REFUSAL, EVENT_TEXT, EVENT_THINKING, EVENT_TOOL_ARGUMENTS};

use super::{BlockRef, Change};
use crate::arguments::Arguments;
use crate::limits::BLOCKS_MAX;
use crate::message::{ContentBlock, OtherContent, ToolCall};
use crate::stop::StopReason;

/// Stands where the provider named no tool.
const UNNAMED_TOOL: &str = "unnamed";

/// Arguments came for a tool call that was already complete.
#[derive(Debug)]
pub(super) struct ClosedCall;

#[derive(Debug)]
pub(super) struct Choice {
    blocks: Vec<Block>,
    /// Place of the block that took the last delta: the next one is mostly for the same.
    current: usize,
    changes: VecDeque<Change>,
    /// Whether anybody polls the changes.
    reports: bool,
    call_id_prefix: String,
    pub(super) stop: Option<StopReason>,
    pub(super) other: Vec<OtherContent>,
    pub(super) is_over_limit: bool,
}

#[derive(Debug)]
struct Block {
    wire: u32,
    block_type: u32,
    text: Vec<u8>,
    signature: Vec<u8>,
    /// Of a tool call; of prose its speaker, if the reply has several.
    id: String,
    name: String,
    /// Set when the block is complete, if it is a tool call.
    call: Option<ToolCall>,
    is_closed: bool,
}

impl Choice {
    pub(super) fn new(call_id_prefix: String, reports: bool) -> Self {
        Self {
            blocks: Vec::new(),
            current: 0,
            changes: VecDeque::new(),
            reports,
            call_id_prefix,
            stop: None,
            other: Vec::new(),
            is_over_limit: false,
        }
    }

    #[inline]
    pub(super) fn append_to_current(&mut self, block_type: u32, wire: u32, text: &[u8]) -> Option<u32> {
        let block = self.blocks.get_mut(self.current)?;
        if text.is_empty() || block.is_closed || block.block_type != block_type || block.wire != wire {
            return None;
        }
        block.text.extend_from_slice(text);
        Some(self.current as u32)
    }

    /// `speaker` is whose text it is, in a reply of several. A block of a speaker begins also with an empty text, so that it
    /// has its place before the speaker has said anything, and those of others do not end it.
    pub(super) fn append_prose(&mut self, block_type: u32, wire: u32, text: &[u8], speaker: &[u8]) -> Option<u32> {
        let position = match self.find_open(block_type, wire) {
            _ if text.is_empty() && speaker.is_empty() => return None,
            Some(position) => position,
            None => {
                let position = self.open(block_type, wire)?;
                self.blocks[position].id = String::from_utf8_lossy(speaker).into_owned();
                position
            }
        };
        if text.is_empty() {
            return None;
        }
        self.blocks[position].text.extend_from_slice(text);
        self.current = position;
        Some(position as u32)
    }

    pub(super) fn append_arguments(&mut self, wire: u32, text: &[u8]) -> Result<Option<u32>, ClosedCall> {
        if text.is_empty() {
            return Ok(None);
        }
        let position = match self.find_open(EVENT_TOOL_ARGUMENTS, wire) {
            Some(position) => position,
            None if self.find_last(EVENT_TOOL_ARGUMENTS, wire).is_some() => return Err(ClosedCall),
            None => match self.open(EVENT_TOOL_ARGUMENTS, wire) {
                Some(position) => position,
                None => return Ok(None),
            },
        };
        self.blocks[position].text.extend_from_slice(text);
        self.current = position;
        Ok(Some(position as u32))
    }

    /// A signature may follow when the text has already begun, and may stand alone where the thinking is not shown.
    pub(super) fn append_signature(&mut self, wire: u32, text: &[u8]) -> Option<u32> {
        let position = match self.find_last(EVENT_THINKING, wire) {
            Some(position) => position,
            None => self.open(EVENT_THINKING, wire)?,
        };
        self.blocks[position].signature.extend_from_slice(text);
        Some(position as u32)
    }

    pub(super) fn push_redacted(&mut self, wire: u32, data: &[u8]) -> Option<u32> {
        let position = self.open(EVENT_REDACTED_THINKING, wire)?;
        self.blocks[position].text.extend_from_slice(data);
        self.close(position);
        Some(position as u32)
    }

    /// A second beginning of an open call completes its name and id; one with another id is another call, since some
    /// servers number all parallel calls 0.
    pub(super) fn begin_call(&mut self, wire: u32, name: &[u8], id: &[u8]) -> Option<u32> {
        let (name, id) = (String::from_utf8_lossy(name), String::from_utf8_lossy(id));
        let same = self.find_open(EVENT_TOOL_ARGUMENTS, wire).filter(|&position| {
            let block = &self.blocks[position];
            id.is_empty() || block.id.is_empty() || block.id == id
        });
        let position = match same {
            Some(position) => position,
            None => {
                if let Some(other) = self.find_open(EVENT_TOOL_ARGUMENTS, wire) {
                    self.close(other);
                }
                self.open_call(wire, &name, &id)?
            }
        };
        let block = &mut self.blocks[position];
        if block.name.is_empty() {
            block.name = name.into_owned();
        }
        if block.id.is_empty() {
            block.id = id.into_owned();
        }
        self.current = position;
        Some(position as u32)
    }

    pub(super) fn end_block(&mut self, wire: u32) -> Option<u32> {
        let position = self.blocks.iter().rposition(|block| block.wire == wire && !block.is_closed)?;
        self.close(position);
        Some(position as u32)
    }

    pub(super) fn push_other(&mut self, content_type: &[u8], json: &[u8]) {
        if self.other.len() >= BLOCKS_MAX {
            self.is_over_limit = true;
            return;
        }
        let json =
            serde_json::from_slice(json).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(json).into_owned()));
        self.other.push(OtherContent { content_type: String::from_utf8_lossy(content_type).into_owned(), json });
    }

    pub(super) fn close_all(&mut self) {
        for position in 0..self.blocks.len() {
            self.close(position);
        }
    }

    pub(super) fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    pub(super) fn block(&self, position: u32) -> Option<BlockRef<'_>> {
        let block = self.blocks.get(position as usize)?;
        let (block_type, call) = (block.block_type, block.call.as_ref());
        Some(BlockRef { block_type, text: block.text(), name: &block.name, id: &block.id, call })
    }

    pub(super) fn content(&self) -> Vec<ContentBlock> {
        self.blocks.iter().map(Block::content).collect()
    }

    pub(super) fn take_content(&mut self) -> Vec<ContentBlock> {
        std::mem::take(&mut self.blocks).into_iter().map(Block::into_content).collect()
    }

    pub(super) const fn has_content(&self) -> bool {
        !self.blocks.is_empty() || !self.other.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.blocks.iter().map(|block| block.text.len()).sum()
    }

    fn find_open(&self, block_type: u32, wire: u32) -> Option<usize> {
        let matches = |b: &Block| b.wire == wire && b.block_type == block_type && !b.is_closed;
        if self.blocks.get(self.current).is_some_and(matches) {
            return Some(self.current);
        }
        self.blocks.iter().rposition(matches)
    }

    fn find_last(&self, block_type: u32, wire: u32) -> Option<usize> {
        self.blocks.iter().rposition(|b| b.wire == wire && b.block_type == block_type)
    }

    fn open_call(&mut self, wire: u32, name: &str, id: &str) -> Option<usize> {
        let position = self.open(EVENT_TOOL_ARGUMENTS, wire)?;
        name.clone_into(&mut self.blocks[position].name);
        id.clone_into(&mut self.blocks[position].id);
        Some(position)
    }

    /// A new block ends the text before it. Tool calls stay open: their arguments may come interleaved.
    fn open(&mut self, block_type: u32, wire: u32) -> Option<usize> {
        let position = self.blocks.len();
        if position >= BLOCKS_MAX {
            self.is_over_limit = true;
            return None;
        }
        if let Some(prose) = self.blocks.iter().rposition(|b| b.is_prose() && b.id.is_empty() && !b.is_closed) {
            self.close(prose);
        }
        self.blocks.push(Block {
            wire,
            block_type,
            text: Vec::new(),
            signature: Vec::new(),
            id: String::new(),
            name: String::new(),
            call: None,
            is_closed: false,
        });
        self.report(Change::BlockStart { position: position as u32 });
        Some(position)
    }

    fn close(&mut self, position: usize) {
        if self.blocks[position].is_closed {
            return;
        }
        if self.blocks[position].block_type == EVENT_TOOL_ARGUMENTS {
            self.settle_id(position);
            let block = &mut self.blocks[position];
            if block.name.is_empty() {
                // Providers refuse a history with a nameless call.
                UNNAMED_TOOL.clone_into(&mut block.name);
            }
            block.call = Some(block.tool_call());
        }
        self.blocks[position].is_closed = true;
        self.report(Change::BlockEnd { position: position as u32 });
    }

    /// Results are matched to calls by id, so that a call needs one that no other of the message has. The first in the
    /// message keeps its own, and an id that was given to a reader stays.
    fn settle_id(&mut self, position: usize) {
        let is_taken = |id: &str| {
            self.blocks.iter().enumerate().any(|(at, b)| b.id == id && (at < position || at > position && b.is_closed))
        };
        let mut id = self.blocks[position].id.clone();
        let mut attempt = position;
        while id.is_empty() || is_taken(&id) {
            id = format!("{}{attempt}", self.call_id_prefix);
            attempt += BLOCKS_MAX;
        }
        self.blocks[position].id = id;
    }

    fn report(&mut self, change: Change) {
        if self.reports {
            self.changes.push_back(change);
        }
    }
}

impl Block {
    const fn is_prose(&self) -> bool {
        matches!(self.block_type, EVENT_TEXT | EVENT_THINKING | EVENT_REFUSAL)
    }

    fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.text)
    }

    fn content(&self) -> ContentBlock {
        match self.block_type {
            EVENT_TOOL_ARGUMENTS => ContentBlock::ToolCall(self.call.clone().unwrap_or_else(|| self.tool_call())),
            _ => self.prose(self.text().into_owned()),
        }
    }

    /// As `content`; valid text, which is the rule, is moved.
    fn into_content(mut self) -> ContentBlock {
        if self.block_type == EVENT_TOOL_ARGUMENTS {
            return ContentBlock::ToolCall(self.call.take().unwrap_or_else(|| self.tool_call()));
        }
        let text = String::from_utf8(std::mem::take(&mut self.text))
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        self.prose(text)
    }

    fn prose(&self, text: String) -> ContentBlock {
        match self.block_type {
            EVENT_THINKING => {
                let signature = String::from_utf8_lossy(&self.signature);
                let signature = if signature.is_empty() { None } else { Some(signature.into_owned()) };
                ContentBlock::Thinking { text, signature }
            }
            EVENT_REDACTED_THINKING => ContentBlock::RedactedThinking { data: text },
            EVENT_REFUSAL => ContentBlock::Refusal { text },
            _ => ContentBlock::Text { text },
        }
    }

    fn tool_call(&self) -> ToolCall {
        let text = self.text().into_owned();
        let call = ToolCall { id: self.id.clone(), name: self.name.clone(), ..ToolCall::default() };
        match Arguments::check(&text) {
            Arguments::Object => ToolCall { arguments: text, ..call },
            Arguments::Nothing => ToolCall { arguments: "{}".to_owned(), wire_arguments: Some(text), ..call },
            Arguments::Invalid(why) => {
                ToolCall { arguments: "{}".to_owned(), wire_arguments: Some(text), arguments_error: Some(why), ..call }
            }
        }
    }
}
