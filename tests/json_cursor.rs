//! The JSON cursor takes and refuses what serde_json takes and refuses, and finds the same fields.

use serde::de::IgnoredAny;
use serde_json::Value;
use thalweg_tests::corpus;
use thalweg_tests::naive_sse;
use thalweg_tests::random::Random;
use thalweg_wire::json::{self, Cursor, Error, Fields, Head, NESTING_MAX, Names, Raw};

/// Payloads written by hand, with what recordings seldom have.
const OWN: &[&str] = &[
    r#"{"id":"c","choices":[{"index":0,"delta":{"content":"a\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"},"finish_reason":null}],"n":[-0,0.5,1e5,1E-5,12.25e+1]}"#,
    r#" [ ] "#,
    r#"{"a":{"b":{"c":[[[],{}],[{"d":true}]]}},"é":"ü","":false,"long":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#,
    "\"\\ud83d\"",
    "-12.5e-3",
    "true",
    "null",
];

/// Agrees with serde_json on whether `payload` is JSON, and on the fields of an object.
fn compare(payload: &str) {
    let ours = json::check(payload.as_bytes(), NESTING_MAX);
    let theirs = serde_json::from_str::<IgnoredAny>(payload);
    assert_eq!(ours.is_ok(), theirs.is_ok(), "{payload:?}: {ours:?}, serde_json: {:?}", theirs.err());
    if let Err(error) = ours {
        assert!(error.offset() <= payload.len(), "{payload:?}: {error}");
        return;
    }
    // Half a surrogate pair is JSON, but no text that serde_json could make a value of.
    let Ok(value) = serde_json::from_str::<Value>(payload) else { return };
    let names = Names::new(["id", "choices", "type", "delta", "index", "usage", "é", ""]);
    let fields = json::object(payload.as_bytes(), &names, NESTING_MAX).expect("it was checked");
    assert_eq!(fields.is_some(), value.is_object(), "{payload:?}");
    let all = ["id", "choices", "type", "delta", "index", "usage", "é", ""];
    for (name, field) in all.into_iter().zip(fields.into_iter().flatten()) {
        let ours =
            (!field.is_absent()).then(|| serde_json::from_slice::<Value>(field.bytes()).expect("a field is JSON"));
        assert_eq!(ours.as_ref(), value.get(name), "{payload:?}: {name}");
    }
}

/// Changes a payload in a few places, mostly so that it nearly stays JSON.
fn mutate(payload: &str, random: &mut Random) -> Option<String> {
    const PIECES: &[&str] = &[
        "\"", "\\", "{", "}", "[", "]", ",", ":", "\\u", "\\u00e9", "\\ud83d", "\\q", "0", "-", ".", "e", "1e5",
        "true", "nul", " ", "\n", "\u{1}", "\u{7f}", "é", "😀", "\"a\":", "[[[[", "]]]]", "\"x\"",
    ];
    let mut bytes = payload.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(4)).min(bytes.len());
        match random.below(4) {
            0 => drop(bytes.splice(at..at, random.pick(PIECES).bytes())),
            1 => drop(bytes.splice(at..end, random.pick(PIECES).bytes())),
            2 => drop(bytes.drain(at..end)),
            _ => bytes.truncate(at),
        }
    }
    String::from_utf8(bytes).ok()
}

fn check_all<'a>(payloads: impl Iterator<Item = &'a str>, rounds: usize, seed: u64) -> (usize, usize) {
    let mut random = Random::new(seed);
    let (mut count, mut mutations) = (0, 0);
    for payload in payloads {
        compare(payload);
        count += 1;
        for mutated in (0..rounds).filter_map(|_| mutate(payload, &mut random)) {
            compare(&mutated);
            mutations += 1;
        }
    }
    (count, mutations)
}

#[test]
fn hand_written_payloads_and_their_mutations_are_judged_as_by_serde_json() {
    let (count, mutations) = check_all(OWN.iter().copied(), 20_000, 1);
    assert!(count == OWN.len() && mutations > 100_000, "{mutations}");
}

