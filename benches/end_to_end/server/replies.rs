//! The replies as bytes of HTTP, made once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use thalweg_benches::openai;
use thalweg_benches::reply::Reply;
use thalweg_end_to_end::{client, measure};

use super::path::{Kind, Wanted};

/// All replies that were asked for so far.
#[derive(Debug, Default)]
pub(crate) struct Replies(RefCell<HashMap<Wanted, Rc<Script>>>);

impl Replies {
    /// The reply that is wanted: one of a known size.
    pub(crate) fn script(&self, wanted: Wanted) -> Rc<Script> {
        Rc::clone(self.0.borrow_mut().entry(wanted).or_insert_with(|| Rc::new(Script::new(wanted))))
    }
}

/// A reply of a known size: its beginning, deltas that come again and again, and its end.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) head: Vec<u8>,
    pub(crate) block: Vec<u8>,
    /// Where each write ends in `block`.
    pub(crate) writes: Vec<usize>,
    pub(crate) times: usize,
    pub(crate) tail: Vec<u8>,
    /// Bytes of text that a client must have in the end.
    pub(crate) text_bytes: usize,
    /// And their hash.
    pub(crate) text_hash: u64,
    /// Bytes of the body.
    pub(crate) body_bytes: usize,
}

impl Script {
    fn new(wanted: Wanted) -> Self {
        let per_block = wanted.count.min(if wanted.piece_bytes < LARGE_PIECE { BLOCK_DELTAS } else { FEW_DELTAS });
        assert_eq!(wanted.count % per_block, 0, "a reply is made of whole blocks of {per_block} deltas");
        let times = wanted.count / per_block;
        let reply = match wanted.piece_bytes {
            0 => openai::reply_of(1, per_block),
            bytes => openai::reply_with(1, per_block, |random| {
                let mut piece = String::new();
                while piece.len() < bytes {
                    piece.push_str(random.word());
                }
                piece.truncate(piece.floor_char_boundary(bytes));
                piece.extend(std::iter::repeat_n('x', bytes - piece.len()));
                piece
            }),
        };
        let (role, deltas) = (reply.ends[0], reply.ends[per_block]);
        let (mut head, mut block, mut tail) = (HEAD.to_vec(), Vec::new(), Vec::new());
        chunk(&mut head, &reply.body[..role]);
        let mut writes = Vec::new();
        match wanted.kind {
            Kind::Batches => {
                for bytes in reply.body[role..deltas].chunks(BATCH_BYTES) {
                    chunk(&mut block, bytes);
                    writes.push(block.len());
                }
            }
            _ => {
                for event in reply.ends[..=per_block].windows(2) {
                    chunk(&mut block, &reply.body[event[0]..event[1]]);
                    if block.len() - writes.last().copied().unwrap_or_default() >= WRITE_BYTES {
                        writes.push(block.len());
                    }
                }
                writes.push(block.len());
            }
        }
        for event in reply.ends[per_block..].windows(2) {
            chunk(&mut tail, &reply.body[event[0]..event[1]]);
        }
        tail.extend_from_slice(LAST_CHUNK);
        let text = reply.text.repeat(times);
        Self {
            head,
            block,
            writes,
            times,
            tail,
            text_bytes: text.len(),
            text_hash: measure::hash(text.as_bytes()),
            body_bytes: reply.body.len() + (times - 1) * (deltas - role),
        }
    }
}

/// The reply of a turn: a call of the tool, or the last text. `turn` counts from 0.
pub(crate) fn turn(turn: usize, turns: usize) -> Vec<u8> {
    let mut bytes = HEAD.to_vec();
    let mut reply = Reply::default();
    if turn >= turns {
        reply = openai::reply_of(1, 3);
    } else {
        let mut choice = |delta: &str, finish: &str| {
            reply.push("", &format!(
                r#"{{"id":"chatcmpl-{turn:029}","object":"chat.completion.chunk","created":1763000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_560af6e559","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}],"usage":null}}"#
            ));
        };
        choice(
            &format!(
                r#"{{"role":"assistant","content":null,"tool_calls":[{{"index":0,"id":"call_{turn:024}","type":"function","function":{{"name":"{}","arguments":""}}}}],"refusal":null}}"#,
                client::TOOL
            ),
            "null",
        );
        for part in [r#"{\""#, "n", r#"\":"#, &turn.to_string(), "}"] {
            choice(&format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":"{part}"}}}}]}}"#), "null");
        }
        choice("{}", r#""tool_calls""#);
        reply.push("", "[DONE]");
    }
    let mut start = 0;
    for end in reply.ends {
        chunk(&mut bytes, &reply.body[start..end]);
        start = end;
    }
    bytes.extend_from_slice(LAST_CHUNK);
    bytes
}

/// The beginning of a reply at a pace, and its delta, with the place of the time in that.
pub(crate) fn paced() -> (Vec<u8>, Vec<u8>, usize) {
    let reply = openai::reply_with(1, 1, |_| NO_TIME.to_owned());
    let (mut head, mut delta) = (HEAD.to_vec(), Vec::new());
    chunk(&mut head, &reply.body[..reply.ends[0]]);
    chunk(&mut delta, &reply.body[reply.ends[0]..reply.ends[1]]);
    let place = memchr::memmem::find(&delta, NO_TIME.as_bytes()).expect("the text of its one delta");
    (head, delta, place)
}

/// Digits of the time in a delta at a pace.
pub(crate) const TIME_DIGITS: usize = NO_TIME.len();

fn chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
const NO_TIME: &str = "0000000000000000";
const BLOCK_DELTAS: usize = 1000;
/// Deltas of a block when each is large.
const FEW_DELTAS: usize = 50;
const LARGE_PIECE: usize = 1000;
const BATCH_BYTES: usize = 16 << 10;
/// As an HTTP server gathers small chunks before it writes.
const WRITE_BYTES: usize = 64 << 10;
