//! What no recording has, for every dialect alike: one row a dialect, and every case for every row.

use thalweg_abi::types::EVENT_TEXT;
use thalweg_tests::naive::{Dialect, Framing, body, steps_of_body};
use thalweg_tests::naive_event_stream;
use thalweg_tests::naive_json::{self, Json, Value};
use thalweg_tests::show::show;
use thalweg_tests::step::{Step, joined};

use crate::support::{check, is_malformed, product, read_with};

/// A dialect, and the payloads that the cases are made of.
struct Row {
    dialect: Dialect,
    /// A payload with text; `@` is where it stands. `event:NAME ` before it as in [`crate::support::Case`].
    text: &'static str,
    /// What comes before the text.
    start: &'static [&'static str],
    /// A payload with a counter of input tokens; `#` is where it stands.
    count: &'static str,
    /// A payload that says that the provider is overloaded.
    overloaded: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        dialect: Dialect::OpenAiChat,
        text: r#"{"id":"i","model":"m","choices":[{"index":0,"delta":{"content":"@"},"finish_reason":null}]}"#,
        start: &[r#"start "m" (i)"#],
        count: r#"{"choices":[],"usage":{"prompt_tokens":#}}"#,
        overloaded: r#"{"error":{"message":"Overloaded","type":"overloaded_error"}}"#,
    },
    Row {
        dialect: Dialect::Anthropic,
        text: r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"@"}}"#,
        start: &[],
        count: r#"{"type":"message_delta","delta":{},"usage":{"input_tokens":#}}"#,
        overloaded: r#"event:error {"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"}}"#,
    },
    Row {
        dialect: Dialect::Gemini,
        text: r#"{"candidates":[{"content":{"parts":[{"text":"@"}],"role":"model"},"index":0}],"modelVersion":"m","responseId":"i"}"#,
        start: &[r#"start "m" (i)"#],
        count: r#"{"usageMetadata":{"promptTokenCount":#}}"#,
        overloaded: r#"{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"#,
    },
    Row {
        dialect: Dialect::OpenAiCompletions,
        text: r#"{"id":"i","model":"m","choices":[{"text":"@","index":0,"logprobs":null,"finish_reason":null}]}"#,
        start: &[r#"start "m" (i)"#],
        count: r#"{"choices":[],"usage":{"prompt_tokens":#}}"#,
        overloaded: r#"{"error":{"message":"Overloaded","type":"overloaded_error"}}"#,
    },
    Row {
        dialect: Dialect::OpenAiResponses,
        text: r#"{"type":"response.output_text.delta","sequence_number":4,"item_id":"i","output_index":0,"content_index":0,"delta":"@"}"#,
        start: &[],
        count: r#"{"type":"response.completed","response":{"status":"completed","usage":{"input_tokens":#}}}"#,
        overloaded: r#"event:error {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    },
    Row {
        dialect: Dialect::Bedrock,
        text: r#"event:contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"@"},"p":"abc"}"#,
        start: &[r#"start """#],
        count: r#"event:metadata {"usage":{"inputTokens":#}}"#,
        overloaded: r#"event:serviceUnavailableException {"message":"The service is temporarily unable to handle the request"}"#,
    },
    Row {
        dialect: Dialect::CohereV2,
        text: r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"@"}}}}"#,
        start: &[],
        count: r#"{"type":"message-end","delta":{"usage":{"tokens":{"input_tokens":#}}}}"#,
        overloaded: r#"{"message":"the service is overloaded, try again later"}"#,
    },
    Row {
        dialect: Dialect::CohereV1,
        text: r#"{"is_finished":false,"event_type":"text-generation","text":"@"}"#,
        start: &[],
        count: r#"{"event_type":"stream-end","response":{"meta":{"tokens":{"input_tokens":#}}}}"#,
        overloaded: r#"{"message":"the service is overloaded, try again later"}"#,
    },
    Row {
        dialect: Dialect::Ollama,
        text: r#"{"model":"m","created_at":"2026-11-21T10:00:00Z","message":{"role":"assistant","content":"@"},"done":false}"#,
        start: &[r#"start "m""#],
        count: r#"{"model":"m","done":true,"prompt_eval_count":#}"#,
        overloaded: r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#,
    },
];

impl Row {
    /// The payload with this text, as it stands between quotes.
    fn with(&self, text: &str) -> String {
        self.text.replace('@', text)
    }

