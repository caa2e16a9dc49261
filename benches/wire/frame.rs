//! The ceilings, and framing alone.

use std::hint::black_box;
use thalweg_benches::reply::{Cut, Input};
use thalweg_wire::sse::Decoder;

/// Copies every body.
pub(crate) fn copy(input: &Input, target: &mut [u8]) {
    for reply in &input.replies {
        let target = &mut target[..reply.body.len()];
        target.copy_from_slice(black_box(&reply.body));
        black_box(target);
    }
}

/// Finds every line end, one after the other.
pub(crate) fn find_lines(input: &Input) {
    for reply in &input.replies {
        let lines = memchr::memchr_iter(b'\n', black_box(&reply.body)).count();
        assert!(lines >= 2 * reply.ends.len());
    }
}

/// Cuts every body into SSE events.
pub(crate) fn frame(input: &Input, cut: Cut, decoder: &mut Decoder) {
    for reply in &input.replies {
        let (mut events, mut bytes) = (0, 0);
        decoder.reset();
        for chunk in reply.chunks(cut) {
            let fed = decoder.feed(black_box(chunk), |event| {
                events += 1;
                bytes += event.data.len() + event.event_type.len();
                black_box(&event);
            });
            assert!(fed.is_ok(), "{fed:?}");
        }
        assert_eq!(events, reply.ends.len());
        assert!(bytes < reply.body.len());
    }
}
