//! One event of 16 MiB, as images and whole answers come, in pieces of 1 KiB: linear, or it takes minutes.

use std::hint::black_box;
use thalweg_abi::decode::Decode;
use thalweg_abi::types::{EVENT_TEXT, StreamEvent};
use thalweg_wire::pipeline::Pipeline;
use thalweg_wire::sse::Decoder;

/// Bytes of a piece.
const PIECE: usize = 1 << 10;

/// An event of the chat dialect with so many bytes of text.
pub(crate) fn event(text_bytes: usize) -> Vec<u8> {
    let head = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1763000000,"model":"m","choices":[{"index":0,"delta":{"content":""#;
    let tail = "\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";
    let text: String = "The quick brown fox jumps over the lazy dog. ".chars().cycle().take(text_bytes).collect();
    [head, &text, tail].concat().into_bytes()
}

/// Cuts the event out.
pub(crate) fn frame(body: &[u8], decoder: &mut Decoder) {
    let mut bytes = 0;
    decoder.reset();
    for piece in body.chunks(PIECE) {
        let fed = decoder.feed(black_box(piece), |event| bytes += event.data.len());
        assert!(fed.is_ok(), "{fed:?}");
    }
    assert_eq!(bytes, body.len() - "data: \n\n".len());
}

/// Reads the text of the event.
pub(crate) fn decode<D: Decode>(body: &[u8], text_bytes: usize, pipeline: &mut Pipeline<D>) {
    let mut bytes = 0;
    let mut sink = |events: &[StreamEvent<'_>]| {
        let texts = black_box(events).iter().filter(|event| event.kind() == EVENT_TEXT);
        bytes += texts.map(|event| event.text().len()).sum::<usize>();
    };
    pipeline.reset();
    for piece in body.chunks(PIECE) {
        let fed = pipeline.feed(black_box(piece), &mut sink);
        assert!(fed.is_ok(), "{fed:?}");
    }
    assert_eq!(bytes, text_bytes);
}