    /// The lines of the events that a reply of this one text gives.
    fn lines(&self, text: &str) -> Vec<String> {
        let start = self.start.iter().map(ToString::to_string);
        start.chain([format!("text 0.0 {text:?}")]).collect()
    }

    /// Checks that a payload gives this one text, and that the twin says so too.
    fn gives(&self, what: &str, payload: &str, text: &str) {
        let lines = self.lines(text);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        check(self.dialect, &[(what, &[payload], &lines)]);
    }

    /// The payload written anew.
    fn rewritten(&self, text: &str, write: impl Fn(&Json) -> String) -> String {
        let payload = self.with(text);
        let (event, json) = match payload.strip_prefix("event:").and_then(|named| named.split_once(' ')) {
            Some((name, json)) => (format!("event:{name} "), json.to_owned()),
            None => (String::new(), payload),
        };
        event + &write(&naive_json::parse(&json).expect("a row is JSON"))
    }

    /// A body of one event.
    fn frame(&self, text: &str) -> String {
        String::from_utf8(body(self.dialect.framing(), &[("", &self.with(text))])).expect("text")
    }

    fn shown(&self, payloads: &[&str]) -> Vec<String> {
        product(self.dialect, payloads).iter().map(show).collect()
    }
}

/// Writes a value with `member` for each member of an object, and `glue` between members and between elements.
fn write(json: &Json, glue: &str, member: &impl Fn(&str, String) -> String, is_reversed: bool) -> String {
    let inner = |json: &Json| write(json, glue, member, is_reversed);
    match &json.value {
        Value::List(items) => format!("[{}]", items.iter().map(inner).collect::<Vec<_>>().join(glue)),
        Value::Object(members) => {
            let mut members: Vec<String> = members.iter().map(|(key, value)| member(key, inner(value))).collect();
            if is_reversed {
                members.reverse();
            }
            format!("{{{}}}", members.join(glue))
        }
        Value::Null | Value::Bool(_) | Value::Number | Value::Text(_) => json.raw.clone(),
    }
}

#[test]
fn every_dialect_has_a_row() {
    // The test stops compiling when there is a dialect more.
    for row in ROWS {
        match row.dialect {
            Dialect::OpenAiChat
            | Dialect::Anthropic
            | Dialect::Gemini
            | Dialect::OpenAiCompletions
            | Dialect::OpenAiResponses
            | Dialect::Ollama
            | Dialect::Bedrock
            | Dialect::CohereV2
            | Dialect::CohereV1 => row.gives("as it is", &row.with("x"), "x"),
        }
    }
    assert_eq!(ROWS.len(), 9);
}

#[test]
fn keys_in_reverse_order_change_nothing() {
    for row in ROWS {
        let payload = row.rewritten("x", |json| write(json, ",", &|key, value| format!("\"{key}\":{value}"), true));
        assert_ne!(payload, row.with("x"));
        row.gives("reversed", &payload, "x");
    }
}

#[test]
fn blanks_wherever_json_allows_them_change_nothing() {
    for row in ROWS {
        let spaced = |json: &Json| {
            let json = write(json, " , ", &|key, value| format!("\t\"{key}\" \t:  {value} "), false);
            json.replace('[', "[ ").replace('{', "{ \t").replace(']', " ]")
        };
        row.gives("spaced", &row.rewritten("x", spaced), "x");
        if row.dialect.framing() == Framing::Sse {
            // A payload of several lines.
            row.gives("in lines", &row.rewritten("x", |json| spaced(json).replace(" , ", "\n,\n")), "x");
        }
    }
}

#[test]
fn the_last_of_equal_keys_counts() {
    for row in ROWS {
        for earlier in ["\"no\"", "null", "{\"content\":\"no\",\"text\":\"no\"}", "[{\"text\":\"no\"}]"] {
            let twice = |key: &str, value: String| format!("\"{key}\":{earlier},\"{key}\":{value}");
            row.gives(earlier, &row.rewritten("x", |json| write(json, ",", &twice, false)), "x");
        }
    }
}

