//! However a body is cut, both paths of the decoder give the events of the naive twin.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thalweg_wire::limits::Limits;
use thalweg_wire::sse::Decoder;

#[path = "../../tests/support/naive_sse.rs"]
mod naive_sse;
mod pieces;

fuzz_target!(|input: &[u8]| {
    let (body, pieces) = pieces::pieces(input);
    let twin = naive_sse::decode(body);
    let limits = Limits::default();
    for mut decoder in [Decoder::new(limits), Decoder::general_only(limits)] {
        let mut events = Vec::new();
        for piece in &pieces {
            // A copy of its own, so that the sanitizer sees any read beyond it.
            let piece: Box<[u8]> = (*piece).into();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("valid UTF-8");
            let fed = decoder.feed(&piece, |event| {
                events.push(naive_sse::Event {
                    event_type: text(event.event_type),
                    data: text(event.data),
                    last_event_id: text(event.last_event_id),
                    retry: event.reconnection_time_ms,
                });
            });
            fed.expect("within limits");
        }
        decoder.finish();
        assert_eq!(events, twin.events);
        assert_eq!(decoder.last_event_id(), twin.last_event_id.as_bytes());
        assert_eq!(decoder.reconnection_time_ms(), twin.retry);
        assert!(decoder.counters().scanned_bytes <= 8 * body.len() as u64 + 8 * pieces.len() as u64);
    }
});
