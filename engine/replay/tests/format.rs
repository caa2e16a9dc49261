//! The file of a recording: what it keeps, and what it says of a file that is not one.

use thalweg_replay::{Chunk, End, Exchange, Origin, Recording, builtin, team};

const HEAD: &str = r#"{"thalweg_recording":1,"name":"n","prompt":"p","dialect":"openai-chat","model":"m","server":"s","origin":"recorded","recorded":"2026-11-21"}"#;
const REQUEST: &str = r#"{"request":{"method":"POST","path":"/x"}}"#;
const RESPONSE: &str = r#"{"response":{"status":200,"headers":{}}}"#;

#[test]
fn every_shipped_recording_can_be_read_and_is_written_back_the_same() {
    for recording in builtin().into_iter().chain(team()) {
        let is_by_hand = recording.model == "hand-written-1";
        let origin = if is_by_hand { Origin::WrittenByHand } else { Origin::Recorded };
        assert_eq!(recording.origin, origin, "{}: nobody takes one for the other", recording.name);
        assert_eq!(Recording::from_jsonl(&recording.to_jsonl()), Ok(recording));
    }
    assert_eq!((builtin().len(), team().len()), (4, 4));
}

#[test]
fn recordings_written_by_hand_split_events_and_characters_over_chunks() {
    for recording in builtin().into_iter().filter(|recording| recording.origin == Origin::WrittenByHand) {
        for exchange in &recording.exchanges {
            assert!(String::from_utf8(exchange.body()).is_ok(), "the whole is UTF-8");
            assert!(exchange.chunks.iter().any(|chunk| std::str::from_utf8(&chunk.bytes).is_err()));
            assert!(exchange.chunks.iter().any(|chunk| !chunk.bytes.ends_with(b"\n\n")));
            let last = exchange.chunks.last().expect("a body");
            assert!((1_500_000..2_500_000).contains(&last.at_us), "{} us", last.at_us);
        }
    }
}

#[test]
fn bytes_that_are_not_utf8_survive_the_file() {
    let bytes: Vec<u8> = (0..=255).collect();
    let mut recording = builtin().remove(0);
    recording.exchanges = vec![Exchange::of_chunks([b"plain \"text\"\n\n".to_vec(), bytes])];
    recording.exchanges[0].end = End::Reset;
    assert_eq!(Recording::from_jsonl(&recording.to_jsonl()), Ok(recording));
}

#[test]
fn headers_that_may_name_an_account_or_a_key_are_not_written() {
    let mut recording = builtin().remove(0);
    for name in ["Authorization", "x-api-key", "Set-Cookie", "openai-organization"] {
        recording.exchanges[0].response.headers.push((name.into(), "sk-secret-value".into()));
    }
    let text = recording.to_jsonl();
    assert!(!text.contains("sk-secret-value"), "{text}");
    assert!(text.contains("text/event-stream"));
}

#[test]
fn an_error_names_its_line_and_what_was_expected() {
    let broken = |lines: &[&str]| Recording::from_jsonl(&lines.join("\n")).expect_err("broken").to_string();
    assert_eq!(broken(&[]), "line 1: an empty file; expected a line with \"thalweg_recording\"");
    assert_eq!(broken(&["{}"]), "line 1: not a recording: the first line has no \"thalweg_recording\"");
    assert!(broken(&["{\"thalweg_recording\":2}"]).starts_with("line 1: this program reads recordings of version 1"));
    assert!(broken(&["data: {}"]).starts_with("line 1: not JSON"));
    assert_eq!(broken(&[HEAD]), "line 1: no exchange after the first line");
    assert!(broken(&[HEAD, "", RESPONSE]).starts_with("line 3: expected a line with \"request\""));
    assert!(broken(&[HEAD, REQUEST, r#"{"at_us":1,"data":"x"}"#]).starts_with("line 3: expected a line with \"respon"));
    assert!(broken(&[HEAD, REQUEST, RESPONSE]).starts_with("line 3: the file ends before the \"end\""));
    let chunk = |line| broken(&[HEAD, REQUEST, RESPONSE, r#"{"at_us":5,"data":"x"}"#, line, r#"{"end":"close"}"#]);
    assert_eq!(chunk(r#"{"at_us":4,"data":"x"}"#), "line 5: at_us 4 is before the 5 of the line above");
    assert!(chunk(r#"{"at_us":6,"base64":"*"}"#).starts_with("line 5: \"base64\": "));
    assert!(chunk(r#"{"at_us":6}"#).starts_with("line 5: a chunk has either"));
    assert!(chunk(r#"{"at_us":6,"data":""}"#).starts_with("line 5: an empty chunk"));
    assert!(chunk(r#"{"at_us":6,"data":"x","more":1}"#).contains("unknown field `more`"));
    assert!(chunk(r#"{"end":"soon"}"#).contains("unknown variant `soon`"));
    let response = |line| broken(&[HEAD, REQUEST, line]);
    assert!(response(r#"{"response":{"status":99,"headers":{}}}"#).contains("status 99"));
    assert!(response(r#"{"response":{"status":200,"headers":{"a":"b\r\nc: d"}}}"#).contains("cannot be sent"));
}

#[test]
fn a_chunk_keeps_its_time() {
    let text = [HEAD, REQUEST, RESPONSE, r#"{"at_us":7,"data":"é"}"#, r#"{"end":"hang"}"#].join("\n");
    let recording = Recording::from_jsonl(&text).expect("a recording");
    assert_eq!(recording.exchanges[0].chunks, [Chunk { at_us: 7, bytes: "é".into() }]);
    assert_eq!(recording.exchanges[0].end, End::Hang);
}