#[test]
fn escapes_in_keys_and_words_change_nothing() {
    let escaped = |text: &str| -> String { text.chars().map(|c| format!("\\u{:04x}", c as u32)).collect() };
    for row in ROWS {
        let member = |key: &str, value: String| match value.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) => format!("\"{}\":\"{}\"", escaped(key), escaped(text)),
            None => format!("\"{}\":{value}", escaped(key)),
        };
        row.gives("escaped", &row.rewritten("x", |json| write(json, ",", &member, false)), "x");
        row.gives("all short escapes", &row.with(r#"\"\\\/\b\f\n\r\t\u00e9"#), "\"\\/\u{8}\u{c}\n\r\té");
    }
}

#[test]
fn halves_of_characters_in_two_deltas_find_each_other() {
    for row in ROWS {
        for (texts, expected) in [
            (&[r"a\ud83d", r"\ude00b"][..], "a😀b"),
            (&[r"a\ud83d\ude00b"], "a😀b"),
            (&[r"a\ud83d", "b"], "a\u{fffd}b"),
            (&[r"\ude00", "b"], "\u{fffd}b"),
            (&[r"a\ud83d"], "a\u{fffd}"),
            (&[r"\ud83d", r"\ud83d\ude00"], "\u{fffd}😀"),
        ] {
            // The twin reads payload by payload, so only the product is asked here; it reads byte by byte too.
            let payloads: Vec<String> = texts.iter().map(|text| row.with(text)).collect();
            let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
            assert_eq!(row.shown(&payloads), row.lines(expected), "{:?} {texts:?}", row.dialect);
        }
    }
}

#[test]
fn bytes_that_are_no_utf8_become_replacement_characters() {
    // A character that stands for the bytes until the body is there.
    const MARK: &str = "\u{7f}\u{7f}";
    for row in ROWS {
        for (bytes, expected) in [
            (b"\xff\xfe", "a\u{fffd}\u{fffd}b"),
            (b"\xe2\x82", "a\u{fffd}b"),
            (b"\xc3\x28", "a\u{fffd}(b"),
            (b"\xed\xa0", "a\u{fffd}\u{fffd}b"),
        ] {
            let payload = row.with(&format!("a{MARK}b"));
            let replaced = |data: &[u8]| {
                let at = data.windows(2).position(|two| two == MARK.as_bytes()).expect("the mark");
                [&data[..at], bytes, &data[at + 2..]].concat()
            };
            let whole = match payload.strip_prefix("event:").and_then(|named| named.split_once(' ')) {
                // The checksums are over the bytes as they are.
                Some((name, data)) if row.dialect.framing() == Framing::EventStream => {
                    let headers =
                        [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
                    naive_event_stream::encode(&headers, &replaced(data.as_bytes()))
                }
                _ => replaced(&body(row.dialect.framing(), &[("", &payload)])),
            };
            let got = read_with(row.dialect, [whole.as_slice()]);
            assert_eq!(got.iter().map(show).collect::<Vec<_>>(), row.lines(expected), "{:?} {bytes:x?}", row.dialect);
            assert_eq!(read_with(row.dialect, whole.chunks(1)), got, "{:?} byte by byte", row.dialect);
            assert_eq!(joined(got), steps_of_body(row.dialect, &whole), "{:?}: the twin", row.dialect);
        }
    }
}

#[test]
fn numbers_of_every_form_are_counters() {
    for row in ROWS {
        for (number, count) in [
            ("0", Some("0")),
            ("3", Some("3")),
            ("3.0", Some("3")),
            ("30e-1", Some("3")),
            ("0.3E1", Some("3")),
            ("3e0", Some("3")),
            ("3E+0", Some("3")),
            ("3.9", Some("3")),
            ("12345678901", Some("12345678901")),
            ("9007199254740993", Some("9007199254740993")),
            ("null", None),
            ("\"3\"", None),
            ("[3]", None),
            ("true", None),
        ] {
            let payload = row.count.replace('#', number);
            let got = row.shown(&[&payload]);
            let counted: Vec<&str> = got.iter().filter_map(|line| line.strip_prefix("count input ")).collect();
            assert_eq!(counted, count.into_iter().collect::<Vec<_>>(), "{:?} {number}", row.dialect);
            let lines: Vec<&str> = got.iter().map(String::as_str).collect();
            check(row.dialect, &[(number, &[&payload], &lines)]);
        }
        for broken in ["01", "+1", ".5", "1.", "1e", "-", "0x1", "NaN", "1 2", "tru"] {
            assert!(is_malformed(row.dialect, &row.count.replace('#', broken)), "{:?} {broken}", row.dialect);
        }
    }
}

#[test]
fn nesting_is_read_up_to_the_limit() {
    for row in ROWS {
        let nested = |open: &str, close: &str, depth: usize| {
            let deep = format!("{{\"x\":{}1{},", open.repeat(depth), close.repeat(depth));
            row.with("x").replacen('{', &deep, 1)
        };
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            row.gives("127 within the payload", &nested(open, close, 127), "x");
            assert!(is_malformed(row.dialect, &nested(open, close, 128)), "{:?}", row.dialect);
            assert!(is_malformed(row.dialect, &nested(open, close, 100_000)), "{:?}", row.dialect);
        }
    }
}