#[test]
fn recorded_payloads_and_their_mutations_are_judged_as_by_serde_json() {
    let Some(folder) = corpus::folder() else { return };
    let mut recordings = Vec::new();
    for protocol in ["openai-chat", "anthropic", "openai-responses", "gemini"] {
        recordings.extend(corpus::recordings(&folder, protocol));
    }
    corpus::report(&format!("{} for the JSON cursor", recordings.len()));
    let mut count = 0;
    for (seed, recording) in recordings.iter().enumerate() {
        let events = naive_sse::decode(&recording.body).events;
        // Long payloads are rare and repeat; a few of each recording show all shapes.
        let payloads = events.iter().map(|event| event.data.as_str()).filter(|data| data.len() < 4000);
        count += check_all(payloads.take(40), 5, seed as u64).0;
    }
    assert!(count > recordings.len(), "{count} payloads");
}

#[test]
fn fields_of_inner_objects_are_found_on_the_walk() {
    let payload = br#"{"skip":[1,{"a":2}],"inner":{"a":"x","b":[true]},"after":3}"#;
    let mut cursor = Cursor::new(payload, NESTING_MAX);
    let mut seen = Vec::new();
    cursor
        .members(|cursor, key| {
            if key.is(b"inner") {
                let [a, b] = cursor.fields(&Names::new(["a", "b"]))?;
                seen.push((a.text().map(|text| text.raw()), b.bytes()));
            } else {
                cursor.skip()?;
            }
            Ok(())
        })
        .unwrap();
    cursor.end().unwrap();
    assert_eq!(seen, [(Some(&b"x"[..]), &b"[true]"[..])]);
    assert_eq!(cursor.offset(), payload.len());
}

/// The fields of a payload, and those of the value at `inner`, with what the payloads before have left in `head`.
fn read_behind<'a>(payload: &'a str, head: &mut Head<5>) -> Result<([Raw<'a>; 5], Vec<&'a [u8]>), Error> {
    static NAMES: Names<5> = Names::new(["id", "model", "inner", "usage", "x"]);
    let mut cursor = Cursor::new(payload.as_bytes(), NESTING_MAX);
    let (mut fields, mut seen) = (Fields::default(), Vec::new());
    cursor.read_fields_behind(&NAMES, NAMES.place("inner"), head, &mut fields, |cursor| {
        seen.push(cursor.skip()?.bytes());
        Ok(())
    })?;
    cursor.end()?;
    Ok((std::array::from_fn(|place| fields.get(place)), seen))
}

#[test]
fn payload_says_the_same_whatever_payload_came_before_it() {
    let long = format!(r#"{{"id":"{}","inner":1}}"#, "i".repeat(500));
    let payloads = [
        r#"{"id":"a","model":"m","inner":{"t":1},"usage":null}"#,
        r#"{"id":"a","model":"m","inner":[2],"usage":3}"#,
        r#"{"id":"a","model":"m","inner":"x","inner":4,"id":"b"}"#,
        r#"{"id":"a","model":"m","inner":"#,
        r#"{"id":"a","model":"m","inner":5"#,
        r#"{"id":"a","model":"m","inner":}"#,
        r#"{"id":"a","model":"n","inner":6}"#,
        r#"{ "id" : "a\n", "model":"m", "inner" : 7 , "x":1}"#,
        r#"{"id":"a","model":"m"}"#,
        r#"{"inner":8}"#,
        r#"{"inner":9,"id":"c"} x"#,
        "{}",
        "[]",
        &long,
    ];
    for first in payloads {
        for second in payloads {
            for third in payloads {
                let mut head = Head::default();
                for payload in [first, second, third] {
                    let alone = read_behind(payload, &mut Head::default());
                    let behind = read_behind(payload, &mut head);
                    match (alone, behind) {
                        (Ok((fields, inner)), Ok(behind)) => {
                            assert_eq!(fields.map(|field| field.bytes()), behind.0.map(|field| field.bytes()));
                            assert_eq!(inner, behind.1, "{payload} behind {first} and {second}");
                        }
                        (alone, behind) => {
                            assert_eq!(alone.err(), behind.err(), "{payload} behind {first} and {second}");
                        }
                    }
                }
            }
        }
    }
}
