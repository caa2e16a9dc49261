//! Event streams, damaged or not: however a body is cut, the same messages come out, and they are those of the naive twin.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thalweg_tests::naive_event_stream::{self as naive, Message};
use thalweg_wire::event_stream::{Chunks, Decoder, Error};
use thalweg_wire::limits::Limits;

mod pieces;

/// The messages, whether the stream is damaged, and the bytes that are left over.
fn read(pieces: &[&[u8]]) -> (Vec<Message>, bool, usize) {
    let mut decoder = Decoder::new(Limits::default().with_event_bytes_max(4096), Chunks::Keep);
    let mut messages = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("valid UTF-8");
    for piece in pieces {
        let take = |message: thalweg_wire::event_stream::Message<'_>| {
            messages.push(Message { event_type: text(message.event_type), data: text(message.data) });
        };
        let result: Result<(), Error> = decoder.feed(piece, take);
        if result.is_err() {
            return (messages, true, 0);
        }
    }
    (messages, false, decoder.pending_bytes())
}

fuzz_target!(|input: &[u8]| {
    let (body, pieces) = pieces::pieces(input);
    let whole = read(&[body]);
    assert_eq!(read(&pieces), whole);
    let twin = naive::decode(body, 4096);
    assert_eq!(whole, (twin.messages, twin.damage.is_some(), twin.pending));
});