#[test]
fn huge_events_come_whole() {
    let (text, expected) = ("y\\n\u{20ac}".repeat(300_000), "y\n\u{20ac}".repeat(300_000));
    for row in ROWS {
        let payload = row.with(&text);
        let (event, data) = payload.strip_prefix("event:").and_then(|it| it.split_once(' ')).unwrap_or(("", &payload));
        let whole = body(row.dialect.framing(), &[(event, data), (event, data)]);
        for size in [whole.len(), 65_536, 1_000] {
            let got = read_with(row.dialect, whole.chunks(size));
            let got: Vec<&Step> = got.iter().filter(|step| step.kind == EVENT_TEXT).collect();
            let text: &str = &got[0].text;
            assert!(got.len() == 1 && text.len() == 2 * expected.len(), "{:?} {size}", row.dialect);
            assert!(text.starts_with(&expected) && text.ends_with(&expected), "{:?} {size}", row.dialect);
        }
    }
}

#[test]
fn a_provider_that_is_overloaded_says_so() {
    for row in ROWS {
        let got = row.shown(&[row.overloaded]);
        assert!(got[0].starts_with("error overloaded "), "{:?}: {got:?}", row.dialect);
        let lines: Vec<&str> = got.iter().map(String::as_str).collect();
        check(row.dialect, &[("overloaded", &[row.overloaded], &lines)]);
    }
}

#[test]
fn an_error_that_falls_out_of_the_form_of_the_stream_is_told() {
    for row in ROWS.iter().filter(|row| row.dialect.framing() == Framing::Sse) {
        let (_, json) =
            row.overloaded.split_once(' ').filter(|(name, _)| !name.starts_with('{')).unwrap_or(("", row.overloaded));
        let bare = naive_json::parse(json).expect("a row is JSON");
        for glue in [",", ",\n  ", ",\r\n  "] {
            let error = write(&bare, glue, &|key, value| format!("\"{key}\": {value}"), false);
            for (before, behind) in
                [("", ""), ("", "\n"), ("\u{feff}: comment\n", "\r\n\r\n"), (&*row.frame("x"), "\n\n")]
            {
                let whole = format!("{before}{error}{behind}");
                let got = read_with(row.dialect, [whole.as_bytes()]);
                let last = got.iter().map(show).rfind(|line| line.starts_with("error")).unwrap_or_default();
                assert!(last.starts_with("error overloaded "), "{:?} {whole:?}: {got:?}", row.dialect);
                assert_eq!(joined(got.clone()), steps_of_body(row.dialect, whole.as_bytes()), "{whole:?}: the twin");
                for cut in 1..whole.len() {
                    let (one, two) = whole.as_bytes().split_at(cut);
                    assert_eq!(read_with(row.dialect, [one, two]), got, "{whole:?} cut at {cut}");
                }
            }
        }
        for no_error in ["{\"error\":", "error: {}", " {\"error\":{}}", "{}x", "{}\ndata", "7", "event: error\n{}"] {
            let whole = format!("{no_error}\n\n");
            assert_eq!(
                joined(read_with(row.dialect, [whole.as_bytes()])),
                steps_of_body(row.dialect, whole.as_bytes())
            );
        }
    }
}

#[test]
fn a_payload_that_is_cut_is_an_error_and_gives_nothing_else() {
    for row in ROWS {
        let payload = row.with("x");
        let json_from = payload.find('{').expect("an object");
        for cut in json_from + 1..payload.len() {
            assert!(is_malformed(row.dialect, &payload[..cut]), "{:?} cut at {cut}", row.dialect);
        }
    }
}
