//! What a recorder keeps, and what it must not.

use std::time::Duration;

use thalweg_replay::{End, Origin, RecordError, Recorder, Recording, http1};

const KEY: &str = "sk-live-0123456789abcdef";

fn request() -> http1::Request {
    http1::Request {
        method: "POST".into(),
        target: "/v1/chat/completions?key=AIza-0123456789".into(),
        headers: vec![
            ("authorization".into(), format!("Bearer {KEY}")),
            ("x-api-key".into(), "another-key-0123456789".into()),
            ("cookie".into(), "login=0123456789abcdef".into()),
            ("content-type".into(), "application/json".into()),
        ],
        body: br#"{"model":"smol","messages":[{"role":"user","content":"Hi"}]}"#.to_vec(),
        keep_alive: true,
    }
}

fn record(chunks: &[&[u8]]) -> (Recorder, Result<(), RecordError>) {
    let mut recorder = Recorder::new("hello", "openai-chat", "llama.cpp b11434");
    let mut open = recorder.request(&request());
    let headers = [("Content-Type", "text/event-stream"), ("Set-Cookie", "account=0123456789"), ("x-request-id", "r1")];
    open.response(200, headers, Duration::from_millis(3));
    for (index, chunk) in chunks.iter().enumerate() {
        open.chunk(chunk, Duration::from_millis(5 + index as u64));
    }
    open.end(End::Close);
    let pushed = recorder.push(open);
    (recorder, pushed)
}

#[test]
fn a_live_exchange_becomes_a_recording_that_can_be_read_again() {
    let (recorder, pushed) = record(&[b"data: {\"a\":\"\xc3", b"\xa9\"}\n\n", b""]);
    assert_eq!(pushed, Ok(()));
    let recording = recorder.recording();
    assert_eq!(
        (recording.prompt.as_str(), recording.model.as_str(), recording.origin),
        ("Hi", "smol", Origin::Recorded)
    );
    let exchange = &recording.exchanges[0];
    assert_eq!(exchange.chunks.iter().map(|chunk| chunk.at_us).collect::<Vec<_>>(), [5_000, 6_000]);
    assert_eq!(exchange.body(), "data: {\"a\":\"é\"}\n\n".as_bytes());
    assert_eq!(Recording::from_jsonl(&recording.to_jsonl()).as_ref(), Ok(recording));
}

#[test]
fn keys_cookies_and_account_headers_are_never_stored() {
    let (recorder, _) = record(&[b"data: {}\n\n"]);
    let text = format!("{}{recorder:?}", recorder.recording().to_jsonl());
    for secret in [KEY, "another-key-0123456789", "0123456789abcdef", "AIza-0123456789", "account=0123456789", "r1\""] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(text.contains("text/event-stream"));
    assert!(!format!("{:?}", request()).contains("0123456789"));
}

#[test]
fn an_exchange_whose_body_repeats_the_key_is_refused_even_when_split() {
    let (recorder, pushed) = record(&[b"data: wrong key sk-live-01234", b"56789abcdef\n\n"]);
    assert_eq!(pushed, Err(RecordError::KeyInBody("reply")));
    assert!(recorder.recording().exchanges.is_empty());
}
